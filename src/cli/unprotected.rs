//! After a load on Linux: whether policies use the SAs that the keys file has added.

use std::ops::ControlFlow;
use std::path::Path;

use crate::policy::PolicySa;
use crate::policy::coverage::Coverage;
use crate::redact::shell_word;
use crate::sa::{Request, SaType};
use crate::sadb::{Sadb, SadbError};
use crate::sys::net::interfaces::local_addresses;
use crate::sys::time::unix_now;

/// Counts the SAs that no policy uses, while they are added. A load changes no policies, so that one list of them is enough.
pub(super) struct ProtectionCheck {
    coverage: Option<Coverage>,
    is_prepared: bool,
    /// Whether a command after an addition may have removed SAs.
    may_have_removed: bool,
    /// In seconds since 1970.
    started: u64,
}

impl ProtectionCheck {
    pub(super) fn new() -> Self {
        Self { coverage: None, is_prepared: false, may_have_removed: false, started: unix_now() }
    }

    /// Lists the policies, before the first addition.
    pub(super) fn prepare(&mut self, sadb: &mut dyn Sadb) {
        if !std::mem::replace(&mut self.is_prepared, true) {
            // Without a list nothing can be said; what is wrong with the kernel's interface the load itself reports.
            self.coverage = coverage(sadb).ok().flatten();
        }
    }

    /// Whether SAs were added to an SADB with policies.
    pub(super) fn has_policies(&self) -> bool {
        self.coverage.is_some()
    }

    pub(super) fn added(&mut self, request: &Request) {
        if let (Some(coverage), Some(sa)) = (&mut self.coverage, PolicySa::of_request(request)) {
            coverage.note(&sa);
        }
    }

    /// For a command that is not an addition.
    pub(super) fn other_command(&mut self) {
        self.may_have_removed |= self.coverage.is_some();
    }

    /// The warning about the SAs that `file` has added; `None` if policies use all.
    pub(super) fn warning(mut self, file: &Path, sadb: &mut dyn Sadb) -> Option<String> {
        if self.may_have_removed {
            self.coverage = self.recount(sadb).ok().flatten();
        }
        let (unprotected, _) = self.coverage?.finish();
        if unprotected.count == 0 {
            return None;
        }
        let file = shell_word(file);
        let fix = format!("manual-key start --policy from-sas --config-file {file}");
        Some(format!("warning: {unprotected}; to protect it: {fix}"))
    }

    /// Counts the SAs that the SADB has from this load.
    fn recount(&self, sadb: &mut dyn Sadb) -> Result<Option<Coverage>, SadbError> {
        let Some(mut coverage) = coverage(sadb)? else { return Ok(None) };
        sadb.dump(SaType::UNSPEC, &mut |message| {
            if message.add_time() >= self.started {
                PolicySa::of_message(message).iter().for_each(|sa| coverage.note(sa));
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(coverage))
    }
}

fn coverage(sadb: &mut dyn Sadb) -> Result<Option<Coverage>, SadbError> {
    let Some(spd) = sadb.spd() else { return Ok(None) };
    let policies = spd.policies()?.into_iter().map(|listed| listed.policy).collect();
    // Without addresses the direction of an SA is unknown, and any policy for its packets counts.
    Ok(Some(Coverage::new(policies, local_addresses().unwrap_or_default())))
}
