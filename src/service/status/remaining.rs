//! A duration for people: "7 h".

use std::fmt;

/// A number of seconds, shown in the largest unit that it has two of.
pub(super) struct Remaining(pub(super) u64);

/// Seconds of a unit, and the unit.
const UNITS: &[(u64, &str)] = &[(86_400, "days"), (3_600, "h"), (60, "min")];

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(seconds, _)| self.0 >= 2 * seconds) {
            Some((seconds, unit)) => write!(f, "{} {unit}", self.0 / seconds),
            None => write!(f, "{} s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_has_the_largest_unit_of_which_there_are_two() {
        let shown = |seconds| Remaining(seconds).to_string();
        assert_eq!([0, 119, 120, 7_199].map(shown), ["0 s", "119 s", "2 min", "119 min"]);
        assert_eq!([7_200, 25_200, 172_799, 172_800].map(shown), ["2 h", "7 h", "47 h", "2 days"]);
    }
}
