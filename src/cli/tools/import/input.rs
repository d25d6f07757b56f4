//! The source of an import: a file, a pipe, or standard input, so that a key need not touch a disk.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::cli::input_blocks::locked;
use crate::cli::session::Session;
use crate::cli::tools::failure::Failure;
use crate::keyfile;
use crate::redact::shown;
use crate::secret::Buffer;
use crate::sys::fs::keys_file::{self, FileError, FileOrigin, MAX_LEN};

/// Bytes of the first buffer.
const CHUNK: usize = 64 * 1024;

/// Reads the source at `path`, `-` for standard input. Warns of a file that other users can read.
///
/// # Errors
/// It cannot be read, or is too long.
pub(super) fn read(path: &Path, session: &Session<'_>) -> Result<Buffer, Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", shown(path)));
    // `<(ip -s xfrm state)` of a shell is the name of a pipe.
    let is_pipe = path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    let contents = match path {
        _ if path == Path::new("-") => read_all(io::stdin().lock()).map_err(failed)?,
        _ if is_pipe => File::open(path).and_then(read_all).map_err(failed)?,
        _ => {
            let file = keys_file::read(path, FileOrigin::User).map_err(|error| Failure::new(error.to_string()))?;
            session.output.warn_of_findings(&file.findings);
            file.contents
        }
    };
    match long_line(&contents) {
        Some(line) => Err(Failure::new(FileError::LongCommand { path: path.to_owned(), line }.to_string())),
        None => Ok(contents),
    }
}

/// The number of a line or command that is longer than any program writes.
fn long_line(text: &[u8]) -> Option<u32> {
    let mut lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    // `ip -o` ends each line with a backslash, which is no continuation.
    let is_oneline = lines.clone().any(|(_, line)| line.starts_with(b"src ") && line.ends_with(b"\\"));
    if !is_oneline {
        return keyfile::long_command(text, 1);
    }
    lines.find(|(_, line)| line.len() > keyfile::MAX_COMMAND_LEN).map(|(line, _)| line)
}

/// Reads to the end. Each larger buffer takes over the contents of the one before, which is wiped.
fn read_all(mut source: impl Read) -> io::Result<Buffer> {
    let (mut buffer, mut filled) = (locked(CHUNK), 0);
    loop {
        if filled == buffer.len() {
            if u64::try_from(filled).is_ok_and(|filled| filled > MAX_LEN) {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the input is too long"));
            }
            let mut larger = locked(2 * filled);
            larger[..filled].copy_from_slice(&buffer);
            buffer = larger;
        }
        match source.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(Buffer::from_slice(&buffer[..filled])),
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_all_reads_more_than_the_first_buffer() {
        let text: Vec<u8> = (0..3 * CHUNK + 5).map(|at| (at % 251) as u8).collect();
        assert_eq!(&*read_all(text.as_slice()).unwrap(), text.as_slice());
    }
}
