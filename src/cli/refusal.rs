//! The SADB's refusal of a request as a diagnostic.

use crate::keyfile::{Diagnostic, Location, Verb};
use crate::names::{diagnostics, sa_types};
use crate::redact::citable_address;
use crate::sa::{self, Masked, Request, SaType};
use crate::sadb::SadbError;

/// Whether ESRCH is about the SA of the command, rather than about the one that it is to be paired with.
fn is_about_own_sa(verb: Verb, diagnostic: sa::DiagnosticCode) -> bool {
    match verb {
        Verb::Get | Verb::Delete => true,
        // Linux has no diagnostic codes. On illumos another code than this one is about the paired SA.
        Verb::Update | Verb::UpdatePair | Verb::DeletePair => diagnostic.0 == 0 || diagnostic == diagnostics::SA_NOTFOUND,
        Verb::Add => false,
    }
}

/// Which SA, why, and what to do.
pub(super) fn refusal(verb: Verb, request: &Request, error: &SadbError, location: Location) -> Diagnostic {
    let sa = match request.id() {
        Some(id) => format!("{} SA with spi {} and dst {}", sa_type_word(id.sa_type), id.spi, citable_address(id.dst)),
        None => format!("{} SA with spi {}", sa_type_word(request.sa_type), request.spi),
    };
    let text = match error {
        error if error.is_already_present() => format!("{sa} already exists"),
        SadbError::Refused { diagnostic, .. } if error.is_missing() && is_about_own_sa(verb, *diagnostic) => {
            format!("{sa} does not exist")
        }
        // The text before the identity is that of ipseckey(1M), as scripts may search for it. Illumos has diagnostic codes with
        // EINVAL, ESRCH, EPROTOTYPE and EOPNOTSUPP.
        SadbError::Refused { diagnostic, .. } if diagnostic.0 != 0 => {
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
            next_step(verb, request, *diagnostic).or_else(|| Some("`ipseckey dump` lists the SAs".to_owned()))
        }
        SadbError::Refused { diagnostic, .. } => next_step(verb, request, *diagnostic),
        _ => None,
    };
    Diagnostic::refused(location, text, help)
}

/// The diagnostic of a missing SA, if there are SAs that differ from it in nothing but these marks.
pub(super) fn with_marks(diagnostic: Diagnostic, marks: &[Masked]) -> Diagnostic {
    if marks.is_empty() {
        return diagnostic;
    }
    let words: Vec<String> = marks.iter().map(|mark| format!("`mark {:#x}/{:#x}`", mark.value, mark.mask)).collect();
    let words = words.join(" or ");
    diagnostic.help(format!("an SA with this SPI and destination has a mark, which is part of its identity: add {words}"))
}

/// The diagnostic of an SA that exists already and is not this program's or the service's.
pub(super) fn of_foreign_sa(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help(
        "another program has added it, such as an IKE daemon: choose another SPI; SAs are identified by protocol, SPI and \
         destination, not by the source",
    )
}

fn sa_type_word(sa_type: SaType) -> String {
    sa_types::by_number(sa_type).map_or_else(|| sa_type.0.to_string(), |row| row.word.to_owned())
}

/// What to do about a refusal. Some codes have another reason for an update than for an addition.
fn next_step(verb: Verb, request: &Request, diagnostic: sa::DiagnosticCode) -> Option<String> {
    let updates = matches!(verb, Verb::Update | Verb::UpdatePair);
    if updates && diagnostic == diagnostics::BAD_SASTATE {
        let next = if request.replay_value.is_some() {
            "illumos changes the replay value only of SAs that are neither larval nor mature: delete the SA and add it again"
        } else {
            "an update cannot change the state: remove `state`, or delete the SA"
        };
        return Some(next.to_owned());
    }
    diagnostics::by_code(diagnostic).filter(|row| !row.next.is_empty()).map(|row| row.next.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::errnos::{EINVAL, EOPNOTSUPP, EPROTOTYPE, ESRCH};
    use crate::sa::{DiagnosticCode, Spi};

    /// Message and help for a refusal with that errno and diagnostic code.
    fn refused(verb: Verb, request: Request, errno: u8, diagnostic: u16) -> (String, String) {
        let diagnostic = DiagnosticCode(diagnostic);
        let error = SadbError::Refused { errno: errno.into(), diagnostic, text: "the errno's text".to_owned() };
        let request = Request { sa_type: SaType::ESP, spi: Spi(0x20), ..request };
        let found = refusal(verb, &request, &error, Location::default());
        (found.message, found.help.unwrap_or_default())
    }

    #[test]
    fn refusal_tells_the_diagnostic_code_with_every_errno() {
        for (verb, errno, code, text, help) in [
            (
                Verb::Add,
                EPROTOTYPE,
                67,
                "inner addresses are of different families",
                "proto 4 is for IPv4 inside the tunnel",
            ),
            (Verb::Add, EINVAL, 73, "these SAs cannot be paired", "`inbound`"),
            (Verb::Add, EOPNOTSUPP, 81, "invalid replay value", ""),
            (Verb::UpdatePair, ESRCH, 76, "the SA is not paired", "updated or deleted"),
            (Verb::Add, EINVAL, 43, "SA state not allowed", "add SAs as mature"),
            (Verb::Update, EINVAL, 43, "SA state not allowed", "an update cannot change the state"),
        ] {
            let (message, next) = refused(verb, Request::default(), errno, code);
            assert!(message.contains(&format!("Diagnostic code {code}: {text}")), "{message}");
            assert!(next.contains(help), "{next}");
        }
    }

    #[test]
    fn refusal_of_an_update_of_the_replay_value_says_which_sas_have_it() {
        let request = Request { replay_value: Some(5), ..Request::default() };
        let (_, help) = refused(Verb::Update, request, EINVAL, 43);
        assert!(help.contains("neither larval nor mature"), "{help}");
    }

    #[test]
    fn with_marks_names_the_missing_keyword() {
        let missing = || Diagnostic::refused(Location::default(), "no SA", Some("`ipseckey dump`".to_owned()));
        assert_eq!(with_marks(missing(), &[]).help.as_deref(), Some("`ipseckey dump`"));
        let marks = [Masked { value: 5, mask: 255 }, Masked { value: 6, mask: u32::MAX }];
        let help = with_marks(missing(), &marks).help.unwrap_or_default();
        assert!(help.ends_with("add `mark 0x5/0xff` or `mark 0x6/0xffffffff`"), "{help}");
    }

    #[test]
    fn refusal_says_that_the_sa_of_the_command_does_not_exist() {
        for verb in [Verb::Get, Verb::Delete, Verb::Update, Verb::UpdatePair, Verb::DeletePair] {
            for code in [0, 78] {
                let (message, help) = refused(verb, Request::default(), ESRCH, code);
                assert!(message.ends_with("SA with spi 0x20 does not exist"), "{message}");
                assert!(help.contains("`ipseckey dump` lists"), "{help}");
            }
        }
    }
}
