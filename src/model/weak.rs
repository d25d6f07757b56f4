//! Weak DES keys and DES key parity (illumos `des_impl.c`).

use crate::names::weak_keys::{Weakness, of_des};

/// Sets the lowest bit of every byte for odd parity.
pub(crate) fn set_parity(key: &mut [u8]) {
    for byte in key {
        let ones = (*byte >> 1).count_ones();
        *byte = (*byte & 0xfe) | u8::from(ones.is_multiple_of(2));
    }
}

/// Whether a DES key with parity set is weak or semi-weak.
fn is_weak(part: &[u8]) -> bool {
    of_des(part) == Some(Weakness::WeakPart)
}

/// Whether a DES or triple DES key with parity set is refused.
///
/// Of three parts, neighbours must differ and the second and third must not be weak. The first may be, unless `strict`.
pub(crate) fn is_refused(key: &[u8], strict: bool) -> bool {
    let parts: Vec<&[u8]> = key.chunks(8).collect();
    match parts.as_slice() {
        [only] => is_weak(only),
        [first, second, third] => {
            // The first part may equal the third: two-key triple DES.
            first == second || second == third || is_weak(second) || is_weak(third) || (strict && is_weak(first))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEAK: [u8; 8] = [1; 8];
    const ALSO_WEAK: [u8; 8] = [0x1f, 0xe0, 0x1f, 0xe0, 0x0e, 0xf1, 0x0e, 0xf1];
    const GOOD: [[u8; 8]; 3] =
        [*b"\x01\x23\x45\x67\x89\xab\xcd\xef", *b"\xfe\xdc\xba\x98\x76\x54\x32\x10", *b"\x13\x34\x57\x79\x9b\xbc\xdf\xf1"];

    #[test]
    fn set_parity_is_odd() {
        let mut key = [0x00, 0x01, 0x02, 0x03, 0xfe, 0xff, 0x80, 0x7f];
        set_parity(&mut key);
        assert_eq!(key, [0x01, 0x01, 0x02, 0x02, 0xfe, 0xfe, 0x80, 0x7f]);
    }

    #[test]
    fn is_refused_of_des() {
        assert!([WEAK, ALSO_WEAK].iter().all(|key| is_refused(key, false)));
        assert!(GOOD.iter().all(|key| !is_refused(key, true)));
    }

    #[test]
    fn is_refused_of_triple_des() {
        let [a, b, c] = GOOD;
        let refused = |parts: [[u8; 8]; 3], strict| is_refused(&parts.concat(), strict);
        assert!(!refused([a, b, c], true));
        assert!(!refused([a, b, a], true));
        assert!(refused([a, a, b], false));
        assert!(refused([a, b, b], false));
        assert!(refused([a, WEAK, b], false));
        assert!(refused([a, b, WEAK], false));
        assert!(refused([WEAK, ALSO_WEAK, b], false));
        assert!(!refused([WEAK, a, b], false));
        assert!(refused([WEAK, a, b], true));
    }
}
