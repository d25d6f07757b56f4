//! The fixed parts of XFRM messages (`linux/xfrm.h`). Reading and writing of each stand side by side, field by field.
//!
//! ```text
//! xfrm_usersa_info, 224 bytes: selector 56 | dst 16 spi 4 proto 1 pad 3 | src 16 | limits 64 | current 32 | drops 12
//!                              seq 4 | reqid 4 | family 2 mode 1 window 1 | flags 1 pad 7
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::number::{FAMILY_INET, FAMILY_INET6};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `xfrm_address_t`: 4 or 16 bytes, by the family that stands elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawAddress(pub [u8; 16]);

impl RawAddress {
    /// The address of `family`; `None` if that is not an IP one.
    #[must_use]
    pub fn ip(self, family: u16) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.0;
        match family {
            FAMILY_INET => Some(Ipv4Addr::new(a, b, c, d).into()),
            FAMILY_INET6 => Some(Ipv6Addr::from(self.0).into()),
            _ => None,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.array().map(Self)
    }

    pub(super) fn write(self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }
}

impl From<IpAddr> for RawAddress {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => {
                let mut raw = [0; 16];
                let (head, _) = raw.split_at_mut(4);
                head.copy_from_slice(&v4.octets());
                Self(raw)
            }
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

/// The number of an address's family.
#[must_use]
pub fn family_of(addr: IpAddr) -> u16 {
    match addr {
        IpAddr::V4(_) => FAMILY_INET,
        IpAddr::V6(_) => FAMILY_INET6,
    }
}

/// `struct xfrm_selector`: which packets an SA or a policy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Destination.
    pub dst: RawAddress,
    /// Source.
    pub src: RawAddress,
    /// Destination port and which bits of it count.
    pub dst_port: (u16, u16),
    /// Source port and which bits of it count.
    pub src_port: (u16, u16),
    /// Address family of both.
    pub family: u16,
    /// Prefix length of the destination.
    pub dst_prefix: u8,
    /// Prefix length of the source.
    pub src_prefix: u8,
    /// Upper-layer protocol, 0 for any.
    pub proto: u8,
    /// Interface, 0 for any.
    pub ifindex: u32,
    /// Owner, not used by the kernel.
    pub user: u32,
}

impl Selector {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let selector = Self {
            dst: RawAddress::read(reader)?,
            src: RawAddress::read(reader)?,
            dst_port: (reader.be16()?, reader.be16()?),
            src_port: (reader.be16()?, reader.be16()?),
            family: reader.u16()?,
            dst_prefix: reader.u8()?,
            src_prefix: reader.u8()?,
            proto: reader.u8()?,
            ifindex: {
                reader.skip(3)?;
                reader.u32()?
            },
            user: reader.u32()?,
        };
        Ok(selector)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.dst.write(writer);
        self.src.write(writer);
        for (port, mask) in [self.dst_port, self.src_port] {
            writer.be16(port);
            writer.be16(mask);
        }
        writer.u16(self.family);
        writer.bytes(&[self.dst_prefix, self.src_prefix, self.proto, 0, 0, 0]);
        writer.u32(self.ifindex);
        writer.u32(self.user);
    }
}

/// `struct xfrm_lifetime_cfg`. Bytes and packets: [`super::number::INFINITE`] is no limit; seconds: 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, soft and hard.
    pub bytes: (u64, u64),
    /// Packets, soft and hard.
    pub packets: (u64, u64),
    /// Seconds since added, soft and hard.
    pub add: (u64, u64),
    /// Seconds since first used, soft and hard.
    pub used: (u64, u64),
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            bytes: (reader.u64()?, reader.u64()?),
            packets: (reader.u64()?, reader.u64()?),
            add: (reader.u64()?, reader.u64()?),
            used: (reader.u64()?, reader.u64()?),
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for (soft, hard) in [self.bytes, self.packets, self.add, self.used] {
            writer.u64(soft);
            writer.u64(hard);
        }
    }
}

/// `struct xfrm_lifetime_cur`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// Bytes protected.
    pub bytes: u64,
    /// Packets protected.
    pub packets: u64,
    /// Seconds since 1970 when it was added.
    pub add_time: u64,
    /// Seconds since 1970 when it was first used, 0 if never.
    pub use_time: u64,
}

impl Current {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self { bytes: reader.u64()?, packets: reader.u64()?, add_time: reader.u64()?, use_time: reader.u64()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for value in [self.bytes, self.packets, self.add_time, self.use_time] {
            writer.u64(value);
        }
    }
}

/// `struct xfrm_usersa_info`: an SA without its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaInfo {
    /// Which packets it is for.
    pub selector: Selector,
    /// Destination.
    pub dst: RawAddress,
    /// Security parameters index.
    pub spi: u32,
    /// `IPPROTO_ESP`, `IPPROTO_AH`.
    pub proto: u8,
    /// Source.
    pub src: RawAddress,
    /// Lifetimes.
    pub limits: Limits,
    /// What has been used of them.
    pub current: Current,
    /// Packets dropped: behind the replay window, replayed, failing the integrity check.
    pub drops: [u32; 3],
    /// The key manager's number of the acquire.
    pub seq: u32,
    /// Which policies may use it.
    pub reqid: u32,
    /// Address family of `src` and `dst`.
    pub family: u16,
    /// `XFRM_MODE_*`.
    pub mode: u8,
    /// Replay window up to 32 packets; 0 where a `REPLAY_ESN_VAL` says more.
    pub replay_window: u8,
    /// `XFRM_STATE_*`.
    pub flags: u8,
}

impl SaInfo {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let info = Self {
            selector: Selector::read(reader)?,
            dst: RawAddress::read(reader)?,
            spi: reader.be32()?,
            proto: reader.u8()?,
            src: {
                reader.skip(3)?;
                RawAddress::read(reader)?
            },
            limits: Limits::read(reader)?,
            current: Current::read(reader)?,
            drops: [reader.u32()?, reader.u32()?, reader.u32()?],
            seq: reader.u32()?,
            reqid: reader.u32()?,
            family: reader.u16()?,
            mode: reader.u8()?,
            replay_window: reader.u8()?,
            flags: reader.u8()?,
        };
        reader.skip(7)?;
        Ok(info)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        self.dst.write(writer);
        writer.be32(self.spi);
        writer.bytes(&[self.proto, 0, 0, 0]);
        self.src.write(writer);
        self.limits.write(writer);
        self.current.write(writer);
        for value in self.drops.into_iter().chain([self.seq, self.reqid]) {
            writer.u32(value);
        }
        writer.u16(self.family);
        writer.bytes(&[self.mode, self.replay_window, self.flags, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// `struct xfrm_usersa_id`: what names an SA, but for its mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaName {
    /// Destination.
    pub dst: RawAddress,
    /// Security parameters index.
    pub spi: u32,
    /// Address family of `dst`.
    pub family: u16,
    /// `IPPROTO_ESP`, `IPPROTO_AH`.
    pub proto: u8,
}

impl SaName {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let name = Self { dst: RawAddress::read(reader)?, spi: reader.be32()?, family: reader.u16()?, proto: reader.u8()? };
        reader.skip(1)?;
        Ok(name)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.dst.write(writer);
        writer.be32(self.spi);
        writer.u16(self.family);
        writer.bytes(&[self.proto, 0]);
    }
}

/// `struct xfrm_aevent_id`: the fixed part of NEWAE and GETAE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventId {
    /// Which SA.
    pub name: SaName,
    /// Source.
    pub src: RawAddress,
    /// `XFRM_AE_*`.
    pub flags: u32,
    /// Which policies may use the SA.
    pub reqid: u32,
}

impl EventId {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self { name: SaName::read(reader)?, src: RawAddress::read(reader)?, flags: reader.u32()?, reqid: reader.u32()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.name.write(writer);
        self.src.write(writer);
        writer.u32(self.flags);
        writer.u32(self.reqid);
    }
}
