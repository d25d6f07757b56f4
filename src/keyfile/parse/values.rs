//! The values of keywords that every SADB has: numbers, lifetimes, states, algorithms, identities.

use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::literals::number::{self, NumberError};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::CommandDraft;
use crate::names::keywords::{self, Field, Keyword, Limit, Value};
use crate::names::{Vocabulary, identities, protocols, states, times};
use crate::redact;
use crate::sa::{AuthAlg, EncrAlg, Flags, Identity, IdentityType, Lifetime, LifetimeKind, SaState, Spi};

/// Largest anti-replay window, in packets: `sadb_sa_replay` has 8 bits, Linux allows `XFRMA_REPLAY_ESN_MAX` * 32.
fn max_replay_window(vocabulary: Vocabulary) -> u64 {
    match vocabulary {
        Vocabulary::Illumos => 255,
        Vocabulary::Linux => 4096,
    }
}

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Parses the value of the keyword `row` into `draft`.
    pub(crate) fn value(&mut self, row: &'static Keyword, word: Word<'t>, draft: &mut CommandDraft<'t>) {
        if row.only_linux {
            return self.linux_value(row, draft);
        }
        match row.value {
            Value::Nothing => set_direction(row.field, draft),
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
            Value::Time => self.time(row, draft),
            // Keywords with these values are for Linux only and are handled above.
            Value::Mode | Value::Mark | Value::Device | Value::XfrmFlags => {}
        }
    }

    /// Parses a number from `min` to `max`, and returns it with its word.
    pub(crate) fn number(&mut self, row: &Keyword, min: u64, max: u64) -> Option<(Word<'t>, u64)> {
        let Some(word) = self.next_value() else {
            self.missing_value(row.word, "a number");
            return None;
        };
        match number::parse(word.bytes, max) {
            Ok(value) if value >= min => return Some((word, value)),
            // Two codes: for a unit such as `8h` the syntax is the help, for a large number the range.
            Err(NumberError::NotANumber) => {
                let message = format!("Expected a number after {}, found {}", row.word, self.quoted(word));
                let expected = "0xnnn, nnn, or octal 0nnn";
                self.report(Severity::Error, Code::NotANumber, Some(word), message, Some(expected), None);
            }
            Ok(_) | Err(NumberError::TooBig) => {
                let message = format!("Invalid {} {}", row.title, self.quoted(word));
                let expected = format!("a number from {min} to {max}");
                self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(&expected), None);
            }
        }
        None
    }

    /// Parses the value of `proto` or `iproto`: a number, or a name of protocols(5) in any case.
    fn protocol(&mut self, row: &'static Keyword, max: u64, draft: &mut CommandDraft<'t>) {
        let named = self.peek().and_then(|word| protocols::number(word.bytes));
        let proto = match named {
            Some(proto) => {
                let _ = self.next();
                proto
            }
            None => {
                // A word in place of a number is a mistyped name.
                let mistyped = self.peek().filter(|word| word.bytes.first().is_some_and(u8::is_ascii_alphabetic));
                if let Some(word) = mistyped.filter(|word| keywords::by_word(word.bytes).is_none()) {
                    let _ = self.next();
                    let known = protocols::names().map(|row| row.0);
                    return self.unknown(Code::NotANumber, row.title, word, "a number, or a name such as tcp", known);
                }
                let Some((_, value)) = self.number(row, 0, max) else { return };
                // The cast loses nothing: the limit in the table of keywords is that of the field.
                value as u8
            }
        };
        let ports = &mut draft.ports;
        let field = if row.field == Field::Proto { &mut ports.proto } else { &mut ports.inner_proto };
        *field = proto;
    }

    fn number_field(&mut self, row: &'static Keyword, max: u64, draft: &mut CommandDraft<'t>) {
        if matches!(row.field, Field::Proto | Field::InnerProto) {
            return self.protocol(row, max, draft);
        }
        // SPI 0 is never sent (RFC 4303 section 2.1), so no SA can have it; get may ask for it in vain.
        let min = u64::from(row.field == Field::PairSpi || (row.field == Field::Spi && draft.verb.changes()));
        let max = match (row.field, self.options.vocabulary) {
            (Field::Replay, vocabulary) => max_replay_window(vocabulary),
            // Sequence numbers with ESN have 64 bits.
            (Field::ReplayValue, Vocabulary::Linux) => u64::MAX,
            _ => max,
        };
        let Some((word, value)) = self.number(row, min, max) else { return };
        // The casts lose nothing: the limits in the table of keywords are those of the fields.
        let (wide, port) = (value as u32, value as u16);
        match row.field {
            Field::Spi => draft.request.spi = Spi(wide),
            Field::PairSpi => {
                draft.request.pair_spi = Some(Spi(wide));
                // PF_KEY marks a pair by the flag and by the extension.
                draft.request.flags |= Flags::PAIRED;
            }
            Field::Replay => {
                draft.request.replay = wide;
                if wide > 0 {
                    self.warning(Code::ReplayWithManualKey, word, "Replay with manual keying considered harmful".to_owned());
                }
            }
            Field::ReplayValue => draft.request.replay_value = Some(value),
            Field::ReservedBits => draft.reserved_bits = port,
            Field::Sport => draft.ports.src = port,
            Field::Dport => draft.ports.dst = port,
            Field::InnerSport => draft.ports.inner_src = port,
            Field::InnerDport => draft.ports.inner_dst = port,
            Field::NatLport => draft.ports.nat_local = port,
            Field::NatRport => draft.ports.nat_remote = port,
            _ => {}
        }
    }

    fn lifetime(&mut self, row: &'static Keyword, kind: LifetimeKind, limit: Limit, draft: &mut CommandDraft<'t>) {
        // `sadb_lifetime_allocations` has 32 bits, the other limits 64.
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

    fn state(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "larval, mature, dying, dead or a number";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let by_number = || number::parse(word.bytes, u64::from(states::MAX.0)).ok().map(|number| SaState(number as u8));
        match states::by_word(word.bytes).map(|row| row.number).or_else(by_number) {
            // A larval SA waits for keys from a daemon; one from a file would never get them.
            Some(SaState::LARVAL) => {
                let help = Some("only the kernel creates larval SAs".to_owned());
                let message = "Cannot set LARVAL SA state".to_owned();
                self.report(Severity::Error, Code::UnknownState, Some(word), message, Some("mature"), help);
            }
            Some(state) => draft.request.state = state,
            None => self.unknown(Code::UnknownState, "state type", word, expected, states::TABLE.iter().map(|row| row.word)),
        }
    }

    /// Reports a word that is not one of `known`, with the nearest of them as a suggestion.
    pub(crate) fn unknown(
        &mut self,
        code: Code,
        what: &str,
        word: Word<'t>,
        expected: &str,
        known: impl Iterator<Item = &'static str>,
    ) {
        let message = format!("Unknown {what} {}", self.quoted(word));
        let help = redact::did_you_mean(word.bytes, known);
        self.report(Severity::Error, code, Some(word), message, Some(expected), help);
    }

    fn auth_alg(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
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

    fn encr_alg(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "an encryption algorithm";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let vocabulary = self.options.vocabulary;
        let found = algorithm(word.bytes, &["any"], vocabulary.encr_algs().map(|row| (row.number.0, row.names)));
        let Some(number) = found else {
            let known = vocabulary.encr_algs().flat_map(|row| row.names.iter().copied());
            return self.unknown(Code::UnknownAlgorithm, "encryption algorithm type", word, expected, known);
        };
        draft.request.encr_alg = EncrAlg(number);
        // A number selects an algorithm too, so the row is looked up again by number.
        if let Some(cipher) = vocabulary.encr_algs().find(|row| row.number.0 == number && row.counter_mode) {
            let message =
                format!("Manual keying with a counter-mode algorithm such as \"{}\" may be insecure", cipher.names[0]);
            let help = "a packet counter that restarts with the same key reveals the traffic; use IKE, or aes-cbc with HMAC";
            self.report(Severity::Warning, Code::CounterMode, Some(word), message, None, Some(help.to_owned()));
        }
    }

    fn encap(&mut self, row: &Keyword) {
        let Some(word) = self.next_value() else { return self.missing_value(row.word, "udp") };
        if word.bytes != b"udp" {
            let message = format!("Unknown encapsulation {}", self.quoted(word));
            self.report(Severity::Error, Code::Conflict, Some(word), message, Some("udp"), None);
        }
    }

    fn time(&mut self, row: &'static Keyword, draft: &mut CommandDraft<'t>) {
        let Some(word) = self.next_value() else { return self.missing_value(row.word, times::EXPECTED) };
        let Some(time) = times::parse(word.bytes) else {
            let message = format!("Invalid {} {}", row.title, self.quoted(word));
            return self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(times::EXPECTED), None);
        };
        let windows = &mut *draft.request.windows;
        let side = match row.field {
            Field::AcceptFrom => &mut windows.accept.from,
            Field::AcceptUntil => &mut windows.accept.until,
            Field::SendFrom => &mut windows.send.from,
            // Only `send_until` is left.
            _ => &mut windows.send.until,
        };
        *side = Some(time);
    }

    fn identity(&mut self, row: &'static Keyword, keyword: Word<'t>, draft: &mut CommandDraft<'t>) {
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
        // PF_KEY identities are C strings: a NUL would cut them off.
        if value.bytes.contains(&0) {
            return self.error(Code::Conflict, keyword, "An identity cannot contain a NUL byte".to_owned());
        }
        // `None` if the type is unknown: the value is consumed anyway, so that it is not reported as an unknown keyword.
        let identity = kind.map(|kind| Identity { kind, id: 0, value: value.bytes.to_vec() });
        let field =
            if row.field == Field::SrcIdType { &mut draft.request.src_identity } else { &mut draft.request.dst_identity };
        *field = identity.into();
    }
}

fn set_direction(field: Field, draft: &mut CommandDraft<'_>) {
    draft.request.flags |= if field == Field::Inbound { Flags::INBOUND } else { Flags::OUTBOUND };
}

/// Parses an algorithm: a name in any case, or a number up to 255. `none` are the names of number 0.
fn algorithm(word: &[u8], none: &[&str], mut known: impl Iterator<Item = (u16, &'static [&'static str])>) -> Option<u16> {
    // `3des` begins with a digit and is not a number.
    if word.first().is_some_and(u8::is_ascii_digit)
        && let Ok(number) = number::parse(word, u64::from(u8::MAX))
    {
        return Some(number as u16);
    }
    let same = |name: &&str| name.as_bytes().eq_ignore_ascii_case(word);
    if none.iter().any(same) {
        return Some(0);
    }
    known.find(|(_, names)| names.iter().any(same)).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::testing::{KEYS, add, codes, good};
    use crate::sa::{Lifetime, Sparse};

    #[test]
    fn number_field_sets_each_field() {
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
    fn number_field_rejects_values_out_of_range() {
        for rest in
            ["sport 65536", "proto 256", "replay 256", "pair-spi 0", "hard_alloc 4294967296", "replay_value 0x100000000"]
        {
            assert_eq!(codes(&add(rest)), [Code::OutOfRange], "{rest}");
        }
        assert_eq!(codes(&format!("add esp spi 0 dst 10.0.0.2 {KEYS}")), [Code::OutOfRange]);
        assert_eq!(codes("get esp spi 0"), []);
    }

    #[test]
    fn proto_accepts_names_and_numbers() {
        let proto = |word: &str| good(&add(&format!("sport 179 proto {word}"))).0.request.dst.map(|dst| dst.proto);
        assert_eq!(["tcp", "OSPF", "ipv6-icmp", "6", "0x11"].map(proto), [6, 89, 58, 6, 17].map(Some));
        assert_eq!(good(&add("iproto icmp")).0.request.inner_src.map(|inner| inner.proto), Some(1));
        assert_eq!(codes(&add("proto tpc")), [Code::NotANumber]);
        assert_eq!(codes(&add("proto sport 5")), [Code::MissingArgument]);
    }

    #[test]
    fn state_accepts_words_and_numbers() {
        assert_eq!(good(&add("")).0.request.state, SaState::MATURE);
        assert_eq!(good(&add("state dying")).0.request.state, SaState::DYING);
        assert_eq!(good(&add("state 2")).0.request.state, SaState::DYING);
        for rest in ["state larval", "state 0", "state Mature", "state 7", "state gone"] {
            assert_eq!(codes(&add(rest)), [Code::UnknownState], "{rest}");
        }
    }

    #[test]
    fn algorithm_accepts_names_and_numbers() {
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
    fn identity_takes_a_type_and_a_value() {
        let (command, _) = good(&add("srcidtype Mailbox \"joe doe\" dstidtype 7 dst"));
        let text =
            |identity: Sparse<Option<Identity>>| identity.as_ref().map(|identity| (identity.kind.0, identity.value.clone()));
        assert_eq!(text(command.request.src_identity), Some((3, b"joe doe".to_vec())));
        assert_eq!(text(command.request.dst_identity), Some((7, b"dst".to_vec())));
        assert_eq!(codes(&add("srcidtype bogus x")), [Code::UnknownIdentityType]);
        assert_eq!(codes(&add("srcidtype -1 x")), [Code::UnknownIdentityType]);
        assert_eq!(codes(&add("srcidtype fqdn")), [Code::UnexpectedEnd]);
    }
}
