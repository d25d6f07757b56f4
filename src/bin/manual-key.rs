//! `manual-key`.

fn main() {}
