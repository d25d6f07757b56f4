//! Lines for `ip -batch`; see ip-xfrm(8).

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::properties::{direction, outer_ports};
use super::{ExportedSa, Skipped, Written, key, write_numbers};
use crate::names::linux;
use crate::sa::{InnerEndpoint, Lifetime, Masked, Request, XfrmFlags, XfrmMode};

/// Flags of `extra-flag`, which are in an attribute of their own (`XFRMA_SA_EXTRA_FLAGS`).
const EXTRA_FLAGS: u32 = !0xff;

pub(super) fn write(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    let selector = match Selector::of(sa) {
        Ok(selector) => selector,
        Err(reason) => return Ok(Err(Skipped(reason.to_owned()))),
    };
    let request = sa.request;
    let linux = &request.linux;
    write!(out, "xfrm state add src {} dst {} proto {} spi {}", sa.src.addr, sa.dst.addr, sa.proto(), request.spi)?;
    write!(out, " mode {}", linux::mode_word(sa.mode).unwrap_or("transport"))?;
    write_numbers(out, &[("reqid", linux.reqid.into()), ("replay-window", request.replay.into())])?;
    counters(sa, out)?;
    flags(linux.flags, out)?;
    algorithms(sa, out)?;
    encap(sa, out)?;
    mark(out, "mark", linux.mark)?;
    mark(out, "output-mark", linux.output_mark)?;
    write_numbers(out, &[("if_id", linux.if_id.into()), ("tfcpad", linux.tfcpad.into())])?;
    if let Some(is_inbound) = direction(request) {
        write!(out, " dir {}", direction_word(is_inbound))?;
    }
    if let Some(offload) = &linux.offload {
        let packet = if offload.whole_packet { "packet " } else { "" };
        write!(out, " offload {packet}dev {} dir {}", offload.device, direction_word(sa.is_inbound))?;
    }
    selector.write(out)?;
    limits(request, out)?;
    writeln!(out)?;
    Ok(Ok(notes(sa)))
}

fn direction_word(is_inbound: bool) -> &'static str {
    if is_inbound { "in" } else { "out" }
}

/// What `ip` has words for, but does otherwise.
fn notes(sa: &ExportedSa<'_>) -> Vec<String> {
    let is_continued = sa.is_inbound && sa.request.replay != 0 && sa.request.replay_value.unwrap_or(0) != 0;
    let text =
        "replay_value: ip cannot mark the sequence numbers below it as received, so that packets may be replayed once";
    is_continued.then(|| text.to_owned()).into_iter().collect()
}

/// The sequence number of the direction, in halves of 32 bits.
fn counters(sa: &ExportedSa<'_>, out: &mut dyn Write) -> io::Result<()> {
    let value = sa.request.replay_value.unwrap_or(0);
    let (low, high) = (value & u64::from(u32::MAX), value >> 32);
    let words = if sa.is_inbound { ["replay-seq", "replay-seq-hi"] } else { ["replay-oseq", "replay-oseq-hi"] };
    write_numbers(out, &[(words[0], low), (words[1], high)])
}

fn flags(flags: XfrmFlags, out: &mut dyn Write) -> io::Result<()> {
    // `ip` separates flags by blanks, a keys file by commas.
    for (word, mask) in [("flag", !EXTRA_FLAGS), ("extra-flag", EXTRA_FLAGS)] {
        let names: Vec<&str> = linux::flag_words(XfrmFlags(flags.0 & mask)).collect();
        if !names.is_empty() {
            write!(out, " {word} {}", names.join(" "))?;
        }
    }
    Ok(())
}

fn mark(out: &mut dyn Write, word: &str, mark: Option<Masked>) -> io::Result<()> {
    mark.map_or(Ok(()), |mark| write!(out, " {word} {:#x} mask {:#x}", mark.value, mark.mask))
}

fn algorithms(sa: &ExportedSa<'_>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(row) = sa.auth {
        // `auth` would use the kernel's own ICV length, which differs from RFC 4868 for SHA-256.
        write!(out, " auth-trunc '{}' ", row.xfrm)?;
        key(out, sa.request.auth_key.as_ref())?;
        write!(out, " {}", sa.icv_bits().unwrap_or(row.icv_bits))?;
    }
    let Some(row) = sa.encr else { return Ok(()) };
    write!(out, " {} '{}' ", if row.is_combined() { "aead" } else { "enc" }, row.xfrm)?;
    match &sa.request.encr_key {
        Some(_) => key(out, sa.request.encr_key.as_ref())?,
        // ip-xfrm(8) requires a key; that of the null cipher is empty.
        None => write!(out, "''")?,
    }
    if row.is_combined() { write!(out, " {}", row.icv_bits) } else { Ok(()) }
}

/// The ports as in the packets: the local one is the source of outgoing packets and the destination of incoming ones.
fn encap(sa: &ExportedSa<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some((local, remote)) = sa.encap_ports() else { return Ok(()) };
    let (src, dst) = if sa.is_inbound { (remote, local) } else { (local, remote) };
    let original = sa.request.natt_remote.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified());
    let original = original.unwrap_or_else(|| unspecified(sa.dst.addr.is_ipv4()));
    write!(out, " encap espinudp {src} {dst} {original}")
}

fn unspecified(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// The selector of the SA; `sides` is `None` if it has none of its own.
struct Selector {
    sides: Option<[String; 2]>,
    proto: u8,
    ports: [u16; 2],
}

impl Selector {
    /// The selector that an add makes: of the inner addresses, or of the outer ones with ports or a protocol in transport mode.
    ///
    /// # Errors
    /// Why `ip` cannot express it.
    fn of(sa: &ExportedSa<'_>) -> Result<Self, &'static str> {
        let selector = Self::unchecked(sa).ok_or("isrc and idst are of different address families")?;
        if selector.ports != [0; 2] && selector.port_words().is_none() {
            return Err("ip-xfrm cannot express ports of a protocol other than tcp, udp, sctp and dccp");
        }
        Ok(selector)
    }

    fn unchecked(sa: &ExportedSa<'_>) -> Option<Self> {
        if let (Some(src), Some(dst)) = (*sa.request.inner_src, *sa.request.inner_dst) {
            let (src, dst) = (like(src, dst), like(dst, src));
            let network = |end: InnerEndpoint| format!("{}/{}", end.addr, end.prefix_len);
            let proto = src.proto.max(dst.proto);
            let sides = Some([network(src), network(dst)]);
            return (src.addr.is_ipv4() == dst.addr.is_ipv4()).then_some(Self { sides, proto, ports: [src.port, dst.port] });
        }
        // A selector with the outer addresses alone would repeat the identity of the SA.
        let (proto, sport, dport) = outer_ports(sa);
        if sa.mode != XfrmMode::TRANSPORT || (proto, sport, dport) == (0, 0, 0) {
            return Some(Self { sides: None, proto: 0, ports: [0; 2] });
        }
        let sides = [sa.src.addr, sa.dst.addr].map(|addr| {
            let prefix = if addr.is_unspecified() { "/0" } else { "" };
            format!("{addr}{prefix}")
        });
        Some(Self { sides: Some(sides), proto, ports: [sport, dport] })
    }

    /// The words for the two ports, which are type and code of ICMP; `None` for protocols without ports (`xfrm_selector_parse` of
    /// iproute2).
    fn port_words(&self) -> Option<[&'static str; 2]> {
        match self.proto {
            6 | 17 | 33 | 132 => Some(["sport", "dport"]),
            1 | 58 | 135 => Some(["type", "code"]),
            _ => None,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some([src, dst]) = &self.sides else { return Ok(()) };
        write!(out, " sel src {src} dst {dst}")?;
        write_numbers(out, &[("proto", self.proto.into())])?;
        let [first, second] = self.port_words().unwrap_or(["sport", "dport"]);
        write_numbers(out, &[(first, self.ports[0].into()), (second, self.ports[1].into())])
    }
}

/// An unspecified inner address gets the family of the other one.
fn like(end: InnerEndpoint, other: InnerEndpoint) -> InnerEndpoint {
    if !end.addr.is_unspecified() || end.addr.is_ipv4() == other.addr.is_ipv4() {
        return end;
    }
    InnerEndpoint { addr: unspecified(other.addr.is_ipv4()), prefix_len: 0, ..end }
}

fn limits(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    let limits = |lifetime: Option<Lifetime>| lifetime.unwrap_or_default();
    let (hard, soft) = (limits(*request.hard), limits(*request.soft));
    write_numbers(
        out,
        &[
            ("limit time-soft", soft.addtime),
            ("limit time-hard", hard.addtime),
            ("limit time-use-soft", soft.usetime),
            ("limit time-use-hard", hard.usetime),
            ("limit byte-soft", soft.bytes),
            ("limit byte-hard", hard.bytes),
            ("limit packet-soft", request.linux.soft_packets),
            ("limit packet-hard", request.linux.hard_packets),
        ],
    )
}
