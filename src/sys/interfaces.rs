//! Which addresses are this system's own.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use nix::ifaddrs::getifaddrs;

/// The addresses of all network interfaces, those that are down included.
///
/// # Errors
/// The system's. On Linux the list comes over a netlink socket.
pub fn local_addresses() -> io::Result<HashSet<IpAddr>> {
    let addresses = getifaddrs()?.filter_map(|interface| interface.address);
    let ip = addresses.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    Ok(ip.collect())
}

/// A number that tells this thread's network namespace from others, where there are any.
#[must_use]
pub fn network_namespace() -> Option<u64> {
    std::fs::metadata("/proc/thread-self/ns/net").ok().map(|meta| meta.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_local() {
        assert!(local_addresses().unwrap().contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
