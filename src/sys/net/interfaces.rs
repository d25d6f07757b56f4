//! The addresses of this host's network interfaces.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use nix::ifaddrs::getifaddrs;

thread_local! {
    /// The cache of [`is_local`], filled by its first call.
    static ADDRESSES: RefCell<Option<HashSet<IpAddr>>> = const { RefCell::new(None) };
}

/// Whether `addr` is an address of this host. The answer comes from a cache of this thread; [`clear_address_cache`] empties it.
/// False if the addresses cannot be read.
#[must_use]
pub(crate) fn is_local(addr: IpAddr) -> bool {
    // A load asks for the addresses of every SA of the keys file.
    let read = || local_addresses().unwrap_or_default();
    // All of 127.0.0.0/8 is local, but only 127.0.0.1 is listed.
    addr.is_loopback() || ADDRESSES.with_borrow_mut(|known| known.get_or_insert_with(read).contains(&addr))
}

/// Makes the next [`is_local`] of this thread read the addresses again.
pub(crate) fn clear_address_cache() {
    ADDRESSES.set(None);
}

/// The addresses of all network interfaces, those that are down included.
///
/// # Errors
/// Those of getifaddrs(3), which opens a netlink socket on Linux.
pub(crate) fn local_addresses() -> io::Result<HashSet<IpAddr>> {
    let addresses = getifaddrs()?.filter_map(|interface| interface.address);
    // Interfaces also have link-layer addresses.
    let ip = addresses.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    Ok(ip.collect())
}

/// The inode number that identifies this thread's network namespace (namespaces(7)); `None` on systems without them.
#[must_use]
pub(crate) fn network_namespace() -> Option<u64> {
    // A network namespace belongs to a thread: setns(2) changes that of the caller only.
    std::fs::metadata("/proc/thread-self/ns/net").ok().map(|meta| meta.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_local_includes_all_loopback_addresses() {
        assert!(local_addresses().unwrap().contains(&IpAddr::from([127, 0, 0, 1])));
        assert!(is_local(IpAddr::from([127, 0, 0, 9])));
    }

    #[test]
    fn clear_address_cache_makes_is_local_read_again() {
        let documentation = IpAddr::from([192, 0, 2, 1]);
        assert!(!is_local(documentation));
        ADDRESSES.set(Some(HashSet::from([documentation])));
        assert!(is_local(documentation));
        clear_address_cache();
        assert!(!is_local(documentation));
    }
}
