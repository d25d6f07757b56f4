//! What follows a keyword, read into the draft of a command.

use std::net::IpAddr;

use crate::keyfile::diagnostics::suggest;
use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, Words};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::address;
use crate::keyfile::parse::address::Literal;
use crate::keyfile::parse::draft::{Draft, Found, Given};
use crate::keyfile::parse::key;
use crate::keyfile::parse::key::Remark;
use crate::keyfile::parse::number;
use crate::keyfile::parse::number::Problem;
use crate::names::keywords::{Field, Limit, Row, Value};
use crate::names::{Vocabulary, identities, states};
use crate::redact;
use crate::sa::{AuthAlg, EncrAlg, Flags, Identity, IdentityType, Lifetime, LifetimeKind, SaState, Spi};

/// Largest replay window: `sadb_sa_replay` has 8 bits, Linux takes `XFRMA_REPLAY_ESN_MAX` * 32.
fn replay_limit(vocabulary: Vocabulary) -> u64 {
    match vocabulary {
        Vocabulary::Illumos => 255,
        Vocabulary::Linux => 4096,
    }
}

impl<'t, W: Words<'t> + Clone> Parser<'_, 't, W> {
    /// Reads what follows the keyword `row`.
    pub(crate) fn value(&mut self, row: &'static Row, word: Word<'t>, draft: &mut Draft<'t>) {
        if row.only_linux {
            return self.linux_value(row, draft);
        }
        match row.value {
            Value::Nothing => direction(row.field, draft),
            Value::Number(max) => self.number_field(row, max, draft),
            Value::Lifetime(kind, limit) => self.lifetime(row, kind, limit, draft),
            Value::State => self.state(row, draft),
            Value::AuthAlg => self.auth_alg(row, draft),
            Value::EncrAlg => self.encr_alg(row, draft),
            Value::Encap => self.encap(row),
            Value::Key => self.key(row, draft),
            Value::Address => self.address_field(row, false, draft),
            Value::Address6 => self.address_field(row, true, draft),
            Value::Prefix => self.prefix_field(row, false, draft),
            Value::Prefix6 => self.prefix_field(row, true, draft),
            Value::Identity => self.identity(row, word, draft),
            Value::Mode | Value::Mark | Value::Device | Value::XfrmFlags => {}
        }
    }

    /// Reads a number from `min` to `max`.
    pub(crate) fn number(&mut self, row: &Row, min: u64, max: u64) -> Option<(Word<'t>, u64)> {
        let Some(word) = self.next_value() else {
            self.missing_value(row.word, "a number");
            return None;
        };
        match number::parse(word.bytes, max) {
            Ok(value) if value >= min => return Some((word, value)),
            Err(Problem::NotANumber) => {
                let message = format!("Expected a number after {}, found {}", row.word, self.quoted(word));
                let expected = "0xnnn, nnn, or octal 0nnn";
                self.report(Severity::Error, Code::NotANumber, Some(word), message, Some(expected), None);
            }
            Ok(_) | Err(Problem::TooBig) => {
                let message = format!("Invalid {} {}", row.title, self.quoted(word));
                let expected = format!("a number from {min} to {max}");
                self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(&expected), None);
            }
        }
        None
    }

    fn number_field(&mut self, row: &'static Row, max: u64, draft: &mut Draft<'t>) {
        let min = u64::from(row.field == Field::PairSpi || (row.field == Field::Spi && draft.verb.changes()));
        let max = if row.field == Field::Replay { replay_limit(self.options.vocabulary) } else { max };
        let Some((word, value)) = self.number(row, min, max) else { return };
        // The table's limits make each value fit its field.
        let (wide, port, byte) = (value as u32, value as u16, value as u8);
        match row.field {
            Field::Spi => draft.request.spi = Spi(wide),
            Field::PairSpi => {
                draft.request.pair_spi = Some(Spi(wide));
                draft.request.flags |= Flags::PAIRED;
            }
            Field::Replay => {
                draft.request.replay = wide;
                if wide > 0 {
                    self.warning(Code::ReplayWithManualKey, word, "Replay with manual keying considered harmful".to_owned());
                }
            }
            Field::ReplayValue => draft.request.replay_value = Some(wide.into()),
            Field::ReservedBits => draft.reserved_bits = port,
            Field::Sport => draft.ports.src = port,
            Field::Dport => draft.ports.dst = port,
            Field::InnerSport => draft.ports.inner_src = port,
            Field::InnerDport => draft.ports.inner_dst = port,
            Field::NatLport => draft.ports.nat_local = port,
            Field::NatRport => draft.ports.nat_remote = port,
            Field::Proto => draft.ports.proto = byte,
            Field::InnerProto => draft.ports.inner_proto = byte,
            _ => {}
        }
    }

    fn lifetime(&mut self, row: &'static Row, kind: LifetimeKind, limit: Limit, draft: &mut Draft<'t>) {
        let max = if limit == Limit::Allocations { u64::from(u32::MAX) } else { u64::MAX };
        let Some((_, value)) = self.number(row, 0, max) else { return };
        let lifetime = match kind {
            LifetimeKind::Hard => &mut draft.request.hard,
            LifetimeKind::Soft => &mut draft.request.soft,
            LifetimeKind::Idle => &mut draft.request.idle,
            LifetimeKind::Current => return,
        };
        let lifetime = lifetime.get_or_insert_with(Lifetime::default);
        match limit {
            Limit::Allocations => lifetime.allocations = value as u32,
            Limit::Bytes => lifetime.bytes = value,
            Limit::Addtime => lifetime.addtime = value,
            Limit::Usetime => lifetime.usetime = value,
        }
    }

    fn state(&mut self, row: &Row, draft: &mut Draft<'t>) {
        let expected = "larval, mature, dying, dead or a number";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let by_number = || number::parse(word.bytes, u64::from(states::MAX.0)).ok().map(|number| SaState(number as u8));
        match states::by_word(word.bytes).map(|row| row.number).or_else(by_number) {
            Some(SaState::LARVAL) => {
                let help = Some("only the kernel creates larval SAs".to_owned());
                let message = "Cannot set LARVAL SA state".to_owned();
                self.report(Severity::Error, Code::UnknownState, Some(word), message, Some("mature"), help);
            }
            Some(state) => draft.request.state = state,
            None => self.unknown(Code::UnknownState, "state type", word, expected, states::TABLE.iter().map(|row| row.word)),
        }
    }

    /// Reports a word that is none of a vocabulary.
    pub(crate) fn unknown(
        &mut self,
        code: Code,
        what: &str,
        word: Word<'t>,
        expected: &str,
        known: impl Iterator<Item = &'static str>,
    ) {
        let message = format!("Unknown {what} {}", self.quoted(word));
        let nearest = if redact::may_be_key(word.bytes) { None } else { suggest::nearest(word.bytes, known) };
        let help = nearest.map(|nearest| format!("did you mean \"{nearest}\"?"));
        self.report(Severity::Error, code, Some(word), message, Some(expected), help);
    }

    fn auth_alg(&mut self, row: &Row, draft: &mut Draft<'t>) {
        let expected = "an authentication algorithm";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let vocabulary = self.options.vocabulary;
        match algorithm(word.bytes, &["none", "any"], vocabulary.auth_algs().map(|row| (row.number.0, row.names))) {
            Some(number) => draft.request.auth_alg = AuthAlg(number),
            None => {
                let known = vocabulary.auth_algs().flat_map(|row| row.names.iter().copied());
                self.unknown(Code::UnknownAlgorithm, "authentication algorithm type", word, expected, known);
            }
        }
    }

    fn encr_alg(&mut self, row: &Row, draft: &mut Draft<'t>) {
        let expected = "an encryption algorithm";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let vocabulary = self.options.vocabulary;
        let found = algorithm(word.bytes, &["any"], vocabulary.encr_algs().map(|row| (row.number.0, row.names)));
        let Some(number) = found else {
            let known = vocabulary.encr_algs().flat_map(|row| row.names.iter().copied());
            return self.unknown(Code::UnknownAlgorithm, "encryption algorithm type", word, expected, known);
        };
        draft.request.encr_alg = EncrAlg(number);
        if let Some(cipher) = vocabulary.encr_algs().find(|row| row.number.0 == number && row.counter_mode) {
            let message =
                format!("Manual keying with a counter-mode algorithm such as \"{}\" may be insecure", cipher.names[0]);
            let help = "a packet counter that restarts with the same key reveals the traffic; use IKE, or aes-cbc with HMAC";
            self.report(Severity::Warning, Code::CounterMode, Some(word), message, None, Some(help.to_owned()));
        }
    }

    fn encap(&mut self, row: &Row) {
        let Some(word) = self.next_value() else { return self.missing_value(row.word, "udp") };
        if word.bytes != b"udp" {
            let message = format!("Unknown encapsulation {}", self.quoted(word));
            self.report(Severity::Error, Code::Conflict, Some(word), message, Some("udp"), None);
        }
    }

    fn key(&mut self, row: &'static Row, draft: &mut Draft<'t>) {
        let Some(word) = self.next_value() else { return self.missing_value(row.word, "a key in hexadecimal digits") };
        match key::decode(word.bytes) {
            Ok(decoded) => {
                match decoded.remark {
                    None => {}
                    Some(Remark::Cut) => {
                        let message = format!("Lower bits of the {} will be truncated", row.title);
                        self.warning(Code::KeyLengthChanged, word, message);
                    }
                    Some(Remark::Odd) => {
                        let message = format!("The {} has an odd number of digits; four zero bits are appended", row.title);
                        self.warning(Code::KeyLengthChanged, word, message);
                    }
                }
                let field =
                    if row.field == Field::AuthKey { &mut draft.request.auth_key } else { &mut draft.request.encr_key };
                *field = Some(decoded.key);
            }
            Err(problem) => self.bad_key(row, word, problem),
        }
    }

    fn bad_key(&mut self, row: &Row, word: Word<'t>, problem: key::Problem) {
        let title = row.title;
        let (code, message, help) = match problem {
            key::Problem::NotHex => (Code::NotHex, format!("The {title} string is not a hex string"), None),
            key::Problem::Hidden => {
                let help = "it was saved or printed with -p, which hides keys";
                (Code::NotHex, format!("The {title} string is not a hex string but a row of X"), Some(help.to_owned()))
            }
            key::Problem::NotBits => {
                let message = format!("The text after the / of the {title} is not a bit length");
                (Code::InvalidBitLength, message, Some("write the bit length as a decimal number".to_owned()))
            }
            key::Problem::BitsTooBig { expected, found } => {
                (Code::BitLengthTooBig, format!("Bit length {expected} exceeds the {found} bits of the {title}"), None)
            }
            key::Problem::TooLong => (Code::BitLengthTooBig, format!("The {title} has more than 65528 bits"), None),
        };
        self.report(
            Severity::Error,
            code,
            Some(word),
            message,
            Some("hexadecimal digits, optionally / and a bit length"),
            help,
        );
    }

    fn address_field(&mut self, row: &'static Row, six: bool, draft: &mut Draft<'t>) {
        let Some(word) = self.next() else { return self.missing_value(row.word, "an address or name") };
        let Some(list) = self.addresses(row, word, six) else { return };
        match row.field {
            Field::Src => draft.src = Some(Given { word, list }),
            Field::Dst => draft.dst = Some(Given { word, list }),
            Field::NatLoc => draft.nat_local = self.unless_vague(row, word, &list),
            _ => draft.nat_remote = self.unless_vague(row, word, &list),
        }
    }

    fn prefix_field(&mut self, row: &'static Row, six: bool, draft: &mut Draft<'t>) {
        let Some(word) = self.next() else { return self.missing_value(row.word, "an address, name or prefix") };
        let (name, prefix) = address::split_prefix(word.bytes);
        let Some(list) = self.addresses(row, Word { bytes: name, offset: word.offset }, six) else { return };
        let Some(address) = self.unless_vague(row, word, &list) else { return };
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

    /// The one address of `list`; a name with several is not used.
    fn unless_vague(&mut self, row: &Row, word: Word<'t>, list: &Found) -> Option<IpAddr> {
        let single = list.single();
        if single.is_none() {
            let message = format!("The {} {} has several addresses and is ignored", row.title, self.quoted(word));
            let help = Some("specify one of the addresses of the name".to_owned());
            self.report(Severity::Warning, Code::AmbiguousName, Some(word), message, None, help);
        }
        single
    }

    /// The addresses that a literal or a name stands for; with `six` only IPv6 ones.
    fn addresses(&mut self, row: &Row, word: Word<'t>, six: bool) -> Option<Found> {
        match address::literal(word.bytes, self.options.numeric) {
            Literal::Address(address) if six && address.is_ipv4() => self.four_for_six(row, word, address),
            Literal::Address(address) => Some(Found::One([address])),
            Literal::LeadingZero => {
                let help = Some("remove the leading zeros: some programs read them as octal, others as decimal".to_owned());
                self.unknown_address(row, word, "an IPv4 address", help)
            }
            Literal::No => {
                self.has_names = true;
                self.look_up(row, word, six)
            }
        }
    }

    /// An IPv4 literal behind a keyword for IPv6: with `-n` it counts, as it always did.
    fn four_for_six(&mut self, row: &Row, word: Word<'t>, address: IpAddr) -> Option<Found> {
        if !self.options.numeric {
            return self.unknown_address(row, word, "an IPv6 address", None);
        }
        self.warning(
            Code::MixedFamilies,
            word,
            format!("{} is for IPv6 addresses, not for {}", row.word, self.quoted(word)),
        );
        Some(Found::One([address]))
    }

    fn look_up(&mut self, row: &Row, word: Word<'t>, six: bool) -> Option<Found> {
        if self.options.numeric {
            return self.unknown_address(row, word, "an address", Some("-n disables host names".to_owned()));
        }
        let name =
            std::str::from_utf8(word.bytes).ok().filter(|name| !name.is_empty() && !redact::may_be_key(name.as_bytes()));
        let Some(name) = name else {
            let help = "a word that may be a key is not resolved".to_owned();
            return self.unknown_address(row, word, "an address or name", Some(help));
        };
        let mut list = match self.options.resolver.addresses(name) {
            Ok(list) => list,
            Err(error) => return self.unknown_address(row, word, "an address or name", Some(error.to_string())),
        };
        if six {
            list.retain(IpAddr::is_ipv6);
        }
        match list.as_slice() {
            [] => self.unknown_address(row, word, "a name with an IPv6 address", None),
            [only] => Some(Found::One([*only])),
            _ => Some(Found::Many(list)),
        }
    }

    fn unknown_address(&mut self, row: &Row, word: Word<'t>, expected: &str, help: Option<String>) -> Option<Found> {
        let message = format!("Unknown {} {}", row.title, self.quoted(word));
        self.report(Severity::Error, Code::UnknownAddress, Some(word), message, Some(expected), help);
        None
    }

    fn identity(&mut self, row: &'static Row, keyword: Word<'t>, draft: &mut Draft<'t>) {
        let expected = "prefix, fqdn, domain, user_fqdn, mailbox or a number, then the identity";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let by_number = || number::parse(word.bytes, u64::from(u16::MAX)).ok().map(|number| IdentityType(number as u16));
        let kind = identities::by_word(word.bytes).map(|row| row.number).or_else(by_number);
        if kind.is_none() {
            let known = identities::TABLE.iter().flat_map(|row| row.words.iter().copied());
            self.unknown(Code::UnknownIdentityType, "identity type", word, expected, known);
        }
        let Some(value) = self.next() else {
            let message = "Unexpected end of command line after the identity type".to_owned();
            return self.report(Severity::Error, Code::UnexpectedEnd, None, message, Some("an identity"), None);
        };
        if value.bytes.contains(&0) {
            return self.error(Code::Conflict, keyword, "An identity cannot contain a NUL byte".to_owned());
        }
        let identity = kind.map(|kind| Identity { kind, id: 0, value: value.bytes.to_vec() });
        let field =
            if row.field == Field::SrcIdType { &mut draft.request.src_identity } else { &mut draft.request.dst_identity };
        *field = identity.into();
    }
}

fn direction(field: Field, draft: &mut Draft<'_>) {
    draft.request.flags |= if field == Field::Inbound { Flags::INBOUND } else { Flags::OUTBOUND };
}

/// The number of an algorithm, given by name in any case or by number up to 255. `nothing` are the names of number 0.
fn algorithm(word: &[u8], nothing: &[&str], mut known: impl Iterator<Item = (u16, &'static [&'static str])>) -> Option<u16> {
    if word.first().is_some_and(u8::is_ascii_digit)
        && let Ok(number) = number::parse(word, u64::from(u8::MAX))
    {
        return Some(number as u16);
    }
    let same = |name: &&str| name.as_bytes().eq_ignore_ascii_case(word);
    if nothing.iter().any(same) {
        return Some(0);
    }
    known.find(|(_, names)| names.iter().any(same)).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::testing::{KEYS, codes, good, said};
    use crate::sa::{Lifetime, Seldom};

    fn add(rest: &str) -> String {
        format!("add esp spi 256 dst 10.0.0.2 {KEYS} {rest}")
    }

    #[test]
    fn numbers_land_in_their_fields() {
        let (command, warnings) =
            good(&add("pair-spi 7 replay_value 9 hard_bytes 1 hard_alloc 2 soft_addtime 3 idle_usetime 4"));
        let request = command.request;
        assert_eq!((request.pair_spi, request.flags, request.replay_value), (Some(Spi(7)), Flags::PAIRED, Some(9)));
        assert_eq!(request.hard, Some(Lifetime { bytes: 1, allocations: 2, ..Lifetime::default() }).into());
        assert_eq!(request.soft, Some(Lifetime { addtime: 3, ..Lifetime::default() }).into());
        assert_eq!(request.idle, Some(Lifetime { usetime: 4, ..Lifetime::default() }).into());
        assert_eq!(warnings, []);
        assert_eq!(good(&add("replay 32")).1, [Code::ReplayWithManualKey]);
        assert_eq!(good(&add("replay 0")).1, []);
    }

    #[test]
    fn numbers_out_of_range() {
        for rest in
            ["sport 65536", "proto 256", "replay 256", "pair-spi 0", "hard_alloc 4294967296", "replay_value 0x100000000"]
        {
            assert_eq!(codes(&add(rest)), [Code::OutOfRange], "{rest}");
        }
        assert_eq!(codes(&format!("add esp spi 0 dst 10.0.0.2 {KEYS}")), [Code::OutOfRange]);
        assert_eq!(codes("get esp spi 0"), []);
    }

    #[test]
    fn states() {
        assert_eq!(good(&add("")).0.request.state, SaState::MATURE);
        assert_eq!(good(&add("state dying")).0.request.state, SaState::DYING);
        assert_eq!(good(&add("state 2")).0.request.state, SaState::DYING);
        for rest in ["state larval", "state 0", "state Mature", "state 7", "state gone"] {
            assert_eq!(codes(&add(rest)), [Code::UnknownState], "{rest}");
        }
    }

    #[test]
    fn algorithms_by_name_or_number() {
        let auth =
            |name: &str| good(&format!("add ah spi 256 dst 10.0.0.2 auth_alg {name} authkey 00")).0.request.auth_alg.0;
        assert_eq!(["md5", "SHA1", "hmac-sha-256", "3", "05", "250"].map(auth), [2, 3, 5, 3, 5, 250]);
        for name in ["hmac_sha1", "sha2", "aes", "-1", "2x", "256"] {
            let text = format!("add ah spi 256 dst 10.0.0.2 auth_alg {name} authkey 00");
            assert_eq!(codes(&text), [Code::UnknownAlgorithm], "{name}");
        }
        assert_eq!(good("add esp spi 256 dst 10.0.0.2 encr_alg aes-gcm encrkey 00").1, [Code::CounterMode]);
    }

    #[test]
    fn keys_are_decoded_or_refused_without_a_trace() {
        let bits = |key: &str| good(&format!("add ah spi 256 dst 10.0.0.2 auth_alg md5 authkey {key}"));
        assert_eq!(bits("e/3").0.request.auth_key.map(|key| (key.bits(), key.byte_len())), Some((3, 1)));
        assert_eq!(bits("abc").1, [Code::KeyLengthChanged]);
        for (key, code) in [("12g4", Code::NotHex), ("1234/x", Code::InvalidBitLength), ("1234/17", Code::BitLengthTooBig)] {
            let found = said(&format!("add ah spi 256 dst 10.0.0.2 auth_alg md5 authkey {key}"));
            assert_eq!(found.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), [code]);
            assert!(!found[0].message.contains("12") && !found[0].message.contains("34"), "{}", found[0].message);
        }
    }

    #[test]
    fn names_and_literals() {
        assert_eq!(codes("get esp spi 5 dst6 you"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst6 10.0.0.2"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst 010.0.0.2"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst nobody"), [Code::UnknownAddress]);
        assert_eq!(codes("get esp spi 5 dst"), [Code::UnexpectedEnd]);
        assert_eq!(good("get esp spi 5 dst6 dual").0.targets.len(), 1);
    }

    #[test]
    fn prefixes_and_vague_names() {
        let inner =
            |rest: &str| good(&add(rest)).0.request.inner_src.map(|inner| (inner.addr.to_string(), inner.prefix_len));
        assert_eq!(inner("isrc 192.168.1.0/24"), Some(("192.168.1.0".to_owned(), 24)));
        assert_eq!(inner("proxy me"), Some(("192.0.2.1".to_owned(), 32)));
        assert_eq!(inner("isrc6 me6"), Some(("2001:db8::1".to_owned(), 128)));
        assert_eq!(inner("isrc ::ffff:192.168.1.0/120"), Some(("192.168.1.0".to_owned(), 24)));
        assert_eq!(inner("isrc dual"), None);
        assert_eq!(good(&add("isrc dual")).1, [Code::AmbiguousName]);
        assert_eq!(codes(&add("isrc 192.168.1.0/33")), [Code::OutOfRange]);
        assert_eq!(codes(&add("isrc nobody/24")), [Code::UnknownAddress]);
    }

    #[test]
    fn identities() {
        let (command, _) = good(&add("srcidtype Mailbox \"joe doe\" dstidtype 7 dst"));
        let text =
            |identity: Seldom<Option<Identity>>| identity.as_ref().map(|identity| (identity.kind.0, identity.value.clone()));
        assert_eq!(text(command.request.src_identity), Some((3, b"joe doe".to_vec())));
        assert_eq!(text(command.request.dst_identity), Some((7, b"dst".to_vec())));
        assert_eq!(codes(&add("srcidtype bogus x")), [Code::UnknownIdentityType]);
        assert_eq!(codes(&add("srcidtype -1 x")), [Code::UnknownIdentityType]);
        assert_eq!(codes(&add("srcidtype fqdn")), [Code::UnexpectedEnd]);
    }
}
