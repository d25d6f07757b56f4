//! What tells two keys apart without telling anything else of them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Key;

/// Bytes of a fingerprint: enough that two keys hardly ever share one, too few to find a key by.
const LEN: usize = 4;

/// What a fingerprint depends on besides the key, so that fingerprints of different runs do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt([u8; 16]);

impl Salt {
    /// A new one.
    ///
    /// # Errors
    /// The system's, if it has no random numbers.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// One that was kept.
    #[must_use]
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be kept.
    #[must_use]
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The fingerprint of several keys together, in their order: HMAC-SHA-256 under this salt, cut short.
    pub(super) fn of<'a>(self, keys: impl IntoIterator<Item = Option<&'a Key>>) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("HMAC takes any length"));
        for key in keys {
            let bytes = key.map_or(&[][..], Key::expose);
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
    fn a_fingerprint_depends_on_every_key_and_on_the_salt() {
        let (one, other) = (Key::from_slice(&[1, 2, 3], 24, 0), Key::from_slice(&[1, 2, 4], 24, 0));
        let salt = Salt::from_bytes([7; 16]);
        let of = |keys: &[Option<&Key>]| salt.of(keys.iter().copied());
        assert_eq!(of(&[Some(&one)]).len(), 2 * LEN);
        assert_eq!(of(&[Some(&one), None]), of(&[Some(&one.duplicate()), None]));
        assert_ne!(of(&[Some(&one)]), of(&[Some(&other)]));
        assert_ne!(of(&[Some(&one), None]), of(&[None, Some(&one)]));
        assert_ne!(of(&[Some(&one)]), Salt::from_bytes([8; 16]).of([Some(&one)]));
    }
}
