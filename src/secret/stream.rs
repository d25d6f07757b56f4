//! Buffered streams of text that contains keys. The buffers never grow and are wiped.

use std::io::{self, BufRead, Read, Write};

use zeroize::Zeroize;

use super::Buffer;

/// Collects small writes into large ones. Dropping it writes what is left and ignores errors; call `flush` to see them.
pub(crate) struct SecretWriter<W: Write> {
    inner: W,
    buffer: Buffer,
}

impl<W: Write> SecretWriter<W> {
    /// A writer to `inner` with a buffer of `capacity` bytes.
    #[must_use]
    pub(crate) fn new(capacity: usize, inner: W) -> Self {
        Self { inner, buffer: Buffer::with_capacity(capacity) }
    }

    /// Empties the buffer first; bytes longer than the buffer go directly to `inner`.
    #[cold]
    fn write_after_drain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.drain()?;
        match self.buffer.append(bytes) {
            Ok(()) => Ok(()),
            Err(_) => self.inner.write_all(bytes),
        }
    }

    /// Writes the buffer to `inner`, and empties it even after an error.
    fn drain(&mut self) -> io::Result<()> {
        let written = self.inner.write_all(&self.buffer);
        // `write_all` does not say how much it wrote before an error: a retry would write a part twice.
        self.buffer.reset();
        written
    }
}

impl<W: Write> Write for SecretWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    // Inlined because text comes in small pieces, nearly all of which fit.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.buffer.append(bytes) {
            Ok(()) => Ok(()),
            Err(_) => self.write_after_drain(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for SecretWriter<W> {
    fn drop(&mut self) {
        // A destructor cannot return an error.
        let _ = self.drain();
    }
}

/// Reads ahead in large pieces and wipes each byte when it is consumed.
pub(crate) struct SecretReader<R: Read> {
    inner: R,
    buffer: Buffer,
    /// Bytes from `start` to `end` are read and not consumed.
    start: usize,
    end: usize,
}

impl<R: Read> SecretReader<R> {
    /// A reader of `inner` that reads at most `capacity` bytes ahead.
    #[must_use]
    pub(crate) fn new(capacity: usize, inner: R) -> Self {
        Self { inner, buffer: Buffer::zeroed(capacity), start: 0, end: 0 }
    }

    /// Bytes that are read and not consumed.
    #[must_use]
    pub(crate) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

impl<R: Read> BufRead for SecretReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.inner.read(&mut self.buffer)?;
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, count: usize) {
        let after = self.end.min(self.start + count);
        self.buffer.get_mut(self.start..after).unwrap_or_default().zeroize();
        self.start = after;
    }
}

impl<R: Read> Read for SecretReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records each write, and fails the one with index `fail_at`.
    #[derive(Default)]
    struct Pieces {
        written: Vec<Vec<u8>>,
        fail_at: Option<usize>,
    }

    impl Write for &mut Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.fail_at == Some(self.written.len()) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writer_collects_small_writes_and_passes_large_ones() {
        let mut pieces = Pieces::default();
        let mut writer = SecretWriter::new(8, &mut pieces);
        for text in [&b"abc"[..], b"def", b"ghi", b"0123456789", b"z"] {
            writer.write_all(text).unwrap();
        }
        drop(writer);
        assert_eq!(pieces.written.concat(), b"abcdefghi0123456789z");
        assert_eq!(pieces.written[0], b"abcdef");
    }

    #[test]
    fn writer_reports_an_error_and_writes_nothing_twice() {
        let mut pieces = Pieces { fail_at: Some(1), ..Pieces::default() };
        let mut writer = SecretWriter::new(4, &mut pieces);
        writer.write_all(b"abcd").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"efgh").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        writer.flush().unwrap();
        drop(writer);
        assert_eq!(pieces.written, [b"abcd"]);
    }

    #[test]
    fn reader_wipes_consumed_bytes() {
        let mut reader = SecretReader::new(16, &b"secret line\nnext"[..]);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line, b"secret line\n");
        assert_eq!(&reader.buffer[..12], [0; 12]);
        assert_eq!(reader.fill_buf().unwrap(), b"next");
        assert_eq!(io::read_to_string(reader).unwrap(), "next");
    }
}
