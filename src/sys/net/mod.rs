//! Sockets: PF_KEY, netlink, Unix sockets, UDP encapsulation, and the network interfaces of this host.

pub(crate) mod crypto_api;
pub(crate) mod interfaces;
pub(crate) mod listener;
#[cfg(target_os = "linux")]
mod mmsg;
#[cfg(target_os = "linux")]
pub(crate) mod netlink;
pub(crate) mod packet_socket;
pub(crate) mod peer;
#[cfg(target_os = "linux")]
pub(crate) mod udp_encap;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(not(target_os = "linux"))]
use unsupported::mmsg;

use nix::sys::socket::MsgFlags;

/// The header of a PF_KEY message (RFC 2367 section 2.1).
pub(crate) type Head = [u8; 16];

/// With this flag a closed connection is the error EPIPE, not the signal SIGPIPE. illumos has no such flag.
fn no_sigpipe() -> MsgFlags {
    #[cfg(target_os = "linux")]
    return MsgFlags::MSG_NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    return MsgFlags::empty();
}
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::netlink;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::udp_encap;
