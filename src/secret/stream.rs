//! Buffered streams of text that holds keys: their buffers are wiped, and never grow.

use std::io::{self, BufRead, Read, Write};

use zeroize::Zeroize;

use super::Buffer;

/// Collects small writes into large ones. What is still in the buffer when it is dropped is written then, as well as
/// that can be; call `flush` to hear of errors.
pub struct Writer<W: Write> {
    inner: W,
    buffer: Buffer,
}

impl<W: Write> Writer<W> {
    /// A writer to `inner` that gathers `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize, inner: W) -> Self {
        Self { inner, buffer: Buffer::with_capacity(capacity) }
    }

    /// Writes what does not fit beside what is gathered.
    #[cold]
    fn write_beyond(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.drain()?;
        match self.buffer.append(bytes) {
            Ok(()) => Ok(()),
            Err(_) => self.inner.write_all(bytes),
        }
    }

    /// Writes out what is gathered. After an error it is gone, as nobody knows how much of it went.
    fn drain(&mut self) -> io::Result<()> {
        let written = self.inner.write_all(&self.buffer);
        self.buffer.restart();
        written
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// Text comes in small pieces, of which almost all fit.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.buffer.append(bytes) {
            Ok(()) => Ok(()),
            Err(_) => self.write_beyond(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for Writer<W> {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.drain();
    }
}

/// Reads in large pieces and gives out small ones, wiping each as it is consumed.
pub struct Reader<R: Read> {
    inner: R,
    buffer: Buffer,
    /// What is read and not consumed: from here to `end`.
    start: usize,
    end: usize,
}

impl<R: Read> Reader<R> {
    /// A reader of `inner` that reads at most `capacity` bytes ahead.
    #[must_use]
    pub fn new(capacity: usize, inner: R) -> Self {
        Self { inner, buffer: Buffer::zeroed(capacity), start: 0, end: 0 }
    }

    /// What is read and not consumed.
    #[must_use]
    pub fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

impl<R: Read> BufRead for Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.inner.read(&mut self.buffer)?;
        }
        Ok(self.ahead())
    }

    fn consume(&mut self, count: usize) {
        let after = self.end.min(self.start + count);
        self.buffer.get_mut(self.start..after).unwrap_or_default().zeroize();
        self.start = after;
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers each write, and refuses the one that would be number `most`.
    #[derive(Default)]
    struct Pieces {
        written: Vec<Vec<u8>>,
        most: Option<usize>,
    }

    impl Write for &mut Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.most == Some(self.written.len()) {
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
    fn small_writes_are_gathered_and_large_ones_pass() {
        let mut pieces = Pieces::default();
        let mut writer = Writer::new(8, &mut pieces);
        for text in [&b"abc"[..], b"def", b"ghi", b"0123456789", b"z"] {
            writer.write_all(text).unwrap();
        }
        drop(writer);
        assert_eq!(pieces.written.concat(), b"abcdefghi0123456789z");
        assert_eq!(pieces.written[0], b"abcdef");
    }

    #[test]
    fn an_error_is_told_and_nothing_is_written_twice() {
        let mut pieces = Pieces { most: Some(1), ..Pieces::default() };
        let mut writer = Writer::new(4, &mut pieces);
        writer.write_all(b"abcd").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"efgh").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        writer.flush().unwrap();
        drop(writer);
        assert_eq!(pieces.written, [b"abcd"]);
    }

    #[test]
    fn what_was_read_is_wiped() {
        let mut reader = Reader::new(16, &b"secret line\nnext"[..]);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line, b"secret line\n");
        assert_eq!(&reader.buffer[..12], [0; 12]);
        assert_eq!(reader.fill_buf().unwrap(), b"next");
        assert_eq!(io::read_to_string(reader).unwrap(), "next");
    }
}
