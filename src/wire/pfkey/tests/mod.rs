//! Golden messages in both directions, malformed bytes, random messages.

use std::net::IpAddr;

use super::*;
use crate::sa::{
    AddressInfo, AddressRole, Association, AuthAlg, Combination, DiagnosticCode, EncrAlg, Endpoint, ExtendedAlgorithm,
    ExtendedCombination, Extension, Flags, Identity, IdentityType, InnerEndpoint, KeyRole, Lifetime, LifetimeKind, Message,
    MessageType, Request, SaState, SaType, Side, Spi, SupportedAlgorithm,
};
use crate::secret::{Buffer, Key};
use crate::wire::writer::{Writer, exact};

mod golden;
mod random;

/// The bytes of a single `write` function.
pub(super) fn body_bytes(write: impl Fn(&mut Writer) -> Result<(), EncodeError>) -> Vec<u8> {
    exact(write).map(|buffer| buffer.to_vec()).expect("encodes")
}

/// Compares with little-endian bytes in hexadecimal; blanks are ignored.
pub(super) fn check_body(bytes: &[u8], hex: &str) {
    if cfg!(target_endian = "little") {
        assert_eq!(to_hex(bytes), hex.replace(' ', ""));
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex")).collect()
}
