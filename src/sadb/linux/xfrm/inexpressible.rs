//! The properties of an SA of the kernel that a keys file has no words for.

use crate::names::linux;
use crate::sa::{Flags, LinuxInfo, Offload, XfrmMode};
use crate::sadb::linux::direction::SaDirection;
use crate::sys::net::netlink::interface_name;
use crate::wire::xfrm::attribute::Encap;
use crate::wire::xfrm::fixed::XfrmSelector;
use crate::wire::xfrm::number::{ENCAP_ESP_IN_UDP, attr};
use crate::wire::xfrm::{Attribute, SaInfo};

/// Attributes without a keyword, and their words in ip-xfrm(8). Without them the SA is another one.
const ATTRIBUTES: &[(u16, &str)] = &[
    (attr::ALG_COMP, "comp"),
    (attr::SEC_CTX, "ctx"),
    (attr::COADDR, "coa"),
    (attr::NAT_KEEPALIVE_INTERVAL, "nat-keepalive-interval"),
    (attr::SA_PCPU, "pcpu-num"),
    (attr::IPTFS_DROP_TIME, "iptfs-opts drop-time"),
    (attr::IPTFS_REORDER_WINDOW, "iptfs-opts reorder-window"),
    (attr::IPTFS_DONT_FRAG, "iptfs-opts dont-frag"),
    (attr::IPTFS_INIT_DELAY, "iptfs-opts init-delay"),
    (attr::IPTFS_MAX_QSIZE, "iptfs-opts max-queue-size"),
    (attr::IPTFS_PKT_SIZE, "iptfs-opts pkt-size"),
];

/// Modes that a keys file cannot have (`XFRM_MODE_*`).
const MODES: &[(u8, &str)] = &[(2, "ro"), (3, "in_trigger"), (5, "iptfs")];

/// Other encapsulations than UDP (`UDP_ENCAP_*`, `TCP_ENCAP_ESPINTCP`).
const ENCAPS: &[(u16, &str)] = &[(1, "espinudp-nonike"), (7, "espintcp")];

/// The words for an attribute that the rest of the program does not read; `None` for one that is read, or that is no property.
pub(super) fn attribute(attribute: &Attribute) -> Option<String> {
    let kind = match attribute {
        Attribute::Comp(_) | Attribute::Address(attr::COADDR, _) | Attribute::Unknown { .. } => attribute.kind(),
        _ => return None,
    };
    let word = ATTRIBUTES.iter().find(|row| row.0 == kind).map(|row| row.1.to_owned());
    Some(word.unwrap_or_else(|| format!("attribute {kind}")))
}

/// The words for an encapsulation that is not ESP in UDP, or has a port that a keys file cannot have.
pub(super) fn encap(encap: &Encap) -> Option<String> {
    if encap.kind != ENCAP_ESP_IN_UDP {
        let word = ENCAPS.iter().find(|row| row.0 == encap.kind).map_or("of an unknown kind", |row| row.1);
        return Some(format!("encap {word}"));
    }
    // In a keys file, 0 is the default port.
    (encap.src_port == 0 || encap.dst_port == 0).then(|| "encap espinudp with port 0".to_owned())
}

/// Completes `linux` by the properties of the fixed part, and of the values in `linux` itself. The number of the message that has added
/// the SA (`seq`) is no property. `is_inbound`: whether an add of this SA takes it for inbound, if its flags do not say; called only if
/// something depends on it, since it may read the addresses of this host.
pub(super) fn complete(info: &SaInfo, linux: &mut LinuxInfo, flags: Flags, is_inbound: &dyn Fn() -> bool) {
    if linux::mode_word(XfrmMode(info.mode)).is_none() {
        let word = MODES.iter().find(|row| row.0 == info.mode).map(|row| row.1.to_owned());
        linux.inexpressible.push(format!("mode {}", word.unwrap_or_else(|| info.mode.to_string())));
    }
    let known = linux::FLAGS.iter().fold(0, |all, row| all | row.0.0);
    if linux.extras.flags.0 & !known != 0 {
        linux.inexpressible.push(format!("flags {:#x}", linux.extras.flags.0 & !known));
    }
    selector(&info.selector, linux);
    counters(linux, flags, is_inbound);
    // The device takes packets of one direction, which an add derives from the addresses.
    let has_direction = flags.has(Flags::INBOUND) || flags.has(Flags::OUTBOUND);
    let is_other = |offload: &&Offload| !has_direction && offload.inbound != is_inbound();
    if let Some(offload) = linux.extras.offload.as_ref().filter(is_other) {
        linux.inexpressible.push(format!("offload dir {} without dir", if offload.inbound { "in" } else { "out" }));
    }
}

fn selector(selector: &XfrmSelector, linux: &mut LinuxInfo) {
    if selector.ifindex != 0 {
        let name = interface_name(selector.ifindex).unwrap_or_else(|| format!("if{}", selector.ifindex));
        linux.inexpressible.push(format!("sel dev {name}"));
    }
    for (word, (port, mask)) in [("sport", selector.src_port), ("dport", selector.dst_port)] {
        // A keys file has one port or, as 0, all.
        if mask != if port == 0 { 0 } else { u16::MAX } {
            linux.inexpressible.push(format!("sel {word} {port} with mask {mask:#x}"));
        }
    }
    // The kernel stores it, and does not look at it.
    if selector.user != 0 {
        linux.lost.push(format!("sel user {}", selector.user));
    }
}

/// A keys file has the sequence number of one direction.
fn counters(linux: &mut LinuxInfo, flags: Flags, is_inbound: &dyn Fn() -> bool) {
    if (linux.sent_seq, linux.received_seq) == (0, 0) {
        return;
    }
    let is_inbound = SaDirection::from_flags(flags).map_or_else(is_inbound, |direction| direction == SaDirection::In);
    let (word, other) = if is_inbound { ("replay-oseq", linux.sent_seq) } else { ("replay-seq", linux.received_seq) };
    if other != 0 {
        linux.lost.push(format!("{word} {other:#x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Buffer;
    use crate::wire::xfrm::fixed::RawAddress;

    fn unknown(kind: u16) -> Attribute {
        Attribute::Unknown { kind, bytes: Buffer::from_slice(&[1, 0, 0, 0]) }
    }

    fn named(change: fn(&mut SaInfo), flags: u32) -> (Vec<String>, Vec<String>) {
        let mut info = SaInfo::default();
        change(&mut info);
        let mut linux = LinuxInfo::default();
        linux.extras.flags.0 = flags;
        complete(&info, &mut linux, Flags::default(), &|| true);
        (linux.inexpressible, linux.lost)
    }

    /// docs/parity.md: an SA with one of them is not written as one without it.
    #[test]
    fn properties_without_a_keyword_are_named() {
        for (kind, word) in ATTRIBUTES.iter().filter(|row| ![attr::ALG_COMP, attr::COADDR].contains(&row.0)) {
            assert_eq!(attribute(&unknown(*kind)).as_deref(), Some(*word));
        }
        assert_eq!(attribute(&Attribute::Address(attr::COADDR, RawAddress::default())).as_deref(), Some("coa"));
        assert_eq!(attribute(&unknown(attr::MTIMER_THRESH)).as_deref(), Some("attribute 32"));
        assert_eq!(attribute(&unknown(99)).as_deref(), Some("attribute 99"));
        assert_eq!(attribute(&Attribute::Word(attr::IF_ID, 7)), None);
        for (kind, port, words) in [
            (1, 4500, "encap espinudp-nonike"),
            (7, 4500, "encap espintcp"),
            (9, 4500, "encap of an unknown kind"),
            (ENCAP_ESP_IN_UDP, 0, "encap espinudp with port 0"),
        ] {
            let found = encap(&Encap { kind, src_port: port, dst_port: 4500, original: RawAddress::default() });
            assert_eq!(found.as_deref(), Some(words));
        }
        for (mode, words) in [(2, "mode ro"), (3, "mode in_trigger"), (5, "mode iptfs"), (9, "mode 9")] {
            let mut linux = LinuxInfo::default();
            complete(&SaInfo { mode, ..SaInfo::default() }, &mut linux, Flags::default(), &|| true);
            assert_eq!(linux.inexpressible, [words]);
        }
        assert_eq!(named(|_| {}, 0x8000_0000).0, ["flags 0x80000000"]);
        assert_eq!(named(|info| info.selector.ifindex = 999_999, 0).0, ["sel dev if999999"]);
        assert_eq!(named(|info| info.selector.dst_port = (80, 0xff), 0).0, ["sel dport 80 with mask 0xff"]);
        assert_eq!(named(|info| info.selector.user = 7, 0).1, ["sel user 7"]);
        assert_eq!(named(|_| {}, 0), (vec![], vec![]));
    }
}
