//! An SA as ip-xfrm(8) describes it, and the command that adds it.

use std::net::IpAddr;

use super::algorithm::Algorithms;
use super::selector::Selector;
use crate::convert::import::writer::{CommandWriter, Untranslatable};
use crate::names::linux::FLAGS;
use crate::redact::citable_address;
use crate::sa::{Masked, XfrmFlags};

/// The direction of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// The keywords of lifetimes, in the order of [`XfrmSa::limits`].
pub(super) const LIMITS: &[&str] = &[
    "soft_bytes",
    "hard_bytes",
    "soft_packets",
    "hard_packets",
    "soft_addtime",
    "hard_addtime",
    "soft_usetime",
    "hard_usetime",
];

/// UDP encapsulation.
pub(super) struct Encap<'t> {
    pub(super) kind: &'t str,
    pub(super) sport: u16,
    pub(super) dport: u16,
    pub(super) original: IpAddr,
}

/// The properties of an SA.
pub(super) struct XfrmSa<'t> {
    pub(super) src: Option<IpAddr>,
    pub(super) dst: Option<IpAddr>,
    pub(super) proto: Option<&'t str>,
    pub(super) spi: Option<u32>,
    pub(super) mode: &'static str,
    pub(super) reqid: u32,
    pub(super) mark: Option<Masked>,
    pub(super) output_mark: Option<Masked>,
    pub(super) if_id: u32,
    pub(super) tfcpad: u32,
    pub(super) window: u32,
    /// Received and sent sequence number.
    pub(super) seq: u64,
    pub(super) oseq: u64,
    pub(super) flags: XfrmFlags,
    pub(super) direction: Option<Direction>,
    /// Device, and whether whole packets are offloaded.
    pub(super) offload: Option<(&'t str, bool)>,
    pub(super) encap: Option<Encap<'t>>,
    pub(super) selector: Selector<'t>,
    /// 0 for none, in the order of [`LIMITS`].
    pub(super) limits: [u64; 8],
    pub(super) algorithms: Algorithms<'t>,
    /// Why the SA cannot be written: it would be another SA.
    pub(super) refused: Vec<String>,
    /// What a keys file cannot express, without which the SA is the same.
    pub(super) dropped: Vec<String>,
}

impl Default for XfrmSa<'_> {
    fn default() -> Self {
        Self {
            src: None,
            dst: None,
            proto: None,
            spi: None,
            mode: "transport",
            reqid: 0,
            mark: None,
            output_mark: None,
            if_id: 0,
            tfcpad: 0,
            window: 0,
            seq: 0,
            oseq: 0,
            flags: XfrmFlags::default(),
            direction: None,
            offload: None,
            encap: None,
            selector: Selector::default(),
            limits: [0; 8],
            algorithms: Algorithms::default(),
            refused: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

/// The identity of an SA, in words of a keys file.
pub(super) fn identity(sa: &XfrmSa<'_>) -> Result<String, Untranslatable> {
    identity_with(sa, |dst| dst.to_string())
}

/// The identity of an SA in messages.
pub(super) fn label(sa: &XfrmSa<'_>) -> Result<String, Untranslatable> {
    identity_with(sa, citable_address)
}

fn identity_with(sa: &XfrmSa<'_>, text: fn(IpAddr) -> String) -> Result<String, Untranslatable> {
    let proto = match sa.proto {
        Some(proto @ ("esp" | "ah")) => proto,
        Some("comp") => return Err("IPComp (proto comp) has no equivalent in a keys file".to_owned()),
        Some("route2" | "hao") => return Err("Mobile IPv6 (proto route2, hao) has no equivalent in a keys file".to_owned()),
        Some(_) => return Err("proto is not esp or ah: other states have no equivalent in a keys file".to_owned()),
        None => return Err("proto is missing".to_owned()),
    };
    let spi = sa.spi.ok_or("spi is missing")?;
    let dst =
        sa.dst.filter(|dst| !dst.is_unspecified()).ok_or("dst is missing or unspecified: an SA needs a destination")?;
    let dst = text(dst);
    let mark = sa.mark.map_or_else(String::new, |mark| format!(" mark {}", masked(mark)));
    Ok(format!("{proto} spi {spi:#x} dst {dst}{mark}"))
}

fn masked(mark: Masked) -> String {
    if mark.mask == u32::MAX { format!("{:#x}", mark.value) } else { format!("{:#x}/{:#x}", mark.value, mark.mask) }
}

impl XfrmSa<'_> {
    /// Writes the command that adds the SA. `is_local`: whether an address belongs to this host.
    pub(super) fn write(&self, writer: &mut CommandWriter, is_local: &dyn Fn(IpAddr) -> bool) -> Result<(), Untranslatable> {
        let direction =
            self.direction.unwrap_or_else(|| if self.dst.is_some_and(is_local) { Direction::In } else { Direction::Out });
        let counter = self.counter(direction, writer);
        let selector = self.selector.keywords(self.dst, self.flags.has(XfrmFlags::AF_UNSPEC));
        let (counter, selector) = match (counter, selector) {
            (Ok(counter), Ok(selector)) => (counter, selector),
            // All reasons, so that a second try can succeed.
            (counter, selector) => {
                let reasons: Vec<String> = counter.err().into_iter().chain(selector.err()).collect();
                return Err(reasons.join("; "));
            }
        };
        writer.begin(&format!("add {}", self.proto.unwrap_or_default()))?;
        writer.word("spi", &format!("{:#x}", self.spi.unwrap_or_default()))?;
        let ends = [("src", self.src.filter(|src| !src.is_unspecified())), ("dst", self.dst)];
        ends.iter()
            .filter_map(|(word, addr)| Some((word, addr.as_ref()?)))
            .try_for_each(|(word, addr)| writer.word(word, &addr.to_string()))?;
        // The default, unless there is a selector, which makes a tunnel.
        if self.mode != "transport" || !selector.is_empty() {
            writer.word("mode", self.mode)?;
        }
        self.write_numbers(writer, counter)?;
        self.write_encap(writer, direction)?;
        selector.iter().try_for_each(|(word, value)| writer.word(word, value))?;
        let limits = LIMITS.iter().zip(self.limits).filter(|(_, limit)| *limit != 0);
        limits.into_iter().try_for_each(|(word, limit)| writer.word(word, &limit.to_string()))?;
        // Keys last, each on its own line, so that the rest is easy to read.
        self.algorithms.write(writer)?;
        writer.require_key()?;
        writer.end()
    }

    fn write_numbers(&self, writer: &mut CommandWriter, counter: Option<u32>) -> Result<(), Untranslatable> {
        let number = |value: u32| (value != 0).then(|| value.to_string());
        let flags: Vec<&str> =
            FLAGS.iter().filter(|row| row.0 != XfrmFlags::ESN && self.flags.has(row.0)).map(|row| row.1).collect();
        let words = [
            ("reqid", number(self.reqid)),
            ("mark", self.mark.map(masked)),
            ("if_id", (self.if_id != 0).then(|| format!("{:#x}", self.if_id))),
            ("output-mark", self.output_mark.map(masked)),
            ("offload", self.offload.filter(|offload| !offload.1).map(|offload| offload.0.to_owned())),
            ("offload-packet", self.offload.filter(|offload| offload.1).map(|offload| offload.0.to_owned())),
            ("tfcpad", number(self.tfcpad)),
            ("replay", number(self.window)),
            ("replay_value", counter.map(|counter| counter.to_string())),
            ("flag", (!flags.is_empty()).then(|| flags.join(","))),
        ];
        words
            .iter()
            .filter_map(|(word, value)| Some((word, value.as_ref()?)))
            .try_for_each(|(word, value)| writer.word(word, value))?;
        if self.flags.has(XfrmFlags::ESN) {
            writer.flag("esn")?;
        }
        match self.direction {
            Some(Direction::In) => writer.flag("inbound"),
            Some(Direction::Out) => writer.flag("outbound"),
            None => Ok(()),
        }
    }

    /// The value of `replay_value`, which a keys file has for one direction.
    fn counter(&self, direction: Direction, writer: &mut CommandWriter) -> Result<Option<u32>, Untranslatable> {
        let (kept, other, other_word) = match direction {
            Direction::Out => (self.oseq, self.seq, "replay-seq"),
            Direction::In => (self.seq, self.oseq, "replay-oseq"),
        };
        if kept == 0 && other != 0 {
            // With the first sequence number again, the peer drops packets, and a counter-mode cipher is broken.
            let dir = if direction == Direction::Out { "in" } else { "out" };
            return Err(format!(
                "{other_word} {other:#x} is a counter of the other direction than the addresses of this host give: add `dir {dir}` \
                 to the input, or import it on its host"
            ));
        }
        if other != 0 {
            writer.lose(format!("{other_word} {other:#x}: a keys file has the sequence number of one direction"));
        }
        let kept = u32::try_from(kept).map_err(|_| {
            format!("the sequence number {kept:#x} has more than 32 bits, which replay_value cannot express")
        })?;
        Ok(Some(kept).filter(|kept| *kept != 0))
    }

    fn write_encap(&self, writer: &mut CommandWriter, direction: Direction) -> Result<(), Untranslatable> {
        let Some(encap) = &self.encap else { return Ok(()) };
        let (local, remote) = match direction {
            Direction::Out => (encap.sport, encap.dport),
            Direction::In => (encap.dport, encap.sport),
        };
        if local != remote && self.direction.is_none() {
            let (word, other) = if direction == Direction::Out { ("outbound", "inbound") } else { ("inbound", "outbound") };
            writer.note(format!(
                "the UDP ports are those of an {word} SA by the addresses of this host: import it on its host, or exchange \
                 nat_lport and nat_rport if it is {other}"
            ));
        }
        writer.word("encap", "udp")?;
        if !encap.original.is_unspecified() {
            writer.word("nat_rem", &encap.original.to_string())?;
        }
        writer.word("nat_lport", &local.to_string())?;
        writer.word("nat_rport", &remote.to_string())
    }
}
