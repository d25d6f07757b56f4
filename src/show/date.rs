//! Dates in the form of ctime(3C), without its newline.

use std::cell::RefCell;

use chrono::{DateTime, Datelike, Local, TimeZone, Utc};

/// Cached dates: the SAs of a file were added at few different times, and formatting a local date takes longer than printing the
/// rest of an SA.
const CACHED: usize = 64;

thread_local! {
    /// Recent dates, each in the slot that its time is hashed to.
    static CACHE: RefCell<[Option<(u64, String)>; CACHED]> = const { RefCell::new([const { None }; CACHED]) };
}

/// The date in the local time zone (`TZ`, else the system's), like `Tue Nov 14 22:13:20 2023`.
///
/// A time beyond the calendar is given in seconds.
#[must_use]
pub(crate) fn local(seconds: u64) -> String {
    CACHE.with_borrow_mut(|dates| {
        // Fibonacci hashing, so that times that are whole days apart do not share a slot.
        let slot = &mut dates[(seconds.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize];
        match slot {
            Some((cached, date)) if *cached == seconds => date.clone(),
            _ => slot.insert((seconds, format_local(seconds))).1.clone(),
        }
    })
}

fn format_local(seconds: u64) -> String {
    date_time(seconds).map_or_else(|| beyond(seconds), |time| text(&time.with_timezone(&Local)))
}

/// The date in universal time.
#[must_use]
#[cfg(feature = "internals")]
pub(crate) fn utc(seconds: u64) -> String {
    date_time(seconds).map_or_else(|| beyond(seconds), |time| text(&time))
}

fn date_time(seconds: u64) -> Option<DateTime<Utc>> {
    // One day before the end of the calendar, so that no time zone exceeds it.
    let last = DateTime::<Utc>::MAX_UTC.timestamp() - 86_400;
    i64::try_from(seconds).ok().filter(|seconds| *seconds < last).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

fn text<Z: TimeZone>(time: &DateTime<Z>) -> String
where
    Z::Offset: std::fmt::Display,
{
    format!("{} {}", time.format("%a %b %e %H:%M:%S"), time.year())
}

fn beyond(seconds: u64) -> String {
    format!("{seconds} seconds after the start of 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_formats_dates() {
        assert_eq!(utc(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(utc(1_700_000_000), "Tue Nov 14 22:13:20 2023");
        assert_eq!(utc(8_589_934_592), "Wed Mar 16 12:56:32 2242");
        assert_eq!(utc(1_099_511_627_776), "Mon Feb 20 00:36:16 36812");
    }

    #[test]
    fn local_caches_each_date_under_its_time() {
        let dates = |start: u64| (start..start + 200).map(local).collect::<Vec<_>>();
        let first = dates(1_700_000_000);
        assert_eq!(first, dates(1_700_000_000));
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 200);
    }

    #[test]
    fn dates_beyond_the_calendar_are_seconds() {
        for seconds in [1 << 43, 1 << 50, u64::MAX / 2, u64::MAX] {
            assert!(!local(seconds).is_empty());
        }
        assert_eq!(utc(u64::MAX), "18446744073709551615 seconds after the start of 1970");
    }
}
