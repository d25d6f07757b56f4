//! When to repair what other programs have removed: changes that belong together are collected, and a program that removes the same
//! again and again is not answered ever faster.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use crate::sa::SaId;
use crate::sadb::changes::{Change, Removal};
use crate::service::load::repair::Damage;

/// Without a policy packets pass in the clear, so that the first repair begins almost at once: `ip xfrm policy flush` is one message.
const POLICY_DELAY: Duration = Duration::from_millis(5);
/// A list of SAs is removed in many messages.
const SA_DELAY: Duration = Duration::from_millis(100);
/// Between two repairs, doubled with each one that follows soon.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) struct RepairTimer {
    /// When the next repair is due.
    due: Option<Instant>,
    damage: Damage,
    ports: BTreeSet<u32>,
    last: Option<Instant>,
    pause: Duration,
}

impl RepairTimer {
    pub(super) fn new() -> Self {
        Self { due: None, damage: Damage::default(), ports: BTreeSet::new(), last: None, pause: FIRST_PAUSE }
    }

    /// Time until the repair is due; the longest possible one if none is.
    pub(super) fn remaining(&self) -> Duration {
        self.due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Notes a change. `is_own`: whether an SA is the service's.
    pub(super) fn note(&mut self, change: Change, is_own: impl Fn(&SaId) -> bool) {
        let delay = match change.removal {
            Removal::Sa(message) => {
                if !message.id().is_some_and(|id| is_own(&id)) {
                    return;
                }
                self.damage.removed.push(*message);
                SA_DELAY
            }
            Removal::AllSas | Removal::Unknown => SA_DELAY,
            Removal::Policies => POLICY_DELAY,
        };
        self.ports.extend(Some(change.port).filter(|port| *port != 0));
        let now = Instant::now();
        // After a pause that is not over yet.
        let earliest = self.last.map_or(now, |last| last + self.pause);
        let due = (now + delay).max(earliest);
        // The first change decides: a stream of changes must not put the repair off.
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    /// An SA whose lifetime is over must not be loaded again.
    pub(super) fn note_expiry(&mut self, id: SaId) {
        self.damage.expired.insert(id);
    }

    /// Forgets everything before a load: it loads what is missing.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// The damage to repair, and who did it.
    pub(super) fn take(&mut self) -> (Damage, BTreeSet<u32>) {
        self.due = None;
        let expired: HashSet<SaId> = self.damage.expired.clone();
        let damage = std::mem::replace(&mut self.damage, Damage { expired, ..Damage::default() });
        (damage, std::mem::take(&mut self.ports))
    }

    /// Lets the next repair wait longer if this one followed soon after the last.
    pub(super) fn repaired(&mut self) {
        let now = Instant::now();
        let is_soon = self.last.is_some_and(|last| now.duration_since(last) < 2 * self.pause + SA_DELAY);
        self.pause = if is_soon { (2 * self.pause).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
        self.last = Some(now);
    }
}

/// The programs with these netlink ports. The first port of a process is its number.
pub(super) fn names(ports: &BTreeSet<u32>) -> String {
    let name = |port: &u32| match std::fs::read_to_string(format!("/proc/{port}/comm")) {
        Ok(name) => format!("{} (netlink port {port})", crate::redact::shown(std::path::Path::new(name.trim_end()))),
        // It has ended, or it is hidden from this process.
        Err(_) => format!("another program (netlink port {port})"),
    };
    let names: Vec<String> = ports.iter().take(3).map(name).collect();
    if names.is_empty() { "another program".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(removal: Removal) -> Change {
        Change { removal, port: 7 }
    }

    #[test]
    fn note_collects_changes_and_repairs_policies_at_once() {
        let mut timer = RepairTimer::new();
        assert_eq!(timer.remaining(), Duration::MAX);
        timer.note(change(Removal::AllSas), |_| true);
        assert!(timer.remaining() > POLICY_DELAY && timer.remaining() <= SA_DELAY);
        timer.note(change(Removal::Policies), |_| true);
        assert!(timer.remaining() <= POLICY_DELAY);
        assert_eq!(timer.take().1, BTreeSet::from([7]));
        assert_eq!(timer.remaining(), Duration::MAX);
    }

    #[test]
    fn repairs_that_follow_each_other_wait_longer() {
        let mut timer = RepairTimer::new();
        timer.repaired();
        timer.note(change(Removal::Policies), |_| true);
        assert!(timer.remaining() > FIRST_PAUSE / 2 && timer.remaining() <= FIRST_PAUSE);
        timer.repaired();
        assert_eq!(timer.pause, 2 * FIRST_PAUSE);
        (0..20).for_each(|_| timer.repaired());
        assert_eq!(timer.pause, LONGEST_PAUSE);
    }

    #[test]
    fn names_of_a_process_that_has_ended_is_its_port() {
        assert_eq!(names(&BTreeSet::new()), "another program");
        assert_eq!(names(&BTreeSet::from([u32::MAX])), "another program (netlink port 4294967295)");
    }
}
