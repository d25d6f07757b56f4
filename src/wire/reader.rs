//! Reads the bytes of a kernel message. It never panics and never reads past the end.
//!
//! Integers are in host order, as in both kernels, except those read with a `be` function.

/// A read error. Positions count from the start of the outermost reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// The message ends too early.
    #[error("expected {expected} bytes at byte {at}, found {left}")]
    Short { at: usize, expected: usize, left: usize },
    /// A field is longer than its contents.
    #[error("{left} unexpected bytes at byte {at}")]
    Trailing { at: usize, left: usize },
    /// The name of an algorithm is not ASCII.
    #[error("expected an ASCII name at byte {at}")]
    InvalidName { at: usize },
}

/// A cursor over the fields of a message.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// Offset of the next byte in the outermost reader.
    #[must_use]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Number of unread bytes.
    #[must_use]
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The unread bytes; they stay unread.
    #[must_use]
    pub(crate) fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads `count` bytes.
    ///
    /// # Errors
    /// [`ReadError::Short`], as for every read function; the position does not change.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        // `count` may come from the message itself, so it is checked here for all readers.
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(ReadError::Short { at: self.at, expected: count, left: self.rest.len() });
        };
        self.rest = rest;
        self.at += count;
        Ok(head)
    }

    /// Reads `N` bytes as an array.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// Reads `count` bytes into a reader of their own.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn part(&mut self, count: usize) -> Result<Self, ReadError> {
        // Errors in the part then give offsets in the whole message.
        let at = self.at;
        Ok(Self { rest: self.bytes(count)?, at })
    }

    /// Reads all remaining bytes.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        // What remains is empty, so that `finish` accepts it.
        let rest = std::mem::take(&mut self.rest);
        self.at += rest.len();
        rest
    }

    /// Skips `count` bytes.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), ReadError> {
        self.bytes(count).map(drop)
    }

    /// Reads 8 bits.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }

    /// Reads 16 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn u16(&mut self) -> Result<u16, ReadError> {
        // Host order, also on big-endian machines: kernel and program run on the same one.
        self.array().map(u16::from_ne_bytes)
    }

    /// Reads 32 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_ne_bytes)
    }

    /// Reads 64 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        self.array().map(u64::from_ne_bytes)
    }

    /// Reads 16 bits in network order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn be16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads 32 bits in network order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub(crate) fn be32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Checks that all bytes have been read.
    ///
    /// # Errors
    /// [`ReadError::Trailing`] if bytes remain.
    pub(crate) fn finish(self) -> Result<(), ReadError> {
        // A remainder is a field of a newer kernel; the caller then keeps the attribute whole instead of losing the field.
        match self.rest.len() {
            0 => Ok(()),
            left => Err(ReadError::Trailing { at: self.at, left }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_reads_fields_in_order() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 9, 8, 7]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.be16(), Ok(2));
        assert_eq!(reader.be32(), Ok(3));
        assert_eq!(reader.position(), 7);
        let mut part = reader.part(2).unwrap();
        assert_eq!(part.bytes(3), Err(ReadError::Short { at: 7, expected: 3, left: 2 }));
        assert_eq!(part.take_rest(), [9, 8]);
        assert_eq!(part.finish(), Ok(()));
        assert_eq!(reader.clone().finish(), Err(ReadError::Trailing { at: 9, left: 1 }));
        assert_eq!(reader.u16(), Err(ReadError::Short { at: 9, expected: 2, left: 1 }));
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn reader_reads_host_order() {
        let mut bytes = Vec::new();
        bytes.extend(0x1122u16.to_ne_bytes());
        bytes.extend(0x3344_5566u32.to_ne_bytes());
        bytes.extend(0x7788_99aa_bbcc_ddeeu64.to_ne_bytes());
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u16(), Ok(0x1122));
        assert_eq!(reader.u32(), Ok(0x3344_5566));
        assert_eq!(reader.u64(), Ok(0x7788_99aa_bbcc_ddee));
    }
}
