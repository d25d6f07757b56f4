//! `ipseckey`.

fn main() {}
