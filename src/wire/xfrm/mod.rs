//! NETLINK_XFRM messages to bytes and back (`linux/netlink.h`, `linux/xfrm.h`, `net/xfrm/xfrm_user.c`).
//!
//! ```text
//! nlmsghdr, 16 bytes: length 4 | type 2 | flags 2 | seq 4 | port 4      then the fixed part of the type, then attributes
//! ```
//!
//! Decoding is total: any bytes give messages or an error. [`fixed`] has the fixed parts, [`policy`] those of
//! policies, [`attribute`] the attributes, [`refusal`] the kernel's error answers.

pub mod attribute;
pub mod fixed;
pub mod number;
pub mod policy;
pub mod refusal;

pub use attribute::Attribute;
pub use fixed::{EventId, SaInfo, SaName};
pub use policy::{PolicyInfo, PolicyName, Template};
pub use refusal::Refusal;

use self::number::{flag, kind};
use crate::secret::Buffer;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::{WriteError, Writer, exact};

/// Length of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;
/// Where the flags are in it.
const FLAGS_AT: usize = 6;

/// `struct nlmsghdr`, but for the length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Message type, see [`number::kind`].
    pub kind: u16,
    /// Flags, see [`number::flag`].
    pub flags: u16,
    /// Sequence number of the request.
    pub seq: u32,
    /// Netlink port of the requester; 0 for the kernel.
    pub port: u32,
}

/// What follows the header.
pub enum Body {
    /// NEWSA, UPDSA.
    Sa(Box<SaInfo>, Vec<Attribute>),
    /// DELSA, and GETSA of one SA.
    Name(SaName, Vec<Attribute>),
    /// GETSA or GETPOLICY of all: filters.
    Dump(Vec<Attribute>),
    /// NEWPOLICY, UPDPOLICY.
    Policy(Box<PolicyInfo>, Vec<Attribute>),
    /// DELPOLICY, and GETPOLICY of one policy.
    PolicyName(PolicyName, Vec<Attribute>),
    /// FLUSHSA: the protocol, 0 for all.
    Flush(u8),
    /// EXPIRE: the SA, and whether it is gone.
    Expire(Box<SaInfo>, bool, Vec<Attribute>),
    /// NEWAE, GETAE.
    Event(EventId, Vec<Attribute>),
    /// GETSADINFO: flags that the kernel ignores.
    CountRequest(u32),
    /// NEWSADINFO: number of SAs, if said.
    Count(Option<u32>),
    /// ERROR: a refusal, or the acknowledgement of a request.
    Answer(Refusal),
    /// DONE: the end of a dump, with its error number, 0 for none.
    Done(i32),
    /// Any other type.
    Unknown(Buffer),
}

/// One netlink message.
pub struct Message {
    /// Header.
    pub header: Header,
    /// Length in bytes, header included.
    pub byte_len: usize,
    /// The rest.
    pub body: Body,
}

/// Encodes one message.
///
/// # Errors
/// [`WriteError::TooLong`] for an attribute of 64 KiB or more.
pub fn encode(header: Header, body: &Body) -> Result<Buffer, WriteError> {
    exact(|writer| {
        let len = writer.whole();
        writer.u32(u32::try_from(len).map_err(|_| WriteError::TooLong { len, most: u32::MAX as usize })?);
        writer.u16(header.kind);
        writer.u16(header.flags);
        writer.u32(header.seq);
        writer.u32(header.port);
        write_body(writer, body)
    })
}

/// Has the kernel answer an encoded `request` even if it does as it is asked.
pub fn ask_for_answer(request: &mut Buffer) {
    if let Some(flags) = request.get_mut(FLAGS_AT..).and_then(<[u8]>::first_chunk_mut) {
        *flags = (u16::from_ne_bytes(*flags) | flag::ACK).to_ne_bytes();
    }
}

fn write_body(writer: &mut Writer, body: &Body) -> Result<(), WriteError> {
    let attributes = match body {
        Body::Sa(info, attributes) => {
            info.write(writer);
            attributes.as_slice()
        }
        Body::Name(name, attributes) => {
            name.write(writer);
            attributes
        }
        Body::Dump(attributes) => attributes,
        Body::Policy(info, attributes) => {
            info.write(writer);
            attributes
        }
        Body::PolicyName(name, attributes) => {
            name.write(writer);
            attributes
        }
        Body::Expire(info, hard, attributes) => {
            info.write(writer);
            writer.bytes(&[u8::from(*hard), 0, 0, 0, 0, 0, 0, 0]);
            attributes
        }
        Body::Event(event, attributes) => {
            event.write(writer);
            attributes
        }
        Body::Flush(proto) => {
            writer.u8(*proto);
            &[]
        }
        Body::CountRequest(flags) => {
            writer.u32(*flags);
            &[]
        }
        Body::Count(count) => {
            write_count(writer, *count);
            &[]
        }
        Body::Answer(refusal) => {
            refusal.write(writer);
            &[]
        }
        Body::Done(errno) => {
            writer.u32(errno.unsigned_abs().wrapping_neg());
            &[]
        }
        Body::Unknown(bytes) => {
            writer.bytes(bytes);
            &[]
        }
    };
    attributes.iter().try_for_each(|attribute| attribute.write(writer))
}

/// Decodes the first message of `reader`, which stands at the start of one.
///
/// # Errors
/// [`ReadError`]; the rest of the datagram cannot be read then.
pub fn decode(reader: &mut Reader<'_>) -> Result<Message, ReadError> {
    let at = reader.position();
    let byte_len = reader.u32()? as usize;
    let header = Header { kind: reader.u16()?, flags: reader.u16()?, seq: reader.u32()?, port: reader.u32()? };
    let Some(payload_len) = byte_len.checked_sub(HEADER_LEN) else {
        return Err(ReadError::Short { at, wanted: HEADER_LEN, left: byte_len });
    };
    let payload = reader.part(payload_len)?;
    reader.skip(reader.left().min(payload_len.next_multiple_of(4) - payload_len))?;
    Ok(Message { header, byte_len, body: read_body(header, payload)? })
}

/// Decodes every message of a datagram, until one is not well formed.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message, ReadError>> {
    let mut reader = Reader::new(datagram);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || reader.left() == 0 {
            return None;
        }
        let message = decode(&mut reader);
        broken = message.is_err();
        Some(message)
    })
}

fn read_body(header: Header, mut reader: Reader<'_>) -> Result<Body, ReadError> {
    let r = &mut reader;
    Ok(match header.kind {
        kind::NEWSA | kind::UPDSA => Body::Sa(Box::new(SaInfo::read(r)?), read_attributes(r)?),
        kind::GETSA | kind::GETPOLICY if header.flags & flag::DUMP == flag::DUMP => Body::Dump(read_attributes(r)?),
        kind::NEWPOLICY | kind::UPDPOLICY => Body::Policy(Box::new(PolicyInfo::read(r)?), read_attributes(r)?),
        kind::DELPOLICY | kind::GETPOLICY => Body::PolicyName(PolicyName::read(r)?, read_attributes(r)?),
        kind::DELSA | kind::GETSA => Body::Name(SaName::read(r)?, read_attributes(r)?),
        kind::FLUSHSA => Body::Flush(r.u8()?),
        kind::EXPIRE => {
            let (info, hard) = (Box::new(SaInfo::read(r)?), r.u8()? != 0);
            r.skip(7)?;
            Body::Expire(info, hard, read_attributes(r)?)
        }
        kind::NEWAE | kind::GETAE => Body::Event(EventId::read(r)?, read_attributes(r)?),
        kind::GETSADINFO => Body::CountRequest(r.u32()?),
        kind::NEWSADINFO => Body::Count(read_count(r)?),
        kind::ERROR => Body::Answer(Refusal::read(header.flags, r)?),
        // Older kernels send a DONE without a number.
        kind::DONE => Body::Done(r.u32().map_or(0, |errno| errno.cast_signed().saturating_neg())),
        _ => Body::Unknown(Buffer::from_slice(r.take_rest())),
    })
}

fn read_attributes(reader: &mut Reader<'_>) -> Result<Vec<Attribute>, ReadError> {
    let mut attributes = Vec::new();
    while reader.left() > 0 {
        attributes.extend(Attribute::read(reader)?);
    }
    Ok(attributes)
}

/// `XFRMA_SAD_CNT`; this message numbers its attributes in its own way.
const SAD_COUNT: u16 = 1;

fn read_count(reader: &mut Reader<'_>) -> Result<Option<u32>, ReadError> {
    reader.skip(4)?;
    let counts = read_attributes(reader)?.into_iter().find_map(|attribute| match attribute {
        Attribute::Unknown { kind: SAD_COUNT, bytes } => Reader::new(&bytes).u32().ok(),
        _ => None,
    });
    Ok(counts)
}

fn write_count(writer: &mut Writer, count: Option<u32>) {
    writer.u32(0);
    if let Some(count) = count {
        writer.u16(8);
        writer.u16(SAD_COUNT);
        writer.u32(count);
    }
}

#[cfg(test)]
mod tests;
