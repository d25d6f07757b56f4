//! The counters of `/proc/net/xfrm_stat` (kernel: Documentation/networking/xfrm_proc.rst), with a remedy for each.

pub(crate) struct XfrmCounter {
    /// The first word of its line.
    pub(crate) name: &'static str,
    /// The events that it counts.
    pub(crate) what: &'static str,
    /// A remedy if it grows.
    pub(crate) next: &'static str,
}

const fn row(name: &'static str, what: &'static str, next: &'static str) -> XfrmCounter {
    XfrmCounter { name, what, next }
}

const MEMORY: &str = "check memory and kernel modules";
const KEYS: &str = "compare keys and algorithms of the two hosts: load the same keys file on both";

/// The counters related to keys and policies, in the order of the file.
pub(crate) const TABLE: &[XfrmCounter] = &[
    row("XfrmInError", "inbound packets dropped for another reason", MEMORY),
    row("XfrmInBufferError", "inbound packets dropped for lack of memory", MEMORY),
    row("XfrmInHdrError", "packets with a malformed header", "check the network between the hosts for corruption"),
    row(
        "XfrmInNoStates",
        "packets with an SPI without an SA",
        "the peer uses an SA that is missing here: load the same keys file on both hosts",
    ),
    row("XfrmInStateProtoError", "packets that failed decryption or authentication", KEYS),
    row("XfrmInStateModeError", "packets in the wrong mode", "use the same mode (transport or tunnel) on both hosts"),
    row(
        "XfrmInStateSeqError",
        "packets with a sequence number outside the anti-replay window",
        "the sender restarted at 1: reload the SA here too, or use replay 0",
    ),
    row("XfrmInStateExpired", "packets for an SA past its lifetime", "load new keys on both hosts"),
    row(
        "XfrmInStateMismatch",
        "packets that do not match the selector of their SA",
        "compare ports, protocol and inner addresses of SA and traffic",
    ),
    row("XfrmInStateInvalid", "packets for an SA that is not in use", "check its state with `ipseckey dump`"),
    row(
        "XfrmInTmplMismatch",
        "packets that were unprotected, or not protected as a policy requires",
        "compare `ip xfrm policy` with the SAs: mode, reqid and addresses must agree",
    ),
    row(
        "XfrmInNoPols",
        "packets from an SA without a matching policy",
        "compare `ip xfrm policy`: hosts need `dir in`, networks behind a tunnel `dir fwd` as well",
    ),
    row("XfrmInPolError", "inbound packets for which the policies could not be looked up", MEMORY),
    row("XfrmInPolBlock", "packets blocked by a policy", "look for `action block` in `ip xfrm policy`"),
    row("XfrmOutError", "outbound packets dropped for another reason", MEMORY),
    row(
        "XfrmOutBundleGenError",
        "packets without a route to the end of the tunnel",
        "check `ip route get` for the tunnel endpoint",
    ),
    row("XfrmOutBundleCheckError", "packets whose route or SA changed while they were sent", "nothing to do"),
    row(
        "XfrmOutNoStates",
        "packets that require protection without a matching SA",
        "add the SA, or use the mode and reqid of the template of the policy",
    ),
    row("XfrmOutStateProtoError", "packets that could not be encrypted", MEMORY),
    row("XfrmOutStateModeError", "packets that cannot be sent in the mode of the SA", "check the MTU of the tunnel"),
    row("XfrmOutStateSeqError", "packets after the last sequence number", "load a new key, or use esn on both hosts"),
    row("XfrmOutStateExpired", "packets for an SA past its lifetime", "load new keys on both hosts"),
    row("XfrmOutPolBlock", "packets blocked by a policy", "look for `action block` in `ip xfrm policy`"),
    row("XfrmOutPolDead", "packets for a policy that is being removed", "nothing to do"),
    row("XfrmOutPolError", "outbound packets for which the policies could not be looked up", MEMORY),
    row(
        "XfrmFwdHdrError",
        "forwarded packets with a malformed header",
        "check the network between the hosts for corruption",
    ),
    row("XfrmOutStateInvalid", "packets for an SA that is not in use", "check its state with `ipseckey dump`"),
    row(
        "XfrmAcquireError",
        "packets that wait for an SA that no IKE daemon negotiates",
        "add the SA, or use the mode and reqid of the template of the policy",
    ),
    row(
        "XfrmOutStateDirError",
        "outbound packets for an SA with the direction inbound",
        "specify outbound for the SA in the keys file of this host",
    ),
    row(
        "XfrmInStateDirError",
        "inbound packets for an SA with the direction outbound",
        "specify inbound for the SA in the keys file of this host",
    ),
    row("XfrmInIptfsError", "inbound IP-TFS packets dropped", "compare the IP-TFS parameters of the two hosts"),
    row(
        "XfrmOutNoQueueSpace",
        "outbound packets dropped because the queue of IP-TFS was full",
        "raise its maximum queue size",
    ),
];

/// All counters of `text`, the contents of the file: a name and a number a line.
pub(crate) fn values(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    })
}

/// The counters of `text`, the contents of the file, that are not zero.
pub(crate) fn counted(text: &str) -> impl Iterator<Item = (&'static XfrmCounter, u64)> {
    // Kernels differ in their counters; a missing one counts as zero.
    let value_of = |name: &str| values(text).find(|(found, _)| *found == name).map(|(_, value)| value);
    TABLE.iter().filter_map(move |row| Some((row, value_of(row.name).filter(|value| *value > 0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_all_counters_of_the_file() {
        let text = "XfrmInError             \t0\nXfrmInNoStates          \t17\nmalformed\n";
        assert_eq!(values(text).collect::<Vec<_>>(), [("XfrmInError", 0), ("XfrmInNoStates", 17)]);
    }

    #[test]
    fn counted_omits_zero_counters() {
        let text = "XfrmInError             \t0\nXfrmInNoStates          \t17\nXfrmOutNoSuchError  3\nXfrmOutNoStates  1\n";
        let found: Vec<_> = counted(text).map(|(row, value)| (row.name, value)).collect();
        assert_eq!(found, [("XfrmInNoStates", 17), ("XfrmOutNoStates", 1)]);
    }
}
