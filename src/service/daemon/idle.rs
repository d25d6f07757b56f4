//! Idle lifetimes for Linux, whose kernel has none. `manual-key run` polls the SAs that have one, and removes those that were not
//! used for that long (ipseckey(1M), idle_addtime, idle_usetime).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::sa::{LifetimeKind, Message, SaId};
use crate::sadb::{Sadb, SadbError, SadbTarget};
use crate::service::log::event::daemon::Expiry;
use crate::sys::IS_LINUX;
use crate::sys::time::unix_now;

/// Seconds between two polls while no SA has an idle lifetime.
const LONGEST_INTERVAL: u64 = 60;
/// Polls in one idle lifetime: an SA is removed late by at most the corresponding part of it.
const POLLS_PER_LIFETIME: u64 = 8;

/// The last poll of an SA. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    added: u64,
    packets: u64,
    bytes: u64,
    /// The last known use.
    last_used: u64,
}

pub(super) struct IdleTimer {
    usages: HashMap<SaId, Usage>,
    due: Instant,
}

impl IdleTimer {
    /// The first poll is due immediately.
    pub(super) fn new() -> Self {
        Self { usages: HashMap::new(), due: Instant::now() }
    }

    /// Makes the next poll due: a load may have added SAs with shorter lifetimes.
    pub(super) fn reset(&mut self) {
        self.due = Instant::now();
    }

    /// Time until the next poll is due.
    pub(super) fn remaining(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Polls the SAs with an idle lifetime, and returns those that it removed. Only SAs with `is_own` are removed.
    ///
    /// # Errors
    /// Those of opening, listing and deleting.
    pub(super) fn poll(&mut self, target: &SadbTarget, is_own: impl Fn(&SaId) -> bool) -> Result<Vec<Expiry>, SadbError> {
        self.due = Instant::now() + Duration::from_secs(LONGEST_INTERVAL);
        if !(IS_LINUX && matches!(target, SadbTarget::Auto | SadbTarget::Xfrm)) {
            return Ok(Vec::new());
        }
        let now = unix_now();
        self.poll_sadb(&mut *target.open()?, now, is_own)
    }

    fn poll_sadb(
        &mut self,
        sadb: &mut dyn Sadb,
        now: u64,
        is_own: impl Fn(&SaId) -> bool,
    ) -> Result<Vec<Expiry>, SadbError> {
        let mut interval = LONGEST_INTERVAL;
        let mut removed = Vec::new();
        let mut usages = HashMap::new();
        for message in sadb.idle_limited()? {
            let Some(id) = message.id().filter(&is_own) else { continue };
            let usage = Usage::at(&message, self.usages.get(&id), now);
            let Some(end) = idle_end(&message, usage) else { continue };
            if end > now {
                interval = interval.min(next_poll(end.saturating_sub(usage.last_used), end - now));
                usages.insert(id, usage);
            } else if sadb.delete_if_present(&id.request())? {
                removed.push(Expiry {
                    sa_type: id.sa_type,
                    spi: id.spi,
                    dst: Some(id.dst),
                    kind: LifetimeKind::Idle,
                    is_gone: true,
                });
            }
        }
        self.usages = usages;
        self.due = Instant::now() + Duration::from_secs(interval);
        Ok(removed)
    }
}

/// Seconds until the next poll of an SA with the idle lifetime `lifetime`, of which `left` remains.
fn next_poll(lifetime: u64, left: u64) -> u64 {
    (lifetime / POLLS_PER_LIFETIME).min(left).max(1)
}

impl Usage {
    /// The usage at `now`; `previous` is that of the last poll.
    fn at(message: &Message, previous: Option<&Self>, now: u64) -> Self {
        let current = message.lifetime(LifetimeKind::Current).copied().unwrap_or_default();
        let (packets, reported) = message.linux().map_or((0, 0), |linux| (linux.packets, linux.last_used));
        let (added, bytes) = (current.addtime, current.bytes);
        // An SA with another add time is a new one with the same identity.
        let last_used = match previous.filter(|previous| previous.added == added) {
            Some(previous) if (previous.packets, previous.bytes) == (packets, bytes) => previous.last_used,
            _ if packets == 0 => added,
            _ if reported != 0 => reported,
            // Kernels before 6.2 do not report the last use: it was since the last poll, so now at the latest.
            _ => now,
        };
        Self { added, packets, bytes, last_used: last_used.max(reported) }
    }
}

/// When an SA that is not used any more reaches its idle lifetime. Until its first use only idle_addtime counts, then the
/// shorter one.
fn idle_end(message: &Message, usage: Usage) -> Option<u64> {
    let limit = message.lifetime(LifetimeKind::Idle)?;
    let after_use = [limit.usetime].into_iter().filter(|_| usage.packets > 0);
    let lifetime = [limit.addtime].into_iter().chain(after_use).filter(|lifetime| *lifetime > 0).min()?;
    Some(usage.last_used.saturating_add(lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{DiagnosticCode, Extension, Lifetime, LinuxInfo, MessageType, SaType};

    fn sa(packets: u64, last_used: u64, idle: (u64, u64)) -> Message {
        let current = Lifetime { addtime: 1000, bytes: packets * 100, ..Lifetime::default() };
        let idle = Lifetime { addtime: idle.0, usetime: idle.1, ..Lifetime::default() };
        let linux = LinuxInfo { packets, last_used, ..LinuxInfo::default() };
        Message {
            version: 2,
            kind: MessageType::GET,
            errno: 0,
            sa_type: SaType::ESP,
            byte_len: 0,
            diagnostic: DiagnosticCode::default(),
            seq: 1,
            pid: 1,
            extensions: vec![
                Extension::Lifetime(LifetimeKind::Current, current),
                Extension::Lifetime(LifetimeKind::Idle, idle),
                Extension::Linux(Box::new(linux)),
            ],
        }
    }

    #[test]
    fn idle_end_of_an_unused_sa_depends_on_idle_addtime() {
        let unused = sa(0, 0, (60, 20));
        assert_eq!(idle_end(&unused, Usage::at(&unused, None, 1030)), Some(1060));
        let unlimited = sa(0, 0, (0, 20));
        assert_eq!(idle_end(&unlimited, Usage::at(&unlimited, None, 1030)), None);
    }

    #[test]
    fn idle_end_moves_with_each_use() {
        let used = sa(3, 0, (60, 20));
        let usage = Usage::at(&used, None, 1030);
        assert_eq!(idle_end(&used, usage), Some(1050), "the last use is unknown: now at the latest");
        let again = Usage::at(&used, Some(&usage), 1040);
        assert_eq!(again, usage);
        let more = sa(4, 0, (60, 20));
        assert_eq!(idle_end(&more, Usage::at(&more, Some(&usage), 1045)), Some(1065));
    }

    #[test]
    fn idle_end_depends_on_the_last_use_that_the_kernel_reports() {
        let used = sa(3, 1017, (60, 20));
        assert_eq!(idle_end(&used, Usage::at(&used, None, 1030)), Some(1037));
    }

    #[test]
    fn usage_of_a_new_sa_with_the_same_identity_starts_over() {
        let unused = sa(0, 0, (60, 0));
        let previous = Usage { added: 7, packets: 0, bytes: 0, last_used: 7 };
        assert_eq!(idle_end(&unused, Usage::at(&unused, Some(&previous), 1030)), Some(1060));
    }

    #[test]
    fn next_poll_is_a_part_of_the_lifetime_and_not_after_its_end() {
        assert_eq!([next_poll(80, 80), next_poll(80, 4), next_poll(3, 3), next_poll(3, 0)], [10, 4, 1, 1]);
    }
}
