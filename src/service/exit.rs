//! Exit codes: one table, a row for each reason, a column for each world.
//!
//! Elsewhere than under SMF they are those of sysexits(3) that systemd knows by name; SMF's are in smf_method(7).

use crate::service::config::supervisor::World;

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// All done.
    Done,
    /// The SADB refused some of the commands; the others are applied.
    Refused,
    /// The SADB is not as it should be: SAs that were added are gone, or a plan has steps.
    Drift,
    /// Wrong options or arguments.
    Usage,
    /// The keys file or manual-key.toml is missing or wrong: maintenance until somebody mends it.
    Configuration,
    /// The keys file is not private.
    Insecure,
    /// A privilege or permission is missing.
    Permission,
    /// There is no SADB to talk to, or it went away.
    NoSadb,
    /// Called as an SMF method, but without the environment of one.
    NoSmf,
    /// Anything else.
    Other,
}

/// One row: the reason, its code under systemd and by hand, its code under SMF.
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
    /// The exit code of this reason in `world`.
    #[must_use]
    pub(crate) fn code(self, world: &World) -> u8 {
        let row = TABLE.iter().find(|(reason, ..)| *reason == self);
        match (row, world) {
            (Some((_, _, smf)), World::Smf { .. }) => *smf,
            (Some((_, elsewhere, _)), _) => *elsewhere,
            (None, _) => 1,
        }
    }

    /// A reason with that code, elsewhere than under SMF. Reasons that share a code are not told apart.
    #[must_use]
    pub(crate) fn of_code(code: u8) -> Self {
        TABLE.iter().find(|(_, elsewhere, _)| *elsewhere == code).map_or(Self::Other, |(reason, ..)| *reason)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_one_row() {
        let reasons: HashSet<Reason> = TABLE.iter().map(|(reason, ..)| *reason).collect();
        assert_eq!(reasons.len(), TABLE.len());
        assert!(reasons.contains(&Reason::Other));
    }

    #[test]
    fn only_success_is_zero_and_smf_codes_are_its_own() {
        for (reason, elsewhere, smf) in TABLE {
            assert_eq!(*elsewhere == 0, *reason == Reason::Done);
            assert!([0, 95, 96, 99, 100].contains(smf), "{reason:?}");
        }
    }

    #[test]
    fn a_configuration_error_in_each_world() {
        let smf = World::Smf { fmri: "svc:/network/ipsec/manual-key:default".to_owned() };
        assert_eq!(Reason::Configuration.code(&World::Plain), 78);
        assert_eq!(Reason::Configuration.code(&World::Systemd), 78);
        assert_eq!(Reason::Configuration.code(&smf), 96);
    }
}
