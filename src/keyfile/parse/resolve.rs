//! Names to addresses: the system's name service, or a hosts(5) file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;

/// A name that stands for no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nobody knows the name.
    #[error("unknown host name")]
    Unknown,
    /// The name service did not answer properly.
    #[error("name service: {0}")]
    Failed(String),
}

/// Something that knows names.
pub trait Resolver {
    /// The addresses of `name`: IPv4 ones first, otherwise in the order of the source. Never empty.
    ///
    /// # Errors
    /// [`NameError`] if there are none.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError>;
}

/// IPv4 addresses before IPv6 ones, the order within each kept, doubles left out.
fn arranged(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut list = Vec::new();
    for address in addresses.into_iter().map(|address| address.to_canonical()) {
        if !list.contains(&address) {
            list.push(address);
        }
    }
    list.sort_by_key(IpAddr::is_ipv6);
    list
}

/// getaddrinfo(3), asked once for each name and family.
#[derive(Default)]
pub struct SystemResolver {
    known: RefCell<HashMap<String, Result<Vec<IpAddr>, NameError>>>,
}

impl SystemResolver {
    /// A resolver that has looked up nothing yet.
    #[must_use]
    #[cfg(test)]
    pub fn new() -> Self {
        Self::default()
    }

    fn look_up(name: &str) -> Result<Vec<IpAddr>, NameError> {
        let families = [dns_lookup::AddrFamily::Inet, dns_lookup::AddrFamily::Inet6];
        let mut found = Vec::new();
        let mut failure = NameError::Unknown;
        for family in families {
            let hints = dns_lookup::AddrInfoHints {
                address: family.into(),
                socktype: dns_lookup::SockType::DGram.into(),
                ..dns_lookup::AddrInfoHints::default()
            };
            match dns_lookup::getaddrinfo(Some(name), None, Some(hints)) {
                Ok(answers) => found.extend(answers.filter_map(Result::ok).map(|answer| answer.sockaddr.ip())),
                Err(error) if is_unknown(&error) => {}
                Err(error) => failure = NameError::Failed(std::io::Error::from(error).to_string()),
            }
        }
        if found.is_empty() { Err(failure) } else { Ok(arranged(found)) }
    }
}

/// Whether the name service says that there is no such name, or no address of that family.
fn is_unknown(error: &dns_lookup::LookupError) -> bool {
    matches!(error.kind(), dns_lookup::LookupErrorKind::NoName | dns_lookup::LookupErrorKind::NoData)
}

impl Resolver for SystemResolver {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let answer = Self::look_up(name);
        self.known.borrow_mut().insert(name.to_owned(), answer.clone());
        answer
    }
}

/// A text in hosts(5) format: an address, then its names. Names match in any case.
#[derive(Default)]
pub struct HostsFile {
    names: HashMap<String, Vec<IpAddr>>,
}

impl HostsFile {
    /// Reads a hosts(5) text. Lines that do not begin with an address are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut names: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                names.entry(name.to_ascii_lowercase()).or_default().push(address);
            }
        }
        Self { names }
    }
}

impl Resolver for HostsFile {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        let found = self.names.get(&name.to_ascii_lowercase()).ok_or(NameError::Unknown)?;
        Ok(arranged(found.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_text() {
        let hosts =
            HostsFile::parse("2001:db8::10 dual\n192.0.2.10\tDual.Example dual # c\n#192.0.2.1 me\nbad me\n192.0.2.2 dual");
        let dual: Vec<String> = hosts.addresses("DUAL").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(dual, ["192.0.2.10", "192.0.2.2", "2001:db8::10"]);
        assert_eq!(hosts.addresses("dual.example").unwrap().len(), 1);
        assert_eq!(hosts.addresses("me"), Err(NameError::Unknown));
    }

    #[test]
    fn the_system_knows_localhost() {
        let resolver = SystemResolver::new();
        let answer = resolver.addresses("localhost");
        assert_eq!(answer, resolver.addresses("localhost"));
        assert!(answer.is_ok_and(|list| list.iter().all(IpAddr::is_loopback)));
    }
}
