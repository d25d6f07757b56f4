//! Algorithm names of other programs.

/// Cipher names in setkey(8), and ours.
pub(super) const SETKEY_ENCR: &[(&str, &str)] = &[
    ("aes-cbc", "aes-cbc"),
    ("rijndael-cbc", "aes-cbc"),
    ("3des-cbc", "3des-cbc"),
    ("des-cbc", "des-cbc"),
    ("blowfish-cbc", "blowfish-cbc"),
    ("camellia-cbc", "camellia-cbc"),
    ("aes-ctr", "aes-ctr"),
    ("aes-gcm-16", "aes-gcm"),
    ("cast128-cbc", "cast5-cbc"),
    ("twofish-cbc", "twofish-cbc"),
    ("null", "null"),
];

/// Authentication algorithms in setkey(8), and our names.
pub(super) const SETKEY_AUTH: &[(&str, &str)] = &[
    ("hmac-md5", "hmac-md5"),
    ("hmac-sha1", "hmac-sha1"),
    ("hmac-sha256", "hmac-sha256"),
    ("hmac-sha2-256", "hmac-sha256"),
    ("hmac-sha384", "hmac-sha384"),
    ("hmac-sha2-384", "hmac-sha384"),
    ("hmac-sha512", "hmac-sha512"),
    ("hmac-sha2-512", "hmac-sha512"),
    ("aes-xcbc-mac", "aes-xcbc"),
    ("hmac-ripemd160", "hmac-rmd160"),
];

/// Cipher names in OpenBSD's ipsec.conf(5), and ours.
pub(super) const OPENBSD_ENCR: &[(&str, &str)] = &[
    ("3des", "3des-cbc"),
    ("des", "des-cbc"),
    ("aes", "aes-cbc"),
    ("aes-128", "aes-cbc"),
    ("aes-192", "aes-cbc"),
    ("aes-256", "aes-cbc"),
    ("aesctr", "aes-ctr"),
    ("aes-128-ctr", "aes-ctr"),
    ("aes-192-ctr", "aes-ctr"),
    ("aes-256-ctr", "aes-ctr"),
    ("blowfish", "blowfish-cbc"),
    ("cast", "cast5-cbc"),
    ("null", "null"),
];

/// Authentication algorithms in OpenBSD's ipsec.conf(5), and our names.
pub(super) const OPENBSD_AUTH: &[(&str, &str)] = &[
    ("hmac-md5", "hmac-md5"),
    ("hmac-sha1", "hmac-sha1"),
    ("hmac-sha2-256", "hmac-sha256"),
    ("hmac-sha2-384", "hmac-sha384"),
    ("hmac-sha2-512", "hmac-sha512"),
    ("hmac-ripemd160", "hmac-rmd160"),
];

/// Short names of ip-xfrm(8), and those of the kernel.
pub(super) const XFRM_SHORT: &[(&str, &str)] = &[
    ("md5", "hmac(md5)"),
    ("sha1", "hmac(sha1)"),
    ("sha256", "hmac(sha256)"),
    ("sha384", "hmac(sha384)"),
    ("sha512", "hmac(sha512)"),
    ("aes", "cbc(aes)"),
    ("des", "cbc(des)"),
    ("des3_ede", "cbc(des3_ede)"),
    ("blowfish", "cbc(blowfish)"),
    ("camellia", "cbc(camellia)"),
    ("cipher_null", "ecb(cipher_null)"),
];

/// Our cipher names, and those of Wireshark's ESP preferences, which have no CCM and no ChaCha20.
pub(super) const WIRESHARK_ENCR: &[(&str, &str)] = &[
    ("null", "NULL"),
    ("des-cbc", "DES-CBC [RFC2405]"),
    ("3des-cbc", "TripleDES-CBC [RFC2451]"),
    ("blowfish-cbc", "BLOWFISH-CBC [RFC2451]"),
    ("cast5-cbc", "CAST5-CBC [RFC2144]"),
    ("twofish-cbc", "TWOFISH-CBC"),
    ("aes-cbc", "AES-CBC [RFC3602]"),
    ("aes-ctr", "AES-CTR [RFC3686]"),
    ("aes-gcm8", "AES-GCM with 8 octet ICV [RFC4106]"),
    ("aes-gcm12", "AES-GCM with 12 octet ICV [RFC4106]"),
    ("aes-gcm", "AES-GCM with 16 octet ICV [RFC4106]"),
];

/// Our names of authentication algorithms, the length of the ICV in bits, and the names in Wireshark's ESP preferences.
pub(super) const WIRESHARK_AUTH: &[(&str, u16, &str)] = &[
    ("hmac-md5", 96, "HMAC-MD5-96 [RFC2403]"),
    ("hmac-sha1", 96, "HMAC-SHA-1-96 [RFC2404]"),
    ("hmac-rmd160", 96, "MAC-RIPEMD-160-96 [RFC2857]"),
    ("hmac-sha256", 96, "HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]"),
    ("hmac-sha256", 128, "HMAC-SHA-256-128 [RFC4868]"),
    ("hmac-sha384", 192, "HMAC-SHA-384-192 [RFC4868]"),
    ("hmac-sha512", 256, "HMAC-SHA-512-256 [RFC4868]"),
];

/// Lengths of ICVs, and the names in Wireshark's ESP preferences for algorithms that it cannot check.
pub(super) const WIRESHARK_ANY: &[(u16, &str)] = &[
    (64, "ANY 64 bit authentication [no checking]"),
    (96, "ANY 96 bit authentication [no checking]"),
    (128, "ANY 128 bit authentication [no checking]"),
    (192, "ANY 192 bit authentication [no checking]"),
    (256, "ANY 256 bit authentication [no checking]"),
];

/// The second name of the row whose first name is `theirs`.
pub(super) fn ours(table: &[(&'static str, &'static str)], theirs: &str) -> Option<&'static str> {
    table.iter().find(|row| row.0 == theirs).map(|row| row.1)
}

/// The first name of the row whose second name is `ours`.
pub(super) fn theirs(table: &[(&'static str, &'static str)], ours: &str) -> Option<&'static str> {
    table.iter().find(|row| row.1 == ours).map(|row| row.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::algorithms::{AUTH, ENCR};

    #[test]
    fn our_names_of_each_table_are_printed_names() {
        let known = |name: &str| {
            AUTH.iter().map(|row| row.names[0]).chain(ENCR.iter().map(|row| row.names[0])).any(|printed| printed == name)
        };
        for table in [SETKEY_ENCR, SETKEY_AUTH, OPENBSD_ENCR, OPENBSD_AUTH] {
            assert!(table.iter().all(|row| known(row.1)));
        }
        assert!(WIRESHARK_ENCR.iter().all(|row| known(row.0)));
        assert!(WIRESHARK_AUTH.iter().all(|row| known(row.0)));
        let xfrm: Vec<&str> = AUTH.iter().map(|row| row.xfrm).chain(ENCR.iter().map(|row| row.xfrm)).collect();
        assert!(XFRM_SHORT.iter().all(|row| xfrm.contains(&row.1)));
    }
}
