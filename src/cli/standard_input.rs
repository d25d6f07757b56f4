//! Commands from a pipe or a file on standard input, each given out as soon as it is complete.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;

use zeroize::Zeroizing;

use super::command_loop::{CommandSource, InputError};
use super::report::Excerpt;
use crate::keyfile::{MAX_COMMAND_LEN, Setting, complete_lines_len, line_after};
use crate::secret::{Buffer, SecretReader};
use crate::sys::process::hardening;

/// Initial capacity for a command, in bytes. A longer one is moved to a larger buffer, and the allocator wipes the old one.
const LINE_CAPACITY: usize = 4096;
/// Most bytes read at once.
const READ_AHEAD: usize = 64 * 1024;

pub(super) struct StandardInput {
    /// Not [`io::stdin`]: its buffer is never wiped.
    reader: SecretReader<File>,
    command: Buffer,
    /// Number of the first line of `command`.
    line: u32,
}

impl StandardInput {
    /// # Errors
    /// The descriptor cannot be duplicated.
    pub(super) fn open() -> io::Result<Self> {
        // A duplicate, so that dropping the reader does not close standard input.
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { reader: SecretReader::new(READ_AHEAD, file), command: Buffer::with_capacity(0), line: 1 })
    }
}

impl CommandSource for StandardInput {
    fn next_block(&mut self) -> Result<Option<Excerpt<'_>>, InputError> {
        // The lines of the command before, which is still in the buffer.
        self.line = line_after(self.line, &self.command);
        if complete_lines_len(self.reader.buffered()) == 0 {
            // The next command may not come for hours, and key digits of the last one may still be on the stack.
            hardening::wipe_stack();
        }
        let Some(command) = next_command(&mut self.reader, self.line)? else { return Ok(None) };
        self.command = command;
        let (text, first_line) = (&*self.command, self.line);
        Ok(Some(Excerpt { name: "standard input", text, first_line, setting: Setting::Prompt }))
    }
}

/// The next line of `input` with its continuation lines; `None` at the end. The last line needs no newline. `line` is its number.
///
/// # Errors
/// Those of read(2); `InvalidData` for more than [`MAX_COMMAND_LEN`] bytes.
fn next_command(input: &mut impl BufRead, line: u32) -> io::Result<Option<Buffer>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LINE_CAPACITY));
    loop {
        // Only the new line decides: an earlier one ended in a backslash already.
        let before = text.len();
        // One byte more than a command may have.
        let room = (MAX_COMMAND_LEN + 1).saturating_sub(before) as u64;
        let read = input.take(room).read_until(b'\n', &mut text)?;
        if text.len() > MAX_COMMAND_LEN {
            let found = format!("line {line}: a command of more than 1 MiB, expected at most 1 MiB");
            return Err(io::Error::new(io::ErrorKind::InvalidData, found));
        }
        let continued = text.get(before..).is_some_and(|line| line.ends_with(b"\\\n"));
        if read == 0 || !continued {
            return Ok((!text.is_empty()).then(|| Buffer::from_slice(&text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(mut input: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(text) = next_command(&mut input, 1).unwrap() {
            found.push(String::from_utf8(text.to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn next_command_refuses_an_endless_line() {
        let mut endless = io::BufReader::new(io::repeat(b'a'));
        let refused = next_command(&mut endless, 7).err().unwrap().to_string();
        assert!(refused.starts_with("line 7: a command of more than 1 MiB"), "{refused}");
        let mut comment = io::BufReader::new(io::repeat(b'\n').take(3));
        assert_eq!(next_command(&mut comment, 1).unwrap().as_deref(), Some(&b"\n"[..]));
        let long = "a".repeat(MAX_COMMAND_LEN);
        assert_eq!(next_command(&mut long.as_bytes(), 1).unwrap().unwrap().len(), MAX_COMMAND_LEN);
    }

    #[test]
    fn next_command_takes_continuation_lines() {
        assert_eq!(commands(b"flush\nadd \\\n esp\nquit"), ["flush\n", "add \\\n esp\n", "quit"]);
        assert_eq!(commands(b"flush \\\n"), ["flush \\\n"]);
        assert!(commands(b"").is_empty());
    }
}
