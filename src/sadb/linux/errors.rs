//! Error messages for the kernel's errnos, with remedies.

use std::io;

use nix::errno::Errno;

use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::redact::printable;
use crate::sa::{DiagnosticCode, Request, SaType};
use crate::sadb::SadbError;
use crate::wire::reader::Reader;
use crate::wire::xfrm::number::{attr, kind};
use crate::wire::xfrm::{HEADER_LEN, NetlinkError};

/// The parts of a request that explain a refusal.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestContext {
    pub(super) sa_type: SaType,
    pub(super) is_ipv6: bool,
    /// Names of the algorithms in the kernel's crypto API.
    pub(super) algorithms: [Option<&'static str>; 2],
    /// Whether the request is about a policy, not an SA.
    pub(super) is_policy: bool,
}

impl RequestContext {
    /// The context of a request about a policy.
    pub(super) fn policy() -> Self {
        Self { is_policy: true, ..Self::default() }
    }
}

/// Part of an algorithm's kernel name, and its module. The first match counts.
const MODULES: &[(&str, &str)] = &[
    ("camellia", "camellia_generic"),
    ("blowfish", "blowfish_generic"),
    ("cast5", "cast5_generic"),
    ("serpent", "serpent_generic"),
    ("twofish", "twofish_generic"),
    ("sm4", "sm4_generic"),
    ("sm3", "sm3_generic"),
    ("rmd160", "rmd160"),
    ("des", "des_generic"),
    ("xcbc", "xcbc"),
    ("cmac", "cmac"),
    ("chacha20", "chacha20poly1305"),
    ("gcm", "gcm"),
    ("ccm", "ccm"),
    ("ctr", "ctr"),
    ("md5", "md5"),
    ("sha1", "sha1_generic"),
    ("sha256", "sha256_generic"),
    ("sha384", "sha512_generic"),
    ("sha512", "sha512_generic"),
    ("aes", "aes_generic"),
];

/// The error for a refused `request`.
pub(super) fn refused(refusal: &NetlinkError, request: &[u8], context: &RequestContext) -> SadbError {
    let errno = Errno::from_raw(refusal.errno);
    let mut text = errno.desc().to_owned();
    if let Some(message) = &refusal.text {
        text = format!("{text}: {}", printable(message.as_bytes()));
    }
    if let Some(word) = refusal.offset.and_then(|offset| keyword_at(request, offset)) {
        text = format!("{text} (about {word})");
    }
    if let Some(hint) = hint(errno, refusal.text.as_deref().unwrap_or_default(), context) {
        text = format!("{text}: {hint}");
    }
    SadbError::Refused { errno: refusal.errno, diagnostic: DiagnosticCode::default(), text }
}

/// Adds a remedy to an error that has only an errno.
pub(super) fn explained(error: SadbError, context: &RequestContext) -> SadbError {
    let SadbError::Refused { errno, .. } = error else { return error };
    refused(&NetlinkError { errno, ..NetlinkError::default() }, &[], context)
}

/// The reason or remedy.
fn hint(errno: Errno, text: &str, context: &RequestContext) -> Option<String> {
    // Older kernels (5.10 for one) have no messages in XFRM, so an empty text means an unknown reason.
    let is_type = text.contains("type not found") || text.is_empty();
    match errno {
        Errno::EEXIST if context.is_policy => {
            Some("a policy with the same selector exists and was kept (see `ip xfrm policy`)".into())
        }
        Errno::ENOENT if context.is_policy => Some("no policy has this selector".into()),
        Errno::EEXIST => {
            Some("an SA with this SPI and destination exists; the source address is not part of its identity".into())
        }
        Errno::ESRCH => {
            Some("no SA has this SPI, destination and mark; an SA with a mark is found only with its mark".into())
        }
        Errno::EPERM => Some("CAP_NET_ADMIN is needed: run as root".into()),
        Errno::EPROTONOSUPPORT if is_type => Some(type_hint(context)),
        Errno::ENOSYS => Some(algorithm_hint(text, context)),
        Errno::EINVAL if text.is_empty() && !context.is_policy => {
            Some("the kernel gives no reason; the key lengths are correct".into())
        }
        _ => None,
    }
}

fn type_hint(context: &RequestContext) -> String {
    let family = if context.is_ipv6 { 6 } else { 4 };
    let module = if context.sa_type == SaType::AH { "ah" } else { "esp" };
    format!(
        "the kernel has no {module}{family}: run `modprobe {module}{family}`, or use --sadb model to rehearse without it"
    )
}

fn algorithm_hint(text: &str, context: &RequestContext) -> String {
    let is_auth = text.contains("AUTH");
    // Without a message from the kernel either algorithm may be missing.
    let suspects = context.algorithms.iter().flatten().filter(|name| text.is_empty() || is_auth_name(name) == is_auth);
    let suspects: Vec<&str> = suspects.copied().collect();
    let modules: Vec<&str> = suspects.iter().filter_map(|name| module_of(name)).collect();
    format!("this kernel has no {}: run `modprobe {}`", suspects.join(" or no "), modules.join(" "))
}

fn is_auth_name(name: &str) -> bool {
    ["hmac(", "xcbc(", "cmac("].iter().any(|start| name.starts_with(start))
}

/// The module of the algorithm with that name in the kernel's crypto API.
pub(crate) fn module_of(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(part, _)| name.contains(part)).map(|(_, module)| *module)
}

/// The keyword for the attribute at `offset` of the request.
fn keyword_at(request: &[u8], offset: u32) -> Option<&'static str> {
    let offset = usize::try_from(offset).ok().filter(|offset| *offset >= HEADER_LEN)?;
    let mut reader = Reader::new(request.get(offset..)?);
    reader.skip(2).ok()?;
    // Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
    let found = reader.u16().ok()? & 0x3fff;
    attr::WORDS.iter().find(|(number, _)| *number == found).map(|(_, word)| *word)
}

/// The kernel's names of a request's algorithms.
pub(super) fn algorithms_of(request: &Request) -> [Option<&'static str>; 2] {
    [auth_by_number(request.auth_alg).map(|row| row.xfrm), encr_by_number(request.encr_alg).map(|row| row.xfrm)]
}

/// The error if a NETLINK_XFRM socket cannot be opened.
pub(super) fn unavailable(source: io::Error) -> SadbError {
    let errno = source.raw_os_error().map(Errno::from_raw);
    let what = match errno {
        Some(Errno::EPROTONOSUPPORT) => {
            "the kernel has no NETLINK_XFRM: run `modprobe xfrm_user`, or use --sadb model to rehearse without it"
        }
        Some(Errno::EPERM | Errno::EACCES) => "NETLINK_XFRM: CAP_NET_ADMIN is needed: run as root",
        Some(Errno::EAFNOSUPPORT) => {
            "netlink sockets are not allowed: in a unit, add AF_NETLINK to RestrictAddressFamilies="
        }
        _ => "cannot open a NETLINK_XFRM socket",
    };
    SadbError::Unavailable { what: what.into(), source }
}

/// The operation of a message type, for error messages.
pub(super) fn operation_name(message: u16) -> &'static str {
    match message {
        kind::NEWSA | kind::NEWPOLICY => "add",
        kind::UPDSA | kind::UPDPOLICY => "update",
        kind::DELSA | kind::DELPOLICY => "delete",
        kind::GETSA => "get",
        kind::FLUSHSA => "flush",
        _ => "request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xfrm::{Attribute, Body, NetlinkHeader, encode};

    fn text(refusal: &NetlinkError, context: &RequestContext) -> String {
        let body = Body::Sa(Box::default(), vec![Attribute::Word(attr::TFCPAD, 9)]);
        let request = encode(NetlinkHeader { kind: kind::NEWSA, ..NetlinkHeader::default() }, &body).unwrap();
        refused(refusal, &request, context).to_string()
    }

    fn refusal(errno: Errno, text: &str) -> NetlinkError {
        let text = (!text.is_empty()).then(|| text.to_owned());
        NetlinkError { errno: errno as i32, seq: 1, text, offset: None }
    }

    #[test]
    fn refused_names_the_attribute() {
        let refusal = NetlinkError { offset: Some(240), ..refusal(Errno::EINVAL, "Bad pad") };
        assert_eq!(text(&refusal, &RequestContext::default()), "Invalid argument: Bad pad (about tfcpad)");
        let far = NetlinkError { offset: Some(9999), ..refusal };
        assert_eq!(text(&far, &RequestContext::default()), "Invalid argument: Bad pad");
    }

    #[test]
    fn refused_names_missing_modules() {
        let context = RequestContext {
            sa_type: SaType::AH,
            is_ipv6: true,
            algorithms: [Some("hmac(sha256)"), Some("cbc(camellia)")],
            ..RequestContext::default()
        };
        let refused = text(&refusal(Errno::EPROTONOSUPPORT, "Requested type not found"), &context);
        assert!(refused.contains("modprobe ah6"), "{refused}");
        let refused = text(&refusal(Errno::ENOSYS, "Requested CRYPT algorithm not found"), &context);
        assert!(refused.ends_with("this kernel has no cbc(camellia): run `modprobe camellia_generic`"), "{refused}");
        let refused = text(&refusal(Errno::ENOSYS, "Requested AUTH_TRUNC algorithm not found"), &context);
        assert!(refused.ends_with("hmac(sha256): run `modprobe sha256_generic`"), "{refused}");
    }

    #[test]
    fn refused_names_the_capability() {
        assert!(text(&refusal(Errno::EPERM, ""), &RequestContext::default()).contains("CAP_NET_ADMIN"));
        let error = unavailable(io::Error::from_raw_os_error(Errno::EPROTONOSUPPORT as i32));
        assert!(error.to_string().contains("modprobe xfrm_user"));
    }
}
