//! Answers from the refresh channel.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::channel(bytes));
