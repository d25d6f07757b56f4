//! A PF_KEY message in the illumos dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::pfkey_illumos(bytes));
