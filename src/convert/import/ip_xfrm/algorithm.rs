//! Algorithms of ip-xfrm(8): names of the kernel, keys, ICV lengths.

use crate::convert::import::key;
use crate::convert::import::statements::Token;
use crate::convert::import::writer::{CommandWriter, Untranslatable};
use crate::convert::names::{XFRM_SHORT, ours};
use crate::names::algorithms::{AUTH, Auth, ENCR, Encr};
use crate::redact::{Expected, cited};

/// An algorithm as written or printed.
#[derive(Clone, Copy)]
pub(super) struct Algorithm<'t> {
    /// `auth`, `auth-trunc`, `enc`, `aead` or `comp`.
    pub(super) kind: &'t str,
    pub(super) name: &'t str,
    pub(super) key: Option<Token<'t>>,
    /// Length of the ICV.
    pub(super) icv_bits: Option<u32>,
}

/// The algorithms of an SA.
#[derive(Default)]
pub(super) struct Algorithms<'t> {
    auth: Option<Algorithm<'t>>,
    encr: Option<Algorithm<'t>>,
}

/// Names of the kernel (`net/xfrm/xfrm_algo.c`) that are shown in messages although no keys file has them.
const KERNEL_NAMES: &[&str] = &[
    "digest_null",
    "hmac(rmd160)",
    "rmd160",
    "hmac(sm3)",
    "cbc(cast5)",
    "cast5",
    "cbc(serpent)",
    "serpent",
    "cbc(twofish)",
    "twofish",
    "cbc(sm4)",
    "rfc4543(gcm(aes))",
    "rfc4309(ccm(aes))",
    "rfc4106(gcm(aes))",
    "deflate",
    "lzs",
    "lzjh",
];

impl<'t> Algorithms<'t> {
    /// Adds an algorithm. `ip` refuses a second one of a kind.
    pub(super) fn add(&mut self, algorithm: Algorithm<'t>) -> Result<(), Untranslatable> {
        let place = match algorithm.kind {
            "auth" | "auth-trunc" => &mut self.auth,
            "comp" => return Err("compression (comp) has no equivalent in a keys file".to_owned()),
            _ => &mut self.encr,
        };
        match place.replace(algorithm) {
            Some(_) => Err(format!("{} occurs twice", algorithm.kind)),
            None => Ok(()),
        }
    }

    /// Whether there is none, as in a larval state.
    pub(super) fn is_empty(&self) -> bool {
        self.auth.is_none() && self.encr.is_none()
    }

    pub(super) fn write(&self, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
        if let Some(encr) = &self.encr {
            let row = encr_row(encr)?;
            writer.word("encr_alg", row.names[0])?;
            let allows = |bits: u32| bits.checked_sub(row.salt_bits.into()).is_some_and(|bits| row.key_bits.allows(bits));
            // The null cipher has no key: `""` or `0x` in a command, nothing in output.
            if row.xfrm != "ecb(cipher_null)" {
                key::write(writer, "encrkey", encr.key, &allows)?;
            }
        }
        if let Some(auth) = &self.auth {
            let row = auth_row(auth)?;
            // A plain `auth` of SHA-256 has 96 bits in the kernel, not the 128 of RFC 4868.
            let bits = auth.icv_bits.unwrap_or_else(|| default_bits(row.xfrm));
            writer.word("auth_alg", row.names[0])?;
            if bits != u32::from(row.icv_bits) {
                writer.word("icv", &bits.to_string())?;
            }
            key::write(writer, "authkey", auth.key, &|bits| row.key_bits.allows(bits))?;
        }
        Ok(())
    }
}

fn encr_row(encr: &Algorithm<'_>) -> Result<&'static Encr, Untranslatable> {
    let name = kernel_name(encr.name);
    let is_aead = encr.kind == "aead";
    // The name in the kernel and the ICV length select an AEAD together.
    let fits = |row: &&Encr| {
        row.xfrm == name && row.is_combined() == is_aead && (!is_aead || Some(u32::from(row.icv_bits)) == encr.icv_bits)
    };
    ENCR.iter().find(fits).ok_or_else(|| {
        let bits = encr.icv_bits.map_or_else(String::new, |bits| format!(" with an ICV of {bits} bits"));
        unknown(encr.kind, encr.name, &bits)
    })
}

fn auth_row(auth: &Algorithm<'_>) -> Result<&'static Auth, Untranslatable> {
    let name = kernel_name(auth.name);
    AUTH.iter().find(|row| row.xfrm == name).ok_or_else(|| unknown(auth.kind, auth.name, ""))
}

fn unknown(kind: &str, name: &str, bits: &str) -> String {
    format!(
        "unknown algorithm {kind} {}{bits}: `ipseckey algs` lists the supported ones",
        cited(name, Expected::OneOf(&names()))
    )
}

/// The algorithm names that may be shown.
fn names() -> Vec<&'static str> {
    let tables = AUTH.iter().map(|row| row.xfrm).chain(ENCR.iter().map(|row| row.xfrm));
    tables.chain(XFRM_SHORT.iter().map(|row| row.0)).chain(KERNEL_NAMES.iter().copied()).collect()
}

/// The name in the kernel of an algorithm that may be a short name of ip-xfrm(8).
fn kernel_name(name: &str) -> &str {
    ours(XFRM_SHORT, name).unwrap_or(name)
}

/// The ICV length in bits that the kernel uses for `auth`, which does not specify one (`net/xfrm/xfrm_algo.c`).
fn default_bits(xfrm: &str) -> u32 {
    match xfrm {
        "hmac(sha384)" => 192,
        "hmac(sha512)" | "hmac(sm3)" => 256,
        _ => 96,
    }
}
