//! illumos X_EREG, the SA types of an extended REGISTER, and X_EDUMP, the idle time of a DUMP.
//!
//! ```text
//!  4                  8               4          8         16
//! +------------------+               +----------+---------+
//! | four SA types    |               | reserved | timeout |
//! +------------------+               +----------+---------+
//! ```
//!
//! The SA types end at the first 0. A longer extension may hold more of them.

use crate::sa::{Extension, SaType};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Vec<SaType>, ReadError> {
    // All bytes, not only the four of `struct sadb_x_ereg`: a longer extension has more types.
    let types = body.take_rest();
    Ok(types.iter().copied().take_while(|number| *number != 0).map(SaType).collect())
}

pub(super) fn write(writer: &mut Writer, types: &[SaType]) {
    for sa_type in types {
        writer.u8(sa_type.0);
    }
    // The kernel reads the list up to the first 0.
    writer.u8(0);
}

/// Reads X_EDUMP. Reserved bytes that are not zero are an error, and the extension is then kept whole.
pub(super) fn read_dump(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    let at = body.position();
    match body.u32()? {
        0 => Ok(Extension::ExtendedDump { timeout: body.u64()? }),
        _ => Err(ReadError::Trailing { at, left: 4 }),
    }
}

pub(super) fn write_dump(writer: &mut Writer, timeout: u64) {
    writer.zeros(4);
    writer.u64(timeout);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn register() {
        let bytes = body_bytes(|writer| {
            write(writer, &[SaType::ESP, SaType::AH]);
            Ok(())
        });
        check_body(&bytes, "03 02 00");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(vec![SaType::ESP, SaType::AH]));
        assert_eq!(read(&mut Reader::new(&[3, 0, 2, 0])), Ok(vec![SaType::ESP]));
    }

    #[test]
    fn dump() {
        let bytes = body_bytes(|writer| {
            write_dump(writer, 60);
            Ok(())
        });
        check_body(&bytes, "00000000 3c00000000000000");
        assert!(matches!(read_dump(&mut Reader::new(&bytes)), Ok(Extension::ExtendedDump { timeout: 60 })));
        assert!(read_dump(&mut Reader::new(&[1; 12])).is_err());
    }
}
