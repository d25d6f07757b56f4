//! `sadb-model`.

fn main() {}
