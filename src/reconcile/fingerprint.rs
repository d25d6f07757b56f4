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
        hex(&mac.finalize().into_bytes()[..LEN])
    }
}

/// Iterations of [`shared_fingerprint`]: some hundredths of a second.
const ITERATIONS: u32 = 1 << 16;

/// A fingerprint that two hosts compare: 32 bits of PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2) of the key, with `salt`, which
/// both know. A guess of a weak key costs as much as 65,536 HMACs, where a captured packet tells it with one; and each SA needs
/// guesses of its own.
pub(super) fn shared_fingerprint(key: &Key, salt: &[u8]) -> String {
    hex(&pbkdf2(key.expose(), salt, ITERATIONS)[..LEN])
}

/// The first block of PBKDF2.
fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(password).unwrap_or_else(|_| unreachable!("HMAC takes any length"));
    let of = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut last = of(&[salt, &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..iterations {
        last = of(&[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7914 section 11.
    #[test]
    fn pbkdf2_has_the_values_of_the_rfc() {
        let start =
            |password: &str, salt: &str, iterations| hex(&pbkdf2(password.as_bytes(), salt.as_bytes(), iterations)[..8]);
        assert_eq!(start("passwd", "salt", 1), "55ac046e56e3089f");
        assert_eq!(start("Password", "NaCl", 80_000), "4ddcd8f60b98be21");
    }

    #[test]
    fn shared_fingerprint_depends_on_key_and_salt() {
        let (one, other) = (Key::from_slice(&[1, 2, 3], 24, 0), Key::from_slice(&[1, 2, 4], 24, 0));
        assert_eq!(shared_fingerprint(&one, b"a"), shared_fingerprint(&one.duplicate(), b"a"));
        assert_ne!(shared_fingerprint(&one, b"a"), shared_fingerprint(&other, b"a"));
        assert_ne!(shared_fingerprint(&one, b"a"), shared_fingerprint(&one, b"b"));
    }

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
