//! This program with a real Linux kernel.
//!
//! The tests need root and a separate kernel with ESP and AH, so `cargo test` ignores them: `tests/kernel/run` boots a kernel for
//! them. Each test has its own network namespaces.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod algorithms;
mod batches;
mod beside_ike;
mod breakages;
mod capture;
mod cases;
mod chains;
mod check;
mod confirm;
mod directions;
mod discovery;
mod doctor;
mod documents;
mod exchange;
mod faults;
mod foreign;
mod frr;
mod guard;
mod hitless;
mod hosts;
mod idle;
mod ike;
mod import;
mod keep;
mod life;
mod metrics;
mod misread;
mod missing;
mod monitor;
mod ospf;
mod policies;
mod protection;
mod protection_throughout;
mod reconcile;
mod refusals;
mod rehearsal;
mod repair;
mod reqid;
mod restart;
mod rights;
mod rotation;
mod service;
mod setkey;
mod show;
mod space;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod udp_ports;
mod volume;
