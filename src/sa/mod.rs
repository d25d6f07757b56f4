//! Security associations as values: identity, requests, and messages of an SADB.
//!
//! `keyfile` and `show` convert them from and to text, `wire` from and to bytes. Numbers are newtypes, so that an unknown number is
//! kept and shown, not refused (RFC 2367 section 2; `pfkeyv2.h`).
#![forbid(unsafe_code)]

mod id;
mod lifetime;
mod linux;
mod message;
mod number;
mod request;
mod sparse;

pub(crate) use id::NATT_PORT;
pub use id::SaId;
pub use lifetime::{Lifetime, LifetimeKind};
pub use linux::{LinuxExtras, LinuxInfo, Masked, Offload, XfrmFlags, XfrmMode};
pub use message::{
    AddressInfo, AddressRole, Association, Combination, ExtendedAlgorithm, ExtendedCombination, Extension, Identity,
    KeyRole, Message, Side, SupportedAlgorithm,
};
pub use number::{AuthAlg, DiagnosticCode, EncrAlg, Flags, IdentityType, MessageType, SaState, SaType, Spi};
pub use request::{Endpoint, InnerEndpoint, Request};
pub use sparse::{Sparse, StaticDefault};
