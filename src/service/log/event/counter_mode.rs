//! Events about counter-mode ciphers (GCM, CCM, CTR, ChaCha20) in a keys file.

use super::{Event, Lines};
use crate::service::config::properties::CarrySequence;
use crate::service::log::catalogue::Entry;

const COUNTER_MODE: Entry = Entry {
    id: "00f986b1a8be4efa9cfd8aa57a102284",
    subject: "The keys file uses a counter-mode cipher",
    documentation: "man:manual-key.toml(5)",
    text: "A counter value that is used twice with the same key reveals the traffic. The counters are\n\
           the sequence numbers, which restart whenever an SA is added. In manual-key.toml set\n\
           carry_sequence = \"reboot\", which preserves them; or use IKE, or aes-cbc with HMAC.",
};

/// `lines`: the first line of each command with such a cipher. `carry` is how long sequence numbers are preserved.
pub(crate) fn used(lines: &[u32], carry: CarrySequence) -> Event {
    let consequence = match carry {
        CarrySequence::Off => {
            "sequence numbers are not preserved, so that each load repeats counter values, which reveals the traffic: set \
             carry_sequence = \"reboot\", or use IKE, or aes-cbc with HMAC"
        }
        CarrySequence::Run => {
            "with carry_sequence = \"run\" a reboot repeats counter values, which reveals the traffic: set \
             carry_sequence = \"reboot\", or use IKE, or aes-cbc with HMAC"
        }
        CarrySequence::Reboot => {
            "with carry_sequence = \"reboot\" this is safe unless the system crashes more than 1048576 packets after the last \
             save, or loses /var/lib/manual-key"
        }
    };
    let text = format!("warning: {}: manual keying with a counter-mode cipher: {consequence}", Lines(lines));
    Event::warning(text).entry(&COUNTER_MODE).lines(lines)
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] = &[&COUNTER_MODE];
