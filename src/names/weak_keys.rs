//! Weak keys of DES and Triple DES: FIPS 74, RFC 2409 appendix A.

/// The four weak and twelve semi-weak keys of DES, with parity bits cleared.
const WEAK_DES: &[u64] = &[
    0x0000_0000_0000_0000,
    0xfefe_fefe_fefe_fefe,
    0x1e1e_1e1e_0e0e_0e0e,
    0xe0e0_e0e0_f0f0_f0f0,
    0x00fe_00fe_00fe_00fe,
    0xfe00_fe00_fe00_fe00,
    0x1ee0_1ee0_0ef0_0ef0,
    0xe01e_e01e_f00e_f00e,
    0x00e0_00e0_00f0_00f0,
    0xe000_e000_f000_f000,
    0x1efe_1efe_0efe_0efe,
    0xfe1e_fe1e_fe0e_fe0e,
    0x001e_001e_000e_000e,
    0x1e00_1e00_0e00_0e00,
    0xe0fe_e0fe_f0fe_f0fe,
    0xfee0_fee0_fef0_fef0,
];

/// The weakness of a DES or Triple DES key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// A part is a weak or semi-weak DES key.
    WeakPart,
    /// Two parts are equal, so it is no stronger than DES or two-key Triple DES.
    EqualParts,
}

/// The weakness of a key of one to three parts. Parity bits are ignored.
#[must_use]
pub(crate) fn of_des(key: &[u8]) -> Option<Weakness> {
    // The lowest bit of each byte is its parity, which DES ignores.
    let parts =
        || key.chunks_exact(8).map(|part| part.iter().fold(0_u64, |whole, byte| whole << 8 | u64::from(byte & 0xfe)));
    let same = |skip| parts().zip(parts().skip(skip)).any(|(one, other)| one == other);
    // A weak part is the graver finding: the key may have equal parts too.
    if parts().any(|part| WEAK_DES.contains(&part)) {
        Some(Weakness::WeakPart)
    // Distance 2 compares the first part with the third: two-key Triple DES.
    } else if same(1) || same(2) {
        Some(Weakness::EqualParts)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    #[test]
    fn of_des_finds_sixteen_weak_keys() {
        let distinct: std::collections::HashSet<_> = WEAK_DES.iter().collect();
        assert_eq!(distinct.len(), 16);
        assert!(WEAK_DES.iter().all(|key| key & 0x0101_0101_0101_0101 == 0));
        assert!(WEAK_DES.iter().all(|key| of_des(&key.to_be_bytes()) == Some(Weakness::WeakPart)));
        assert_eq!(of_des(&[1; 8]), Some(Weakness::WeakPart));
        assert_eq!(of_des(&GOOD), None);
    }

    #[test]
    fn of_des_finds_equal_parts() {
        let other = [0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];
        let third = [0x13, 0x34, 0x57, 0x79, 0x9b, 0xbc, 0xdf, 0xf1];
        assert_eq!(of_des(&[GOOD, other, third].concat()), None);
        assert_eq!(of_des(&[GOOD, GOOD, third].concat()), Some(Weakness::EqualParts));
        assert_eq!(of_des(&[GOOD, other, GOOD].concat()), Some(Weakness::EqualParts));
        assert_eq!(of_des(&[GOOD, [0xff; 8], third].concat()), Some(Weakness::WeakPart));
    }
}
