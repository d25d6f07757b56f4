//! The `ipseckey> ` prompt on a terminal: editing, Tab completion, continuation lines; a history that never holds a key.

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::Words;
use super::session::Session;
use crate::secret::Buffer;

const PROMPT: &str = "ipseckey> ";

/// A line editor on the terminal.
pub(super) struct Prompt {
    editor: Editor<Words, MemHistory>,
}

/// What the user did at the prompt.
pub(super) enum Typed {
    /// A command, continuation lines included, ending in a newline.
    Line(Buffer),
    /// Ctrl-C: this line is dropped.
    Interrupted,
    /// Ctrl-D.
    End,
}

impl Prompt {
    /// Takes over the terminal for editing.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn new(session: &Session<'_>) -> Result<Self, ReadlineError> {
        let config = Config::builder().auto_add_history(false).completion_type(CompletionType::List).build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(Some(Words::new(session)));
        Ok(Self { editor })
    }

    /// Reads one command. Meanwhile completion may ask the session's SADB.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn read(&mut self, session: &mut Session<'_>) -> Result<Typed, ReadlineError> {
        if let Some(words) = self.editor.helper_mut() {
            words.borrow_sadb(session);
        }
        let line = self.editor.readline(PROMPT);
        if let Some(words) = self.editor.helper_mut() {
            words.give_back_sadb(session);
        }
        match line {
            Ok(line) => {
                let mut text = Buffer::with_capacity(line.len() + 1);
                // The capacity is exactly what is appended.
                text.append(line.as_bytes()).and_then(|()| text.append(b"\n")).map_err(std::io::Error::other)?;
                drop(zeroize::Zeroizing::new(line));
                Ok(Typed::Line(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error),
        }
    }

    /// Remembers `line` for the arrow keys. The caller has seen that it is a whole command without a key.
    pub(super) fn remember(&mut self, line: &[u8]) {
        if let Ok(line) = std::str::from_utf8(line) {
            // A history in memory that is full or refuses a line is no reason to stop.
            let _ = self.editor.add_history_entry(line.trim_end());
        }
    }
}
