//! KEY_AUTH, KEY_ENCRYPT (RFC 2367 section 2.3.4).
//!
//! ```text
//!  4      6          8
//! +------+----------+-----------------------------------------+
//! | bits | reserved | key, then salt, padded with zeros to 8  |
//! +------+----------+-----------------------------------------+
//! ```
//!
//! illumos uses `reserved`. In a reply it is the number of salt bits, which follow the key and are not included in `bits`. In a
//! request it is the number of IV bits, which are included in `bits`.

use crate::secret::Key;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// Reads a key. It may be shorter than its bit counts if the extension is.
pub(super) fn read(body: &mut Reader<'_>) -> Result<Key, ReadError> {
    let (bits, reserved) = (body.u16()?, body.u16()?);
    // Key and salt each start at a whole byte. More bytes are padding.
    let needed = usize::from(bits).div_ceil(8) + usize::from(reserved).div_ceil(8);
    // Bytes behind it are left out: padding, and in a reply of illumos an all-zero IV (sadb.c, sadb_sa2msg).
    let bytes = body.bytes(needed.min(body.left()))?;
    Ok(Key::from_slice(bytes, bits, reserved))
}

pub(super) fn write(writer: &mut Writer, key: &Key) {
    // The declared number, not the length in bytes: illumos compares it with the length of the extension (D-33, D-34).
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
    fn read_key_with_salt_drops_padding() {
        let bytes = [16, 0, 8, 0, 0xa1, 0xa2, 0xb1, 0, 0];
        assert!(read(&mut Reader::new(&bytes)).unwrap().ct_eq(&Key::from_slice(&[0xa1, 0xa2, 0xb1], 16, 8)));
    }

    #[test]
    fn read_key_shorter_than_its_bits() {
        let key = read(&mut Reader::new(&[0, 1, 0, 0, 7, 8])).unwrap();
        assert_eq!((key.bits(), key.byte_len()), (256, 2));
    }

    #[test]
    fn read_empty_key() {
        assert_eq!(read(&mut Reader::new(&[0, 0, 0, 0])).unwrap().byte_len(), 0);
    }
}
