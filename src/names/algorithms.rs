//! Authentication and encryption algorithms: names, key lengths, what the kernels call them.
//!
//! illumos rows: `/etc/inet/ipsecalgs` as shipped. Linux rows: `net/xfrm/xfrm_algo.c`; numbers from 256 on are ours, for
//! algorithms that PF_KEY cannot name. `names[0]` is the one printed and saved.

use std::sync::OnceLock;

use super::Vocabulary;
use super::ipsecalgs::{self, Table};
use crate::sa::{AuthAlg, EncrAlg};

/// Key lengths an algorithm takes, in bits, salt not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyBits {
    /// No key at all.
    None,
    /// Only these.
    Only(&'static [u16]),
    /// From `min` to `max` in steps of `step`.
    Range {
        /// Shortest.
        min: u16,
        /// Longest.
        max: u16,
        /// Step.
        step: u16,
    },
}

impl KeyBits {
    /// Whether `bits` is one of the lengths.
    #[must_use]
    pub fn allows(self, bits: u32) -> bool {
        match self {
            Self::None => bits == 0,
            Self::Only(sizes) => sizes.iter().any(|size| u32::from(*size) == bits),
            Self::Range { min, max, step } => {
                (u32::from(min)..=u32::from(max)).contains(&bits) && (bits - u32::from(min)).is_multiple_of(u32::from(step))
            }
        }
    }
}

impl KeyBits {
    /// Every length, shortest first; none for an algorithm without key.
    pub fn lengths(self) -> impl Iterator<Item = u16> {
        let (only, range) = match self {
            Self::None => (&[][..], None),
            Self::Only(sizes) => (sizes, None),
            Self::Range { min, max, step } => (&[][..], Some((min..=max).step_by(usize::from(step).max(1)))),
        };
        only.iter().copied().chain(range.into_iter().flatten())
    }

    /// The greatest length; 0 for an algorithm without key.
    #[must_use]
    pub fn longest(self) -> u16 {
        self.lengths().max().unwrap_or(0)
    }
}

/// An authentication algorithm.
#[derive(Debug)]
pub struct Auth {
    /// Number.
    pub number: AuthAlg,
    /// Names, the printed one first.
    pub names: &'static [&'static str],
    /// Key lengths.
    pub key_bits: KeyBits,
    /// Length of the integrity check value in bits (RFC 2403, 2404, 3566, 4494, 4868).
    pub icv_bits: u16,
    /// Name in Linux XFRM.
    pub xfrm: &'static str,
    /// Whether illumos has it.
    pub illumos: bool,
}

/// An encryption algorithm.
#[derive(Debug)]
pub struct Encr {
    /// Number.
    pub number: EncrAlg,
    /// Names, the printed one first.
    pub names: &'static [&'static str],
    /// Key lengths, salt not counted.
    pub key_bits: KeyBits,
    /// Salt or nonce that follows the key, in bits.
    pub salt_bits: u16,
    /// IV length in bytes.
    pub iv_len: u8,
    /// Block length in bytes; 0 for the NULL cipher.
    pub block_len: u8,
    /// Length of the integrity check value in bits, 0 if the cipher has none.
    pub icv_bits: u16,
    /// Counter-mode: a repeated sequence number with the same key breaks it.
    pub counter_mode: bool,
    /// Name in Linux XFRM.
    pub xfrm: &'static str,
    /// Whether illumos has it.
    pub illumos: bool,
}

impl Encr {
    /// Whether the cipher authenticates too.
    #[must_use]
    pub fn is_combined(&self) -> bool {
        self.icv_bits != 0
    }
}

const AES: KeyBits = KeyBits::Range { min: 128, max: 256, step: 64 };

/// A cipher without integrity check.
const fn cipher(
    number: u16,
    names: &'static [&'static str],
    key_bits: KeyBits,
    block: u8,
    xfrm: &'static str,
    illumos: bool,
) -> Encr {
    Encr {
        number: EncrAlg(number),
        names,
        key_bits,
        salt_bits: 0,
        iv_len: block,
        block_len: block,
        icv_bits: 0,
        counter_mode: false,
        xfrm,
        illumos,
    }
}

/// A combined-mode cipher (AEAD): 8-byte IV, salt after the key.
const fn combined(number: u16, names: &'static [&'static str], salt_bits: u16, icv_bits: u16, xfrm: &'static str) -> Encr {
    Encr {
        number: EncrAlg(number),
        names,
        key_bits: AES,
        salt_bits,
        iv_len: 8,
        block_len: 16,
        icv_bits,
        counter_mode: true,
        xfrm,
        illumos: true,
    }
}

const fn auth(number: u16, names: &'static [&'static str], bits: &'static [u16], icv_bits: u16, xfrm: &'static str) -> Auth {
    Auth { number: AuthAlg(number), names, key_bits: KeyBits::Only(bits), icv_bits, xfrm, illumos: true }
}

const fn linux_auth(
    number: u16,
    names: &'static [&'static str],
    bits: &'static [u16],
    icv_bits: u16,
    xfrm: &'static str,
) -> Auth {
    Auth { number: AuthAlg(number), names, key_bits: KeyBits::Only(bits), icv_bits, xfrm, illumos: false }
}

/// Authentication algorithms, by number.
pub const AUTH: &[Auth] = &[
    auth(2, &["hmac-md5", "md5"], &[128], 96, "hmac(md5)"),
    auth(3, &["hmac-sha1", "sha", "sha1", "sha-1", "hmac-sha", "hmac-sha-1"], &[160], 96, "hmac(sha1)"),
    auth(5, &["hmac-sha256", "sha256", "sha-256", "hmac-sha-256"], &[256], 128, "hmac(sha256)"),
    auth(6, &["hmac-sha384", "sha384", "sha-384", "hmac-sha-384"], &[384], 192, "hmac(sha384)"),
    auth(7, &["hmac-sha512", "sha512", "sha-512", "hmac-sha-512"], &[512], 256, "hmac(sha512)"),
    linux_auth(9, &["aes-xcbc", "aes-xcbc-mac", "xcbc"], &[128], 96, "xcbc(aes)"),
    linux_auth(256, &["aes-cmac", "cmac"], &[128], 96, "cmac(aes)"),
];

/// Encryption algorithms, by number.
pub const ENCR: &[Encr] = &[
    cipher(2, &["des-cbc", "des"], KeyBits::Only(&[64]), 8, "cbc(des)", true),
    cipher(3, &["3des-cbc", "3des"], KeyBits::Only(&[192]), 8, "cbc(des3_ede)", true),
    cipher(7, &["blowfish-cbc", "blowfish"], KeyBits::Only(&[128]), 8, "cbc(blowfish)", true),
    cipher(11, &["null"], KeyBits::None, 0, "ecb(cipher_null)", true),
    cipher(12, &["aes-cbc", "aes"], AES, 16, "cbc(aes)", true),
    Encr {
        number: EncrAlg(13),
        names: &["aes-ctr"],
        key_bits: AES,
        salt_bits: 32,
        iv_len: 8,
        block_len: 16,
        icv_bits: 0,
        counter_mode: true,
        xfrm: "rfc3686(ctr(aes))",
        illumos: false,
    },
    combined(14, &["aes-ccm8"], 24, 64, "rfc4309(ccm(aes))"),
    combined(15, &["aes-ccm12"], 24, 96, "rfc4309(ccm(aes))"),
    combined(16, &["aes-ccm", "aes-ccm16"], 24, 128, "rfc4309(ccm(aes))"),
    combined(18, &["aes-gcm8"], 32, 64, "rfc4106(gcm(aes))"),
    combined(19, &["aes-gcm12"], 32, 96, "rfc4106(gcm(aes))"),
    combined(20, &["aes-gcm", "aes-gcm16"], 32, 128, "rfc4106(gcm(aes))"),
    cipher(22, &["camellia-cbc", "camellia"], AES, 16, "cbc(camellia)", false),
    Encr {
        number: EncrAlg(256),
        names: &["chacha20-poly1305", "chacha20poly1305"],
        key_bits: KeyBits::Only(&[256]),
        salt_bits: 32,
        iv_len: 8,
        block_len: 1,
        icv_bits: 128,
        counter_mode: true,
        xfrm: "rfc7539esp(chacha20,poly1305)",
        illumos: false,
    },
];

/// The running system's own table, once [`install_system_table`] has been given it.
static SYSTEM: OnceLock<Table> = OnceLock::new();

/// Takes the illumos algorithms from `text`, the contents of [`ipsecalgs::PATH`], instead of the built-in table. Only the
/// first text counts, and only if there are rows of both kinds in it.
pub fn install_system_table(text: &str) {
    SYSTEM.get_or_init(|| ipsecalgs::parse(text));
}

fn system() -> Option<&'static Table> {
    SYSTEM.get().filter(|table| !table.auth.is_empty() && !table.encr.is_empty())
}

/// Every authentication algorithm; those of illumos as the running system has them, if it said so.
fn auth_rows() -> impl Iterator<Item = &'static Auth> {
    let own = system().map_or(&[][..], |table| &table.auth);
    own.iter().chain(AUTH.iter().filter(|row| system().is_none() || !row.illumos))
}

/// Every encryption algorithm, likewise.
fn encr_rows() -> impl Iterator<Item = &'static Encr> {
    let own = system().map_or(&[][..], |table| &table.encr);
    own.iter().chain(ENCR.iter().filter(|row| system().is_none() || !row.illumos))
}

impl Vocabulary {
    /// The authentication algorithms of this vocabulary.
    pub fn auth_algs(self) -> impl Iterator<Item = &'static Auth> {
        auth_rows().filter(move |row| row.illumos || self == Self::Linux)
    }

    /// The encryption algorithms of this vocabulary.
    pub fn encr_algs(self) -> impl Iterator<Item = &'static Encr> {
        encr_rows().filter(move |row| row.illumos || self == Self::Linux)
    }
}

/// The authentication algorithm of that number, in any vocabulary.
#[must_use]
pub fn auth_by_number(number: AuthAlg) -> Option<&'static Auth> {
    auth_rows().find(|row| row.number == number)
}

/// The encryption algorithm of that number, in any vocabulary.
#[must_use]
pub fn encr_by_number(number: EncrAlg) -> Option<&'static Encr> {
    encr_rows().find(|row| row.number == number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let mut names = HashSet::new();
        let mut numbers = HashSet::new();
        for row in AUTH {
            assert!(numbers.insert(row.number), "{:?} twice", row.number);
            assert!(row.names.iter().all(|name| names.insert(*name)), "{:?}", row.names);
        }
        let mut names = HashSet::new();
        let mut numbers = HashSet::new();
        for row in ENCR {
            assert!(numbers.insert(row.number), "{:?} twice", row.number);
            assert!(row.names.iter().all(|name| names.insert(*name)), "{:?}", row.names);
        }
    }

    #[test]
    fn key_lengths() {
        assert!(AES.allows(192));
        assert!(!AES.allows(136));
        assert!(!AES.allows(320));
        assert!(KeyBits::None.allows(0));
        assert!(!KeyBits::None.allows(64));
        assert!(KeyBits::Only(&[160]).allows(160));
        assert_eq!(AES.lengths().collect::<Vec<_>>(), [128, 192, 256]);
        assert_eq!((KeyBits::Only(&[64, 160]).longest(), KeyBits::None.longest()), (160, 0));
    }
}
