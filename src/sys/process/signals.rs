//! Signals as values: blocked in every thread, and received by one with sigwait(3).

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

/// The meaning of a signal for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalRequest {
    Stop,
    Refresh,
}

const SIGNALS: &[(Signal, SignalRequest)] = &[
    (Signal::SIGTERM, SignalRequest::Stop),
    (Signal::SIGINT, SignalRequest::Stop),
    (Signal::SIGHUP, SignalRequest::Refresh),
];

/// The set of blocked signals.
#[derive(Clone, Copy)]
pub(crate) struct Signals(SigSet);

impl Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in threads that it starts afterwards. Call it before any are started.
    ///
    /// # Errors
    /// Those of pthread_sigmask(3).
    pub(crate) fn block() -> io::Result<Self> {
        let set: SigSet = SIGNALS.iter().map(|(signal, _)| *signal).collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    /// Those of sigwait(3), except EINTR.
    pub(crate) fn wait(&self) -> io::Result<SignalRequest> {
        loop {
            match self.0.wait() {
                // sigwait(3) returns only signals of the set.
                Ok(signal) => {
                    if let Some((_, request)) = SIGNALS.iter().find(|(known, _)| *known == signal) {
                        return Ok(*request);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_returns_a_blocked_signal_as_a_value() {
        let signals = Signals::block().unwrap();
        for (signal, request) in SIGNALS {
            nix::sys::signal::raise(*signal).unwrap();
            assert_eq!(signals.wait().unwrap(), *request);
        }
    }
}
