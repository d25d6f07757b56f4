//! The one writer of bytes for a kernel: into a [`Buffer`] of exactly the right size, which is never reallocated.
//!
//! [`exact`] runs the same code twice: once to count, once to write. A length field is held open, poisoned with all ones,
//! until what it measures is complete.

use crate::secret::Buffer;

/// Something does not fit into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A length field is too small for the length.
    #[error("{len} bytes are more than a 16-bit length field can say ({most} at most)")]
    TooLong {
        /// Bytes to be measured.
        len: usize,
        /// The most the field can say.
        most: usize,
    },
    /// A length field was never filled, or the two passes of [`exact`] differ: a mistake of the code above.
    #[error("message left unfinished")]
    Unfinished,
}

/// A 16-bit length field that waits for its value.
#[must_use]
pub struct Held {
    at: usize,
    start: usize,
}

/// Writes fields one after the other.
pub struct Writer {
    buffer: Option<Buffer>,
    whole: usize,
    len: usize,
    held: usize,
    overflow: bool,
}

/// What stands in a length field until it is filled.
const POISON: u16 = u16::MAX;

/// Writes a message into a buffer of exactly its size. `fill` is called twice and must do the same both times.
///
/// # Errors
/// What `fill` says; [`WriteError::Unfinished`] if a length field was not filled.
pub fn exact<E: From<WriteError>>(fill: impl Fn(&mut Writer) -> Result<(), E>) -> Result<Buffer, E> {
    let mut count = Writer { buffer: None, whole: 0, len: 0, held: 0, overflow: false };
    fill(&mut count)?;
    let buffer = Some(Buffer::with_capacity(count.len));
    let mut writer = Writer { buffer, whole: count.len, len: 0, held: 0, overflow: false };
    fill(&mut writer)?;
    match writer.buffer {
        Some(buffer) if writer.held == 0 && !writer.overflow && buffer.len() == count.len => Ok(buffer),
        _ => Err(WriteError::Unfinished.into()),
    }
}

impl Writer {
    /// Position of the next byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.len
    }

    /// Length of the whole message; 0 while it is being counted.
    #[must_use]
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// Writes `bytes`.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(buffer) = &mut self.buffer {
            self.overflow |= buffer.append(bytes).is_err();
        }
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Writes 16 bits in host order.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 32 bits in host order.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 64 bits in host order.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 16 bits in network order.
    pub fn be16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 32 bits in network order.
    pub fn be32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes `count` zero bytes.
    pub fn zeros(&mut self, count: usize) {
        const ZEROS: [u8; 64] = [0; 64];
        let mut left = count;
        while left > 0 {
            let now = left.min(ZEROS.len());
            self.bytes(ZEROS.get(..now).unwrap_or(&ZEROS));
            left -= now;
        }
    }

    /// Writes zero bytes until the position is a multiple of `unit`.
    pub fn pad(&mut self, unit: usize) {
        self.zeros(self.len.next_multiple_of(unit) - self.len);
    }

    /// Holds a 16-bit length field here open. It will measure from `start`, a position.
    pub fn hold_length(&mut self, start: usize) -> Held {
        let held = Held { at: self.len, start };
        self.held += 1;
        self.u16(POISON);
        held
    }

    /// Fills a held length field: bytes from its start to here, in units of `unit` bytes.
    ///
    /// # Errors
    /// [`WriteError::TooLong`] if 16 bits cannot say it; the poison value counts as one they cannot.
    pub fn fill_length(&mut self, held: Held, unit: usize) -> Result<(), WriteError> {
        let len = self.len - held.start;
        let most = usize::from(POISON - 1) * unit;
        let value = u16::try_from(len.div_ceil(unit)).ok().filter(|value| *value != POISON);
        let value = value.ok_or(WriteError::TooLong { len, most })?;
        self.held -= 1;
        let field = self.buffer.as_mut().and_then(|buffer| buffer.get_mut(held.at..held.at + 2));
        if let Some(field) = field {
            field.copy_from_slice(&value.to_ne_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(count: usize) -> Result<Buffer, WriteError> {
        exact(|writer| {
            let held = writer.hold_length(writer.position());
            writer.be16(0x0102);
            writer.zeros(count);
            writer.pad(8);
            writer.fill_length(held, 8)
        })
    }

    #[test]
    fn a_length_is_filled_in() {
        let buffer = framed(5).unwrap();
        let [low, high] = 2u16.to_ne_bytes();
        assert_eq!(&*buffer, [low, high, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_longest_and_one_more() {
        let longest = usize::from(u16::MAX - 1) * 8;
        assert_eq!(framed(longest - 4).unwrap().len(), longest);
        assert_eq!(framed(longest).err(), Some(WriteError::TooLong { len: longest + 8, most: longest }));
    }

    #[test]
    fn an_unfilled_length_is_an_error() {
        let result = exact(|writer| {
            let _held = writer.hold_length(0);
            Ok::<_, WriteError>(())
        });
        assert_eq!(result.err(), Some(WriteError::Unfinished));
    }

    #[test]
    fn passes_that_differ_are_an_error() {
        let passes = std::cell::Cell::new(0);
        let result = exact(|writer| {
            passes.set(passes.get() + 1);
            writer.zeros(64 * passes.get());
            Ok::<_, WriteError>(())
        });
        assert_eq!(result.err(), Some(WriteError::Unfinished));
    }
}
