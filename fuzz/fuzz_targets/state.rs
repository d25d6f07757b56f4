//! The files that are kept in /run.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::state(bytes));
