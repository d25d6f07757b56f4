//! The keys of manual-key.toml(5).

use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use crate::policy::derive::DEFAULT_PRIORITY;
use crate::policy::protocols::Protocols;
use crate::sys::fs::keys_file::KEYS_FILE;

/// The keys of manual-key.toml with their defaults.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Properties {
    pub(crate) config_file: PathBuf,
    /// A value of `--sadb`.
    pub(crate) sadb: String,
    /// The order of a load.
    pub(crate) refresh: RefreshMode,
    pub(crate) flush: Scope,
    pub(crate) carry_sequence: CarrySequence,
    /// Whether the daemon binds the UDP ports of SAs.
    pub(crate) hold_natt_ports: bool,
    pub(crate) policy: PolicyMode,
    /// Whether policies remain after a stop; `None`: they remain, if the service installs policies.
    pub(crate) on_stop: Option<OnStop>,
    /// Protocols of which only what SAs protect passes.
    pub(crate) protect: Protocols,
    /// The priority of the policy with the narrowest selector.
    pub(crate) policy_priority: PolicyPriority,
    /// Whether the policies let IPv6 neighbour discovery pass in the clear.
    pub(crate) pass_neighbour_discovery: bool,
    /// Whether the daemon restores SAs and policies that another program removes.
    pub(crate) repair: bool,
    /// Whether a keys file without an `add` is loaded.
    pub(crate) allow_empty: bool,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            config_file: PathBuf::from(KEYS_FILE),
            sadb: "auto".to_owned(),
            refresh: RefreshMode::default(),
            flush: Scope::default(),
            carry_sequence: CarrySequence::default(),
            hold_natt_ports: false,
            policy: PolicyMode::default(),
            on_stop: None,
            protect: Protocols::default(),
            policy_priority: PolicyPriority::default(),
            pass_neighbour_discovery: true,
            repair: true,
            allow_empty: false,
        }
    }
}

/// `refresh` in manual-key.toml: the order of a load, which decides what a keys file with errors leaves in the SADB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RefreshMode {
    /// Flush, then parse, then apply: an error leaves an empty SADB (ipseckey(1M)).
    #[default]
    Flush,
    /// Parse, then flush, then apply: an error leaves the SAs in use unchanged.
    CheckFirst,
    /// Parse, then change only the differences.
    Reconcile,
}

/// `flush` in manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    #[default]
    All,
    /// The SAs that this service added.
    Owned,
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        match word {
            "all" => Ok(Self::All),
            "owned" => Ok(Self::Owned),
            _ => Err("expected all or owned"),
        }
    }
}

/// `carry_sequence` in manual-key.toml: how long sequence numbers are preserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CarrySequence {
    Off,
    /// Until the next boot.
    #[default]
    Run,
    /// After a boot as well.
    Reboot,
}

/// `policy` in manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PolicyMode {
    /// The service installs no policies.
    #[default]
    None,
    /// The service installs the policies that the SAs need.
    FromSas,
}

impl FromStr for PolicyMode {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        match word {
            "none" => Ok(Self::None),
            "from-sas" => Ok(Self::FromSas),
            _ => Err("expected none or from-sas"),
        }
    }
}

/// `policy_priority` in manual-key.toml: 0 to [`PolicyPriority::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct PolicyPriority(pub(crate) u32);

impl PolicyPriority {
    /// The policies of `protect` have 2055 more, and priorities have 32 bits.
    const MAX: u32 = 4_000_000_000;
}

impl Default for PolicyPriority {
    fn default() -> Self {
        Self(DEFAULT_PRIORITY)
    }
}

impl TryFrom<u32> for PolicyPriority {
    type Error = &'static str;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        if value <= Self::MAX { Ok(Self(value)) } else { Err("invalid value, expected a number from 0 to 4000000000") }
    }
}

/// `on_stop` in manual-key.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnStop {
    /// Policies are removed: packets pass in the clear.
    Open,
    /// Policies remain: packets are dropped.
    Closed,
}

/// Parses `text` as a manual-key.toml.
///
/// # Errors
/// The line of the error, and its text as the log has it.
#[cfg(any(test, feature = "internals"))]
pub(crate) fn check_config(text: &str) -> Result<(), (usize, String)> {
    parse(text).map(drop)
}

/// # Errors
/// The line of the error, and its text with possible keys masked: a keys file may have been given by mistake.
pub(crate) fn parse(text: &str) -> Result<Properties, (usize, String)> {
    toml::from_str(text).map_err(|error| {
        // The parser reports byte positions; editors go to lines.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        (before.matches('\n').count() + 1, explain(error.message()))
    })
}

/// The beginnings of the errors of serde, and what they mean here.
const KINDS: &[(&str, &str)] = &[
    ("unknown field", "unknown key"),
    ("unknown variant", "unknown value"),
    ("invalid type", "a value of the wrong type"),
    ("invalid value", "an invalid value"),
];

/// An error of the parser without what it found, which may be a key that was pasted into the wrong file: only what it expected.
fn explain(message: &str) -> String {
    let Some((_, kind)) = KINDS.iter().find(|(start, _)| message.starts_with(start)) else {
        let is_twice = message.starts_with("duplicate");
        return if is_twice { "a key that occurs twice" } else { "a syntax error" }.to_owned();
    };
    // The error of the configuration lists the keys.
    if message.starts_with("unknown field") {
        return (*kind).to_owned();
    }
    // The last one: the found text, which comes before, may contain the same words.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => (*kind).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_errors_name_what_was_expected_and_not_what_was_found() {
        let forms = ["0f1e 2d3c 4b5a 6978", "Dx4tPEtaaXiHlqW0w9Lh8A==", "15.30.45.60", "x`, expected `0f1e2d3c"];
        for found in forms {
            for text in [
                format!("carry_sequence = \"{found}\""),
                format!("flush = \"{found}\""),
                format!("hold_natt_ports = \"{found}\""),
                format!("\"{found}\" = 1"),
                format!("refresh = {found}"),
                format!("sadb = \"auto\" {found}"),
                found.to_owned(),
            ] {
                let Err((1, what)) = parse(&text) else { panic!("an error in line 1: {text}") };
                let parts = found.split([' ', '.', '`', ',']).filter(|part| part.len() > 1 && *part != "expected");
                parts.for_each(|part| assert!(!what.contains(part), "{text}: {what}"));
            }
        }
        let what = |text| parse(text).unwrap_err().1;
        assert_eq!(what("flush = \"some\""), "unknown value, expected `all` or `owned`");
        assert_eq!(what("sabd = \"auto\""), "unknown key");
        assert_eq!(what("repair = 1"), "a value of the wrong type, expected a boolean");
        assert_eq!(what("sadb = \"auto\"\nsadb = \"xfrm\""), "a key that occurs twice");
        assert_eq!(what("sadb = "), "a syntax error");
    }
}
