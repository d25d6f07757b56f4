//! A digest of the keys file, to detect that it changed after the load.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 with a random salt for each digest: equal files have different digests, and no precomputed table applies.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileDigest {
    salt: [u8; 16],
    digest: [u8; 32],
}

impl FileDigest {
    /// `None` if the system has no random numbers.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        Some(Self { salt, digest: digest(&salt, text) })
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
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
    fn digest_matches_its_text_only_and_is_never_the_same() {
        let (one, again) = (FileDigest::of(b"one").unwrap(), FileDigest::of(b"one").unwrap());
        assert!(one.matches(b"one") && again.matches(b"one") && !one.matches(b"One") && !one.matches(b""));
        assert!(one != again);
    }
}
