//! The properties of a Linux SA that PF_KEY does not have (`linux/xfrm.h`): those that a command can set, and those that the kernel
//! reports.

use std::ops::{BitOr, BitOrAssign};

use serde::{Deserialize, Serialize};

use super::StaticDefault;

/// A value of which only the bits of a mask are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub(crate) struct Masked {
    /// The value to compare or set.
    pub(crate) value: u32,
    /// The bits of the value that are used.
    pub(crate) mask: u32,
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
pub(crate) struct XfrmMode(pub u8);

impl XfrmMode {
    /// Protects the payload of the IP packet.
    pub(crate) const TRANSPORT: Self = Self(0);
    /// Protects the whole packet inside a second IP header.
    pub(crate) const TUNNEL: Self = Self(1);
    /// Bound end-to-end tunnel: fixed inner addresses that do not travel.
    pub(crate) const BEET: Self = Self(4);

    /// The modes of PF_KEY's X_SA2 (`IPSEC_MODE_*` in `linux/ipsec.h`), numbered from 1.
    const PF_KEY: [Self; 3] = [Self::TRANSPORT, Self::TUNNEL, Self::BEET];

    /// The mode with this number in PF_KEY; `None` for 0 (any) and unknown ones.
    #[must_use]
    pub(crate) fn from_pf_key(number: u8) -> Option<Self> {
        Self::PF_KEY.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The number of the mode in PF_KEY.
    #[must_use]
    pub(crate) fn pf_key(self) -> Option<u8> {
        (1..).zip(Self::PF_KEY).find(|(_, mode)| *mode == self).map(|(number, _)| number)
    }
}

/// `XFRM_STATE_*` in the low 8 bits, `XFRM_SA_XFLAG_*` from bit 8 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct XfrmFlags(pub u32);

impl XfrmFlags {
    /// Do not carry congestion marks from outer to inner header.
    pub(crate) const NOECN: Self = Self(1);
    /// Copy the traffic class from outer to inner header.
    pub(crate) const DECAP_DSCP: Self = Self(2);
    /// No path MTU discovery.
    pub(crate) const NOPMTUDISC: Self = Self(4);
    /// Any source address, receiving.
    pub(crate) const WILDRECV: Self = Self(8);
    /// Hand ICMP errors about the SA to its owner.
    pub(crate) const ICMP: Self = Self(16);
    /// The selector is for either address family.
    pub(crate) const AF_UNSPEC: Self = Self(32);
    /// Align the AH header to 4 bytes.
    pub(crate) const ALIGN4: Self = Self(64);
    /// 64-bit sequence numbers (RFC 4303 section 2.2.1).
    pub(crate) const ESN: Self = Self(128);
    /// Do not copy the traffic class to the outer header.
    pub(crate) const DONT_ENCAP_DSCP: Self = Self(1 << 8);
    /// The outbound sequence number may wrap around.
    pub(crate) const OSEQ_MAY_WRAP: Self = Self(2 << 8);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub(crate) fn has(self, other: Self) -> bool {
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

/// Offload of an SA to a network device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Offload {
    /// Name of the network device.
    pub(crate) device: String,
    /// For inbound packets. In a request the direction of the SA decides.
    pub(crate) inbound: bool,
    /// Packet offload: the device does the encapsulation as well as the cryptography.
    pub(crate) whole_packet: bool,
}

/// The request ID of the service's SAs that have none of their own: "mk" and zeros. It keeps them apart from the SAs of strongSwan,
/// which counts from 1, and libreswan, which counts from 16384.
pub(crate) const SERVICE_REQID: u32 = 0x6d6b_0000;

/// The properties that only Linux XFRM has. The defaults set nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct LinuxExtras {
    /// `None` in a request: tunnel mode with inner addresses, otherwise transport mode. A report always has it.
    pub(crate) mode: Option<XfrmMode>,
    /// Request ID, which ties the SA to policies; 0 for none.
    pub(crate) reqid: u32,
    /// Only packets with this mark use the SA. Part of its identity.
    pub(crate) mark: Option<Masked>,
    /// XFRM interface; 0 for none.
    pub(crate) if_id: u32,
    /// The mark that the SA sets on its packets.
    pub(crate) output_mark: Option<Masked>,
    /// Offload to a network device.
    pub(crate) offload: Option<Offload>,
    /// Packets are padded to this length against traffic analysis (RFC 4303 section 2.7); 0 for none.
    pub(crate) tfcpad: u32,
    /// `XFRM_STATE_*` and `XFRM_SA_XFLAG_*` flags.
    pub(crate) flags: XfrmFlags,
    /// Packets after which an EXPIRE is sent; 0 for no limit.
    pub(crate) soft_packets: u64,
    /// Packets after which the SA is removed; 0 for no limit.
    pub(crate) hard_packets: u64,
    /// Length of the ICV in bits, if it is not the default of the algorithm.
    pub(crate) icv_bits: Option<u16>,
}

impl StaticDefault for LinuxExtras {
    const DEFAULT: &'static Self = &Self {
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
    /// The keyword of the first property that is set; `None` if there is none.
    #[must_use]
    pub(crate) fn first_keyword(&self) -> Option<&'static str> {
        // ESN before the other flags: it has a keyword of its own.
        let keywords = [
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
        keywords.iter().find(|(is_set, _)| *is_set).map(|(_, word)| *word)
    }
}

/// The values that Linux XFRM reports in addition to the other extensions of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinuxInfo {
    /// The properties that the SA was added with.
    pub(crate) extras: LinuxExtras,
    /// Anti-replay window in packets. The field of PF_KEY ends at 255.
    pub(crate) replay_window: u32,
    /// Packets protected so far.
    pub(crate) packets: u64,
    /// Seconds since 1970 of the last use; 0 if never or unknown.
    pub(crate) last_used: u64,
    /// The last sequence number sent, with ESN.
    pub(crate) sent_seq: u64,
    /// The highest sequence number received, with ESN.
    pub(crate) received_seq: u64,
    /// Packets dropped: below the anti-replay window, replayed, with a wrong ICV.
    pub(crate) drops: [u32; 3],
    /// The kernel's name of an authentication algorithm that this program does not know.
    pub(crate) foreign_auth: Option<String>,
    /// The kernel's name of an encryption algorithm that this program does not know.
    pub(crate) foreign_encr: Option<String>,
    /// Properties that a keys file cannot express and without which the SA is another one, in the words of ip-xfrm(8).
    pub(crate) inexpressible: Vec<String>,
    /// Properties that a keys file cannot express and that do not change the SA, in the words of ip-xfrm(8).
    pub(crate) lost: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_keyword_names_the_first_property_that_is_set() {
        assert_eq!(LinuxExtras::default().first_keyword(), None);
        let extras = LinuxExtras { tfcpad: 8, hard_packets: 1, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("tfcpad"));
        let extras = LinuxExtras { flags: XfrmFlags::ESN | XfrmFlags::NOECN, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("esn"));
        let extras = LinuxExtras { flags: XfrmFlags::NOECN, ..LinuxExtras::default() };
        assert_eq!(extras.first_keyword(), Some("flag"));
    }
}
