//! The checks. Each compares facts and adds findings: what is wrong, why, and what to do about it.

mod addresses;
mod algorithms;
mod clock;
mod drops;
mod fields;
mod groups;
mod key_managers;
mod lifetimes;
mod modules;
mod neighbours;
mod pf_key;
mod policies;
mod precedence;
mod privileges;
mod reqids;
mod routes;
mod sas;
mod sequence;
mod size;
mod traffic;
mod udp_ports;

use super::facts::Facts;
use super::finding::Findings;

/// A check. It adds nothing if the facts that it needs are not known.
type Check = fn(&Facts<'_>, &mut Findings);

/// The checks of any SADB, in the order of the output.
const CHECKS: &[Check] = &[
    addresses::check,
    sas::check,
    fields::check,
    reqids::check,
    policies::check,
    precedence::check,
    groups::check,
    lifetimes::check,
    algorithms::check,
];

/// The checks of this Linux kernel, which say nothing about a stand-in.
const KERNEL_CHECKS: &[Check] = &[
    routes::check,
    neighbours::check,
    udp_ports::check,
    traffic::check,
    drops::check,
    sequence::check,
    clock::check,
    key_managers::check,
    pf_key::check,
    privileges::check,
    modules::check,
];

/// Findings of one kind that are printed in full; the rest is only counted. A host with thousands of SAs usually has one cause for
/// all of them.
const LIMIT: usize = 3;

/// Runs all checks.
pub(super) fn run(facts: &Facts<'_>, findings: &mut Findings) {
    CHECKS.iter().for_each(|check| check(facts, findings));
    if facts.is_kernel {
        KERNEL_CHECKS.iter().for_each(|check| check(facts, findings));
    }
}
