//! The lines of a printed state, and its sections.

use crate::redact::{Expected, cited};

/// First words of the lines after the addresses, besides counts and words of a bitmap.
pub(super) const LINES: &[&str] = &[
    "proto",
    "replay-window",
    "mark",
    "output-mark",
    "auth",
    "auth-trunc",
    "aead",
    "enc",
    "comp",
    "encap",
    "coa",
    "lastused",
    "anti-replay",
    "seq-hi",
    "replay_window",
    "crypto",
    "if_id",
    "tfcpad",
    "dir",
    "pcpu-num",
    "nat-keepalive-interval",
    "sel",
    "lifetime",
    "limit:",
    "expire",
    "add",
    "stats:",
    "security",
    "tmpl",
    "hard",
];

/// The section of the output that a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Properties,
    /// Words of the anti-replay bitmap.
    Bitmap,
    /// Counts and times, which a new SA does not have.
    Counts,
}

/// The message about a word that the output of `ip` does not have in any version.
pub(super) fn unknown(word: &str) -> String {
    format!("unknown word {} in the output of `ip xfrm state`", cited(word, Expected::OneOf(LINES)))
}
