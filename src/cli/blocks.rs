//! A keys file in blocks of whole commands: checking it takes no more memory than its longest command, and the keys of a block
//! are overwritten by the next.

use std::path::Path;

use crate::lang;
use crate::secret::Buffer;
use crate::sys::hardening;
use crate::sys::secure_file::{FileError, Finding, Origin, Reader};

/// Small enough for a processor's cache.
const BLOCK: usize = 64 * 1024;

/// The blocks of a file.
pub(super) struct Blocks {
    reader: Reader,
    buffer: Buffer,
    /// Bytes of the buffer that hold text.
    filled: usize,
    /// Bytes of them that were given out.
    given: usize,
    /// Number of the first line of what is given next.
    line: u32,
}

impl Blocks {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let reader = Reader::open(path, Origin::ByHand)?;
        // One byte more than the file has: so the first block of a short one is known to be its last.
        let len = usize::try_from(reader.file_len()).map_or(BLOCK, |len| BLOCK.min(len + 1));
        let buffer = Buffer::zeroed(len);
        hardening::lock(&buffer);
        Ok(Self { reader, buffer, filled: 0, given: 0, line: 1 })
    }

    /// Bytes of the whole file.
    pub(super) fn file_len(&self) -> u64 {
        self.reader.file_len()
    }

    /// What makes the file less than private.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        self.reader.take_findings()
    }

    /// The next commands and the number of their first line; `None` at the end.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], u32)>, FileError> {
        self.forget_given();
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let wanted = room.len();
            let read = self.reader.read(room)?;
            self.filled += read;
            let text = self.buffer.get(..self.filled).unwrap_or_default();
            self.given = if read < wanted { self.filled } else { lang::whole_len(text) };
            if self.given > 0 || read < wanted {
                let block = self.buffer.get(..self.given).unwrap_or_default();
                return Ok((!block.is_empty()).then_some((block, self.line)));
            }
            self.grow();
        }
    }

    /// Moves what was not given out to the front.
    fn forget_given(&mut self) {
        let given = self.buffer.get(..self.given).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', given).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
    }

    /// Makes room for a command that is longer than the buffer.
    fn grow(&mut self) {
        let mut larger = Buffer::zeroed(self.buffer.len() * 2);
        hardening::lock(&larger);
        larger[..self.buffer.len()].copy_from_slice(&self.buffer);
        self.buffer = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8]) -> Vec<(Vec<u8>, u32)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, text).unwrap();
        let mut blocks = Blocks::open(&path).unwrap();
        let mut found = Vec::new();
        while let Some((text, line)) = blocks.next().unwrap() {
            found.push((text.to_vec(), line));
        }
        found
    }

    fn whole(blocks: &[(Vec<u8>, u32)]) -> Vec<u8> {
        blocks.iter().flat_map(|(text, _)| text.clone()).collect()
    }

    #[test]
    fn a_short_file_is_one_block() {
        assert_eq!(blocks(b""), []);
        assert_eq!(blocks(b"flush \\\n"), [(b"flush \\\n".to_vec(), 1)]);
    }

    #[test]
    fn a_long_one_is_cut_between_commands() {
        let text: Vec<u8> = (0..100_000).flat_map(|line| format!("get {line} \\\n esp\n").into_bytes()).collect();
        let blocks = blocks(&text);
        assert!(blocks.len() > 3);
        assert!(blocks.iter().all(|(block, _)| block.starts_with(b"get") && block.ends_with(b" esp\n")));
        assert_eq!(whole(&blocks), text);
        let mut line = 1;
        for (block, first) in blocks {
            assert_eq!(first, line);
            line += block.iter().filter(|byte| **byte == b'\n').count() as u32;
        }
    }

    #[test]
    fn a_command_may_be_longer_than_a_block() {
        let mut text = vec![b'a'; 3 * BLOCK];
        text.extend_from_slice(b"\nquit");
        assert_eq!(whole(&blocks(&text)), text);
    }

    #[test]
    fn a_block_that_ends_where_the_file_does_is_the_last() {
        let text = [b"flush\n".repeat(BLOCK / 6), b"quit\n\n\n\n\n".to_vec()].concat();
        assert_eq!(whole(&blocks(&text[..BLOCK])), &text[..BLOCK]);
    }
}
