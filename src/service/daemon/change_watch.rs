//! Watches the SADB and the policies for removals by other processes.

use super::sadb_watch::{Alive, SadbWatch};
use super::thread::StartError;
use crate::sadb::changes::Change;
use crate::sadb::{Sadb, SadbError, SadbTarget};

/// Starts the thread. It calls `report` for each change; an error is the last call.
pub(super) fn start(
    sadb: &SadbTarget,
    report: impl Fn(Result<Change, SadbError>) + Clone + Send + 'static,
) -> Result<SadbWatch, StartError> {
    let lost = report.clone();
    let wait = move |sadb: &mut dyn Sadb, alive: &Alive| sadb.watch_changes(&mut |change| alive.then(|| report(Ok(change))));
    SadbWatch::start("changes", sadb, wait, move |error| lost(Err(error)))
}
