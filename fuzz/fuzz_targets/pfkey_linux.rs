//! A PF_KEY message in the Linux dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::pfkey_linux(bytes));
