//! Security associations as values: identity, requests, and messages of an SADB.
//!
//! `keyfile` and `show` convert them from and to text, `wire` from and to bytes. Numbers are newtypes, so that an unknown number is
//! kept and shown, not refused (RFC 2367 section 2; `pfkeyv2.h`).
#![forbid(unsafe_code)]

pub(crate) mod direction;
mod id;
mod lifetime;
mod linux;
mod message;
mod number;
mod request;
mod sparse;
mod windows;

pub(crate) use id::NATT_PORT;
pub(crate) use id::SaId;
pub(crate) use lifetime::{Lifetime, LifetimeKind};
pub(crate) use linux::{LinuxExtras, LinuxInfo, Masked, Offload, SERVICE_REQID, XfrmFlags, XfrmMode};
pub(crate) use message::{
    AddressInfo, AddressRole, Association, Combination, ExtendedAlgorithm, ExtendedCombination, Extension, Identity,
    KeyRole, Message, Side, SupportedAlgorithm,
};
pub(crate) use number::{AuthAlg, DiagnosticCode, EncrAlg, Flags, IdentityType, MessageType, SaState, SaType, Spi};
pub(crate) use request::{Endpoint, InnerEndpoint, Request};
pub(crate) use sparse::{Sparse, StaticDefault};
pub(crate) use windows::{Window, Windows};
