//! The directories of the service. Under systemd the unit names them (systemd.exec(5), `RuntimeDirectory=`, `StateDirectory=`).

use std::ffi::OsString;
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
    fn runtime_prefers_the_directory_of_the_service() {
        let runtime_of = |list: &str| runtime(&|name| (name == "RUNTIME_DIRECTORY").then(|| list.into()));
        assert_eq!(runtime_of("/run/ipseckey:/run/manual-key/north"), Path::new("/run/manual-key/north"));
        assert_eq!(runtime_of("/run/mine:/run/yours"), Path::new("/run/mine"));
        assert_eq!(runtime_of(""), Path::new(RUNTIME));
        assert_eq!(runtime(&|_| None), Path::new(RUNTIME));
    }
}
