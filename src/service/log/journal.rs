//! The journal's native protocol: an event as a datagram of fields, so that `journalctl` finds it by what it is about
//! (systemd's JOURNAL_NATIVE_PROTOCOL.md). systemd/manual-key.catalog explains the message ids to `journalctl -x`.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use crate::service::log::event::{Event, Expiry};
use crate::service::log::policy_event::PolicyEvent;

/// LOG_AUTH of syslog(3): what concerns who may talk to whom.
const FACILITY: &str = "4";
/// The journal need not hold a million line numbers.
const LINES: usize = 1000;

/// The socket that takes fields.
pub(crate) struct Native {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Native {
    /// The one beside the socket that `stream` is connected to, `/run/systemd/journal/stdout` or that of the unit's log
    /// namespace; `None` if it is connected to none.
    pub(crate) fn beside(stream: OwnedFd) -> Option<Self> {
        let peer = UnixStream::from(stream).peer_addr().ok()?;
        let path = peer.as_pathname()?.with_file_name("socket");
        Some(Self { socket: UnixDatagram::unbound().ok()?, path })
    }

    /// Hands `event` over.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn tell(&self, event: &Event<'_>) -> io::Result<()> {
        self.socket.send_to(&packet(event), &self.path).map(drop)
    }
}

fn packet(event: &Event<'_>) -> Vec<u8> {
    let mut packet = Packet::default();
    packet.field("MESSAGE", event);
    packet.field("PRIORITY", event.severity() as u8);
    packet.field("SYSLOG_FACILITY", FACILITY);
    packet.field("SYSLOG_IDENTIFIER", "manual-key");
    if let Some(id) = message_id(event) {
        packet.field("MESSAGE_ID", id);
    }
    packet.describe(event);
    packet.0
}

#[derive(Default)]
struct Packet(Vec<u8>);

impl Packet {
    /// In the form that takes every value: name, newline, 64 bits of length, value, newline.
    fn field(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }

    /// Adds what the event is about.
    fn describe(&mut self, event: &Event<'_>) {
        if let Some(file) = event.file() {
            self.field("IPSECKEY_FILE", file.to_string_lossy());
        }
        match event {
            Event::Online { added, .. } => self.field("IPSECKEY_SAS", added),
            Event::Reconciled { sas, .. } => self.field("IPSECKEY_SAS", sas),
            Event::Sound { commands, .. } => self.field("IPSECKEY_COMMANDS", commands),
            Event::Faulty { commands, lines, .. } => self.part("IPSECKEY_ERRORS", *commands, lines),
            Event::PartlyApplied { commands, lines, .. } => self.part("IPSECKEY_REFUSED", *commands, lines),
            Event::LineRefused { line, .. } | Event::Note { line, .. } => self.field("IPSECKEY_LINE", line),
            Event::Expired(expiry) => self.expiry(expiry),
            Event::Policy(event) => self.policy(event),
            Event::Holds { port } | Event::NoPort { port, .. } | Event::NobodyHolds { port } => {
                self.field("IPSECKEY_PORT", port);
            }
            _ => {}
        }
    }

    /// Some of the commands of a file, with a field for each line: the journal keeps them all.
    fn part(&mut self, name: &str, commands: usize, lines: &[u32]) {
        self.field("IPSECKEY_COMMANDS", commands);
        self.field(name, lines.len());
        self.lines(lines);
    }

    fn lines(&mut self, lines: &[u32]) {
        lines.iter().take(LINES).for_each(|line| self.field("IPSECKEY_LINE", line));
    }

    fn policy(&mut self, event: &PolicyEvent<'_>) {
        match event {
            PolicyEvent::Unprotected { lines, .. } => self.lines(lines),
            PolicyEvent::Refused { name, .. }
            | PolicyEvent::Taken(name)
            | PolicyEvent::Missing(name)
            | PolicyEvent::CutsOff { name, .. } => self.field("IPSECKEY_POLICY", name),
            PolicyEvent::Up { added, replaced, .. } => self.field("IPSECKEY_POLICIES", added + replaced),
            PolicyEvent::Down(removed) => self.field("IPSECKEY_POLICIES", removed),
            PolicyEvent::Stay | PolicyEvent::NoAddresses(_) => {}
        }
    }

    fn expiry(&mut self, expiry: &Expiry) {
        self.field("IPSECKEY_SPI", expiry.spi);
        expiry.dst.iter().for_each(|dst: &IpAddr| self.field("IPSECKEY_DESTINATION", dst));
        self.field("IPSECKEY_LIFETIME", expiry.kind.word());
    }
}

/// What kind of event it is, for ever: who waits for one in the journal knows it by this.
fn message_id(event: &Event<'_>) -> Option<&'static str> {
    Some(match event {
        Event::Online { .. } | Event::Reconciled { .. } => "039b1a3b0740e50b30ee0ffcaf431450",
        Event::Disabled { .. } => "402627e3d01d62527f63dca62d57de18",
        Event::Empty { .. } => "5aa2c39a48428e64b6d0eabc975326e7",
        Event::Faulty { .. } => "91478031c3e6f21b3c1e7392939d7381",
        Event::LineRefused { .. } => "f45e60fc0d0dcdf87f81f9048de21bb4",
        Event::Note { .. } => "840025709c250d320bd5541e9c9e6d80",
        Event::PartlyApplied { .. } => "99c33fcc34d6574a4c3a4ba6384d2f16",
        Event::NotPrivate(_) | Event::Refused(_) => "5dbd62eec5320360f79904fa1937d52b",
        Event::NoFile(_) => "74a786b0c372a20c3b997d70c475beb7",
        Event::NoConfig(_) => "d34c910a7851f50cfce30846bf69a386",
        Event::NoSadb(_) => "643cb9e3fe86e004f2a551aad0ddd831",
        Event::Expired(_) => "8ca364a4200e2169c89a7a78e2464122",
        Event::NotReconciled { .. } => "c3a9d2b15e7f46089d1fa07b64e2c85d",
        Event::Differs(_) => "7e41b06fa8d3495c92e57d10c6fb3a29",
        Event::Missed => "1b0023ecde5fb9fc701d219f93741428",
        Event::NoPort { .. } | Event::NobodyHolds { .. } => "75c9549b334b4941987d0d193c54dfb0",
        Event::Policy(event) => return policy_message_id(event),
        _ => return None,
    })
}

fn policy_message_id(event: &PolicyEvent<'_>) -> Option<&'static str> {
    Some(match event {
        PolicyEvent::Unprotected { .. } => "a51c316f2d9a4244838354dad85ee7a3",
        PolicyEvent::Refused { .. } | PolicyEvent::Missing(_) => "faa7ae31f7da4febb16eb1d793a693f0",
        PolicyEvent::Taken(_) => "0639f03254824c23b619f7acda94093d",
        PolicyEvent::Up { .. } => "fac234c219a24990b47dce7fdb504bba",
        PolicyEvent::Down(_) => "bac7c4eff65a480dae03b50063fb9df3",
        PolicyEvent::Stay => "eb0eeb5231fb4e1fb62c6f599b2c1e24",
        PolicyEvent::NoAddresses(_) => "b6648dda06bb4860adcab3d164cb29fd",
        // A plan is for who asks, and not for the journal.
        PolicyEvent::CutsOff { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::derive::NoPolicy;
    use crate::policy::{Direction, Net, PolicyId, Selector};

    #[test]
    fn a_stream_that_leads_nowhere_is_not_the_journals() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(Native::beside(one.into()).is_none());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(Native::beside(file.into()).is_none());
    }

    #[test]
    fn the_catalog_explains_every_message_id() {
        let catalog = include_str!("../../../systemd/manual-key.catalog");
        let explained: Vec<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let source = include_str!("journal.rs");
        let is_id = |word: &&str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
        let told: BTreeSet<&str> = source.split('"').filter(is_id).collect();
        assert!(told.len() > 10);
        assert_eq!(explained.len(), told.len(), "each once");
        assert_eq!(explained.into_iter().collect::<BTreeSet<_>>(), told);
        let fields = catalog.split('@').filter(|word| word.starts_with("IPSECKEY_"));
        assert!(fields.clone().count() > 10);
        fields.for_each(|field| assert!(source.contains(&format!("\"{field}\"")), "{field} is in no message"));
    }

    #[test]
    fn what_is_told_of_policies_has_fields() {
        let selector = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
        let name = PolicyId { direction: Direction::Out, selector, mark: None, if_id: 0 };
        for (event, field, value) in [
            (PolicyEvent::Taken(&name), "IPSECKEY_POLICY", "src 10.0.0.1/32 dst 10.0.0.2/32 dir out"),
            (PolicyEvent::Up { added: 3, replaced: 4, kept: 9 }, "IPSECKEY_POLICIES", "7"),
            (PolicyEvent::Unprotected { lines: &[12], why: NoPolicy::UnknownDirection, waits: true }, "IPSECKEY_LINE", "12"),
        ] {
            let id = policy_message_id(&event).unwrap();
            let packet = packet(&Event::Policy(event));
            for (name, value) in [("MESSAGE_ID", id), (field, value)] {
                let mut wanted = Packet::default();
                wanted.field(name, value);
                assert!(packet.windows(wanted.0.len()).any(|found| found == wanted.0), "{name}={value}");
            }
        }
    }
}
