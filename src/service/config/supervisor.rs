//! Who started the program: SMF, systemd, or somebody by hand.

use std::ffi::OsString;

/// Looks up a variable of the environment.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Who started the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// A shell, or anything unknown.
    Plain,
    /// systemd, as a command of a unit.
    Systemd,
    /// SMF, as a method of an instance.
    Smf {
        /// The instance, `$SMF_FMRI`.
        fmri: String,
    },
}

/// The environment speaks of SMF, but names no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSmf;

impl World {
    /// Reads the world off the environment (smf_method(7), systemd.exec(5)).
    ///
    /// # Errors
    /// [`NoSmf`] if `SMF_METHOD` is set and `SMF_FMRI` is not the name of an instance, or the other way round is claimed
    /// by an `SMF_FMRI` that is empty or malformed.
    pub(crate) fn detect(environment: Environment<'_>) -> Result<Self, NoSmf> {
        if let Some(fmri) = environment("SMF_FMRI") {
            return fmri.into_string().ok().filter(|fmri| is_fmri(fmri)).map(|fmri| Self::Smf { fmri }).ok_or(NoSmf);
        }
        if environment("SMF_METHOD").is_some() {
            return Err(NoSmf);
        }
        Ok(if is_unit_command(environment) { Self::Systemd } else { Self::Plain })
    }

    /// Whether a keys file that is not private is refused here rather than warned about.
    #[must_use]
    pub(crate) fn is_service(&self) -> bool {
        *self != Self::Plain
    }
}

/// Instance names are URIs (smf(7)); no other character can be in one, so it cannot forge a log line.
fn is_fmri(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:-_.,".contains(c);
    text.strip_prefix("svc:/").is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_plain))
}

/// systemd marks every process of a unit with `INVOCATION_ID`, and the one it started itself with its process id
/// (since 248; before that such a process is a child of process 1).
fn is_unit_command(environment: Environment<'_>) -> bool {
    if environment("INVOCATION_ID").is_none() {
        return false;
    }
    match environment("SYSTEMD_EXEC_PID") {
        Some(pid) => pid.to_str() == Some(&std::process::id().to_string()),
        None => std::os::unix::process::parent_id() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(variables: &[(&str, &str)]) -> Result<World, NoSmf> {
        World::detect(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn smf_is_known_by_its_instance() {
        let fmri = "svc:/network/ipsec/manual-key:default";
        assert_eq!(detect(&[("SMF_FMRI", fmri)]), Ok(World::Smf { fmri: fmri.to_owned() }));
    }

    #[test]
    fn a_method_without_an_instance_is_no_method() {
        assert_eq!(detect(&[("SMF_METHOD", "start")]), Err(NoSmf));
        for fmri in ["", "svc:/", "manual-key", "svc:/a b", "svc:/a\nonline"] {
            assert_eq!(detect(&[("SMF_FMRI", fmri)]), Err(NoSmf), "{fmri:?}");
        }
    }

    #[test]
    fn systemd_is_known_by_the_process_it_started() {
        let me = std::process::id().to_string();
        assert_eq!(detect(&[("INVOCATION_ID", "0"), ("SYSTEMD_EXEC_PID", &me)]), Ok(World::Systemd));
        assert_eq!(detect(&[("INVOCATION_ID", "0"), ("SYSTEMD_EXEC_PID", "1")]), Ok(World::Plain));
        assert_eq!(detect(&[("SYSTEMD_EXEC_PID", &me)]), Ok(World::Plain));
        assert_eq!(detect(&[]), Ok(World::Plain));
    }
}
