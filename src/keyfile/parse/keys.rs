//! The values of `authkey` and `encrkey`. No message contains a digit of a key.

use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::literals::key::{self, KeyError, LengthChange};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::CommandDraft;
use crate::names::keywords::{Field, Keyword};

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Parses the value of `authkey` or `encrkey`.
    pub(super) fn key(&mut self, row: &'static Keyword, draft: &mut CommandDraft<'t>) {
        let Some(word) = self.next_value() else { return self.missing_value(row.word, "a key in hexadecimal digits") };
        let decoded = match key::decode(word.bytes) {
            Ok(decoded) => decoded,
            Err(error) => return self.report_key_error(row, word, error),
        };
        if let Some(change) = decoded.length_change {
            let message = match change {
                LengthChange::Truncated => format!("Lower bits of the {} will be truncated", row.title),
                LengthChange::Padded => {
                    format!("The {} has an odd number of digits; four zero bits are appended", row.title)
                }
            };
            self.warning(Code::KeyLengthChanged, word, message);
        }
        let request = &mut draft.request;
        let field = if row.field == Field::AuthKey { &mut request.auth_key } else { &mut request.encr_key };
        *field = Some(decoded.key);
    }

    fn report_key_error(&mut self, row: &Keyword, word: Word<'t>, error: KeyError) {
        let title = row.title;
        // No message contains the word: most of it may be the digits of a real key.
        let (code, message, help) = match error {
            KeyError::NotHex => (Code::NotHex, format!("The {title} string is not a hex string"), None),
            // The likely cause, and not obvious from "not a hex string".
            KeyError::Hidden => {
                let help = "it was saved or printed with -p, which hides keys";
                (Code::NotHex, format!("The {title} string is not a hex string but a row of X"), Some(help.to_owned()))
            }
            KeyError::NotBits => {
                let message = format!("The text after the / of the {title} is not a bit length");
                (Code::InvalidBitLength, message, Some("write the bit length as a decimal number".to_owned()))
            }
            KeyError::BitsTooBig { requested, found } => {
                (Code::BitLengthTooBig, format!("Bit length {requested} exceeds the {found} bits of the {title}"), None)
            }
            KeyError::TooLong => (Code::BitLengthTooBig, format!("The {title} has more than 65528 bits"), None),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::testing::{diagnostics, good};

    #[test]
    fn keys_are_decoded_or_rejected_without_being_cited() {
        let bits = |key: &str| good(&format!("add ah spi 256 dst 10.0.0.2 auth_alg md5 authkey {key}"));
        assert_eq!(bits("e/3").0.request.auth_key.map(|key| (key.bits(), key.byte_len())), Some((3, 1)));
        assert_eq!(bits("abc").1, [Code::KeyLengthChanged]);
        for (key, code) in [("12g4", Code::NotHex), ("1234/x", Code::InvalidBitLength), ("1234/17", Code::BitLengthTooBig)] {
            let found = diagnostics(&format!("add ah spi 256 dst 10.0.0.2 auth_alg md5 authkey {key}"));
            assert_eq!(found.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), [code]);
            assert!(!found[0].message.contains("12") && !found[0].message.contains("34"), "{}", found[0].message);
        }
    }
}
