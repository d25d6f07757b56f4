//! Dates as ctime(3C) writes them, without its newline.

use std::cell::RefCell;

use chrono::{DateTime, Datelike, Local, TimeZone, Utc};

/// Dates kept: SAs of one file have theirs in common, and finding one costs more than the rest of an SA's printing.
const KEPT: usize = 64;

thread_local! {
    /// Dates asked for lately, each at the place that its number of seconds is hashed to.
    static LATELY: RefCell<[Option<(u64, String)>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// The date in the local time zone (`TZ`, else the system's), like `Tue Nov 14 22:13:20 2023`.
///
/// A moment beyond the calendar is given in seconds.
#[must_use]
pub fn local(seconds: u64) -> String {
    LATELY.with_borrow_mut(|dates| {
        // By Fibonacci hashing: whole days apart are not the same place.
        let place = &mut dates[(seconds.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize];
        match place {
            Some((kept, date)) if *kept == seconds => date.clone(),
            _ => place.insert((seconds, found(seconds))).1.clone(),
        }
    })
}

fn found(seconds: u64) -> String {
    moment(seconds).map_or_else(|| beyond(seconds), |moment| text(&moment.with_timezone(&Local)))
}

/// The date in universal time.
#[must_use]
#[cfg(feature = "internals")]
pub fn utc(seconds: u64) -> String {
    moment(seconds).map_or_else(|| beyond(seconds), |moment| text(&moment))
}

fn moment(seconds: u64) -> Option<DateTime<Utc>> {
    // A day short of the calendar's end, so that no time zone leaves it.
    let last = DateTime::<Utc>::MAX_UTC.timestamp() - 86_400;
    i64::try_from(seconds).ok().filter(|seconds| *seconds < last).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

fn text<Z: TimeZone>(moment: &DateTime<Z>) -> String
where
    Z::Offset: std::fmt::Display,
{
    format!("{} {}", moment.format("%a %b %e %H:%M:%S"), moment.year())
}

fn beyond(seconds: u64) -> String {
    format!("{seconds} seconds after the start of 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(utc(1_700_000_000), "Tue Nov 14 22:13:20 2023");
        assert_eq!(utc(8_589_934_592), "Wed Mar 16 12:56:32 2242");
        assert_eq!(utc(1_099_511_627_776), "Mon Feb 20 00:36:16 36812");
    }

    #[test]
    fn a_date_that_is_kept_is_that_of_its_moment() {
        let dates = |start: u64| (start..start + 200).map(local).collect::<Vec<_>>();
        let first = dates(1_700_000_000);
        assert_eq!(first, dates(1_700_000_000));
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 200);
    }

    #[test]
    fn no_moment_is_too_late() {
        for seconds in [1 << 43, 1 << 50, u64::MAX / 2, u64::MAX] {
            assert!(!local(seconds).is_empty());
        }
        assert_eq!(utc(u64::MAX), "18446744073709551615 seconds after the start of 1970");
    }
}
