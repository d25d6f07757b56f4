//! Tables of keywords, numbers and algorithms. A new keyword or algorithm is a new row.
#![forbid(unsafe_code)]

pub(crate) mod algorithms;
pub(crate) mod diagnostics;
pub(crate) mod errnos;
pub(crate) mod identities;
pub(crate) mod ipsecalgs;
pub(crate) mod keywords;
pub(crate) mod linux;
pub(crate) mod messages;
pub(crate) mod protocols;
pub(crate) mod sa_types;
pub(crate) mod states;
pub(crate) mod times;
pub(crate) mod verbs;
pub(crate) mod weak_keys;
pub(crate) mod xfrm_stat;

/// The SADB whose keywords, algorithms and limits apply to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// illumos, its model and `unix:PATH`: the keywords of ipseckey(1M), the algorithms of `ipsecalgs`.
    Illumos,
    /// XFRM and PF_KEY of Linux, and its model: the same, and the keywords and algorithms of Linux.
    Linux,
}
