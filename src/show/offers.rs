//! Algorithms and proposals: SUPPORTED, SPIRANGE, X_EREG, PROPOSAL, X_EPROP.

use std::fmt;
use std::io::{self, Write};

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
    let (prefix, kind) = match role {
        KeyRole::Auth => ("SUA: ", "authentication"),
        KeyRole::Encr => ("SUE: ", "encryption"),
    };
    writeln!(out, "{prefix}Supported {kind} algorithms.")?;
    for row in algorithms {
        let number = row.id.into();
        write!(out, "{prefix}")?;
        match role {
            KeyRole::Auth => write!(out, "{}", AuthName(AuthAlg(number)))?,
            KeyRole::Encr => write!(out, "{}", EncrName(EncrAlg(number)))?,
        }
        let SupportedAlgorithm { iv_len, min_bits, max_bits, salt_bits, .. } = row;
        write!(out, " minbits={min_bits}, maxbits={max_bits}, ivlen={iv_len}, saltbits={salt_bits}")?;
        // Only ciphers have several key lengths.
        if role == KeyRole::Encr {
            write!(out, ", increment={}", row.increment)?;
        }
        writeln!(out, ".")?;
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
    writeln!(out, "PRP: Proposal, replay counter = {replay}.")?;
    for (number, row) in combinations.iter().enumerate() {
        // What follows the number is on the same line, be it an algorithm or, without one, the hard lifetime.
        write!(out, "PRP:  Combination #{} ", number + 1)?;
        if row.auth != AuthAlg::NONE {
            let (min, max) = row.auth_bits;
            write!(out, "Authentication = {}  minbits={min}, maxbits={max}.\nPRP:  ", AuthName(row.auth))?;
        }
        if row.encr != EncrAlg::NONE {
            let ((min, max), salt) = (row.encr_bits, row.salt_bits);
            let name = EncrName(row.encr);
            write!(out, "Encryption = {name}  minbits={min}, maxbits={max}, saltbits={salt}.\nPRP:  ")?;
        }
        writeln!(out, "HARD: {}", Limits(&row.hard))?;
        writeln!(out, "PRP:  SOFT: {}", Limits(&row.soft))?;
    }
    Ok(())
}

/// The limits of a combination that are not 0. Each but the last possible one has a space after it.
struct Limits<'l>(&'l Lifetime);

impl fmt::Display for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lifetime { allocations, bytes, addtime, usetime } = *self.0;
        let limits = [
            ("alloc=", allocations.into(), " "),
            ("bytes=", bytes, " "),
            ("post-add secs=", addtime, " "),
            ("post-use secs=", usetime, ""),
        ];
        limits.iter().filter(|(_, limit, _)| *limit != 0).try_for_each(|(name, limit, end)| write!(f, "{name}{limit}{end}"))
    }
}

/// Prints an extended proposal of illumos, with several SA types and algorithms in a combination.
pub(super) fn print_extended(out: &mut dyn Write, replay: u8, combinations: &[ExtendedCombination]) -> io::Result<()> {
    let count = combinations.len();
    writeln!(out, "EPR: Extended Proposal, replay counter = {replay}, number of combinations = {count}.")?;
    for (number, row) in combinations.iter().enumerate() {
        writeln!(out, "EPR:  Extended combination #{}:", number + 1)?;
        print_all_limits(out, "HARD", &row.hard)?;
        print_all_limits(out, "SOFT", &row.soft)?;
        row.algorithms.iter().enumerate().try_for_each(|(number, row)| print_algorithm(out, number + 1, row))?;
    }
    Ok(())
}

/// Prints the limits of an extended combination, those of 0 too.
fn print_all_limits(out: &mut dyn Write, name: &str, limits: &Lifetime) -> io::Result<()> {
    let Lifetime { allocations, bytes, addtime, usetime } = *limits;
    writeln!(out, "EPR:  {name}: alloc={allocations}, bytes={bytes}, post-add secs={addtime}, post-use secs={usetime}")
}

/// Prints an algorithm of an extended combination.
fn print_algorithm(out: &mut dyn Write, number: usize, row: &ExtendedAlgorithm) -> io::Result<()> {
    let sa_type = match row.sa_type {
        SaType::AH => "AH".to_owned(),
        SaType::ESP => "ESP".to_owned(),
        other => format!("satype={}", other.0),
    };
    // SADB_X_ALGTYPE_AUTH and SADB_X_ALGTYPE_CRYPT.
    let algorithm = match row.kind {
        1 => format!("Authentication = {}", AuthName(AuthAlg(row.alg.into()))),
        2 => format!("Encryption = {}", EncrName(EncrAlg(row.alg.into()))),
        kind => format!("algtype({kind}) = alg({})", row.alg),
    };
    let ((min, max), salt) = (row.bits, row.reserved);
    writeln!(out, "EPR:  Alg #{number} for {sa_type} {algorithm}  minbits={min}, maxbits={max}, saltbits={salt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The texts of these tests are recorded from the ipseckey of illumos.
    #[test]
    fn supported() {
        let sha1 = SupportedAlgorithm { id: 3, iv_len: 0, min_bits: 160, max_bits: 160, increment: 0, salt_bits: 0 };
        assert_eq!(
            text(|out| print_supported(out, KeyRole::Auth, &[sha1])),
            "SUA: Supported authentication algorithms.\n\
             SUA: hmac-sha1 minbits=160, maxbits=160, ivlen=0, saltbits=0.\n"
        );
        let des = SupportedAlgorithm { id: 3, iv_len: 64, min_bits: 192, max_bits: 192, increment: 64, salt_bits: 0 };
        assert_eq!(
            text(|out| print_supported(out, KeyRole::Encr, &[des])),
            "SUE: Supported encryption algorithms.\n\
             SUE: 3des-cbc minbits=192, maxbits=192, ivlen=64, saltbits=0, increment=64.\n"
        );
        let none = SupportedAlgorithm { id: 200, ..des };
        assert!(text(|out| print_supported(out, KeyRole::Auth, &[none])).contains("SUA: <unknown 200> minbits=192,"));
    }

    fn limits() -> (Lifetime, Lifetime) {
        let soft = Lifetime { allocations: 5, bytes: 4, addtime: 3, usetime: 2 };
        (Lifetime { allocations: 9, bytes: 8, addtime: 7, usetime: 6 }, soft)
    }

    #[test]
    fn proposals() {
        let (hard, soft) = limits();
        let both = Combination {
            auth: AuthAlg(3),
            auth_bits: (160, 160),
            encr: EncrAlg(3),
            encr_bits: (192, 192),
            hard,
            soft,
            ..Combination::default()
        };
        let auth = Combination { auth: AuthAlg(2), auth_bits: (128, 128), ..Combination::default() };
        assert_eq!(
            text(|out| print_proposal(out, 64, &[both, auth])),
            "PRP: Proposal, replay counter = 64.\n\
             PRP:  Combination #1 Authentication = hmac-sha1  minbits=160, maxbits=160.\n\
             PRP:  Encryption = 3des-cbc  minbits=192, maxbits=192, saltbits=0.\n\
             PRP:  HARD: alloc=9 bytes=8 post-add secs=7 post-use secs=6\n\
             PRP:  SOFT: alloc=5 bytes=4 post-add secs=3 post-use secs=2\n\
             PRP:  Combination #2 Authentication = hmac-md5  minbits=128, maxbits=128.\n\
             PRP:  HARD: \n\
             PRP:  SOFT: \n"
        );
    }

    #[test]
    fn extended_proposals() {
        let (hard, soft) = limits();
        let des = ExtendedAlgorithm { sa_type: SaType::ESP, kind: 2, alg: 3, reserved: 0, bits: (192, 192) };
        let sha1 = ExtendedAlgorithm { kind: 1, bits: (160, 160), ..des };
        let row = ExtendedCombination { algorithms: vec![des, sha1], hard, soft, ..ExtendedCombination::default() };
        assert_eq!(
            text(|out| print_extended(out, 64, &[row])),
            "EPR: Extended Proposal, replay counter = 64, number of combinations = 1.\n\
             EPR:  Extended combination #1:\n\
             EPR:  HARD: alloc=9, bytes=8, post-add secs=7, post-use secs=6\n\
             EPR:  SOFT: alloc=5, bytes=4, post-add secs=3, post-use secs=2\n\
             EPR:  Alg #1 for ESP Encryption = 3des-cbc  minbits=192, maxbits=192, saltbits=0\n\
             EPR:  Alg #2 for ESP Authentication = hmac-sha1  minbits=160, maxbits=160, saltbits=0\n"
        );
        let other = ExtendedAlgorithm { sa_type: SaType(9), kind: 3, ..des };
        let row = ExtendedCombination { algorithms: vec![other], ..ExtendedCombination::default() };
        let printed = text(|out| print_extended(out, 64, &[row]));
        assert!(printed.contains("EPR:  HARD: alloc=0, bytes=0, post-add secs=0, post-use secs=0\n"), "{printed}");
        assert!(printed.contains("EPR:  Alg #1 for satype=9 algtype(3) = alg(3)  minbits=192,"), "{printed}");
    }
}
