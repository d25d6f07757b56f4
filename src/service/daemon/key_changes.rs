//! Key chains: the daemon changes the keys at their times. Between two changes it holds no key, and nothing wakes it up.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::thread::{StartError, spawn};
use super::{Daemon, Event};
use crate::service::exit::Reason;
use crate::service::load::Loader;
use crate::service::log::Log;
use crate::service::log::event;
use crate::sys::clock_timer::ClockTimer;
use crate::sys::process::hardening;
use crate::sys::time::unix_now;

/// Seconds until the next attempt after a change that failed: a file may be open in an editor.
const RETRY: u64 = 30;

/// The timer of the next key change. Its thread starts with the first file that has key chains.
#[derive(Default)]
pub(super) struct KeyTimer(Option<Arc<ClockTimer>>);

impl KeyTimer {
    /// Sets it to `time`, in seconds since 1970, or turns it off.
    fn set(&mut self, time: Option<u64>, sender: &Sender<Event>) -> Result<(), StartError> {
        let timer = match &self.0 {
            Some(timer) => timer,
            None if time.is_none() => return Ok(()),
            None => self.0.insert(start(sender.clone())?),
        };
        timer.set(time).map_err(StartError::Clock)
    }
}

fn start(sender: Sender<Event>) -> Result<Arc<ClockTimer>, StartError> {
    let timer = Arc::new(ClockTimer::new().map_err(StartError::Clock)?);
    let waiting = timer.clone();
    spawn("key-changes", move || {
        loop {
            let waited: io::Result<()> = waiting.wait();
            let is_over = waited.is_err();
            if sender.send(Event::KeysDue(waited)).is_err() || is_over {
                return;
            }
        }
    })?;
    Ok(timer)
}

impl Daemon<'_> {
    /// Sets the timer to the next change of the loaded file.
    pub(super) fn await_key_change(&mut self) -> Result<(), StartError> {
        self.keys.set(self.outcome.next_change, &self.sender)
    }

    /// Reads the keys file again and applies what holds now: at the time of a change, and after the clock was set.
    pub(super) fn change_keys(&mut self, waited: io::Result<()>) -> Result<(), Reason> {
        let Some(config) = &self.config else { return Ok(()) };
        let due = self.outcome.next_change.unwrap_or_else(unix_now);
        let failure = match waited {
            Err(error) => Some(error.to_string()),
            Ok(()) => {
                let mut loader = Loader::new(config, self.supervisor, &mut self.log).for_daemon().for_key_change();
                let outcome = loader.load(false);
                // The load has had the keys of all SAs on the stack.
                hardening::wipe_stack();
                match outcome.failure {
                    Some(_) => Some(outcome.text),
                    None => {
                        self.ports.update(&outcome.encap_ports, config, &mut self.log);
                        self.outcome = outcome;
                        self.idle.reset();
                        self.repair.reset();
                        None
                    }
                }
            }
        };
        let next = match failure {
            None => self.outcome.next_change,
            // The SAs remain as they are, and the daemon as well: it restores them if they are removed.
            Some(why) => {
                let event = event::load::key_change_failed(due, &why, RETRY);
                self.log.event(&event);
                self.outcome.degrade(&event);
                Some(unix_now() + RETRY)
            }
        };
        if let Err(error) = self.keys.set(next, &self.sender) {
            return self.exit_without_key_changes(&error);
        }
        self.report()
    }

    fn exit_without_key_changes(&mut self, error: &StartError) -> Result<(), Reason> {
        let failure = self.fail(Reason::Other, &super::start_failed(error));
        self.outcome.fail_after_load(failure);
        self.report()
    }
}
