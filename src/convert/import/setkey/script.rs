//! Shell scripts that pass statements to setkey: here-documents and `echo ... | setkey -c`.

use super::import_statements;
use crate::convert::import::output::Output;
use crate::convert::import::shell::{Shell, ShellCommand};
use crate::secret::{Buffer, Full};

/// Whether a text is a script: a line of it, which is no comment, names setkey.
pub(super) fn is_script(text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.into_iter().any(|line| line.split(|c: char| c.is_whitespace() || "|;&'\"".contains(c)).any(is_setkey))
}

fn is_setkey(word: &str) -> bool {
    word.rsplit('/').next() == Some("setkey")
}

/// Translates the statements that a script passes to setkey.
pub(super) fn import(text: &str, output: &mut Output<'_>) -> Result<(), Full> {
    let mut shell = Shell::new(text, "setkey", true);
    shell.read(text, 1)?;
    let commands: Vec<ShellCommand<'_>> = shell.commands().collect();
    let mut dumped = None;
    for (at, command) in commands.iter().enumerate() {
        let Some(options) = command.words.iter().position(|word| is_setkey(word.text)) else {
            if !feeds_setkey(&commands[at..]) && dumped.is_none() {
                output.unrelated(command.line, false);
            }
            continue;
        };
        let has = |letter: char| {
            command.words.iter().skip(options + 1).any(|word| word.text.starts_with('-') && word.text.contains(letter))
        };
        match () {
            () if has('D') => dumped = Some(command.line),
            () if has('c') => import_input(&commands[..=at], output)?,
            () if has('f') => output.statement(command.line, 0, |_| {
                Err("setkey -f reads statements from another file: import that file too".to_owned())
            })?,
            () if has('F') && has('P') => output.note(command.line, "removes policies, not SAs, and is not imported"),
            () if has('F') => import_statements("flush;", command.line, output)?,
            () => output.unrelated(command.line, false),
        }
    }
    if let Some(line) = dumped {
        output.note(line, "for the output of setkey -D, import a file with that output alone");
    }
    Ok(())
}

/// Whether the output of the first command is the input of setkey.
fn feeds_setkey(commands: &[ShellCommand<'_>]) -> bool {
    let mut pipeline = commands.iter().take_while(|command| command.is_piped).count();
    pipeline = pipeline.min(commands.len().saturating_sub(1));
    pipeline > 0 && commands.get(pipeline).is_some_and(|last| last.words.iter().any(|word| is_setkey(word.text)))
}

/// Translates the input of the last command: its here-document, or the output of `cat` or `echo` in front of it.
fn import_input(commands: &[ShellCommand<'_>], output: &mut Output<'_>) -> Result<(), Full> {
    let Some((setkey, before)) = commands.split_last() else { return Ok(()) };
    let feeding = before.last().filter(|command| command.is_piped);
    if let Some((text, line)) = setkey.input.or_else(|| feeding.and_then(|command| command.input)) {
        return import_statements(text, line, output);
    }
    match feeding {
        Some(echo) if matches!(echo.words.first().map(|word| word.text), Some("echo" | "printf")) => {
            import_statements(&printed(echo)?, echo.line, output)
        }
        _ => output.statement(setkey.line, 0, |_| {
            Err("setkey -c reads the output of a command that is not run here: import that output".to_owned())
        }),
    }
}

/// The text that echo or printf prints: the words with blanks between them, and lines for `\n`.
fn printed<'c>(echo: &ShellCommand<'c>) -> Result<Text, Full> {
    let len: usize = echo.words.iter().map(|word| word.text.len() + 1).sum();
    let mut text = Buffer::with_capacity(len);
    let words = echo.words.iter().skip(1).skip_while(|word| matches!(word.text, "-e" | "-n" | "-en" | "-ne"));
    for word in words {
        let mut lines = word.text.split("\\n");
        text.append(lines.next().unwrap_or_default().as_bytes())?;
        for line in lines {
            text.append(b"\n")?;
            text.append(line.as_bytes())?;
        }
        text.append(b" ")?;
    }
    Ok(Text(text))
}

/// A text with keys.
struct Text(Buffer);

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::{imported, lost};

    #[test]
    fn statements_of_here_documents_and_echo_are_imported() {
        let text = "#!/bin/sh\nK=0x0123456789abcdef0123456789abcdef\nmodprobe esp4\n/usr/sbin/setkey -c << EOF\nflush;\n\
                    add 192.0.2.1 192.0.2.2 ah 0x1001 -A hmac-md5 $K;\nEOF\n\
                    echo \"add 192.0.2.1 192.0.2.2 ah 0x1002 -A hmac-md5 $K;\" | sudo setkey -c\n\
                    cat <<'E' | setkey -c\n\tadd 192.0.2.1 192.0.2.2 ah 0x1003\n\t-A hmac-md5 \"sixteen chars ok\";\nE\n\
                    echo 'add 192.0.2.1 192.0.2.2 ah 0x1004 -A hmac-md5 '$OTHER';' | setkey -c\nsetkey -f /etc/x\nsetkey -D\n";
        let (keys, notes) = imported(ImportFormat::Setkey, text);
        let spis: Vec<&str> = keys.split_whitespace().filter(|word| word.starts_with("0x10")).collect();
        assert_eq!(spis, ["0x1001", "0x1002", "0x1003"], "{keys}");
        let lost = lost(ImportFormat::Setkey, text).1;
        assert!(lost.iter().any(|text| text.contains("$OTHER")) && lost.iter().any(|text| text.contains("-f")), "{lost:?}");
        assert!(
            notes.iter().any(|note| note.0 == 3 && note.1 == "1 command is not about SAs and not imported"),
            "{notes:?}"
        );
    }
}
