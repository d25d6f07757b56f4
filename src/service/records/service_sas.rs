//! The SAs of the service and all of its instances, for `ipseckey`.

use std::path::Path;

use super::owned_sas::OwnedSas;
use crate::sa::SaId;
use crate::service::config::dirs;

/// The records of all instances about this network namespace.
pub(crate) struct ServiceSas(Vec<OwnedSas>);

/// A record that cannot be read has no SAs: they count as another program's.
pub(crate) fn service_sas() -> ServiceSas {
    let own = dirs::runtime(&|name| std::env::var_os(name));
    let others = dirs::runtimes_of_others(&own);
    let directories = std::iter::once(own.as_path()).chain(others.iter().map(AsRef::<Path>::as_ref));
    ServiceSas(directories.filter_map(|directory| OwnedSas::read_other(directory).ok().flatten()).collect())
}

impl ServiceSas {
    /// Whether an instance has added the SA `id` at the second `added`.
    pub(crate) fn has(&self, id: &SaId, added: u64) -> bool {
        self.0.iter().any(|record| record.owns(*id, added))
    }
}
