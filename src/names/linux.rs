//! Words of modes and flags of Linux XFRM. Those of flags are the same as in ip-xfrm(8).

use crate::sa::{XfrmFlags, XfrmMode};

pub(crate) const MODES: &[(XfrmMode, &str)] =
    &[(XfrmMode::TRANSPORT, "transport"), (XfrmMode::TUNNEL, "tunnel"), (XfrmMode::BEET, "beet")];

pub(crate) const FLAGS: &[(XfrmFlags, &str)] = &[
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

#[must_use]
pub(crate) fn mode_word(mode: XfrmMode) -> Option<&'static str> {
    MODES.iter().find(|row| row.0 == mode).map(|row| row.1)
}

/// The words of the flags that are set.
pub(crate) fn flag_words(flags: XfrmFlags) -> impl Iterator<Item = &'static str> {
    FLAGS.iter().filter(move |row| flags.has(row.0)).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_distinct_single_bits() {
        let all = FLAGS.iter().fold(0, |seen, (flag, word)| {
            assert!(flag.0.is_power_of_two() && seen & flag.0 == 0, "{word}");
            seen | flag.0
        });
        assert_eq!(flag_words(XfrmFlags(all)).count(), FLAGS.len());
        assert_eq!(mode_word(XfrmMode::BEET), Some("beet"));
        assert_eq!(mode_word(XfrmMode(9)), None);
    }
}
