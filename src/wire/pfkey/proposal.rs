//! PROPOSAL (RFC 2367 section 2.3.7) and illumos X_EPROP: acceptable algorithms and lifetimes.
//!
//! ```text
//!  4        5          8                 PROPOSAL: rows of 72 bytes
//! +--------+----------+---------------+
//! | replay | reserved | combinations  |
//! +--------+----------+---------------+
//!  4        5          6       8         X_EPROP: rows of 64 bytes, each followed by its algorithms of 8 bytes
//! +--------+----------+-------+-------+
//! | replay | reserved | count | rows  |
//! +--------+----------+-------+-------+
//!
//! combination   0 auth  1 encrypt  2 flags  4 auth min  6 auth max  8 encrypt min  10 encrypt max  12 salt  13 reserved
//!               16 limits
//! extended row  0 algorithms  1 reserved  2 flags  4 reserved  8 limits
//! limits        soft then hard of each: allocations (32 bits), bytes, addtime, usetime
//! algorithm     0 SA type  1 kind  2 number  3 salt  4 min bits  6 max bits
//! ```

use super::association::algorithm;
use super::dialect::Dialect;
use super::error::EncodeError;
use crate::sa::{AuthAlg, Combination, EncrAlg, ExtendedAlgorithm, ExtendedCombination, Extension, Lifetime, SaType};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    let replay = body.u8()?;
    body.skip(3)?;
    let mut combinations = Vec::new();
    // No count precedes the rows. A remainder shorter than a row is an error, and the extension is then kept whole.
    while body.left() > 0 {
        combinations.push(read_combination(body)?);
    }
    Ok(Extension::Proposal { replay, combinations })
}

fn read_combination(body: &mut Reader<'_>) -> Result<Combination, ReadError> {
    let (auth, encr) = (AuthAlg(body.u8()?.into()), EncrAlg(body.u8()?.into()));
    let flags = body.u16()?;
    let auth_bits = (body.u16()?, body.u16()?);
    let encr_bits = (body.u16()?, body.u16()?);
    // RFC 2367 has 32 reserved bits here; illumos uses 8 of them.
    let salt_bits = body.u8()?;
    body.skip(3)?;
    let (soft, hard) = read_limits(body)?;
    Ok(Combination { auth, encr, flags, auth_bits, encr_bits, salt_bits, soft, hard })
}

fn read_limits(body: &mut Reader<'_>) -> Result<(Lifetime, Lifetime), ReadError> {
    // `struct sadb_comb` has soft and hard values in turn, so neither lifetime is complete before the last pair.
    let allocations = (body.u32()?, body.u32()?);
    let bytes = (body.u64()?, body.u64()?);
    let addtime = (body.u64()?, body.u64()?);
    let usetime = (body.u64()?, body.u64()?);
    Ok((
        Lifetime { allocations: allocations.0, bytes: bytes.0, addtime: addtime.0, usetime: usetime.0 },
        Lifetime { allocations: allocations.1, bytes: bytes.1, addtime: addtime.1, usetime: usetime.1 },
    ))
}

pub(super) fn write(
    writer: &mut Writer,
    dialect: &Dialect,
    replay: u8,
    combinations: &[Combination],
) -> Result<(), EncodeError> {
    writer.u8(replay);
    writer.zeros(3);
    combinations.iter().try_for_each(|combination| write_combination(writer, dialect, combination))
}

fn write_combination(writer: &mut Writer, dialect: &Dialect, combination: &Combination) -> Result<(), EncodeError> {
    writer.u8(algorithm(dialect, "authentication", combination.auth.0)?);
    writer.u8(algorithm(dialect, "encryption", combination.encr.0)?);
    writer.u16(combination.flags);
    writer.u16(combination.auth_bits.0);
    writer.u16(combination.auth_bits.1);
    writer.u16(combination.encr_bits.0);
    writer.u16(combination.encr_bits.1);
    writer.u8(combination.salt_bits);
    writer.zeros(3);
    write_limits(writer, &combination.soft, &combination.hard);
    Ok(())
}

fn write_limits(writer: &mut Writer, soft: &Lifetime, hard: &Lifetime) {
    writer.u32(soft.allocations);
    writer.u32(hard.allocations);
    for value in [soft.bytes, hard.bytes, soft.addtime, hard.addtime, soft.usetime, hard.usetime] {
        writer.u64(value);
    }
}

pub(super) fn read_extended(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    let replay = body.u8()?;
    body.skip(1)?;
    let count = body.u16()?;
    let mut combinations = Vec::new();
    // The count is not trusted: nothing is allocated for it, and the loop ends when the bytes do.
    for _ in 0..count {
        combinations.push(read_row(body)?);
    }
    Ok(Extension::ExtendedProposal { replay, combinations })
}

fn read_row(body: &mut Reader<'_>) -> Result<ExtendedCombination, ReadError> {
    let count = body.u8()?;
    body.skip(1)?;
    let flags = body.u16()?;
    body.skip(4)?;
    let (soft, hard) = read_limits(body)?;
    let mut algorithms = Vec::new();
    for _ in 0..count {
        algorithms.push(ExtendedAlgorithm {
            sa_type: SaType(body.u8()?),
            kind: body.u8()?,
            alg: body.u8()?,
            reserved: body.u8()?,
            bits: (body.u16()?, body.u16()?),
        });
    }
    Ok(ExtendedCombination { flags, soft, hard, algorithms })
}

pub(super) fn write_extended(
    writer: &mut Writer,
    dialect: &Dialect,
    replay: u8,
    combinations: &[ExtendedCombination],
) -> Result<(), EncodeError> {
    let too_many = |what, count: usize, most| EncodeError::Value { what, value: count as u64, most, dialect: dialect.name };
    // A count cut to its field would make the receiver take the remaining rows as something else.
    let rows = combinations.len();
    writer.u8(replay);
    writer.zeros(1);
    writer.u16(u16::try_from(rows).map_err(|_| too_many("number of combinations", rows, u16::MAX.into()))?);
    for row in combinations {
        let count = row.algorithms.len();
        writer.u8(u8::try_from(count).map_err(|_| too_many("number of algorithms", count, u8::MAX.into()))?);
        writer.zeros(1);
        writer.u16(row.flags);
        writer.zeros(4);
        write_limits(writer, &row.soft, &row.hard);
        row.algorithms.iter().for_each(|algorithm| write_algorithm(writer, algorithm));
    }
    Ok(())
}

fn write_algorithm(writer: &mut Writer, algorithm: &ExtendedAlgorithm) {
    writer.u8(algorithm.sa_type.0);
    writer.u8(algorithm.kind);
    writer.u8(algorithm.alg);
    writer.u8(algorithm.reserved);
    writer.u16(algorithm.bits.0);
    writer.u16(algorithm.bits.1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    const SOFT: Lifetime = Lifetime { allocations: 1, bytes: 3, addtime: 5, usetime: 7 };
    const HARD: Lifetime = Lifetime { allocations: 2, bytes: 4, addtime: 6, usetime: 8 };
    const LIMITS: &str = "01000000 02000000 0300000000000000 0400000000000000 0500000000000000 0600000000000000 \
                          0700000000000000 0800000000000000";

    #[test]
    fn proposal() {
        let combination = Combination {
            auth: AuthAlg(5),
            encr: EncrAlg(12),
            flags: 1,
            auth_bits: (256, 256),
            encr_bits: (128, 192),
            salt_bits: 32,
            soft: SOFT,
            hard: HARD,
        };
        let bytes = body_bytes(|writer| write(writer, &Dialect::ILLUMOS, 64, &[combination]));
        assert_eq!(bytes.len(), 4 + 72);
        check_body(&bytes, &format!("40 000000 05 0c 0100 0001 0001 8000 c000 20 000000 {LIMITS}"));
        let Ok(Extension::Proposal { replay: 64, combinations }) = read(&mut Reader::new(&bytes)) else {
            panic!("not read back");
        };
        assert_eq!(combinations, [combination]);
        assert!(read(&mut Reader::new(&bytes[..40])).is_err());
    }

    #[test]
    fn extended_proposal() {
        let algorithm =
            |kind, alg, bits| ExtendedAlgorithm { sa_type: SaType::ESP, kind, alg, reserved: 0, bits: (bits, 256) };
        let row = |algorithms| ExtendedCombination { flags: 2, soft: SOFT, hard: HARD, algorithms };
        let rows = [row(vec![algorithm(1, 5, 256), algorithm(2, 12, 128)]), row(Vec::new())];
        let bytes = body_bytes(|writer| write_extended(writer, &Dialect::ILLUMOS, 32, &rows));
        let algorithms = "03 01 05 00 0001 0001 03 02 0c 00 8000 0001";
        check_body(&bytes, &format!("20 00 0200 02 00 0200 00000000 {LIMITS} {algorithms} 00 00 0200 00000000 {LIMITS}"));
        let Ok(Extension::ExtendedProposal { replay: 32, combinations }) = read_extended(&mut Reader::new(&bytes)) else {
            panic!("not read back");
        };
        assert_eq!(combinations, rows);
        assert!(read_extended(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }
}
