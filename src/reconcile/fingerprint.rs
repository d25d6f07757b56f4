//! Fingerprints: values that show whether two keys are equal and nothing else about them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Key;

/// Length of a fingerprint in bytes: long enough that different keys rarely have the same one, too short to search for a key with.
const LEN: usize = 4;

/// The secret key of the HMAC. Each run has a new one, so that fingerprints of different runs cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FingerprintKey([u8; 16]);

impl FingerprintKey {
    /// A random key.
    ///
    /// # Errors
    /// Those of getrandom(2).
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// A key that was stored with the fingerprints made with it.
    #[must_use]
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, to store them.
    #[must_use]
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// One fingerprint of several keys in order: HMAC-SHA-256, truncated.
    pub(super) fn fingerprint<'a>(self, keys: impl IntoIterator<Item = Option<&'a Key>>) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("HMAC takes any length"));
        for key in keys {
            let bytes = key.map_or(&[][..], Key::expose);
            // The lengths keep the keys apart: (ab, c) and (a, bc) differ.
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        }
        mac.finalize().into_bytes().iter().take(LEN).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_depends_on_every_key_and_on_the_hmac_key() {
        let (one, other) = (Key::from_slice(&[1, 2, 3], 24, 0), Key::from_slice(&[1, 2, 4], 24, 0));
        let key = FingerprintKey::from_bytes([7; 16]);
        let of = |keys: &[Option<&Key>]| key.fingerprint(keys.iter().copied());
        assert_eq!(of(&[Some(&one)]).len(), 2 * LEN);
        assert_eq!(of(&[Some(&one), None]), of(&[Some(&one.duplicate()), None]));
        assert_ne!(of(&[Some(&one)]), of(&[Some(&other)]));
        assert_ne!(of(&[Some(&one), None]), of(&[None, Some(&one)]));
        assert_ne!(of(&[Some(&one)]), FingerprintKey::from_bytes([8; 16]).fingerprint([Some(&one)]));
    }
}
