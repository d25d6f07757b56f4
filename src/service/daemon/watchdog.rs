//! Pings systemd's watchdog, also during a long load.

use std::time::{Duration, Instant};

use super::sd_notify;
use crate::service::log::Log;
use crate::service::log::event::Event;

/// The interval without a watchdog.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Limits pings to the rate that systemd needs.
pub(super) struct Watchdog {
    interval: Duration,
    due: Instant,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        // Half the time that systemd waits, as sd_watchdog_enabled(3) recommends.
        let interval = sd_notify::watchdog_interval().map_or(A_DAY, |timeout| timeout / 2);
        Self { interval, due: Instant::now() }
    }

    /// Sends a ping, if it is due.
    pub(super) fn ping(&mut self) {
        let now = Instant::now();
        // One message for each of a million commands would slow the load down.
        if now >= self.due {
            sd_notify::watchdog();
            self.due = now + self.interval;
        }
    }

    /// Time until the next ping is due.
    pub(super) fn remaining(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }
}

/// The log of the daemon, which pings the watchdog for each applied command: a load of a million SAs takes longer than systemd
/// waits.
pub(super) struct WatchdogLog<'a> {
    pub(super) log: &'a mut dyn Log,
    pub(super) watchdog: Watchdog,
}

impl Log for WatchdogLog<'_> {
    fn event(&mut self, event: &Event) {
        self.log.event(event);
    }

    fn progress(&mut self) {
        self.watchdog.ping();
    }
}
