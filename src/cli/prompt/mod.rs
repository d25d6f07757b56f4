//! The `ipseckey> ` prompt on a terminal: editing, completion with Tab, continuation lines, and a history without keys.

mod complete;

use std::io;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use zeroize::Zeroizing;

use super::command_loop::{CommandSource, InputError, Outcome};
use super::report::Excerpt;
use super::session::Session;
use crate::keyfile::Setting;
use crate::secret::Buffer;
use crate::sys::process::hardening;
use complete::Completion;

const PROMPT: &str = "ipseckey> ";
/// The prompt for the next line of a command whose line has ended with a backslash.
const CONTINUATION: &str = "        > ";

/// A line editor on the terminal.
pub(super) struct Prompt {
    editor: Editor<Completion, MemHistory>,
    /// The last command, with its continuation lines and a newline.
    command: Buffer,
}

impl Prompt {
    /// # Errors
    /// The terminal cannot be used for editing.
    pub(super) fn new(session: &Session<'_>) -> Result<Self, ReadlineError> {
        // rustyline would add each line to its history before it is known whether the line holds a key.
        let config = Config::builder().auto_add_history(false).completion_type(CompletionType::List).build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(Some(Completion::new(session)));
        Ok(Self { editor, command: Buffer::with_capacity(0) })
    }

    /// Reads one command; `None` after Ctrl-D. Ctrl-C drops all its lines.
    fn read(&mut self) -> Result<Option<Buffer>, ReadlineError> {
        let mut command = Buffer::with_capacity(0);
        loop {
            // The terminal may be idle for hours, and key digits of the last line may still be on the stack.
            hardening::wipe_stack();
            match self.editor.readline(if command.is_empty() { PROMPT } else { CONTINUATION }) {
                // The editor returns a String, which it does not wipe.
                Ok(line) => command = with_line(&command, &Zeroizing::new(line))?,
                Err(ReadlineError::Interrupted) => command = Buffer::with_capacity(0),
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error),
            }
            let is_complete = !command.is_empty() && !command.ends_with(b"\\\n");
            self.complete_after(if is_complete { b"" } else { &command });
            if is_complete {
                return Ok(Some(command));
            }
        }
    }

    /// Tab completes a line that follows these lines of its command.
    fn complete_after(&mut self, lines: &[u8]) {
        if let Some(completion) = self.editor.helper_mut() {
            completion.set_lines_before(lines);
        }
    }
}

/// `command`, `line` and a newline.
fn with_line(command: &[u8], line: &str) -> io::Result<Buffer> {
    // Exactly the capacity: a buffer never grows, because growing would leave a copy of the key behind.
    let mut text = Buffer::with_capacity(command.len() + line.len() + 1);
    [command, line.as_bytes(), b"\n"].iter().try_for_each(|part| text.append(part)).map_err(io::Error::other)?;
    Ok(text)
}

impl CommandSource for Prompt {
    fn next_block(&mut self) -> Result<Option<Excerpt<'_>>, InputError> {
        // The prompt may be idle for hours, and the last command may hold a key.
        self.command = Buffer::with_capacity(0);
        let command = self.read().map_err(|error| match error {
            ReadlineError::Io(error) => error,
            error => io::Error::other(error),
        })?;
        let Some(command) = command else { return Ok(None) };
        self.command = command;
        Ok(Some(Excerpt { name: "prompt", text: &self.command, first_line: 1, setting: Setting::Prompt }))
    }

    fn block_done(&mut self, outcome: Outcome) {
        if outcome == Outcome::Done
            && !may_hold_key(&self.command)
            && let Ok(line) = std::str::from_utf8(&self.command)
        {
            // Best effort: the history is in memory only, and may be full.
            let _ = self.editor.add_history_entry(line.trim_end());
        }
    }
}

/// Whether a line that was carried out must not enter the history. `add` and `update` may hold keys, comments any text.
fn may_hold_key(line: &[u8]) -> bool {
    let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
    first.is_none_or(|word| word.starts_with(b"add") || word.starts_with(b"update") || word.starts_with(b"#"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn may_hold_key_is_true_of_add_and_update() {
        assert!(may_hold_key(b"  add esp encrkey 00\n") && may_hold_key(b"update-pair esp\n") && may_hold_key(b"\n"));
        assert!(!may_hold_key(b"dump esp\n"));
    }
}
