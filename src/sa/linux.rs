//! What a Linux SA has beyond PF_KEY (`linux/xfrm.h`): what a command may ask for, and what the kernel reports.

use std::ops::{BitOr, BitOrAssign};

use serde::{Deserialize, Serialize};

use super::Silent;

/// A value that counts only where its mask has ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Masked {
    /// The value.
    pub value: u32,
    /// Which bits of it count.
    pub mask: u32,
}

impl From<(u32, u32)> for Masked {
    fn from((value, mask): (u32, u32)) -> Self {
        Self { value, mask }
    }
}

impl From<Masked> for (u32, u32) {
    fn from(masked: Masked) -> Self {
        (masked.value, masked.mask)
    }
}

/// How an SA treats packets (`XFRM_MODE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct XfrmMode(pub u8);

impl XfrmMode {
    /// The payload alone is protected.
    pub const TRANSPORT: Self = Self(0);
    /// The whole packet is protected.
    pub const TUNNEL: Self = Self(1);
    /// Bound end-to-end tunnel: fixed inner addresses that do not travel.
    pub const BEET: Self = Self(4);

    /// The modes of `IPSEC_MODE_*` (`linux/ipsec.h`), which PF_KEY has in X_SA2, in the order of their numbers from 1 on.
    const PF_KEY: [Self; 3] = [Self::TRANSPORT, Self::TUNNEL, Self::BEET];

    /// The mode of that number in PF_KEY.
    #[must_use]
    pub fn from_pf_key(number: u8) -> Option<Self> {
        Self::PF_KEY.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Its number in PF_KEY.
    #[must_use]
    pub fn pf_key(self) -> Option<u8> {
        (1..).zip(Self::PF_KEY).find(|(_, mode)| *mode == self).map(|(number, _)| number)
    }
}

/// `XFRM_STATE_*` in the low 8 bits, `XFRM_SA_XFLAG_*` from bit 8 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct XfrmFlags(pub u32);

impl XfrmFlags {
    /// Do not carry congestion marks from outer to inner header.
    pub const NOECN: Self = Self(1);
    /// Copy the traffic class from outer to inner header.
    pub const DECAP_DSCP: Self = Self(2);
    /// No path MTU discovery.
    pub const NOPMTUDISC: Self = Self(4);
    /// Any source address, receiving.
    pub const WILDRECV: Self = Self(8);
    /// Hand ICMP errors about the SA to its owner.
    pub const ICMP: Self = Self(16);
    /// The selector is for either address family.
    pub const AF_UNSPEC: Self = Self(32);
    /// Align the AH header to 4 bytes.
    pub const ALIGN4: Self = Self(64);
    /// 64-bit sequence numbers (RFC 4303 section 2.2.1).
    pub const ESN: Self = Self(128);
    /// Do not copy the traffic class to the outer header.
    pub const DONT_ENCAP_DSCP: Self = Self(1 << 8);
    /// The outgoing sequence number may start over.
    pub const OSEQ_MAY_WRAP: Self = Self(2 << 8);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for XfrmFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for XfrmFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Cryptographic work handed to a network device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offload {
    /// The device's name.
    pub device: String,
    /// For packets that come in; else for packets that go out. A request's own direction decides instead.
    pub inbound: bool,
    /// The device does the whole packet, not only the cryptography.
    pub whole_packet: bool,
}

/// What only Linux XFRM can hold. Everything at its default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinuxExtras {
    /// Mode; a request's `None` is tunnel if there are inner addresses, else transport. A report always says it.
    pub mode: Option<XfrmMode>,
    /// Which policies may use the SA; 0 for any.
    pub reqid: u32,
    /// Only for packets with this mark. Part of what names the SA.
    pub mark: Option<Masked>,
    /// XFRM interface; 0 for none.
    pub if_id: u32,
    /// Mark put on packets that the SA has handled.
    pub output_mark: Option<Masked>,
    /// Device that does the work.
    pub offload: Option<Offload>,
    /// Packets are padded to this length against traffic analysis (RFC 4303 section 2.7); 0 for none.
    pub tfcpad: u32,
    /// Flags.
    pub flags: XfrmFlags,
    /// Packets after which an EXPIRE is sent; 0 for no limit.
    pub soft_packets: u64,
    /// Packets after which the SA is removed; 0 for no limit.
    pub hard_packets: u64,
    /// Length of the integrity check value in bits where it is not the algorithm's own.
    pub icv_bits: Option<u16>,
}

impl Silent for LinuxExtras {
    const NOTHING: &'static Self = &Self {
        mode: None,
        reqid: 0,
        mark: None,
        if_id: 0,
        output_mark: None,
        offload: None,
        tfcpad: 0,
        flags: XfrmFlags(0),
        soft_packets: 0,
        hard_packets: 0,
        icv_bits: None,
    };
}

impl LinuxExtras {
    /// The keyword of the first thing asked for; `None` if all is at its default.
    #[must_use]
    pub fn first_keyword(&self) -> Option<&'static str> {
        let asked = [
            (self.mode.is_some(), "mode"),
            (self.reqid != 0, "reqid"),
            (self.mark.is_some(), "mark"),
            (self.if_id != 0, "if_id"),
            (self.output_mark.is_some(), "output-mark"),
            (self.offload.is_some(), "offload"),
            (self.tfcpad != 0, "tfcpad"),
            (self.flags.has(XfrmFlags::ESN), "esn"),
            (self.flags != XfrmFlags::default(), "flag"),
            (self.soft_packets != 0, "soft_packets"),
            (self.hard_packets != 0, "hard_packets"),
            (self.icv_bits.is_some(), "icv"),
        ];
        asked.iter().find(|(is_asked, _)| *is_asked).map(|(_, word)| *word)
    }
}

/// What Linux XFRM reports of an SA beyond the other extensions of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxInfo {
    /// What was asked for.
    pub extras: LinuxExtras,
    /// Replay window in packets; PF_KEY's field holds 255 at most.
    pub replay_window: u32,
    /// Packets protected so far.
    pub packets: u64,
    /// Seconds since 1970 of the last use; 0 if never or unknown.
    pub last_used: u64,
    /// Sequence number last sent, extended.
    pub sent_seq: u64,
    /// Highest sequence number received, extended.
    pub received_seq: u64,
    /// Packets dropped: behind the replay window, seen before, failing the integrity check.
    pub drops: [u32; 3],
    /// The kernel's name of an authentication algorithm that has no number here.
    pub foreign_auth: Option<String>,
    /// The kernel's name of an encryption algorithm that has no number here.
    pub foreign_encr: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keyword_names_what_was_asked() {
        assert_eq!(LinuxExtras::default().first_keyword(), None);
        let extras = LinuxExtras { tfcpad: 8, hard_packets: 1, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("tfcpad"));
        let extras = LinuxExtras { flags: XfrmFlags::ESN | XfrmFlags::NOECN, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("esn"));
        let extras = LinuxExtras { flags: XfrmFlags::NOECN, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("flag"));
    }
}
