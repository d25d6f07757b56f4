//! IDENTITY_SRC, IDENTITY_DST (RFC 2367 section 2.3.5).
//!
//! ```text
//!  4      6          8    16
//! +------+----------+----+------------------------------------------+
//! | type | reserved | id | string, NUL, padded with zeros to 8 bytes |
//! +------+----------+----+------------------------------------------+
//! ```

use crate::sa::{Identity, IdentityType};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// Types with a DER value, which may contain NUL bytes: distinguished name and general name of illumos.
const DER_TYPES: [IdentityType; 2] = [IdentityType(4), IdentityType(5)];

/// Reads an identity: a string up to its NUL, or DER without trailing zeros.
pub(super) fn read(body: &mut Reader<'_>) -> Result<Identity, ReadError> {
    let kind = IdentityType(body.u16()?);
    body.skip(2)?;
    let id = body.u64()?;
    let padded = body.take_rest();
    // The length of DER is inside it, but a value that is cut off must be readable too.
    let len = if DER_TYPES.contains(&kind) {
        padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    } else {
        // A string that fills its words has no NUL; illumos would overwrite its last byte with one (keysock.c,
        // keysock_get_ext).
        padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len())
    };
    Ok(Identity { kind, id, value: padded.iter().copied().take(len).collect() })
}

pub(super) fn write(writer: &mut Writer, identity: &Identity) {
    writer.u16(identity.kind.0);
    writer.zeros(2);
    writer.u64(identity.id);
    writer.bytes(&identity.value);
    // illumos overwrites the last byte of a string without a NUL (keysock_get_ext).
    writer.u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    fn bytes(identity: &Identity) -> Vec<u8> {
        body_bytes(|writer| {
            write(writer, identity);
            Ok(())
        })
    }

    #[test]
    fn golden() {
        let identity = Identity { kind: IdentityType(3), id: 7, value: b"b@ex".to_vec() };
        let bytes = bytes(&identity);
        check_body(&bytes, "0300 0000 0700000000000000 62406578 00");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(identity));
    }

    #[test]
    fn read_keeps_nul_bytes_of_der() {
        let identity = Identity { kind: IdentityType(4), id: 0, value: vec![0x30, 3, 0, 0, 1] };
        let mut bytes = bytes(&identity);
        bytes.extend([0; 5]);
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(identity));
    }

    #[test]
    fn read_string_without_nul() {
        let mut bytes = bytes(&Identity { kind: IdentityType(2), id: 0, value: b"name".to_vec() });
        bytes.pop();
        assert_eq!(read(&mut Reader::new(&bytes)).unwrap().value, b"name");
    }
}
