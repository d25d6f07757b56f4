//! Words for what only Linux XFRM has; the flags' are those of ip-xfrm(8).

use crate::sa::{XfrmFlags, XfrmMode};

/// Modes and their words.
pub const MODES: &[(XfrmMode, &str)] =
    &[(XfrmMode::TRANSPORT, "transport"), (XfrmMode::TUNNEL, "tunnel"), (XfrmMode::BEET, "beet")];

/// Flags and their words.
pub const FLAGS: &[(XfrmFlags, &str)] = &[
    (XfrmFlags::NOECN, "noecn"),
    (XfrmFlags::DECAP_DSCP, "decap-dscp"),
    (XfrmFlags::NOPMTUDISC, "nopmtudisc"),
    (XfrmFlags::WILDRECV, "wildrecv"),
    (XfrmFlags::ICMP, "icmp"),
    (XfrmFlags::AF_UNSPEC, "af-unspec"),
    (XfrmFlags::ALIGN4, "align4"),
    (XfrmFlags::ESN, "esn"),
    (XfrmFlags::DONT_ENCAP_DSCP, "dont-encap-dscp"),
    (XfrmFlags::OSEQ_MAY_WRAP, "oseq-may-wrap"),
];

/// The word of a mode.
#[must_use]
pub fn mode_word(mode: XfrmMode) -> Option<&'static str> {
    MODES.iter().find(|row| row.0 == mode).map(|row| row.1)
}

/// The words of the flags that are set.
pub fn flag_words(flags: XfrmFlags) -> impl Iterator<Item = &'static str> {
    FLAGS.iter().filter(move |row| flags.has(row.0)).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_single_bits_each_once() {
        let all = FLAGS.iter().fold(0, |seen, (flag, word)| {
            assert!(flag.0.is_power_of_two() && seen & flag.0 == 0, "{word}");
            seen | flag.0
        });
        assert_eq!(flag_words(XfrmFlags(all)).count(), FLAGS.len());
        assert_eq!(mode_word(XfrmMode::BEET), Some("beet"));
        assert_eq!(mode_word(XfrmMode(9)), None);
    }
}
