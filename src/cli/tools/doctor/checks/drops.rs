//! Packets that XFRM drops, by reason. The counters count since boot: only what they count meanwhile is a finding.

use crate::cli::tools::doctor::facts::{Facts, Interval};
use crate::cli::tools::doctor::finding::Findings;
use crate::links::xfrm_stat as read;
use crate::names::xfrm_stat;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    match &facts.interval {
        Some(Interval { seconds, drops: [before, after], .. }) => compare(before, after, *seconds, findings),
        None => {
            let now = read();
            compare(&now, &now, 0, findings);
        }
    }
}

fn compare(before: &str, after: &str, seconds: u64, findings: &mut Findings) {
    let value = |text: &str, name: &str| xfrm_stat::values(text).find(|(found, _)| *found == name).map_or(0, |row| row.1);
    let mut old = Vec::new();
    for (row, count) in xfrm_stat::counted(after) {
        let earlier = value(before, row.name);
        if count > earlier {
            let found = format!("{} {} in {seconds} s ({})", count - earlier, row.what, row.name);
            findings.problem("dropped packets", found, row.next);
        } else {
            old.push(format!("{count} {}", row.name));
        }
    }
    let text = if old.is_empty() { "none since boot".to_owned() } else { format!("since boot: {}", old.join(", ")) };
    findings.ok("dropped packets", text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    #[test]
    fn compare_reports_what_was_dropped_meanwhile() {
        let (before, after) =
            ("XfrmInStateProtoError 4\nXfrmOutNoStates 6\n", "XfrmInStateProtoError 7\nXfrmOutNoStates 6\n");
        let mut findings = Findings::default();
        compare(before, after, 5, &mut findings);
        assert_eq!(findings.words(), [(Level::Problem, "dropped packets"), (Level::Ok, "dropped packets")]);
        assert!(findings.findings()[0].found.starts_with("3 packets that failed decryption"));
        assert_eq!(findings.findings()[1].found, "since boot: 6 XfrmOutNoStates");
        let mut healthy = Findings::default();
        compare("XfrmInError 0\n", "XfrmInError 0\n", 5, &mut healthy);
        assert_eq!(healthy.findings()[0].found, "none since boot");
    }
}
