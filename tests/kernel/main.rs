//! What a real Linux kernel does with what this program asks of it.
//!
//! The tests need root and a kernel with ESP and AH of its own, so `cargo test` passes them over: `tests/kernel/run` boots a
//! kernel for them. Each has network namespaces to itself.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod algorithms;
mod batches;
mod capture;
mod cases;
mod doctor;
mod exchange;
mod faults;
mod guard;
mod hitless;
mod hosts;
mod idle;
mod life;
mod missing;
mod monitor;
mod policies;
mod protection;
mod protection_throughout;
mod reconcile;
mod refusals;
mod rights;
mod service;
mod space;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod volume;
