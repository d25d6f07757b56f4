//! The properties of an SMF instance, read with svcprop(1).

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The program svcprop; `None` without SMF.
const SVCPROP: Option<&str> = svcprop(cfg!(target_os = "illumos"), cfg!(feature = "internals"));

/// By its absolute path: `PATH` must not decide what root executes. Elsewhere only the programs of the tests, which have internals, look
/// for a replacement in `PATH`.
const fn svcprop(is_illumos: bool, has_internals: bool) -> Option<&'static str> {
    match (is_illumos, has_internals) {
        (true, _) => Some("/usr/bin/svcprop"),
        (false, true) => Some("svcprop"),
        (false, false) => None,
    }
}

/// The property with the name of the keys file (ipseckey(1M), Service Management Facility).
const CONFIG_FILE: &str = "config/config_file";

/// Why a property could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PropertyError {
    /// svcprop could not be run.
    #[error("svcprop cannot be run: {0}")]
    NoProgram(std::io::Error),
    /// `SMF_FMRI` is set on a system without SMF.
    #[error("SMF_FMRI is set, but this system has no SMF: unset SMF_FMRI")]
    NoSmf,
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
    let run = Command::new(SVCPROP.ok_or(PropertyError::NoSmf)?)
        .args(["-p", CONFIG_FILE, fmri])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
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
    fn svcprop_has_an_absolute_path_on_illumos_and_none_in_linux_programs() {
        assert_eq!(svcprop(true, false), Some("/usr/bin/svcprop"));
        assert_eq!(svcprop(true, true), Some("/usr/bin/svcprop"));
        assert_eq!(svcprop(false, false), None);
    }

    #[test]
    fn unquoted_removes_the_quoting_of_svcprop() {
        assert_eq!(unquoted("/etc/inet/secret/ipseckeys"), "/etc/inet/secret/ipseckeys");
        assert_eq!(unquoted(r"/my\ keys/it\'s\\here"), r"/my keys/it's\here");
        assert_eq!(unquoted("\"\""), "");
    }
}
