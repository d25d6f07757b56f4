//! How far a long piece of work is: a line on the terminal that is written over, for whoever waits more than a second.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that takes less shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a line stands.
const PERIOD: Duration = Duration::from_millis(200);
/// Steps between two looks at the clock.
const STRIDE: usize = 64;

/// A line on standard error, if that is a terminal.
#[derive(Default)]
pub(super) struct Progress {
    is_shown: Cell<bool>,
    work: RefCell<Option<Work>>,
}

/// A piece of work.
struct Work {
    what: &'static str,
    /// How much of it there is, in any unit.
    whole: Option<u64>,
    start: Instant,
    next: Instant,
}

impl Progress {
    /// Begins a piece of work of `whole` units, if that is known, whose steps are called `what`.
    pub(super) fn begin(&self, what: &'static str, whole: Option<u64>) {
        let start = Instant::now();
        *self.work.borrow_mut() = io::stderr().is_terminal().then_some(Work { what, whole, start, next: start + PATIENCE });
    }

    /// `steps` are done, which is that many units.
    pub(super) fn step(&self, steps: usize, units: u64) {
        if !steps.is_multiple_of(STRIDE) {
            return;
        }
        let mut work = self.work.borrow_mut();
        let Some(work) = work.as_mut() else { return };
        let now = Instant::now();
        if now >= work.next {
            work.next = now + PERIOD;
            self.is_shown.set(true);
            // Nobody is left to tell that the terminal is gone.
            let _ = write!(io::stderr(), "\r{}\x1b[K", work.line(now - work.start, steps, units));
        }
    }

    /// Takes the line away, before something else is written and at the end.
    pub(super) fn clear(&self) {
        if self.is_shown.replace(false) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// The work is done.
    pub(super) fn end(&self) {
        self.clear();
        *self.work.borrow_mut() = None;
    }
}

impl Work {
    fn line(&self, elapsed: Duration, steps: usize, units: u64) -> String {
        let seconds = elapsed.as_secs_f64();
        let mut line = format!("{steps} {}, {:.0} a second", self.what, steps as f64 / seconds);
        if let Some(whole) = self.whole.filter(|_| units > 0) {
            let left = seconds * whole.saturating_sub(units) as f64 / units as f64;
            line += &format!(", {left:.0} s left");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(whole: Option<u64>) -> Work {
        let start = Instant::now();
        Work { what: "commands", whole, start, next: start }
    }

    #[test]
    fn count_rate_and_what_is_left() {
        let two = Duration::from_secs(2);
        assert_eq!(work(Some(4000)).line(two, 640, 1000), "640 commands, 320 a second, 6 s left");
        assert_eq!(work(None).line(two, 640, 0), "640 commands, 320 a second");
        assert_eq!(work(Some(4000)).line(two, 640, 5000), "640 commands, 320 a second, 0 s left");
    }

    #[test]
    fn nothing_is_shown_without_a_terminal_or_before_its_time() {
        let progress = Progress::default();
        progress.begin("commands", None);
        progress.step(STRIDE, 0);
        assert!(!progress.is_shown.get());
        progress.end();
    }
}
