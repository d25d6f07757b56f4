//! A timer for a time of the system clock, which a thread waits for: without any wake-up before that time, also if the clock is set
//! or the system was suspended meanwhile.

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use linux::ClockTimer;
#[cfg(not(target_os = "linux"))]
pub(crate) use polled::ClockTimer;

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

    use super::io;

    /// A timer of the kernel (timerfd_create(2)).
    pub(crate) struct ClockTimer(TimerFd);

    impl ClockTimer {
        /// A timer that is not set.
        ///
        /// # Errors
        /// Those of timerfd_create(2): no file descriptor or memory is left.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_CLOEXEC)?))
        }

        /// Sets it to `time`, in seconds since 1970; a time in the past is due at once. `None` turns it off.
        ///
        /// # Errors
        /// Those of timerfd_settime(2).
        pub(crate) fn set(&self, time: Option<u64>) -> io::Result<()> {
            let Some(time) = time else { return Ok(self.0.unset()?) };
            // 0 would turn it off.
            let expiration = Expiration::OneShot(TimeSpec::from(Duration::from_secs(time.max(1))));
            let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
            match self.0.set(expiration, flags) {
                // The clock was set before this call; the timer is set nevertheless (timerfd_create(2), NOTES).
                Err(Errno::ECANCELED) => Ok(()),
                outcome => Ok(outcome?),
            }
        }

        /// Waits until the time is there, or the clock is set.
        ///
        /// # Errors
        /// Those of read(2).
        pub(crate) fn wait(&self) -> io::Result<()> {
            Ok(self.0.wait()?)
        }
    }
}

#[cfg(any(test, not(target_os = "linux")))]
mod polled {
    #![cfg_attr(all(test, target_os = "linux"), allow(dead_code, reason = "for other systems; tested here as well"))]

    use std::sync::{Condvar, Mutex, PoisonError};
    use std::time::Duration;

    use super::io;
    use crate::sys::time::unix_now;

    /// A clock that is set is noticed after this time.
    const LONGEST_WAIT: u64 = 60;

    /// A timer that looks at the clock once a minute, for systems whose timers do not follow a clock that is set.
    pub(crate) struct ClockTimer {
        time: Mutex<Option<u64>>,
        changed: Condvar,
    }

    impl ClockTimer {
        /// A timer that is not set.
        ///
        /// # Errors
        /// None.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self { time: Mutex::new(None), changed: Condvar::new() })
        }

        /// Sets it to `time`, in seconds since 1970; a time in the past is due at once. `None` turns it off.
        ///
        /// # Errors
        /// None.
        pub(crate) fn set(&self, time: Option<u64>) -> io::Result<()> {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) = time;
            self.changed.notify_all();
            Ok(())
        }

        /// Waits until the time is there.
        ///
        /// # Errors
        /// None.
        pub(crate) fn wait(&self) -> io::Result<()> {
            let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let left = time.map(|time| time.saturating_sub(unix_now()));
                if left == Some(0) {
                    *time = None;
                    return Ok(());
                }
                let longest = left.map_or(Duration::MAX, |left| Duration::from_secs(left.min(LONGEST_WAIT)));
                time = match left {
                    None => self.changed.wait(time).unwrap_or_else(PoisonError::into_inner),
                    Some(_) => self.changed.wait_timeout(time, longest).unwrap_or_else(PoisonError::into_inner).0,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sys::time::unix_now;

    /// Both kinds are due at their time, not before, and at once for a time in the past.
    macro_rules! check {
        ($timer:ty) => {
            let timer = <$timer>::new().unwrap();
            timer.set(Some(1)).unwrap();
            timer.wait().unwrap();
            let due = unix_now() + 2;
            timer.set(None).unwrap();
            timer.set(Some(due)).unwrap();
            timer.wait().unwrap();
            assert!(unix_now() >= due);
        };
    }

    #[test]
    fn wait_ends_at_the_time_of_the_clock() {
        #[cfg(target_os = "linux")]
        {
            check!(super::linux::ClockTimer);
        }
        check!(super::polled::ClockTimer);
    }
}
