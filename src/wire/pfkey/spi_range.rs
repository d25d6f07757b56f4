//! SPIRANGE (RFC 2367 section 2.3.9), for GETSPI.
//!
//! ```text
//!  4     8     12         16
//! +-----+-----+----------+
//! | min | max | reserved |
//! +-----+-----+----------+
//! ```

use crate::sa::{Extension, Spi};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    // Both bounds are in network order; illumos compares them as such and refuses a minimum above the maximum (D-35).
    Ok(Extension::SpiRange { min: Spi(body.be32()?), max: Spi(body.be32()?) })
}

pub(super) fn write(writer: &mut Writer, min: Spi, max: Spi) {
    writer.be32(min.0);
    writer.be32(max.0);
    writer.zeros(4);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let bytes = body_bytes(|writer| {
            write(writer, Spi(0x1000), Spi(0x2000));
            Ok(())
        });
        check_body(&bytes, "00001000 00002000 00000000");
        let extension = read(&mut Reader::new(&bytes));
        assert!(matches!(extension, Ok(Extension::SpiRange { min: Spi(0x1000), max: Spi(0x2000) })));
    }
}
