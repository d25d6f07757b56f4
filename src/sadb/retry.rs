//! Retries of requests that a kernel refuses for a moment.
//!
//! Linux, while it loads a module: if several processes load an algorithm at boot, it counts as missing during its self-test
//! (`crypto_alg_mod_lookup` in crypto/api.c returns EAGAIN, which xfrm_algo.c turns into ENOSYS). illumos, while another process
//! flushes or dumps: only one FLUSH or DUMP is carried out at a time in the whole system, and another one is refused with
//! ENOMEM (`keysock_do_flushdump` in keysock.c).

use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::sadb::SadbError;

/// Pauses before the retries of one client, 1.3 s in total: a module has loaded by then, and an algorithm that is really missing
/// does not delay every SA of a file.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1000)];

/// Linux: errnos for a module or algorithm that is missing or still loading.
pub(super) const LOADING: &[Errno] =
    &[Errno::ENOSYS, Errno::EPROTONOSUPPORT, Errno::ENOENT, Errno::EAGAIN, Errno::ETIMEDOUT];

/// illumos: the errno of FLUSH and DUMP while another one is carried out.
pub(super) const OTHER_DUMP: &[Errno] = &[Errno::ENOMEM];

/// The number of retries that a client has used.
#[derive(Debug)]
pub(super) struct RetryBudget {
    transient: &'static [Errno],
    used: usize,
}

impl RetryBudget {
    /// Retries after the errors `transient`.
    pub(super) fn new(transient: &'static [Errno]) -> Self {
        Self { transient, used: 0 }
    }

    /// Whether to retry the request after `error`. Pauses before it returns `true`.
    pub(super) fn should_retry(&mut self, error: &SadbError) -> bool {
        let Some(pause) = PAUSES.get(self.used).filter(|_| self.is_transient(error)) else { return false };
        self.used += 1;
        thread::sleep(*pause);
        true
    }

    fn is_transient(&self, error: &SadbError) -> bool {
        matches!(error, SadbError::Refused { errno, .. } if self.transient.contains(&Errno::from_raw(*errno)))
    }
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
        let mut retry_budget = RetryBudget::new(LOADING);
        let tries = (0..100).filter(|_| retry_budget.should_retry(&refused(Errno::ENOSYS))).count();
        assert_eq!(tries, PAUSES.len());
    }

    #[test]
    fn should_retry_refuses_other_errnos() {
        let mut retry_budget = RetryBudget::new(LOADING);
        for errno in [Errno::EEXIST, Errno::EINVAL, Errno::EPERM, Errno::ESRCH] {
            assert!(!retry_budget.should_retry(&refused(errno)), "{errno}");
        }
        assert!(!retry_budget.should_retry(&SadbError::OutcomeUnknown));
    }
}
