//! Numbers of at most four characters, as in columns of `ls -h`.

use std::fmt;

/// Length in seconds and sign of each unit of time, the largest first.
const TIMES: [(u64, char); 5] = [(365 * 86_400, 'y'), (86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];

/// Seconds as `7s`, `59m`, `23h`, `999d`, `27y`, cut off.
#[derive(Clone, Copy)]
pub(super) struct Duration(pub(super) u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days say more than years.
        let fits = |(length, sign): &&(u64, char)| self.0 >= *length && (*sign != 'y' || self.0 >= 1_000 * 86_400);
        let (length, sign) = TIMES.iter().find(fits).copied().unwrap_or((1, 's'));
        write!(f, "{}{sign}", self.0 / length)
    }
}

/// A number as `999`, `1.2k`, `12k`, `1.0M`: in powers of 1000, cut off.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scale = 1;
        for sign in ["", "k", "M", "G", "T", "P"] {
            let whole = self.0 / scale;
            if whole < 1_000 {
                return if scale > 1 && whole < 10 {
                    write!(f, "{whole}.{}{sign}", self.0 % scale * 10 / scale)
                } else {
                    write!(f, "{whole}{sign}")
                };
            }
            scale *= 1_000;
        }
        write!(f, "{}E", self.0 / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_at_most_four_characters_up_to_a_thousand_years() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h"), (86_399, "23h"), (86_400, "1d")];
        for (seconds, text) in cases {
            assert_eq!(Duration(seconds).to_string(), text);
        }
        assert_eq!(Duration(999 * 86_400).to_string(), "999d");
        assert_eq!(Duration(1_000 * 86_400).to_string(), "2y");
        assert_eq!(Duration(u64::from(u32::MAX)).to_string(), "136y");
    }

    #[test]
    fn count_has_at_most_four_characters() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1.0k"), (9_999, "9.9k"), (10_000, "10k"), (999_999, "999k")];
        for (value, text) in cases {
            assert_eq!(Count(value).to_string(), text);
        }
        assert_eq!(Count(1_000_000).to_string(), "1.0M");
        assert_eq!(Count(u64::MAX).to_string(), "18E");
    }
}
