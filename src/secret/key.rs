//! The bytes of one key.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Key bytes with their length in bits: the value of `authkey` or `encrkey`, and of the key extension (RFC 2367 section 2.3.4).
///
/// `bits` counts from the most significant bit of the first byte. `bytes` may be longer than `bits`: in the
/// illumos reply to GET, the salt of a counter-mode cipher follows the key and is counted in `reserved`.
pub(crate) struct Key {
    bytes: Box<[u8]>,
    bits: u16,
    reserved: u16,
}

impl Key {
    /// Takes ownership of `bytes`. `bits` is `sadb_key_bits`; `reserved` is `sadb_key_reserved` (illumos: bits of salt or IV).
    #[must_use]
    pub(crate) fn new(bytes: Box<[u8]>, bits: u16, reserved: u16) -> Self {
        Self { bytes, bits, reserved }
    }

    /// A key with a copy of `bytes`.
    #[must_use]
    pub(crate) fn from_slice(bytes: &[u8], bits: u16, reserved: u16) -> Self {
        Self::new(Box::from(bytes), bits, reserved)
    }

    /// `sadb_key_bits`: the length in bits.
    #[must_use]
    pub(crate) fn bits(&self) -> u16 {
        self.bits
    }

    /// `sadb_key_reserved`: bits of salt (in replies) or of IV (in requests) on illumos, else 0.
    #[must_use]
    pub(crate) fn reserved(&self) -> u16 {
        self.reserved
    }

    /// The length in bytes, which may be more than [`Self::bits`] need.
    #[must_use]
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The key bytes themselves. Callers: `wire`, the key printer of `show`, the model's key checks, `keyfile::lint`, `genkey`
    /// and `reconcile::fingerprint`.
    #[must_use]
    pub(crate) fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// A copy. Not `Clone`, so that every copy of a key is explicit in the code.
    #[must_use]
    pub(crate) fn duplicate(&self) -> Self {
        Self::from_slice(&self.bytes, self.bits, self.reserved)
    }

    /// The same key with `sadb_key_reserved` set.
    #[must_use]
    pub(crate) fn with_reserved(mut self, reserved: u16) -> Self {
        self.reserved = reserved;
        self
    }

    /// The first `bits` bits of the key, with the unused bits of the last byte set to zero. A shorter key is not extended.
    #[must_use]
    pub(crate) fn resized(mut self, bits: u16) -> Self {
        let len = usize::from(bits).div_ceil(8);
        if len < self.bytes.len() {
            // A new allocation: shrinking the old one could move the bytes and leave a copy that is never wiped.
            let shorter = Box::from(&self.bytes[..len]);
            std::mem::replace(&mut self.bytes, shorter).zeroize();
        }
        if let Some(last) = self.bytes.get_mut(len.wrapping_sub(1)) {
            *last &= 0xff << ((8 - bits % 8) % 8);
        }
        self.bits = bits;
        self
    }

    /// The same key with the lowest bit of each byte cleared: in DES keys that bit is parity, which an SADB may set.
    #[must_use]
    pub(crate) fn without_parity(mut self) -> Self {
        self.bytes.iter_mut().for_each(|byte| *byte &= 0xfe);
        self
    }

    /// The number of one bits in all bytes.
    #[must_use]
    pub(crate) fn count_ones(&self) -> u32 {
        self.bytes.iter().map(|byte| byte.count_ones()).sum()
    }

    /// The same bytes with different declared lengths.
    #[must_use]
    pub(crate) fn with_bits(mut self, bits: u16, reserved: u16) -> Self {
        Self::new(std::mem::take(&mut self.bytes), bits, reserved)
    }

    /// Compares bytes and declared lengths in a time that does not depend on the position of a difference.
    #[must_use]
    pub(crate) fn ct_eq(&self, other: &Self) -> bool {
        self.bits == other.bits && self.reserved == other.reserved && bool::from(self.bytes.ct_eq(&other.bytes))
    }

    /// Whether every bit is zero.
    #[must_use]
    pub(crate) fn is_all_zero(&self) -> bool {
        // No early exit, so that the time does not depend on the key.
        self.bytes.iter().fold(0, |seen, byte| seen | byte) == 0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ct_eq_compares_bytes_bits_and_reserved() {
        let key = Key::from_slice(&[1, 2, 3], 24, 0);
        assert!(key.ct_eq(&key.duplicate()));
        assert!(!key.ct_eq(&Key::from_slice(&[1, 2, 4], 24, 0)));
        assert!(!key.ct_eq(&Key::from_slice(&[1, 2, 3], 23, 0)));
        assert!(!key.ct_eq(&Key::from_slice(&[1, 2, 3], 24, 8)));
        assert!(!key.ct_eq(&Key::from_slice(&[1, 2], 24, 0)));
        assert!(!key.is_all_zero());
        assert!(Key::from_slice(&[0, 0], 16, 0).is_all_zero());
    }
}
