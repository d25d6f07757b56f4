//! The SAs of the file against those of the SADB, field by field, with the comparison of `plan`. Keys are compared and not shown.

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::{Findings, counted};
use crate::reconcile::{Step, StepKind};
use crate::redact::shell_word;

/// The fields of keys: their fingerprints differ from run to run and say nothing more than their names.
const KEY_FIELDS: [&str; 2] = ["authkey", "encrkey"];

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let steps = match facts.compare() {
        None => return,
        Some(Ok(steps)) => steps,
        Some(Err(error)) => {
            findings.warn("SAs", format!("cannot be compared with the file: {error}"), "run `ipseckey plan` for details");
            return;
        }
    };
    // Missing SAs are another check's.
    let differing: Vec<&Step> = steps.iter().filter(|step| step.kind != StepKind::Add).collect();
    let fix = match &facts.in_force {
        Some(service) => service.command("refresh"),
        None => format!("run `ipseckey reconcile --keep-others {}`", shell_word(facts.file)),
    };
    for step in differing.iter().take(LIMIT) {
        let line = step.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        findings
            .problem("SAs", format!("{}{line} differs from the file: {}", step.id(), describe(step)), &*fix)
            .because("the file was changed after it was loaded, or another program has changed the SA");
    }
    if differing.len() > LIMIT {
        findings.problem("SAs", format!("{} more differ from the file", counted(differing.len() - LIMIT, "SA")), fix);
    }
}

fn describe(step: &Step) -> String {
    let each = step.change.differences.iter().map(|difference| {
        if KEY_FIELDS.contains(&difference.field) {
            format!("another {}", difference.field)
        } else {
            format!("{} {}, in the file {}", difference.field, difference.from, difference.to)
        }
    });
    each.collect::<Vec<_>>().join("; ")
}
