//! The supervisor that started the program, detected by the environment.

use std::ffi::OsString;

use crate::service::exit::ExitCodes;

/// Looks up an environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What started the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Supervisor {
    /// A shell, or another program.
    None,
    /// systemd, as a command of a unit.
    Systemd,
    /// SMF, as a method of an instance.
    Smf { fmri: String },
}

/// The environment has variables of SMF, but no valid instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSmf;

impl Supervisor {
    /// Reads the environment (smf_method(7), systemd.exec(5)).
    ///
    /// # Errors
    /// [`NoSmf`] if `SMF_METHOD` is set without `SMF_FMRI`, or `SMF_FMRI` is empty or malformed.
    pub(crate) fn detect(environment: Environment<'_>) -> Result<Self, NoSmf> {
        if let Some(fmri) = environment("SMF_FMRI") {
            return fmri.into_string().ok().filter(|fmri| is_fmri(fmri)).map(|fmri| Self::Smf { fmri }).ok_or(NoSmf);
        }
        if environment("SMF_METHOD").is_some() {
            return Err(NoSmf);
        }
        Ok(if is_unit_command(environment) { Self::Systemd } else { Self::None })
    }

    /// Whether a log of the system receives what the program prints.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "only syslog(3C) of SMF depends on it"))]
    pub(crate) fn is_service(&self) -> bool {
        *self != Self::None
    }

    pub(crate) fn exit_codes(&self) -> ExitCodes {
        match self {
            Self::None | Self::Systemd => ExitCodes::Sysexits,
            Self::Smf { .. } => ExitCodes::Smf,
        }
    }
}

/// Instances are URIs (smf(7)). No other characters are accepted, so that an instance cannot forge a log line.
fn is_fmri(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:-_.,".contains(c);
    text.strip_prefix("svc:/").is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_plain))
}

/// systemd sets `INVOCATION_ID` for every process of a unit, and `SYSTEMD_EXEC_PID` (since 248) to the process that it started
/// itself. A program run from a shell inside a unit, such as a login session, inherits the former only.
fn is_unit_command(environment: Environment<'_>) -> bool {
    if environment("INVOCATION_ID").is_none() {
        return false;
    }
    match environment("SYSTEMD_EXEC_PID") {
        Some(pid) => pid.to_str() == Some(&std::process::id().to_string()),
        // Before 248: commands of a unit are children of process 1.
        None => std::os::unix::process::parent_id() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(variables: &[(&str, &str)]) -> Result<Supervisor, NoSmf> {
        Supervisor::detect(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn detect_smf_by_its_instance() {
        let fmri = "svc:/network/ipsec/manual-key:default";
        assert_eq!(detect(&[("SMF_FMRI", fmri)]), Ok(Supervisor::Smf { fmri: fmri.to_owned() }));
    }

    #[test]
    fn detect_fails_without_a_valid_instance() {
        assert_eq!(detect(&[("SMF_METHOD", "start")]), Err(NoSmf));
        for fmri in ["", "svc:/", "manual-key", "svc:/a b", "svc:/a\nonline"] {
            assert_eq!(detect(&[("SMF_FMRI", fmri)]), Err(NoSmf), "{fmri:?}");
        }
    }

    #[test]
    fn detect_systemd_by_the_process_it_started() {
        let me = std::process::id().to_string();
        assert_eq!(detect(&[("INVOCATION_ID", "0"), ("SYSTEMD_EXEC_PID", &me)]), Ok(Supervisor::Systemd));
        assert_eq!(detect(&[("INVOCATION_ID", "0"), ("SYSTEMD_EXEC_PID", "1")]), Ok(Supervisor::None));
        assert_eq!(detect(&[("SYSTEMD_EXEC_PID", &me)]), Ok(Supervisor::None));
        assert_eq!(detect(&[]), Ok(Supervisor::None));
    }
}
