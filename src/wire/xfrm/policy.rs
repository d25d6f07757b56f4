//! The fixed parts of messages about policies (`linux/xfrm.h`), and the templates that say what a policy demands.
//!
//! ```text
//! xfrm_userpolicy_info, 168 bytes: selector 56 | limits 64 | current 32 | priority 4 | index 4 | dir 1 action 1 flags 1 share 1 | pad 4
//! xfrm_userpolicy_id, 64 bytes:    selector 56 | index 4 | dir 1 | pad 3
//! xfrm_user_tmpl, 64 bytes:        dst 16 spi 4 proto 1 pad 3 | family 2 pad 2 | src 16 | reqid 4 | mode 1 share 1 optional 1 pad 1
//!                                  auth algorithms 4 | encryption 4 | compression 4
//! ```

use super::fixed::{Current, Limits, RawAddress, Selector};
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `struct xfrm_userpolicy_info`: a policy without its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Which packets it is about.
    pub selector: Selector,
    /// Lifetimes.
    pub limits: Limits,
    /// What has been used of them.
    pub current: Current,
    /// The lowest number wins.
    pub priority: u32,
    /// The kernel's number of the policy; 0 in a request for any.
    pub index: u32,
    /// `XFRM_POLICY_IN`, `_OUT`, `_FWD`; more for those of single sockets.
    pub direction: u8,
    /// `XFRM_POLICY_ALLOW`, `_BLOCK`.
    pub action: u8,
    /// `XFRM_POLICY_LOCALOK`, `_ICMP`.
    pub flags: u8,
    /// `XFRM_SHARE_*`.
    pub share: u8,
}

impl PolicyInfo {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let info = Self {
            selector: Selector::read(reader)?,
            limits: Limits::read(reader)?,
            current: Current::read(reader)?,
            priority: reader.u32()?,
            index: reader.u32()?,
            direction: reader.u8()?,
            action: reader.u8()?,
            flags: reader.u8()?,
            share: reader.u8()?,
        };
        reader.skip(4)?;
        Ok(info)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        self.limits.write(writer);
        self.current.write(writer);
        writer.u32(self.priority);
        writer.u32(self.index);
        writer.bytes(&[self.direction, self.action, self.flags, self.share, 0, 0, 0, 0]);
    }
}

/// `struct xfrm_userpolicy_id`: what names a policy, but for its mark and interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyName {
    /// Which packets it is about.
    pub selector: Selector,
    /// The kernel's number of it; 0 to go by the selector.
    pub index: u32,
    /// As [`PolicyInfo::direction`].
    pub direction: u8,
}

impl PolicyName {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let name = Self { selector: Selector::read(reader)?, index: reader.u32()?, direction: reader.u8()? };
        reader.skip(3)?;
        Ok(name)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        writer.u32(self.index);
        writer.bytes(&[self.direction, 0, 0, 0]);
    }
}

/// `struct xfrm_user_tmpl`: one SA that a packet must have gone through, or will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Destination of a tunnel.
    pub dst: RawAddress,
    /// Security parameters index, 0 for any.
    pub spi: u32,
    /// `IPPROTO_ESP`, `IPPROTO_AH`.
    pub proto: u8,
    /// Address family of `src` and `dst`.
    pub family: u16,
    /// Source of a tunnel.
    pub src: RawAddress,
    /// Which SAs it may be.
    pub reqid: u32,
    /// `XFRM_MODE_*`.
    pub mode: u8,
    /// `XFRM_SHARE_*`.
    pub share: u8,
    /// Whether a packet may do without (`level use`).
    pub optional: bool,
    /// Which algorithms it may have, a bit for each: authentication, encryption, compression. All ones for any.
    pub algorithms: [u32; 3],
}

impl Template {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let dst = RawAddress::read(reader)?;
        let (spi, proto) = (reader.be32()?, reader.u8()?);
        reader.skip(3)?;
        let family = reader.u16()?;
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

    /// All templates of an attribute, in the order in which a packet goes out through them.
    pub(super) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, ReadError> {
        let mut templates = Vec::new();
        while reader.left() > 0 {
            templates.push(Self::read(reader)?);
        }
        Ok(templates)
    }
}
