//! Names beside numbers: hosts by reverse lookup, key management cookies by the daemon's own list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;

/// Where in.iked of illumos says what its cookies mean.
const COOKIE_LABELS: &str = "/var/run/ipsec_kmc_map";

/// What knows names.
pub trait Names {
    /// The name of an address.
    fn host(&self, addr: IpAddr) -> Option<String>;

    /// What the IKE daemon calls its cookie.
    fn cookie(&self, cookie: u64) -> Option<String>;
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

/// The system's resolver; each address is asked for once.
#[derive(Default)]
pub struct SystemNames {
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
}

impl Names for SystemNames {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.borrow_mut().entry(addr).or_insert_with(|| reverse(addr)).clone()
    }

    fn cookie(&self, cookie: u64) -> Option<String> {
        label(&fs::read_to_string(COOKIE_LABELS).ok()?, cookie)
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
    fn hosts_files() {
        let names =
            HostTable { hosts: "# 10.0.0.1 no\n10.0.0.1 one alias # 1\n2001:db8::1 six\n".into(), cookies: String::new() };
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 1])).as_deref(), Some("one"));
        assert_eq!(names.host("2001:db8::1".parse().unwrap()).as_deref(), Some("six"));
        assert_eq!(names.host(IpAddr::from([10, 0, 0, 2])), None);
    }
}
