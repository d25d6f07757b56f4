//! `-c`: errors about commands that are well-formed, but that the SADB will refuse whatever it holds.

use super::refusal::refusal;
use crate::apply::aim_at;
use crate::keyfile::{Code, Command, Diagnostic, ParsedCommand, Rejected, SaCommand, Severity, Verb};
use crate::names::Vocabulary;
use crate::sadb::{AddCheck, SadbTarget};

/// Warnings that the SADB turns into a refusal.
const SURE_TO_BE_REFUSED: &[Code] = &[Code::DuplicateSa, Code::IllumosRefuses];
/// The same for illumos. Linux takes more lengths than are usual.
const SURE_ON_ILLUMOS: &[Code] = &[Code::KeyLength];

/// Warnings that explain a refusal whose text has this word: they have the place of the value.
const EXPLAINED: &[(Code, &str)] = &[(Code::WeakKey, "weak"), (Code::KeyLength, " bits, ")];

pub(super) struct ExpectedRefusals {
    check: AddCheck,
    vocabulary: Vocabulary,
}

/// Whether the answer of illumos depends on the addresses of the host.
fn depends_on_addresses(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.code == Code::BothTables)
}

impl ExpectedRefusals {
    pub(super) fn new(target: &SadbTarget) -> Self {
        Self { check: AddCheck::new(target), vocabulary: target.vocabulary() }
    }

    /// Rejects `item` if the SADB will refuse it. Called after the warnings have been added.
    pub(super) fn check(&mut self, item: &mut ParsedCommand) {
        let on_illumos = if self.vocabulary == Vocabulary::Illumos { SURE_ON_ILLUMOS } else { &[] };
        let is_sure = |diagnostic: &&mut Diagnostic| {
            SURE_TO_BE_REFUSED.contains(&diagnostic.code) || on_illumos.contains(&diagnostic.code)
        };
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
            let explains =
                |found: &&mut Diagnostic| EXPLAINED.iter().any(|row| row.0 == found.code && refused.message.contains(row.1));
            match item.diagnostics.iter_mut().find(explains) {
                Some(found) => found.severity = Severity::Error,
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
            if let Some(error) = self.check.refusal(&command.request) {
                return Some((&command.request, error));
            }
        }
        None
    }
}
