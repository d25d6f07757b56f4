//! Exit codes: one table, a row for each reason, a column for each set of codes.

use std::io;

use crate::sadb::SadbError;

/// Why the program exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    Done,
    /// The SADB refused some of the commands; the others are applied.
    Refused,
    /// Desired and actual state differ: SAs are missing, or a plan has steps.
    Drift,
    /// Wrong options or arguments.
    Usage,
    /// The keys file or manual-key.toml is missing or has errors: maintenance until an administrator fixes it.
    Configuration,
    /// The keys file is not private.
    Insecure,
    /// A privilege or permission is missing.
    Permission,
    /// There is no SADB, or the connection to it broke.
    NoSadb,
    /// Called as an SMF method without the environment of one.
    NoSmf,
    Other,
}

/// The sets of exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCodes {
    /// Those of sysexits(3), which systemd shows by name.
    Sysexits,
    Smf,
}

/// Reason, sysexits code, SMF code.
type Row = (Reason, u8, u8);

const TABLE: &[Row] = &[
    (Reason::Done, 0, 0),
    (Reason::Refused, 1, 95),
    (Reason::Usage, 2, 96),
    (Reason::Drift, 3, 95),
    (Reason::Configuration, 78, 96),
    (Reason::Insecure, 77, 96),
    (Reason::Permission, 77, 100),
    (Reason::NoSadb, 69, 95),
    (Reason::NoSmf, 99, 99),
    (Reason::Other, 1, 95),
];

impl Reason {
    pub(crate) fn code(self, codes: ExitCodes) -> u8 {
        let row = TABLE.iter().find(|(reason, ..)| *reason == self);
        row.map_or(1, |(_, sysexits, smf)| match codes {
            ExitCodes::Sysexits => *sysexits,
            ExitCodes::Smf => *smf,
        })
    }

    /// The first reason with this sysexits code: reasons that share a code cannot be distinguished.
    pub(crate) fn of_code(code: u8) -> Self {
        TABLE.iter().find(|(_, sysexits, _)| *sysexits == code).map_or(Self::Other, |(reason, ..)| *reason)
    }

    /// [`Reason::Permission`] and [`Reason::NoSadb`] make further commands useless; [`Reason::Refused`] is about one command.
    pub(crate) fn of_sadb_error(error: &SadbError) -> Self {
        /// EPERM and EACCES have these numbers on Linux and illumos.
        const NOT_PERMITTED: [i32; 2] = [1, 13];
        match error {
            SadbError::Unavailable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Self::Permission,
            SadbError::Refused { errno, .. } if NOT_PERMITTED.contains(errno) => Self::Permission,
            SadbError::Unavailable { .. } | SadbError::Io(_) | SadbError::Timeout { .. } | SadbError::OutcomeUnknown => {
                Self::NoSadb
            }
            SadbError::Refused { .. } | SadbError::Unsupported(_) | SadbError::BadReply(_) => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sa::DiagnosticCode;

    #[test]
    fn every_reason_has_one_row() {
        let reasons: HashSet<Reason> = TABLE.iter().map(|(reason, ..)| *reason).collect();
        assert_eq!(reasons.len(), TABLE.len());
        assert!(reasons.contains(&Reason::Other));
    }

    #[test]
    fn code_is_zero_for_done_only_and_smf_has_its_own() {
        for (reason, sysexits, smf) in TABLE {
            assert_eq!(*sysexits == 0, *reason == Reason::Done);
            assert!([0, 95, 96, 99, 100].contains(smf), "{reason:?}");
        }
    }

    #[test]
    fn code_of_a_configuration_error() {
        assert_eq!(Reason::Configuration.code(ExitCodes::Sysexits), 78);
        assert_eq!(Reason::Configuration.code(ExitCodes::Smf), 96);
    }

    #[test]
    fn of_sadb_error_distinguishes_permission_loss_and_refusal() {
        let refused = |errno| SadbError::Refused { errno, diagnostic: DiagnosticCode::default(), text: String::new() };
        assert_eq!(Reason::of_sadb_error(&refused(1)), Reason::Permission);
        assert_eq!(Reason::of_sadb_error(&refused(22)), Reason::Refused);
        assert_eq!(Reason::of_sadb_error(&SadbError::Timeout { seconds: 10 }), Reason::NoSadb);
        let closed = SadbError::Unavailable { what: String::new(), source: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(Reason::of_sadb_error(&closed), Reason::Permission);
    }
}
