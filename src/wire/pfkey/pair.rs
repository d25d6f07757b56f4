//! illumos X_PAIR: the SPI of the paired SA.
//!
//! ```text
//!  4     8
//! +-----+
//! | SPI |
//! +-----+
//! ```

use crate::sa::Spi;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Spi, ReadError> {
    body.be32().map(Spi)
}

pub(super) fn write(writer: &mut Writer, spi: Spi) {
    writer.be32(spi.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let bytes = body_bytes(|writer| {
            write(writer, Spi(0x99));
            Ok(())
        });
        check_body(&bytes, "00000099");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(Spi(0x99)));
    }
}
