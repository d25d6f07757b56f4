//! SA types: words of the command language and of printed messages.

use crate::sa::SaType;

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
