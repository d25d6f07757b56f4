//! `doctor --peer`: the reports of both hosts of a link, and which of them is wrong.

use super::finding::{Findings, Level, counted};
use super::report::{Report, ReportedSa};
use crate::redact::visible;

const ABOUT: &str = "peer";
const SAME_FILE: &str = "load the same keys file on both hosts: compare them with `sha256sum`";
const REFRESH_THERE: &str = "on the peer: run `manual-key refresh`";
/// Seconds by which the reports of two hosts may differ.
const SAME_TIME: u64 = 60;
const DAY: u64 = 86_400;

/// A value of an SA that both hosts must have; `None` if it says nothing.
type Value = fn(&ReportedSa) -> Option<String>;

/// The values, with their keywords.
const FIELDS: &[(&str, Value)] = &[
    ("authkey", |sa| Some(sa.authkey.clone())),
    ("encrkey", |sa| Some(sa.encrkey.clone())),
    ("auth_alg", |sa| Some(sa.auth_alg.clone())),
    ("encr_alg", |sa| Some(sa.encr_alg.clone())),
    ("icv", |sa| Some(format!("{:?}", sa.icv))),
    ("mode", |sa| Some(sa.mode.clone())),
    ("encap", |sa| Some(sa.encap.to_string())),
    ("esn", |sa| Some(sa.esn.to_string())),
    ("src", |sa| sa.src.map(|src| src.to_string())),
    ("isrc, idst", |sa| Some(sa.inner.clone().unwrap_or_default())),
];

/// Compares the report of this host with that of the peer.
pub(super) fn compare(own: &Report, peer: &Report, findings: &mut Findings) {
    compare_times(own.time, peer.time, findings);
    let (mut same, mut wrong) = (0_usize, 0_usize);
    for sa in own.sas.iter().filter(|sa| peer.sas.iter().any(|other| is_of_same_link(sa, other))) {
        let before = findings.iter().count();
        compare_sa(sa, peer, findings);
        if findings.iter().count() > before {
            wrong += 1;
        } else {
            same += 1;
        }
    }
    match (same, wrong) {
        (0, 0) => {
            let found = "the two hosts have no link with each other: no SA of the reports has the same addresses";
            findings.problem(ABOUT, found, "check that it is the report of the peer, and the addresses in both keys files");
        }
        (_, 0) => drop(findings.ok(ABOUT, format!("{} are the same on both hosts", counted(same, "SA")))),
        _ => {}
    }
    // Its remedies are not repeated: the file may be from anywhere, and a remedy is copied into a shell.
    for finding in peer.findings.iter().filter(|finding| finding.level == Level::Problem) {
        let found = format!("reports: {}: {}", visible(&finding.about), visible(&finding.found));
        findings.warn(ABOUT, found, "run `ipseckey doctor` there for the remedy");
    }
}

fn compare_sa(sa: &ReportedSa, peer: &Report, findings: &mut Findings) {
    let (local, remote) = (sa.src.map_or_else(|| "any".to_owned(), |src| src.to_string()), sa.id.dst);
    let Some(other) = peer.sas.iter().find(|other| other.id == sa.id) else {
        let is_exchanged = |other: &&ReportedSa| other.id.spi == sa.id.spi && Some(other.id.dst) == sa.src;
        if peer.sas.iter().any(|other| is_exchanged(&other)) {
            let found =
                format!("the SPIs are exchanged: {} is for packets from {local} here, and to {local} there", sa.id.spi);
            findings.problem(ABOUT, found, SAME_FILE).on(local, remote);
        } else {
            let found = format!("the peer does not have {}: its keys file has other SPIs", sa.id);
            findings.problem(ABOUT, found, SAME_FILE).on(local, remote);
        }
        return;
    };
    match (sa.is_loaded, other.is_loaded) {
        (true, false) => {
            let found = format!("the peer has {} in its keys file, and has not loaded it", sa.id);
            findings.problem(ABOUT, found, REFRESH_THERE).on(&local, remote);
        }
        (false, true) => {
            let found = format!("the peer has loaded {}, and this host has not", sa.id);
            findings.problem(ABOUT, found, "run `manual-key refresh`").on(&local, remote);
        }
        _ => {}
    }
    let differing: Vec<&str> = FIELDS.iter().filter(|(_, value)| value(sa) != value(other)).map(|(word, _)| *word).collect();
    if !differing.is_empty() {
        let (cause, fix) = who_is_wrong(sa, other);
        let found = format!("{} differs on the two hosts: {}", sa.id, differing.join("; "));
        findings.problem(ABOUT, found, fix).on(&local, remote).because(cause);
    }
    compare_mtu(sa, peer, findings);
}

/// The cause of a difference, and the remedy.
fn who_is_wrong(sa: &ReportedSa, other: &ReportedSa) -> (&'static str, &'static str) {
    match (sa.is_of_file, other.is_of_file) {
        (false, true) => ("this host has not loaded its keys file as it is now", "run `manual-key refresh`"),
        (true, false) => ("the peer has not loaded its keys file as it is now", REFRESH_THERE),
        _ => ("the keys files of the two hosts differ", SAME_FILE),
    }
}

/// A larger packet than the other side's link takes is lost there if no ICMP message comes back.
fn compare_mtu(sa: &ReportedSa, peer: &Report, findings: &mut Findings) {
    let back = peer.sas.iter().find(|other| Some(other.id.dst) == sa.src && other.src == Some(sa.id.dst));
    if let (Some(here), Some(there)) = (sa.mtu, back.and_then(|other| other.mtu))
        && here != there
    {
        let fix = "let ICMP \"fragmentation needed\" pass on the way, or give both interfaces the same MTU: `ip link set DEVICE mtu`";
        let found = format!("the MTU to the peer is {here}, and {there} in the other direction");
        findings.warn(ABOUT, found, fix).on(sa.src.map_or_else(String::new, |src| src.to_string()), sa.id.dst);
    }
}

fn compare_times(own: u64, peer: u64, findings: &mut Findings) {
    if peer > own + SAME_TIME {
        let found = format!("its report is of {} s in the future: the clocks of the hosts differ", peer - own);
        findings.warn(ABOUT, found, "set the clock of both hosts: `timedatectl`");
    } else if own > peer + DAY {
        let found = "its report is older than a day, or the clocks of the hosts differ";
        findings.warn(ABOUT, found, "write it again, and compare `date -u` on both hosts");
    }
}

/// Whether both SAs are between the same two hosts.
fn is_of_same_link(sa: &ReportedSa, other: &ReportedSa) -> bool {
    let ends = |sa: &ReportedSa| (sa.src, Some(sa.id.dst));
    let (src, dst) = ends(sa);
    ends(other) == (src, dst) || ends(other) == (dst, src)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Finding;
    use crate::sa::{SaId, SaType, Spi};

    fn sa(spi: u32, src: u8, dst: u8) -> ReportedSa {
        ReportedSa {
            id: SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: [192, 0, 2, dst].into(), mark: None },
            src: Some([192, 0, 2, src].into()),
            mode: "transport".to_owned(),
            encr_alg: "aes-cbc".to_owned(),
            auth_alg: "hmac-sha256".to_owned(),
            icv: None,
            esn: false,
            encap: false,
            inner: None,
            authkey: "00000001".to_owned(),
            encrkey: "00000002".to_owned(),
            is_loaded: true,
            is_of_file: true,
            mtu: None,
        }
    }

    fn report(sas: &[ReportedSa]) -> Report {
        Report { sas: sas.to_vec(), ..Report::default() }
    }

    fn compared(own: &Report, peer: &Report) -> Vec<Finding> {
        let mut findings = Findings::default();
        compare(own, peer, &mut findings);
        findings.findings().to_vec()
    }

    #[test]
    fn compare_names_each_field_that_differs() {
        type Change = fn(&mut ReportedSa);
        let changes: [(&str, Change); 9] = [
            ("authkey", |sa| sa.authkey.clear()),
            ("encrkey", |sa| sa.encrkey.clear()),
            ("auth_alg", |sa| sa.auth_alg.clear()),
            ("encr_alg", |sa| sa.encr_alg.clear()),
            ("icv", |sa| sa.icv = Some(96)),
            ("mode", |sa| sa.mode.clear()),
            ("encap", |sa| sa.encap = true),
            ("esn", |sa| sa.esn = true),
            ("isrc, idst", |sa| sa.inner = Some("10.0.0.0/8".to_owned())),
        ];
        let own = report(&[sa(1, 1, 2), sa(2, 2, 1)]);
        assert_eq!(compared(&own, &own)[0].found, "2 SAs are the same on both hosts");
        for (word, change) in changes {
            let mut peer = own.clone();
            change(&mut peer.sas[1]);
            let found = compared(&own, &peer);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].found, format!("esp spi 0x2 dst 192.0.2.1 differs on the two hosts: {word}"));
        }
    }

    #[test]
    fn compare_says_which_side_is_wrong() {
        let own = report(&[sa(1, 1, 2)]);
        let mut peer = own.clone();
        peer.sas[0].authkey.clear();
        peer.sas[0].is_of_file = false;
        assert!(compared(&own, &peer)[0].cause.starts_with("the peer has not loaded its keys file"));
        assert!(compared(&peer, &own)[0].cause.starts_with("this host has not loaded its keys file"));
        let exchanged = report(&[sa(1, 2, 1)]);
        assert!(compared(&own, &exchanged)[0].found.starts_with("the SPIs are exchanged: 0x1 "));
        let elsewhere = report(&[sa(1, 3, 4)]);
        assert!(compared(&own, &elsewhere)[0].found.starts_with("the two hosts have no link"));
        let future = Report { time: 7_200, ..own.clone() };
        assert!(compared(&own, &future)[0].found.contains("7200 s in the future"));
    }

    #[test]
    fn compare_does_not_repeat_what_a_report_proposes() {
        let mut theirs = Findings::default();
        theirs.problem("SAs\x1b[2J", "lost\nok", "run `rm -r /`");
        let own = report(&[sa(1, 1, 2)]);
        let peer = Report { findings: theirs.findings().to_vec(), ..own.clone() };
        let found = compared(&own, &peer);
        assert_eq!(found[1].found, "reports: SAs?[2J: lost?ok");
        assert!(!found[1].fix.contains("rm"));
    }
}
