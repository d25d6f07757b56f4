//! Algorithms and proposals: SUPPORTED, SPIRANGE, X_EREG, PROPOSAL, X_EPROP.

use std::fmt;
use std::io::{self, Write};

use super::units;
use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::names::sa_types;
use crate::sa::{
    AuthAlg, Combination, EncrAlg, ExtendedAlgorithm, ExtendedCombination, KeyRole, Lifetime, SaType, Spi,
    SupportedAlgorithm,
};

/// The printed name of an authentication algorithm.
pub(super) struct AuthName(pub(super) AuthAlg);

impl fmt::Display for AuthName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, self.0.0, auth_by_number(self.0).map(|row| row.names))
    }
}

/// The printed name of an encryption algorithm.
pub(super) struct EncrName(pub(super) EncrAlg);

impl fmt::Display for EncrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, self.0.0, encr_by_number(self.0).map(|row| row.names))
    }
}

fn named(f: &mut fmt::Formatter<'_>, number: u16, names: Option<&[&str]>) -> fmt::Result {
    match (number, names.and_then(|names| names.first())) {
        // A table of an illumos system may name algorithms that the built-in one does not.
        (_, Some(name)) => f.write_str(name),
        (0, None) => f.write_str("<none>"),
        (_, None) => write!(f, "<unknown {number}>"),
    }
}

/// The printed words of an SA type.
pub(super) struct TypeName(pub(super) SaType);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match sa_types::by_number(self.0) {
            Some(row) => f.write_str(row.title),
            None => write!(f, "<unknown {}>", self.0.0),
        }
    }
}

/// Prints a heading and a line for each algorithm.
pub(super) fn print_supported(out: &mut dyn Write, role: KeyRole, algorithms: &[SupportedAlgorithm]) -> io::Result<()> {
    let (prefix, title) = match role {
        KeyRole::Auth => ("SUA: ", "Supported authentication algorithms"),
        KeyRole::Encr => ("SUE: ", "Supported encryption algorithms"),
    };
    writeln!(out, "{prefix}{title}")?;
    for row in algorithms {
        let number = row.id.into();
        write!(out, "{prefix}")?;
        match role {
            KeyRole::Auth => write!(out, "{}", AuthName(AuthAlg(number)))?,
            KeyRole::Encr => write!(out, "{}", EncrName(EncrAlg(number)))?,
        }
        write!(out, " minbits={} maxbits={} ivlen={} saltbits={}", row.min_bits, row.max_bits, row.iv_len, row.salt_bits)?;
        // Only ciphers have several key lengths.
        if role == KeyRole::Encr {
            write!(out, " increment={}", row.increment)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints the SPI range of a GETSPI.
pub(super) fn print_spi_range(out: &mut dyn Write, min: Spi, max: Spi) -> io::Result<()> {
    writeln!(out, "SPR: SPI Range, min={min}, max={max}")
}

/// Prints the SA types of an extended REGISTER.
pub(super) fn print_register(out: &mut dyn Write, types: &[SaType]) -> io::Result<()> {
    write!(out, "REG: Register for SA types")?;
    types.iter().try_for_each(|sa_type| write!(out, " {}", TypeName(*sa_type)))?;
    writeln!(out)
}

/// Prints a proposal of RFC 2367, with one algorithm of each kind in a combination.
pub(super) fn print_proposal(out: &mut dyn Write, replay: u8, combinations: &[Combination]) -> io::Result<()> {
    writeln!(out, "PRP: Proposal, replay window size={replay}, combinations={}", combinations.len())?;
    for (number, row) in combinations.iter().enumerate() {
        // Numbered from 1, as in the layout of ipseckey(1M).
        writeln!(out, "PRP: Combination {}, flags={:#x}", number + 1, row.flags)?;
        if row.auth != AuthAlg::NONE {
            let (min, max) = row.auth_bits;
            writeln!(out, "PRP: Authentication algorithm = {}, minbits={min}, maxbits={max}", AuthName(row.auth))?;
        }
        if row.encr != EncrAlg::NONE {
            let (min, max) = row.encr_bits;
            let name = EncrName(row.encr);
            writeln!(out, "PRP: Encryption algorithm = {name}, minbits={min}, maxbits={max}, saltbits={}", row.salt_bits)?;
        }
        print_limits(out, "PRP: ", &row.soft, &row.hard)?;
    }
    Ok(())
}

/// Prints an extended proposal of illumos, with several SA types and algorithms in a combination.
pub(super) fn print_extended(out: &mut dyn Write, replay: u8, combinations: &[ExtendedCombination]) -> io::Result<()> {
    writeln!(out, "EPR: Extended proposal, replay window size={replay}, combinations={}", combinations.len())?;
    for (number, row) in combinations.iter().enumerate() {
        writeln!(out, "EPR: Combination {}, flags={:#x}", number + 1, row.flags)?;
        row.algorithms.iter().try_for_each(|algorithm| print_algorithm(out, algorithm))?;
        print_limits(out, "EPR: ", &row.soft, &row.hard)?;
    }
    Ok(())
}

/// `SADB_X_ALGTYPE_*`: 1 authentication, 2 encryption, 3 compression.
fn print_algorithm(out: &mut dyn Write, row: &ExtendedAlgorithm) -> io::Result<()> {
    let number = row.alg.into();
    let (kind, name) = match row.kind {
        1 => ("authentication", AuthName(AuthAlg(number)).to_string()),
        2 => ("encryption", EncrName(EncrAlg(number)).to_string()),
        3 => ("compression", format!("<unknown {number}>")),
        _ => ("unknown", format!("<unknown {number}>")),
    };
    let (min, max) = row.bits;
    writeln!(
        out,
        "EPR: {} {kind} algorithm = {name}, minbits={min}, maxbits={max}, saltbits={}",
        TypeName(row.sa_type),
        row.reserved
    )
}

/// Prints the limits that are set.
fn print_limits(out: &mut dyn Write, prefix: &str, soft: &Lifetime, hard: &Lifetime) -> io::Result<()> {
    for (name, limit) in [("Soft", soft), ("Hard", hard)] {
        // An unlimited lifetime is all zeros, which would read like an expired one.
        if limit.is_unlimited() {
            continue;
        }
        let Lifetime { allocations, bytes, addtime, usetime } = *limit;
        let (of_bytes, added, used) = (units::bytes(bytes), units::seconds(addtime), units::seconds(usetime));
        writeln!(
            out,
            "{prefix}{name} lifetime: {bytes} bytes{of_bytes}, {allocations} allocations, {addtime} seconds{added} post-add, {usetime} seconds{used} post-use."
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn supported() {
        let gcm = SupportedAlgorithm { id: 20, iv_len: 8, min_bits: 128, max_bits: 256, increment: 64, salt_bits: 32 };
        assert_eq!(
            text(|out| print_supported(out, KeyRole::Encr, &[gcm])),
            "SUE: Supported encryption algorithms\nSUE: aes-gcm minbits=128 maxbits=256 ivlen=8 saltbits=32 increment=64\n"
        );
        let none = SupportedAlgorithm { id: 200, ..gcm };
        assert!(text(|out| print_supported(out, KeyRole::Auth, &[none])).contains("SUA: <unknown 200> minbits=128"));
    }

    #[test]
    fn proposals() {
        let hard = Lifetime { addtime: 7200, ..Lifetime::default() };
        let row = Combination { auth: AuthAlg(5), auth_bits: (256, 256), hard, ..Combination::default() };
        let printed = text(|out| print_proposal(out, 32, &[row]));
        assert!(
            printed.starts_with("PRP: Proposal, replay window size=32, combinations=1\nPRP: Combination 1, flags=0x0\n")
        );
        assert!(printed.contains("PRP: Authentication algorithm = hmac-sha256, minbits=256, maxbits=256\n"));
        assert!(printed.ends_with("7200 seconds (2.00 hours) post-add, 0 seconds post-use.\n"));
    }

    #[test]
    fn extended_proposals() {
        let aes = ExtendedAlgorithm { sa_type: SaType::ESP, kind: 2, alg: 12, reserved: 0, bits: (128, 256) };
        let row = ExtendedCombination { algorithms: vec![aes], ..ExtendedCombination::default() };
        let printed = text(|out| print_extended(out, 32, &[row]));
        assert!(
            printed.contains("EPR: ESP encryption algorithm = aes-cbc, minbits=128, maxbits=256, saltbits=0\n"),
            "{printed}"
        );
    }
}
