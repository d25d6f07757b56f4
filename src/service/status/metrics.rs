//! `manual-key status --openmetrics`: the state of the service, and the SAs of its SADB.

use std::fmt::Display;
use std::io;

use super::problem::Level;
use super::report::Report;
use crate::links::exposition::{Exposition, Family};
use crate::links::{Links, metrics, xfrm_stat};
use crate::sadb::SadbTarget;
use crate::service::load::outcome::State;
use crate::sys::net::interfaces::local_addresses;
use crate::sys::time::unix_now;

const BUILD: Family = Family::gauge("ipsec_build_info", "", "1, with the version of the program");
const STATE: Family = Family::gauge("ipsec_service_state", "", "1 for the state of the service, 0 for the others");
const SINCE: Family = Family::gauge(
    "ipsec_service_state_timestamp_seconds",
    "seconds",
    "When the service entered its state, in seconds since 1970",
);
const PROBLEMS: Family = Family::gauge("ipsec_service_problems", "", "Problems of the service, by level");
const SAS: Family = Family::gauge(
    "ipsec_service_sas",
    "",
    "SAs in the SADB that the service has added (owned) or not (foreign), and missing ones",
);
const CHANGED: Family =
    Family::gauge("ipsec_keys_file_changed", "", "Whether the keys file has changed since it was loaded");
const LOADED: Family = Family::gauge(
    "ipsec_keys_file_loaded_timestamp_seconds",
    "seconds",
    "When the keys file was loaded last, in seconds since 1970",
);
const KEYS_CHANGE: Family = Family::gauge(
    "ipsec_keys_change_timestamp_seconds",
    "seconds",
    "When the keys of a key chain change next, in seconds since 1970",
);
const KEYS_LEFT: Family =
    Family::gauge("ipsec_keys_left", "", "Keys after the present one, of the key chain that ends first");
const KEYS_END: Family =
    Family::gauge("ipsec_keys_end_timestamp_seconds", "seconds", "When the first key chain ends, in seconds since 1970");
const READABLE: Family = Family::gauge("ipsec_sadb_readable", "", "Whether the SADB could be read");

const STATES: [State; 5] = [State::Starting, State::Online, State::Degraded, State::Maintenance, State::Disabled];
const LEVELS: [Level; 3] = [Level::Critical, Level::Unknown, Level::Warning];

/// Writes the metrics of the service `unit`; with `has_sas` also those of all SAs in its SADB.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(exposition: &mut Exposition<'_>, report: &Report, unit: &str, has_sas: bool) -> io::Result<()> {
    exposition.sample(&BUILD, &[("unit", &unit), ("version", &env!("CARGO_PKG_VERSION"))], 1)?;
    write_state(exposition, report, unit)?;
    let links = read_links(report);
    exposition.sample(&READABLE, &[("unit", &unit)], links.is_some().into())?;
    match links.filter(|_| has_sas) {
        Some(links) => {
            // The counters of this system are not those of a stand-in.
            let of_system = report.target.as_ref().is_some_and(SadbTarget::is_of_system);
            metrics::write(exposition, &links, &if of_system { xfrm_stat() } else { String::new() })
        }
        None => Ok(()),
    }
}

fn write_state(exposition: &mut Exposition<'_>, report: &Report, unit: &str) -> io::Result<()> {
    let mut gauge = |family: &Family, label: Option<(&str, &dyn Display)>, value: u64| {
        let labels: Vec<(&str, &dyn Display)> = std::iter::once(("unit", &unit as &dyn Display)).chain(label).collect();
        exposition.sample(family, &labels, value)
    };
    if let Some(current) = report.state {
        STATES.iter().try_for_each(|state| gauge(&STATE, Some(("state", &state.word())), (*state == current).into()))?;
    }
    report.since.into_iter().try_for_each(|since| gauge(&SINCE, None, since))?;
    for level in LEVELS {
        let count = report.problems.iter().filter(|problem| problem.level == level).count();
        gauge(&PROBLEMS, Some(("level", &level.to_string().to_lowercase())), count as u64)?;
    }
    if let Some(sas) = &report.sas {
        for (kind, count) in [("owned", sas.owned), ("foreign", sas.foreign), ("missing", sas.missing)] {
            gauge(&SAS, Some(("kind", &kind)), count as u64)?;
        }
    }
    report.changed.into_iter().try_for_each(|changed| gauge(&CHANGED, None, changed.into()))?;
    report.loaded.into_iter().try_for_each(|loaded| gauge(&LOADED, None, loaded))?;
    report.keys_change.into_iter().try_for_each(|change| gauge(&KEYS_CHANGE, None, change))?;
    report
        .key
        .zip(report.keys)
        .into_iter()
        .try_for_each(|(key, count)| gauge(&KEYS_LEFT, None, count.saturating_sub(key) as u64))?;
    report.keys_end.into_iter().try_for_each(|end| gauge(&KEYS_END, None, end))
}

/// The links of the SADB that the service uses; `None` if it cannot be read.
fn read_links(report: &Report) -> Option<Links> {
    let target = report.target.as_ref()?;
    let local = if target.is_of_system() { local_addresses().ok() } else { None };
    Links::read(&mut *target.open().ok()?, local, unix_now()).ok()
}
