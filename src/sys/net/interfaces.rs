//! Which addresses are this system's own.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use nix::ifaddrs::getifaddrs;

thread_local! {
    /// What [`is_local`] looks at: read when first asked for.
    static ADDRESSES: RefCell<Option<HashSet<IpAddr>>> = const { RefCell::new(None) };
}

/// Whether `addr` is an address of this system, or was when this thread first asked after it last [forgot](forget_addresses).
/// Where the system does not tell, none is.
#[must_use]
pub fn is_local(addr: IpAddr) -> bool {
    let read = || local_addresses().unwrap_or_default();
    addr.is_loopback() || ADDRESSES.with_borrow_mut(|known| known.get_or_insert_with(read).contains(&addr))
}

/// Lets the next [`is_local`] ask the system anew: addresses come and go.
pub fn forget_addresses() {
    ADDRESSES.set(None);
}

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
        assert!(is_local(IpAddr::from([127, 0, 0, 9])));
    }

    #[test]
    fn addresses_are_remembered_until_they_are_forgotten() {
        let nobodys = IpAddr::from([192, 0, 2, 1]);
        assert!(!is_local(nobodys));
        ADDRESSES.set(Some(HashSet::from([nobodys])));
        assert!(is_local(nobodys));
        forget_addresses();
        assert!(!is_local(nobodys));
    }
}
