//! Shared by the tests of the programs.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of this")]

#[cfg(target_os = "linux")]
pub mod memory;
pub mod model;
pub(crate) mod packet_socket;
pub mod schema;
pub mod terminal;
pub mod vectors;

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of a hexadecimal string.
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
