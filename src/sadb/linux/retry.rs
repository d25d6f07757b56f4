//! Retries of requests that the kernel refuses while it loads a module. If several processes load an algorithm at boot, it counts
//! as missing during its self-test (`crypto_alg_mod_lookup` in crypto/api.c returns EAGAIN, which xfrm_algo.c turns into
//! ENOSYS).

use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::sadb::SadbError;

/// Pauses before the retries of one client, 1.3 s in total: a module has loaded by then, and an algorithm that is really missing
/// does not delay every SA of a file.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1000)];

/// Errnos for a module or algorithm that is missing or still loading.
const TRANSIENT: &[Errno] = &[Errno::ENOSYS, Errno::EPROTONOSUPPORT, Errno::ENOENT, Errno::EAGAIN, Errno::ETIMEDOUT];

/// The number of retries that a client has used.
#[derive(Debug, Default)]
pub(crate) struct RetryBudget {
    used: usize,
}

impl RetryBudget {
    /// Whether to retry the request after `error`. Pauses before it returns `true`.
    pub(crate) fn should_retry(&mut self, error: &SadbError) -> bool {
        let Some(pause) = PAUSES.get(self.used).filter(|_| is_transient(error)) else { return false };
        self.used += 1;
        thread::sleep(*pause);
        true
    }
}

fn is_transient(error: &SadbError) -> bool {
    matches!(error, SadbError::Refused { errno, .. } if TRANSIENT.contains(&Errno::from_raw(*errno)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::DiagnosticCode;

    fn refused(errno: Errno) -> SadbError {
        SadbError::Refused { errno: errno as i32, diagnostic: DiagnosticCode::default(), text: String::new() }
    }

    #[test]
    fn should_retry_until_the_budget_is_used() {
        let mut retry_budget = RetryBudget::default();
        let tries = (0..100).filter(|_| retry_budget.should_retry(&refused(Errno::ENOSYS))).count();
        assert_eq!(tries, PAUSES.len());
    }

    #[test]
    fn should_retry_refuses_other_errnos() {
        let mut retry_budget = RetryBudget::default();
        for errno in [Errno::EEXIST, Errno::EINVAL, Errno::EPERM, Errno::ESRCH] {
            assert!(!retry_budget.should_retry(&refused(errno)), "{errno}");
        }
        assert!(!retry_budget.should_retry(&SadbError::OutcomeUnknown));
    }
}
