//! The clock, and how long to wait.

use std::time::{Duration, Instant, SystemTime};

/// Seconds since 1970; 0 if the clock is set before that.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

/// A time to wait, from the moment that there is something to wait for: what has come by then costs no look at the clock, which
/// is a system call in some kernels.
#[derive(Debug)]
pub struct Deadline {
    patience: Option<Duration>,
    at: Option<Instant>,
}

impl Deadline {
    /// So long at most.
    #[must_use]
    pub fn after(patience: Duration) -> Self {
        Self { patience: Some(patience), at: None }
    }

    /// As long as it takes.
    #[must_use]
    pub fn never() -> Self {
        Self { patience: None, at: None }
    }

    /// How much longer to wait; `None` for as long as it takes. The clock starts when this is first asked.
    pub fn left(&mut self) -> Option<Duration> {
        let patience = self.patience?;
        let now = Instant::now();
        Some(self.at.get_or_insert(now + patience).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn the_clock_starts_when_waiting_does() {
        let mut deadline = Deadline::after(Duration::from_millis(500));
        sleep(Duration::from_millis(5));
        assert_eq!(deadline.left(), Some(Duration::from_millis(500)));
        sleep(Duration::from_millis(5));
        assert!(deadline.left() < Some(Duration::from_millis(496)));
        let mut over = Deadline::after(Duration::ZERO);
        assert_eq!((over.left(), over.left()), (Some(Duration::ZERO), Some(Duration::ZERO)));
        assert_eq!(Deadline::never().left(), None);
    }
}
