//! Authentication and encryption algorithms: names, key lengths, and their names in the kernels.
//!
//! illumos rows: `/etc/inet/ipsecalgs` as shipped. Linux rows: `net/xfrm/xfrm_algo.c`; numbers from 256 on are our own, for
//! algorithms without a PF_KEY number. `names[0]` is the name that is printed and saved.

use std::sync::OnceLock;

use super::Vocabulary;
use crate::sa::{AuthAlg, EncrAlg};

/// The key lengths of an algorithm in bits, without the salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyBits {
    None,
    Only(&'static [u16]),
    Range { min: u16, max: u16, step: u16 },
}

impl KeyBits {
    /// Whether `bits` is one of the lengths.
    #[must_use]
    pub(crate) fn allows(self, bits: u32) -> bool {
        match self {
            Self::None => bits == 0,
            Self::Only(sizes) => sizes.iter().any(|size| u32::from(*size) == bits),
            Self::Range { min, max, step } => {
                // In steps: illumos tests the range only (ipsec_valid_key_size), but its crypto framework then refuses AES
                // with 136 bits (D-80).
                (u32::from(min)..=u32::from(max)).contains(&bits) && (bits - u32::from(min)).is_multiple_of(u32::from(step))
            }
        }
    }
}

impl KeyBits {
    /// Every length, shortest first; empty for an algorithm without a key.
    pub(crate) fn lengths(self) -> impl Iterator<Item = u16> {
        let (only, range) = match self {
            Self::None => (&[][..], None),
            Self::Only(sizes) => (sizes, None),
            // `step_by` panics with 0.
            Self::Range { min, max, step } => (&[][..], Some((min..=max).step_by(usize::from(step).max(1)))),
        };
        only.iter().copied().chain(range.into_iter().flatten())
    }

    /// The greatest length; 0 for an algorithm without a key.
    #[must_use]
    pub(crate) fn longest(self) -> u16 {
        self.lengths().max().unwrap_or(0)
    }
}

#[derive(Debug)]
pub(crate) struct Auth {
    pub(crate) number: AuthAlg,
    /// The printed name first.
    pub(crate) names: &'static [&'static str],
    pub(crate) key_bits: KeyBits,
    /// Length of the ICV in bits (RFC 2403, 2404, 3566, 4494, 4868).
    pub(crate) icv_bits: u16,
    /// The name in Linux XFRM; empty for rows of an illumos system.
    pub(crate) xfrm: &'static str,
    /// Whether illumos supports it.
    pub(crate) illumos: bool,
}

#[derive(Debug)]
pub(crate) struct Encr {
    pub(crate) number: EncrAlg,
    /// The printed name first.
    pub(crate) names: &'static [&'static str],
    pub(crate) key_bits: KeyBits,
    /// Length in bits of the salt, or nonce, that follows the key.
    pub(crate) salt_bits: u16,
    /// IV length in bytes.
    pub(crate) iv_len: u8,
    /// Block length in bytes; 0 for the null cipher.
    pub(crate) block_len: u8,
    /// Length of the ICV in bits; 0 if the cipher does not authenticate.
    pub(crate) icv_bits: u16,
    /// Whether it is a counter mode, which breaks if a counter is used twice with the same key.
    pub(crate) counter_mode: bool,
    /// The name in Linux XFRM; empty for rows of an illumos system.
    pub(crate) xfrm: &'static str,
    /// Whether illumos supports it.
    pub(crate) illumos: bool,
}

impl Auth {
    /// The key lengths that Linux takes, of which [`Auth::key_bits`] are the usual ones.
    #[must_use]
    pub(crate) fn linux_key_bits(&self) -> KeyBits {
        if self.xfrm.starts_with("hmac(") { LINUX_HMAC } else { self.key_bits }
    }
}

impl Encr {
    /// The key lengths that Linux takes, of which [`Encr::key_bits`] are the usual ones.
    #[must_use]
    pub(crate) fn linux_key_bits(&self) -> KeyBits {
        if self.xfrm == "cbc(blowfish)" { LINUX_BLOWFISH } else { self.key_bits }
    }

    /// Whether the cipher authenticates too (AEAD).
    #[must_use]
    pub(crate) fn is_combined(&self) -> bool {
        self.icv_bits != 0
    }
}

const AES: KeyBits = KeyBits::Range { min: 128, max: 256, step: 64 };
/// RFC 2144.
const CAST5: KeyBits = KeyBits::Range { min: 40, max: 128, step: 8 };
/// The lengths that Linux takes (crypto/blowfish_common.c).
const LINUX_BLOWFISH: KeyBits = KeyBits::Range { min: 32, max: 448, step: 8 };
/// RFC 2104 has keys of any length. Shorter ones than 80 bits are a mistake rather than a choice.
const LINUX_HMAC: KeyBits = KeyBits::Range { min: 80, max: 1024, step: 8 };

/// A cipher that does not authenticate.
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
        // The IV of CBC mode is one block.
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
        // The nonce consists of the salt and of 8 bytes in each packet (RFC 4106 section 4, RFC 4309 section 4).
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
pub(crate) const AUTH: &[Auth] = &[
    auth(2, &["hmac-md5", "md5"], &[128], 96, "hmac(md5)"),
    auth(3, &["hmac-sha1", "sha", "sha1", "sha-1", "hmac-sha", "hmac-sha-1"], &[160], 96, "hmac(sha1)"),
    auth(5, &["hmac-sha256", "sha256", "sha-256", "hmac-sha-256"], &[256], 128, "hmac(sha256)"),
    auth(6, &["hmac-sha384", "sha384", "sha-384", "hmac-sha-384"], &[384], 192, "hmac(sha384)"),
    auth(7, &["hmac-sha512", "sha512", "sha-512", "hmac-sha-512"], &[512], 256, "hmac(sha512)"),
    linux_auth(8, &["hmac-rmd160", "hmac-ripemd160", "rmd160"], &[160], 96, "hmac(rmd160)"),
    linux_auth(9, &["aes-xcbc", "aes-xcbc-mac", "xcbc"], &[128], 96, "xcbc(aes)"),
    linux_auth(10, &["hmac-sm3", "sm3"], &[256], 256, "hmac(sm3)"),
    linux_auth(256, &["aes-cmac", "cmac"], &[128], 96, "cmac(aes)"),
];

/// Encryption algorithms, by number.
pub(crate) const ENCR: &[Encr] = &[
    cipher(2, &["des-cbc", "des"], KeyBits::Only(&[64]), 8, "cbc(des)", true),
    cipher(3, &["3des-cbc", "3des"], KeyBits::Only(&[192]), 8, "cbc(des3_ede)", true),
    cipher(6, &["cast5-cbc", "cast5", "cast128-cbc"], CAST5, 8, "cbc(cast5)", false),
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
    // It authenticates, and does not encrypt (RFC 4543).
    Encr { illumos: false, ..combined(23, &["aes-gmac", "null-aes-gmac"], 32, 128, "rfc4543(gcm(aes))") },
    cipher(24, &["sm4-cbc", "sm4"], KeyBits::Only(&[128]), 16, "cbc(sm4)", false),
    cipher(252, &["serpent-cbc", "serpent"], AES, 16, "cbc(serpent)", false),
    cipher(253, &["twofish-cbc", "twofish"], AES, 16, "cbc(twofish)", false),
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

/// The algorithms of a system, as its administrator configured them.
#[derive(Debug, Default)]
pub(crate) struct SystemTable {
    pub(crate) auth: Vec<Auth>,
    pub(crate) encr: Vec<Encr>,
}

/// The table of the running system; see [`install_system_table`].
static SYSTEM: OnceLock<SystemTable> = OnceLock::new();

/// Replaces the built-in rows of illumos by the table that `read` returns. Only the first call has an effect: rows are
/// `&'static`, and two tables at the same time would contradict each other.
pub(crate) fn install_system_table(read: impl FnOnce() -> SystemTable) {
    SYSTEM.get_or_init(read);
}

fn system() -> Option<&'static SystemTable> {
    // A table with one kind of algorithms is damaged; the built-in one is better.
    SYSTEM.get().filter(|table| !table.auth.is_empty() && !table.encr.is_empty())
}

/// Every authentication algorithm; the rows of illumos come from the system's table if there is one.
fn auth_rows() -> impl Iterator<Item = &'static Auth> {
    // Linux rows stay: an illumos host can still check a file for Linux.
    let own = system().map_or(&[][..], |table| &table.auth);
    own.iter().chain(AUTH.iter().filter(|row| system().is_none() || !row.illumos))
}

/// Every encryption algorithm; the rows of illumos come from the system's table if there is one.
fn encr_rows() -> impl Iterator<Item = &'static Encr> {
    let own = system().map_or(&[][..], |table| &table.encr);
    own.iter().chain(ENCR.iter().filter(|row| system().is_none() || !row.illumos))
}

impl Vocabulary {
    /// The authentication algorithms of this vocabulary.
    pub(crate) fn auth_algs(self) -> impl Iterator<Item = &'static Auth> {
        auth_rows().filter(move |row| row.illumos || self == Self::Linux)
    }

    /// The encryption algorithms of this vocabulary.
    pub(crate) fn encr_algs(self) -> impl Iterator<Item = &'static Encr> {
        encr_rows().filter(move |row| row.illumos || self == Self::Linux)
    }
}

/// Every name of every algorithm.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let auth = AUTH.iter().flat_map(|row| row.names);
    auth.chain(ENCR.iter().flat_map(|row| row.names)).copied()
}

/// The authentication algorithm with that number, in any vocabulary.
#[must_use]
pub(crate) fn auth_by_number(number: AuthAlg) -> Option<&'static Auth> {
    auth_rows().find(|row| row.number == number)
}

/// The encryption algorithm with that number, in any vocabulary.
#[must_use]
pub(crate) fn encr_by_number(number: EncrAlg) -> Option<&'static Encr> {
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
