//! Signals as values: held back in every thread, and waited for in one.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Refresh,
}

const SIGNALS: &[(Signal, Asked)] =
    &[(Signal::SIGTERM, Asked::Stop), (Signal::SIGINT, Asked::Stop), (Signal::SIGHUP, Asked::Refresh)];

/// The signals that are held back.
#[derive(Clone, Copy)]
pub struct Signals(SigSet);

impl Signals {
    /// Holds the signals back in this thread and in those that it starts from now on, so before it starts any.
    ///
    /// # Errors
    /// The system's.
    pub fn hold() -> io::Result<Self> {
        let set: SigSet = SIGNALS.iter().map(|(signal, _)| *signal).collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for the next of them.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self) -> io::Result<Asked> {
        loop {
            match self.0.wait() {
                Ok(signal) => {
                    if let Some((_, asked)) = SIGNALS.iter().find(|(known, _)| *known == signal) {
                        return Ok(*asked);
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
    fn a_signal_that_is_held_back_is_a_value() {
        let signals = Signals::hold().unwrap();
        for (signal, asked) in SIGNALS {
            nix::sys::signal::raise(*signal).unwrap();
            assert_eq!(signals.wait().unwrap(), *asked);
        }
    }
}
