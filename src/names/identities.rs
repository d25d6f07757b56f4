//! Identity types: RFC 2367 section 2.3.5, illumos `net/pfkeyv2.h`, and their words in ipseckey(1M).

use crate::sa::IdentityType;

/// The words of an identity type.
#[derive(Debug)]
pub(crate) struct IdentityWords {
    pub(crate) number: IdentityType,
    /// The saved word first. They are matched in any case.
    pub(crate) words: &'static [&'static str],
}

pub(crate) const TABLE: &[IdentityWords] = &[
    IdentityWords { number: IdentityType(1), words: &["prefix"] },
    IdentityWords { number: IdentityType(2), words: &["fqdn", "domain", "domainname"] },
    IdentityWords { number: IdentityType(3), words: &["user_fqdn", "mailbox"] },
    IdentityWords { number: IdentityType(4), words: &["der_dn"] },
    IdentityWords { number: IdentityType(5), words: &["der_gn"] },
];

/// Finds an identity type by its word in any case.
#[must_use]
pub(crate) fn by_word(word: &[u8]) -> Option<&'static IdentityWords> {
    TABLE.iter().find(|row| row.words.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word)))
}

#[must_use]
pub(crate) fn by_number(number: IdentityType) -> Option<&'static IdentityWords> {
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
