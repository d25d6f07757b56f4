//! SA types: words of the command language and of printed messages.

use std::fmt;

use crate::sa::{SaId, SaType};

/// One SA type.
pub struct Row {
    /// Its number.
    pub number: SaType,
    /// The word in commands and keys files.
    pub word: &'static str,
    /// The words in printed messages.
    pub title: &'static str,
}

/// Every SA type of RFC 2367 and `pfkeyv2.h`. Only AH and ESP have a database; `all` is not a type to add to.
pub const TABLE: &[Row] = &[
    Row { number: SaType::UNSPEC, word: "all", title: "<unspecified/all>" },
    Row { number: SaType::AH, word: "ah", title: "AH" },
    Row { number: SaType::ESP, word: "esp", title: "ESP" },
    Row { number: SaType(5), word: "rsvp", title: "RSVP" },
    Row { number: SaType(6), word: "ospfv2", title: "OSPFv2" },
    Row { number: SaType(7), word: "ripv2", title: "RIPv2" },
    Row { number: SaType(8), word: "mip", title: "Mobile IP" },
];

/// The row of `number`, if it has one.
#[must_use]
pub fn by_number(number: SaType) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.number == number)
}

/// The word of an SA type, or its number if it is unknown.
#[must_use]
pub(crate) fn type_word(sa_type: SaType) -> String {
    by_number(sa_type).map_or_else(|| sa_type.0.to_string(), |row| row.word.to_owned())
}

impl fmt::Display for SaId {
    /// As keywords of the language: `esp spi 0x1001 dst 192.0.2.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sa_type, spi, dst, mark } = *self;
        write!(f, "{} spi {spi} dst {dst}", type_word(sa_type))?;
        mark.map_or(Ok(()), |mark| write!(f, " mark {:#x}/{:#x}", mark.value, mark.mask))
    }
}
