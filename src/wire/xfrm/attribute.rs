//! Attributes of XFRM messages: `nlattr` (length 2, type 2, payload, padding to 4) around the structs of `linux/xfrm.h`.
//!
//! An unknown attribute, one of an unexpected size, or an algorithm with an invalid name is kept whole.

use std::borrow::Cow;

use super::fixed::{CurrentLifetime, RawAddress, SaInfo};
use super::number::attr;
use super::policy::{PolicyInfo, XfrmTemplate};
use crate::sa::Masked;
use crate::secret::{Buffer, Key};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::{WriteError, Writer};

/// Length of `alg_name`, NUL included.
const NAME_LEN: usize = 64;

/// `struct xfrm_algo`, `xfrm_algo_auth`, `xfrm_algo_aead`.
pub(crate) struct Algorithm {
    /// Name in the kernel's crypto API, such as `hmac(sha256)`.
    pub(crate) name: Cow<'static, str>,
    /// Length of the ICV in bits; 0 if the struct has no such field.
    pub(crate) icv_bits: u32,
    pub(crate) key: Key,
}

/// `struct xfrm_encap_tmpl`: encapsulation of ESP in UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encap {
    /// `UDP_ENCAP_*` of `linux/udp.h`; 2 is ESP in UDP.
    pub(crate) kind: u16,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// NAT-OA, the original address (RFC 3947).
    pub(crate) original: RawAddress,
}

/// `struct xfrm_replay_state`: counters and a window of up to 32 packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayState {
    /// Last sequence number sent.
    pub(crate) sent: u32,
    /// Highest sequence number received.
    pub(crate) received: u32,
    /// Bit n: sequence number `received - n` has been received.
    pub(crate) bitmap: u32,
}

/// `struct xfrm_replay_state_esn`: for ESN, and for windows above 32 packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayStateEsn {
    /// Last sequence number sent.
    pub(crate) sent: u64,
    /// Highest sequence number received.
    pub(crate) received: u64,
    /// Size of the anti-replay window in packets.
    pub(crate) window: u32,
    /// Received packets of the window.
    pub(crate) bitmap: Vec<u32>,
}

/// `struct xfrm_user_offload`: the network interface that processes the SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OffloadDevice {
    /// Index of the network interface.
    pub(crate) ifindex: u32,
    /// `XFRM_OFFLOAD_*`: IPV6 1, INBOUND 2, PACKET 4.
    pub(crate) flags: u8,
}

/// `struct xfrm_address_filter`, for dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressFilter {
    pub(crate) src: RawAddress,
    pub(crate) dst: RawAddress,
    /// Address family of both.
    pub(crate) family: u16,
    pub(crate) src_prefix: u8,
    pub(crate) dst_prefix: u8,
}

/// An attribute of a message (`XFRMA_*`).
pub(crate) enum Attribute {
    /// `ALG_AUTH`: with the kernel's default truncation, which for SHA-256 is 96 bits.
    Auth(Algorithm),
    AuthTrunc(Algorithm),
    Crypt(Algorithm),
    Comp(Algorithm),
    Aead(Algorithm),
    Encap(Encap),
    /// `TMPL`: the templates of a policy, in the order of outgoing packets.
    Templates(Vec<XfrmTemplate>),
    /// `SA`, in a DELSA event.
    Sa(Box<SaInfo>),
    /// `POLICY`, in a DELPOLICY event.
    Policy(Box<PolicyInfo>),
    /// `POLICY_TYPE`: main or sub.
    PolicyType(u8),
    Current(CurrentLifetime),
    Replay(ReplayState),
    ReplayEsn(ReplayStateEsn),
    /// `SRCADDR` or `COADDR`, the attribute type, and the address.
    Address(u16, RawAddress),
    /// `LASTUSED`: seconds since 1970.
    LastUsed(u64),
    Mark(Masked),
    /// `PROTO`, a filter of a dump.
    Proto(u8),
    /// `ADDRESS_FILTER`, a filter of a dump.
    Filter(AddressFilter),
    Offload(OffloadDevice),
    /// `SA_DIR`, from Linux 6.10 on.
    Direction(u8),
    /// An attribute of 32 bits; its type is in [`WORDS`].
    Word(u16, u32),
    /// Any other attribute, without its header.
    Unknown {
        kind: u16,
        bytes: Buffer,
    },
}

/// Attribute types with a 32-bit value.
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
    #[must_use]
    pub(crate) fn kind(&self) -> u16 {
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

    /// A copy; its key is wiped separately.
    #[must_use]
    pub(crate) fn duplicate(&self) -> Self {
        // Not `Clone`: every copy of a key is explicit, and a search for `duplicate` finds it.
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

    /// Reads the next attribute; `None` for padding.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, ReadError> {
        let start = reader.clone();
        let len = usize::from(reader.u16()?);
        // The upper two bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
        let kind = reader.u16()? & 0x3fff;
        // nla_len includes the header of 4 bytes; a smaller one does not say where the attribute ends.
        let Some(payload_len) = len.checked_sub(4) else {
            return Err(ReadError::Short { at: start.position(), expected: 4, left: len });
        };
        let payload = reader.part(payload_len)?;
        // nla_len does not count the padding, and the last attribute may end without it.
        reader.skip(reader.left().min(payload_len.next_multiple_of(4) - payload_len))?;
        // XFRMA_PAD aligns the 64-bit values behind it.
        if kind == attr::PAD {
            return Ok(None);
        }
        let body = payload.clone();
        // A newer kernel may have a longer struct. The attribute is kept, and as a `Buffer`: it may contain a key.
        Ok(Some(Self::read_known(kind, body).unwrap_or_else(|_| Self::unknown(kind, payload))))
    }

    fn unknown(kind: u16, mut payload: Reader<'_>) -> Self {
        Self::Unknown { kind, bytes: Buffer::from_slice(payload.take_rest()) }
    }

    fn read_known(kind: u16, mut r: Reader<'_>) -> Result<Self, ReadError> {
        // Only `xfrm_algo_auth` and `xfrm_algo_aead` have an ICV length between key length and key.
        let attribute = match kind {
            attr::ALG_AUTH => Self::Auth(Algorithm::read(&mut r, false)?),
            attr::ALG_AUTH_TRUNC => Self::AuthTrunc(Algorithm::read(&mut r, true)?),
            attr::ALG_CRYPT => Self::Crypt(Algorithm::read(&mut r, false)?),
            attr::ALG_COMP => Self::Comp(Algorithm::read(&mut r, false)?),
            attr::ALG_AEAD => Self::Aead(Algorithm::read(&mut r, true)?),
            attr::ENCAP => Self::Encap(Encap::read(&mut r)?),
            attr::TMPL => Self::Templates(XfrmTemplate::read_all(&mut r)?),
            attr::SA => Self::Sa(Box::new(SaInfo::read(&mut r)?)),
            attr::POLICY => Self::Policy(Box::new(PolicyInfo::read(&mut r)?)),
            attr::POLICY_TYPE => Self::PolicyType(read_policy_type(&mut r)?),
            attr::LTIME_VAL => Self::Current(CurrentLifetime::read(&mut r)?),
            attr::REPLAY_VAL => Self::Replay(ReplayState { sent: r.u32()?, received: r.u32()?, bitmap: r.u32()? }),
            attr::REPLAY_ESN_VAL => Self::ReplayEsn(ReplayStateEsn::read(&mut r)?),
            // No family: that of the SA applies.
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
        // A remainder means another layout, of which the fields read so far may be wrong, too.
        r.finish()?;
        Ok(attribute)
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        let length = writer.reserve_length(writer.position());
        writer.u16(self.kind());
        self.write_payload(writer);
        writer.fill_length(length, 1)?;
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

/// `struct xfrm_userpolicy_type`: the type and five unused bytes.
fn read_policy_type(reader: &mut Reader<'_>) -> Result<u8, ReadError> {
    let kind = reader.u8()?;
    reader.skip(5)?;
    Ok(kind)
}

impl Algorithm {
    fn duplicate(&self) -> Self {
        Self { name: self.name.clone(), icv_bits: self.icv_bits, key: self.key.duplicate() }
    }

    /// Name (64 bytes), key bits (4), ICV bits (4) if `has_icv`, key.
    fn read(reader: &mut Reader<'_>, has_icv: bool) -> Result<Self, ReadError> {
        let at = reader.position();
        let name = reader.bytes(NAME_LEN)?.split(|byte| *byte == 0).next().unwrap_or_default();
        // The name is printed and looked up in a table. Anything but ASCII is no algorithm.
        let name = std::str::from_utf8(name).ok().filter(|name| name.is_ascii()).ok_or(ReadError::InvalidName { at })?;
        let name = Cow::Owned(name.to_owned());
        let key_bits = reader.u32()?;
        let icv_bits = if has_icv { reader.u32()? } else { 0 };
        // No algorithm has keys of more than 65535 bits.
        let Ok(bits) = u16::try_from(key_bits) else {
            return Err(ReadError::Short { at: reader.position(), expected: key_bits as usize / 8, left: reader.left() });
        };
        // With lockdown=confidentiality the kernel fills in zeros; the length stays.
        let key = Key::from_slice(reader.bytes(usize::from(bits).div_ceil(8))?, bits, 0);
        Ok(Self { name, icv_bits, key })
    }

    fn write(&self, writer: &mut Writer, has_icv: bool) {
        let name = self.name.as_bytes();
        // The kernel overwrites the last byte with NUL.
        let name = name.get(..NAME_LEN - 1).unwrap_or(name);
        writer.bytes(name);
        writer.zeros(NAME_LEN - name.len());
        // In bits. The kernel refuses a key that is longer than its attribute (EINVAL).
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
        // encap_oa is aligned to 4 bytes.
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

impl ReplayStateEsn {
    /// Number of bitmap words, low halves of both counters, high halves, window, bitmap.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let words = reader.u32()? as usize;
        let (sent, received) = (reader.u32()?, reader.u32()?);
        let (sent_high, received_high) = (reader.u32()?, reader.u32()?);
        let window = reader.u32()?;
        // The number of words is not trusted: part() fails before anything is allocated.
        let mut bitmap = reader.part(words.saturating_mul(4))?;
        let bitmap = std::iter::from_fn(|| bitmap.u32().ok()).collect();
        let join = |low, high| u64::from(high) << 32 | u64::from(low);
        Ok(Self { sent: join(sent, sent_high), received: join(received, received_high), window, bitmap })
    }

    fn write(&self, writer: &mut Writer) {
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        let (sent, sent_high) = halves(self.sent);
        let (received, received_high) = halves(self.received);
        // The kernel accepts up to 128 words (XFRMA_REPLAY_ESN_MAX, 4096 packets).
        let words = [self.bitmap.len() as u32, sent, received, sent_high, received_high, self.window];
        words.iter().chain(&self.bitmap).for_each(|word| writer.u32(*word));
    }
}

impl OffloadDevice {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let device = Self { ifindex: reader.u32()?, flags: reader.u8()? };
        // The struct is padded to the alignment of its ifindex.
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
