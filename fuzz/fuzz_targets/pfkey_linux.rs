//! A PF_KEY message in the Linux dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey_fuzz::pfkey(&ipseckey::wire::pfkey::Dialect::LINUX, bytes));
