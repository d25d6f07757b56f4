//! The kernel's refusals in words that people can act on.

use std::io;

use nix::errno::Errno;

use crate::sa::{DiagnosticCode, SaType};
use crate::sadb::SadbError;
use crate::wire::reader::Reader;
use crate::wire::xfrm::HEADER_LEN;
use crate::wire::xfrm::Refusal;
use crate::wire::xfrm::number::{attr, kind};

/// What was asked, as far as a refusal is explained by it.
#[derive(Clone, Debug, Default)]
pub(in crate::sadb) struct Asked {
    pub(in crate::sadb) sa_type: SaType,
    pub(in crate::sadb) is_ipv6: bool,
    /// The kernel's names of the algorithms.
    pub(in crate::sadb) algorithms: [Option<&'static str>; 2],
    /// Whether it is a policy rather than an SA.
    pub(in crate::sadb) is_policy: bool,
}

impl Asked {
    /// Something about a policy.
    pub(crate) fn policy() -> Self {
        Self { is_policy: true, ..Self::default() }
    }
}

/// Kernel modules of algorithms, by a part of the kernel's name for them.
const MODULES: &[(&str, &str)] = &[
    ("camellia", "camellia_generic"),
    ("blowfish", "blowfish_generic"),
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

/// The error that `refusal` is; `request` is the message that was refused.
pub(crate) fn refused(refusal: &Refusal, request: &[u8], asked: &Asked) -> SadbError {
    let errno = Errno::from_raw(refusal.errno);
    let mut text = errno.desc().to_owned();
    if let Some(said) = &refusal.text {
        text = format!("{text}: {said}");
    }
    if let Some(word) = refusal.offset.and_then(|offset| word_at(request, offset)) {
        text = format!("{text} (about {word})");
    }
    if let Some(hint) = hint(errno, refusal.text.as_deref().unwrap_or_default(), asked) {
        text = format!("{text}: {hint}");
    }
    SadbError::Refused { errno: refusal.errno, diagnostic: DiagnosticCode::default(), text }
}

/// A refusal that came as a number alone, in words.
pub(in crate::sadb) fn explained(error: SadbError, asked: &Asked) -> SadbError {
    let SadbError::Refused { errno, .. } = error else { return error };
    refused(&Refusal { errno, ..Refusal::default() }, &[], asked)
}

/// What would help.
fn hint(errno: Errno, said: &str, asked: &Asked) -> Option<String> {
    let is_type = said.contains("type not found") || said.is_empty();
    match errno {
        Errno::EEXIST if asked.is_policy => {
            Some("another policy for these packets is there already (ip xfrm policy); it stays as it is".into())
        }
        Errno::ENOENT if asked.is_policy => Some("no policy is for these packets".into()),
        Errno::EEXIST => {
            Some("an SA with this SPI and destination is there already; the source does not tell SAs apart".into())
        }
        Errno::ESRCH => Some("no SA has this SPI and destination; one added with a mark is found with its mark only".into()),
        Errno::EPERM => Some("CAP_NET_ADMIN is needed: run as root".into()),
        Errno::EPROTONOSUPPORT if is_type => Some(type_hint(asked)),
        Errno::ENOSYS => Some(algorithm_hint(said, asked)),
        Errno::EINVAL if said.is_empty() && !asked.is_policy => {
            Some("the kernel does not say why; key lengths were checked".into())
        }
        _ => None,
    }
}

fn type_hint(asked: &Asked) -> String {
    let family = if asked.is_ipv6 { 6 } else { 4 };
    let module = if asked.sa_type == SaType::AH { "ah" } else { "esp" };
    format!("the kernel has no {module}{family}: modprobe {module}{family}, or --sadb model to rehearse without it")
}

fn algorithm_hint(said: &str, asked: &Asked) -> String {
    let is_auth = said.contains("AUTH");
    let suspects = asked.algorithms.iter().flatten().filter(|name| said.is_empty() || is_auth_name(name) == is_auth);
    let suspects: Vec<&str> = suspects.copied().collect();
    let modules: Vec<&str> = suspects.iter().filter_map(|name| module_of(name)).collect();
    format!("this kernel has no {}: try modprobe {}", suspects.join(" or no "), modules.join(" "))
}

fn is_auth_name(name: &str) -> bool {
    ["hmac(", "xcbc(", "cmac("].iter().any(|start| name.starts_with(start))
}

fn module_of(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(part, _)| name.contains(part)).map(|(_, module)| *module)
}

/// The keyword for the attribute that stands at `offset` of the request.
fn word_at(request: &[u8], offset: u32) -> Option<&'static str> {
    let offset = usize::try_from(offset).ok().filter(|offset| *offset >= HEADER_LEN)?;
    let mut reader = Reader::new(request.get(offset..)?);
    reader.skip(2).ok()?;
    let found = reader.u16().ok()? & 0x3fff;
    attr::WORDS.iter().find(|(number, _)| *number == found).map(|(_, word)| *word)
}

/// Why there is no NETLINK_XFRM socket.
pub(crate) fn unavailable(source: io::Error) -> SadbError {
    let errno = source.raw_os_error().map(Errno::from_raw);
    let what = match errno {
        Some(Errno::EPROTONOSUPPORT) => {
            "the kernel has no NETLINK_XFRM: modprobe xfrm_user, or --sadb model to rehearse without one"
        }
        Some(Errno::EPERM | Errno::EACCES) => "NETLINK_XFRM: CAP_NET_ADMIN is needed: run as root",
        Some(Errno::EAFNOSUPPORT) => {
            "netlink sockets are shut off here: in a unit, allow AF_NETLINK in RestrictAddressFamilies="
        }
        _ => "cannot open a NETLINK_XFRM socket",
    };
    SadbError::Unavailable { what: what.into(), source }
}

/// What a message type asks for, for errors about answers.
pub(crate) fn deed(message: u16) -> &'static str {
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
    use crate::wire::xfrm::{Attribute, Body, Header, encode};

    fn text(refusal: &Refusal, asked: &Asked) -> String {
        let body = Body::Sa(Box::default(), vec![Attribute::Word(attr::TFCPAD, 9)]);
        let request = encode(Header { kind: kind::NEWSA, ..Header::default() }, &body).unwrap();
        refused(refusal, &request, asked).to_string()
    }

    fn refusal(errno: Errno, said: &str) -> Refusal {
        let text = (!said.is_empty()).then(|| said.to_owned());
        Refusal { errno: errno as i32, seq: 1, text, offset: None }
    }

    #[test]
    fn the_kernels_words_and_the_attribute_are_named() {
        let refusal = Refusal { offset: Some(240), ..refusal(Errno::EINVAL, "Bad pad") };
        assert_eq!(text(&refusal, &Asked::default()), "Invalid argument: Bad pad (about tfcpad)");
        let far = Refusal { offset: Some(9999), ..refusal };
        assert_eq!(text(&far, &Asked::default()), "Invalid argument: Bad pad");
    }

    #[test]
    fn missing_modules_are_named() {
        let asked = Asked {
            sa_type: SaType::AH,
            is_ipv6: true,
            algorithms: [Some("hmac(sha256)"), Some("cbc(camellia)")],
            ..Asked::default()
        };
        let refused = text(&refusal(Errno::EPROTONOSUPPORT, "Requested type not found"), &asked);
        assert!(refused.contains("modprobe ah6"), "{refused}");
        let refused = text(&refusal(Errno::ENOSYS, "Requested CRYPT algorithm not found"), &asked);
        assert!(refused.ends_with("this kernel has no cbc(camellia): try modprobe camellia_generic"), "{refused}");
        let refused = text(&refusal(Errno::ENOSYS, "Requested AUTH_TRUNC algorithm not found"), &asked);
        assert!(refused.ends_with("hmac(sha256): try modprobe sha256_generic"), "{refused}");
    }

    #[test]
    fn the_capability_is_named() {
        assert!(text(&refusal(Errno::EPERM, ""), &Asked::default()).contains("CAP_NET_ADMIN"));
        let error = unavailable(io::Error::from_raw_os_error(Errno::EPROTONOSUPPORT as i32));
        assert!(error.to_string().contains("modprobe xfrm_user"));
    }
}
