//! LIFETIME_CURRENT, LIFETIME_HARD, LIFETIME_SOFT (RFC 2367 section 2.3.2), X_LIFETIME_IDLE.
//!
//! ```text
//!  4             8       16        24        32
//! +-------------+-------+---------+---------+
//! | allocations | bytes | addtime | usetime |
//! +-------------+-------+---------+---------+
//! ```

use crate::sa::Lifetime;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Lifetime, ReadError> {
    // illumos stores `allocations`, but neither counts nor enforces them.
    Ok(Lifetime { allocations: body.u32()?, bytes: body.u64()?, addtime: body.u64()?, usetime: body.u64()? })
}

pub(super) fn write(writer: &mut Writer, lifetime: &Lifetime) {
    writer.u32(lifetime.allocations);
    writer.u64(lifetime.bytes);
    writer.u64(lifetime.addtime);
    writer.u64(lifetime.usetime);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    #[test]
    fn golden() {
        let lifetime = Lifetime { allocations: 10, bytes: 100_000, addtime: 7200, usetime: 3600 };
        let bytes = body_bytes(|writer| {
            write(writer, &lifetime);
            Ok(())
        });
        check_body(&bytes, "0a000000 a086010000000000 201c000000000000 100e000000000000");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(lifetime));
    }
}
