//! NLMSG_ERROR: an error number, the refused request's header, and with NETLINK_EXT_ACK the kernel's words about it.

use super::HEADER_LEN;
use super::number::flag;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `NLMSGERR_ATTR_MSG`: a sentence.
const ATTR_TEXT: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`: where in the request the attribute stands that it is about.
const ATTR_OFFSET: u16 = 2;

/// `struct nlmsgerr` and what follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Error number, positive; 0 acknowledges.
    pub errno: i32,
    /// Sequence number of the request.
    pub seq: u32,
    /// What the kernel says about it.
    pub text: Option<String>,
    /// Position in the request of the attribute that it is about.
    pub offset: Option<u32>,
}

impl Refusal {
    pub(super) fn read(flags: u16, reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let errno = reader.u32()?.cast_signed().saturating_neg();
        let request_len = reader.u32()? as usize;
        reader.skip(4)?;
        let mut refusal = Self { errno, seq: reader.u32()?, ..Self::default() };
        reader.skip(4)?;
        if flags & flag::CAPPED == 0 && errno != 0 {
            let quoted = request_len.saturating_sub(HEADER_LEN).next_multiple_of(4);
            reader.skip(quoted.min(reader.left()))?;
        }
        if flags & flag::ACK_TLVS != 0 {
            refusal.read_words(reader)?;
        }
        Ok(refusal)
    }

    fn read_words(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while reader.left() > 0 {
            let len = usize::from(reader.u16()?).saturating_sub(4);
            let kind = reader.u16()?;
            let mut payload = reader.part(len)?;
            reader.skip(reader.left().min(len.next_multiple_of(4) - len))?;
            match kind {
                ATTR_TEXT => self.text = Some(sentence(payload.take_rest())),
                ATTR_OFFSET => self.offset = payload.u32().ok(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes it as a kernel would that caps and says what it knows.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u32(self.errno.wrapping_neg().cast_unsigned());
        writer.u32(HEADER_LEN as u32);
        writer.u32(0);
        writer.u32(self.seq);
        writer.u32(0);
        if let Some(text) = &self.text {
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

/// The kernel's sentence without its NUL, and without anything that could move a terminal's cursor.
fn sentence(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}
