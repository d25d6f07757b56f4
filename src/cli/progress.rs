//! Progress of a load or a listing that takes more than a second: one line on the terminal, overwritten as it goes.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shorter work shows nothing.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);
/// Time between two lines.
const REFRESH_INTERVAL: Duration = Duration::from_millis(200);
/// Steps between two readings of the clock, which cost more than most steps.
const STRIDE: usize = 64;

/// Prints to standard error, if that is a terminal.
#[derive(Default)]
pub(super) struct Progress {
    is_shown: Cell<bool>,
    work: RefCell<Option<Work>>,
}

struct Work {
    /// What a step is, in the plural.
    what: &'static str,
    /// The size of all steps together, in any unit.
    total: Option<u64>,
    start: Instant,
    next: Instant,
}

impl Progress {
    /// Begins work of `total` units, if that is known. `what` names the steps, in the plural.
    pub(super) fn begin(&self, what: &'static str, total: Option<u64>) {
        let start = Instant::now();
        // In a log file or a pipe the control characters would only be noise.
        *self.work.borrow_mut() =
            io::stderr().is_terminal().then_some(Work { what, total, start, next: start + PROGRESS_DELAY });
    }

    /// `steps` steps of `units` units are done.
    pub(super) fn step(&self, steps: usize, units: u64) {
        if !steps.is_multiple_of(STRIDE) {
            return;
        }
        let mut work = self.work.borrow_mut();
        let Some(work) = work.as_mut() else { return };
        let now = Instant::now();
        if now >= work.next {
            // From now, not from the time that was due: a slow terminal must not get all missed lines.
            work.next = now + REFRESH_INTERVAL;
            self.is_shown.set(true);
            // Best effort: if the terminal is gone, there is no other place to report that.
            let _ = write!(io::stderr(), "\r{}\x1b[K", work.line(now - work.start, steps, units));
        }
    }

    /// Clears the line, before something else is written.
    pub(super) fn clear(&self) {
        if self.is_shown.replace(false) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    pub(super) fn end(&self) {
        self.clear();
        *self.work.borrow_mut() = None;
    }
}

impl Work {
    fn line(&self, elapsed: Duration, steps: usize, units: u64) -> String {
        let seconds = elapsed.as_secs_f64();
        let mut line = format!("{steps} {}, {:.0} a second", self.what, steps as f64 / seconds);
        // Without a unit done there is no rate to extrapolate.
        if let Some(total) = self.total.filter(|_| units > 0) {
            let left = seconds * total.saturating_sub(units) as f64 / units as f64;
            line += &format!(", {left:.0} s left");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(total: Option<u64>) -> Work {
        let start = Instant::now();
        Work { what: "commands", total, start, next: start }
    }

    #[test]
    fn line_shows_count_rate_and_remaining_time() {
        let two = Duration::from_secs(2);
        assert_eq!(work(Some(4000)).line(two, 640, 1000), "640 commands, 320 a second, 6 s left");
        assert_eq!(work(None).line(two, 640, 0), "640 commands, 320 a second");
        assert_eq!(work(Some(4000)).line(two, 640, 5000), "640 commands, 320 a second, 0 s left");
    }

    #[test]
    fn step_shows_nothing_without_a_terminal_or_before_the_delay() {
        let progress = Progress::default();
        progress.begin("commands", None);
        progress.step(STRIDE, 0);
        assert!(!progress.is_shown.get());
        progress.end();
    }
}
