//! Names beside numbers: hosts by reverse lookup, key management cookies by the daemon's own list.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Where in.iked of illumos says what its cookies mean.
const COOKIE_LABELS: &str = "/var/run/ipsec_kmc_map";

/// What knows names.
pub trait Names {
    /// The name of an address.
    fn host(&self, addr: IpAddr) -> Option<String>;

    /// What the IKE daemon calls its cookie.
    fn cookie(&self, cookie: u64) -> Option<String>;

    /// Whether addresses are not asked for any more, because the answers took too long.
    fn gave_up(&self) -> bool {
        false
    }
}

/// No names at all.
pub struct NoNames;

impl Names for NoNames {
    fn host(&self, _addr: IpAddr) -> Option<String> {
        None
    }

    fn cookie(&self, _cookie: u64) -> Option<String> {
        None
    }
}

/// The system's resolver; each address is asked for once. It is not asked any more once its answers have taken too long in all,
/// as they do when the name server cannot be reached.
pub struct SystemNames {
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
    ask: fn(IpAddr) -> Option<String>,
    /// Time left for answers.
    patience: Cell<Duration>,
}

/// What answers may take in all. One lookup that fails takes 10 s with the usual resolv.conf(5), and an SA has two addresses.
const PATIENCE: Duration = Duration::from_secs(5);

impl Default for SystemNames {
    fn default() -> Self {
        Self::asking(reverse, PATIENCE)
    }
}

impl SystemNames {
    fn asking(ask: fn(IpAddr) -> Option<String>, patience: Duration) -> Self {
        Self { hosts: RefCell::default(), ask, patience: Cell::new(patience) }
    }

    fn look_up(&self, addr: IpAddr) -> Option<String> {
        let patience = self.patience.get();
        if patience.is_zero() {
            return None;
        }
        let start = Instant::now();
        let name = (self.ask)(addr);
        self.patience.set(patience.saturating_sub(start.elapsed()));
        name
    }
}

impl Names for SystemNames {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.borrow_mut().entry(addr).or_insert_with(|| self.look_up(addr)).clone()
    }

    fn cookie(&self, cookie: u64) -> Option<String> {
        label(&fs::read_to_string(COOKIE_LABELS).ok()?, cookie)
    }

    fn gave_up(&self) -> bool {
        self.patience.get().is_zero()
    }
}

/// The resolver gives the address itself where it knows no name.
fn reverse(addr: IpAddr) -> Option<String> {
    dns_lookup::lookup_addr(&addr)
        .ok()
        .filter(|name| is_printable(name) && name.split('%').next().is_none_or(|name| name.parse::<IpAddr>().is_err()))
}

/// Whoever answers for an address chooses its name: one that could move a terminal's cursor, or begin a line, is none.
fn is_printable(name: &str) -> bool {
    !name.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// A hosts(5) file and a list of cookies, as text; the first line about an address or cookie counts.
#[derive(Default)]
pub struct HostTable {
    /// hosts(5): address, name, aliases.
    pub hosts: String,
    /// Cookie and label on each line.
    pub cookies: String,
}

impl Names for HostTable {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let found = words.next()?.parse() == Ok(addr);
            words.next().filter(|_| found).map(str::to_owned)
        })
    }

    fn cookie(&self, cookie: u64) -> Option<String> {
        label(&self.cookies, cookie)
    }
}

/// The label of `cookie` in a list of lines of a number and a label.
fn label(list: &str, cookie: u64) -> Option<String> {
    list.lines().find_map(|line| {
        let (number, label) = line.trim().split_once(char::is_whitespace)?;
        (number.parse() == Ok(cookie)).then(|| label.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_labels() {
        let list = "# of in.iked\n1\tSHA-1 Pre-shared key\n2\n3 a\n3 b\n";
        assert_eq!(label(list, 1).as_deref(), Some("SHA-1 Pre-shared key"));
        assert_eq!(label(list, 2), None);
        assert_eq!(label(list, 3).as_deref(), Some("a"));
        assert_eq!(label(list, 4), None);
    }

    #[test]
    fn names_that_speak_to_the_terminal_are_none() {
        assert!(is_printable("gw.example.com") && is_printable("b\u{fc}ro.example"));
        for name in ["gw\u{1b}]0;x\u{7}", "gw\nflush", "gw\u{9b}2J", "two words"] {
            assert!(!is_printable(name), "{name:?}");
        }
    }

    #[test]
    fn a_resolver_that_is_slow_is_not_asked_for_ever() {
        fn slow(addr: IpAddr) -> Option<String> {
            std::thread::sleep(Duration::from_millis(30));
            Some(addr.to_string())
        }
        let names = SystemNames::asking(slow, Duration::from_millis(50));
        let addresses: Vec<IpAddr> = (0..5).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let known = |names: &SystemNames| addresses.iter().filter(|addr| names.host(**addr).is_some()).count();
        assert!(!names.gave_up());
        assert!(matches!(known(&names), 1 | 2));
        assert!(names.gave_up() && known(&names) < 3);
    }

    #[test]
    fn hosts_files() {
        let names =
            HostTable { hosts: "# 10.0.0.1 no\n10.0.0.1 one alias # 1\n2001:db8::1 six\n".into(), cookies: String::new() };
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 1])).as_deref(), Some("one"));
        assert_eq!(names.host("2001:db8::1".parse().unwrap()).as_deref(), Some("six"));
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 2])), None);
    }
}
