//! Linux: peers whose link-layer address the kernel cannot resolve.

use std::net::IpAddr;

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::{Net, PolicySa};
use crate::sadb::unresolved_neighbours;

/// Reports unresolved neighbours that SAs are for: their addresses, or addresses in the networks of their tunnels.
pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(actual) = &facts.actual else { return };
    let sas = &actual.policy_sas;
    match unresolved_neighbours() {
        Ok(unresolved) => {
            let found = unresolved.iter().filter(|neighbour| sas.iter().any(|sa| concerns(sa, neighbour.addr)));
            compare(found.map(|neighbour| (neighbour.addr, &*neighbour.interface, neighbour.state)), findings);
        }
        Err(error) => {
            findings.warn("neighbours", format!("cannot be listed: {error}"), "run `ip neigh` to list them");
        }
    }
}

/// Whether packets to the neighbour `addr` may depend on the SA.
fn concerns(sa: &PolicySa, addr: IpAddr) -> bool {
    let host = Net::host(addr);
    let is_selected = sa.selector.is_some_and(|selector| selector.src.covers(host) || selector.dst.covers(host));
    is_selected || sa.id.dst == addr || sa.src == Some(addr)
}

fn compare<'a>(unresolved: impl Iterator<Item = (IpAddr, &'a str, &'a str)>, findings: &mut Findings) {
    let mut more = 0_usize;
    for (at, (addr, interface, state)) in unresolved.enumerate() {
        if at >= LIMIT {
            more += 1;
            continue;
        }
        let found = format!("{addr} on {interface} is {state}: it does not answer, and no packet is sent to it");
        findings.warn("neighbours", found, fix(addr));
    }
    if more > 0 {
        findings.warn("neighbours", format!("{more} more unresolved"), "as above");
    }
}

fn fix(addr: IpAddr) -> &'static str {
    if addr.is_ipv4() {
        "check address, link and power of the peer; ARP is not affected by policies"
    } else {
        "check address, link and power of the peer, and with `ip xfrm policy` on both hosts that neighbour discovery passes: \
         policy = \"from-sas\" lets it pass unless pass_neighbour_discovery = false"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;
    use crate::sa::{Endpoint, InnerEndpoint, Request, SaType, Spi};

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn request() -> Request {
        let end = |text| Some(Endpoint { addr: addr(text), port: 0, proto: 0 });
        Request { sa_type: SaType::ESP, spi: Spi(1), src: end("fd00::1"), dst: end("fd00::2"), ..Request::default() }
    }

    #[test]
    fn concerns_the_ends_and_the_networks_of_an_sa() {
        let sa = PolicySa::of_request(&request()).unwrap();
        assert!(concerns(&sa, addr("fd00::2")) && concerns(&sa, addr("fd00::1")) && !concerns(&sa, addr("fd00::3")));
        let any = || Some(InnerEndpoint { addr: addr("::"), prefix_len: 0, port: 0, proto: 0 });
        let tunnel = Request { inner_src: any().into(), inner_dst: any().into(), ..request() };
        assert!(concerns(&PolicySa::of_request(&tunnel).unwrap(), addr("fe80::3")));
    }

    #[test]
    fn compare_reports_some_and_counts_the_rest() {
        let mut findings = Findings::default();
        let all = ["fd00::2", "192.0.2.1", "fd00::3", "fd00::4", "fd00::5"];
        compare(all.iter().map(|text| (addr(text), "eth0", "FAILED")), &mut findings);
        assert_eq!(findings.words(), [(Level::Warning, "neighbours"); 4]);
        let [first, second, _, rest] = findings.findings() else { panic!("four") };
        assert_eq!(first.found, "fd00::2 on eth0 is FAILED: it does not answer, and no packet is sent to it");
        assert!(first.fix.contains("pass_neighbour_discovery") && second.fix.contains("ARP"));
        assert_eq!(rest.found, "2 more unresolved");
    }
}
