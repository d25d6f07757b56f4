//! The counters of `/proc/net/xfrm_stat` in plain words (kernel: Documentation/networking/xfrm_proc.rst).

/// One counter.
pub struct Row {
    /// Its name in the file.
    pub name: &'static str,
    /// What it counts.
    pub what: &'static str,
    /// What to do when it grows.
    pub next: &'static str,
}

const fn row(name: &'static str, what: &'static str, next: &'static str) -> Row {
    Row { name, what, next }
}

const MEMORY: &str = "the machine is short of memory or of a module";
const KEYS: &str = "compare keys and algorithms of the two hosts: the same file should serve both";

/// The counters that tell something about keys and policies, in the order of the file.
pub const TABLE: &[Row] = &[
    row("XfrmInError", "packets dropped on their way in for another reason", MEMORY),
    row("XfrmInBufferError", "packets dropped on their way in for want of memory", MEMORY),
    row("XfrmInHdrError", "packets with a broken header", "something between the hosts damages packets"),
    row(
        "XfrmInNoStates",
        "packets with an SPI that no SA here has",
        "the peer uses an SA that this host lacks: load the same keys file on both",
    ),
    row("XfrmInStateProtoError", "packets that did not decrypt or authenticate", KEYS),
    row("XfrmInStateModeError", "packets in the wrong mode", "one host uses transport, the other tunnel mode"),
    row(
        "XfrmInStateSeqError",
        "packets with a sequence number outside of the replay window",
        "the sender started over at 1: load the SA anew here too, or use replay 0",
    ),
    row("XfrmInStateExpired", "packets for an SA past its lifetime", "load new keys on both hosts"),
    row(
        "XfrmInStateMismatch",
        "packets that the SA's selector does not let through",
        "compare ports, protocol and inner addresses of SA and traffic",
    ),
    row("XfrmInStateInvalid", "packets for an SA that is not in use", "look at its state with `ipseckey dump`"),
    row(
        "XfrmInTmplMismatch",
        "packets that came unprotected, or by another SA than a policy wants",
        "compare `ip xfrm policy` with the SAs: mode, reqid and addresses must agree",
    ),
    row("XfrmInNoPols", "packets that came through an SA without a policy for them", "add a policy with `dir in`"),
    row("XfrmInPolBlock", "packets that a policy blocks", "look for `action block` in `ip xfrm policy`"),
    row("XfrmOutError", "packets dropped on their way out for another reason", MEMORY),
    row(
        "XfrmOutBundleGenError",
        "packets for which no route through SAs was found",
        "look at `ip route get` of the tunnel's end",
    ),
    row(
        "XfrmOutNoStates",
        "packets that a policy wanted protected, with no SA to do it",
        "add the SA, or make mode and reqid agree with the policy's template",
    ),
    row("XfrmOutStateProtoError", "packets that could not be encrypted", MEMORY),
    row("XfrmOutStateModeError", "packets that did not fit into the mode", "look at the MTU of the tunnel"),
    row(
        "XfrmOutStateSeqError",
        "packets that found the sequence numbers used up",
        "load a new key, or use esn on both hosts",
    ),
    row("XfrmOutStateExpired", "packets for an SA past its lifetime", "load new keys on both hosts"),
    row("XfrmOutPolBlock", "packets that a policy blocks", "look for `action block` in `ip xfrm policy`"),
    row("XfrmOutPolDead", "packets for a policy on its way out", "none: a policy was just removed"),
    row("XfrmOutStateInvalid", "packets for an SA that is not in use", "look at its state with `ipseckey dump`"),
];

/// The counters of `text`, the contents of the file, that are not zero.
pub fn counted(text: &str) -> impl Iterator<Item = (&'static Row, u64)> {
    let value_of = |name: &str| {
        let mut lines = text.lines().map(str::split_whitespace);
        lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()?.parse::<u64>().ok()).flatten())
    };
    TABLE.iter().filter_map(move |row| Some((row, value_of(row.name).filter(|value| *value > 0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_happened() {
        let text = "XfrmInError             \t0\nXfrmInNoStates          \t17\nXfrmFwdHdrError  3\nXfrmOutNoStates  1\n";
        let found: Vec<_> = counted(text).map(|(row, value)| (row.name, value)).collect();
        assert_eq!(found, [("XfrmInNoStates", 17), ("XfrmOutNoStates", 1)]);
    }
}
