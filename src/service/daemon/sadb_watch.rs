//! A thread that waits for messages of an SADB.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use super::thread::{StartError, spawn};
use crate::sadb::{Sadb, SadbError, SadbTarget};

/// Handle of the watching thread. After it is dropped the thread reports nothing, and ends with the next message.
pub(super) struct SadbWatch {
    sadb: SadbTarget,
    _alive: Arc<()>,
}

/// Whether the handle of a watching thread exists.
pub(super) struct Alive(Weak<()>);

impl Alive {
    /// Calls `report` unless the handle is gone, which ends the wait.
    pub(super) fn then(&self, report: impl FnOnce()) -> ControlFlow<()> {
        if self.0.strong_count() == 0 {
            return ControlFlow::Break(());
        }
        report();
        ControlFlow::Continue(())
    }
}

impl SadbWatch {
    /// Starts the thread `name`, which calls `wait` with the open SADB. `lost` gets the error that has ended it.
    pub(super) fn start(
        name: &'static str,
        sadb: &SadbTarget,
        wait: impl FnOnce(&mut dyn Sadb, &Alive) -> Result<(), SadbError> + Send + 'static,
        lost: impl FnOnce(SadbError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let alive = Arc::new(());
        let (is_alive, target) = (Alive(Arc::downgrade(&alive)), sadb.clone());
        spawn(name, move || {
            if let Err(error) = target.open().and_then(|mut sadb| wait(&mut *sadb, &is_alive)) {
                // A watch that was replaced ends without a report: its SADB is not in use any more.
                let _ = is_alive.then(|| lost(error));
            }
        })?;
        Ok(Self { sadb: sadb.clone(), _alive: alive })
    }

    /// Whether it watches `sadb`.
    pub(super) fn is_of(&self, sadb: &SadbTarget) -> bool {
        self.sadb == *sadb
    }
}
