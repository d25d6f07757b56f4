//! Linux X_SA2: mode and reqid, which `struct sadb_sa` lacks.
//!
//! ```text
//!  4      5          8          12      16
//! +------+----------+----------+-------+
//! | mode | reserved | sequence | reqid |
//! +------+----------+----------+-------+
//! ```

use crate::sa::Extension;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    let mode = body.u8()?;
    body.skip(3)?;
    Ok(Extension::SecondAssociation { mode, sequence: body.u32()?, reqid: body.u32()? })
}

pub(super) fn write(writer: &mut Writer, mode: u8, sequence: u32, reqid: u32) {
    writer.u8(mode);
    writer.zeros(3);
    writer.u32(sequence);
    writer.u32(reqid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let bytes = body_bytes(|writer| {
            write(writer, 2, 0, 0x4001);
            Ok(())
        });
        check_body(&bytes, "02 000000 00000000 01400000");
        let extension = read(&mut Reader::new(&bytes));
        assert!(matches!(extension, Ok(Extension::SecondAssociation { mode: 2, sequence: 0, reqid: 0x4001 })));
    }
}
