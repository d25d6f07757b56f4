//! Lifetimes, with the remaining amounts. They are printed after all other extensions.

use std::io::{self, Write};

use super::{Style, units};
use crate::sa::{Lifetime, LifetimeKind, Message};

/// Prints the lifetimes of a message, if it has any.
pub(super) fn print(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    let find = |kind| message.lifetime(kind);
    let current = find(LifetimeKind::Current);
    let limits = [("SLT: ", "Soft", find(LifetimeKind::Soft)), ("HLT: ", "Hard", find(LifetimeKind::Hard))];
    let idle = find(LifetimeKind::Idle);
    if current.is_none() && idle.is_none() && limits.iter().all(|(_, _, limit)| limit.is_none()) {
        return Ok(());
    }
    // One heading for all of them, with a blank in place of a letter.
    writeln!(out, " LT: Lifetime information")?;
    if let Some(current) = current {
        print_current(out, current, style)?;
    }
    for (prefix, name, limit) in limits {
        let Some(limit) = limit else { continue };
        print_limit(out, prefix, name, limit)?;
        // Without the current values there is nothing to subtract from the limit.
        if let Some(current) = current {
            print_left(out, prefix, name, limit, current, style)?;
        }
    }
    idle.map_or(Ok(()), |idle| print_idle(out, idle))
}

fn print_current(out: &mut dyn Write, current: &Lifetime, style: &Style<'_>) -> io::Result<()> {
    writeln!(out, "CLT: Current lifetime information:")?;
    let Lifetime { allocations, bytes, addtime, usetime } = *current;
    writeln!(out, "CLT: {bytes} bytes{} protected, {allocations} allocations used.", units::bytes(bytes))?;
    print_date(out, "CLT: ", "SA added at time: ", addtime, "", style)?;
    // 0 is not a date but means that the SA was never used.
    if usetime != 0 {
        print_date(out, "CLT: ", "SA first used at time ", usetime, "", style)?;
    }
    print_date(out, "CLT: ", "Time now is ", style.now, "", style)
}

/// Prints a line with a date, and with `-v` one with its number.
fn print_date(
    out: &mut dyn Write,
    prefix: &str,
    before: &str,
    seconds: u64,
    after: &str,
    style: &Style<'_>,
) -> io::Result<()> {
    writeln!(out, "{prefix}{before}{}{after}", (style.date)(seconds))?;
    if style.verbose {
        writeln!(out, "{prefix}\t(raw time value {seconds})")?;
    }
    Ok(())
}

fn print_limit(out: &mut dyn Write, prefix: &str, name: &str, limit: &Lifetime) -> io::Result<()> {
    let Lifetime { allocations, bytes, addtime, usetime } = *limit;
    writeln!(out, "{prefix}{name} lifetime information:")?;
    writeln!(out, "{prefix}{bytes} bytes{} of lifetime, {allocations} allocations.", units::bytes(bytes))?;
    print_periods(out, prefix, addtime, usetime)
}

fn print_idle(out: &mut dyn Write, idle: &Lifetime) -> io::Result<()> {
    writeln!(out, "ILT: Idle lifetime information:")?;
    print_periods(out, "ILT: ", idle.addtime, idle.usetime)
}

fn print_periods(out: &mut dyn Write, prefix: &str, addtime: u64, usetime: u64) -> io::Result<()> {
    writeln!(out, "{prefix}{addtime} seconds{} of post-add lifetime.", units::seconds(addtime))?;
    writeln!(out, "{prefix}{usetime} seconds{} of post-use lifetime.", units::seconds(usetime))
}

/// Prints the rest of a limit: bytes, and the time until the earlier of both expirations.
fn print_left(
    out: &mut dyn Write,
    prefix: &str,
    name: &str,
    limit: &Lifetime,
    current: &Lifetime,
    style: &Style<'_>,
) -> io::Result<()> {
    if limit.bytes != 0 {
        let left = limit.bytes.saturating_sub(current.bytes);
        writeln!(out, "{prefix}{left} bytes{} more can be protected.", units::bytes(left))?;
    }
    // A limit in bytes alone has no time of expiration.
    let Some(time) = expiry(limit, current) else { return Ok(()) };
    match time.checked_sub(style.now) {
        Some(left) => writeln!(out, "{prefix}{name} expiration occurs in {left} seconds{}", units::seconds(left))?,
        None => writeln!(out, "{prefix}{name} expiration occurred")?,
    }
    print_date(out, prefix, "Time of expiration: ", time, ".", style)
}

/// The time of expiration. The limit since first use applies only after the first use.
fn expiry(limit: &Lifetime, current: &Lifetime) -> Option<u64> {
    let added = (limit.addtime != 0).then(|| current.addtime.saturating_add(limit.addtime));
    let used = (limit.usetime != 0 && current.usetime != 0).then(|| current.usetime.saturating_add(limit.usetime));
    added.into_iter().chain(used).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(addtime: u64, usetime: u64) -> Lifetime {
        Lifetime { addtime, usetime, ..Lifetime::default() }
    }

    #[test]
    fn expiry_is_the_earlier_of_both_limits() {
        assert_eq!(expiry(&times(100, 50), &times(1000, 1010)), Some(1060));
        assert_eq!(expiry(&times(100, 500), &times(1000, 1010)), Some(1100));
        assert_eq!(expiry(&times(0, 50), &times(1000, 0)), None);
        assert_eq!(expiry(&times(0, 0), &times(1000, 1000)), None);
    }

    #[test]
    fn expiry_saturates() {
        assert_eq!(expiry(&times(u64::MAX, 0), &times(1000, 0)), Some(u64::MAX));
    }
}
