//! The SADB's refusal of a request as a diagnostic.

use crate::keyfile::{Diagnostic, Location, Verb};
use crate::names::{diagnostics, sa_types};
use crate::sa::{self, Request, SaType};
use crate::sadb::SadbError;

/// Whether ESRCH is about the SA of the command, rather than about the one that it is to be paired with.
fn is_about_own_sa(verb: Verb, diagnostic: sa::DiagnosticCode) -> bool {
    match verb {
        Verb::Get | Verb::Delete => true,
        // With a diagnostic code the missing SA is the paired one.
        Verb::Update | Verb::UpdatePair | Verb::DeletePair => diagnostic.0 == 0,
        _ => false,
    }
}

/// Which SA, why, and what to do.
pub(super) fn refusal(verb: Verb, request: &Request, error: &SadbError, location: Location) -> Diagnostic {
    let sa = match request.id() {
        Some(id) => format!("{} SA with spi {} and dst {}", sa_type_word(id.sa_type), id.spi, id.dst),
        None => format!("{} SA with spi {}", sa_type_word(request.sa_type), request.spi),
    };
    let text = match error {
        error if error.is_already_present() => format!("{sa} already exists"),
        SadbError::Refused { diagnostic, .. } if error.is_missing() && is_about_own_sa(verb, *diagnostic) => {
            format!("{sa} does not exist")
        }
        // The text before the identity is that of ipseckey(1M), as scripts may search for it.
        SadbError::Refused { errno: EINVAL, diagnostic, .. } if diagnostic.0 != 0 => {
            let detail = diagnostics::text(*diagnostic);
            format!("One of the entered values is incorrect: Diagnostic code {}: {detail} ({sa})", diagnostic.0)
        }
        error => format!("{sa}: {error}"),
    };
    let help = match error {
        error if error.is_already_present() => Some(
            "delete it first, or choose another SPI: SAs are identified by protocol, SPI and destination, not by the source"
                .to_owned(),
        ),
        SadbError::Refused { diagnostic, .. } if error.is_missing() => {
            next_step(*diagnostic).or_else(|| Some("`ipseckey dump` lists the SAs".to_owned()))
        }
        SadbError::Refused { diagnostic, .. } => next_step(*diagnostic),
        _ => None,
    };
    Diagnostic::refused(location, text, help)
}

fn sa_type_word(sa_type: SaType) -> String {
    sa_types::by_number(sa_type).map_or_else(|| sa_type.0.to_string(), |row| row.word.to_owned())
}

fn next_step(diagnostic: sa::DiagnosticCode) -> Option<String> {
    diagnostics::by_code(diagnostic).filter(|row| !row.next.is_empty()).map(|row| row.next.to_owned())
}

/// The same on Linux and illumos.
const EINVAL: i32 = 22;
