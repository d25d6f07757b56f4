//! Codec of NETLINK_XFRM messages (`linux/netlink.h`, `linux/xfrm.h`, `net/xfrm/xfrm_user.c`).
//!
//! ```text
//! nlmsghdr, 16 bytes: length 4 | type 2 | flags 2 | seq 4 | port 4      followed by a fixed part and attributes
//! ```
//!
//! Decoding is total: any bytes give messages or an error. [`fixed`] has the fixed parts, [`policy`] those of policies,
//! [`attribute`] the attributes, [`error`] the kernel's errors and acknowledgements.

pub(crate) mod attribute;
pub(crate) mod error;
pub(crate) mod fixed;
pub(crate) mod number;
pub(crate) mod policy;

pub(crate) use attribute::Attribute;
pub(crate) use error::NetlinkError;
pub(crate) use fixed::{EventId, SaInfo, UserSaId};
pub(crate) use policy::{PolicyInfo, UserPolicyId, XfrmTemplate};

use self::fixed::TAIL_PADDING;
use self::number::{flag, kind};
use crate::secret::Buffer;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::{WriteError, Writer, exact};

/// Length of `struct nlmsghdr`.
pub(crate) const HEADER_LEN: usize = 16;
/// Offset of the flags in it.
const FLAGS_AT: usize = 6;

/// `struct nlmsghdr` without the length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NetlinkHeader {
    /// Message type, see [`number::kind`].
    pub(crate) kind: u16,
    /// Flags (`NLM_F_*`), see [`number::flag`].
    pub(crate) flags: u16,
    /// Sequence number of the request.
    pub(crate) seq: u32,
    /// Netlink port of the requester; 0 for the kernel.
    pub(crate) port: u32,
}

/// The part behind the header.
pub(crate) enum Body {
    /// NEWSA or UPDSA: an SA with its keys.
    Sa(Box<SaInfo>, Vec<Attribute>),
    /// DELSA, and GETSA of one SA.
    SaId(UserSaId, Vec<Attribute>),
    /// GETSA or GETPOLICY with the flag DUMP, and filters.
    Dump(Vec<Attribute>),
    /// NEWPOLICY or UPDPOLICY: a policy with its templates.
    Policy(Box<PolicyInfo>, Vec<Attribute>),
    /// DELPOLICY, and GETPOLICY of one policy.
    PolicyId(UserPolicyId, Vec<Attribute>),
    /// FLUSHSA: the protocol, 0 for all.
    Flush(u8),
    /// EXPIRE: the SA, and whether the hard lifetime has expired.
    Expire(Box<SaInfo>, bool, Vec<Attribute>),
    /// NEWAE or GETAE: the counters of an SA.
    Event(EventId, Vec<Attribute>),
    /// GETSADINFO: flags that the kernel ignores.
    CountRequest(u32),
    /// NEWSADINFO: number of SAs, if present.
    Count(Option<u32>),
    /// GETDEFAULT: what happens to packets without a policy, in the order in, fwd, out (`struct xfrm_userpolicy_default`).
    DefaultPolicy([u8; 3]),
    /// ERROR: an error, or the acknowledgement of a request.
    Error(NetlinkError),
    /// DONE: the end of a dump and its errno, 0 for none.
    Done(i32),
    Unknown(Buffer),
}

pub(crate) struct NetlinkMessage {
    pub(crate) header: NetlinkHeader,
    /// Length in bytes, header included.
    pub(crate) byte_len: usize,
    pub(crate) body: Body,
}

/// Encodes one message.
///
/// # Errors
/// [`WriteError::TooLong`] for an attribute of 64 KiB or more.
pub(crate) fn encode(header: NetlinkHeader, body: &Body) -> Result<Buffer, WriteError> {
    exact(|writer| {
        // The length is the first field. The second pass has it from the first.
        let len = writer.whole();
        // nlmsg_len has 32 bits; the length fields of the writer have 16.
        writer.u32(u32::try_from(len).map_err(|_| WriteError::TooLong { len, most: u32::MAX as usize })?);
        writer.u16(header.kind);
        writer.u16(header.flags);
        writer.u32(header.seq);
        writer.u32(header.port);
        write_body(writer, body)
    })
}

/// Sets the flag ACK of an encoded request.
pub(crate) fn request_ack(request: &mut Buffer) {
    // In place, because only the last request of a batch needs an acknowledgement: errors come without one, and an
    // acknowledgement for each takes three times as long.
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
        Body::SaId(name, attributes) => {
            name.write(writer);
            attributes
        }
        // No fixed part: behind a `xfrm_usersa_id` the kernel ignores the filters and dumps all SAs.
        Body::Dump(attributes) => attributes,
        Body::Policy(info, attributes) => {
            info.write(writer);
            attributes
        }
        Body::PolicyId(name, attributes) => {
            name.write(writer);
            attributes
        }
        Body::Expire(info, hard, attributes) => {
            info.write(writer);
            writer.bytes(&[u8::from(*hard), 0, 0, 0]);
            writer.bytes(&[0; TAIL_PADDING]);
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
        Body::DefaultPolicy(actions) => {
            writer.bytes(actions);
            &[]
        }
        Body::Count(count) => {
            write_count(writer, *count);
            &[]
        }
        Body::Error(refusal) => {
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

/// Decodes the next message.
///
/// # Errors
/// [`ReadError`]; the rest of the datagram cannot be decoded.
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<NetlinkMessage, ReadError> {
    let at = reader.position();
    let byte_len = reader.u32()? as usize;
    let header = NetlinkHeader { kind: reader.u16()?, flags: reader.u16()?, seq: reader.u32()?, port: reader.u32()? };
    // A length below that of the header would let the next message begin inside this one.
    let Some(payload_len) = byte_len.checked_sub(HEADER_LEN) else {
        return Err(ReadError::Short { at, expected: HEADER_LEN, left: byte_len });
    };
    let payload = reader.part(payload_len)?;
    // NLMSG_ALIGN; the last message of a datagram may lack the padding.
    reader.skip(reader.left().min(payload_len.next_multiple_of(4) - payload_len))?;
    Ok(NetlinkMessage { header, byte_len, body: read_body(header, payload)? })
}

/// Decodes every message of a datagram up to the first malformed one.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<NetlinkMessage, ReadError>> {
    let mut reader = Reader::new(datagram);
    let mut broken = false;
    std::iter::from_fn(move || {
        // After a malformed message the start of the next one is unknown.
        if broken || reader.left() == 0 {
            return None;
        }
        let message = decode(&mut reader);
        broken = message.is_err();
        Some(message)
    })
}

fn read_body(header: NetlinkHeader, mut reader: Reader<'_>) -> Result<Body, ReadError> {
    let r = &mut reader;
    Ok(match header.kind {
        kind::NEWSA | kind::UPDSA => Body::Sa(Box::new(SaInfo::read(r)?), read_attributes(r)?),
        // All bits of DUMP are compared, because one of them has the value of REPLACE. A dump has another layout than GETSA
        // of one SA.
        kind::GETSA | kind::GETPOLICY if header.flags & flag::DUMP == flag::DUMP => Body::Dump(read_attributes(r)?),
        kind::NEWPOLICY | kind::UPDPOLICY => Body::Policy(Box::new(PolicyInfo::read(r)?), read_attributes(r)?),
        kind::DELPOLICY | kind::GETPOLICY => Body::PolicyId(UserPolicyId::read(r)?, read_attributes(r)?),
        kind::DELSA | kind::GETSA => Body::SaId(UserSaId::read(r)?, read_attributes(r)?),
        kind::FLUSHSA => Body::Flush(r.u8()?),
        kind::EXPIRE => {
            let (info, hard) = (Box::new(SaInfo::read(r)?), r.u8()? != 0);
            r.skip(3 + TAIL_PADDING)?;
            Body::Expire(info, hard, read_attributes(r)?)
        }
        kind::NEWAE | kind::GETAE => Body::Event(EventId::read(r)?, read_attributes(r)?),
        kind::GETSADINFO => Body::CountRequest(r.u32()?),
        kind::NEWSADINFO => Body::Count(read_count(r)?),
        kind::GETDEFAULT => Body::DefaultPolicy(r.array()?),
        kind::ERROR => Body::Error(NetlinkError::read(header.flags, r)?),
        // Older kernels send DONE without an errno.
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

/// `XFRMA_SAD_CNT`; the attribute types of this message are a separate enumeration.
const SAD_COUNT: u16 = 1;

fn read_count(reader: &mut Reader<'_>) -> Result<Option<u32>, ReadError> {
    reader.skip(4)?;
    // XFRMA_SAD_CNT has the number of ALG_AUTH. Its 4 bytes are too few for an algorithm, so it is read as unknown.
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
