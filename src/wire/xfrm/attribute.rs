//! Attributes of XFRM messages: `nlattr` (length 2, type 2, payload, padding to 4) around the structs of `linux/xfrm.h`.
//!
//! An attribute that is not known, or not of the size it should have, or of an algorithm with no name, is carried whole.

use std::borrow::Cow;

use super::fixed::{Current, RawAddress, SaInfo};
use super::number::attr;
use super::policy::{PolicyInfo, Template};
use crate::sa::Masked;
use crate::secret::{Buffer, Key};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::{WriteError, Writer};

/// Length of `alg_name`, NUL included.
const NAME_LEN: usize = 64;

/// `struct xfrm_algo`, `xfrm_algo_auth`, `xfrm_algo_aead`.
pub struct Algorithm {
    /// The kernel's name.
    pub name: Cow<'static, str>,
    /// Length of the integrity check value in bits; 0 where the struct has none.
    pub icv_bits: u32,
    /// Key, salt included.
    pub key: Key,
}

/// `struct xfrm_encap_tmpl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encap {
    /// `UDP_ENCAP_*`.
    pub kind: u16,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Original address.
    pub original: RawAddress,
}

/// `struct xfrm_replay_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Sequence number last sent.
    pub sent: u32,
    /// Highest received.
    pub received: u32,
    /// Which of the 32 before that came.
    pub bitmap: u32,
}

/// `struct xfrm_replay_state_esn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayEsn {
    /// Sequence number last sent, 64 bits.
    pub sent: u64,
    /// Highest received, 64 bits.
    pub received: u64,
    /// Window in packets.
    pub window: u32,
    /// Which packets of the window came.
    pub bitmap: Vec<u32>,
}

/// `struct xfrm_user_offload`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffloadDevice {
    /// Interface.
    pub ifindex: u32,
    /// `XFRM_OFFLOAD_*`.
    pub flags: u8,
}

/// `struct xfrm_address_filter`, for dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFilter {
    /// Source prefix.
    pub src: RawAddress,
    /// Destination prefix.
    pub dst: RawAddress,
    /// Address family of both.
    pub family: u16,
    /// Length of the source prefix.
    pub src_prefix: u8,
    /// Length of the destination prefix.
    pub dst_prefix: u8,
}

/// One attribute.
pub enum Attribute {
    /// `ALG_AUTH`: truncated as the kernel thinks fit.
    Auth(Algorithm),
    /// `ALG_AUTH_TRUNC`.
    AuthTrunc(Algorithm),
    /// `ALG_CRYPT`.
    Crypt(Algorithm),
    /// `ALG_COMP`.
    Comp(Algorithm),
    /// `ALG_AEAD`.
    Aead(Algorithm),
    /// `ENCAP`.
    Encap(Encap),
    /// `TMPL`: what a policy demands, in the order in which a packet goes out through it.
    Templates(Vec<Template>),
    /// `SA`: of a DELSA event.
    Sa(Box<SaInfo>),
    /// `POLICY`: of a DELPOLICY event.
    Policy(Box<PolicyInfo>),
    /// `POLICY_TYPE`: main or sub.
    PolicyType(u8),
    /// `LTIME_VAL`.
    Current(Current),
    /// `REPLAY_VAL`.
    Replay(Replay),
    /// `REPLAY_ESN_VAL`.
    ReplayEsn(ReplayEsn),
    /// `SRCADDR`, `COADDR`.
    Address(u16, RawAddress),
    /// `LASTUSED`: seconds since 1970.
    LastUsed(u64),
    /// `MARK`.
    Mark(Masked),
    /// `PROTO`: of a dump.
    Proto(u8),
    /// `ADDRESS_FILTER`: of a dump.
    Filter(AddressFilter),
    /// `OFFLOAD_DEV`.
    Offload(OffloadDevice),
    /// `SA_DIR`.
    Direction(u8),
    /// An attribute of 32 bits: its type is one of [`WORDS`].
    Word(u16, u32),
    /// Anything else, without its header.
    Unknown {
        /// Attribute type.
        kind: u16,
        /// The payload.
        bytes: Buffer,
    },
}

/// Types of the attributes that are one 32-bit number.
const WORDS: &[u16] = &[
    attr::REPLAY_THRESH,
    attr::ETIMER_THRESH,
    attr::TFCPAD,
    attr::SA_EXTRA_FLAGS,
    attr::SET_MARK,
    attr::SET_MARK_MASK,
    attr::IF_ID,
    attr::MTIMER_THRESH,
];

impl Attribute {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> u16 {
        match self {
            Self::Auth(_) => attr::ALG_AUTH,
            Self::AuthTrunc(_) => attr::ALG_AUTH_TRUNC,
            Self::Crypt(_) => attr::ALG_CRYPT,
            Self::Comp(_) => attr::ALG_COMP,
            Self::Aead(_) => attr::ALG_AEAD,
            Self::Encap(_) => attr::ENCAP,
            Self::Templates(_) => attr::TMPL,
            Self::Sa(_) => attr::SA,
            Self::Policy(_) => attr::POLICY,
            Self::PolicyType(_) => attr::POLICY_TYPE,
            Self::Current(_) => attr::LTIME_VAL,
            Self::Replay(_) => attr::REPLAY_VAL,
            Self::ReplayEsn(_) => attr::REPLAY_ESN_VAL,
            Self::LastUsed(_) => attr::LASTUSED,
            Self::Mark(_) => attr::MARK,
            Self::Proto(_) => attr::PROTO,
            Self::Filter(_) => attr::ADDRESS_FILTER,
            Self::Offload(_) => attr::OFFLOAD_DEV,
            Self::Direction(_) => attr::SA_DIR,
            Self::Address(kind, _) | Self::Word(kind, _) | Self::Unknown { kind, .. } => *kind,
        }
    }

    /// A second copy, its key wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Auth(algorithm) => Self::Auth(algorithm.duplicate()),
            Self::AuthTrunc(algorithm) => Self::AuthTrunc(algorithm.duplicate()),
            Self::Crypt(algorithm) => Self::Crypt(algorithm.duplicate()),
            Self::Comp(algorithm) => Self::Comp(algorithm.duplicate()),
            Self::Aead(algorithm) => Self::Aead(algorithm.duplicate()),
            Self::Encap(encap) => Self::Encap(*encap),
            Self::Templates(templates) => Self::Templates(templates.clone()),
            Self::Sa(info) => Self::Sa(info.clone()),
            Self::Policy(info) => Self::Policy(info.clone()),
            Self::PolicyType(kind) => Self::PolicyType(*kind),
            Self::Current(current) => Self::Current(*current),
            Self::Replay(replay) => Self::Replay(*replay),
            Self::ReplayEsn(replay) => Self::ReplayEsn(replay.clone()),
            Self::Address(kind, address) => Self::Address(*kind, *address),
            Self::LastUsed(time) => Self::LastUsed(*time),
            Self::Mark(mark) => Self::Mark(*mark),
            Self::Proto(proto) => Self::Proto(*proto),
            Self::Filter(filter) => Self::Filter(*filter),
            Self::Offload(device) => Self::Offload(*device),
            Self::Direction(direction) => Self::Direction(*direction),
            Self::Word(kind, value) => Self::Word(*kind, *value),
            Self::Unknown { kind, bytes } => Self::Unknown { kind: *kind, bytes: Buffer::from_slice(bytes) },
        }
    }

    /// The next attribute; `None` for padding between attributes.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, ReadError> {
        let start = reader.clone();
        let len = usize::from(reader.u16()?);
        // The two upper bits say nested and network order.
        let kind = reader.u16()? & 0x3fff;
        let Some(payload_len) = len.checked_sub(4) else {
            return Err(ReadError::Short { at: start.position(), wanted: 4, left: len });
        };
        let payload = reader.part(payload_len)?;
        reader.skip(reader.left().min(payload_len.next_multiple_of(4) - payload_len))?;
        if kind == attr::PAD {
            return Ok(None);
        }
        let known = payload.clone();
        Ok(Some(Self::known(kind, known).unwrap_or_else(|_| Self::unknown(kind, payload))))
    }

    fn unknown(kind: u16, mut payload: Reader<'_>) -> Self {
        Self::Unknown { kind, bytes: Buffer::from_slice(payload.take_rest()) }
    }

    fn known(kind: u16, mut r: Reader<'_>) -> Result<Self, ReadError> {
        let attribute = match kind {
            attr::ALG_AUTH => Self::Auth(Algorithm::read(&mut r, false)?),
            attr::ALG_AUTH_TRUNC => Self::AuthTrunc(Algorithm::read(&mut r, true)?),
            attr::ALG_CRYPT => Self::Crypt(Algorithm::read(&mut r, false)?),
            attr::ALG_COMP => Self::Comp(Algorithm::read(&mut r, false)?),
            attr::ALG_AEAD => Self::Aead(Algorithm::read(&mut r, true)?),
            attr::ENCAP => Self::Encap(Encap::read(&mut r)?),
            attr::TMPL => Self::Templates(Template::read_all(&mut r)?),
            attr::SA => Self::Sa(Box::new(SaInfo::read(&mut r)?)),
            attr::POLICY => Self::Policy(Box::new(PolicyInfo::read(&mut r)?)),
            attr::POLICY_TYPE => Self::PolicyType(read_policy_type(&mut r)?),
            attr::LTIME_VAL => Self::Current(Current::read(&mut r)?),
            attr::REPLAY_VAL => Self::Replay(Replay { sent: r.u32()?, received: r.u32()?, bitmap: r.u32()? }),
            attr::REPLAY_ESN_VAL => Self::ReplayEsn(ReplayEsn::read(&mut r)?),
            attr::SRCADDR | attr::COADDR => Self::Address(kind, RawAddress(r.array()?)),
            attr::LASTUSED => Self::LastUsed(r.u64()?),
            attr::MARK => Self::Mark(Masked { value: r.u32()?, mask: r.u32()? }),
            attr::PROTO => Self::Proto(r.u8()?),
            attr::ADDRESS_FILTER => Self::Filter(AddressFilter::read(&mut r)?),
            attr::OFFLOAD_DEV => Self::Offload(OffloadDevice::read(&mut r)?),
            attr::SA_DIR => Self::Direction(r.u8()?),
            _ if WORDS.contains(&kind) => Self::Word(kind, r.u32()?),
            _ => Self::Unknown { kind, bytes: Buffer::from_slice(r.take_rest()) },
        };
        r.finish()?;
        Ok(attribute)
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        let held = writer.hold_length(writer.position());
        writer.u16(self.kind());
        self.write_payload(writer);
        writer.fill_length(held, 1)?;
        writer.pad(4);
        Ok(())
    }

    fn write_payload(&self, writer: &mut Writer) {
        match self {
            Self::Auth(algorithm) | Self::Crypt(algorithm) | Self::Comp(algorithm) => algorithm.write(writer, false),
            Self::AuthTrunc(algorithm) | Self::Aead(algorithm) => algorithm.write(writer, true),
            Self::Encap(encap) => encap.write(writer),
            Self::Templates(templates) => templates.iter().for_each(|template| template.write(writer)),
            Self::Sa(info) => info.write(writer),
            Self::Policy(info) => info.write(writer),
            Self::PolicyType(kind) => writer.bytes(&[*kind, 0, 0, 0, 0, 0]),
            Self::Current(current) => current.write(writer),
            Self::Replay(replay) => [replay.sent, replay.received, replay.bitmap].iter().for_each(|v| writer.u32(*v)),
            Self::ReplayEsn(replay) => replay.write(writer),
            Self::Address(_, address) => writer.bytes(&address.0),
            Self::LastUsed(time) => writer.u64(*time),
            Self::Mark(mark) => [mark.value, mark.mask].iter().for_each(|v| writer.u32(*v)),
            Self::Proto(value) | Self::Direction(value) => writer.u8(*value),
            Self::Filter(filter) => filter.write(writer),
            Self::Offload(device) => device.write(writer),
            Self::Word(_, value) => writer.u32(*value),
            Self::Unknown { bytes, .. } => writer.bytes(bytes),
        }
    }
}

/// `struct xfrm_userpolicy_type`: the type, then five bytes that nobody uses.
fn read_policy_type(reader: &mut Reader<'_>) -> Result<u8, ReadError> {
    let kind = reader.u8()?;
    reader.skip(5)?;
    Ok(kind)
}

impl Algorithm {
    fn duplicate(&self) -> Self {
        Self { name: self.name.clone(), icv_bits: self.icv_bits, key: self.key.duplicate() }
    }

    /// Name 64, key bits 4, ICV bits 4 if `has_icv`, key.
    fn read(reader: &mut Reader<'_>, has_icv: bool) -> Result<Self, ReadError> {
        let at = reader.position();
        let name = reader.bytes(NAME_LEN)?.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).ok().filter(|name| name.is_ascii()).ok_or(ReadError::NoName { at })?;
        let name = Cow::Owned(name.to_owned());
        let wanted = reader.u32()?;
        let icv_bits = if has_icv { reader.u32()? } else { 0 };
        let Ok(bits) = u16::try_from(wanted) else {
            return Err(ReadError::Short { at: reader.position(), wanted: wanted as usize / 8, left: reader.left() });
        };
        let key = Key::from_slice(reader.bytes(usize::from(bits).div_ceil(8))?, bits, 0);
        Ok(Self { name, icv_bits, key })
    }

    fn write(&self, writer: &mut Writer, has_icv: bool) {
        let name = self.name.as_bytes();
        let name = name.get(..NAME_LEN - 1).unwrap_or(name);
        writer.bytes(name);
        writer.zeros(NAME_LEN - name.len());
        writer.u32(u32::from(self.key.bits()));
        if has_icv {
            writer.u32(self.icv_bits);
        }
        writer.bytes(self.key.expose());
    }
}

impl Encap {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let (kind, src_port, dst_port) = (reader.u16()?, reader.be16()?, reader.be16()?);
        reader.skip(2)?;
        Ok(Self { kind, src_port, dst_port, original: RawAddress(reader.array()?) })
    }

    fn write(&self, writer: &mut Writer) {
        writer.u16(self.kind);
        writer.be16(self.src_port);
        writer.be16(self.dst_port);
        writer.zeros(2);
        writer.bytes(&self.original.0);
    }
}

impl ReplayEsn {
    /// Words of bitmap 4, then the counters: low halves, high halves, window, bitmap.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let words = reader.u32()? as usize;
        let (sent, received) = (reader.u32()?, reader.u32()?);
        let (sent_high, received_high) = (reader.u32()?, reader.u32()?);
        let window = reader.u32()?;
        let mut bitmap = reader.part(words.saturating_mul(4))?;
        let bitmap = std::iter::from_fn(|| bitmap.u32().ok()).collect();
        let join = |low, high| u64::from(high) << 32 | u64::from(low);
        Ok(Self { sent: join(sent, sent_high), received: join(received, received_high), window, bitmap })
    }

    fn write(&self, writer: &mut Writer) {
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        let (sent, sent_high) = halves(self.sent);
        let (received, received_high) = halves(self.received);
        let words = [self.bitmap.len() as u32, sent, received, sent_high, received_high, self.window];
        words.iter().chain(&self.bitmap).for_each(|word| writer.u32(*word));
    }
}

impl OffloadDevice {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let device = Self { ifindex: reader.u32()?, flags: reader.u8()? };
        reader.skip(3)?;
        Ok(device)
    }

    fn write(self, writer: &mut Writer) {
        writer.u32(self.ifindex);
        writer.bytes(&[self.flags, 0, 0, 0]);
    }
}

impl AddressFilter {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            src: RawAddress(reader.array()?),
            dst: RawAddress(reader.array()?),
            family: reader.u16()?,
            src_prefix: reader.u8()?,
            dst_prefix: reader.u8()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.src.0);
        writer.bytes(&self.dst.0);
        writer.u16(self.family);
        writer.bytes(&[self.src_prefix, self.dst_prefix]);
    }
}
