//! `-c`: errors about commands that are well-formed, but that the SADB will refuse whatever it holds.

use super::refusal::refusal;
use crate::apply::aim_at;
use crate::keyfile::{Code, Command, Diagnostic, ParsedCommand, Rejected, SaCommand, Severity, Verb};
use crate::sadb::{AddCheck, SadbTarget};

/// Warnings that the SADB turns into a refusal.
const SURE_TO_BE_REFUSED: &[Code] = &[Code::DuplicateSa, Code::KeyLength, Code::IllumosRefuses];

pub(super) struct ExpectedRefusals(AddCheck);

/// Whether the answer of illumos depends on the addresses of the host.
fn depends_on_addresses(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.code == Code::BothTables)
}

impl ExpectedRefusals {
    pub(super) fn new(target: &SadbTarget) -> Self {
        Self(AddCheck::new(target))
    }

    /// Rejects `item` if the SADB will refuse it. Called after the warnings have been added.
    pub(super) fn check(&mut self, item: &mut ParsedCommand) {
        let is_sure = |diagnostic: &&mut Diagnostic| SURE_TO_BE_REFUSED.contains(&diagnostic.code);
        let mut is_refused = false;
        for diagnostic in item.diagnostics.iter_mut().filter(is_sure) {
            diagnostic.severity = Severity::Error;
            is_refused = true;
        }
        let location = item.location;
        // One error for each command: the warning has the place of the value, and the SADB would say the same.
        if let Ok(Command::Sa(command)) = &mut item.outcome
            && !is_refused
            && command.verb == Verb::Add
            && !depends_on_addresses(&item.diagnostics)
            && let Some((request, error)) = self.first_refusal(command)
        {
            let refused = refusal(Verb::Add, request, &error, location);
            let weak = item.diagnostics.iter_mut().find(|found| found.code == Code::WeakKey);
            match weak.filter(|_| refused.message.contains("weak")) {
                Some(weak) => weak.severity = Severity::Error,
                None => item.diagnostics.push(refused),
            }
            is_refused = true;
        }
        if is_refused {
            item.outcome = Err(Rejected);
        }
    }

    /// The first of the targets that will be refused.
    fn first_refusal<'c>(&mut self, command: &'c mut SaCommand) -> Option<(&'c crate::sa::Request, crate::sadb::SadbError)> {
        let targets = command.targets.clone();
        for target in targets {
            aim_at(&mut command.request, target);
            if let Some(error) = self.0.refusal(&command.request) {
                return Some((&command.request, error));
            }
        }
        None
    }
}
