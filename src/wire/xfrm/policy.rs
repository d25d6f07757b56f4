//! The fixed parts of policy messages, and templates (`linux/xfrm.h`).
//!
//! ```text
//! xfrm_userpolicy_info, 168 bytes: selector 56 | limits 64 | current 32 | priority 4 | index 4 | dir 1 action 1 flags 1 share 1 | pad 4
//! xfrm_userpolicy_id, 64 bytes:    selector 56 | index 4 | dir 1 | pad 3
//! xfrm_user_tmpl, 64 bytes:        dst 16 spi 4 proto 1 pad 3 | family 2 pad 2 | src 16 | reqid 4 | mode 1 share 1 optional 1 pad 1
//!                                  auth algorithms 4 | encryption 4 | compression 4
//! ```

use super::fixed::{CurrentLifetime, LifetimeLimits, RawAddress, TAIL_PADDING, XfrmSelector};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `struct xfrm_userpolicy_info`: a policy without its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyInfo {
    pub(crate) selector: XfrmSelector,
    pub(crate) limits: LifetimeLimits,
    pub(crate) current: CurrentLifetime,
    /// The lowest number takes precedence.
    pub(crate) priority: u32,
    /// Index that the kernel assigns; 0 in a request for any.
    pub(crate) index: u32,
    /// `XFRM_POLICY_IN`, `_OUT`, `_FWD`; higher numbers for policies of single sockets.
    pub(crate) direction: u8,
    /// `XFRM_POLICY_ALLOW` or `XFRM_POLICY_BLOCK`.
    pub(crate) action: u8,
    /// `XFRM_POLICY_LOCALOK` 1, `XFRM_POLICY_ICMP` 2.
    pub(crate) flags: u8,
    /// `XFRM_SHARE_*`; 0 is `XFRM_SHARE_ANY`.
    pub(crate) share: u8,
}

impl PolicyInfo {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let info = Self {
            selector: XfrmSelector::read(reader)?,
            limits: LifetimeLimits::read(reader)?,
            current: CurrentLifetime::read(reader)?,
            priority: reader.u32()?,
            index: reader.u32()?,
            direction: reader.u8()?,
            action: reader.u8()?,
            flags: reader.u8()?,
            share: reader.u8()?,
        };
        reader.skip(TAIL_PADDING)?;
        Ok(info)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        self.limits.write(writer);
        self.current.write(writer);
        writer.u32(self.priority);
        writer.u32(self.index);
        writer.bytes(&[self.direction, self.action, self.flags, self.share]);
        writer.bytes(&[0; TAIL_PADDING]);
    }
}

/// `struct xfrm_userpolicy_id`: the identity of a policy without mark and if_id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserPolicyId {
    pub(crate) selector: XfrmSelector,
    /// Index that the kernel assigned; 0 to look the policy up by its selector.
    pub(crate) index: u32,
    /// `XFRM_POLICY_IN`, `_OUT` or `_FWD`, as in [`PolicyInfo`].
    pub(crate) direction: u8,
}

impl UserPolicyId {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let name = Self { selector: XfrmSelector::read(reader)?, index: reader.u32()?, direction: reader.u8()? };
        reader.skip(3)?;
        Ok(name)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        writer.u32(self.index);
        writer.bytes(&[self.direction, 0, 0, 0]);
    }
}

/// `struct xfrm_user_tmpl`: an SA that a policy requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct XfrmTemplate {
    /// Destination of a tunnel.
    pub(crate) dst: RawAddress,
    /// SPI, 0 for any.
    pub(crate) spi: u32,
    /// `IPPROTO_ESP`, `IPPROTO_AH` or `IPPROTO_COMP`.
    pub(crate) proto: u8,
    /// Address family of `src` and `dst`.
    pub(crate) family: u16,
    /// Source of a tunnel.
    pub(crate) src: RawAddress,
    /// The SA must have this reqid; 0 for any.
    pub(crate) reqid: u32,
    /// `XFRM_MODE_*`: transport 0, tunnel 1, BEET 4.
    pub(crate) mode: u8,
    /// `XFRM_SHARE_*`; 0 is `XFRM_SHARE_ANY`.
    pub(crate) share: u8,
    /// Whether packets without the SA are accepted (`level use`).
    pub(crate) optional: bool,
    /// Bit masks of allowed authentication, encryption and compression algorithms. All ones for any.
    pub(crate) algorithms: [u32; 3],
}

impl XfrmTemplate {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let dst = RawAddress::read(reader)?;
        let (spi, proto) = (reader.be32()?, reader.u8()?);
        reader.skip(3)?;
        let family = reader.u16()?;
        // `saddr` is aligned to 4 bytes.
        reader.skip(2)?;
        let src = RawAddress::read(reader)?;
        let (reqid, mode, share, optional) = (reader.u32()?, reader.u8()?, reader.u8()?, reader.u8()? != 0);
        reader.skip(1)?;
        let algorithms = [reader.u32()?, reader.u32()?, reader.u32()?];
        Ok(Self { dst, spi, proto, family, src, reqid, mode, share, optional, algorithms })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.dst.write(writer);
        writer.be32(self.spi);
        writer.bytes(&[self.proto, 0, 0, 0]);
        writer.u16(self.family);
        writer.zeros(2);
        self.src.write(writer);
        writer.u32(self.reqid);
        writer.bytes(&[self.mode, self.share, u8::from(self.optional), 0]);
        self.algorithms.iter().for_each(|bits| writer.u32(*bits));
    }

    /// Reads all templates of an attribute, in the order of outgoing packets.
    pub(super) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, ReadError> {
        let mut templates = Vec::new();
        // No count precedes the templates; they fill the attribute.
        while reader.left() > 0 {
            templates.push(Self::read(reader)?);
        }
        Ok(templates)
    }
}
