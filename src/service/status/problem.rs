//! Why traffic of the keys file may not be protected: one row for each condition, the most important first.

use std::cmp::Reverse;
use std::fmt;

use serde::Serialize;

use super::expired::ExpiredSa;
use super::facts::Facts;
use super::remaining::Remaining;
use crate::policy::coverage::{NotLocalSas, UnprotectedSas};
use crate::redact::shell_word;
use crate::service::exit::Reason;
use crate::service::log::event::daemon::unusable_ike_port;
use crate::service::log::event::load::protect;
use crate::service::records::owned_policies::LostPolicy;
use crate::show;

/// How bad a problem is, in the words of monitoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Traffic is protected now, and may not be later.
    Warning,
    /// Whether traffic is protected could not be found out.
    Unknown,
    /// Traffic passes in the clear, or is lost.
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        })
    }
}

/// A condition under which the status is not good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) level: Level,
    #[serde(rename = "problem")]
    pub(super) text: String,
    /// The remedy; empty if the text says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) fix: String,
    /// The exit status of `--check`.
    #[serde(skip)]
    pub(super) reason: Reason,
}

/// Text of a problem, then remedy.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "; {}", self.fix) }
    }
}

impl Problem {
    fn critical(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Critical, text: text.into(), fix: fix.into(), reason: Reason::Drift }
    }

    fn warning(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::critical(text, fix) }
    }

    /// The service is in a state in which it protects nothing, or not what its file says.
    pub(super) fn of_state(text: impl Into<String>, reason: Reason) -> Self {
        Self { level: Level::Critical, text: text.into(), fix: String::new(), reason }
    }

    /// Something could not be found out.
    pub(super) fn unknown(text: impl Into<String>, reason: Reason) -> Self {
        Self { level: Level::Unknown, ..Self::of_state(text, reason) }
    }
}

/// A condition of a loaded service; `None` if it does not hold.
type Check = fn(&Facts) -> Option<Problem>;

/// The worst first among those of one level.
const CHECKS: &[Check] = &[
    elsewhere,
    unprotected,
    policies,
    expired,
    missing,
    differing,
    udp_port,
    ike_port,
    file_changed,
    partly_elsewhere,
    expiring,
    keys_end,
];

/// The problems of a loaded service, the worst first.
pub(super) fn find(facts: &Facts) -> Vec<Problem> {
    let mut problems: Vec<Problem> = CHECKS.iter().filter_map(|check| check(facts)).collect();
    // Stable: the order of the table decides within a level.
    problems.sort_by_key(|problem| Reverse(problem.level));
    problems
}

const NEW_KEYS: &str = "replace the keys on both hosts (ipseckey generate), never load the same keys again";

fn unprotected(facts: &Facts) -> Option<Problem> {
    let unprotected: &UnprotectedSas = facts.unprotected.as_ref().filter(|sas| sas.count > 0)?;
    let fix = if facts.from_sas { "to install the policies again: manual-key refresh" } else { protect(false) };
    Some(Problem::critical(unprotected.to_string(), fix))
}

fn policies(facts: &Facts) -> Option<Problem> {
    let first = facts.lost_policies.first()?;
    let text = match facts.lost_policies.len() {
        1 => format!("a policy of the service is missing or was changed by another program: {}", first.id),
        lost => {
            format!("{lost} policies of the service are missing or were changed by another program, the first: {}", first.id)
        }
    };
    let fix = match facts.lost_policies.iter().find(|policy| policy.is_replaced) {
        Some(LostPolicy { id, .. }) => format!("to install them again: ip xfrm policy delete {id}, then manual-key refresh"),
        None => "to install them again: manual-key refresh".to_owned(),
    };
    Some(Problem::critical(text, fix))
}

fn expired(facts: &Facts) -> Option<Problem> {
    let ExpiredSa { id, at, hard_addtime } = facts.expired.iter().min_by_key(|sa| sa.at)?;
    let at = show::local(*at);
    let text = match facts.expired.len() {
        1 => format!("{id} expired at {at}, hard_addtime {hard_addtime}"),
        count => format!("{count} SAs have expired, the first at {at}, hard_addtime {hard_addtime}"),
    };
    Some(Problem::critical(text, NEW_KEYS))
}

fn missing(facts: &Facts) -> Option<Problem> {
    let text = match facts.lost_sas {
        0 => return None,
        1 => "1 SA is missing in the SADB".to_owned(),
        lost => format!("{lost} SAs are missing in the SADB"),
    };
    Some(Problem::critical(text, "to add what is missing: manual-key refresh"))
}

fn differing(facts: &Facts) -> Option<Problem> {
    let first = facts.differing.first()?;
    let text = match facts.differing.len() {
        1 => format!("an SA differs from the keys file: {first}"),
        count => format!("{count} SAs differ from the keys file, the first: {first}"),
    };
    Some(Problem::critical(text, "to see the differences: manual-key plan"))
}

fn elsewhere(facts: &Facts) -> Option<Problem> {
    let sas = facts.not_local.as_ref().filter(|sas| sas.are_all())?;
    Some(not_local(Level::Critical, sas))
}

fn partly_elsewhere(facts: &Facts) -> Option<Problem> {
    let sas = facts.not_local.as_ref().filter(|sas| sas.count > 0 && !sas.are_all())?;
    Some(not_local(Level::Warning, sas))
}

fn not_local(level: Level, sas: &NotLocalSas) -> Problem {
    Problem { level, ..Problem::critical(sas.to_string(), "compare the keys file with ip address") }
}

fn udp_port(facts: &Facts) -> Option<Problem> {
    let port = facts.unbound_ports.first()?;
    let text = format!("no program has a socket on UDP port {port}, so that ESP in UDP is not received");
    Some(Problem::critical(text, "set hold_natt_ports = true for manual-key run, or start a program that sets UDP_ENCAP"))
}

fn ike_port(facts: &Facts) -> Option<Problem> {
    let (port, managers) = facts.ike_port.as_ref()?;
    let (text, fix) = unusable_ike_port(*port, managers);
    Some(Problem::warning(text, fix))
}

fn file_changed(facts: &Facts) -> Option<Problem> {
    let file = facts.file.as_deref().filter(|_| facts.changed == Some(true))?;
    let fix = format!("to load it: manual-key refresh; to check it before: {} -c {}", facts.ipseckey, shell_word(file));
    Some(Problem::warning("the keys file has changed since it was loaded", fix))
}

fn expiring(facts: &Facts) -> Option<Problem> {
    let soft = match facts.sas.soft_expired {
        0 => None,
        1 => Some("the soft lifetime of 1 SA has expired".to_owned()),
        count => Some(format!("the soft lifetimes of {count} SAs have expired")),
    };
    let hard = facts
        .sas
        .first_hard
        .filter(|at| *at <= facts.now.saturating_add(facts.warn))
        .map(|at| format!("the next SA expires in {}, at {}", Remaining(at.saturating_sub(facts.now)), show::local(at)));
    let text: Vec<String> = soft.into_iter().chain(hard).collect();
    (!text.is_empty()).then(|| Problem::warning(text.join("; "), NEW_KEYS))
}

fn keys_end(facts: &Facts) -> Option<Problem> {
    let end = facts.chain_end.filter(|end| *end <= facts.now.saturating_add(facts.warn))?;
    let fix = "append keys to the file on both hosts, then run manual-key refresh (docs/key-chains.md)";
    if end <= facts.now {
        return Some(Problem::critical(
            format!("a key chain has ended at {}: it has no key for now", show::local(end)),
            fix,
        ));
    }
    let text = format!("a key chain ends in {}, at {}", Remaining(end - facts.now), show::local(end));
    Some(Problem::warning(text, fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{SaId, SaType, Spi};

    fn lines(facts: &Facts) -> Vec<String> {
        find(facts).iter().map(|problem| format!("{}: {problem}", problem.level)).collect()
    }

    #[test]
    fn find_puts_the_worst_first() {
        assert!(find(&Facts::default()).is_empty());
        let facts = Facts {
            file: Some("/keys".into()),
            changed: Some(true),
            lost_sas: 2,
            unbound_ports: vec![4500],
            ..Facts::default()
        };
        let lines = lines(&facts);
        let starts =
            ["CRITICAL: 2 SAs are missing", "CRITICAL: no program has a socket on UDP port 4500", "WARNING: the keys"];
        assert!(lines.len() == 3 && lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{lines:?}");
    }

    #[test]
    fn expiring_warns_within_the_time_of_warn_only() {
        let at = |first_hard, now, warn| {
            let mut facts = Facts { now, warn, ..Facts::default() };
            facts.sas.first_hard = first_hard;
            lines(&facts)
        };
        assert!(at(None, 100, 1_000).is_empty() && at(Some(2_000), 100, 1_000).is_empty());
        let [line] = &at(Some(25_300), 100, 172_800)[..] else { panic!("one") };
        assert!(line.starts_with("WARNING: the next SA expires in 7 h, at ") && line.ends_with(NEW_KEYS), "{line}");
    }

    #[test]
    fn keys_end_warns_within_the_time_of_warn_and_is_critical_afterwards() {
        let at = |chain_end, now| lines(&Facts { now, warn: 1_000, chain_end, ..Facts::default() });
        assert!(at(None, 100).is_empty() && at(Some(2_000), 100).is_empty());
        assert!(
            at(Some(2_000), 1_000)[0].starts_with("WARNING: a key chain ends in 16 min"),
            "{:?}",
            at(Some(2_000), 1_000)
        );
        assert!(at(Some(2_000), 2_000)[0].starts_with("CRITICAL: a key chain has ended at "));
    }

    #[test]
    fn expired_asks_for_new_keys() {
        let id = SaId { sa_type: SaType::ESP, spi: Spi(7), dst: [192, 0, 2, 2].into(), mark: None };
        let sa = |at| ExpiredSa { id, at, hard_addtime: 28_800 };
        let [one] = &lines(&Facts { expired: vec![sa(9)], ..Facts::default() })[..] else { panic!("one") };
        assert!(
            one.starts_with("CRITICAL: esp spi 0x7 dst 192.0.2.2 expired at ") && one.contains("hard_addtime 28800"),
            "{one}"
        );
        let [two] = &lines(&Facts { expired: vec![sa(9), sa(7)], ..Facts::default() })[..] else { panic!("one") };
        assert!(two.starts_with(&format!("CRITICAL: 2 SAs have expired, the first at {}", show::local(7))), "{two}");
    }
}
