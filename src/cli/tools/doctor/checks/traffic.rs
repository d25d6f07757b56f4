//! The packets of each link in both directions, while `doctor` runs.

use super::LIMIT;
use super::sas::NEW_KEYS;
use crate::cli::tools::doctor::facts::{Facts, Interval};
use crate::cli::tools::doctor::finding::{Findings, counted};
use crate::links::{Ends, Moved, Problem};

/// Links whose packets are reported if nothing is wrong with them.
const SHOWN: usize = 20;

const COMPARE_KEYS: &str = "compare the keys files of both hosts: `ipseckey doctor --report FILE` here, `--peer FILE` there";
const ASK_PEER: &str = "run `ipseckey doctor` on the peer meanwhile, which names what it drops; if its inbound SA gets no packet either, let \
                        the protocol pass in all firewalls between: 50 (ESP), 51 (AH), or UDP port 4500 with encap";

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(Interval { seconds, links, .. }) = &facts.interval else { return };
    let (mut shown, mut bad) = (0_usize, 0_usize);
    for link in links.iter() {
        let Some([out, inbound]) = link.moved() else { continue };
        let before = findings.iter().count();
        compare(&link.ends(), [out, inbound], link.problems(links), *seconds, findings);
        if findings.iter().count() > before {
            bad += 1;
        } else if shown < SHOWN {
            shown += 1;
            findings.ok("traffic", text(out, inbound, *seconds)).on(link.ends().local, link.ends().peer);
        }
        if bad == LIMIT * 10 {
            findings.problem("traffic", "more links have such problems", "run `ipseckey show` to list them");
            break;
        }
    }
}

/// `problems` are those of `ipseckey show`, which has the counters of all times.
fn compare(ends: &Ends, [out, inbound]: [Moved; 2], problems: Vec<Problem>, seconds: u64, findings: &mut Findings) {
    let Ends { local, peer, has_both } = ends;
    let wrong = out.unauthentic + inbound.unauthentic;
    if wrong > 0 {
        let found = format!("{wrong} packets in {seconds} s failed authentication");
        findings
            .problem("traffic", found, COMPARE_KEYS)
            .on(local, peer)
            .because("the keys of this SA differ on the two hosts");
    }
    let old = out.replayed + inbound.replayed;
    if old > 0 {
        let found = format!("{old} packets in {seconds} s had a sequence number that was replayed or too old");
        let cause = "the peer has loaded the same keys again, and its sequence numbers started at 1";
        findings.problem("traffic", found, NEW_KEYS).on(local, peer).because(cause);
    }
    if *has_both && out.packets > 0 && inbound.packets == 0 && wrong + old == 0 {
        let never = if problems.contains(&Problem::NothingBack(0)) { ", nor any before" } else { "" };
        let found = format!("{} in {seconds} s, none received{never}", sent(out.packets));
        let cause = "the peer drops them or sends no reply, or a device between the hosts drops one direction";
        findings.problem("traffic", found, ASK_PEER).on(local, peer).because(cause);
    }
    if *has_both && inbound.packets > 0 && out.packets == 0 {
        let found = format!("{} received in {seconds} s, none sent", counted_packets(inbound.packets));
        let fix =
            "check with `ip xfrm policy` that a policy `dir out` is for the replies, and with `ip route get` their way";
        findings.warn("traffic", found, fix).on(local, peer).because("the replies do not pass through the outbound SA");
    }
    for problem in problems {
        if problem == Problem::NoForwardPolicy {
            let fix =
                "run `manual-key refresh` with policy = \"from-sas\", or add the policy `dir fwd` with `ip xfrm policy add`";
            findings.problem("policies", problem.to_string(), fix).on(local, peer);
        }
    }
}

fn text(out: Moved, inbound: Moved, seconds: u64) -> String {
    if out.packets + inbound.packets == 0 {
        return format!("no packet in {seconds} s: ping the peer meanwhile, with `--for 30` for more time");
    }
    format!("{}, {} received in {seconds} s", sent(out.packets), inbound.packets)
}

fn sent(count: u64) -> String {
    format!("{} sent", counted_packets(count))
}

fn counted_packets(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "packet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    fn moved(packets: u64) -> Moved {
        Moved { packets, bytes: packets, ..Moved::default() }
    }

    fn findings(out: Moved, inbound: Moved) -> Findings {
        let ends = Ends { local: [192, 0, 2, 1].into(), peer: [192, 0, 2, 2].into(), has_both: true };
        let mut findings = Findings::default();
        compare(&ends, [out, inbound], Vec::new(), 5, &mut findings);
        findings
    }

    #[test]
    fn compare_names_the_direction_without_packets() {
        assert!(findings(moved(3), moved(2)).words().is_empty() && findings(moved(0), moved(0)).words().is_empty());
        let silent = findings(moved(3), moved(0));
        assert_eq!(silent.findings()[0].found, "3 packets sent in 5 s, none received");
        assert_eq!(silent.findings()[0].link, "192.0.2.1 <-> 192.0.2.2");
        assert_eq!(findings(moved(0), moved(1)).words(), [(Level::Warning, "traffic")]);
    }

    #[test]
    fn compare_prefers_the_reason_of_the_kernel() {
        let wrong_keys = findings(moved(3), Moved { unauthentic: 2, ..moved(0) });
        assert_eq!(wrong_keys.words(), [(Level::Problem, "traffic")]);
        assert!(wrong_keys.findings()[0].cause.contains("keys"));
        let restarted = findings(moved(3), Moved { replayed: 2, ..moved(0) });
        assert!(restarted.findings()[0].fix.contains("never load the same keys again"));
    }
}
