//! The directions of an SA: one rule for policies, sequence numbers, `--inbound` and the kernel's direction attribute.

use std::net::IpAddr;

use super::{Flags, Request};

/// The directions of an SA; those of multicast groups may have both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directions {
    /// For packets that this host receives.
    pub(crate) inbound: bool,
    /// For packets that this host sends.
    pub(crate) outbound: bool,
}

impl Directions {
    pub(crate) const INBOUND: Self = Self { inbound: true, outbound: false };
    pub(crate) const OUTBOUND: Self = Self { inbound: false, outbound: true };
    pub(crate) const BOTH: Self = Self { inbound: true, outbound: true };

    /// Those that the flags declare; neither if there is no such flag.
    pub(crate) fn declared(flags: Flags) -> Self {
        Self { inbound: flags.has(Flags::INBOUND), outbound: flags.has(Flags::OUTBOUND) }
    }
}

/// The directions of an SA, and whether an address of this host that is configured later can change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Determined {
    pub(crate) directions: Directions,
    pub(crate) is_final: bool,
}

/// The directions of an SA with these addresses. Those that it declares are its directions; otherwise:
///
/// | source | destination | directions |
/// | --- | --- | --- |
/// | none | a group | both: any host may send to it, this one included |
/// | local | a group | outbound |
/// | foreign | a group | inbound |
/// | local | foreign | outbound |
/// | foreign or none | local | inbound |
/// | none | foreign | outbound |
///
/// `None` if both addresses are local, or neither.
#[must_use]
pub(crate) fn directions(
    declared: Directions,
    src: Option<IpAddr>,
    dst: IpAddr,
    is_local: &dyn Fn(IpAddr) -> bool,
) -> Option<Determined> {
    if declared != Directions::default() {
        return Some(Determined { directions: declared, is_final: true });
    }
    let is_local_src = src.map(is_local);
    let (directions, is_final) = if dst.is_multicast() {
        match is_local_src {
            None => (Directions::BOTH, true),
            Some(true) => (Directions::OUTBOUND, true),
            Some(false) => (Directions::INBOUND, false),
        }
    } else {
        match (is_local_src, is_local(dst)) {
            (Some(true), false) => (Directions::OUTBOUND, true),
            (Some(false) | None, true) => (Directions::INBOUND, true),
            (None, false) => (Directions::OUTBOUND, false),
            (Some(true), true) | (Some(false), false) => return None,
        }
    };
    Some(Determined { directions, is_final })
}

/// Whether the SA that `request` adds is inbound only. If its directions cannot be determined, the destination decides, as in the
/// kernel, which finds inbound SAs by it.
#[must_use]
pub(crate) fn is_inbound(request: &Request, is_local: &dyn Fn(IpAddr) -> bool) -> bool {
    let declared = Directions::declared(request.flags);
    let Some(dst) = request.dst.map(|dst| dst.addr.to_canonical()) else { return declared == Directions::INBOUND };
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    match directions(declared, src, dst, is_local) {
        Some(determined) => determined.directions == Directions::INBOUND,
        None => is_local(dst),
    }
}

/// Whether the SA that `request` adds is for both directions, as those that all hosts of a group share.
#[must_use]
pub(crate) fn is_shared(request: &Request) -> bool {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    let Some(dst) = request.dst.map(|dst| dst.addr.to_canonical()) else { return false };
    // Addresses of this host decide only about SAs for one direction.
    let determined = directions(Directions::declared(request.flags), src, dst, &|_| false);
    determined.is_some_and(|determined| determined.directions == Directions::BOTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Endpoint;

    const HERE: &str = "fe80::1";
    const THERE: &str = "fe80::2";
    const GROUP: &str = "ff02::5";

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_here(addr: IpAddr) -> bool {
        addr == self::addr(HERE)
    }

    #[test]
    fn directions_are_those_of_the_table() {
        let found = |src: Option<&str>, dst| {
            let determined = directions(Directions::default(), src.map(addr), addr(dst), &is_here);
            determined.map(|determined| (determined.directions, determined.is_final))
        };
        assert_eq!(found(None, GROUP), Some((Directions::BOTH, true)));
        assert_eq!(found(Some(HERE), GROUP), Some((Directions::OUTBOUND, true)));
        assert_eq!(found(Some(THERE), GROUP), Some((Directions::INBOUND, false)));
        assert_eq!(found(Some(HERE), THERE), Some((Directions::OUTBOUND, true)));
        assert_eq!(found(Some(THERE), HERE), Some((Directions::INBOUND, true)));
        assert_eq!(found(None, HERE), Some((Directions::INBOUND, true)));
        assert_eq!(found(None, THERE), Some((Directions::OUTBOUND, false)));
        assert_eq!((found(Some(HERE), HERE), found(Some(THERE), THERE)), (None, None));
    }

    #[test]
    fn directions_of_flags_win() {
        for declared in [Directions::INBOUND, Directions::OUTBOUND, Directions::BOTH] {
            let determined = directions(declared, Some(addr(HERE)), addr(THERE), &is_here).unwrap();
            assert_eq!((determined.directions, determined.is_final), (declared, true));
        }
    }

    #[test]
    fn is_inbound_needs_no_more_than_a_destination() {
        let end = |text: &str| Some(Endpoint { addr: addr(text), port: 0, proto: 0 });
        let is_inbound =
            |src, dst, flags| is_inbound(&Request { src: end(src), dst: end(dst), flags, ..Request::default() }, &is_here);
        assert!(is_inbound("::", HERE, Flags::default()) && !is_inbound("::", THERE, Flags::default()));
        assert!(is_inbound(THERE, GROUP, Flags::default()), "another router's packets to the group");
        assert!(!is_inbound("::", GROUP, Flags::default()), "this host sends through it, too");
        assert!(is_inbound(HERE, HERE, Flags::default()) && !is_inbound(THERE, THERE, Flags::default()));
        assert!(is_inbound("::", GROUP, Flags::INBOUND) && !is_inbound("::", HERE, Flags::INBOUND | Flags::OUTBOUND));
        assert!(!super::is_inbound(&Request::default(), &is_here));
        let is_shared = |src, dst, flags| is_shared(&Request { src: end(src), dst: end(dst), flags, ..Request::default() });
        assert!(is_shared("::", GROUP, Flags::default()) && is_shared(HERE, THERE, Flags::INBOUND | Flags::OUTBOUND));
        assert!(!is_shared(HERE, GROUP, Flags::default()) && !is_shared("::", GROUP, Flags::INBOUND));
        assert!(!is_shared("::", HERE, Flags::default()) && !is_shared("::", THERE, Flags::default()));
    }
}
