//! From what an SADB holds to what a keys file asks for, by the smallest change.
//!
//! commands -> [`Goal`] -[`plan`]-> [`Plan`] -[`carry_out`]-> SADB -[`verify`]-> nothing left to do
//!
//! `wanted` reads the commands, `current` what the SADB says; `fields` is the table of what is compared, and of what can be
//! changed in place. `difference` finds the steps, those of pairs with `pairing`, and `carry` takes them, or takes back what it has done. `sequence` lets the
//! sequence numbers of an SA that has to be added again go on. `text` tells a plan, without a key.
#![forbid(unsafe_code)]

mod carry;
mod current;
mod difference;
mod fields;
mod fingerprint;
mod pairing;
mod sequence;
mod text;
mod wanted;

pub use carry::{Failed, carry_out};
pub use difference::{Change, Deed, Difference, Obstacle, Plan, Scope, Step, Subject, Terms, plan, verify};
pub use fields::keys_fingerprint;
pub use fingerprint::Salt;
pub use sequence::{Counters, MARGIN, Progress};
pub use text::{Brief, Named, Summary, write_json, write_summary, write_text};
pub use wanted::{Goal, Unfit};
