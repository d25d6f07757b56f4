//! Names for numbers: host names by reverse lookup, labels of key management cookies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::redact::{is_host_name, printable};

/// The labels that in.iked(8) of illumos writes for its cookies.
const COOKIE_LABELS: &str = "/var/run/ipsec_kmc_map";

/// A source of names.
pub(crate) trait Names {
    fn host(&self, addr: IpAddr) -> Option<String>;

    /// The label of the IKE daemon for a cookie.
    fn cookie(&self, cookie: u64) -> Option<String>;

    /// Whether lookups have stopped because they took too long.
    fn gave_up(&self) -> bool {
        false
    }
}

/// A source without names.
#[cfg(any(test, feature = "internals"))]
pub(crate) struct NoNames;

#[cfg(any(test, feature = "internals"))]
impl Names for NoNames {
    fn host(&self, _addr: IpAddr) -> Option<String> {
        None
    }

    fn cookie(&self, _cookie: u64) -> Option<String> {
        None
    }
}

/// The system's resolver. Each address is looked up once. Lookups stop when they have taken too long in total, as happens if the
/// name server cannot be reached.
pub(crate) struct SystemNames {
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
    lookup: fn(IpAddr) -> Option<String>,
    /// Remaining time for lookups.
    remaining: Cell<Duration>,
}

/// Total time of lookups. One that fails takes 10 s with the default resolv.conf(5), and an SA has two addresses.
const LOOKUP_BUDGET: Duration = Duration::from_secs(5);

impl Default for SystemNames {
    fn default() -> Self {
        Self::with_budget(reverse_lookup, LOOKUP_BUDGET)
    }
}

impl SystemNames {
    fn with_budget(lookup: fn(IpAddr) -> Option<String>, budget: Duration) -> Self {
        Self { hosts: RefCell::default(), lookup, remaining: Cell::new(budget) }
    }

    fn look_up(&self, addr: IpAddr) -> Option<String> {
        let remaining = self.remaining.get();
        if remaining.is_zero() {
            return None;
        }
        // Measured, because getnameinfo(3) has no timeout of its own.
        let start = Instant::now();
        let name = (self.lookup)(addr);
        self.remaining.set(remaining.saturating_sub(start.elapsed()));
        name
    }
}

impl Names for SystemNames {
    fn host(&self, addr: IpAddr) -> Option<String> {
        // Failures are cached too: they take the longest.
        self.hosts.borrow_mut().entry(addr).or_insert_with(|| self.look_up(addr)).clone()
    }

    fn cookie(&self, cookie: u64) -> Option<String> {
        // Read for each cookie: the daemon may change the labels while `monitor` runs.
        label(&fs::read_to_string(COOKIE_LABELS).ok()?, cookie)
    }

    fn gave_up(&self) -> bool {
        self.remaining.get().is_zero()
    }
}

/// Looks up the name of `addr`. Without one, getnameinfo(3) returns the address, which is discarded.
fn reverse_lookup(addr: IpAddr) -> Option<String> {
    dns_lookup::lookup_addr(&addr).ok().filter(|name| is_host_name(name.strip_suffix('.').unwrap_or(name)))
}

/// A hosts(5) file and a list of cookies. The first line for an address or a cookie is used.
#[derive(Default)]
pub(crate) struct HostTable {
    /// In the format of hosts(5): address, name, aliases.
    pub(crate) hosts: String,
    /// Lines of a cookie and its label.
    pub(crate) cookies: String,
}

impl Names for HostTable {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let found = words.next()?.parse() == Ok(addr);
            words.next().filter(|name| found && is_host_name(name.strip_suffix('.').unwrap_or(name))).map(str::to_owned)
        })
    }

    fn cookie(&self, cookie: u64) -> Option<String> {
        label(&self.cookies, cookie)
    }
}

/// The label of `cookie` in lines of a number and a label.
fn label(list: &str, cookie: u64) -> Option<String> {
    list.lines().find_map(|line| {
        let (number, label) = line.trim().split_once(char::is_whitespace)?;
        (number.parse() == Ok(cookie)).then(|| printable(label.trim().as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_finds_the_first_line() {
        let list = "# of in.iked\n1\tSHA-1 Pre-shared key\n2\n3 a\n3 b\n";
        assert_eq!(label(list, 1).as_deref(), Some("SHA-1 Pre-shared key"));
        assert_eq!(label(list, 2), None);
        assert_eq!(label(list, 3).as_deref(), Some("a"));
        assert_eq!(label(list, 4), None);
    }

    #[test]
    fn system_names_gives_up_on_a_slow_resolver() {
        fn slow(addr: IpAddr) -> Option<String> {
            std::thread::sleep(Duration::from_millis(30));
            Some(addr.to_string())
        }
        let names = SystemNames::with_budget(slow, Duration::from_millis(50));
        let addresses: Vec<IpAddr> = (0..5).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let known = |names: &SystemNames| addresses.iter().filter(|addr| names.host(**addr).is_some()).count();
        assert!(!names.gave_up());
        assert!(matches!(known(&names), 1 | 2));
        assert!(names.gave_up() && known(&names) < 3);
    }

    #[test]
    fn host_table_refuses_what_is_no_name() {
        let hosts = "10.0.0.1 a\u{1b}[2J good\n10.0.0.2 10.0.9\n10.0.0.3 a\u{202e}b\n10.0.0.4 0x0a000009\n";
        let names = HostTable { hosts: hosts.into(), cookies: "7 a\u{1b}b\n".into() };
        for last in 1..=4 {
            assert_eq!(names.host(IpAddr::from([10, 0, 0, last])), None, "10.0.0.{last}");
        }
        assert_eq!(names.cookie(7).as_deref(), Some("a\\u{1b}b"));
    }

    #[test]
    fn host_table_finds_names() {
        let names =
            HostTable { hosts: "# 10.0.0.1 no\n10.0.0.1 one alias # 1\n2001:db8::1 six\n".into(), cookies: String::new() };
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 1])).as_deref(), Some("one"));
        assert_eq!(names.host("2001:db8::1".parse().unwrap()).as_deref(), Some("six"));
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 2])), None);
    }
}
