//! illumos X_REPLAY_VALUE: the sequence number counter.
//!
//! ```text
//!  4        8        16
//! +--------+--------+
//! | 32-bit | 64-bit |
//! +--------+--------+
//! ```

use crate::sa::Extension;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    // The kernel fills in only the 32-bit value; it refuses an ADD with nothing but the 64-bit one (EOPNOTSUPP, D-81).
    Ok(Extension::ReplayValue { value32: body.u32()?, value64: body.u64()? })
}

pub(super) fn write(writer: &mut Writer, value32: u32, value64: u64) {
    writer.u32(value32);
    writer.u64(value64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let bytes = body_bytes(|writer| {
            write(writer, 0x4d, 0);
            Ok(())
        });
        check_body(&bytes, "4d000000 0000000000000000");
        let extension = read(&mut Reader::new(&bytes));
        assert!(matches!(extension, Ok(Extension::ReplayValue { value32: 0x4d, value64: 0 })));
    }
}
