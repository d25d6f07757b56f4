//! Words of SA types.

use std::fmt;

use crate::sa::{SaId, SaType};

/// The words of an SA type.
pub(crate) struct SaTypeWords {
    pub(crate) number: SaType,
    /// In commands and keys files.
    pub(crate) word: &'static str,
    /// The name in printed messages.
    pub(crate) title: &'static str,
}

/// Every SA type of RFC 2367 and `pfkeyv2.h`. SAs can be added for AH and ESP only.
pub(crate) const TABLE: &[SaTypeWords] = &[
    SaTypeWords { number: SaType::UNSPEC, word: "all", title: "<unspecified/all>" },
    SaTypeWords { number: SaType::AH, word: "ah", title: "AH" },
    SaTypeWords { number: SaType::ESP, word: "esp", title: "ESP" },
    SaTypeWords { number: SaType(5), word: "rsvp", title: "RSVP" },
    SaTypeWords { number: SaType(6), word: "ospfv2", title: "OSPFv2" },
    SaTypeWords { number: SaType(7), word: "ripv2", title: "RIPv2" },
    SaTypeWords { number: SaType(8), word: "mip", title: "Mobile IP" },
];

#[must_use]
pub(crate) fn by_number(number: SaType) -> Option<&'static SaTypeWords> {
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
