//! IKE daemons on this host, found in /proc.

use std::fs;
use std::path::Path;

/// IKE daemons: the process name as in /proc/PID/comm (at most 15 characters), and the program.
pub(crate) const KEY_MANAGERS: &[(&str, &str)] = &[
    ("charon", "strongSwan"),
    ("charon-systemd", "strongSwan"),
    ("charon-nm", "strongSwan"),
    ("pluto", "libreswan"),
    ("racoon", "ipsec-tools"),
    ("iked", "an IKE daemon"),
    ("isakmpd", "an IKE daemon"),
];

/// Port 500 (RFC 7296 section 2), as /proc/net/udp has it.
const IKE_PORT: &str = ":01F4";
/// The text for a daemon whose process is hidden: `ProtectProc=` of systemd.exec(5).
const UNKNOWN: &str = "an IKE daemon (UDP port 500 is in use)";

/// The daemons that this process can see, such as `charon (pid 779)`, sorted; empty if there is none. In another network namespace
/// a daemon is of no concern: if the namespace of a process is known, it must be this one.
pub(crate) fn running() -> Vec<String> {
    let own = fs::read_link("/proc/self/ns/net").ok();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        // A process may end at any time: it is skipped then.
        let Ok(name) = fs::read_to_string(process.path().join("comm")) else { continue };
        let Some((name, _)) = KEY_MANAGERS.iter().find(|row| row.0 == name.trim_end()) else { continue };
        let is_elsewhere = fs::read_link(process.path().join("ns/net")).is_ok_and(|other| Some(other) != own);
        if !is_elsewhere {
            found.push(format!("{name} (pid {})", process.file_name().to_string_lossy()));
        }
    }
    found.sort();
    if found.is_empty() && is_ike_port_used() {
        found.push(UNKNOWN.to_owned());
    }
    found
}

fn is_ike_port_used() -> bool {
    let tables = ["udp", "udp6"].map(|table| fs::read_to_string(Path::new("/proc/self/net").join(table)));
    tables.into_iter().flatten().any(|table| has_ike_port(&table))
}

/// `table` has the local address and port in the second column.
fn has_ike_port(table: &str) -> bool {
    table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(IKE_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_ike_port_reads_the_local_port() {
        let header = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
        let line = |local: &str, remote: &str| format!("{header}  385: {local} {remote} 07 00000000:00000000 00:00000000\n");
        assert!(has_ike_port(&line("00000000:01F4", "00000000:0000")));
        assert!(!has_ike_port(&line("00000000:1194", "0100007F:01F4")));
        assert!(!has_ike_port(header));
    }
}
