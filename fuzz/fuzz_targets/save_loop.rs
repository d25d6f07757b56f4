//! A keys file that is loaded, saved and loaded again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::save_loop(bytes));
