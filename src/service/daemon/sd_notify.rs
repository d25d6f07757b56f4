//! sd_notify(3). No-ops without `NOTIFY_SOCKET` or off Linux.

/// A state of the service, as systemd tracks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

pub(super) use system::{status, watchdog, watchdog_interval};

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};
    use sd_notify::NotifyState;

    use super::Readiness;

    /// Sends the state, and the text that `systemctl status` shows. Best effort: the service works without systemd.
    pub(in crate::service::daemon) fn status(readiness: Readiness, text: &str) {
        let mut states = vec![NotifyState::Status(text)];
        match readiness {
            Readiness::Starting => {}
            Readiness::Ready => states.push(NotifyState::Ready),
            Readiness::Reloading => {
                states.push(NotifyState::Reloading);
                states.extend(monotonic_usec().map(NotifyState::MonotonicUsec));
            }
            Readiness::Stopping => states.push(NotifyState::Stopping),
        }
        let _ = sd_notify::notify(&states);
    }

    /// The time that Type=notify-reload requires with RELOADING=1 (systemd.service(5)). That of the crate overflows on 32-bit
    /// systems 36 minutes after the boot.
    fn monotonic_usec() -> Option<i128> {
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?);
        i128::try_from(now.as_micros()).ok()
    }

    pub(in crate::service::daemon) fn watchdog() {
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }

    /// How long systemd waits for [`watchdog`]; `None` without `WatchdogSec=`.
    pub(in crate::service::daemon) fn watchdog_interval() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use super::Readiness;

    pub(in crate::service::daemon) fn status(_: Readiness, _: &str) {}

    pub(in crate::service::daemon) fn watchdog() {}

    pub(in crate::service::daemon) fn watchdog_interval() -> Option<Duration> {
        None
    }
}
