//! Host names to addresses: the system's name service, or a hosts(5) file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;

/// Why a host name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// The name does not exist, or has no address.
    #[error("unknown host name")]
    Unknown,
    /// The name service is not reachable or reported another error.
    #[error("name service: {0}")]
    Failed(String),
}

/// A source of addresses for host names.
pub(crate) trait Resolver {
    /// The addresses of `name`, never empty: IPv4 first, within a family in the order of the source.
    ///
    /// # Errors
    /// [`NameError`] if there are no addresses.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError>;
}

/// Sorts IPv4 before IPv6, keeps the order within each family, and removes duplicates.
fn sorted(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut list = Vec::new();
    for address in addresses.into_iter().map(|address| address.to_canonical()) {
        if !list.contains(&address) {
            list.push(address);
        }
    }
    // A stable sort: the order of the name service within a family is kept.
    list.sort_by_key(IpAddr::is_ipv6);
    list
}

/// getaddrinfo(3), called once for each name and family: a file may name one peer in thousands of commands.
#[derive(Default)]
pub(crate) struct SystemResolver {
    cache: RefCell<HashMap<String, Result<Vec<IpAddr>, NameError>>>,
}

impl SystemResolver {
    /// A resolver with an empty cache.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn look_up(name: &str) -> Result<Vec<IpAddr>, NameError> {
        let families = [dns_lookup::AddrFamily::Inet, dns_lookup::AddrFamily::Inet6];
        let mut found = Vec::new();
        let mut failure = NameError::Unknown;
        for family in families {
            let hints = dns_lookup::AddrInfoHints {
                address: family.into(),
                // Without a socket type, each address is returned once for every type.
                socktype: dns_lookup::SockType::DGram.into(),
                ..dns_lookup::AddrInfoHints::default()
            };
            match dns_lookup::getaddrinfo(Some(name), None, Some(hints)) {
                Ok(entries) => found.extend(entries.filter_map(Result::ok).map(|entry| entry.sockaddr.ip())),
                // A host may have addresses of one family only.
                Err(error) if is_unknown(&error) => {}
                Err(error) => failure = NameError::Failed(std::io::Error::from(error).to_string()),
            }
        }
        if found.is_empty() { Err(failure) } else { Ok(sorted(found)) }
    }
}

/// Whether the name does not exist, or has no address of that family.
fn is_unknown(error: &dns_lookup::LookupError) -> bool {
    matches!(error.kind(), dns_lookup::LookupErrorKind::NoName | dns_lookup::LookupErrorKind::NoData)
}

impl Resolver for SystemResolver {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        if let Some(cached) = self.cache.borrow().get(name) {
            return cached.clone();
        }
        let result = Self::look_up(name);
        self.cache.borrow_mut().insert(name.to_owned(), result.clone());
        result
    }
}

/// A text in hosts(5) format: an address, then its names. Names are compared without case.
#[derive(Default)]
pub(crate) struct HostsFile {
    names: HashMap<String, Vec<IpAddr>>,
}

impl HostsFile {
    /// Parses a hosts(5) text. Lines that do not begin with an address are ignored.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
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
        Ok(sorted(found.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_file_lists_ipv4_first() {
        let hosts =
            HostsFile::parse("2001:db8::10 dual\n192.0.2.10\tDual.Example dual # c\n#192.0.2.1 me\nbad me\n192.0.2.2 dual");
        let dual: Vec<String> = hosts.addresses("DUAL").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(dual, ["192.0.2.10", "192.0.2.2", "2001:db8::10"]);
        assert_eq!(hosts.addresses("dual.example").unwrap().len(), 1);
        assert_eq!(hosts.addresses("me"), Err(NameError::Unknown));
    }

    #[test]
    fn system_resolver_finds_localhost() {
        let resolver = SystemResolver::new();
        let answer = resolver.addresses("localhost");
        assert_eq!(answer, resolver.addresses("localhost"));
        assert!(answer.is_ok_and(|list| list.iter().all(IpAddr::is_loopback)));
    }
}
