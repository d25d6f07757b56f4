//! Watches the SADB and the policies for removals by other processes.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use super::thread::{StartError, spawn};
use crate::sadb::changes::Change;
use crate::sadb::{SadbError, SadbTarget};

/// Handle of the watching thread. After it is dropped the thread reports nothing, and ends with the next message.
pub(super) struct ChangeWatch {
    sadb: SadbTarget,
    _alive: Arc<()>,
}

impl ChangeWatch {
    /// Calls `report` for each change; an error is the last call.
    pub(super) fn start(
        sadb: &SadbTarget,
        report: impl Fn(Result<Change, SadbError>) + Send + 'static,
    ) -> Result<Self, StartError> {
        let alive = Arc::new(());
        let (is_alive, target) = (Arc::downgrade(&alive), sadb.clone());
        spawn("changes", move || watch(&target, &is_alive, &report))?;
        Ok(Self { sadb: sadb.clone(), _alive: alive })
    }

    pub(super) fn sadb(&self) -> &SadbTarget {
        &self.sadb
    }
}

fn watch(target: &SadbTarget, alive: &Weak<()>, report: &dyn Fn(Result<Change, SadbError>)) {
    let is_alive = || alive.strong_count() > 0;
    let watched = target.open().and_then(|mut sadb| {
        sadb.watch_changes(&mut |change| {
            if !is_alive() {
                return ControlFlow::Break(());
            }
            report(Ok(change));
            ControlFlow::Continue(())
        })
    });
    if let (Err(error), true) = (watched, is_alive()) {
        report(Err(error));
    }
}
