//! The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): an event as a datagram of fields, so that `journalctl` can
//! filter by them. systemd/manual-key.catalog explains the message ids to `journalctl -x`.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use super::event::Event;

/// LOG_AUTH of syslog(3).
const FACILITY: &str = "4";

/// The socket that takes fields.
pub(super) struct Native {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Native {
    /// The socket in the directory of the socket that `stream` is connected to: `/run/systemd/journal/stdout`, or that of the
    /// unit's log namespace. `None` if `stream` is not connected to a socket with a path.
    pub(super) fn of_stream(stream: OwnedFd) -> Option<Self> {
        let peer = UnixStream::from(stream).peer_addr().ok()?;
        // journald binds both sockets in one directory, also for a log namespace.
        let path = peer.as_pathname()?.with_file_name("socket");
        Some(Self { socket: UnixDatagram::unbound().ok()?, path })
    }

    /// # Errors
    /// Those of sendto(2): ENOENT without a journald, EMSGSIZE for an event longer than a datagram.
    pub(super) fn send(&self, event: &Event) -> io::Result<()> {
        self.socket.send_to(&encode(event), &self.path).map(drop)
    }
}

fn encode(event: &Event) -> Vec<u8> {
    let mut packet = Vec::new();
    push_field(&mut packet, "MESSAGE", &event.to_string());
    push_field(&mut packet, "PRIORITY", &(event.severity() as u8).to_string());
    push_field(&mut packet, "SYSLOG_FACILITY", FACILITY);
    // Without it journalctl shows the name of the executable file, which a package may change.
    push_field(&mut packet, "SYSLOG_IDENTIFIER", "manual-key");
    event.message_id().iter().for_each(|id| push_field(&mut packet, "MESSAGE_ID", id));
    event.fields().iter().for_each(|(name, value)| push_field(&mut packet, name, value));
    packet
}

/// In the binary form, which permits any value: name, newline, 64 bits of length, value, newline.
fn push_field(packet: &mut Vec<u8>, name: &str, value: &str) {
    packet.extend_from_slice(name.as_bytes());
    packet.push(b'\n');
    packet.extend_from_slice(&(value.len() as u64).to_le_bytes());
    packet.extend_from_slice(value.as_bytes());
    packet.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::log::event;
    use crate::service::log::event::tests::policy_id;

    #[test]
    fn native_of_stream_requires_a_socket_with_a_path() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(Native::of_stream(one.into()).is_none());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(Native::of_stream(file.into()).is_none());
    }

    #[test]
    fn encode_has_the_fields_of_policy_events() {
        use crate::policy::derive::NoPolicy;
        for (event, field, value) in [
            (event::policy::conflict(&policy_id()), "IPSECKEY_POLICY", "src 10.0.0.1/32 dst 10.0.0.2/32 dir out"),
            (event::policy::installed(3, 4, 9), "IPSECKEY_POLICIES", "7"),
            (event::policy::no_policy(&[12], &[], NoPolicy::UnknownDirection, true), "IPSECKEY_LINE", "12"),
        ] {
            let packet = encode(&event);
            for (name, value) in [("MESSAGE_ID", event.message_id().unwrap()), (field, value)] {
                let mut expected = Vec::new();
                push_field(&mut expected, name, value);
                assert!(packet.windows(expected.len()).any(|found| found == expected), "{name}={value}");
            }
        }
    }
}
