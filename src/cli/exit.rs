//! Exit statuses of `ipseckey`, on the shell's side and under SMF.

use std::process::ExitCode;

/// Set by SMF for the methods of a service (smf_method(7)).
pub(super) const SMF_FMRI: &str = "SMF_FMRI";

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All done.
    Done,
    /// Something failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// Nothing failed, and there is something to do.
    Pending,
}

impl From<Exit> for ExitCode {
    /// SMF's numbers are those of smf_method(7): a file run under SMF never comes here, it is the service's work.
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
