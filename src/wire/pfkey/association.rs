//! SA (RFC 2367 section 2.3.1).
//!
//! ```text
//!  4     8        9       10     11        12      16
//! +-----+--------+-------+------+---------+-------+
//! | SPI | replay | state | auth | encrypt | flags |
//! +-----+--------+-------+------+---------+-------+
//! ```

use super::dialect::Dialect;
use super::error::EncodeError;
use crate::sa::{Association, AuthAlg, EncrAlg, Flags, SaState, Spi};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(dialect: &Dialect, body: &mut Reader<'_>) -> Result<Association, ReadError> {
    Ok(Association {
        // Of the fields of `struct sadb_sa` only the SPI is in network order.
        spi: Spi(body.be32()?),
        replay: body.u8()?,
        state: SaState(body.u8()?),
        auth: AuthAlg(body.u8()?.into()),
        encr: EncrAlg(body.u8()?.into()),
        // Linux uses the bits of other illumos flags for flags of its own: USED is NOECN there.
        flags: Flags(body.u32()? & dialect.flags),
    })
}

pub(super) fn write(writer: &mut Writer, dialect: &Dialect, sa: &Association) -> Result<(), EncodeError> {
    writer.be32(sa.spi.0);
    writer.u8(sa.replay);
    writer.u8(sa.state.0);
    // An algorithm that only XFRM has is numbered from 256 on, and PF_KEY has 8 bits for it.
    writer.u8(algorithm(dialect, "authentication", sa.auth.0)?);
    writer.u8(algorithm(dialect, "encryption", sa.encr.0)?);
    // af_key would take USED as NOECN, UNIQUE as DECAP_DSCP and AALG1 as NOPMTUDISC, and it drops the other illumos flags
    // without an error.
    writer.u32(sa.flags.0 & dialect.flags);
    Ok(())
}

/// The number of an algorithm as 8 bits.
pub(super) fn algorithm(dialect: &Dialect, what: &'static str, number: u16) -> Result<u8, EncodeError> {
    // Not a cast: the low 8 bits would be the number of another algorithm, which the kernel would accept.
    u8::try_from(number).map_err(|_| EncodeError::Algorithm { what, dialect: dialect.name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let sa = Association {
            spi: Spi(0x1234),
            replay: 32,
            state: SaState::MATURE,
            auth: AuthAlg(5),
            encr: EncrAlg(12),
            flags: Flags(0x1b_4000),
        };
        let bytes = body_bytes(|writer| write(writer, &Dialect::ILLUMOS, &sa));
        check_body(&bytes, "00001234 20 01 05 0c 00401b00");
        assert_eq!(read(&Dialect::ILLUMOS, &mut Reader::new(&bytes)), Ok(sa));
    }

    #[test]
    fn write_masks_flags_with_another_meaning_on_linux() {
        let sa = Association { flags: Flags::TUNNEL | Flags::USED | Flags::PFS, ..Association::default() };
        let bytes = body_bytes(|writer| write(writer, &Dialect::LINUX, &sa));
        assert_eq!(read(&Dialect::LINUX, &mut Reader::new(&bytes)).unwrap().flags, Flags::PFS);
    }

    #[test]
    fn algorithm_numbers_above_255_are_refused() {
        assert_eq!(algorithm(&Dialect::ILLUMOS, "encryption", 255), Ok(255));
        let text = algorithm(&Dialect::LINUX, "encryption", 256).unwrap_err().to_string();
        assert!(text.contains("no number for this encryption algorithm"), "{text}");
    }
}
