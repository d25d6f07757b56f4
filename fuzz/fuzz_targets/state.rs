//! The files that are kept in /run.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey_fuzz::state(bytes));
