//! What systemd is told of a running service (sd_notify(3)). Elsewhere, and without `NOTIFY_SOCKET`, nobody is.

use std::time::Duration;

/// A state that systemd knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Reading the keys file for the first time.
    Starting,
    /// Ready, or ready again.
    Ready,
    /// Reading the keys file again.
    Reloading,
    /// On the way out.
    Stopping,
}

pub(crate) use system::{alive, patience, tell};

#[cfg(target_os = "linux")]
mod system {
    use sd_notify::NotifyState;

    use super::{Duration, State};

    /// Tells a state and what `systemctl status` is to show. Who cannot be told needs not know.
    pub(crate) fn tell(state: State, status: &str) {
        let mut told = vec![NotifyState::Status(status)];
        match state {
            State::Starting => {}
            State::Ready => told.push(NotifyState::Ready),
            State::Reloading => {
                told.push(NotifyState::Reloading);
                told.extend(NotifyState::monotonic_usec_now().ok());
            }
            State::Stopping => told.push(NotifyState::Stopping),
        }
        let _ = sd_notify::notify(&told);
    }

    /// Feeds the watchdog.
    pub(crate) fn alive() {
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }

    /// How long systemd waits for [`alive`], if it does.
    pub(crate) fn patience() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Duration, State};

    /// Nobody to tell.
    pub(crate) fn tell(_: State, _: &str) {}

    /// Nobody waits.
    pub(crate) fn alive() {}

    /// Nobody waits.
    pub(crate) fn patience() -> Option<Duration> {
        None
    }
}
