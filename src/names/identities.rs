//! Identity types: RFC 2367 section 2.3.5, illumos `net/pfkeyv2.h`, and their words in ipseckey(1M).

use crate::sa::IdentityType;

/// One identity type.
#[derive(Debug)]
pub struct Row {
    /// Its number.
    pub number: IdentityType,
    /// Its words, the saved one first. They are matched in any case.
    pub words: &'static [&'static str],
}

/// Every identity type.
pub const TABLE: &[Row] = &[
    Row { number: IdentityType(1), words: &["prefix"] },
    Row { number: IdentityType(2), words: &["fqdn", "domain", "domainname"] },
    Row { number: IdentityType(3), words: &["user_fqdn", "mailbox"] },
    Row { number: IdentityType(4), words: &["der_dn"] },
    Row { number: IdentityType(5), words: &["der_gn"] },
];

/// The identity type spelt `word`, in any case.
#[must_use]
pub fn by_word(word: &[u8]) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.words.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word)))
}

/// The row of `number`, if it has one.
#[must_use]
pub fn by_number(number: IdentityType) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back() {
        for row in TABLE {
            assert_eq!(by_number(row.number).map(|found| found.words), Some(row.words));
            for word in row.words {
                assert_eq!(by_word(word.to_uppercase().as_bytes()).map(|found| found.number), Some(row.number));
            }
        }
        assert!(by_word(b"").is_none());
        assert!(by_number(IdentityType(0)).is_none());
    }
}
