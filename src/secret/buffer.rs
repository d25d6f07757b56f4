//! Bytes that contain keys, in memory that never moves.

use std::io;
use std::ops::{Deref, DerefMut};

use zeroize::Zeroize;

use super::reserve;

/// A byte buffer of fixed capacity for text or messages that hold keys: file contents, PF_KEY and netlink messages.
///
/// It never grows, because a reallocation leaves a copy behind, and it is wiped when dropped.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

/// A write that exceeds the capacity of a [`Buffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes exceed the capacity of the buffer, {capacity} bytes")]
pub(crate) struct Full {
    /// Length after the refused write, in bytes.
    pub(crate) needed: usize,
    /// Capacity of the buffer in bytes.
    pub(crate) capacity: usize,
}

impl Buffer {
    /// An empty buffer for up to `capacity` bytes.
    #[must_use]
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// A buffer of `len` zero bytes, for a read to fill.
    #[must_use]
    pub(crate) fn zeroed(len: usize) -> Self {
        Self { bytes: vec![0; len] }
    }

    /// An empty buffer for up to `capacity` bytes, which may be more than there is memory for.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn try_with_capacity(capacity: usize) -> io::Result<Self> {
        match reserve::try_with_capacity(capacity) {
            Ok(bytes) => Ok(Self { bytes }),
            Err(_) => {
                let needed = format!("{capacity} bytes of memory are needed, which are not available");
                Err(io::Error::new(io::ErrorKind::OutOfMemory, needed))
            }
        }
    }

    /// A buffer of `len` zero bytes, as [`Self::zeroed`], which may be more than there is memory for.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn try_zeroed(len: usize) -> io::Result<Self> {
        let mut buffer = Self::try_with_capacity(len)?;
        buffer.bytes.resize(len, 0);
        Ok(buffer)
    }

    /// A buffer with a copy of `bytes`.
    #[must_use]
    pub(crate) fn from_slice(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    /// Capacity in bytes, which may be more than was requested.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends all of `bytes` or nothing.
    ///
    /// # Errors
    /// [`Full`] if they do not fit.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            return Err(Full { needed, capacity: self.bytes.capacity() });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Shortens to `len` bytes and wipes the rest. Does nothing if the buffer is not longer.
    #[cfg(test)]
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.bytes.get_mut(len..) {
            // Before the bytes leave the vector's length: its spare capacity cannot be reached in safe code.
            rest.zeroize();
            self.bytes.truncate(len);
        }
    }

    /// Empties the buffer without wiping it, for a caller that fills it again at once. Dropping the buffer wipes its whole
    /// capacity.
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
    }
}

/// A borrowed part of a buffer, wiped when this guard is dropped.
pub(crate) struct WipeOnDrop<'b>(&'b mut [u8]);

impl<'b> WipeOnDrop<'b> {
    /// Borrows `bytes` and wipes them at the end of the borrow.
    #[must_use]
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self(bytes)
    }
}

impl Deref for WipeOnDrop<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl Drop for WipeOnDrop<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append(bytes).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wipe_on_drop_wipes_its_slice_only() {
        let mut bytes = [7; 4];
        let guard = WipeOnDrop::new(&mut bytes[..3]);
        assert_eq!(&*guard, [7; 3]);
        drop(guard);
        assert_eq!(bytes, [0, 0, 0, 7]);
    }

    #[test]
    fn append_beyond_capacity_is_refused() {
        let mut buffer = Buffer::with_capacity(4);
        let capacity = buffer.capacity();
        buffer.append(&vec![7; capacity]).unwrap();
        assert_eq!(buffer.append(&[8]), Err(Full { needed: capacity + 1, capacity }));
        assert_eq!(buffer.len(), capacity);
        buffer.truncate(1);
        assert_eq!(&*buffer, [7]);
    }
}
