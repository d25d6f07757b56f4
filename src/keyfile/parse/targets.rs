//! Names with several addresses: which source goes with which destination.

use std::net::{IpAddr, Ipv6Addr};

use crate::keyfile::command::Target;

/// How well a source fits one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// This one.
    One(IpAddr),
    /// Several would do; the SA gets none of them.
    Several,
    /// None of its family and scope.
    Not,
}

/// Something to tell about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The source has no address for this destination, which is passed over.
    NoSource(IpAddr),
    /// The source has several addresses for this destination, so its own is left unspecified.
    ManySources(IpAddr),
    /// Literals of different families, left to the SADB.
    Mixed,
}

/// PairScope of an address: RFC 4007 scopes as far as they matter here. IPv4 has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Link,
    Site,
    Global,
}

fn scope(address: Ipv6Addr) -> Scope {
    match address.segments()[0] & 0xffc0 {
        0xfe80 => Scope::Link,
        0xfec0 => Scope::Site,
        _ => Scope::Global,
    }
}

/// Whether a packet from `src` can go to `dst`.
fn fits(src: IpAddr, dst: IpAddr) -> bool {
    match (src, dst) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(src), IpAddr::V6(dst)) => dst.is_multicast() || scope(src) == scope(dst),
        _ => false,
    }
}

fn fit(sources: &[IpAddr], dst: IpAddr) -> Fit {
    if let [only] = sources
        && only.is_unspecified()
    {
        return Fit::One(*only);
    }
    let mut fitting = sources.iter().copied().filter(|src| fits(*src, dst));
    match (fitting.next(), fitting.next()) {
        (None, _) => Fit::Not,
        (Some(only), None) => Fit::One(only),
        _ => Fit::Several,
    }
}

/// The pairs of addresses a command is about. `numeric` (`-n`) leaves mixed families to the SADB. Empty if nothing fits.
pub(crate) fn expand(
    src: Option<&[IpAddr]>,
    dst: Option<&[IpAddr]>,
    numeric: bool,
    note: &mut dyn FnMut(Note),
) -> Vec<Target> {
    match (src, dst) {
        (None, None) => vec![Target { src: None, dst: None }],
        (Some(src), None) => src.iter().map(|src| Target { src: Some(*src), dst: None }).collect(),
        (None, Some(dst)) => dst.iter().map(|dst| Target { src: None, dst: Some(*dst) }).collect(),
        (Some([src]), Some([dst])) if numeric => {
            if src.is_ipv4() != dst.is_ipv4() && !src.is_unspecified() {
                note(Note::Mixed);
            }
            vec![Target { src: Some(*src), dst: Some(*dst) }]
        }
        (Some(src), Some(dst)) => dst.iter().filter_map(|dst| pair(src, *dst, note)).collect(),
    }
}

fn pair(sources: &[IpAddr], dst: IpAddr, note: &mut dyn FnMut(Note)) -> Option<Target> {
    let src = match fit(sources, dst) {
        Fit::One(src) => src,
        Fit::Several => {
            note(Note::ManySources(dst));
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        }
        Fit::Not => {
            note(Note::NoSource(dst));
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
        let mut notes = 0;
        let targets = expand(Some(&list(src)), Some(&list(dst)), false, &mut |_| notes += 1);
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
        (targets.iter().map(|target| format!("{}>{}", text(target.src), text(target.dst))).collect(), notes)
    }

    #[test]
    fn families_and_scopes_go_together() {
        let tri = ["192.0.2.81", "2001:db8::81", "fe80::81"];
        let all: Vec<String> = tri.iter().map(|one| format!("{one}>{one}")).collect();
        assert_eq!(pairs(&tri, &tri), (all, 0));
        assert_eq!(pairs(&["192.0.2.1"], &["192.0.2.2", "2001:db8::2"]), (vec!["192.0.2.1>192.0.2.2".to_owned()], 1));
        assert_eq!(pairs(&["fe80::1"], &["2001:db8::2"]), (vec![], 1));
        assert_eq!(pairs(&["fec0::61"], &["fec0::1"]).0.len(), 1);
        assert_eq!(pairs(&["fe80::1"], &["ff02::1"]).0.len(), 1);
    }

    #[test]
    fn several_sources_leave_it_unspecified() {
        assert_eq!(pairs(&["192.0.2.31", "192.0.2.32"], &["192.0.2.2"]), (vec!["::>192.0.2.2".to_owned()], 1));
    }

    #[test]
    fn an_unspecified_source_fits_all() {
        assert_eq!(pairs(&["::"], &["fe80::2"]), (vec!["::>fe80::2".to_owned()], 0));
        assert_eq!(pairs(&["0.0.0.0"], &["192.0.2.2"]), (vec!["0.0.0.0>192.0.2.2".to_owned()], 0));
    }

    #[test]
    fn literals_with_n_are_left_alone() {
        let mut notes = Vec::new();
        let targets = expand(Some(&list(&["192.0.2.1"])), Some(&list(&["2001:db8::2"])), true, &mut |note| notes.push(note));
        assert_eq!((targets.len(), notes), (1, vec![Note::Mixed]));
        assert_eq!(expand(None, None, true, &mut |_| ()), [Target { src: None, dst: None }]);
    }
}
