//! Weak DES keys and DES key parity (illumos `des_impl.c`).

/// The keys that x86 kernels refuse, parity bits included: the six that are the same in both byte orders, then the semi-weak
/// ones with their bytes reversed by mistake, so that the real ones load.
const WEAK_KEYS: &[u64] = &[
    0x0101_0101_0101_0101,
    0x1f1f_1f1f_0e0e_0e0e,
    0xe0e0_e0e0_f1f1_f1f1,
    0xfefe_fefe_fefe_fefe,
    0x01fe_01fe_01fe_01fe,
    0xfe01_fe01_fe01_fe01,
    0xf10e_f10e_e01f_e01f,
    0x0ef1_0ef1_1fe0_1fe0,
    0x01f1_01f1_01e0_01e0,
    0xf101_f101_e001_e001,
    0x0efe_0efe_1ffe_1ffe,
    0xfe0e_fe0e_fe1f_fe1f,
    0x010e_010e_011f_011f,
    0x0e01_0e01_1f01_1f01,
    0xf1fe_f1fe_e0fe_e0fe,
    0xfef1_fef1_fee0_fee0,
];

/// Sets the lowest bit of every byte for odd parity.
pub(crate) fn set_parity(key: &mut [u8]) {
    for byte in key {
        let ones = (*byte >> 1).count_ones();
        *byte = (*byte & 0xfe) | u8::from(ones.is_multiple_of(2));
    }
}

/// Whether a DES key with parity set is one of the weak keys.
fn is_weak(part: &[u8]) -> bool {
    WEAK_KEYS.contains(&part.iter().fold(0, |whole, byte| whole << 8 | u64::from(*byte)))
}

/// Whether a DES or triple DES key with parity set is refused.
///
/// Of three parts, neighbours must differ and the second and third must not be weak. The first may be: the kernel replaces it
/// by what its stack holds, the model keeps it.
pub(crate) fn is_refused(key: &[u8]) -> bool {
    let parts: Vec<&[u8]> = key.chunks(8).collect();
    match parts.as_slice() {
        [only] => is_weak(only),
        // The first part may equal the third: two-key triple DES.
        [first, second, third] => first == second || second == third || is_weak(second) || is_weak(third),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEAK: [u8; 8] = [1; 8];
    const ALSO_WEAK: [u8; 8] = [0xf1, 0x0e, 0xf1, 0x0e, 0xe0, 0x1f, 0xe0, 0x1f];
    /// Semi-weak according to RFC 2409 appendix A.
    const SEMI_WEAK: [u8; 8] = [0x1f, 0xe0, 0x1f, 0xe0, 0x0e, 0xf1, 0x0e, 0xf1];
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
        assert!([WEAK, ALSO_WEAK].iter().all(|key| is_refused(key)));
        assert!(GOOD.iter().chain([&SEMI_WEAK]).all(|key| !is_refused(key)));
        // All have odd parity, as has every key that is compared with them.
        assert!(WEAK_KEYS.iter().flat_map(|key| key.to_be_bytes()).all(|byte| byte.count_ones() % 2 == 1));
    }

    #[test]
    fn is_refused_of_triple_des() {
        let [a, b, c] = GOOD;
        let refused = |parts: [[u8; 8]; 3]| is_refused(&parts.concat());
        assert!(!refused([a, b, c]));
        assert!(!refused([a, b, a]));
        assert!(refused([a, a, b]));
        assert!(refused([a, b, b]));
        assert!(refused([a, WEAK, b]));
        assert!(refused([a, b, WEAK]));
        assert!(refused([WEAK, ALSO_WEAK, b]));
        assert!(!refused([WEAK, a, b]));
    }
}
