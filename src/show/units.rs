//! Large numbers in readable units: `(4.00 KB)`, `(1.02 minute)`.

const KIB: f64 = 1024.0;
const PREFIXES: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];

/// Length in seconds and name of each unit of time, largest first.
const TIMES: [(u64, &str); 3] = [(86_400, "day"), (3600, "hour"), (60, "minute")];

/// ` (1.50 KB)` for more than 1024 bytes, otherwise empty.
pub(super) fn bytes(count: u64) -> String {
    if count <= 1024 {
        return String::new();
    }
    let mut value = count as f64 / KIB;
    let mut prefixes = PREFIXES.into_iter();
    let mut prefix = prefixes.next();
    while value >= KIB {
        // `u64::MAX` is 16 EB, so the prefixes suffice.
        let Some(next) = prefixes.next() else { break };
        prefix = Some(next);
        value /= KIB;
    }
    format!(" ({value:.2} {}B)", prefix.unwrap_or('K'))
}

/// ` (2.00 hours)` for more than 60 seconds, otherwise empty. Below two of a unit, its name is in the singular.
pub(super) fn seconds(count: u64) -> String {
    if count <= 60 {
        return String::new();
    }
    let (length, name) = TIMES.into_iter().find(|(length, _)| count >= *length).unwrap_or((60, "minute"));
    let plural = if count >= 2 * length { "s" } else { "" };
    format!(" ({:.2} {name}{plural})", count as f64 / length as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_has_two_decimals() {
        assert_eq!(bytes(1024), "");
        assert_eq!(bytes(1025), " (1.00 KB)");
        assert_eq!(bytes(4096), " (4.00 KB)");
        assert_eq!(bytes(1 << 20), " (1.00 MB)");
        assert_eq!(bytes(3 << 29), " (1.50 GB)");
        assert_eq!(bytes(1 << 60), " (1.00 EB)");
        assert_eq!(bytes(u64::MAX), " (16.00 EB)");
    }

    #[test]
    fn seconds_has_two_decimals() {
        assert_eq!(seconds(60), "");
        assert_eq!(seconds(61), " (1.02 minute)");
        assert_eq!(seconds(120), " (2.00 minutes)");
        assert_eq!(seconds(3600), " (1.00 hour)");
        assert_eq!(seconds(7199), " (2.00 hour)");
        assert_eq!(seconds(7200), " (2.00 hours)");
        assert_eq!(seconds(31_536_000), " (365.00 days)");
    }
}
