//! Events of `manual-key run`: expiries, UDP ports, the control socket, threads.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::{Count, Event};
use crate::names::sa_types;
use crate::redact::{shell_word, shown, without_hex_runs};
use crate::sa::{LifetimeKind, SaType, Spi};
use crate::service::log::Severity;
use crate::service::log::catalogue::Entry;

/// A lifetime that has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) sa_type: SaType,
    pub(crate) spi: Spi,
    /// `None` if the message of the SADB had no destination.
    pub(crate) dst: Option<IpAddr>,
    /// Soft, hard or idle.
    pub(crate) kind: LifetimeKind,
    /// Whether the SA was removed.
    pub(crate) is_gone: bool,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.kind {
            _ if self.is_gone => "it is removed",
            LifetimeKind::Idle => "it was not used",
            LifetimeKind::Soft | LifetimeKind::Hard | LifetimeKind::Current => "it is removed at its hard lifetime",
        };
        let kind = self.kind.word();
        let title = sa_types::by_number(self.sa_type).map_or("unknown", |row| row.title);
        write!(f, "the {kind} lifetime of the {title} SA with SPI {}", self.spi)?;
        if let Some(dst) = self.dst {
            write!(f, " to {dst}")?;
        }
        write!(f, " has expired: {outcome}")
    }
}

const EXPIRED: Entry = Entry {
    id: "8ca364a4200e2169c89a7a78e2464122",
    subject: "A lifetime of an SA has expired",
    documentation: "man:ipseckeys(5)",
    text: "It is the @IPSECKEY_LIFETIME@ lifetime. A soft lifetime is a warning: the key should be replaced.\n\
           After a hard or an idle lifetime the SA is removed, and packets that require it are dropped.",
};

pub(crate) fn expired(expiry: &Expiry) -> Event {
    // Only the end of a hard lifetime interrupts traffic: an idle SA had none, a soft lifetime is a notice.
    let severity = if expiry.kind == LifetimeKind::Hard { Severity::Error } else { Severity::Warning };
    let event = Event::new(severity, expiry.to_string()).entry(&EXPIRED).field("IPSECKEY_SPI", expiry.spi);
    let event = expiry.dst.into_iter().fold(event, |event, dst| event.field("IPSECKEY_DESTINATION", dst));
    event.field("IPSECKEY_LIFETIME", expiry.kind.word())
}

const MISSED: Entry = Entry {
    id: "1b0023ecde5fb9fc701d219f93741428",
    subject: "Expiries of SAs may have been missed",
    documentation: "man:manual-key(8)",
    text: "The receive buffer of the service overflowed. \"manual-key status\" counts the missing SAs.",
};

pub(crate) fn missed_expiries() -> Event {
    Event::warning("the receive buffer overflowed: expiries of SAs may have been missed").entry(&MISSED)
}

const NO_UDP_PORT: Entry = Entry {
    id: "75c9549b334b4941987d0d193c54dfb0",
    subject: "ESP in UDP is not received",
    documentation: "man:manual-key.toml(5)",
    text: "The kernel decapsulates ESP in UDP on port @IPSECKEY_PORT@ only while a program has a\n\
           socket with UDP_ENCAP on this port, as an IKE daemon has. Without one, set\n\
           hold_natt_ports = true in manual-key.toml, and the service opens it; the drop-in\n\
           natt.conf in /usr/share/doc/ipseckey/examples gives its unit the permission.",
};

pub(crate) fn udp_port_bound(port: u16) -> Event {
    let text = format!("UDP port {port} is bound for UDP encapsulation of ESP");
    Event::info(text).field("IPSECKEY_PORT", port)
}

/// Another program has the port, `holder` if it has not closed it since: whether it receives ESP depends on its socket option.
pub(crate) fn udp_port_in_use(port: u16, holder: Option<&str>) -> Event {
    let text = format!(
        "UDP port {port} is in use by {}; ESP is received only if its socket has the option UDP_ENCAP, as that of an IKE daemon \
         has; the service takes the port when it is free, unless hold_natt_ports = false",
        holder.unwrap_or("another program")
    );
    Event::warning(text).entry(&NO_UDP_PORT).field("IPSECKEY_PORT", port)
}

/// Another program has the port, and the service is not to hold it.
pub(crate) fn udp_port_held(port: u16, holder: &str) -> Event {
    Event::info(format!("UDP port {port} is held by {holder}, which has to receive ESP in UDP")).field("IPSECKEY_PORT", port)
}

pub(crate) fn udp_port_failed(port: u16, error: &io::Error) -> Event {
    let text = format!(
        "UDP port {port} cannot be bound ({error}), so that ESP in UDP is not received; in a unit, install the drop-in \
         natt.conf from the examples"
    );
    Event::error(text).entry(&NO_UDP_PORT).field("IPSECKEY_PORT", port)
}

const IKE_PORT_HELD: Entry = Entry {
    id: "76885cae780b4c588df944e853cdac27",
    subject: "An IKE daemon cannot use the UDP port of the service",
    documentation: "man:manual-key.toml(5)",
    text: "The service has opened UDP port @IPSECKEY_PORT@, which an IKE daemon needs for NAT\n\
           traversal; the daemon tries it only when it starts. Set hold_natt_ports = false in\n\
           manual-key.toml, run \"manual-key refresh\" and restart the IKE daemon: the service\n\
           then receives ESP in UDP through the socket of the daemon.",
};

/// Text and remedy of a port that the service has, while IKE daemons run.
pub(crate) fn unusable_ike_port(port: u16, managers: &[String]) -> (String, &'static str) {
    let text = format!(
        "UDP port {port} is held by manual-key, so that {} cannot use it: IKE through NAT fails",
        managers.join(", ")
    );
    (text, "set hold_natt_ports = false in manual-key.toml, run manual-key refresh, then restart the IKE daemon")
}

/// The service has the port, and IKE daemons run.
pub(crate) fn ike_port_held(port: u16, managers: &[String]) -> Event {
    let (text, fix) = unusable_ike_port(port, managers);
    Event::warning(format!("{text}; {fix}")).entry(&IKE_PORT_HELD).field("IPSECKEY_PORT", port)
}

/// No program has the port, so the kernel decapsulates nothing.
pub(crate) fn udp_port_unbound(port: u16) -> Event {
    let text = format!(
        "warning: no program has a socket on UDP port {port}, so that ESP in UDP is not received; set \
         hold_natt_ports = true for manual-key run, or start a program that sets UDP_ENCAP"
    );
    Event::warning(text).entry(&NO_UDP_PORT).field("IPSECKEY_PORT", port)
}

/// What a repair has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// Policies and SAs that were gone or changed.
    pub(crate) lost_policies: usize,
    pub(crate) lost_sas: usize,
    /// Of these, those that are still gone, and why.
    pub(crate) not_restored: usize,
    pub(crate) obstacle: Option<String>,
}

impl Repaired {
    /// Notes why `count` of the lost objects are still gone.
    pub(crate) fn obstacle(&mut self, count: usize, why: impl Into<String>) {
        self.not_restored += count;
        self.obstacle.get_or_insert(why.into());
    }
}

const REMOVED_BY_OTHERS: Entry = Entry {
    id: "df0089a134a24dd680a25d89170681ac",
    subject: "Another program has removed SAs or policies of the service",
    documentation: "man:manual-key(8) man:manual-key.toml(5)",
    text: "Without its policies, packets pass in the clear; without its SAs, they are dropped.\n\
           The message says which program it was, if that is known, and whether the service\n\
           has restored them. With repair = false it only reports. To compare: manual-key status",
};

/// `by`: the program, or its netlink port. `is_dry`: with `repair = false`.
pub(crate) fn removed_by_others(repaired: &Repaired, by: &str, is_dry: bool) -> Event {
    let Repaired { lost_policies, lost_sas, not_restored, obstacle } = repaired;
    let lost = [(lost_policies, "policy"), (lost_sas, "SA")]
        .map(|(count, noun)| (*count > 0).then(|| Count(*count, noun).to_string()));
    let lost = lost.into_iter().flatten().collect::<Vec<String>>().join(" and ");
    let outcome = match obstacle {
        _ if is_dry => "not restored (repair = false); to restore: manual-key refresh".to_owned(),
        Some(why) => format!("{not_restored} not restored: {}", without_hex_runs(why)),
        None => "restored".to_owned(),
    };
    let severity = if is_dry || obstacle.is_some() { Severity::Error } else { Severity::Warning };
    let text = format!("{by} removed or changed {lost} of the service: {outcome}");
    let event = Event::new(severity, text).entry(&REMOVED_BY_OTHERS);
    event.field("IPSECKEY_POLICIES", lost_policies).field("IPSECKEY_SAS", lost_sas).field("IPSECKEY_BY", by)
}

/// The control socket in `directory` cannot be created or used.
pub(crate) fn no_control_socket(directory: &Path, error: &io::Error) -> Event {
    let what_to_do = match error.kind() {
        io::ErrorKind::AddrInUse => "another manual-key is running: manual-key status",
        _ => "the directory must exist and be writable, or RUNTIME_DIRECTORY name another one",
    };
    Event::error(format!("the control socket in {}: {error}: {what_to_do}", shown(directory)))
}

/// A refresh cannot reach the running service at the control socket `path`.
pub(crate) fn no_reply(path: &Path, error: &io::Error) -> Event {
    Event::error(format!("the running service cannot be reached at {}: {error}", shown(path)))
}

/// `name` is the thread's purpose.
pub(crate) fn no_thread(name: &str, error: &io::Error) -> Event {
    Event::error(format!("the thread {name:?} cannot be started: {error}"))
}

pub(crate) fn no_clock(error: &io::Error) -> Event {
    Event::error(format!("cannot wait for the next change of keys: {error}"))
}

pub(crate) fn no_signals(error: &io::Error) -> Event {
    Event::error(format!("signals cannot be blocked: {error}"))
}

/// The running service's reply to `manual-key refresh`, in its own words.
pub(crate) fn refresh_reply(text: &str, is_done: bool) -> Event {
    Event::new(if is_done { Severity::Info } else { Severity::Error }, text)
}

/// `manual-key start --confirm` while `manual-key run` runs, which would restore what the rollback removes.
pub(crate) fn confirm_by_hand_only() -> Event {
    Event::error("--confirm: manual-key run is running; stop it first: systemctl stop manual-key")
}

/// `manual-key stop --open` while `manual-key run` runs, of an instance of manual-key@.service if it has a name.
pub(crate) fn keeps_policies(instance: Option<&str>) -> Event {
    let unit = instance.map_or_else(|| "manual-key".to_owned(), |name| format!("manual-key@{name}"));
    Event::error(format!(
        "--open: manual-key run is running and keeps its policies; stop it first: systemctl stop {}",
        shell_word(Path::new(&unit))
    ))
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] =
    &[&EXPIRED, &MISSED, &NO_UDP_PORT, &IKE_PORT_HELD, &REMOVED_BY_OTHERS];
