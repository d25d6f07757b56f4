//! CommandWarnings of `-c` about valid commands: weak keys, duplicate SAs, missing authentication, peculiarities of illumos.

pub(crate) mod chains;
pub(crate) mod duplicates;
mod groups;
mod illumos;
pub(crate) mod tuple_count;

use crate::keyfile::ParsedCommand;
use crate::keyfile::command::{Command, SaCommand};
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity, Span};
use crate::keyfile::lexer::{Lexer, WordSource};
use crate::keyfile::lint::chains::{ChainCheck, DEFAULT_SKEW};
use crate::keyfile::lint::duplicates::DefinedSas;
use crate::keyfile::lint::groups::Groups;
use crate::keyfile::literals::address;
use crate::keyfile::source::Location;
use crate::names::Vocabulary;
use crate::names::algorithms;
use crate::names::algorithms::KeyBits;
use crate::names::keywords;
use crate::names::keywords::{Field, Value};
use crate::names::verbs::Verb;
use crate::names::weak_keys;
use crate::names::weak_keys::Weakness;
use crate::redact::citable_address;
use crate::sa::{AuthAlg, EncrAlg, SaId};
use crate::secret::Key;

/// Checks the commands of one text, in order.
pub(crate) struct Checker {
    vocabulary: Vocabulary,
    defined: DefinedSas,
    groups: Groups,
    chains: ChainCheck,
    has_warned_about_names: bool,
}

impl Checker {
    /// A checker for a new text of that vocabulary.
    #[must_use]
    pub(crate) fn new(vocabulary: Vocabulary) -> Self {
        Self {
            vocabulary,
            defined: DefinedSas::default(),
            groups: Groups::default(),
            chains: ChainCheck::new(DEFAULT_SKEW),
            has_warned_about_names: false,
        }
    }

    /// With the difference of the clocks of two hosts that key chains have to bear, in seconds.
    #[must_use]
    pub(crate) fn with_skew(self, skew: u64) -> Self {
        Self { chains: ChainCheck::new(skew), ..self }
    }

    /// The warnings about the text as a whole, after its last command.
    pub(crate) fn finish(&mut self) -> Vec<Diagnostic> {
        self.chains.finish()
    }

    /// First lines of the SAs of key chains that are accepted or sent with at `time`, in seconds since 1970.
    #[must_use]
    pub(crate) fn chain_lines_at(&self, time: u64) -> Vec<u32> {
        self.chains.lines_at(time)
    }

    /// When the first key chain of the text ends, in seconds since 1970; `None` if none does.
    #[must_use]
    pub(crate) fn chain_end(&self) -> Option<u64> {
        self.chains.end()
    }

    /// Checks the next command of `text`.
    #[must_use]
    pub(crate) fn check(&mut self, item: &ParsedCommand, text: &[u8]) -> Vec<Diagnostic> {
        let mut warnings = CommandWarnings { vocabulary: self.vocabulary, location: item.location, text, list: Vec::new() };
        // Once for each file: a file with names usually has them in every command.
        if item.has_names && item.outcome.is_ok() && !self.has_warned_about_names {
            self.has_warned_about_names = true;
            warnings.warn_about_names();
        }
        match &item.outcome {
            Ok(Command::Sa(command)) => self.sa_command(command, &mut warnings),
            Ok(Command::Flush(sa_type)) => self.defined.flush(*sa_type),
            _ => {}
        }
        warnings.list
    }

    fn sa_command(&mut self, command: &SaCommand, warnings: &mut CommandWarnings<'_>) {
        // A host name with several addresses makes several SAs.
        let ids = command.targets.iter().filter_map(|target| {
            let request = &command.request;
            let (sa_type, spi, mark) = (request.sa_type, request.spi, request.linux.mark);
            target.dst.map(|dst| SaId { sa_type, spi, dst, mark })
        });
        match command.verb {
            Verb::Add => {
                warnings.check_add(command);
                self.chains.add(&command.request, warnings.location);
                for found in self.groups.check(command, warnings.location.line, self.vocabulary) {
                    warnings.push(found.code, found.field, found.message, Some(found.help));
                }
                for id in ids {
                    self.add(id, warnings);
                }
            }
            // An SA that was deleted may be added again.
            Verb::Delete | Verb::DeletePair => ids.for_each(|id| {
                self.defined.remove(&id);
            }),
            Verb::Update | Verb::UpdatePair => warnings.check_keys(command),
            Verb::Get => {}
        }
        if self.vocabulary == Vocabulary::Illumos {
            illumos::rules(command).for_each(|rule| warnings.push_rule(rule));
        }
    }

    fn add(&mut self, id: SaId, warnings: &mut CommandWarnings<'_>) {
        let Some(line) = self.defined.add(id, warnings.location.line) else { return };
        let dst = citable_address(id.dst);
        let message = format!("Duplicate SA: spi {}, dst {dst} is already added in line {line}", id.spi);
        warnings.push(Code::DuplicateSa, Field::Spi, message, Some("the SADB will refuse the second one"));
    }
}

/// The warnings about one command.
struct CommandWarnings<'t> {
    vocabulary: Vocabulary,
    location: Location,
    text: &'t [u8],
    list: Vec<Diagnostic>,
}

impl CommandWarnings<'_> {
    /// Adds a warning at the value of `field`.
    fn push(&mut self, code: Code, field: Field, message: impl Into<String>, help: Option<&str>) {
        let span = self.span_of(|row, _| row.field == field);
        let diagnostic = Diagnostic::new(Severity::Warning, code, self.location, message);
        self.list.push(Diagnostic { span, help: help.map(str::to_owned), ..diagnostic });
    }

    /// Adds the warning of a rule of illumos.
    fn push_rule(&mut self, rule: &illumos::Rule) {
        let span = self.span_of(|row, _| rule.fields.contains(&row.field));
        let diagnostic = Diagnostic::new(Severity::Warning, rule.code, self.location, rule.message).at(span);
        self.list.push(if rule.help.is_empty() { diagnostic } else { diagnostic.help(rule.help) });
    }

    /// The span of the first value that `is_meant` returns true for, or else of the start of the command. The command is split
    /// again, since parsed commands do not keep the positions of their words.
    fn span_of(&self, is_meant: impl Fn(&keywords::Keyword, &[u8]) -> bool) -> Span {
        let line = self.text.get(self.location.start..self.location.end).unwrap_or_default();
        let mut lexer = Lexer::new(line, self.location.start);
        while let Some(word) = lexer.next_word() {
            let Some(row) = keywords::by_word(word.bytes).filter(|row| row.value != Value::Nothing) else { continue };
            let Some(value) = lexer.next_word() else { break };
            if is_meant(row, value.bytes) {
                return Span::locate(self.text, self.location, value.offset, value.bytes.len());
            }
        }
        Span { line: self.location.line, column: 1, len: 0 }
    }

    fn warn_about_names(&mut self) {
        let is_name = |row: &keywords::Keyword, value: &[u8]| {
            matches!(row.value, Value::Address | Value::Address6 | Value::Prefix | Value::Prefix6)
                && !address::is_literal(value)
        };
        let span = self.span_of(is_name);
        let message = "The file contains host names, which may not resolve at boot";
        let diagnostic = Diagnostic::new(Severity::Warning, Code::HostName, self.location, message);
        self.list.push(diagnostic.at(span).help("specify addresses, or start the service after the name service"));
    }

    fn check_add(&mut self, command: &SaCommand) {
        let request = &command.request;
        // A warning and no error: kernels accept these SPIs.
        if request.spi.0 < 256 {
            let help = Some("values from 1 to 255 are reserved by IANA");
            self.push(Code::ReservedSpi, Field::Spi, format!("SPI {} is in the reserved range", request.spi), help);
        }
        // For add only: an update does not repeat algorithms and keys.
        self.check_protection(command);
        self.check_keys(command);
        if request.soft.is_some() && request.hard.is_none() {
            let help = Some("illumos ignores soft limits without hard limits");
            self.push_at_command(Code::Ignored, "Soft limits without hard limits", help);
        }
        // The outer families are checked while addresses are paired; the inner ones are not.
        if let (Some(src), Some(dst)) = (*request.inner_src, *request.inner_dst)
            && src.addr.is_ipv4() != dst.addr.is_ipv4()
        {
            let help = Some("specify both inner addresses; a missing one defaults to ::/0");
            self.push_at_command(Code::MixedFamilies, "The inner addresses have different address families", help);
        }
    }

    fn push_at_command(&mut self, code: Code, message: &str, help: Option<&str>) {
        let diagnostic = Diagnostic::new(Severity::Warning, code, self.location, message);
        self.list.push(Diagnostic { help: help.map(str::to_owned), ..diagnostic });
    }

    /// Checks for algorithms without keys, and for ESP without authentication.
    fn check_protection(&mut self, command: &SaCommand) {
        let request = &command.request;
        let encr = algorithms::encr_by_number(request.encr_alg);
        if request.auth_alg != AuthAlg::NONE && request.auth_key.is_none() {
            self.push(Code::Unprotected, Field::AuthAlg, "Authentication algorithm without authkey", None);
        }
        if !matches!(request.encr_alg, EncrAlg::NONE | EncrAlg::NULL) && request.encr_key.is_none() {
            self.push(Code::Unprotected, Field::EncrAlg, "Encryption algorithm without encrkey", None);
        }
        // An unknown cipher, given by number, may be a combined one.
        let authenticates = request.auth_alg != AuthAlg::NONE || encr.is_none_or(algorithms::Encr::is_combined);
        if !authenticates {
            let help = Some("unauthenticated ciphertext can be modified (RFC 4303 section 2): add auth_alg and authkey");
            self.push(Code::Unprotected, Field::EncrAlg, "Encryption without authentication", help);
        }
    }

    fn check_keys(&mut self, command: &SaCommand) {
        let request = &command.request;
        if let Some(key) = &request.auth_key {
            let row = algorithms::auth_by_number(request.auth_alg);
            let lengths = row.map(|row| (row.key_bits, row.linux_key_bits(), 0, row.names[0]));
            self.check_key(Field::AuthKey, key, lengths);
        }
        if let Some(key) = &request.encr_key {
            let row = algorithms::encr_by_number(request.encr_alg);
            let lengths = row.map(|row| (row.key_bits, row.linux_key_bits(), row.salt_bits, row.names[0]));
            self.check_key(Field::EncrKey, key, lengths);
            if matches!(request.encr_alg, EncrAlg::DES | EncrAlg::TRIPLE_DES) {
                self.check_des_key(key);
            }
        }
    }

    /// Checks a key for an algorithm: its usual lengths, those that Linux takes, the length of the salt, the name.
    fn check_key(&mut self, field: Field, key: &Key, algorithm: Option<(KeyBits, KeyBits, u16, &str)>) {
        if key.is_all_zero() {
            self.push(
                Code::ZeroKey,
                field,
                "All-zero key",
                Some("trivially guessable: generate a random key with `ipseckey genkey`"),
            );
        }
        let Some((key_bits, linux_bits, salt_bits, name)) = algorithm else { return };
        let found = key.bits();
        // The digits include the salt, which the table of algorithms counts separately.
        let bits = u32::from(found).checked_sub(u32::from(salt_bits) + u32::from(key.reserved()));
        if bits.is_some_and(|bits| key_bits.allows(bits)) {
            return;
        }
        if self.vocabulary == Vocabulary::Linux && bits.is_some_and(|bits| linux_bits.allows(bits)) {
            let message = format!("{name} has another key length than usual: {found} bits");
            let help = format!("Linux takes it; other systems want {}", key_lengths(key_bits, salt_bits));
            self.push(Code::KeyLength, field, message, Some(&help));
        } else {
            let message = format!("{name} does not accept a key of {found} bits");
            let help = format!("the key must have {}", key_lengths(key_bits, salt_bits));
            self.push(Code::KeyLength, field, message, Some(&help));
        }
    }

    fn check_des_key(&mut self, key: &Key) {
        let message = match weak_keys::of_des(key.expose()) {
            None => return,
            // An all-zero key is reported as such.
            Some(_) if key.is_all_zero() => return,
            Some(Weakness::WeakPart) => "Weak or semi-weak DES key",
            Some(Weakness::EqualParts) => "Triple DES key with equal parts",
        };
        self.push(Code::WeakKey, Field::EncrKey, message, Some("generate a random key with `ipseckey genkey`"));
    }
}

/// The valid key lengths in bits, salt included, as text.
fn key_lengths(bits: KeyBits, salt: u16) -> String {
    let sizes: Vec<String> = bits.lengths().map(|size| (size + salt).to_string()).collect();
    match (sizes.is_empty(), salt) {
        (true, _) => "no bits".to_owned(),
        (false, 0) => format!("{} bits", sizes.join(" or ")),
        (false, _) => format!("{} bits, including {salt} bits of salt at the end", sizes.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{HostsFile, Options, Setting, commands};

    const GOOD: &str = "auth_alg md5 authkey 0123456789abcdef0123456789abcdef";

    fn check(text: &str) -> Vec<(Code, u32)> {
        let hosts = HostsFile::parse("192.0.2.1 me");
        let options = Options { vocabulary: Vocabulary::Illumos, numeric: false, setting: Setting::File, resolver: &hosts };
        let mut checker = Checker::new(Vocabulary::Illumos);
        let mut found = Vec::new();
        for item in commands(text.as_bytes(), &options) {
            assert!(item.outcome.is_ok(), "{:?}", item.diagnostics);
            found.extend(checker.check(&item, text.as_bytes()).iter().map(|warning| (warning.code, warning.span.line)));
        }
        found
    }

    #[test]
    fn checker_accepts_a_good_command() {
        assert_eq!(check(&format!("add esp spi 0x100 dst 10.0.0.2 {GOOD}\n")), []);
    }

    #[test]
    fn checker_finds_groups_that_are_outbound_only() {
        let add = |words: &str| format!("add ah spi 256 dst6 ff02::5 proto 89 {words} {GOOD}\n");
        assert_eq!(check(&add("outbound")), [(Code::OutboundGroup, 1)]);
        for words in ["", "inbound", "inbound outbound", "src6 fe80::1 outbound"] {
            assert_eq!(check(&add(words)), [], "{words}");
        }
        let from_others = format!("add ah spi 257 src6 fe80::2 dst6 ff02::5 inbound {GOOD}\n");
        assert_eq!(check(&(from_others + &add("outbound"))), []);
        assert_eq!(check(&format!("add ah spi 256 dst6 fe80::5 outbound {GOOD}\n")), []);
    }

    #[test]
    fn checker_finds_rules_of_linux_for_groups() {
        let hosts = HostsFile::default();
        let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &hosts };
        let check = |text: &str| {
            let mut checker = Checker::new(Vocabulary::Linux);
            let found = commands(text.as_bytes(), &options).flat_map(|item| checker.check(&item, text.as_bytes()));
            found.map(|warning| (warning.code, warning.span.line)).collect::<Vec<_>>()
        };
        let add = |spi: u32, words: &str| format!("add ah spi {spi} dst6 {words} proto 89 {GOOD}\n");
        assert_eq!(check(&(add(256, "ff02::5") + &add(257, "ff02::5"))), [(Code::SeveralGroupKeys, 2)]);
        for other in ["ff02::6", "ff02::5 reqid 7", "ff02::5 inbound", "ff02::5 src6 fe80::1"] {
            assert_eq!(check(&(add(256, "ff02::5") + &add(257, other))), [], "{other}");
        }
        let ipv4 = |words: &str| check(&format!("add ah spi 256 dst {words} {GOOD}\n"));
        assert_eq!(ipv4("224.0.0.5 proto 89"), [(Code::RawSockets, 1)]);
        assert_eq!((ipv4("224.0.0.5"), ipv4("224.0.0.9 proto 17 dport 520")), (vec![], vec![]));
    }

    #[test]
    fn checker_finds_duplicate_sas() {
        let add = |spi, dst| format!("add esp spi {spi} dst {dst} {GOOD}\n");
        let twice = add(256, "10.0.0.2") + &add(257, "10.0.0.2") + &add(256, "10.0.0.3") + &add(256, "10.0.0.2");
        assert_eq!(check(&twice), [(Code::DuplicateSa, 4)]);
        for between in ["flush\n", "flush esp\n", "delete esp spi 256 dst 10.0.0.2\n"] {
            assert_eq!(check(&(add(256, "10.0.0.2") + between + &add(256, "10.0.0.2"))), [], "{between}");
        }
        assert_eq!(check(&(add(256, "10.0.0.2") + "flush ah\n" + &add(256, "10.0.0.2"))), [(Code::DuplicateSa, 3)]);
    }

    #[test]
    fn checker_finds_weak_and_misfitting_keys() {
        let add = |rest: &str| check(&format!("add esp spi 0x100 dst 10.0.0.2 {rest}\n"));
        assert_eq!(add(&format!("auth_alg md5 authkey {}", "0".repeat(32))), [(Code::ZeroKey, 1)]);
        assert_eq!(add("auth_alg md5 authkey 0123"), [(Code::KeyLength, 1)]);
        assert_eq!(add(&format!("{GOOD} encr_alg des encrkey 0101010101010101")), [(Code::WeakKey, 1)]);
        assert_eq!(add(&format!("{GOOD} encr_alg 3des encrkey {}", "0123456789abcdef".repeat(3))), [(Code::WeakKey, 1)]);
        assert_eq!(add(&format!("outbound encr_alg aes-gcm encrkey {}", "12".repeat(20))), []);
        assert_eq!(add(&format!("outbound encr_alg aes-gcm encrkey {}", "12".repeat(16))), [(Code::KeyLength, 1)]);
        assert_eq!(add(&format!("encr_alg aes encrkey {}", "12".repeat(16))), [(Code::Unprotected, 1)]);
        assert_eq!(add(&format!("{GOOD} encr_alg aes")), [(Code::Unprotected, 1)]);
    }

    #[test]
    fn linux_takes_other_key_lengths() {
        let hosts = HostsFile::default();
        let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &hosts };
        for (rest, expected) in [
            ("auth_alg sha1 authkey 0123456789abcdef0123456789abcdef", "another key length than usual: 128 bits"),
            ("auth_alg sha1 authkey 0123", "does not accept a key of 16 bits"),
            ("auth_alg aes-xcbc authkey 0123456789abcdef01", "does not accept a key of 72 bits"),
        ] {
            let text = format!("add ah spi 0x100 dst 10.0.0.2 {rest}\n");
            let item = commands(text.as_bytes(), &options).next().unwrap();
            let found = Checker::new(Vocabulary::Linux).check(&item, text.as_bytes());
            assert!(found.len() == 1 && found[0].message.contains(expected), "{found:?}");
        }
    }

    #[test]
    fn checker_finds_reserved_spis_names_and_unused_values() {
        assert_eq!(check(&format!("add esp spi 255 dst 10.0.0.2 {GOOD}\n")), [(Code::ReservedSpi, 1)]);
        assert_eq!(check(&format!("add esp spi 256 \\\n dst me {GOOD}\nget esp spi 5 dst me\n")), [(Code::HostName, 2)]);
        assert_eq!(check(&format!("add esp spi 256 dst 10.0.0.2 {GOOD} soft_bytes 5\n")), [(Code::Ignored, 1)]);
        assert_eq!(check(&format!("add esp spi 256 dst 10.0.0.2 {GOOD} isrc 10.1.0.0/16\n")), [(Code::MixedFamilies, 1)]);
    }
}
