//! Sockets: PF_KEY, netlink, Unix sockets, UDP encapsulation, and the network interfaces of this host.

#[cfg_attr(not(target_os = "linux"), path = "no_crypto_api.rs")]
pub mod crypto_api;
pub mod interfaces;
pub mod listener;
#[cfg_attr(not(target_os = "linux"), path = "no_mmsg.rs")]
mod mmsg;
#[cfg_attr(not(target_os = "linux"), path = "no_netlink.rs")]
pub mod netlink;
pub mod packet_socket;
#[cfg_attr(not(target_os = "linux"), path = "no_udp_encap.rs")]
pub mod udp_encap;
