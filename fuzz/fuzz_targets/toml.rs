//! manual-key.toml.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::toml(bytes));
