//! Reconciliation: the smallest change from the SAs that an SADB holds to those that a keys file defines.
//!
//! commands -> [`Goal`] -[`plan()`]-> [`Plan`] -[`execute()`]-> SADB -[`verify`]-> no steps left
//!
//! | module | contents |
//! | --- | --- |
//! | `goal` | the desired state, from the commands |
//! | `live` | the actual state, from the SADB |
//! | `compare` | the table of the fields that are compared, and of those that can be changed in place |
//! | `plan`, `step`, `pairs` | the steps, and the pairs that they make |
//! | `execute` | executes the steps, or rolls them back |
//! | `sequence`, `snapshot` | preserves the sequence numbers of replaced SAs |
//! | `report` | prints a plan without keys |
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
mod snapshot;
mod step;

pub(crate) use compare::{keys_fingerprint, shared_fingerprints};
pub(crate) use execute::{ExecuteError, execute};
pub(crate) use fingerprint::FingerprintKey;
pub(crate) use goal::{DesiredSa, Goal, GoalError};
pub(crate) use live::ActualSa;
pub(crate) use plan::{PlanError, PlanOptions, PlanScope, plan, verify};
pub(crate) use report::{Mismatch, Summary, write_json, write_summary, write_text};
pub(crate) use sequence::{Counters, MARGIN, is_inbound};
pub(crate) use snapshot::SequenceSnapshot;
pub(crate) use step::{Plan, Step, StepKind};
