//! The allow list for a command of a keys file, word by word.
//!
//! A word is shown if it is vocabulary in its place, or a well-formed value of the keyword before it. From the first other word to the
//! next keyword nothing is shown: a key may be split into several words, and the keyword before it may be one of another program.

use super::citable::{Expected, is_citable};
use crate::names::keywords::{self, Field, Keyword, Value};
use crate::names::verbs::{self, Action};
use crate::names::{Vocabulary, algorithms, identities, linux, protocols, sa_types, states, times};

/// What the next word of a command is.
#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Verb,
    SaType,
    /// The topic of `help`.
    Topic,
    Keyword,
    Value(&'static Keyword),
    /// The value of an identity, after its type.
    Identity,
    /// After an unknown word, or after a keyword for a key: hidden up to the next keyword.
    Hidden,
}

/// Decides for each word of a command, in order, whether it may be shown.
#[derive(Default)]
pub(crate) struct CommandWords {
    place: Place,
}

impl CommandWords {
    /// Whether `word`, the next one of the command, may be shown.
    pub(crate) fn shows(&mut self, word: &[u8]) -> bool {
        // A keyword ends the value of the one before it, hidden or not.
        if let Some(row) = keywords::by_word(word) {
            self.place = after_keyword(row);
            return true;
        }
        let next = match self.place {
            Place::Verb => verbs::by_word(word).map(|row| after_verb(row.action)),
            Place::SaType => is_sa_type(word).then_some(Place::Keyword),
            Place::Topic => (word == b"attr" || verbs::by_word(word).is_some()).then_some(Place::Hidden),
            Place::Value(row) if row.value == Value::Identity => is_identity_type(word).then_some(Place::Identity),
            Place::Value(row) => is_value(row, word).then_some(Place::Keyword),
            Place::Identity => is_citable(word, Expected::Identity).then_some(Place::Keyword),
            Place::Keyword | Place::Hidden => None,
        };
        let is_first_unknown = !matches!(self.place, Place::Hidden);
        self.place = next.unwrap_or(Place::Hidden);
        // The start of a comment, a backslash that continues nothing, or a word in the wrong place explains the error.
        next.is_some() || is_first_unknown && (matches!(word, b"#" | b"\\") || is_vocabulary(word))
    }
}

fn after_keyword(row: &'static Keyword) -> Place {
    match row.value {
        Value::Nothing => Place::Keyword,
        Value::Key => Place::Hidden,
        _ => Place::Value(row),
    }
}

fn after_verb(action: Action) -> Place {
    match action {
        Action::Sa(_) | Action::Flush | Action::Dump | Action::Save => Place::SaType,
        Action::Help => Place::Topic,
        Action::Show | Action::Monitor | Action::PassiveMonitor | Action::Quit => Place::Hidden,
    }
}

/// Whether `word` is an SA type: a word in any case, or a number of a byte.
fn is_sa_type(word: &[u8]) -> bool {
    sa_types::TABLE.iter().any(|row| same(row.word, word)) || is_small(word)
}

/// Whether `word` is a word of the language that is no keyword.
fn is_vocabulary(word: &[u8]) -> bool {
    let linux_words = linux::MODES.iter().map(|row| row.1).chain(linux::FLAGS.iter().map(|row| row.1));
    let words =
        linux_words.chain(algorithms::names()).chain(sa_types::TABLE.iter().map(|row| row.word)).chain(verbs::words());
    words.chain(states::TABLE.iter().map(|row| row.word)).any(|known| same(known, word))
        || identities::by_word(word).is_some()
}

fn is_identity_type(word: &[u8]) -> bool {
    identities::by_word(word).is_some() || is_small(word)
}

/// Whether `word` is a well-formed value of `row`.
fn is_value(row: &Keyword, word: &[u8]) -> bool {
    match row.value {
        Value::Number(_) | Value::Lifetime(..) => {
            let is_protocol = matches!(row.field, Field::Proto | Field::InnerProto) && protocols::number(word).is_some();
            is_protocol || is_citable(word, Expected::Number)
        }
        Value::State => states::by_word(word).is_some() || is_small(word),
        Value::AuthAlg => {
            let mut known = Vocabulary::Linux.auth_algs().flat_map(|row| row.names);
            known.any(|name| same(name, word)) || same("none", word) || same("any", word) || is_small(word)
        }
        Value::EncrAlg => {
            let mut known = Vocabulary::Linux.encr_algs().flat_map(|row| row.names);
            known.any(|name| same(name, word)) || same("any", word) || is_small(word)
        }
        Value::Encap => is_citable(word, Expected::OneOf(&["udp"])),
        Value::Address | Value::Address6 | Value::Prefix | Value::Prefix6 => is_citable(word, Expected::Address),
        Value::Mode => linux::MODES.iter().any(|mode| same(mode.1, word)),
        Value::Mark => is_citable(word, Expected::Mark),
        Value::Device => is_citable(word, Expected::Device),
        Value::XfrmFlags => word.split(|byte| *byte == b',').all(|name| linux::FLAGS.iter().any(|flag| same(flag.1, name))),
        Value::Time => times::parse(word).is_some(),
        Value::Nothing | Value::Key | Value::Identity => false,
    }
}

/// Algorithms, modes and SA types are accepted in any case.
fn same(known: &str, word: &[u8]) -> bool {
    known.as_bytes().eq_ignore_ascii_case(word)
}

/// Whether `word` is a number in place of a name. Names are few, so it has at most three digits.
fn is_small(word: &[u8]) -> bool {
    word.len() <= 4 && is_citable(word, Expected::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command with its hidden words as X.
    fn shown(command: &str) -> String {
        let mut words = CommandWords::default();
        let show = |word: &str| if words.shows(word.as_bytes()) { word.to_owned() } else { "X".repeat(word.len()) };
        command.split(' ').map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shows_correct_commands() {
        verbs::words().for_each(|verb| assert_eq!(shown(verb), verb));
        for command in [
            "add esp spi 0x12345678 src 2001:0db8:85a3:0000:0000:8a2e:0370:7334 dst you.example hard_bytes 16000000 inbound",
            "update ESP spi 5 dst 10.0.0.2 isrc 192.168.1.0/24 state dead srcidtype fqdn host.example.com proto TCP",
            "add ah spi 5 dst gw auth_alg SHA256 encr_alg any mode tunnel flag esn,icmp mark 1/7 offload eth0 encap udp",
            "add 3 spi 5 dst 10.0.0.2 dstidtype 2 me@example.com auth_alg 3 state 1",
            "help attr",
        ] {
            assert_eq!(shown(command), command);
        }
    }

    #[test]
    fn hides_keys_up_to_the_next_keyword() {
        assert_eq!(shown("add esp spi 0x100 authkey 12/4 dst 10.0.0.2"), "add esp spi 0x100 authkey XXXX dst 10.0.0.2");
        assert_eq!(shown("add esp authkey 12 34 bogus spi 5"), "add esp authkey XX XX XXXXX spi 5");
        assert_eq!(shown("add esp secret 12 34 add esp 3des spi 5"), "add esp XXXXXX XX XX XXX XXX XXXX spi 5");
        assert_eq!(shown("add esp encr_alg aes 0f1e 2d3c dst 10.0.0.2"), "add esp encr_alg aes XXXX XXXX dst 10.0.0.2");
        assert_eq!(shown("add esp hard_bytes 15 30 45 60"), "add esp hard_bytes 15 XX XX XX");
        assert_eq!(shown("add esp inbound 15 spi 5"), "add esp inbound XX spi 5");
        assert_eq!(shown("0f1e 2d3c 4b5a"), "XXXX XXXX XXXX");
        assert_eq!(shown("flush 12 34"), "flush 12 XX");
        assert_eq!(shown("quit 12"), "quit XX");
        assert_eq!(shown("esp spi 5 add ESP 12"), "esp spi 5 add XXX XX");
        assert_eq!(shown("dst # \\ # spi \\"), "dst # X X spi \\");
    }

    #[test]
    fn hides_misplaced_keys_in_every_place() {
        for key in
            ["0f1e2d3c4b5a", "Dx4tPEtaaXiHlqW0w9Lh8A==", "{0x0f,", "12345678901234", "hunter2-Passw0rd", "\u{ff10}\u{ff11}"]
        {
            let hidden = "X".repeat(key.len());
            assert_eq!(shown(key), hidden);
            assert_eq!(shown(&format!("add {key}")), format!("add {hidden}"));
            for row in keywords::TABLE {
                assert_eq!(shown(&format!("add esp {} {key}", row.word)), format!("add esp {} {hidden}", row.word));
            }
            assert_eq!(shown(&format!("add esp srcidtype fqdn {key}")), format!("add esp srcidtype fqdn {hidden}"));
        }
    }
}
