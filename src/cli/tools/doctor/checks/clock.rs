//! Jumps of the clock, which lifetimes in seconds depend on.

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::show;
use crate::sys::time::unix_now;

/// Seconds by which a clock may be adjusted, or an expiry be late.
const TOLERANCE: u64 = 5;

const FIX: &str = "check the clock: `timedatectl`; to give the SAs lifetimes from now on, replace the keys on both hosts";

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(actual) = &facts.actual else { return };
    let now = unix_now();
    for (sa, details) in actual.iter().filter(|(_, details)| details.added > now + TOLERANCE).take(LIMIT) {
        let found = format!("{} was added at {}, which has not come yet", sa.id, show::local(details.added));
        findings.warn("clock", found, FIX).because("the clock was set back after the SA was added");
    }
    let is_over = |expires: Option<u64>| expires.is_some_and(|at| at + TOLERANCE < now);
    for (sa, details) in actual.iter().filter(|(_, details)| is_over(details.expires)).take(LIMIT) {
        let at = show::local(details.expires.unwrap_or_default());
        let found = format!("{} should have expired at {at}, and is still in use", sa.id);
        findings.warn("clock", found, FIX).because("the clock was set forward after the SA was added");
    }
}
