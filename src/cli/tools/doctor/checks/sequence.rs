//! Sequence numbers at the end of their range: the SA cannot send the next packet (RFC 4303 section 3.3.3).

use super::LIMIT;
use super::sas::NEW_KEYS;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;

/// Without ESN: a sixteenth of all sequence numbers is left.
const NEAR: u64 = u32::MAX as u64 / 16 * 15;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(actual) = &facts.actual else { return };
    let near = actual.iter().filter(|(sa, details)| facts.own.contains(&sa.id) && !details.has_esn && details.sent >= NEAR);
    for (sa, details) in near.take(LIMIT) {
        let fix = format!("{NEW_KEYS}; esn on both hosts gives 64-bit sequence numbers");
        if details.sent >= u64::from(u32::MAX) {
            let found = format!("{} has sent its last sequence number: it sends no packet any more", sa.id);
            findings.problem("sequence numbers", found, fix);
        } else {
            let left = u64::from(u32::MAX) - details.sent;
            findings.warn("sequence numbers", format!("{} can send {left} more packets", sa.id), fix);
        }
    }
}
