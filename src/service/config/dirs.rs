//! The directories of the service. Under systemd the unit names them (systemd.exec(5), `RuntimeDirectory=`, `StateDirectory=`).

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
    fn runtime_prefers_the_directory_of_the_service() {
        let runtime_of = |list: &str| runtime(&|name| (name == "RUNTIME_DIRECTORY").then(|| list.into()));
        assert_eq!(runtime_of("/run/ipseckey:/run/manual-key/north"), Path::new("/run/manual-key/north"));
        assert_eq!(runtime_of("/run/mine:/run/yours"), Path::new("/run/mine"));
        assert_eq!(runtime_of(""), Path::new(RUNTIME));
        assert_eq!(runtime(&|_| None), Path::new(RUNTIME));
    }
}
