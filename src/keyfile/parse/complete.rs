//! From a draft to a command: required keywords, conflicts, defaults, and the endpoints that ports belong to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::keyfile::command::{SaCommand, Target};
use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::{AddressArg, CommandDraft, Resolved};
use crate::keyfile::parse::targets::{self, PairingIssue};
use crate::names::Vocabulary;
use crate::names::keywords::Field;
use crate::names::verbs::Verb;
use crate::sa::{AuthAlg, EncrAlg, Endpoint, Flags, InnerEndpoint, SaState, SaType, Windows};

/// A keyword that a command requires.
struct RequiredKeyword {
    title: &'static str,
    expected: &'static str,
    /// Whether it is required and missing. A keyword with an invalid value is not missing: that error is reported already.
    is_missing: fn(&CommandDraft<'_>) -> bool,
}

const REQUIRED: &[RequiredKeyword] = &[
    RequiredKeyword { title: "the SPI value", expected: "spi", is_missing: |draft| !draft.has(Field::Spi) },
    RequiredKeyword {
        title: "the destination address",
        expected: "dst",
        is_missing: |draft| draft.verb.changes() && !draft.has(Field::Dst),
    },
    RequiredKeyword {
        title: "at least one algorithm",
        expected: "auth_alg or encr_alg",
        is_missing: |draft| draft.verb == Verb::Add && !draft.has_any(&[Field::AuthAlg, Field::EncrAlg]),
    },
    RequiredKeyword {
        title: "the algorithm of the authentication key",
        expected: "auth_alg",
        is_missing: |draft| key_without_algorithm(draft, Field::AuthKey, Field::AuthAlg, Field::EncrAlg),
    },
    RequiredKeyword {
        title: "the algorithm of the encryption key",
        expected: "encr_alg",
        is_missing: |draft| key_without_algorithm(draft, Field::EncrKey, Field::EncrAlg, Field::AuthAlg),
    },
    RequiredKeyword {
        title: "at least one key",
        expected: "authkey or encrkey",
        is_missing: |draft| draft.verb == Verb::Add && !draft.has_any(&[Field::AuthKey, Field::EncrKey]),
    },
    RequiredKeyword {
        title: "the encryption key that reserved_bits belongs to",
        expected: "encrkey",
        is_missing: |draft| draft.has(Field::ReservedBits) && !draft.has(Field::EncrKey),
    },
];

/// Whether an add has `key` without its algorithm, but has the `other` algorithm. If it has neither, that is reported as one error.
fn key_without_algorithm(draft: &CommandDraft<'_>, key: Field, algorithm: Field, other: Field) -> bool {
    draft.verb == Verb::Add && draft.has(key) && !draft.has(algorithm) && draft.has(other)
}

const UNSPECIFIED: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Checks and completes a draft. Returns `None` if no addresses match; other errors are only reported.
    pub(crate) fn finish(&mut self, mut draft: CommandDraft<'t>) -> Option<SaCommand> {
        let targets = self.complete(&mut draft)?;
        Some(SaCommand { verb: draft.verb, request: draft.request, targets })
    }

    fn complete(&mut self, draft: &mut CommandDraft<'t>) -> Option<Vec<Target>> {
        self.check_required(draft);
        if draft.verb.changes() {
            self.check_algorithms(draft);
            self.check_encapsulation(draft);
            if draft.verb == Verb::UpdatePair && draft.has(Field::PairSpi) {
                self.conflict(draft, "pair-spi can not be used with update-pair");
            }
            self.check_inner_family(draft);
            self.check_windows(draft);
            complete_change(draft, self.options.vocabulary);
        } else {
            self.warn_about_ports(draft);
            complete_lookup(draft);
        }
        // After the defaults: the targets replace the addresses of complete endpoints.
        let targets = self.targets(draft)?;
        // With a single target, the request is complete as it is and needs no copy.
        if let Some(first) = targets.first() {
            draft.request.src = with_address(draft.request.src, first.src);
            draft.request.dst = with_address(draft.request.dst, first.dst);
        }
        Some(targets)
    }

    fn conflict(&mut self, draft: &CommandDraft<'t>, message: &str) {
        self.error(Code::Conflict, draft.word, message.to_owned());
    }

    /// Reports all missing keywords in one message.
    fn check_required(&mut self, draft: &CommandDraft<'t>) {
        let missing: Vec<&RequiredKeyword> = REQUIRED.iter().filter(|keyword| (keyword.is_missing)(draft)).collect();
        if missing.is_empty() {
            return;
        }
        let list = |part: fn(&RequiredKeyword) -> &'static str| {
            missing.iter().map(|keyword| part(keyword)).collect::<Vec<_>>().join(", ")
        };
        let message = format!("Missing for this {}: {}", draft.verb.word(), list(|keyword| keyword.title));
        let expected = list(|keyword| keyword.expected);
        self.report(Severity::Error, Code::MissingArgument, Some(draft.word), message, Some(&expected), None);
    }

    fn check_algorithms(&mut self, draft: &CommandDraft<'t>) {
        let request = &draft.request;
        if request.sa_type == SaType::AH && draft.has_any(&[Field::EncrAlg, Field::EncrKey]) {
            self.conflict(draft, "Cannot specify encryption with SA type ah");
        // One message is enough: with AH, a key for the null cipher is wrong anyway.
        } else if request.encr_alg == EncrAlg::NULL && draft.has(Field::EncrKey) {
            self.conflict(draft, "Cannot specify a key with NULL encryption algorithm");
        }
        // `auth_alg none` alone. After another error the algorithms may be missing from the draft, not from the command.
        let none = request.auth_alg == AuthAlg::NONE && request.encr_alg == EncrAlg::NONE;
        if draft.verb == Verb::Add && none && !self.has_failed() {
            self.conflict(draft, "Select at least one algorithm for this add");
        }
    }

    fn check_encapsulation(&mut self, draft: &CommandDraft<'t>) {
        let addresses = draft.has_any(&[Field::NatLoc, Field::NatRem]);
        let ports = draft.has_any(&[Field::NatLport, Field::NatRport]);
        if (addresses || ports) && !draft.has(Field::Encap) {
            let message = "Must specify 'encap udp' with any NAT-T address or port";
            self.conflict(draft, message);
        }
        if draft.has(Field::Encap) && !addresses && !ports {
            self.conflict(draft, "Must specify NAT-T remote or local address for UDP encapsulation");
        }
    }

    /// On Linux, without inner addresses, the selector has the family of the destination: of one family, therefore.
    fn check_inner_family(&mut self, draft: &CommandDraft<'t>) {
        let has_family = draft.inner_src.is_some() || draft.inner_dst.is_some() || !draft.ports.has_inner();
        let list = draft.dst.as_ref().map_or(&[][..], |given| given.list.as_slice());
        let is_mixed = list.iter().any(IpAddr::is_ipv4) && list.iter().any(IpAddr::is_ipv6);
        if self.options.vocabulary == Vocabulary::Linux && is_mixed && !has_family {
            let message = "iproto, isport and idport need isrc and idst if dst has addresses of both families";
            self.conflict(draft, message);
        }
    }

    /// A window that is empty, and an SA of a group: Linux sends through the newest SA of a group as soon as it is accepted.
    fn check_windows(&mut self, draft: &CommandDraft<'t>) {
        let Windows { accept, send } = *draft.request.windows;
        for (window, until, from) in [(accept, "accept_until", "accept_from"), (send, "send_until", "send_from")] {
            if window.is_empty() {
                self.conflict(draft, &format!("{until} must be later than {from}"));
            }
        }
        if draft.has(Field::PairSpi) && draft.request.windows.are_limited() {
            self.conflict(draft, "pair-spi cannot be used in a key chain: its SAs come and go at different times");
        }
        let is_group = draft.dst.as_ref().is_some_and(|dst| dst.list.as_slice().iter().any(IpAddr::is_multicast));
        if is_group && draft.request.windows.are_limited() {
            let message =
                "An SA of a multicast group cannot be part of a key chain: see docs/ospfv3.md for a change of keys";
            self.conflict(draft, message);
        }
    }

    /// Warns about ports, which get and delete do not compare.
    fn warn_about_ports(&mut self, draft: &CommandDraft<'t>) {
        let lost_src = draft.src.is_some() && draft.ports.src != 0;
        let lost_dst = draft.dst.is_some() && draft.ports.dst != 0;
        if lost_src || lost_dst {
            let message = format!("{} ignores the ports of an address", draft.verb.word());
            self.warning(Code::Ignored, draft.word, message);
        }
    }

    /// The pairs of outer addresses. `None` if no source matches a destination.
    fn targets(&mut self, draft: &CommandDraft<'t>) -> Option<Vec<Target>> {
        let list = |given: &Option<AddressArg<'t>>| given.as_ref().map(|given| given.word);
        let (src_word, dst_word) = (list(&draft.src), list(&draft.dst));
        let src = draft.src.as_ref().map(|given| given.list.as_slice());
        let dst = draft.dst.as_ref().map(|given| given.list.as_slice());
        let mut issues = Vec::new();
        let mut targets = targets::expand(src, dst, self.options.numeric, &mut |issue| issues.push(issue));
        // Only after the expansion is it known whether a skipped destination was the last one.
        for issue in issues {
            self.report_pairing_issue(src_word?, dst_word?, issue, targets.is_empty());
        }
        if draft.verb.changes() {
            for target in &mut targets {
                // An SA has a source; unspecified matches any. For get and delete, a missing source stays missing.
                target.src.get_or_insert(UNSPECIFIED);
            }
        }
        (!targets.is_empty()).then_some(targets)
    }

    fn report_pairing_issue(&mut self, src: Word<'t>, dst: Word<'t>, issue: PairingIssue, nothing_left: bool) {
        let name = self.quoted(src);
        match issue {
            PairingIssue::Mixed => {
                let message = format!("Source {name} and destination {} have different address families", self.quoted(dst));
                self.warning(Code::MixedFamilies, src, message);
            }
            PairingIssue::ManySources(to) => {
                let message = format!("Source {name} has several addresses that match destination {to}");
                let help = Some("the source is left unspecified; specify one of the addresses".to_owned());
                self.report(Severity::Warning, Code::AmbiguousName, Some(src), message, None, help);
            }
            PairingIssue::NoSource(to) => {
                // A name with some unusable addresses still makes SAs for the others.
                let severity = if nothing_left { Severity::Error } else { Severity::Warning };
                let message = format!("Source {name} has no address that matches destination {to}");
                let help = (!nothing_left).then(|| "this destination is skipped".to_owned());
                let expected = if to.is_ipv4() { "an IPv4 address" } else { "an IPv6 address of the same scope" };
                self.report(severity, Code::NoMatchingAddress, Some(src), message, Some(expected), help);
            }
        }
    }
}

fn with_address(endpoint: Option<Endpoint>, address: Option<IpAddr>) -> Option<Endpoint> {
    match (endpoint, address) {
        (Some(endpoint), Some(addr)) => Some(Endpoint { addr, ..endpoint }),
        (endpoint, _) => endpoint,
    }
}

/// Sets the defaults of add and update, and puts ports and addresses together.
fn complete_change(draft: &mut CommandDraft<'_>, vocabulary: Vocabulary) {
    let request = &mut draft.request;
    let ports = &draft.ports;
    // Larval is the default of the type; only the kernel creates larval SAs.
    if request.state == SaState::LARVAL {
        request.state = SaState::MATURE;
    }
    // ESP always has a cipher: without encryption it is the null cipher (RFC 2410), not number 0.
    if request.sa_type == SaType::ESP && request.encr_alg == EncrAlg::NONE {
        request.encr_alg = EncrAlg::NULL;
    }
    // `reserved_bits` may come before or after `encrkey`, so the salt is split off at the end.
    request.encr_key = request.encr_key.take().map(|key| key.with_reserved(draft.reserved_bits));
    let first = |given: &Option<AddressArg<'_>>| given.as_ref().and_then(|given| given.list.as_slice().first().copied());
    request.src = Some(Endpoint { addr: first(&draft.src).unwrap_or(UNSPECIFIED), port: ports.src, proto: ports.proto });
    request.dst = first(&draft.dst).map(|addr| Endpoint { addr, port: ports.dst, proto: ports.proto });
    request.natt_local = natt_endpoint(draft.nat_local, ports.nat_local).into();
    request.natt_remote = natt_endpoint(draft.nat_remote, ports.nat_remote).into();
    // PF_KEY needs the flag besides the extension.
    if request.natt_local.is_some() {
        request.flags |= Flags::NATT_LOC;
    }
    if request.natt_remote.is_some() {
        request.flags |= Flags::NATT_REM;
    }
    // `iproto 0` alone is the default and makes no tunnel.
    if draft.inner_src.is_some() || draft.inner_dst.is_some() || ports.has_inner() {
        request.flags |= Flags::TUNNEL;
        let missing = missing_inner(draft.inner_src.or(draft.inner_dst).is_some(), request.dst, vocabulary);
        request.inner_src = Some(inner_endpoint(draft.inner_src, missing, ports.inner_src, ports.inner_proto)).into();
        request.inner_dst = Some(inner_endpoint(draft.inner_dst, missing, ports.inner_dst, ports.inner_proto)).into();
    }
}

/// Sets the endpoints of get and delete: addresses without ports, or a port without an address.
fn complete_lookup(draft: &mut CommandDraft<'_>) {
    let proto = draft.ports.proto;
    let endpoint = |given: &Option<AddressArg<'_>>, port: u16| match given.as_ref().map(|given| &given.list) {
        Some(list) => first_of(list).map(|addr| Endpoint { addr, port: 0, proto: 0 }),
        // get and delete send a port only with an address, so the address is unspecified.
        None if port != 0 => Some(Endpoint { addr: UNSPECIFIED, port, proto }),
        None => None,
    };
    draft.request.src = endpoint(&draft.src, draft.ports.src);
    draft.request.dst = endpoint(&draft.dst, draft.ports.dst);
}

fn first_of(list: &Resolved) -> Option<IpAddr> {
    list.as_slice().first().copied()
}

/// A NAT-T endpoint. With a port alone, the address is unspecified.
fn natt_endpoint(address: Option<IpAddr>, port: u16) -> Option<Endpoint> {
    let addr = address.or_else(|| (port != 0).then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))?;
    Some(Endpoint { addr, port, proto: 0 })
}

/// The address of an inner endpoint that a command does not give: ::, even if the other one is IPv4. Without any inner address
/// it has the family of the SA on Linux, where the selector of an SA has a family, and one of the other matches no packet.
fn missing_inner(has_inner: bool, dst: Option<Endpoint>, vocabulary: Vocabulary) -> IpAddr {
    let is_ipv4 = dst.is_some_and(|dst| dst.addr.to_canonical().is_ipv4());
    if !has_inner && is_ipv4 && vocabulary == Vocabulary::Linux { Ipv4Addr::UNSPECIFIED.into() } else { UNSPECIFIED }
}

/// One inner endpoint; a missing address is the whole network of `missing`.
fn inner_endpoint(given: Option<(IpAddr, u8)>, missing: IpAddr, port: u16, proto: u8) -> InnerEndpoint {
    let (addr, prefix_len) = given.unwrap_or((missing, 0));
    InnerEndpoint { addr, prefix_len, port, proto }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::testing::{KEYS, codes, diagnostics, good};
    use crate::sa::Request;

    fn add(rest: &str) -> Request {
        *good(&format!("add esp spi 256 src 10.0.0.1 dst 10.0.0.2 {KEYS} {rest}")).0.request
    }

    fn end(endpoint: Option<Endpoint>) -> String {
        endpoint.map(|end| format!("{} {} {}", end.addr, end.port, end.proto)).unwrap_or_default()
    }

    fn inner_end(endpoint: Option<InnerEndpoint>) -> String {
        endpoint.map(|end| format!("{}/{} {} {}", end.addr, end.prefix_len, end.port, end.proto)).unwrap_or_default()
    }

    #[test]
    fn complete_change_sets_defaults() {
        let request = add("sport 5 dport 6 proto 17");
        assert_eq!((end(request.src), end(request.dst)), ("10.0.0.1 5 17".to_owned(), "10.0.0.2 6 17".to_owned()));
        assert_eq!(request.flags, Flags::default());
        let request = good("add esp spi 256 dst 10.0.0.2 auth_alg md5 authkey 00").0.request;
        assert_eq!((request.encr_alg, end(request.src)), (EncrAlg::NULL, ":: 0 0".to_owned()));
        assert_eq!(good("update ah spi 256 dst 10.0.0.2 soft_bytes 5").0.request.encr_alg, EncrAlg::NONE);
        assert_eq!(good("update esp spi 256 dst 10.0.0.2 soft_bytes 5").0.request.encr_alg, EncrAlg::NULL);
    }

    #[test]
    fn inner_addresses_set_the_tunnel_flag() {
        let request = add("isrc 192.168.1.0/24 isport 1 idport 2 iproto 6");
        assert_eq!(request.flags, Flags::TUNNEL);
        assert_eq!(inner_end(*request.inner_src), "192.168.1.0/24 1 6");
        assert_eq!(inner_end(*request.inner_dst), "::/0 2 6");
        assert_eq!(inner_end(*add("iproto 0").inner_src), "");
    }

    #[test]
    fn nat_addresses_require_encap() {
        let request = add("encap udp nat_loc 203.0.113.5 nat_lport 4500 nat_rport 4501");
        assert_eq!(request.flags, Flags::NATT_LOC | Flags::NATT_REM);
        assert_eq!(
            (end(*request.natt_local), end(*request.natt_remote)),
            ("203.0.113.5 4500 0".to_owned(), "0.0.0.0 4501 0".to_owned())
        );
        let bad = |rest: &str| codes(&format!("add esp spi 256 dst 10.0.0.2 {KEYS} {rest}"));
        for rest in ["encap udp", "nat_loc 203.0.113.5", "nat_lport 5", "encap udpx nat_lport 5"] {
            assert_eq!(bad(rest), [Code::Conflict], "{rest}");
        }
    }

    #[test]
    fn reserved_bits_may_precede_or_follow_encrkey() {
        for text in ["reserved_bits 32 encrkey 00", "encrkey 00 reserved_bits 32"] {
            let request = good(&format!("add esp spi 256 dst 10.0.0.2 encr_alg aes {text}")).0.request;
            assert_eq!(request.encr_key.map(|key| (key.bits(), key.reserved())), Some((8, 32)));
        }
    }

    #[test]
    fn get_and_delete_ignore_ports_of_addresses() {
        let request = good("delete esp spi 5 dst 10.0.0.2 sport 1024 proto 17").0.request;
        assert_eq!((end(request.src), end(request.dst)), (":: 1024 17".to_owned(), "10.0.0.2 0 0".to_owned()));
        let (command, warnings) = good("get esp spi 5 dst 10.0.0.2 dport 53");
        assert_eq!((end(command.request.dst), warnings), ("10.0.0.2 0 0".to_owned(), vec![Code::Ignored]));
        assert_eq!(end(good("get esp spi 5 dport 53").0.request.dst), ":: 53 0");
        assert_eq!(good("get esp spi 5").0.targets, [Target { src: None, dst: None }]);
    }

    #[test]
    fn missing_keywords_are_listed() {
        let missing = |text: &str| diagnostics(text).into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>();
        assert_eq!(missing("get esp dst 10.0.0.2"), ["Missing for this get: the SPI value"]);
        assert_eq!(missing("update esp spi 5"), ["Missing for this update: the destination address"]);
        let text = "add esp spi 256 dst 10.0.0.2 encr_alg aes encrkey 00 authkey 00";
        assert_eq!(missing(text), ["Missing for this add: the algorithm of the authentication key"]);
        let text = "add esp spi 256 dst 10.0.0.2 reserved_bits 8 auth_alg md5 authkey 00";
        assert_eq!(missing(text), ["Missing for this add: the encryption key that reserved_bits belongs to"]);
        assert_eq!(codes("add esp spi 256 dst 10.0.0.2 auth_alg none authkey 00"), [Code::Conflict]);
    }

    #[test]
    fn conflicting_keywords_are_errors() {
        let sa = "spi 256 dst 10.0.0.2";
        assert_eq!(codes(&format!("add ah {sa} {KEYS}")), [Code::Conflict]);
        assert_eq!(codes(&format!("add esp {sa} encr_alg null encrkey 00")), [Code::Conflict]);
        assert_eq!(codes(&format!("update-pair esp {sa} pair-spi 5")), [Code::Conflict]);
    }

    #[test]
    fn names_with_several_addresses_make_several_targets() {
        let (command, warnings) = good(&format!("add esp spi 256 src dual dst dual2 {KEYS}"));
        assert_eq!((command.targets.len(), warnings), (2, vec![]));
        assert_eq!(command.request.dst.map(|dst| dst.addr), command.targets[0].dst);
        let (command, warnings) = good(&format!("add esp spi 256 src multi4 dst dual2 {KEYS}"));
        let expected = Target { src: Some(UNSPECIFIED), dst: Some(IpAddr::from([198, 51, 100, 20])) };
        assert_eq!((command.targets, warnings), (vec![expected], vec![Code::AmbiguousName, Code::NoMatchingAddress]));
        assert_eq!(codes(&format!("add esp spi 256 src me dst 2001:db8::2 {KEYS}")), [Code::NoMatchingAddress]);
    }
}
