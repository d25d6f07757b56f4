//! The options that apply to every form of the command.

use std::path::PathBuf;

use super::report::Format;
use crate::sadb::SadbTarget;

pub(super) struct Settings {
    /// `-n`: print numbers only, accept numeric addresses only.
    pub(super) numeric: bool,
    /// `-p`: print no key digit.
    pub(super) paranoid: bool,
    /// `-v`: print the messages that are sent, and raw times.
    pub(super) verbose: bool,
    /// `--sadb`, or the environment variable.
    pub(super) sadb: Option<SadbTarget>,
    /// `--hosts FILE`: host names are looked up in this file only.
    pub(super) hosts: Option<PathBuf>,
    /// `--deny-weak`: warnings about weak keys and unsafe ciphers are errors.
    pub(super) deny_weak: bool,
    /// `--allow-empty`: for `-c`, a file without an `add` has no error.
    pub(super) allow_empty: bool,
    /// `--skew`: for `-c`, the difference of two clocks that key chains have to bear, in seconds.
    pub(super) skew: u64,
    /// `--at`: for `-c`, the time whose keys are named, in seconds since 1970.
    pub(super) at: Option<u64>,
    /// `--json`: one object a line on standard output.
    pub(super) json: bool,
    /// `--show-keys`: `--json` prints keys.
    pub(super) show_keys: bool,
    pub(super) color: Color,
    /// How the diagnostics are printed.
    pub(super) report: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}
