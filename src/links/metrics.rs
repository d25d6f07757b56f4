//! Metrics of the SAs, the links and the kernel's error counters. They contain no key, and no fingerprint of one.

use std::fmt::Display;
use std::io;

use super::Links;
use super::exposition::{Exposition, Family, Labels};
use super::link::Link;
use super::problem;
use super::sa::{Direction, LinkSa};
use crate::names::sa_types::type_word;
use crate::names::xfrm_stat;

const BYTES: Family = Family::counter("ipsec_sa_bytes", "bytes", "Bytes that the SA has protected");
const PACKETS: Family = Family::counter("ipsec_sa_packets", "", "Packets that the SA has protected");
const FAILURES: Family = Family::counter("ipsec_sa_failures", "", "Received packets that the SA has rejected, by reason");
const ADDED: Family =
    Family::gauge("ipsec_sa_added_timestamp_seconds", "seconds", "When the SA was added, in seconds since 1970");
const LAST_USED: Family = Family::gauge(
    "ipsec_sa_last_used_timestamp_seconds",
    "seconds",
    "When the SA was last used, in seconds since 1970, if the kernel records it",
);
const EXPIRY: Family = Family::gauge(
    "ipsec_sa_expiry_timestamp_seconds",
    "seconds",
    "When a lifetime in seconds of the SA is over, in seconds since 1970",
);
const PROTECTED: Family = Family::gauge("ipsec_link_protected", "", "Whether policies use the SAs of the link");
const PROBLEM: Family = Family::gauge("ipsec_link_problem", "", "1 for each condition that looks wrong with the link");
const LINKS: Family = Family::gauge("ipsec_links", "", "Links in the SADB");
const UNPROTECTED: Family = Family::gauge("ipsec_links_unprotected", "", "Links whose SAs no policy uses");
const ERRORS: Family = Family::counter(
    "ipsec_xfrm_errors",
    "",
    "Packets dropped by Linux XFRM, by counter of /proc/net/xfrm_stat (xfrm_proc.rst of the kernel)",
);

/// Family, additional label, value. Rows of one family follow each other.
type SaRow = (&'static Family, Option<(&'static str, &'static str)>, fn(&LinkSa) -> Option<u64>);

const SA_ROWS: &[SaRow] = &[
    (&BYTES, None, |sa| Some(sa.bytes)),
    (&PACKETS, None, |sa| sa.counts_packets.then_some(sa.packets)),
    (&FAILURES, Some(("reason", "authentication")), |sa| sa.counts_packets.then_some(sa.unauthentic.into())),
    (&FAILURES, Some(("reason", "replay")), |sa| sa.counts_packets.then_some(sa.replayed.into())),
    (&ADDED, None, |sa| known(sa.added.0)),
    (&LAST_USED, None, |sa| known(sa.last_used)),
    (&EXPIRY, Some(("limit", "soft")), |sa| known(sa.soft)),
    (&EXPIRY, Some(("limit", "hard")), |sa| known(sa.hard)),
];

fn known(moment: u32) -> Option<u64> {
    (moment != 0).then_some(moment.into())
}

/// Writes the metrics of `links`, and those of `text`, the contents of /proc/net/xfrm_stat.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write(exposition: &mut Exposition<'_>, links: &Links, text: &str) -> io::Result<()> {
    for row in SA_ROWS {
        links.sas().try_for_each(|sa| write_sa(exposition, sa, row))?;
    }
    let (mut count, mut unprotected) = (0, 0);
    if links.has_policies {
        links.iter().try_for_each(|link| write_link(exposition, &PROTECTED, &link, &[], link.is_covered().into()))?;
    }
    for link in links.iter() {
        count += 1;
        unprotected += u64::from(!link.is_covered());
        for problem in problem::find(&link, links.has_policies) {
            write_link(exposition, &PROBLEM, &link, &[("problem", &problem.word())], 1)?;
        }
    }
    exposition.sample(&LINKS, &[], count)?;
    if links.has_policies {
        exposition.sample(&UNPROTECTED, &[], unprotected)?;
    }
    xfrm_stat::values(text).try_for_each(|(counter, value)| exposition.sample(&ERRORS, &[("counter", &counter)], value))
}

fn write_sa(exposition: &mut Exposition<'_>, sa: &LinkSa, (family, label, value): &SaRow) -> io::Result<()> {
    let Some(value) = value(sa) else { return Ok(()) };
    let direction = match sa.direction {
        Direction::Out => "out",
        Direction::In => "in",
        Direction::Both => "both",
    };
    let (proto, spi) = (type_word(sa.sa_type()), sa.spi());
    let mark = sa.mark.as_deref().map(|mark| format!("{:#x}/{:#x}", mark.value, mark.mask));
    let mut labels: Vec<(&str, &dyn Display)> =
        vec![("peer", &sa.peer), ("local", &sa.local), ("proto", &proto), ("direction", &direction), ("spi", &spi)];
    // Part of the identity of an SA: without it two series could be the same.
    labels.extend(mark.as_ref().map(|mark| ("mark", mark as &dyn Display)));
    labels.extend(label.as_ref().map(|(name, value)| (*name, value as &dyn Display)));
    exposition.sample(family, &labels, value)
}

fn write_link(
    exposition: &mut Exposition<'_>,
    family: &Family,
    link: &Link,
    extra: Labels<'_>,
    value: u64,
) -> io::Result<()> {
    let (proto, mode) = (type_word(link.sa_type), link.mode_word());
    let mut labels: Vec<(&str, &dyn Display)> =
        vec![("peer", &link.peer), ("local", &link.local), ("proto", &proto), ("mode", &mode)];
    if let Some((local, remote)) = &link.nets {
        labels.extend([("local_net", local as &dyn Display), ("remote_net", remote)]);
    }
    labels.extend_from_slice(extra);
    exposition.sample(family, &labels, value)
}
