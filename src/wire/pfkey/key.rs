//! KEY_AUTH, KEY_ENCRYPT (RFC 2367 section 2.3.4).
//!
//! ```text
//!  4      6          8
//! +------+----------+-----------------------------------------+
//! | bits | reserved | key, then salt, padded with zeros to 8  |
//! +------+----------+-----------------------------------------+
//! ```
//!
//! illumos uses `reserved`: in an answer it counts salt bits, which follow the key and are not in `bits`; in a request it counts
//! bits of IV, which are in `bits` already.

use crate::secret::Key;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// Reads a key: as many bytes as both bit counts need, or as there are.
pub(super) fn read(body: &mut Reader<'_>) -> Result<Key, ReadError> {
    let (bits, reserved) = (body.u16()?, body.u16()?);
    let needed = usize::from(bits).div_ceil(8) + usize::from(reserved).div_ceil(8);
    let bytes = body.bytes(needed.min(body.left()))?;
    Ok(Key::from_slice(bytes, bits, reserved))
}

pub(super) fn write(writer: &mut Writer, key: &Key) {
    writer.u16(key.bits());
    writer.u16(key.reserved());
    writer.bytes(key.expose());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    fn bytes(key: &Key) -> Vec<u8> {
        body_bytes(|writer| {
            write(writer, key);
            Ok(())
        })
    }

    #[test]
    fn golden() {
        let key = Key::from_slice(&[0x10, 0x11, 0x12], 24, 0);
        let bytes = bytes(&key);
        check_body(&bytes, "1800 0000 101112");
        assert!(read(&mut Reader::new(&bytes)).unwrap().ct_eq(&key));
    }

    #[test]
    fn salt_follows_the_key_and_padding_is_dropped() {
        let bytes = [16, 0, 8, 0, 0xa1, 0xa2, 0xb1, 0, 0];
        assert!(read(&mut Reader::new(&bytes)).unwrap().ct_eq(&Key::from_slice(&[0xa1, 0xa2, 0xb1], 16, 8)));
    }

    #[test]
    fn a_key_shorter_than_its_bits_is_what_is_there() {
        let key = read(&mut Reader::new(&[0, 1, 0, 0, 7, 8])).unwrap();
        assert_eq!((key.bits(), key.byte_len()), (256, 2));
    }

    #[test]
    fn an_empty_key() {
        assert_eq!(read(&mut Reader::new(&[0, 0, 0, 0])).unwrap().byte_len(), 0);
    }
}
