//! illumos X_KM_COOKIE: the key management daemon that created the SA.
//!
//! ```text
//!  4       8       16
//! +-------+--------+
//! | proto | cookie |
//! +-------+--------+
//! ```

use crate::sa::Extension;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    // Kernels before 2018 have a 32-bit cookie and 32 reserved bits. On a little-endian machine both layouts give the same
    // value.
    Ok(Extension::KmCookie { proto: body.u32()?, cookie: body.u64()? })
}

pub(super) fn write(writer: &mut Writer, proto: u32, cookie: u64) {
    writer.u32(proto);
    writer.u64(cookie);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let bytes = body_bytes(|writer| {
            write(writer, 3, 0x00ab_cdef_1234_5678);
            Ok(())
        });
        check_body(&bytes, "03000000 78563412efcdab00");
        let extension = read(&mut Reader::new(&bytes));
        assert!(matches!(extension, Ok(Extension::KmCookie { proto: 3, cookie: 0x00ab_cdef_1234_5678 })));
    }
}
