//! SAs that expire soon.

use super::LIMIT;
use super::sas::NEW_KEYS;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::{Findings, counted};
use crate::show;
use crate::sys::time::unix_now;

/// Shorter lifetimes are warned of near their end.
const SOON: u64 = 86_400;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(actual) = &facts.actual else { return };
    let now = unix_now();
    let own = actual.iter().filter(|(sa, _)| facts.own.contains(&sa.id));
    let mut soon: Vec<(u64, String)> =
        own.filter_map(|(sa, details)| Some((is_near(details.added, details.expires?, now)?, sa.id.to_string()))).collect();
    soon.sort();
    for (at, id) in soon.iter().take(LIMIT) {
        let found = format!("{id} expires at {}: its traffic stops then", show::local(*at));
        findings.warn("lifetimes", found, NEW_KEYS);
    }
    if soon.len() > LIMIT {
        findings.warn("lifetimes", format!("{} more expire soon", counted(soon.len() - LIMIT, "SA")), NEW_KEYS);
    }
}

/// The time of expiry, if less than a tenth of the lifetime or less than a day is left.
fn is_near(added: u64, expires: u64, now: u64) -> Option<u64> {
    let lifetime = expires.saturating_sub(added);
    let left = expires.saturating_sub(now);
    (left < (lifetime / 10).min(SOON)).then_some(expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_near_in_the_last_tenth_and_the_last_day() {
        assert_eq!((is_near(100, 200, 150), is_near(100, 200, 195)), (None, Some(200)));
        let year = 365 * 86_400;
        assert_eq!((is_near(0, year, year - 2 * 86_400), is_near(0, year, year - 3_600)), (None, Some(year)));
    }
}
