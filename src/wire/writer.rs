//! Writes the bytes of a kernel message into a [`Buffer`] of exactly the right size. It is never reallocated, because an old
//! allocation could keep key material.
//!
//! [`exact`] runs the same code twice: to count, then to write. A length field holds all ones until it is filled.

use crate::secret::Buffer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// A length field is too small for the length.
    #[error("{len} bytes do not fit a 16-bit length field (maximum {most})")]
    TooLong {
        len: usize,
        /// Maximum length in bytes.
        most: usize,
    },
    /// A length field was not filled, or the two passes of [`exact`] differ: a bug in an encoder.
    #[error("message left unfinished")]
    Unfinished,
}

/// A reserved 16-bit length field; see [`Writer::fill_length`].
#[must_use]
pub(crate) struct LengthField {
    at: usize,
    start: usize,
}

/// Appends the fields of a message, or only counts their bytes.
pub(crate) struct Writer {
    buffer: Option<Buffer>,
    whole: usize,
    len: usize,
    /// Number of length fields that are not filled yet.
    reserved: usize,
    overflow: bool,
}

/// Value of a length field that is not filled yet.
const POISON: u16 = u16::MAX;

/// Writes a message into a buffer of exactly its size. `fill` is called twice and must write the same bytes.
///
/// # Errors
/// Those of `fill`; [`WriteError::Unfinished`] if a length field was not filled.
pub(crate) fn exact<E: From<WriteError>>(fill: impl Fn(&mut Writer) -> Result<(), E>) -> Result<Buffer, E> {
    let mut count = Writer { buffer: None, whole: 0, len: 0, reserved: 0, overflow: false };
    fill(&mut count)?;
    // Allocated once with its final size: a growing buffer would leave copies of the keys in freed memory.
    let buffer = Some(Buffer::with_capacity(count.len));
    let mut writer = Writer { buffer, whole: count.len, len: 0, reserved: 0, overflow: false };
    fill(&mut writer)?;
    // A difference between the passes would leave a message with a wrong length.
    match writer.buffer {
        Some(buffer) if writer.reserved == 0 && !writer.overflow && buffer.len() == count.len => Ok(buffer),
        _ => Err(WriteError::Unfinished.into()),
    }
}

impl Writer {
    /// Number of bytes written.
    #[must_use]
    pub(crate) fn position(&self) -> usize {
        self.len
    }

    /// Length of the whole message; 0 in the counting pass.
    #[must_use]
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        // Noted and checked once by `exact`, so that encoders need no `?` for each field.
        if let Some(buffer) = &mut self.buffer {
            // A second pass that is longer must not grow the buffer: that would leave a copy of keys behind.
            self.overflow |= buffer.append(bytes).is_err();
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Writes 16 bits in host order.
    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 32 bits in host order.
    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 64 bits in host order.
    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Writes 16 bits in network order.
    pub(crate) fn be16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 32 bits in network order.
    pub(crate) fn be32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes `count` zero bytes.
    pub(crate) fn zeros(&mut self, count: usize) {
        const ZEROS: [u8; 64] = [0; 64];
        let mut left = count;
        while left > 0 {
            let now = left.min(ZEROS.len());
            self.bytes(ZEROS.get(..now).unwrap_or(&ZEROS));
            left -= now;
        }
    }

    /// Writes zeros up to a multiple of `unit` bytes.
    pub(crate) fn pad(&mut self, unit: usize) {
        self.zeros(self.len.next_multiple_of(unit) - self.len);
    }

    /// Reserves a 16-bit length field for the bytes from position `start`.
    pub(crate) fn reserve_length(&mut self, start: usize) -> LengthField {
        let field = LengthField { at: self.len, start };
        self.reserved += 1;
        // All ones, so that a forgotten field cannot pass for a plausible length.
        self.u16(POISON);
        field
    }

    /// Fills a length field with the number of bytes from its start to here, in units of `unit` bytes.
    ///
    /// # Errors
    /// [`WriteError::TooLong`] above 65534 units; 65535 marks a field that is not filled.
    pub(crate) fn fill_length(&mut self, reserved: LengthField, unit: usize) -> Result<(), WriteError> {
        let len = self.len - reserved.start;
        let most = usize::from(POISON - 1) * unit;
        // Rounded up for PF_KEY, which counts words. Netlink counts bytes and pads after the length is filled in.
        let value = u16::try_from(len.div_ceil(unit)).ok().filter(|value| *value != POISON);
        let value = value.ok_or(WriteError::TooLong { len, most })?;
        self.reserved -= 1;
        // The counting pass has no buffer.
        let field = self.buffer.as_mut().and_then(|buffer| buffer.get_mut(reserved.at..reserved.at + 2));
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
            let length = writer.reserve_length(writer.position());
            writer.be16(0x0102);
            writer.zeros(count);
            writer.pad(8);
            writer.fill_length(length, 8)
        })
    }

    #[test]
    fn fill_length_counts_units() {
        let buffer = framed(5).unwrap();
        let [low, high] = 2u16.to_ne_bytes();
        assert_eq!(&*buffer, [low, high, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn fill_length_maximum() {
        let longest = usize::from(u16::MAX - 1) * 8;
        assert_eq!(framed(longest - 4).unwrap().len(), longest);
        assert_eq!(framed(longest).err(), Some(WriteError::TooLong { len: longest + 8, most: longest }));
    }

    #[test]
    fn exact_refuses_an_unfilled_length() {
        let result = exact(|writer| {
            let _length = writer.reserve_length(0);
            Ok::<_, WriteError>(())
        });
        assert_eq!(result.err(), Some(WriteError::Unfinished));
    }

    #[test]
    fn exact_refuses_passes_that_differ() {
        let passes = std::cell::Cell::new(0);
        let result = exact(|writer| {
            passes.set(passes.get() + 1);
            writer.zeros(64 * passes.get());
            Ok::<_, WriteError>(())
        });
        assert_eq!(result.err(), Some(WriteError::Unfinished));
    }
}
