//! From what an SADB holds to what a keys file asks for, by the smallest change.
//!
//! commands -> [`Goal`] -[`plan`]-> [`Plan`] -[`carry_out`]-> SADB -[`verify`]-> nothing left to do
//!
//! `wanted` reads the commands, `current` what the SADB says; `fields` is the table of what is compared, and of what can be
//! changed in place. `difference` finds the steps, those of pairs with `pairing`, and `carry` takes them, or takes back what it has done. `sequence` lets the
//! sequence numbers of an SA that has to be added again go on. `text` tells a plan, without a key.
#![forbid(unsafe_code)]

mod compare;
mod execute;
mod fingerprint;
mod goal;
mod live;
mod pairs;
mod plan;
mod report;
mod sequence;

pub(crate) use compare::keys_fingerprint;
pub(crate) use execute::{Failed, carry_out};
pub(crate) use fingerprint::Salt;
pub(crate) use goal::{Goal, Unfit};
pub(crate) use plan::{Deed, Difference, Obstacle, Plan, Scope, Step, Terms, plan, verify};
pub(crate) use report::{Brief, Named, Summary, write_json, write_summary, write_text};
pub(crate) use sequence::{Counters, MARGIN, Progress};
