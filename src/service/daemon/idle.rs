//! Idle lifetimes where the kernel has none: Linux. `manual-key run` looks now and then whether the SAs that have one are
//! used, and removes those that were not for as long as they may exist without (ipseckey(1M), idle_addtime, idle_usetime).

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::sa::{LifetimeKind, Message, SaId};
use crate::sadb::{Sadb, SadbError, SadbTarget};
use crate::service::log::event::Expiry;
use crate::sys::IS_LINUX;

/// How often is looked whether there is such an SA at all.
const SELDOM: u64 = 60;
/// A period is looked at so many times, so that an end is late by a part of it at most.
const LOOKS: u64 = 8;

/// How an SA was when it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    added: u64,
    packets: u64,
    bytes: u64,
    /// Since when it has not been used, as far as is known.
    quiet: u64,
}

/// Knows which SAs are used.
pub(crate) struct Idle {
    looks: HashMap<SaId, Look>,
    due: Instant,
}

impl Idle {
    /// Knows nothing yet.
    pub(crate) fn new() -> Self {
        Self { looks: HashMap::new(), due: Instant::now() }
    }

    /// Makes it look again at once.
    pub(crate) fn hurry(&mut self) {
        self.due = Instant::now();
    }

    /// How long there is until the next look.
    pub(crate) fn rest(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks at the SAs of `select` that have an idle lifetime, and removes those of `is_own` that were not used for so long;
    /// which they were.
    ///
    /// # Errors
    /// The SADB's.
    pub(crate) fn look(&mut self, select: &SadbTarget, is_own: impl Fn(&SaId) -> bool) -> Result<Vec<Expiry>, SadbError> {
        self.due = Instant::now() + Duration::from_secs(SELDOM);
        if !(IS_LINUX && matches!(select, SadbTarget::Auto | SadbTarget::Xfrm)) {
            return Ok(Vec::new());
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
        self.look_at(&mut *select.open()?, now, is_own)
    }

    fn look_at(&mut self, sadb: &mut dyn Sadb, now: u64, is_own: impl Fn(&SaId) -> bool) -> Result<Vec<Expiry>, SadbError> {
        let mut rest = SELDOM;
        let mut ended = Vec::new();
        let mut looks = HashMap::new();
        for message in sadb.idle_limited()? {
            let Some(id) = message.id().filter(&is_own) else { continue };
            let look = Look::at(&message, self.looks.get(&id), now);
            let Some(end) = end(&message, look) else { continue };
            if end > now {
                rest = rest.min(next(end.saturating_sub(look.quiet), end - now));
                looks.insert(id, look);
            } else if sadb.delete_if_present(&id.request())? {
                ended.push(Expiry {
                    sa_type: id.sa_type,
                    spi: id.spi,
                    dst: Some(id.dst),
                    kind: LifetimeKind::Idle,
                    is_gone: true,
                });
            }
        }
        self.looks = looks;
        self.due = Instant::now() + Duration::from_secs(rest);
        Ok(ended)
    }
}

/// Seconds until the next look at an SA with that period, of which so much is left.
fn next(period: u64, left: u64) -> u64 {
    (period / LOOKS).min(left).max(1)
}

impl Look {
    /// The SA at `now`, after the look `before`, if that was at the same SA.
    fn at(message: &Message, before: Option<&Self>, now: u64) -> Self {
        let used = message.lifetime(LifetimeKind::Current).copied().unwrap_or_default();
        let (packets, last_used) = message.linux().map_or((0, 0), |linux| (linux.packets, linux.last_used));
        let (added, bytes) = (used.addtime, used.bytes);
        let quiet = match before.filter(|before| before.added == added) {
            Some(before) if (before.packets, before.bytes) == (packets, bytes) => before.quiet,
            // Kernels before 6.2 do not tell when; it was at this moment at the latest.
            _ if packets == 0 => added,
            _ if last_used != 0 => last_used,
            _ => now,
        };
        Self { added, packets, bytes, quiet: quiet.max(last_used) }
    }
}

/// When an SA ends that is not used from now on. Until its first use only idle_addtime counts, then whichever is shorter.
fn end(message: &Message, look: Look) -> Option<u64> {
    let limit = message.lifetime(LifetimeKind::Idle)?;
    let after_use = [limit.usetime].into_iter().filter(|_| look.packets > 0);
    let period = [limit.addtime].into_iter().chain(after_use).filter(|period| *period > 0).min()?;
    Some(look.quiet.saturating_add(period))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Diagnostic, Extension, Lifetime, LinuxInfo, MessageType, SaType};

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
            diagnostic: Diagnostic::default(),
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
    fn until_it_is_used_only_the_time_since_it_was_added_counts() {
        let unused = sa(0, 0, (60, 20));
        assert_eq!(end(&unused, Look::at(&unused, None, 1030)), Some(1060));
        let unlimited = sa(0, 0, (0, 20));
        assert_eq!(end(&unlimited, Look::at(&unlimited, None, 1030)), None);
    }

    #[test]
    fn each_use_starts_the_period_anew() {
        let used = sa(3, 0, (60, 20));
        let look = Look::at(&used, None, 1030);
        assert_eq!(end(&used, look), Some(1050), "nobody knows when it was used: now at the latest");
        let again = Look::at(&used, Some(&look), 1040);
        assert_eq!(again, look);
        let more = sa(4, 0, (60, 20));
        assert_eq!(end(&more, Look::at(&more, Some(&look), 1045)), Some(1065));
    }

    #[test]
    fn a_kernel_that_tells_the_last_use_is_believed() {
        let used = sa(3, 1017, (60, 20));
        assert_eq!(end(&used, Look::at(&used, None, 1030)), Some(1037));
    }

    #[test]
    fn another_sa_of_the_same_name_starts_anew() {
        let unused = sa(0, 0, (60, 0));
        let before = Look { added: 7, packets: 0, bytes: 0, quiet: 7 };
        assert_eq!(end(&unused, Look::at(&unused, Some(&before), 1030)), Some(1060));
    }

    #[test]
    fn looks_are_part_of_a_period_and_never_past_its_end() {
        assert_eq!([next(80, 80), next(80, 4), next(3, 3), next(3, 0)], [10, 4, 1, 1]);
    }
}
