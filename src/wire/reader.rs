//! The one reader of bytes from a kernel. It never panics and never reads past its end.
//!
//! Integers are in host order, as both kernels put them into messages, except those read with a `be` function.

/// Bytes that do not hold what was to be read. Positions count from the start of the outermost reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too few bytes.
    #[error("{wanted} bytes wanted at byte {at}, {left} there")]
    Short {
        /// Where.
        at: usize,
        /// Bytes wanted.
        wanted: usize,
        /// Bytes there.
        left: usize,
    },
    /// Too many bytes.
    #[error("{left} bytes too many at byte {at}")]
    Trailing {
        /// Where.
        at: usize,
        /// Bytes left over.
        left: usize,
    },
    /// A name with bytes that no name has.
    #[error("a name in ASCII wanted at byte {at}")]
    NoName {
        /// Where.
        at: usize,
    },
}

/// Reads fields one after the other.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// Position of the next byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Number of bytes not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bytes not read yet, without reading them.
    #[must_use]
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`ReadError::Short`], as for every function here that reads; nothing is read then.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(ReadError::Short { at: self.at, wanted: count, left: self.rest.len() });
        };
        self.rest = rest;
        self.at += count;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// A reader of the next `count` bytes only.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn part(&mut self, count: usize) -> Result<Self, ReadError> {
        let at = self.at;
        Ok(Self { rest: self.bytes(count)?, at })
    }

    /// Everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        let rest = std::mem::take(&mut self.rest);
        self.at += rest.len();
        rest
    }

    /// Passes over `count` bytes.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn skip(&mut self, count: usize) -> Result<(), ReadError> {
        self.bytes(count).map(drop)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }

    /// 16 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_ne_bytes)
    }

    /// 32 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn u32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_ne_bytes)
    }

    /// 64 bits in host order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn u64(&mut self) -> Result<u64, ReadError> {
        self.array().map(u64::from_ne_bytes)
    }

    /// 16 bits in network order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn be16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_be_bytes)
    }

    /// 32 bits in network order.
    ///
    /// # Errors
    /// [`ReadError::Short`].
    pub fn be32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Says that nothing may be left.
    ///
    /// # Errors
    /// [`ReadError::Trailing`] if something is.
    pub fn finish(self) -> Result<(), ReadError> {
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
    fn reads_in_order() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 9, 8, 7]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.be16(), Ok(2));
        assert_eq!(reader.be32(), Ok(3));
        assert_eq!(reader.position(), 7);
        let mut part = reader.part(2).unwrap();
        assert_eq!(part.bytes(3), Err(ReadError::Short { at: 7, wanted: 3, left: 2 }));
        assert_eq!(part.take_rest(), [9, 8]);
        assert_eq!(part.finish(), Ok(()));
        assert_eq!(reader.clone().finish(), Err(ReadError::Trailing { at: 9, left: 1 }));
        assert_eq!(reader.u16(), Err(ReadError::Short { at: 9, wanted: 2, left: 1 }));
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn host_order() {
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
