//! The fixed parts of XFRM messages (`linux/xfrm.h`), each with its read and write function.
//!
//! Sizes are those of machines that align `u64` to 8 bytes; see [`TAIL_PADDING`].
//!
//! ```text
//! xfrm_usersa_info, 224 bytes: selector 56 | dst 16 spi 4 proto 1 pad 3 | src 16 | limits 64 | current 32 | drops 12
//!                              seq 4 | reqid 4 | family 2 mode 1 window 1 | flags 1 pad 7
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::number::{FAMILY_INET, FAMILY_INET6};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// The bytes between the fields of a structure and its size, where the fields end 4 bytes after a multiple of 8 and a `u64` is
/// among them. The ABI of 32-bit x86 aligns `u64` to 4 bytes (net/xfrm/xfrm_compat.c has both layouts), that of ARM to 8.
pub(super) const TAIL_PADDING: usize = if cfg!(target_arch = "x86") { 0 } else { 4 };

/// `xfrm_address_t`: 4 or 16 bytes; the family is in another field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawAddress(pub [u8; 16]);

impl RawAddress {
    /// The address; `None` if `family` is neither AF_INET nor AF_INET6.
    #[must_use]
    pub(crate) fn ip(self, family: u16) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.0;
        // IPv4 has the first 4 of the 16 bytes (`a4` of the union).
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
                // The rest is zero, so that equal addresses are equal as bytes.
                let mut raw = [0; 16];
                // The kernel compares only the first 4 bytes of an IPv4 address (xfrm_addr_equal).
                let (head, _) = raw.split_at_mut(4);
                head.copy_from_slice(&v4.octets());
                Self(raw)
            }
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

#[must_use]
pub(crate) fn family_of(addr: IpAddr) -> u16 {
    match addr {
        IpAddr::V4(_) => FAMILY_INET,
        IpAddr::V6(_) => FAMILY_INET6,
    }
}

/// `struct xfrm_selector`: the packets of an SA or a policy, 56 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct XfrmSelector {
    pub(crate) dst: RawAddress,
    pub(crate) src: RawAddress,
    /// Destination port and mask.
    pub(crate) dst_port: (u16, u16),
    /// Source port and mask.
    pub(crate) src_port: (u16, u16),
    /// Address family of both.
    pub(crate) family: u16,
    /// Prefix length of the destination.
    pub(crate) dst_prefix: u8,
    /// Prefix length of the source.
    pub(crate) src_prefix: u8,
    /// Upper-layer protocol, 0 for any.
    pub(crate) proto: u8,
    /// Interface, 0 for any.
    pub(crate) ifindex: u32,
    /// UID; the kernel does not use it.
    pub(crate) user: u32,
}

impl XfrmSelector {
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
                // `proto` is byte 44, `ifindex` is aligned to byte 48.
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
        // Destination first, as with the addresses and ports.
        writer.bytes(&[self.dst_prefix, self.src_prefix, self.proto, 0, 0, 0]);
        writer.u32(self.ifindex);
        writer.u32(self.user);
    }
}

/// `struct xfrm_lifetime_cfg`. No limit is [`super::number::INFINITE`] for bytes and packets, 0 for seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LifetimeLimits {
    /// Soft and hard limit of bytes.
    pub(crate) bytes: (u64, u64),
    /// Soft and hard limit of packets.
    pub(crate) packets: (u64, u64),
    /// Soft and hard limit of seconds after the SA was added.
    pub(crate) add: (u64, u64),
    /// Soft and hard limit of seconds after the first use.
    pub(crate) used: (u64, u64),
}

impl LifetimeLimits {
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

/// `struct xfrm_lifetime_cur`: the usage of an SA, 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CurrentLifetime {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    /// Time when the SA was added, in seconds since 1970.
    pub(crate) add_time: u64,
    /// Time of the first use, 0 for none.
    pub(crate) use_time: u64,
}

impl CurrentLifetime {
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
pub(crate) struct SaInfo {
    pub(crate) selector: XfrmSelector,
    pub(crate) dst: RawAddress,
    pub(crate) spi: u32,
    /// `IPPROTO_ESP`, `IPPROTO_AH` or `IPPROTO_COMP`.
    pub(crate) proto: u8,
    pub(crate) src: RawAddress,
    pub(crate) limits: LifetimeLimits,
    pub(crate) current: CurrentLifetime,
    /// Packets dropped: left of the anti-replay window, replayed, with a wrong ICV.
    pub(crate) drops: [u32; 3],
    /// Sequence number of the key manager's ACQUIRE.
    pub(crate) seq: u32,
    /// Links the SA to the templates of policies.
    pub(crate) reqid: u32,
    /// Address family of `src` and `dst`.
    pub(crate) family: u16,
    /// `XFRM_MODE_*`: transport 0, tunnel 1, BEET 4.
    pub(crate) mode: u8,
    /// Anti-replay window up to 32 packets; 0 with `REPLAY_ESN_VAL`.
    pub(crate) replay_window: u8,
    /// `XFRM_STATE_*`; further flags are in `SA_EXTRA_FLAGS`.
    pub(crate) flags: u8,
}

impl SaInfo {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let info = Self {
            selector: XfrmSelector::read(reader)?,
            dst: RawAddress::read(reader)?,
            spi: reader.be32()?,
            proto: reader.u8()?,
            src: {
                // `struct xfrm_id` ends with 3 bytes of padding, because its SPI is aligned to 4.
                reader.skip(3)?;
                RawAddress::read(reader)?
            },
            limits: LifetimeLimits::read(reader)?,
            current: CurrentLifetime::read(reader)?,
            drops: [reader.u32()?, reader.u32()?, reader.u32()?],
            seq: reader.u32()?,
            reqid: reader.u32()?,
            family: reader.u16()?,
            mode: reader.u8()?,
            replay_window: reader.u8()?,
            flags: reader.u8()?,
        };
        reader.skip(3 + TAIL_PADDING)?;
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
        writer.bytes(&[self.mode, self.replay_window, self.flags, 0, 0, 0]);
        writer.bytes(&[0; TAIL_PADDING]);
    }
}

/// `struct xfrm_usersa_id`: the identity of an SA without its mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserSaId {
    pub(crate) dst: RawAddress,
    pub(crate) spi: u32,
    /// Address family of `dst`.
    pub(crate) family: u16,
    /// `IPPROTO_ESP`, `IPPROTO_AH` or `IPPROTO_COMP`.
    pub(crate) proto: u8,
}

impl UserSaId {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        // Unlike in `struct xfrm_id`, the family precedes the protocol.
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
pub(crate) struct EventId {
    pub(crate) id: UserSaId,
    pub(crate) src: RawAddress,
    /// `XFRM_AE_*`: contents and cause of the message.
    pub(crate) flags: u32,
    pub(crate) reqid: u32,
}

impl EventId {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self { id: UserSaId::read(reader)?, src: RawAddress::read(reader)?, flags: reader.u32()?, reqid: reader.u32()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.src.write(writer);
        writer.u32(self.flags);
        writer.u32(self.reqid);
    }
}
