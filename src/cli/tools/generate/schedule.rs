//! The times of a new key chain: `generate ... --every TIME --count NUMBER`.

use clap::{Arg, ArgMatches, value_parser};

use crate::cli::tools::failure::Failure;
use crate::names::times;
use crate::sa::{Window, Windows};
use crate::sys::time::unix_now;

/// Seconds that a key is accepted before and after it is sent with.
const DEFAULT_OVERLAP: u64 = 3600;

/// When the keys of a chain are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// Seconds that a key is sent with.
    every: u64,
    pub(super) count: u32,
    /// When the first key begins, in seconds since 1970; `None` for now, and without a limit.
    from: Option<u64>,
    /// Seconds that a key is accepted before and after it is sent with.
    overlap: u64,
}

pub(super) fn options() -> [Arg; 4] {
    let duration = |name: &'static str| Arg::new(name).long(name).value_name("TIME").value_parser(seconds);
    [
        duration("every").help("Make a key chain: a key for each span of this length, such as 30d").requires("count"),
        Arg::new("count")
            .long("count")
            .value_name("NUMBER")
            .value_parser(value_parser!(u32).range(1..=10_000))
            .requires("every")
            .help("Number of keys of the chain, for each direction"),
        Arg::new("from")
            .long("from")
            .value_name("DATE")
            .value_parser(date)
            .requires("every")
            .help("When the first key begins, such as 2027-01-31 or 2027-01-31T02:00:00Z [default: now]"),
        duration("overlap")
            .requires("every")
            .help("How long a key is accepted before and after it is sent with [default: 1h]"),
    ]
}

fn seconds(text: &str) -> Result<u64, String> {
    let parsed = humantime::parse_duration(text).ok().map(|duration| duration.as_secs()).filter(|seconds| *seconds > 0);
    parsed.ok_or_else(|| "expected a duration such as 1h or 30d".to_owned())
}

/// A time, or a day in universal time.
fn date(text: &str) -> Result<u64, String> {
    let midnight = format!("{text}T00:00:00Z");
    let time = times::parse(text.as_bytes()).or_else(|| times::parse(midnight.as_bytes()));
    time.ok_or_else(|| format!("expected a day such as 2027-01-31, or {}", times::EXPECTED))
}

impl Schedule {
    /// That of the options; `None` without `--every`.
    pub(super) fn from(matches: &mut ArgMatches) -> Option<Self> {
        Some(Self {
            every: matches.remove_one("every")?,
            count: matches.remove_one("count")?,
            from: matches.remove_one("from"),
            overlap: matches.remove_one("overlap").unwrap_or(DEFAULT_OVERLAP),
        })
    }

    /// The windows of the keys, in order.
    ///
    /// # Errors
    /// The overlap is as long as the time between two changes.
    pub(super) fn windows(self) -> Result<Vec<Windows>, Failure> {
        if self.overlap >= self.every {
            return Err(Failure::new(
                "--overlap must be shorter than --every: one key would be accepted during the next but one",
            ));
        }
        let start = self.from.unwrap_or_else(unix_now);
        Ok((0..u64::from(self.count)).map(|key| self.windows_of(key, start)).collect())
    }

    /// The windows of keys that follow a chain which ends at `end`, in seconds since 1970.
    ///
    /// # Errors
    /// Those of [`Self::windows`].
    pub(super) fn windows_from(self, end: u64) -> Result<Vec<Windows>, Failure> {
        Self { from: Some(end), ..self }.windows()
    }

    fn windows_of(self, key: u64, start: u64) -> Windows {
        let from = start.saturating_add(key.saturating_mul(self.every));
        let until = from.saturating_add(self.every);
        // A chain that begins now has no start: the clock of the other host may be slow.
        let is_limited = key > 0 || self.from.is_some();
        let (accept_from, send_from) = (from.saturating_sub(self.overlap), from);
        Windows {
            accept: Window { from: is_limited.then_some(accept_from), until: Some(until.saturating_add(self.overlap)) },
            send: Window { from: is_limited.then_some(send_from), until: Some(until) },
        }
    }
}

/// The keywords of `windows`, each with a blank before it; empty without a limit.
pub(super) fn words(windows: &Windows) -> String {
    let Windows { accept, send } = windows;
    let sides =
        [("accept_from", accept.from), ("accept_until", accept.until), ("send_from", send.from), ("send_until", send.until)];
    let limited = sides.into_iter().filter_map(|(word, time)| Some((word, time?)));
    limited.map(|(word, time)| format!(" {word} {}", times::text(time))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn windows_follow_each_other_and_overlap() {
        let schedule = Schedule { every: DAY, count: 3, from: Some(date("2027-01-31").unwrap()), overlap: 3600 };
        let texts: Vec<String> = schedule.windows().ok().unwrap().iter().map(words).collect();
        let expected = " accept_from 2027-01-30T23:00:00Z accept_until 2027-02-01T01:00:00Z send_from 2027-01-31T00:00:00Z \
                        send_until 2027-02-01T00:00:00Z";
        assert_eq!(texts[0], expected);
        assert!(texts[1].ends_with(" send_from 2027-02-01T00:00:00Z send_until 2027-02-02T00:00:00Z"), "{texts:?}");
        let now = Schedule { from: None, ..schedule };
        assert!(words(&now.windows().ok().unwrap()[0]).starts_with(" accept_until "));
        assert!(Schedule { overlap: DAY, ..schedule }.windows().is_err());
    }

    #[test]
    fn options_take_durations_and_days() {
        assert_eq!((seconds("30d"), seconds("1h")), (Ok(30 * DAY), Ok(3600)));
        assert!(seconds("0s").is_err() && seconds("30").is_err());
        assert_eq!(date("1970-01-02"), Ok(DAY));
        assert_eq!(date("1970-01-02T01:00:00Z"), Ok(DAY + 3600));
        assert!(date("tomorrow").is_err());
    }
}
