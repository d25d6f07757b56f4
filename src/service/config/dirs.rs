//! The directories of the service. Under systemd the unit names them (systemd.exec(5), `RuntimeDirectory=`, `StateDirectory=`).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::supervisor::Environment;

/// Set by systemd to the runtime directories of the unit.
pub(crate) const RUNTIME_VARIABLE: &str = "RUNTIME_DIRECTORY";
const STATE_VARIABLE: &str = "STATE_DIRECTORY";
const RUNTIME: &str = "/run/manual-key";
const STATE: &str = "/var/lib/manual-key";
/// The component of a path that marks it as this service's.
const NAME: &str = "manual-key";

/// The directory whose files are lost at the next boot.
pub(crate) fn runtime(environment: Environment<'_>) -> PathBuf {
    choose(environment, RUNTIME_VARIABLE, RUNTIME)
}

/// The directory whose files survive a boot.
pub(crate) fn state(environment: Environment<'_>) -> PathBuf {
    choose(environment, STATE_VARIABLE, STATE)
}

/// The runtime directory of the instance `name`, as manual-key@.service has it; without a name that of the service.
pub(crate) fn runtime_of(name: Option<&str>, environment: Environment<'_>) -> PathBuf {
    let directory = runtime(environment);
    name.map_or_else(|| directory.clone(), |name| directory.join(name))
}

/// A variable of the environment, as manual-key@.service sets it for the instance `name`.
pub(crate) fn variable_of(name: &str, variable: &str, environment: Environment<'_>) -> Option<OsString> {
    match variable {
        RUNTIME_VARIABLE => Some(runtime(environment).join(name).into_os_string()),
        STATE_VARIABLE => Some(state(environment).join(name).into_os_string()),
        _ => environment(variable),
    }
}

/// The instance whose runtime directory is `directory`.
pub(crate) fn instance_of(directory: &Path) -> Option<&str> {
    directory.strip_prefix(RUNTIME).ok()?.to_str().filter(|name| !name.is_empty())
}

/// The runtime directories of the other instances, if `own` is that of this one: each instance has a directory of its own in
/// that of the service (manual-key@.service).
pub(crate) fn runtimes_of_others(own: &Path) -> Vec<PathBuf> {
    let is_service = |path: &&Path| path.file_name().is_some_and(|name| name == NAME);
    let of_own = own.ancestors().find(is_service);
    let mut services = vec![Path::new(RUNTIME)];
    services.extend(of_own.filter(|service| *service != Path::new(RUNTIME)));
    let mut found = Vec::new();
    for service in services {
        found.push(service.to_owned());
        let entries = fs::read_dir(service).into_iter().flatten().flatten();
        // Not through links: a link would list an instance twice.
        let instances = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(instances.map(|entry| entry.path()));
    }
    found.retain(|directory| directory != own);
    found
}

/// A unit may have several directories, and systemd sorts the list: the first one with a component `manual-key` is used,
/// else the first.
fn choose(environment: Environment<'_>, variable: &str, default: &str) -> PathBuf {
    let list = environment(variable).and_then(|list| list.into_string().ok()).unwrap_or_default();
    let all = || list.split(':').filter(|path| !path.is_empty()).map(Path::new);
    let own = all().find(|path| path.components().any(|part| part.as_os_str() == NAME));
    own.or_else(|| all().next()).unwrap_or(Path::new(default)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_have_directories_of_their_own() {
        let directory = runtime_of(Some("north"), &|_| None);
        assert_eq!(directory, Path::new("/run/manual-key/north"));
        assert_eq!(instance_of(&directory), Some("north"));
        assert_eq!(instance_of(&runtime_of(None, &|_| None)), None);
    }

    #[test]
    fn runtimes_of_others_are_the_service_and_its_instances() {
        let directory = tempfile::tempdir().unwrap();
        let service = directory.path().join(NAME);
        for name in ["north", "south"] {
            fs::create_dir_all(service.join(name)).unwrap();
        }
        fs::write(service.join("state.json"), "").unwrap();
        let others = |own: &Path| {
            let mut found = runtimes_of_others(own);
            found.retain(|other| other.starts_with(directory.path()));
            found.sort();
            found
        };
        assert_eq!(others(&service.join("north")), [service.clone(), service.join("south")]);
        assert_eq!(others(&service), [service.join("north"), service.join("south")]);
        assert_eq!(others(&directory.path().join("elsewhere")), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn runtime_prefers_the_directory_of_the_service() {
        let runtime_of = |list: &str| runtime(&|name| (name == "RUNTIME_DIRECTORY").then(|| list.into()));
        assert_eq!(runtime_of("/run/ipseckey:/run/manual-key/north"), Path::new("/run/manual-key/north"));
        assert_eq!(runtime_of("/run/mine:/run/yours"), Path::new("/run/mine"));
        assert_eq!(runtime_of(""), Path::new(RUNTIME));
        assert_eq!(runtime(&|_| None), Path::new(RUNTIME));
    }
}
