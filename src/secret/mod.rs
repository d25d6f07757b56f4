//! Where key bytes live: [`Key`] for one key, [`Buffer`] for bytes that contain keys, [`Writer`] and [`Reader`] for text on
//! its way.
//!
//! None has `Debug`, `Display`, `Clone` or `PartialEq`, none ever reallocates, all wipe what they held when dropped.
//! [`Key::expose`] is the one door to key bytes; `grep expose` shows everyone who opens it.
#![forbid(unsafe_code)]

mod stream;

use std::io;
use std::ops::{Deref, DerefMut};

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

pub use stream::{Reader, Writer};

/// Key bytes with their length in bits: what `authkey` and `encrkey` give, and what RFC 2367 section 2.3.4 carries.
///
/// `bits` counts from the most significant bit of the first byte. `bytes` may be longer than `bits` say: in the
/// illumos answer to GET the salt of a counter-mode cipher follows the key and is counted in `reserved` instead.
pub struct Key {
    bytes: Box<[u8]>,
    bits: u16,
    reserved: u16,
}

impl Key {
    /// Takes over `bytes`. `bits` is `sadb_key_bits`; `reserved` is `sadb_key_reserved` (illumos: bits of salt or IV).
    #[must_use]
    pub fn new(bytes: Box<[u8]>, bits: u16, reserved: u16) -> Self {
        Self { bytes, bits, reserved }
    }

    /// Copies `bytes` into a new key.
    #[must_use]
    pub fn copied(bytes: &[u8], bits: u16, reserved: u16) -> Self {
        Self::new(Box::from(bytes), bits, reserved)
    }

    /// Length in bits, as `sadb_key_bits` says it.
    #[must_use]
    pub fn bits(&self) -> u16 {
        self.bits
    }

    /// `sadb_key_reserved`: bits of salt (in answers) or of IV (in requests) on illumos, else 0.
    #[must_use]
    pub fn reserved(&self) -> u16 {
        self.reserved
    }

    /// Number of bytes held.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The key bytes themselves. Only `wire`, the key printer of `show`, the model's key checks, `lang::check`, the maker of new keys
    /// (`genkey`) and that of fingerprints (`reconcile`) call this.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// A second copy, wiped on its own. Not `Clone`, so that copying a key is always written out.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::copied(&self.bytes, self.bits, self.reserved)
    }

    /// The same key with `sadb_key_reserved` set.
    #[must_use]
    pub fn with_reserved(mut self, reserved: u16) -> Self {
        self.reserved = reserved;
        self
    }

    /// The first `bits` bits of the key, the rest of the last byte zero. A key that is short already keeps its bytes.
    #[must_use]
    pub fn resized(mut self, bits: u16) -> Self {
        let len = usize::from(bits).div_ceil(8);
        if len < self.bytes.len() {
            let shorter = Box::from(&self.bytes[..len]);
            std::mem::replace(&mut self.bytes, shorter).zeroize();
        }
        if let Some(last) = self.bytes.get_mut(len.wrapping_sub(1)) {
            *last &= 0xff << ((8 - bits % 8) % 8);
        }
        self.bits = bits;
        self
    }

    /// The same key with the lowest bit of each byte zero: in DES keys that bit is parity, which an SADB may set.
    #[must_use]
    pub fn without_parity(mut self) -> Self {
        self.bytes.iter_mut().for_each(|byte| *byte &= 0xfe);
        self
    }

    /// How many bits are one.
    #[must_use]
    pub fn one_bits(&self) -> u32 {
        self.bytes.iter().map(|byte| byte.count_ones()).sum()
    }

    /// The same bytes with other lengths said of them.
    #[must_use]
    pub fn with_bits(mut self, bits: u16, reserved: u16) -> Self {
        Self::new(std::mem::take(&mut self.bytes), bits, reserved)
    }

    /// Whether both keys are the same bytes and bit lengths, in a time that does not depend on where they differ.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.bits == other.bits && self.reserved == other.reserved && bool::from(self.bytes.ct_eq(&other.bytes))
    }

    /// Whether every bit is zero: a key nobody chose.
    #[must_use]
    pub fn is_all_zero(&self) -> bool {
        self.bytes.iter().fold(0, |seen, byte| seen | byte) == 0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A byte buffer of fixed capacity for text or messages that hold keys: file contents, PF_KEY and netlink messages.
///
/// It never grows, so no stale copy is left behind by a reallocation, and it is wiped when dropped.
pub struct Buffer {
    bytes: Vec<u8>,
}

/// A write would have outgrown a [`Buffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes do not fit into a buffer of {capacity}")]
pub struct Full {
    /// Bytes that were to be held.
    pub wanted: usize,
    /// Bytes there is room for.
    pub capacity: usize,
}

impl Buffer {
    /// An empty buffer that can hold `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// A buffer of `len` zero bytes, to be read into.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self { bytes: vec![0; len] }
    }

    /// A wiped-on-drop copy of `bytes`.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    /// Bytes there is room for in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`Full`] if they do not fit; nothing is appended then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let wanted = self.bytes.len() + bytes.len();
        if wanted > self.bytes.capacity() {
            return Err(Full { wanted, capacity: self.bytes.capacity() });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Shortens to `len` bytes, wiping the rest. Does nothing if the buffer is shorter already.
    pub fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.bytes.get_mut(len..) {
            rest.zeroize();
            self.bytes.truncate(len);
        }
    }

    /// Wipes everything and makes the buffer empty; the capacity stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Makes the buffer empty for others of its kind: what it held is wiped when it is overwritten or dropped.
    fn restart(&mut self) {
        self.bytes.clear();
    }
}

/// Bytes of a buffer, lent to a reader and wiped when the reader is through.
pub struct Lent<'b>(&'b mut [u8]);

impl<'b> Lent<'b> {
    /// Lends `bytes`.
    #[must_use]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self(bytes)
    }
}

impl Deref for Lent<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl io::Write for Buffer {
    /// Appends all of `bytes`, or fails without appending anything.
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
    fn keys_compare_by_bytes_bits_and_reserved() {
        let key = Key::copied(&[1, 2, 3], 24, 0);
        assert!(key.same_as(&key.duplicate()));
        assert!(!key.same_as(&Key::copied(&[1, 2, 4], 24, 0)));
        assert!(!key.same_as(&Key::copied(&[1, 2, 3], 23, 0)));
        assert!(!key.same_as(&Key::copied(&[1, 2, 3], 24, 8)));
        assert!(!key.same_as(&Key::copied(&[1, 2], 24, 0)));
        assert!(!key.is_all_zero());
        assert!(Key::copied(&[0, 0], 16, 0).is_all_zero());
    }

    #[test]
    fn what_was_lent_is_wiped() {
        let mut bytes = [7; 4];
        let lent = Lent::new(&mut bytes[..3]);
        assert_eq!(&*lent, [7; 3]);
        drop(lent);
        assert_eq!(bytes, [0, 0, 0, 7]);
    }

    #[test]
    fn a_buffer_refuses_to_grow() {
        let mut buffer = Buffer::with_capacity(4);
        let capacity = buffer.capacity();
        buffer.append(&vec![7; capacity]).unwrap();
        assert_eq!(buffer.append(&[8]), Err(Full { wanted: capacity + 1, capacity }));
        assert_eq!(buffer.len(), capacity);
        buffer.truncate(1);
        assert_eq!(&*buffer, [7]);
    }
}
