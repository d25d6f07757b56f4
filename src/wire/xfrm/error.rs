//! NLMSG_ERROR: errno, the header of the request and, with NETLINK_EXT_ACK, the kernel's message and an offset.

use super::HEADER_LEN;
use super::number::flag;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `NLMSGERR_ATTR_MSG`: the message, a C string.
const ATTR_TEXT: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`: offset of the offending attribute in the request.
const ATTR_OFFSET: u16 = 2;

/// `struct nlmsgerr` and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NetlinkError {
    /// Positive errno; 0 is an acknowledgement.
    pub(crate) errno: i32,
    /// Sequence number of the request.
    pub(crate) seq: u32,
    /// The kernel's message (extended ACK).
    pub(crate) text: Option<String>,
    /// Offset of the offending attribute in the request.
    pub(crate) offset: Option<u32>,
}

impl NetlinkError {
    pub(super) fn read(flags: u16, reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        // The kernel sends the negative errno.
        let errno = reader.u32()?.cast_signed().saturating_neg();
        let request_len = reader.u32()? as usize;
        reader.skip(4)?;
        // Of the quoted header, the sequence number identifies the request of a batch.
        let mut refusal = Self { errno, seq: reader.u32()?, ..Self::default() };
        reader.skip(4)?;
        if flags & flag::CAPPED == 0 && errno != 0 {
            // Without NETLINK_CAP_ACK the kernel quotes the whole refused request, keys included.
            let quoted = request_len.saturating_sub(HEADER_LEN).next_multiple_of(4);
            // A length that is too large must not lose the errno.
            reader.skip(quoted.min(reader.left()))?;
        }
        if flags & flag::ACK_TLVS != 0 {
            refusal.read_extended_ack(reader)?;
        }
        Ok(refusal)
    }

    fn read_extended_ack(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while reader.left() > 0 {
            // A length below 4 gives an empty payload. The loop still advances, by the header.
            let len = usize::from(reader.u16()?).saturating_sub(4);
            let kind = reader.u16()?;
            let mut payload = reader.part(len)?;
            reader.skip(reader.left().min(len.next_multiple_of(4) - len))?;
            match kind {
                ATTR_TEXT => self.text = Some(printable(payload.take_rest())),
                ATTR_OFFSET => self.offset = payload.u32().ok(),
                // Later kernels add attributes; none of them changes the message.
                _ => {}
            }
        }
        Ok(())
    }

    /// Encodes the error as a kernel with NETLINK_CAP_ACK and NETLINK_EXT_ACK does.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u32(self.errno.wrapping_neg().cast_unsigned());
        writer.u32(HEADER_LEN as u32);
        writer.u32(0);
        writer.u32(self.seq);
        writer.u32(0);
        if let Some(text) = &self.text {
            // 5 bytes are the header and the NUL.
            let len = (5 + text.len()).min(usize::from(u16::MAX));
            writer.u16(len as u16);
            writer.u16(ATTR_TEXT);
            writer.bytes(text.as_bytes());
            writer.u8(0);
            writer.pad(4);
        }
        if let Some(offset) = self.offset {
            writer.u16(8);
            writer.u16(ATTR_OFFSET);
            writer.u32(offset);
        }
    }
}

/// The kernel's message without NUL and control characters, which a terminal would interpret.
fn printable(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}
