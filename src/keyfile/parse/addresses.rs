//! The values of keywords for addresses: literals, prefixes and host names.

use std::net::IpAddr;

use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::literals::address::{self, Literal};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::{AddressArg, CommandDraft, Resolved};
use crate::names::keywords::{Field, Keyword};
use crate::redact::{self, Expected};

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Parses the value of an outer or NAT-T address; with `ipv6_only`, of a keyword such as `dst6`.
    pub(super) fn address_field(&mut self, row: &'static Keyword, ipv6_only: bool, draft: &mut CommandDraft<'t>) {
        let Some(word) = self.next() else { return self.missing_value(row.word, "an address or name") };
        let Some(list) = self.addresses(row, word, ipv6_only) else { return };
        match row.field {
            Field::Src => draft.src = Some(AddressArg { word, list }),
            Field::Dst => draft.dst = Some(AddressArg { word, list }),
            Field::NatLoc => draft.nat_local = self.single_address(row, word, &list),
            // Only `nat_rem` is left.
            _ => draft.nat_remote = self.single_address(row, word, &list),
        }
    }

    /// Parses the value of an inner address, which may have a prefix length.
    pub(super) fn prefix_field(&mut self, row: &'static Keyword, ipv6_only: bool, draft: &mut CommandDraft<'t>) {
        let Some(word) = self.next() else { return self.missing_value(row.word, "an address, name or prefix") };
        let (name, prefix) = address::split_prefix(word.bytes);
        let Some(list) = self.addresses(row, Word { bytes: name, offset: word.offset }, ipv6_only) else { return };
        let Some(address) = self.single_address(row, word, &list) else { return };
        // An IPv4-mapped IPv6 address is IPv4 by now, but its prefix length still counts from the start of the IPv6 address.
        let mapped = name.contains(&b':') && address.is_ipv4();
        let len = match prefix.map(|digits| address::prefix_len(digits, address, mapped)) {
            None => address::width(address),
            Some(Some(len)) => len,
            Some(None) => {
                let message = format!("Invalid prefix length in {}", self.quoted(word));
                let expected = format!("a number from 0 to {}", address::width(address));
                return self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(&expected), None);
            }
        };
        let field = if row.field == Field::InnerSrc { &mut draft.inner_src } else { &mut draft.inner_dst };
        *field = Some((address, len));
    }

    /// The only address of `list`. If there are several, none is chosen: a guess could protect the wrong traffic.
    fn single_address(&mut self, row: &Keyword, word: Word<'t>, list: &Resolved) -> Option<IpAddr> {
        let single = list.single();
        if single.is_none() {
            let message = format!("The {} {} has several addresses and is ignored", row.title, self.quoted(word));
            let help = Some("specify one of the addresses of the name".to_owned());
            self.report(Severity::Warning, Code::AmbiguousName, Some(word), message, None, help);
        }
        single
    }

    /// The addresses of a literal or host name, with `ipv6_only` limited to IPv6.
    fn addresses(&mut self, row: &Keyword, word: Word<'t>, ipv6_only: bool) -> Option<Resolved> {
        match address::parse(word.bytes, self.options.numeric) {
            Literal::Address(address) if ipv6_only && address.is_ipv4() => self.ipv4_for_ipv6(row, word, address),
            Literal::Address(address) => Some(Resolved::One([address])),
            Literal::LeadingZero => {
                let help = Some("remove the leading zeros: some programs read them as octal, others as decimal".to_owned());
                self.unknown_address(row, word, "an IPv4 address", help)
            }
            Literal::NotAnAddress if without_zone(word.bytes).is_some() => self.zone(row, word),
            Literal::NotAnAddress => {
                self.has_names = true;
                self.look_up(row, word, ipv6_only)
            }
        }
    }

    /// Handles an IPv4 address after a keyword for IPv6. With `-n` it has always been accepted, and keys files may
    /// depend on it.
    fn ipv4_for_ipv6(&mut self, row: &Keyword, word: Word<'t>, address: IpAddr) -> Option<Resolved> {
        if !self.options.numeric {
            return self.unknown_address(row, word, "an IPv6 address", None);
        }
        self.warning(
            Code::MixedFamilies,
            word,
            format!("{} is for IPv6 addresses, not for {}", row.word, self.quoted(word)),
        );
        Some(Resolved::One([address]))
    }

    /// Reports an address with a zone. The address is shown, the zone is not: it may be any word.
    fn zone(&mut self, row: &Keyword, word: Word<'t>) -> Option<Resolved> {
        let address = without_zone(word.bytes)?;
        let message = format!("The {} {address} has a zone", row.title);
        let help = format!("an SA has no interface of its own: write {address} without the % and the text after it");
        self.report(Severity::Error, Code::UnknownAddress, Some(word), message, Some("an address"), Some(help));
        None
    }

    fn look_up(&mut self, row: &Keyword, word: Word<'t>, ipv6_only: bool) -> Option<Resolved> {
        if self.options.numeric {
            return self.unknown_address(row, word, "an address", Some("-n disables host names".to_owned()));
        }
        // Queries to a name server cross the network in the clear: a misplaced key must not
        // become one.
        let name = std::str::from_utf8(word.bytes).ok().filter(|name| redact::is_looked_up(name.as_bytes()));
        let Some(name) = name else {
            return self.unknown_address(row, word, "an address or name", Some(help_for_unresolved(word.bytes).to_owned()));
        };
        let mut list = match self.options.resolver.addresses(name) {
            Ok(list) => list,
            Err(error) => return self.unknown_address(row, word, "an address or name", Some(error.to_string())),
        };
        // A host with both families is usable after a keyword for IPv6.
        if ipv6_only {
            list.retain(IpAddr::is_ipv6);
        }
        match list.as_slice() {
            [] => self.unknown_address(row, word, "a name with an IPv6 address", None),
            [only] => Some(Resolved::One([*only])),
            _ => Some(Resolved::Many(list)),
        }
    }

    fn unknown_address(&mut self, row: &Keyword, word: Word<'t>, expected: &str, help: Option<String>) -> Option<Resolved> {
        let message = format!("Unknown {} {}", row.title, self.quoted(word));
        self.report(Severity::Error, Code::UnknownAddress, Some(word), message, Some(expected), help);
        None
    }
}

/// The address before a zone, as in `fe80::1%eth0` (RFC 4007 section 11.2).
fn without_zone(word: &[u8]) -> Option<IpAddr> {
    let (address, _) = std::str::from_utf8(word).ok()?.split_once('%')?;
    // The address is shown.
    address.parse().ok().filter(|_| redact::is_citable(address.as_bytes(), Expected::Address))
}

/// Why a word is not sent to a name server.
fn help_for_unresolved(word: &[u8]) -> &'static str {
    if word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return "not an IPv4 address: it has four numbers from 0 to 255";
    }
    "only names with a dot, or of at most 15 lower-case letters and digits, are resolved: a key must not be sent to a name server"
}

#[cfg(test)]
mod tests {
    use crate::keyfile::Code;
    use crate::keyfile::testing::{KEYS, add, codes, diagnostics, good};

    #[test]
    fn addresses_accepts_names_and_literals() {
        assert_eq!(codes("get esp spi 5 dst6 you"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst6 10.0.0.2"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst 010.0.0.2"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst unknown"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst"), [Code::UnexpectedEnd]);
        assert_eq!(good("get esp spi 5 dst6 dual").0.targets.len(), 1);
    }

    #[test]
    fn a_zone_has_a_message_of_its_own() {
        for rest in ["src fe80::1%eth0", "isrc fe80::1%2/64", "src6 fe80::1%eth0"] {
            let found = diagnostics(&format!("add esp spi 256 dst ff02::5 {KEYS} {rest}"));
            assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::UnknownAddress], "{rest}");
            assert!(found[0].message.ends_with("fe80::1 has a zone"), "{}", found[0].message);
            assert!(found[0].help.as_ref().is_some_and(|help| help.contains("write fe80::1 without")));
        }
    }

    #[test]
    fn prefix_field_needs_a_single_address() {
        let inner =
            |rest: &str| good(&add(rest)).0.request.inner_src.map(|inner| (inner.addr.to_string(), inner.prefix_len));
        assert_eq!(inner("isrc 192.168.1.0/24"), Some(("192.168.1.0".to_owned(), 24)));
        assert_eq!(inner("proxy me"), Some(("192.0.2.1".to_owned(), 32)));
        assert_eq!(inner("isrc6 me6"), Some(("2001:db8::1".to_owned(), 128)));
        assert_eq!(inner("isrc ::ffff:192.168.1.0/120"), Some(("192.168.1.0".to_owned(), 24)));
        assert_eq!(inner("isrc dual"), None);
        assert_eq!(good(&add("isrc dual")).1, [Code::AmbiguousName]);
        assert_eq!(codes(&add("isrc 192.168.1.0/33")), [Code::OutOfRange]);
        assert_eq!(codes(&add("isrc unknown/24")), [Code::UnknownAddress]);
    }
}
