//! Whether a keys file is still the one that was loaded, without keeping anything of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A digest of a keys file with a salt of its own: two files cannot be compared by it, nor a file with a table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    salt: [u8; 16],
    digest: [u8; 32],
}

impl Fingerprint {
    /// That of `text`; `None` if the system has no random numbers.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        Some(Self { salt, digest: digest(&salt, text) })
    }

    /// Whether `text` has it.
    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        digest(&self.salt, text).ct_eq(&self.digest).into()
    }
}

fn digest(salt: &[u8], text: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(text).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_one_text_and_no_other_and_is_never_the_same() {
        let (one, again) = (Fingerprint::of(b"one").unwrap(), Fingerprint::of(b"one").unwrap());
        assert!(one.fits(b"one") && again.fits(b"one") && !one.fits(b"One") && !one.fits(b""));
        assert!(one != again);
    }
}
