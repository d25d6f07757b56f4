//! Supported algorithms, their key lengths, and refused keys (illumos `spd.c`, `ipsec_valid_key_size`, and the key checks of
//! its cryptographic providers).

use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::weak;
use crate::names::Vocabulary;
use crate::names::algorithms::{Auth, Encr, KeyBits};
use crate::sa::{AuthAlg, EncrAlg, KeyRole, SaType, SupportedAlgorithm};
use crate::secret::Key;

/// Authentication algorithms by ascending number.
fn auth_algs() -> impl Iterator<Item = &'static Auth> {
    Vocabulary::Illumos.auth_algs()
}

/// Encryption algorithms by ascending number.
fn encr_algs() -> impl Iterator<Item = &'static Encr> {
    Vocabulary::Illumos.encr_algs()
}

/// The encryption algorithm with that number.
pub(crate) fn encr(number: EncrAlg) -> Option<&'static Encr> {
    encr_algs().find(|row| row.number == number)
}

/// Minimum, maximum and increment of the key length in bits.
fn range(bits: KeyBits) -> (u16, u16, u16) {
    match bits {
        KeyBits::None => (0, 0, 0),
        KeyBits::Only(sizes) => (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0), 0),
        KeyBits::Range { min, max, step } => (min, max, step),
    }
}

/// Whether the table of algorithms allows a key length. The kernel does not check the increment of a range here.
fn is_in_table(key_bits: KeyBits, bits: u32) -> bool {
    match key_bits {
        // AES with 136 bits passes, and is refused by `check_context` (D-80).
        KeyBits::Range { min, max, .. } => (u32::from(min)..=u32::from(max)).contains(&bits),
        exact => exact.allows(bits),
    }
}

/// Checks algorithm and length of an authentication key.
pub(crate) fn check_auth(number: AuthAlg, key: &Key) -> Checked {
    let row = auth_algs().find(|row| row.number == number).ok_or(Refusal::invalid(d::BAD_AALG))?;
    refuse_if(!is_in_table(row.key_bits, key.bits().into()), d::BAD_AKEYBITS)
}

/// Checks an encryption key as in ADD: `bits` counts key, salt and initial IV; `reserved` counts the IV.
/// Returns it as in a description: key, then salt; `bits` counts the key, `reserved` the salt.
pub(crate) fn check_encr(number: EncrAlg, given: &Key) -> Checked<Key> {
    let row = encr(number).ok_or(Refusal::invalid(d::BAD_EALG))?;
    // A key shorter than its salt and IV would wrap around.
    let bits = u32::from(given.bits()).checked_sub(u32::from(given.reserved()) + u32::from(row.salt_bits));
    // More than 0: a key for the NULL cipher is refused, too (D-45).
    let bits = bits.filter(|bits| *bits > 0 && is_in_table(row.key_bits, *bits)).ok_or(Refusal::invalid(d::BAD_EKEYBITS))?;
    let bits = u16::try_from(bits).unwrap_or(u16::MAX);
    // The IV follows the salt and is not part of a description.
    let len = usize::from(bits + row.salt_bits).div_ceil(8);
    let mut bytes: Box<[u8]> = given.expose().get(..len).unwrap_or_default().into();
    // The kernel forces odd parity before it compares with the weak keys, and stores the key like this.
    let weak = is_des(number) && {
        weak::set_parity(&mut bytes);
        weak::is_refused(&bytes)
    };
    // Before the refusal, so that a weak key is wiped as well.
    let key = Key::new(bytes, bits, row.salt_bits);
    refuse_if(weak, d::WEAK_EKEY)?;
    Ok(key)
}

fn is_des(number: EncrAlg) -> bool {
    matches!(number, EncrAlg::DES | EncrAlg::TRIPLE_DES)
}

/// Refuses key lengths between the increments, as the cryptographic provider does when it prepares the key.
pub(crate) fn check_context(number: EncrAlg, key: &Key) -> Checked {
    let allowed = encr(number).is_none_or(|row| row.key_bits.allows(key.bits().into()));
    refuse_if(!allowed, d::BAD_CTX)
}

/// The algorithms in a reply to REGISTER, by ascending number.
pub(crate) fn supported(sa_type: SaType) -> Vec<(KeyRole, Vec<SupportedAlgorithm>)> {
    let auth = auth_algs().map(|row| supported_row(row.number.0, 0, row.key_bits, 0)).collect();
    let encr = encr_algs().map(|row| supported_row(row.number.0, row.iv_len, row.key_bits, row.salt_bits)).collect();
    match sa_type {
        SaType::AH => vec![(KeyRole::Auth, auth)],
        _ => vec![(KeyRole::Auth, auth), (KeyRole::Encr, encr)],
    }
}

fn supported_row(number: u16, iv_len: u8, key_bits: KeyBits, salt_bits: u16) -> SupportedAlgorithm {
    let (min_bits, max_bits, step) = range(key_bits);
    SupportedAlgorithm {
        id: u8::try_from(number).unwrap_or(u8::MAX),
        iv_len,
        min_bits,
        max_bits,
        increment: u8::try_from(step).unwrap_or(u8::MAX),
        salt_bits: u8::try_from(salt_bits).unwrap_or(u8::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(bits: u16, reserved: u16) -> Key {
        let bytes: Vec<u8> = (1..=u8::try_from(bits.div_ceil(8)).unwrap()).collect();
        Key::from_slice(&bytes, bits, reserved)
    }

    fn code(result: Checked<Key>) -> u16 {
        result.err().map_or(0, |refusal| refusal.diagnostic.0)
    }

    #[test]
    fn check_auth_key_lengths() {
        for (number, bits) in [(2, 128), (3, 160), (5, 256), (6, 384), (7, 512)] {
            assert_eq!(check_auth(AuthAlg(number), &given(bits, 0)), Ok(()));
            assert_eq!(check_auth(AuthAlg(number), &given(bits - 8, 0)), Err(Refusal::invalid(d::BAD_AKEYBITS)));
        }
        for number in [0, 1, 4, 8, 9, 255] {
            assert_eq!(check_auth(AuthAlg(number), &given(128, 0)), Err(Refusal::invalid(d::BAD_AALG)));
        }
    }

    #[test]
    fn check_encr_counts_salt_and_iv() {
        let check = |number, bits, reserved| code(check_encr(EncrAlg(number), &given(bits, reserved)));
        for (number, bits) in [(2, 64), (3, 192), (7, 128), (12, 128), (12, 192), (12, 256), (14, 152), (16, 280), (20, 288)]
        {
            assert_eq!(check(number, bits, 0), 0, "{number} {bits}");
        }
        assert_eq!(check(20, 128, 0), 45);
        assert_eq!(check(20, 224, 64), 0);
        assert_eq!(check(12, 128, 200), 45);
        assert_eq!(check(11, 64, 0), 45);
        assert_eq!(check(11, 64, 64), 45);
        assert_eq!(check(13, 160, 0), 41);
        assert_eq!(check(0, 128, 0), 41);
    }

    #[test]
    fn check_context_refuses_lengths_between_increments() {
        let cipher = check_encr(EncrAlg(12), &given(136, 0)).ok().unwrap();
        assert_eq!(check_context(EncrAlg(12), &cipher), Err(Refusal::invalid(d::BAD_CTX)));
        let cipher = check_encr(EncrAlg(12), &given(192, 0)).ok().unwrap();
        assert_eq!(check_context(EncrAlg(12), &cipher), Ok(()));
    }

    #[test]
    fn check_encr_returns_key_then_salt() {
        let cipher = check_encr(EncrAlg(20), &given(160, 0)).ok().unwrap();
        assert_eq!((cipher.bits(), cipher.reserved(), cipher.byte_len()), (128, 32, 20));
        let with_iv = check_encr(EncrAlg(20), &given(224, 64)).ok().unwrap();
        assert_eq!((with_iv.bits(), with_iv.reserved(), with_iv.byte_len()), (128, 32, 20));
    }

    #[test]
    fn supported_algorithms() {
        let rows = supported(SaType::ESP);
        assert_eq!(rows.iter().map(|(role, _)| *role).collect::<Vec<_>>(), [KeyRole::Auth, KeyRole::Encr]);
        let (auth, encr) = (&rows[0].1, &rows[1].1);
        assert_eq!(auth.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3, 5, 6, 7]);
        assert_eq!(encr.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3, 7, 11, 12, 14, 15, 16, 18, 19, 20]);
        let gcm = SupportedAlgorithm { id: 20, iv_len: 8, min_bits: 128, max_bits: 256, increment: 64, salt_bits: 32 };
        assert_eq!(encr.last(), Some(&gcm));
        let aes = SupportedAlgorithm { id: 12, iv_len: 16, min_bits: 128, max_bits: 256, increment: 64, salt_bits: 0 };
        assert!(encr.contains(&aes));
        assert_eq!(supported(SaType::AH).len(), 1);
    }
}
