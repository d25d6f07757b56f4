//! A netlink datagram of XFRM.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipseckey::internals::fuzz::xfrm(bytes));
