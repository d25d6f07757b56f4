//! What a security association is: its identity, what one may say when adding it, and what an SADB says about it.
//!
//! Pure values. Text is the business of `lang` and `show`, bytes that of `wire`. Numbers are newtypes, so that a number
//! this program does not know is carried and shown instead of refused (RFC 2367 section 2; `pfkeyv2.h`).
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
pub use number::{AuthAlg, Diagnostic, EncrAlg, Flags, IdentityType, MessageType, SaState, SaType, Spi};
pub use request::{Endpoint, InnerEndpoint, Request};
pub use sparse::{Seldom, Silent};
