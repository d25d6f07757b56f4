//! Reads a keys file in blocks of whole commands: it takes no more memory than the longest command, and each block overwrites the
//! keys of the one before.

use std::path::{Path, PathBuf};

use super::command_loop::{CommandSource, InputError};
use super::report::Excerpt;
use crate::keyfile::{self, Setting};
use crate::redact::shown;
use crate::secret::Buffer;
use crate::sys::fs::keys_file::{FileError, FileOrigin, KeysFileReader, PrivacyFinding};
use crate::sys::process::hardening;

/// Bytes of a block. It fits into a processor's cache.
const BLOCK: usize = 64 * 1024;

pub(super) struct InputBlocks {
    path: PathBuf,
    /// The name of the file, for messages.
    name: String,
    reader: KeysFileReader,
    buffer: Buffer,
    /// Bytes of the buffer that hold text.
    filled: usize,
    /// Bytes of them that the last block had.
    given: usize,
    /// Number of the first line of the next block.
    line: u32,
    /// Blocks may be given out only while no other process can write to the file.
    needs_lock: bool,
    /// Whether that was so at the start.
    was_locked: bool,
}

impl InputBlocks {
    /// # Errors
    /// See [`KeysFileReader::open`].
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self::of(path, KeysFileReader::open(path, FileOrigin::User)?, false))
    }

    fn of(path: &Path, reader: KeysFileReader, needs_lock: bool) -> Self {
        // One byte more than the file has: a read that does not fill the buffer shows the end, so a short file is one block.
        let len = usize::try_from(reader.file_len()).map_or(BLOCK, |len| BLOCK.min(len + 1));
        Self {
            path: path.to_owned(),
            name: shown(path),
            reader,
            buffer: locked(len),
            filled: 0,
            given: 0,
            line: 1,
            needs_lock,
            was_locked: needs_lock,
        }
    }

    /// Opens a file whose blocks are applied before the next is read, so it must not change meanwhile. Other processes that open it
    /// for writing wait until this is dropped (a file lease). Where there are no leases, the first block is the whole file.
    ///
    /// # Errors
    /// See [`KeysFileReader::open_locked`].
    pub(super) fn open_locked(path: &Path) -> Result<Self, FileError> {
        Ok(Self::of(path, KeysFileReader::open_locked(path, FileOrigin::User)?, true))
    }

    /// The length of the file in bytes.
    pub(super) fn file_len(&self) -> u64 {
        self.reader.file_len()
    }

    /// Why the file is not private.
    pub(super) fn take_findings(&mut self) -> Vec<PrivacyFinding> {
        self.reader.take_findings()
    }

    /// Begins at the start of the file again.
    ///
    /// # Errors
    /// See [`KeysFileReader::rewind`].
    pub(super) fn rewind(&mut self) -> Result<(), FileError> {
        self.reader.rewind()?;
        (self.filled, self.given, self.line) = (0, 0, 1);
        self.needs_lock = self.was_locked;
        Ok(())
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// See [`KeysFileReader::read`].
    fn next(&mut self) -> Result<Option<Excerpt<'_>>, FileError> {
        self.remove_given();
        // The lease was broken by a process that waits to write; the kernel lets it in after a while.
        if self.needs_lock && !self.reader.is_locked() {
            self.read_rest()?;
        }
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let wanted = room.len();
            let read = self.reader.read(room)?;
            self.filled += read;
            let text = self.buffer.get(..self.filled).unwrap_or_default();
            // A read that does not fill the buffer has reached the end: the last command needs no newline.
            self.given = if read < wanted { self.filled } else { keyfile::complete_lines_len(text) };
            if self.given > 0 || read < wanted {
                self.require_short_commands()?;
                let block = self.buffer.get(..self.given).unwrap_or_default();
                let (name, first_line) = (&*self.name, self.line);
                return Ok((!block.is_empty()).then_some(Excerpt { name, text: block, first_line, setting: Setting::File }));
            }
            // The command is longer than the buffer.
            if self.filled > keyfile::MAX_COMMAND_LEN {
                return Err(FileError::LongCommand { path: self.path.clone(), line: self.line });
            }
            self.grow(self.buffer.len() * 2)?;
        }
    }

    /// # Errors
    /// [`FileError::LongCommand`].
    fn require_short_commands(&self) -> Result<(), FileError> {
        match keyfile::long_command(self.buffer.get(..self.given).unwrap_or_default(), self.line) {
            Some(line) => Err(FileError::LongCommand { path: self.path.clone(), line }),
            None => Ok(()),
        }
    }

    /// Reads the rest of the file while the lease still keeps writers out.
    fn read_rest(&mut self) -> Result<(), FileError> {
        // From here on the text is in memory, and changes of the file do not matter.
        self.needs_lock = false;
        self.reader.require_memory()?;
        self.grow(self.filled + self.reader.remaining() + 1)?;
        self.filled += self.reader.read(self.buffer.get_mut(self.filled..).unwrap_or_default())?;
        Ok(())
    }

    /// Moves the bytes after the last block to the front.
    fn remove_given(&mut self) {
        let given = self.buffer.get(..self.given).unwrap_or_default();
        self.line = keyfile::line_after(self.line, given);
        // The block before is overwritten, keys included, as soon as the next one is read.
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
    }

    /// Makes the buffer at least `len` bytes long.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] if there is no memory.
    fn grow(&mut self, len: usize) -> Result<(), FileError> {
        if len <= self.buffer.len() {
            return Ok(());
        }
        let larger = Buffer::try_zeroed(len);
        let mut larger = larger.map_err(|source| FileError::Unreadable { path: self.path.clone(), source })?;
        hardening::lock(&larger);
        // The old buffer wipes itself when it is dropped.
        larger[..self.buffer.len()].copy_from_slice(&self.buffer);
        self.buffer = larger;
        Ok(())
    }
}

impl CommandSource for InputBlocks {
    fn next_block(&mut self) -> Result<Option<Excerpt<'_>>, InputError> {
        Ok(self.next()?)
    }
}

/// A buffer that is never swapped out.
pub(super) fn locked(len: usize) -> Buffer {
    let buffer = Buffer::zeroed(len);
    hardening::lock(&buffer);
    buffer
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    fn file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn blocks(text: &[u8]) -> Vec<(Vec<u8>, u32)> {
        let (_directory, path) = file(text);
        let mut blocks = InputBlocks::open(&path).unwrap();
        let mut found = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            found.push((block.text.to_vec(), block.first_line));
        }
        found
    }

    fn whole(blocks: &[(Vec<u8>, u32)]) -> Vec<u8> {
        blocks.iter().flat_map(|(text, _)| text.clone()).collect()
    }

    #[test]
    fn next_gives_a_short_file_as_one_block() {
        assert_eq!(blocks(b""), []);
        assert_eq!(blocks(b"flush \\\n"), [(b"flush \\\n".to_vec(), 1)]);
    }

    #[test]
    fn next_cuts_a_long_file_between_commands() {
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
    fn next_takes_a_command_longer_than_a_block() {
        let mut text = vec![b'a'; 3 * BLOCK];
        text.extend_from_slice(b"\nquit");
        assert_eq!(whole(&blocks(&text)), text);
    }

    #[test]
    fn next_ends_with_a_block_that_ends_at_the_end_of_the_file() {
        let text = [b"flush\n".repeat(BLOCK / 6), b"quit\n\n\n\n\n".to_vec()].concat();
        assert_eq!(whole(&blocks(&text[..BLOCK])), &text[..BLOCK]);
    }

    #[test]
    fn rewind_gives_the_same_blocks_again() {
        for len in [6, 3 * BLOCK] {
            let (_directory, path) = file(&b"flush\n".repeat(len / 6));
            let mut blocks = InputBlocks::open_locked(&path).unwrap();
            let mut all = || -> Vec<(Vec<u8>, u32)> {
                let next = || blocks.next().unwrap().map(|block| (block.text.to_vec(), block.first_line));
                let found = std::iter::from_fn(next).collect();
                blocks.rewind().unwrap();
                found
            };
            let first = all();
            assert_eq!(first, all());
        }
    }

    /// A file of as many blocks, and its text.
    fn long_file(blocks: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let text = b"flush\n".repeat(blocks * BLOCK / 6);
        let (directory, path) = file(&text);
        (directory, path, text)
    }

    fn given(blocks: &mut InputBlocks) -> Vec<u8> {
        blocks.next().unwrap().map(|block| block.text.to_vec()).unwrap_or_default()
    }

    /// On file systems without leases this shows nothing.
    #[test]
    fn open_locked_refuses_a_file_that_is_open_for_writing() {
        let (_directory, path, _) = long_file(3);
        if !InputBlocks::open_locked(&path).unwrap().reader.is_locked() {
            return;
        }
        let _writer = File::options().append(true).open(&path).unwrap();
        assert!(matches!(InputBlocks::open_locked(&path), Err(FileError::OpenForWriting { .. })));
    }

    #[test]
    fn open_locked_ignores_a_new_modification_time() {
        let (_directory, path, text) = long_file(2);
        let mut blocks = InputBlocks::open_locked(&path).unwrap();
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

    /// On file systems without leases this shows nothing.
    #[test]
    fn open_locked_makes_a_writer_wait_and_reads_the_rest_at_once() {
        let (_directory, path, text) = long_file(4);
        let mut blocks = InputBlocks::open_locked(&path).unwrap();
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
