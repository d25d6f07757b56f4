//! Everything the service can say. No variant has room for the words of a keys file, nor for the errors of `lang`: counts,
//! line numbers, file names and what the SADB answered are all there is (ipseckey(1M), SECURITY, point 3).

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use crate::names::sa_types;
use crate::reconcile::{ExecuteError, GoalError, Mismatch, PlanError, Step, Summary};
use crate::redact::{shell_word, shown};
use crate::sa::{LifetimeKind, SaType, Spi};
use crate::sadb::{LockError, SadbError};
use crate::service::config::ConfigError;
use crate::service::log::policy_event::PolicyEvent;
use crate::service::log::{Severity, masked};
use crate::sys::fs::keys_file::{FileError, Finding};

/// What happened.
pub(crate) enum Event<'a> {
    /// The keys file is applied.
    Online {
        /// SAs added.
        added: usize,
        /// The keys file.
        file: &'a Path,
    },
    /// SAs were removed on the way out.
    Disabled {
        /// Every SA, not only the service's own.
        all: bool,
    },
    /// The keys file parses.
    Sound {
        /// Commands in it.
        commands: usize,
        /// The keys file.
        file: &'a Path,
    },
    /// The keys file holds no command at all.
    Empty {
        /// The keys file.
        file: &'a Path,
    },
    /// Existing SAs are about to be removed.
    Flushing {
        /// Every SA, not only the service's own.
        all: bool,
    },
    /// The keys file has errors; nothing of it was applied.
    Faulty {
        /// The keys file.
        file: &'a Path,
        /// Commands in it.
        commands: usize,
        /// First lines of the wrong ones.
        lines: &'a [u32],
        /// What that means for the SADB.
        left: Left,
    },
    /// The exact command that shows the errors.
    Hint {
        /// The keys file.
        file: &'a Path,
        /// The SMF instance to clear afterwards.
        fmri: Option<&'a str>,
    },
    /// The SADB did not do the command of one line.
    LineRefused {
        /// Its first line.
        line: u32,
        /// What the SADB said.
        error: &'a SadbError,
    },
    /// Something about policies.
    Policy(PolicyEvent<'a>),
    /// What the SADB did otherwise than a command asked.
    Note {
        /// The command's first line.
        line: u32,
        /// What the SADB says about it.
        note: &'a str,
    },
    /// Some commands were refused, the others are applied.
    PartlyApplied {
        /// The keys file.
        file: &'a Path,
        /// Commands in it.
        commands: usize,
        /// First lines of the refused ones.
        lines: &'a [u32],
    },
    /// The SADB is what the keys file asks for.
    Reconciled {
        /// What was done.
        summary: Summary,
        /// SAs of the file.
        sas: usize,
        /// The keys file.
        file: &'a Path,
    },
    /// A command of the keys file has no place in a file to reconcile with.
    Unfit {
        /// The keys file.
        file: &'a Path,
        /// Which, and why.
        unfit: &'a GoalError,
    },
    /// An SA of the keys file is there, otherwise, and somebody else's.
    Foreign(&'a PlanError),
    /// The SADB has refused a step, and those before it are taken back.
    NotReconciled {
        /// The keys file.
        file: &'a Path,
        /// Which step, and what is left.
        failed: &'a ExecuteError,
    },
    /// An SA was read back, and is not what was asked for.
    Differs(&'a Step),
    /// What the SADB did otherwise than it was asked, of no line in particular.
    Remark(&'a str),
    /// Sequence numbers are not known, or not kept.
    NoNumbers(&'a io::Error),
    /// The system has no random numbers.
    NoRandom(&'a str),
    /// The keys file is not private, and is used all the same.
    NotPrivate(&'a Finding),
    /// The keys file is not private, and so not used.
    Refused(&'a Finding),
    /// The keys file cannot be read.
    NoFile(&'a FileError),
    /// The configuration is wrong.
    NoConfig(&'a ConfigError),
    /// The SADB cannot be reached, emptied or listed.
    NoSadb(&'a SadbError),
    /// Another program loads a keys file, or may do so.
    NotAlone(&'a LockError),
    /// SMF's environment is incomplete.
    NoSmf,
    /// A lifetime of an SA has run out.
    Expired(&'a Expiry),
    /// Lifetimes may have run out unseen.
    Missed,
    /// A UDP port is held for ESP.
    Holds {
        /// The port.
        port: u16,
    },
    /// A UDP port cannot be held.
    NoPort {
        /// The port.
        port: u16,
        /// The system's error.
        error: &'a io::Error,
    },
    /// Nobody holds a UDP port from which an SA receives.
    NobodyHolds {
        /// The port.
        port: u16,
    },
    /// A service that runs cannot be reached, or cannot make itself reachable.
    NoChannel(&'a io::Error),
    /// The service that runs has refreshed, or failed to: its own words.
    Refreshed {
        /// The words.
        text: &'a str,
        /// Whether it succeeded.
        done: bool,
    },
}

/// A lifetime that has run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// AH or ESP.
    pub(crate) sa_type: SaType,
    /// Of the SA.
    pub(crate) spi: Spi,
    /// The SA's destination, if the SADB told.
    pub(crate) dst: Option<IpAddr>,
    /// Soft, hard or idle.
    pub(crate) kind: LifetimeKind,
    /// Whether that was the end of the SA.
    pub(crate) is_gone: bool,
}

/// What is in the SADB after a keys file was turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing: it was flushed before.
    Empty,
    /// SAs of others only: the service's own were removed before.
    Others,
    /// What was there before.
    Untouched,
    /// Nobody looked: the file was only checked.
    Unasked,
}

impl Left {
    fn words(self) -> &'static str {
        match self {
            Self::Empty => "; nothing is applied, the SADB is empty",
            Self::Others => "; nothing is applied, the service's own SAs are removed",
            Self::Untouched => "; nothing is applied, the SAs in use are left alone",
            Self::Unasked => "",
        }
    }
}

impl Event<'_> {
    /// How much it matters.
    #[must_use]
    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::Online { .. } | Self::Disabled { .. } | Self::Sound { .. } | Self::Flushing { .. } => Severity::Info,
            Self::Policy(event) => event.severity(),
            Self::Reconciled { .. } | Self::Refreshed { done: true, .. } | Self::Holds { .. } => Severity::Info,
            Self::NoPort { error, .. } if error.kind() == io::ErrorKind::AddrInUse => Severity::Warning,
            Self::NoNumbers(_) | Self::NobodyHolds { .. } => Severity::Warning,
            Self::Empty { .. } | Self::NotPrivate(_) | Self::Note { .. } | Self::Remark(_) | Self::Missed => {
                Severity::Warning
            }
            Self::NotAlone(LockError::Unavailable { .. }) => Severity::Warning,
            Self::Expired(expiry) if expiry.kind != LifetimeKind::Hard => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The keys file that it is about.
    #[must_use]
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Online { file, .. }
            | Self::Sound { file, .. }
            | Self::Empty { file }
            | Self::Faulty { file, .. }
            | Self::Hint { file, .. }
            | Self::Reconciled { file, .. }
            | Self::Unfit { file, .. }
            | Self::NotReconciled { file, .. }
            | Self::PartlyApplied { file, .. } => Some(file),
            Self::NoFile(error) => Some(error.path()),
            _ => None,
        }
    }

    /// Whether it says what state the service is in now, rather than what happens to an SA or a line.
    #[must_use]
    pub(crate) fn tells_state(&self) -> bool {
        match self {
            Self::Online { .. }
            | Self::Disabled { .. }
            | Self::Faulty { .. }
            | Self::PartlyApplied { .. }
            | Self::Reconciled { .. }
            | Self::Unfit { .. }
            | Self::Foreign(_)
            | Self::NotReconciled { .. }
            | Self::Differs(_)
            | Self::NoRandom(_)
            | Self::Refused(_)
            | Self::NoFile(_)
            | Self::NoConfig(_)
            | Self::NoSadb(_)
            | Self::NotAlone(LockError::Busy)
            | Self::NoSmf
            | Self::NoChannel(_) => true,
            Self::Sound { .. }
            | Self::Empty { .. }
            | Self::Flushing { .. }
            | Self::Hint { .. }
            | Self::LineRefused { .. }
            | Self::Note { .. }
            | Self::Remark(_)
            | Self::NoNumbers(_)
            | Self::Policy(_)
            | Self::NotPrivate(_)
            | Self::NotAlone(LockError::Unavailable { .. })
            | Self::Expired(_)
            | Self::Missed
            | Self::Holds { .. }
            | Self::NobodyHolds { .. }
            | Self::NoPort { .. }
            | Self::Refreshed { .. } => false,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online { added, file } => write!(f, "online: {} from {}", Count(*added, "SA"), shown(file)),
            Self::Disabled { all: true } => f.write_str("disabled: all SAs are flushed"),
            Self::Disabled { all: false } => f.write_str("disabled: the service's own SAs are flushed"),
            Self::Sound { commands, file } => write!(f, "{}: {}, no errors", shown(file), Count(*commands, "command")),
            Self::Empty { file } => write!(f, "{} holds no commands", shown(file)),
            Self::Flushing { all: true } => f.write_str("flushing existing SAs before adding new SAs"),
            Self::Flushing { all: false } => f.write_str("flushing the service's own SAs before adding new SAs"),
            Self::Faulty { file, commands, lines, left } => {
                let (wrong, all) = (lines.len(), Count(*commands, "command"));
                write!(f, "maintenance: {}: errors in {wrong} of {all}, {}{}", shown(file), Lines(lines), left.words())
            }
            Self::Hint { file, fmri } => {
                write!(f, "to see the errors: ipseckey -c {}", shell_word(file))?;
                fmri.map_or(Ok(()), |fmri| write!(f, "; once they are mended: svcadm clear {fmri}"))
            }
            Self::LineRefused { line, error } => write!(f, "line {line}: the SADB: {}", masked(&error.to_string())),
            Self::Policy(event) => write!(f, "{event}"),
            Self::Note { line, note } => write!(f, "line {line}: warning: {}", masked(note)),
            Self::PartlyApplied { file, commands, lines } => {
                let (refused, all) = (lines.len(), Count(*commands, "command"));
                write!(f, "maintenance: {}: the SADB refused {refused} of {all}, {}; ", shown(file), Lines(lines))?;
                f.write_str("the others are applied")
            }
            Self::Reconciled { summary, file, .. } => write!(f, "online: {summary}, from {}", shown(file)),
            Self::Unfit { file, unfit } => {
                write!(f, "maintenance: {}: {unfit}; nothing is applied, the SAs in use are left alone", shown(file))
            }
            Self::Foreign(obstacle) => write!(f, "maintenance: {obstacle}; nothing is applied"),
            Self::NotReconciled { file, failed } => {
                write!(f, "maintenance: {}: the SADB: {}", shown(file), masked(&failed.to_string()))
            }
            Self::Differs(step) => write!(f, "maintenance: the SADB has taken it otherwise: {}", Mismatch(step)),
            Self::Remark(remark) => write!(f, "warning: {}", masked(remark)),
            Self::NoNumbers(error) => write!(f, "warning: sequence numbers do not go on: {error}"),
            Self::NoRandom(error) => write!(f, "maintenance: no random numbers: {error}"),
            Self::NotPrivate(finding) => write!(f, "warning: {finding}"),
            Self::Refused(finding) => write!(f, "maintenance: {finding}"),
            Self::NoFile(error) => write!(f, "maintenance: {error}"),
            Self::NoConfig(error) => write!(f, "maintenance: {error}"),
            Self::NotAlone(error) => write!(f, "{error}"),
            Self::NoSadb(error) => write!(f, "the SADB: {}", masked(&error.to_string())),
            Self::NoSmf => f.write_str(
                "an SMF method is run by svc.startd, which sets SMF_FMRI to the name of the instance; it is not set \
                 or no such name: use svcadm enable, or unset SMF_METHOD and SMF_FMRI to run by hand",
            ),
            Self::Expired(expiry) => write!(f, "{expiry}"),
            Self::Missed => f.write_str("the SADB had more news than could be read: SAs may have expired unseen"),
            Self::Holds { port } => write!(f, "UDP port {port} is held, so that the kernel takes ESP out of it"),
            Self::NoPort { port, error } => no_port(f, *port, error),
            Self::NobodyHolds { port } => write!(
                f,
                "warning: no program holds UDP port {port}, and until one with UDP_ENCAP set does, no ESP is received from it: \
                 with hold_natt_ports = true manual-key run does"
            ),
            Self::NoChannel(error) => write!(f, "the service's own socket: {error}; does another manual-key run?"),
            Self::Refreshed { text, .. } => f.write_str(text),
        }
    }
}

fn no_port(f: &mut fmt::Formatter<'_>, port: u16, error: &io::Error) -> fmt::Result {
    if error.kind() == io::ErrorKind::AddrInUse {
        return write!(
            f,
            "UDP port {port} is held by another program, which has to have UDP_ENCAP set for ESP to be received"
        );
    }
    write!(f, "UDP port {port} cannot be held ({error}), so that no ESP is taken out of it; ")?;
    f.write_str("in a unit, natt.conf among the examples allows it")
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.kind {
            _ if self.is_gone => "it is removed",
            LifetimeKind::Idle => "nobody uses it",
            LifetimeKind::Soft | LifetimeKind::Hard | LifetimeKind::Current => "it is removed at its hard lifetime",
        };
        let kind = self.kind.word();
        let name = sa_types::by_number(self.sa_type).map_or("unknown", |row| row.title);
        write!(f, "the {kind} lifetime of the {name} SA with SPI {}", self.spi)?;
        if let Some(dst) = self.dst {
            write!(f, " to {dst}")?;
        }
        write!(f, " has run out: {outcome}")
    }
}

/// A number with its noun, in the plural where it is one.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

/// Line numbers, the first twenty of them.
pub(crate) struct Lines<'a>(pub(crate) &'a [u32]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let numbers: Vec<String> = self.0.iter().take(SHOWN).map(u32::to_string).collect();
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "line{plural} {}", numbers.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/etc/inet/secret/ipseckeys";

    #[test]
    fn counts_are_told_in_singular_and_plural() {
        let file = Path::new(FILE);
        assert_eq!(Event::Online { added: 24, file }.to_string(), format!("online: 24 SAs from {FILE}"));
        assert_eq!(Event::Online { added: 1, file }.to_string(), format!("online: 1 SA from {FILE}"));
    }

    #[test]
    fn a_faulty_file_is_told_by_lines() {
        let event = Event::Faulty { file: Path::new(FILE), commands: 12, lines: &[3, 7], left: Left::Empty };
        let told =
            format!("maintenance: {FILE}: errors in 2 of 12 commands, lines 3, 7; nothing is applied, the SADB is empty");
        assert_eq!(event.to_string(), told);
        assert_eq!(event.severity(), Severity::Error);
    }

    #[test]
    fn a_long_list_of_lines_is_cut() {
        let lines: Vec<u32> = (1..=23).collect();
        assert!(Lines(&lines).to_string().ends_with("19, 20 and 3 more"));
        assert_eq!(Lines(&[4]).to_string(), "line 4");
    }

    #[test]
    fn the_hint_can_be_pasted() {
        let hint = Event::Hint { file: Path::new("/my keys"), fmri: None };
        assert_eq!(hint.to_string(), "to see the errors: ipseckey -c '/my keys'");
        let hint = Event::Hint { file: Path::new(FILE), fmri: Some("svc:/network/ipsec/manual-key:default") };
        assert!(hint.to_string().ends_with("svcadm clear svc:/network/ipsec/manual-key:default"));
    }

    #[test]
    fn what_an_sadb_says_is_masked() {
        let error = SadbError::Unsupported("key bde359723576fdea08e56cbe876e24ad".to_owned());
        assert!(!Event::LineRefused { line: 1, error: &error }.to_string().contains("bde35972"));
    }
}
