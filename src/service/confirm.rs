//! `start --confirm SECONDS`: a load that is rolled back unless the administrator confirms it in time, for a host that is reached
//! only through the network that the new policies protect.

use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use super::config::Config;
use super::config::supervisor::Supervisor;
use super::exit::Reason;
use super::load::Loader;
use super::load::outcome::LoadOutcome;
use super::log::{Log, event};
use crate::sys::process::guard::Guard;
use crate::sys::process::readable::wait_readable;
use crate::sys::time::Deadline;

/// Loads the keys file, and keeps the result only if it is confirmed within `limit`.
///
/// # Errors
/// [`Reason::Refused`] after a rollback, [`Reason::Other`] if something could not be rolled back; those of the load.
pub(super) fn load(
    config: &Config,
    supervisor: &Supervisor,
    log: &mut dyn Log,
    limit: Duration,
    show: bool,
) -> Result<LoadOutcome, Reason> {
    let snapshot = Loader::new(config, supervisor, log).snapshot().map_err(|failure| failure.reason)?;
    // Before the load, which adds keys to this process's memory: the guard has those of the snapshot only.
    let started = Guard::start(limit, || {
        // The log of this process: its terminal may be gone, and the system's log is not.
        let mut log = super::open_log(supervisor);
        u8::from(Loader::new(config, supervisor, &mut *log).roll_back(snapshot).is_err())
    });
    let mut guard = started.map_err(|error| {
        log.event(&event::confirm::no_guard(&error));
        Reason::Other
    })?;
    let outcome = Loader::new(config, supervisor, log).load(show);
    let is_confirmed = outcome.failure.is_none() && guard.begin().is_ok() && asks_for_confirmation(limit);
    if !is_confirmed {
        return Err(if guard.act() == 0 { Reason::Refused } else { Reason::Other });
    }
    // The guard may have begun in the last moment.
    guard.release().map_err(|_| Reason::Refused)?;
    log.event(&event::confirm::confirmed());
    Ok(outcome)
}

/// Whether the next line of standard input is "yes", within `limit`.
fn asks_for_confirmation(limit: Duration) -> bool {
    let question = format!(
        "manual-key: type yes and press Enter within {} s to keep the new SAs and policies; otherwise they are rolled back: ",
        limit.as_secs()
    );
    // Best effort: without standard error there is no answer either.
    let _ = io::stderr().write_all(question.as_bytes());
    // An error is no answer.
    if !wait_readable(io::stdin().as_fd(), &mut Deadline::after(limit)).unwrap_or(false) {
        return false;
    }
    let mut answer = String::new();
    // The end of the input, as of a terminal that is gone, is an empty answer.
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}
