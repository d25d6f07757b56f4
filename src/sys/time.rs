//! The system clock, and timeouts.

use std::time::{Duration, Instant, SystemTime};

/// Seconds since 1970; 0 if the clock is set to an earlier time.
#[must_use]
pub(crate) fn unix_now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

/// A timeout that starts at the first wait. A message that has arrived before costs no reading of the clock, which is a system
/// call on some systems.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Option<Duration>,
    end: Option<Instant>,
}

impl Deadline {
    /// A deadline `timeout` after the first call of [`Self::remaining`].
    #[must_use]
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { timeout: Some(timeout), end: None }
    }

    /// A deadline that never passes.
    #[must_use]
    pub(crate) fn never() -> Self {
        Self { timeout: None, end: None }
    }

    /// The time left to wait; `None` for no limit. The first call starts the clock.
    pub(crate) fn remaining(&mut self) -> Option<Duration> {
        let timeout = self.timeout?;
        let now = Instant::now();
        Some(self.end.get_or_insert(now + timeout).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn deadline_starts_at_the_first_call_of_remaining() {
        let mut deadline = Deadline::after(Duration::from_millis(500));
        sleep(Duration::from_millis(5));
        assert_eq!(deadline.remaining(), Some(Duration::from_millis(500)));
        sleep(Duration::from_millis(5));
        assert!(deadline.remaining() < Some(Duration::from_millis(496)));
        let mut over = Deadline::after(Duration::ZERO);
        assert_eq!((over.remaining(), over.remaining()), (Some(Duration::ZERO), Some(Duration::ZERO)));
        assert_eq!(Deadline::never().remaining(), None);
    }
}
