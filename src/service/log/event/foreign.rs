//! The event of SAs that a load or a stop removes and the service has not added.

use std::collections::BTreeSet;
use std::fmt;

use super::{Count, Event, Lines};
use crate::policy::precedence::Shadow;
use crate::sa::SaId;
use crate::service::log::catalogue::Entry;

/// SAs without a record of the service that a flush or a plan removes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForeignSas {
    pub(crate) count: usize,
    /// Those without keys yet: an IKE daemon has reserved their SPIs.
    pub(crate) larval: usize,
    /// Their request IDs, except 0.
    pub(crate) reqids: BTreeSet<u32>,
}

impl ForeignSas {
    /// Counts one; a request ID of 0 stands for none.
    pub(crate) fn add(&mut self, is_larval: bool, reqid: u32) {
        self.count += 1;
        self.larval += usize::from(is_larval);
        if reqid != 0 {
            self.reqids.insert(reqid);
        }
    }
}

/// `3 SAs that this service has not added (reqid 1, 2; 1 larval)`.
impl fmt::Display for ForeignSas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let mut details = Vec::new();
        if !self.reqids.is_empty() {
            let reqids: Vec<String> = self.reqids.iter().take(SHOWN).map(u32::to_string).collect();
            let more = if self.reqids.len() > SHOWN { " and others" } else { "" };
            details.push(format!("reqid {}{more}", reqids.join(", ")));
        }
        if self.larval > 0 {
            details.push(format!("{} larval", self.larval));
        }
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
        write!(f, "{} that this service has not added{details}", Count(self.count, "SA"))
    }
}

const KEEP_FOREIGN: &str = "to keep the SAs of other programs: set flush = \"owned\" in manual-key.toml";

const REMOVED_FOREIGN: Entry = Entry {
    id: "d3e08eb62ecd48fa8f6d6049e83d5eda",
    subject: "The service has removed SAs that it had not added",
    documentation: "man:manual-key.toml(5)",
    text: "With flush = \"all\", the default, start, refresh and stop remove the SAs of other\n\
           programs as well, except those of other instances of the service. An IKE daemon\n\
           does not notice; its tunnels lose all packets until it negotiates new SAs.\n\
           Number of SAs: @IPSECKEY_FOREIGN@.\n\
           To remove only the service's own SAs, set flush = \"owned\" in manual-key.toml.",
};

pub(crate) fn removed_foreign(removed: &ForeignSas) -> Event {
    let text = format!("warning: removed {removed}; {KEEP_FOREIGN}");
    Event::warning(text).entry(&REMOVED_FOREIGN).field("IPSECKEY_FOREIGN", removed.count)
}

const REMOVING_FOREIGN: Entry = Entry {
    id: "5a23c12607104f698a4b2f7ca14990f3",
    subject: "The service removes SAs that an IKE daemon may have added",
    documentation: "man:manual-key.toml(5)",
    text: "With flush = \"all\", the default, start, refresh and stop remove the SAs of other\n\
           programs as well, except those of other instances of the service. The message\n\
           names the IKE daemon that is running. It does not notice: its tunnels lose all\n\
           packets until it negotiates new SAs.\n\
           Number of SAs: @IPSECKEY_FOREIGN@.\n\
           To remove only the service's own SAs, set flush = \"owned\" in manual-key.toml.",
};

/// `foreign` will be removed; `managers` are the IKE daemons that are running.
pub(crate) fn removing_foreign(foreign: &ForeignSas, managers: &[String]) -> Event {
    let running = if managers.is_empty() { String::new() } else { format!("; running: {}", managers.join(", ")) };
    let text = format!("warning: removes {foreign}{running}; {KEEP_FOREIGN}");
    Event::warning(text).entry(&REMOVING_FOREIGN).field("IPSECKEY_FOREIGN", foreign.count)
}

const SHARED_REQID: Entry = Entry {
    id: "43cf0ac7663f4cb99606adf49cdd24f3",
    subject: "An SA of the service has the request ID of another program's SA",
    documentation: "man:manual-key.toml(5)",
    text: "Both SAs have the same source, destination, mode and request ID. A policy names\n\
           its SAs by these, so that packets may pass through the other program's SA, under\n\
           its keys, and are lost when it ends. IKE daemons count request IDs from 1 or\n\
           from 16384. Remove reqid from the command of the keys file: the service then\n\
           gives the SA a request ID of its own.",
};

/// `line` is that of the command that adds the SA, `other` the SA of another program.
pub(crate) fn shared_reqid(line: u32, reqid: u32, other: &SaId) -> Event {
    let text = format!(
        "{}: warning: reqid {reqid} is also that of {other}, which another program has added with the same addresses and mode: \
         packets may pass through it; remove reqid from the command, then run manual-key refresh",
        Lines(&[line])
    );
    Event::warning(text).entry(&SHARED_REQID).lines(&[line])
}

const SHADOW: Entry = Entry {
    id: "bea4aa9c267b419698eecb6b4bbabdfc",
    subject: "A policy gets no packets, since another one precedes it",
    documentation: "man:manual-key.toml(5)",
    text: "Of the policies that match a packet, the one with the lowest priority number\n\
           applies, also if its selector is wider. One of the two is the service's, the\n\
           other one is of another program: @IPSECKEY_POLICY@\n\
           The numbers of the service begin at the setting policy_priority of\n\
           manual-key.toml; IKE daemons use higher ones than its default.",
};

/// `count`: foreign policies that get no packets since those of the service precede them; `first` is the first of them.
pub(crate) fn shadows(count: usize, first: &Shadow<'_>) -> Event {
    let Shadow { by, of } = first;
    let more = more(count);
    let text = format!(
        "warning: another program's policy {}, priority {}{more}, gets no packets any more: the service's policy {}, priority {}, \
         precedes it; narrow its SA, or set policy_priority above {}",
        of.id, of.priority, by.id, by.priority, of.priority
    );
    Event::warning(text).entry(&SHADOW).field("IPSECKEY_POLICY", of.id)
}

/// `count`: policies of the service that get no packets since foreign ones precede them; `first` is the first of them.
pub(crate) fn shadowed(count: usize, first: &Shadow<'_>) -> Event {
    let Shadow { by, of } = first;
    let more = more(count);
    let text = format!(
        "warning: the service's policy {}, priority {}{more}, gets no packets: another program's policy {}, priority {}, \
         precedes it, and its packets do not pass through the SAs of the keys file; remove it, or set a lower policy_priority",
        of.id, of.priority, by.id, by.priority
    );
    Event::warning(text).entry(&SHADOW).field("IPSECKEY_POLICY", by.id)
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] = &[&REMOVED_FOREIGN, &REMOVING_FOREIGN, &SHARED_REQID, &SHADOW];
