//! A keys file in blocks of whole commands: checking it takes no more memory than its longest command, and the keys of a block
//! are overwritten by the next.

use std::path::Path;

use crate::keyfile;
use crate::secret::Buffer;
use crate::sys::fs::keys_file::{FileError, FileOrigin, KeysFileReader, PrivacyFinding};
use crate::sys::process::hardening;

/// Small enough for a processor's cache.
const BLOCK: usize = 64 * 1024;

/// The blocks of a file.
pub(super) struct Blocks {
    reader: KeysFileReader,
    buffer: Buffer,
    /// Bytes of the buffer that hold text.
    filled: usize,
    /// Bytes of them that were given out.
    given: usize,
    /// Number of the first line of what is given next.
    line: u32,
    /// Nothing may be given out of a file that could change before its end is read.
    must_hold: bool,
}

impl Blocks {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As [`KeysFileReader::open`].
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let reader = KeysFileReader::open(path, FileOrigin::User)?;
        // One byte more than the file has: so the first block of a short one is known to be its last.
        let len = usize::try_from(reader.file_len()).map_or(BLOCK, |len| BLOCK.min(len + 1));
        Ok(Self { reader, buffer: locked(len), filled: 0, given: 0, line: 1, must_hold: false })
    }

    /// The same for who acts upon a block before the next is read, as nothing may come of a file that changes meanwhile: who
    /// wants to write to it waits until this is dropped. Where nobody can be made to wait, the whole file is the first block.
    ///
    /// # Errors
    /// As [`KeysFileReader::open`] and [`KeysFileReader::hold`].
    pub(super) fn open_held(path: &Path) -> Result<Self, FileError> {
        let mut blocks = Self::open(path)?;
        blocks.must_hold = true;
        blocks.reader.lock_against_writers()?;
        Ok(blocks)
    }

    /// Bytes of the whole file.
    pub(super) fn file_len(&self) -> u64 {
        self.reader.file_len()
    }

    /// What makes the file less than private.
    pub(super) fn take_findings(&mut self) -> Vec<PrivacyFinding> {
        self.reader.take_findings()
    }

    /// The next commands and the number of their first line; `None` at the end.
    ///
    /// # Errors
    /// As [`KeysFileReader::read`].
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], u32)>, FileError> {
        self.forget_given();
        if self.must_hold && !self.reader.is_locked() {
            self.read_rest()?;
        }
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let wanted = room.len();
            let read = self.reader.read(room)?;
            self.filled += read;
            let text = self.buffer.get(..self.filled).unwrap_or_default();
            self.given = if read < wanted { self.filled } else { keyfile::complete_lines_len(text) };
            if self.given > 0 || read < wanted {
                let block = self.buffer.get(..self.given).unwrap_or_default();
                return Ok((!block.is_empty()).then_some((block, self.line)));
            }
            // A command that is longer than the buffer.
            self.make_room(self.buffer.len() * 2);
        }
    }

    /// All that is left of the file, before anybody writes to it.
    fn read_rest(&mut self) -> Result<(), FileError> {
        self.must_hold = false;
        self.make_room(self.filled + self.reader.remaining() + 1);
        self.filled += self.reader.read(self.buffer.get_mut(self.filled..).unwrap_or_default())?;
        Ok(())
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

    /// Moves to a buffer of `len` bytes, or stays in this one if it is as long.
    fn make_room(&mut self, len: usize) {
        if len <= self.buffer.len() {
            return;
        }
        let mut larger = locked(len);
        larger[..self.buffer.len()].copy_from_slice(&self.buffer);
        self.buffer = larger;
    }
}

fn locked(len: usize) -> Buffer {
    let buffer = Buffer::zeroed(len);
    hardening::lock(&buffer);
    buffer
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::PathBuf;

    use super::*;

    fn file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn blocks(text: &[u8]) -> Vec<(Vec<u8>, u32)> {
        let (_directory, path) = file(text);
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

    /// A file of as many blocks, and its text.
    fn long_file(blocks: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let text = b"flush\n".repeat(blocks * BLOCK / 6);
        let (directory, path) = file(&text);
        (directory, path, text)
    }

    fn given(blocks: &mut Blocks) -> Vec<u8> {
        blocks.next().unwrap().map(|(text, _)| text.to_vec()).unwrap_or_default()
    }

    #[test]
    fn of_a_file_that_somebody_can_write_to_nothing_is_given_before_all_is_read() {
        let (_directory, path, text) = long_file(3);
        let mut writer = File::options().append(true).open(&path).unwrap();
        let mut blocks = Blocks::open_held(&path).unwrap();
        assert_eq!(given(&mut blocks), text);
        writer.write_all(b"quit\n").unwrap();
        assert_eq!(given(&mut blocks), b"");
    }

    #[test]
    fn a_file_that_nobody_can_write_to_is_the_same_with_another_time() {
        let (_directory, path, text) = long_file(2);
        let mut blocks = Blocks::open_held(&path).unwrap();
        let is_held = blocks.reader.is_locked();
        let mut found = given(&mut blocks);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        File::open(&path).unwrap().set_modified(later).unwrap();
        // Without a lease all of it was read before.
        assert!(is_held || found.len() == text.len());
        while found.len() < text.len() {
            found.extend(given(&mut blocks));
        }
        assert_eq!(found, text);
    }

    /// On file systems that know no leases nobody can be made to wait: there this shows nothing.
    #[test]
    fn who_wants_to_write_waits_and_the_rest_is_read_at_once() {
        let (_directory, path, text) = long_file(4);
        let mut blocks = Blocks::open_held(&path).unwrap();
        if !blocks.reader.is_locked() {
            return;
        }
        let mut found = given(&mut blocks);
        assert!(found.len() <= BLOCK);
        let write = || File::options().append(true).custom_flags(nix::libc::O_NONBLOCK).open(&path);
        assert_eq!(write().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let (ask, asked) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                ask.send(()).unwrap();
                File::options().append(true).open(&path).unwrap().write_all(b"quit\n").unwrap();
            });
            asked.recv().unwrap();
            found.extend(given(&mut blocks));
            assert!(found == text, "the rest is one block");
            assert_eq!(given(&mut blocks), b"");
            drop(blocks);
        });
        assert_eq!(std::fs::read(&path).unwrap().len(), text.len() + 5);
    }
}
