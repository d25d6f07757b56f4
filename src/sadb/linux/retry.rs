//! A second try for what a kernel refuses only because it is still loading: at boot others load the same modules, and an algorithm
//! that is being tested just then counts as missing (`crypto_alg_mod_lookup` in crypto/api.c says EAGAIN, and xfrm_algo.c
//! makes that "not found").

use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::sadb::SadbError;

/// The pauses before further tries. An SADB has them once, however much it refuses: what is really missing costs no more than
/// that, and what loads has loaded by then.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1000)];

/// What a kernel says of a module or an algorithm that it does not have, or not yet.
const MAY_PASS: &[Errno] = &[Errno::ENOSYS, Errno::EPROTONOSUPPORT, Errno::ENOENT, Errno::EAGAIN, Errno::ETIMEDOUT];

/// How often a client of a kernel has tried again.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    spent: usize,
}

impl Patience {
    /// Whether to add or change the SA once more after `error`; pauses before it says yes.
    pub(crate) fn tries_again(&mut self, error: &SadbError) -> bool {
        let Some(pause) = PAUSES.get(self.spent).filter(|_| may_pass(error)) else { return false };
        self.spent += 1;
        thread::sleep(*pause);
        true
    }
}

fn may_pass(error: &SadbError) -> bool {
    matches!(error, SadbError::Refused { errno, .. } if MAY_PASS.contains(&Errno::from_raw(*errno)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::DiagnosticCode;

    fn refused(errno: Errno) -> SadbError {
        SadbError::Refused { errno: errno as i32, diagnostic: DiagnosticCode::default(), text: String::new() }
    }

    #[test]
    fn what_is_missing_is_asked_for_a_few_times_and_no_more() {
        let mut patience = Patience::default();
        let tries = (0..100).filter(|_| patience.tries_again(&refused(Errno::ENOSYS))).count();
        assert_eq!(tries, PAUSES.len());
    }

    #[test]
    fn a_refusal_that_is_meant_is_final() {
        let mut patience = Patience::default();
        for errno in [Errno::EEXIST, Errno::EINVAL, Errno::EPERM, Errno::ESRCH] {
            assert!(!patience.tries_again(&refused(errno)), "{errno}");
        }
        assert!(!patience.tries_again(&SadbError::OutcomeUnknown));
    }
}
