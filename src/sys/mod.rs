//! Every unsafe block and every family of system calls. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one room where system calls without a safe wrapper are made")]

pub mod hardening;
pub mod listener;
#[cfg(target_os = "linux")]
pub mod netlink;
pub mod secure_file;
pub mod socket;
pub mod stop;
