//! Exit statuses of `ipseckey`, for a shell and under SMF.

use std::process::ExitCode;

/// Set by SMF for the methods of a service (smf_method(7)).
pub(super) const SMF_FMRI: &str = "SMF_FMRI";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    /// The arguments are not valid.
    Usage,
    /// `plan` has found differences.
    Pending,
}

impl From<Exit> for ExitCode {
    /// Under SMF every failure is SMF_EXIT_ERR_FATAL (95, smf_method(7)). Only the other forms than `-f` and `-c` come here: under
    /// SMF the service runs these two.
    fn from(exit: Exit) -> Self {
        let under_smf = std::env::var_os(SMF_FMRI).is_some();
        Self::from(match (exit, under_smf) {
            (Exit::Done, _) => 0,
            (Exit::Failed, false) => 1,
            (Exit::Usage, false) => 2,
            (Exit::Pending, false) => 3,
            (Exit::Failed | Exit::Usage | Exit::Pending, true) => 95,
        })
    }
}
