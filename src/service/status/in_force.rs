//! The settings of the last load: other programs compare with what the service has read, not with a file that has changed since.

use std::path::Path;

use super::state::StateRecord;
use crate::policy::derive::Rules;
use crate::service::config::dirs;
use crate::service::load::outcome::State;
use crate::sys::net::interfaces::network_namespace;

/// The last load of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// Whether it installs policies.
    pub(crate) from_sas: bool,
    /// Those of the policies that it installs.
    pub(crate) rules: Rules,
    /// The log line of the load, if it was not complete.
    pub(crate) failure: Option<String>,
    /// The daemon's process ID, while it is online.
    pub(crate) pid: Option<u32>,
    instance: Option<String>,
}

impl InForce {
    /// A command line of `manual-key` for this instance, to be run: `run ` and the command in backquotes.
    pub(crate) fn command(&self, method: &str) -> String {
        match &self.instance {
            Some(name) => {
                format!("run `systemctl {} manual-key@{name}`", if method == "refresh" { "reload" } else { method })
            }
            None => format!("run `manual-key {method}`"),
        }
    }
}

/// The service whose keys file is `file`, or the one without a name, if it runs with another file. `None` if it has not been started
/// in this network namespace since boot, or was stopped.
pub(crate) fn in_force(file: &Path) -> Option<InForce> {
    let own = dirs::runtime(&|name| std::env::var_os(name));
    let of_own = read(&own);
    let is_of_file = |(_, record): &(_, StateRecord)| record.file.as_deref().is_some_and(|name| Path::new(name) == file);
    let others = || dirs::runtimes_of_others(&own).into_iter().filter_map(|directory| read(&directory));
    let found = of_own.clone().filter(is_of_file).or_else(|| others().find(is_of_file)).or(of_own);
    found.map(|(instance, record)| {
        let is_complete = matches!(record.state, State::Online | State::Starting);
        InForce {
            from_sas: record.from_sas,
            rules: record.rules,
            failure: (!is_complete).then_some(record.reason),
            pid: record.pid,
            instance,
        }
    })
}

/// The name of the instance, and its state.
fn read(directory: &Path) -> Option<(Option<String>, StateRecord)> {
    let record = StateRecord::read(directory).ok()??;
    let is_here = record.is_trusted && record.namespace == network_namespace();
    let instance = dirs::instance_of(directory).map(str::to_owned);
    (is_here && record.state != State::Disabled).then_some((instance, record))
}
