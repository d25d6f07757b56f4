//! The properties of an SMF instance, read with svcprop(1).

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Off illumos without a path, so that tests can put a replacement into `PATH`.
const SVCPROP: &str = if cfg!(target_os = "illumos") { "/usr/bin/svcprop" } else { "svcprop" };

/// The property with the name of the keys file (ipseckey(1M), Service Management Facility).
const CONFIG_FILE: &str = "config/config_file";

/// Why a property could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PropertyError {
    /// svcprop could not be run.
    #[error("{SVCPROP} cannot be run: {0}")]
    NoProgram(std::io::Error),
    /// The instance, or the property in it, does not exist.
    #[error("{fmri} has no {CONFIG_FILE}: svccfg -s {fmri} setprop {CONFIG_FILE} = FILE; svcadm refresh {fmri}")]
    Missing { fmri: String },
}

/// The keys file of the instance `fmri`. svcprop reads the running snapshot: a changed property takes effect after
/// `svcadm refresh`.
///
/// # Errors
/// [`PropertyError`].
pub(crate) fn config_file(fmri: &str) -> Result<PathBuf, PropertyError> {
    // The error of svcprop is dropped: PropertyError also has the commands that fix it.
    let run = Command::new(SVCPROP).args(["-p", CONFIG_FILE, fmri]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = run.map_err(PropertyError::NoProgram)?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
    // An empty value is a property that was declared in the manifest and never set.
    let value = text.map(|text| unquoted(text.trim_end_matches('\n'))).filter(|value| !value.is_empty());
    value.map(PathBuf::from).ok_or_else(|| PropertyError::Missing { fmri: fmri.to_owned() })
}

/// Removes the quoting of svcprop: a backslash before each special character of the shell, `""` for an empty value.
fn unquoted(text: &str) -> String {
    if text == "\"\"" {
        return String::new();
    }
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        value.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_removes_the_quoting_of_svcprop() {
        assert_eq!(unquoted("/etc/inet/secret/ipseckeys"), "/etc/inet/secret/ipseckeys");
        assert_eq!(unquoted(r"/my\ keys/it\'s\\here"), r"/my keys/it's\here");
        assert_eq!(unquoted("\"\""), "");
    }
}
