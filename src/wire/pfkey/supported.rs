//! SUPPORTED_AUTH, SUPPORTED_ENCRYPT (RFC 2367 section 2.3.8): four reserved bytes, then rows of
//!
//! ```text
//!  0    1         2          4          6           7           8
//! +----+---------+----------+----------+-----------+-----------+
//! | id | IV bytes| min bits | max bits | increment | salt bits |
//! +----+---------+----------+----------+-----------+-----------+
//! ```
//!
//! The last two bytes are reserved in RFC 2367 and on Linux.

use crate::sa::SupportedAlgorithm;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Vec<SupportedAlgorithm>, ReadError> {
    body.skip(4)?;
    let mut algorithms = Vec::new();
    while body.left() > 0 {
        algorithms.push(SupportedAlgorithm {
            id: body.u8()?,
            // Bytes: the comment in pfkeyv2.h says bits, but ipsecesp.c (esp_register_out) fills in bytes.
            iv_len: body.u8()?,
            min_bits: body.u16()?,
            max_bits: body.u16()?,
            increment: body.u8()?,
            salt_bits: body.u8()?,
        });
    }
    Ok(algorithms)
}

pub(super) fn write(writer: &mut Writer, algorithms: &[SupportedAlgorithm]) {
    writer.zeros(4);
    for algorithm in algorithms {
        writer.u8(algorithm.id);
        writer.u8(algorithm.iv_len);
        writer.u16(algorithm.min_bits);
        writer.u16(algorithm.max_bits);
        writer.u8(algorithm.increment);
        writer.u8(algorithm.salt_bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let gcm = SupportedAlgorithm { id: 20, iv_len: 8, min_bits: 128, max_bits: 256, increment: 64, salt_bits: 32 };
        let null = SupportedAlgorithm { id: 11, ..SupportedAlgorithm::default() };
        let bytes = body_bytes(|writer| {
            write(writer, &[gcm, null]);
            Ok(())
        });
        check_body(&bytes, "00000000 14 08 8000 0001 40 20 0b 00 0000 0000 00 00");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(vec![gcm, null]));
    }
}
