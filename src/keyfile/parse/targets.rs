//! Host names with several addresses: the source address for each destination address.

use std::net::{IpAddr, Ipv6Addr};

use crate::keyfile::command::Target;

/// The source addresses that match one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatchingSource {
    One(IpAddr),
    /// The source of the SA is then left unspecified.
    Several,
    /// None has its family and scope.
    None,
}

/// A problem with a destination, for a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairingIssue {
    /// The source has no address for this destination, which is skipped.
    NoSource(IpAddr),
    /// The source has several addresses for this destination, so it is left unspecified.
    ManySources(IpAddr),
    /// With `-n`, literals of different families; the SADB decides.
    Mixed,
}

/// PairScope of an address: RFC 4007 scopes as far as they matter here. IPv4 has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ipv6Scope {
    Link,
    Site,
    Global,
}

fn scope(address: Ipv6Addr) -> Ipv6Scope {
    match address.segments()[0] & 0xffc0 {
        // fe80::/10 and fec0::/10: the prefix has ten bits.
        0xfe80 => Ipv6Scope::Link,
        0xfec0 => Ipv6Scope::Site,
        _ => Ipv6Scope::Global,
    }
}

/// Whether a packet from `src` can be sent to `dst`.
fn can_reach(src: IpAddr, dst: IpAddr) -> bool {
    match (src, dst) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        // A multicast destination has a scope of its own, which a source need not share.
        (IpAddr::V6(src), IpAddr::V6(dst)) => dst.is_multicast() || scope(src) == scope(dst),
        _ => false,
    }
}

fn matching_source(sources: &[IpAddr], dst: IpAddr) -> MatchingSource {
    // The unspecified source is not an address of a family: it matches every destination.
    if let [only] = sources
        && only.is_unspecified()
    {
        return MatchingSource::One(*only);
    }
    let mut matching = sources.iter().copied().filter(|src| can_reach(*src, dst));
    match (matching.next(), matching.next()) {
        (None, _) => MatchingSource::None,
        (Some(only), None) => MatchingSource::One(only),
        _ => MatchingSource::Several,
    }
}

/// The pairs of addresses that a command applies to; empty if no source matches a destination. With `numeric` (`-n`), mixed
/// families are left to the SADB.
pub(crate) fn expand(
    src: Option<&[IpAddr]>,
    dst: Option<&[IpAddr]>,
    numeric: bool,
    report: &mut dyn FnMut(PairingIssue),
) -> Vec<Target> {
    match (src, dst) {
        (None, None) => vec![Target { src: None, dst: None }],
        (Some(src), None) => src.iter().map(|src| Target { src: Some(*src), dst: None }).collect(),
        (None, Some(dst)) => dst.iter().map(|dst| Target { src: None, dst: Some(*dst) }).collect(),
        // Literals are taken as they are; the SADB decides whether they match.
        (Some([src]), Some([dst])) if numeric => {
            if src.is_ipv4() != dst.is_ipv4() && !src.is_unspecified() {
                report(PairingIssue::Mixed);
            }
            vec![Target { src: Some(*src), dst: Some(*dst) }]
        }
        (Some(src), Some(dst)) => dst.iter().filter_map(|dst| pair(src, *dst, report)).collect(),
    }
}

fn pair(sources: &[IpAddr], dst: IpAddr, report: &mut dyn FnMut(PairingIssue)) -> Option<Target> {
    let src = match matching_source(sources, dst) {
        MatchingSource::One(src) => src,
        MatchingSource::Several => {
            report(PairingIssue::ManySources(dst));
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        }
        MatchingSource::None => {
            report(PairingIssue::NoSource(dst));
            return None;
        }
    };
    Some(Target { src: Some(src), dst: Some(dst) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<IpAddr> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }

    fn pairs(src: &[&str], dst: &[&str]) -> (Vec<String>, usize) {
        let mut issues = 0;
        let targets = expand(Some(&list(src)), Some(&list(dst)), false, &mut |_| issues += 1);
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
        (targets.iter().map(|target| format!("{}>{}", text(target.src), text(target.dst))).collect(), issues)
    }

    #[test]
    fn expand_pairs_families_and_scopes() {
        let tri = ["192.0.2.81", "2001:db8::81", "fe80::81"];
        let all: Vec<String> = tri.iter().map(|one| format!("{one}>{one}")).collect();
        assert_eq!(pairs(&tri, &tri), (all, 0));
        assert_eq!(pairs(&["192.0.2.1"], &["192.0.2.2", "2001:db8::2"]), (vec!["192.0.2.1>192.0.2.2".to_owned()], 1));
        assert_eq!(pairs(&["fe80::1"], &["2001:db8::2"]), (vec![], 1));
        assert_eq!(pairs(&["fec0::61"], &["fec0::1"]).0.len(), 1);
        assert_eq!(pairs(&["fe80::1"], &["ff02::1"]).0.len(), 1);
    }

    #[test]
    fn expand_leaves_several_sources_unspecified() {
        assert_eq!(pairs(&["192.0.2.31", "192.0.2.32"], &["192.0.2.2"]), (vec!["::>192.0.2.2".to_owned()], 1));
    }

    #[test]
    fn expand_pairs_an_unspecified_source_with_all() {
        assert_eq!(pairs(&["::"], &["fe80::2"]), (vec!["::>fe80::2".to_owned()], 0));
        assert_eq!(pairs(&["0.0.0.0"], &["192.0.2.2"]), (vec!["0.0.0.0>192.0.2.2".to_owned()], 0));
    }

    #[test]
    fn numeric_expand_keeps_mixed_families() {
        let mut issues = Vec::new();
        let targets =
            expand(Some(&list(&["192.0.2.1"])), Some(&list(&["2001:db8::2"])), true, &mut |issue| issues.push(issue));
        assert_eq!((targets.len(), issues), (1, vec![PairingIssue::Mixed]));
        assert_eq!(expand(None, None, true, &mut |_| ()), [Target { src: None, dst: None }]);
    }
}
