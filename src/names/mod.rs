//! Vocabulary: tables of words, numbers and facts. A new word or algorithm is a new row.
#![forbid(unsafe_code)]

pub mod algorithms;
pub mod diagnostics;
pub mod errnos;
pub mod identities;
pub mod ipsecalgs;
pub mod keywords;
pub mod linux;
pub mod messages;
pub mod protocols;
pub mod sa_types;
pub mod states;
pub mod weak_keys;
pub mod xfrm_stat;

/// Whose words and limits a text is read with.
///
/// illumos: the man page's words and the algorithms of illumos' `ipsecalgs`. Linux: those, and what only Linux has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// The model SADB, `unix:PATH`, and illumos.
    Illumos,
    /// XFRM and Linux PF_KEY.
    Linux,
}
