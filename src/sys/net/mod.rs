//! Sockets: PF_KEY, netlink, Unix sockets, UDP encapsulation, and the network interfaces of this host.

pub mod crypto_api;
pub mod interfaces;
pub mod listener;
#[cfg(target_os = "linux")]
mod mmsg;
#[cfg(target_os = "linux")]
pub mod netlink;
pub mod packet_socket;
#[cfg(target_os = "linux")]
pub mod udp_encap;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(not(target_os = "linux"))]
use unsupported::mmsg;
#[cfg(not(target_os = "linux"))]
pub use unsupported::netlink;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::udp_encap;
