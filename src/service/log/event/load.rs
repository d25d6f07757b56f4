//! Events of a load, a stop and a check: the keys file, its commands, the SADB and the configuration.

use std::fmt;
use std::io;
use std::path::Path;

use super::{Count, Event, Lines};
use crate::names::times;
use crate::policy::coverage::UnprotectedSas;
use crate::reconcile::{ExecuteError, GoalError, Mismatch, PlanError, Step, Summary};
use crate::redact::without_hex_runs;
use crate::redact::{shell_word, shown};
use crate::sadb::{LockError, SadbError};
use crate::service::config::ConfigError;
use crate::service::log::Severity;
use crate::service::log::catalogue::Entry;
use crate::sys::fs::keys_file::{FileError, PrivacyFinding};

const LOADED: Entry = Entry {
    id: "039b1a3b0740e50b30ee0ffcaf431450",
    subject: "The SAs of a keys file are loaded",
    documentation: "man:manual-key(8)",
    text: "All SAs of @IPSECKEY_FILE@ are loaded.\nNumber of SAs: @IPSECKEY_SAS@.",
};

pub(crate) fn online(sas: usize, file: &Path) -> Event {
    let text = format!("online: {} from {}", Count(sas, "SA"), shown(file));
    Event::info(text).entry(&LOADED).file(file).field("IPSECKEY_SAS", sas)
}

pub(crate) fn reconciled(summary: Summary, sas: usize, file: &Path) -> Event {
    let text = format!("online: {} from {} ({summary})", Count(sas, "SA"), shown(file));
    Event::info(text).entry(&LOADED).file(file).field("IPSECKEY_SAS", sas)
}

/// `time` is in seconds since 1970.
pub(crate) fn next_key_change(time: u64, by_daemon: bool) -> Event {
    let at = times::text(time);
    let text = if by_daemon {
        format!("the keys change next at {at}")
    } else {
        format!("the keys change next at {at}: nothing does it then but manual-key run, or manual-key refresh by a timer")
    };
    Event::info(text)
}

/// `due`: when the keys should have changed, in seconds since 1970. `why` is the log line of the failure.
pub(crate) fn key_change_failed(due: u64, why: &str, seconds: u64) -> Event {
    Event::error(format!("the keys did not change at {}: {why}; next attempt in {seconds} s", times::text(due)))
}

const UNPROTECTED: Entry = Entry {
    id: "6d66c25321534ebfa2a0c95a3b400b37",
    subject: "The SAs of a keys file are loaded, but no policy uses some of them",
    documentation: "man:manual-key.toml(5) man:manual-key(8)",
    text: "Linux sends packets through an SA only if a policy requires it. Without one, the\n\
           packets that these SAs are intended for pass in the clear, and replies in the clear\n\
           are accepted. The message names peers and the remedy. To list these SAs:\n\
           manual-key status",
};

/// `loaded` is the result of a load, after which no policy uses some of the SAs. `has_policies`: the service installs policies.
pub(crate) fn degraded(loaded: &Event, unprotected: &UnprotectedSas, has_policies: bool) -> Event {
    let result = loaded.text.strip_prefix("online: ").unwrap_or(&loaded.text);
    let text = format!("degraded: {result}; warning: {unprotected}; {}", protect(has_policies));
    let event = Event { severity: Severity::Warning, text, entry: Some(&UNPROTECTED), fields: loaded.fields.clone() };
    event.field("IPSECKEY_UNPROTECTED", unprotected.count)
}

/// How SAs without a policy get one.
pub(crate) fn protect(has_policies: bool) -> &'static str {
    if has_policies {
        "to list these SAs and the reasons: manual-key plan"
    } else {
        "to protect it: set policy = \"from-sas\" in manual-key.toml, then run manual-key refresh"
    }
}

const STOPPED: Entry = Entry {
    id: "402627e3d01d62527f63dca62d57de18",
    subject: "The service has removed its SAs",
    documentation: "man:manual-key(8) man:manual-key.toml(5)",
    text: "The service was stopped. Packets that a policy still sends through these SAs are\n\
           dropped; packets that no policy matches pass in the clear. The message says\n\
           whether the policies of the service remain.",
};

/// The policies of the service after it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterStop<'a> {
    /// It has installed none.
    NoPolicies,
    /// They remain, of an instance of manual-key@.service if it has a name.
    Kept {
        instance: Option<&'a str>,
    },
    Removed,
}

/// `all`: every SA was flushed, not only those of the service.
pub(crate) fn disabled(all: bool, policies: AfterStop<'_>) -> Event {
    let policies = match policies {
        AfterStop::NoPolicies => String::new(),
        AfterStop::Removed => ", the policies are removed: their packets pass in the clear".to_owned(),
        AfterStop::Kept { instance } => {
            format!(
                ", the policies remain: their packets are dropped; to let them pass in the clear: {}",
                stop_open(instance)
            )
        }
    };
    Event::info(format!("disabled: {} are flushed{policies}", flushed(all))).entry(&STOPPED)
}

/// The command that removes the policies of a service that has stopped.
fn stop_open(instance: Option<&str>) -> String {
    let instance = instance.map(|name| format!(" --instance {}", shell_word(Path::new(name)))).unwrap_or_default();
    format!("manual-key stop --open{instance}")
}

pub(crate) fn flushing(all: bool) -> Event {
    Event::info(format!("flushing {} before adding new SAs", if all { "existing SAs" } else { flushed(false) }))
}

fn flushed(all: bool) -> &'static str {
    if all { "all SAs" } else { "the service's own SAs" }
}

pub(crate) fn checked(commands: usize, file: &Path) -> Event {
    let text = format!("{}: {}, no errors", shown(file), Count(commands, "command"));
    Event::info(text).file(file).field("IPSECKEY_COMMANDS", commands)
}

const EMPTY: Entry = Entry {
    id: "5aa2c39a48428e64b6d0eabc975326e7",
    subject: "The keys file adds no SA",
    documentation: "man:ipseckeys(5) man:manual-key.toml(5)",
    text: "@IPSECKEY_FILE@ contains no add command. It is not applied, and the policies of the\n\
           service remain, unless the option --allow-empty or the setting allow_empty = true accepts it.\n\
           Restore the file, and run: systemctl start @_SYSTEMD_UNIT@",
};

/// A keys file without an `add`, loaded nevertheless.
pub(crate) fn empty(file: &Path) -> Event {
    Event::warning(format!("warning: {} adds no SA", shown(file))).entry(&EMPTY).file(file)
}

/// A keys file without an `add`, refused. `fmri`: the SMF instance to clear afterwards.
pub(crate) fn nothing_to_add(file: &Path, sadb: SadbState, fmri: Option<&str>) -> Event {
    let clear = fmri.map_or(String::new(), |fmri| format!("; after restoring the file: svcadm clear {fmri}"));
    let text = format!(
        "maintenance: {} adds no SA: expected at least one add command{}; if the file is meant to be empty, use --allow-empty \
         or set allow_empty = true in manual-key.toml{clear}",
        shown(file),
        sadb.text()
    );
    Event::error(text).entry(&EMPTY).file(file)
}

/// The content of the SADB after a keys file with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SadbState {
    /// All SAs were flushed before the file was parsed.
    Empty,
    /// The service's own SAs were flushed, those of other programs are still loaded.
    ForeignOnly,
    Unchanged,
    /// The file was parsed without an SADB.
    NotOpened,
}

impl SadbState {
    fn text(self) -> &'static str {
        match self {
            Self::Empty => "; nothing is applied, the SADB is empty",
            Self::ForeignOnly => "; nothing is applied, the service's own SAs are removed",
            Self::Unchanged => "; nothing is applied, the SAs in use are unchanged",
            Self::NotOpened => "",
        }
    }
}

const INVALID: Entry = Entry {
    id: "91478031c3e6f21b3c1e7392939d7381",
    subject: "The keys file has errors",
    documentation: "man:ipseckeys(5) man:manual-key(8)",
    text: "@IPSECKEY_ERRORS@ of the @IPSECKEY_COMMANDS@ commands of\n\
           @IPSECKEY_FILE@ have errors, and no command was applied.\n\
           The journal does not contain the text of the commands, since it may be a key.\n\
           To see the errors: ipseckey -c @IPSECKEY_FILE@\n\
           After fixing them: systemctl start @_SYSTEMD_UNIT@",
};

/// `lines`: the first line of each command with an error.
pub(crate) fn invalid_file(file: &Path, commands: usize, lines: &[u32], sadb: SadbState) -> Event {
    let (wrong, all) = (lines.len(), Count(commands, "command"));
    let text = format!("maintenance: {}: errors in {wrong} of {all}, {}{}", shown(file), Lines(lines), sadb.text());
    let event = Event::error(text).entry(&INVALID).file(file);
    event.field("IPSECKEY_COMMANDS", commands).field("IPSECKEY_ERRORS", wrong).lines(lines)
}

/// The command that shows the errors; `ipseckey`: the program with the option for the SADB; `fmri`: the SMF instance to clear
/// afterwards.
pub(crate) fn how_to_see_errors(file: &Path, ipseckey: &str, fmri: Option<&str>) -> Event {
    let clear = fmri.map_or(String::new(), |fmri| format!("; after fixing them: svcadm clear {fmri}"));
    Event::error(format!("to see the errors: {ipseckey} -c {}{clear}", shell_word(file))).file(file)
}

const REFUSED_COMMAND: Entry = Entry {
    id: "f45e60fc0d0dcdf87f81f9048de21bb4",
    subject: "The kernel has refused a command of the keys file",
    documentation: "man:manual-key(8)",
    text: "The command starts in line @IPSECKEY_LINE@ of the keys file. The message contains the kernel's error.",
};

/// The program that has added the SA which a refused command would add again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Own,
    Foreign,
}

/// `existing`: the SA exists already.
pub(crate) fn command_refused(line: u32, error: &SadbError, existing: Option<Existing>) -> Event {
    let owner = match existing {
        None => "",
        Some(Existing::Own) => "; this service has added it",
        Some(Existing::Foreign) => "; another program has added it, such as an IKE daemon: choose another SPI",
    };
    let text = format!("line {line}: the SADB: {}{owner}", without_hex_runs(&error.to_string()));
    Event::error(text).entry(&REFUSED_COMMAND).field("IPSECKEY_LINE", line)
}

const LIMITED: Entry = Entry {
    id: "840025709c250d320bd5541e9c9e6d80",
    subject: "A command of the keys file was applied with limitations",
    documentation: "man:ipseckeys(5)",
    text: "The command starts in line @IPSECKEY_LINE@ of the keys file. The message says what this system does not support.",
};

pub(crate) fn limitation(line: u32, note: &str) -> Event {
    let text = format!("line {line}: warning: {}", without_hex_runs(note));
    Event::warning(text).entry(&LIMITED).field("IPSECKEY_LINE", line)
}

/// A limitation of a reconciliation, whose line is unknown.
pub(crate) fn sadb_warning(note: &str) -> Event {
    Event::warning(format!("warning: {}", without_hex_runs(note)))
}

const PARTLY_APPLIED: Entry = Entry {
    id: "99c33fcc34d6574a4c3a4ba6384d2f16",
    subject: "The kernel has refused a part of the keys file",
    documentation: "man:manual-key(8)",
    text: "The kernel refused @IPSECKEY_REFUSED@ of the @IPSECKEY_COMMANDS@ commands of\n\
           @IPSECKEY_FILE@; each has a message of its own.\n\
           The other commands are applied. After fixing the file:\n\
           systemctl start @_SYSTEMD_UNIT@",
};

/// `lines`: the first line of each refused command.
pub(crate) fn partly_applied(file: &Path, commands: usize, lines: &[u32]) -> Event {
    let (refused, all) = (lines.len(), Count(commands, "command"));
    let text = format!(
        "maintenance: {}: the SADB refused {refused} of {all}, {}; the others are applied",
        shown(file),
        Lines(lines)
    );
    let event = Event::error(text).entry(&PARTLY_APPLIED).file(file);
    event.field("IPSECKEY_COMMANDS", commands).field("IPSECKEY_REFUSED", refused).lines(lines)
}

/// A command that is not allowed in a file used for reconcile.
pub(crate) fn not_reconcilable(file: &Path, error: &GoalError) -> Event {
    let text = format!("maintenance: {}: {error}; nothing is applied, the SAs in use are unchanged", shown(file));
    Event::error(text).file(file)
}

/// A foreign SA with the identity of one of the keys file.
pub(crate) fn foreign_sa(obstacle: &PlanError) -> Event {
    Event::error(format!("maintenance: {obstacle}; nothing is applied"))
}

const ROLLED_BACK: Entry = Entry {
    id: "c3a9d2b15e7f46089d1fa07b64e2c85d",
    subject: "The kernel has refused a step of a reconciliation; earlier steps were rolled back",
    documentation: "man:manual-key(8)",
    text: "The differences between @IPSECKEY_FILE@ and the loaded SAs remain.\n\
           The message contains the SA, the kernel's error, and each SA that could not be\n\
           restored. To show the steps: manual-key plan\n\
           After fixing the cause: systemctl start @_SYSTEMD_UNIT@",
};

pub(crate) fn rolled_back(file: &Path, failed: &ExecuteError) -> Event {
    let text = format!("maintenance: {}: the SADB: {}", shown(file), without_hex_runs(&failed.to_string()));
    Event::error(text).entry(&ROLLED_BACK).file(file)
}

const DIFFERS: Entry = Entry {
    id: "7e41b06fa8d3495c92e57d10c6fb3a29",
    subject: "An SA differs from the keys file after a load",
    documentation: "man:manual-key(8)",
    text: "The kernel accepted the SA, but reports different values. The message contains the\n\
           line, the SA and the fields. Another program may have changed the SA meanwhile;\n\
           to compare again: manual-key plan",
};

pub(crate) fn sa_differs(step: &Step) -> Event {
    Event::error(format!("maintenance: SA differs from the keys file after load: {}", Mismatch(step))).entry(&DIFFERS)
}

pub(crate) fn no_sequence_numbers(error: &io::Error) -> Event {
    Event::warning(format!("warning: sequence numbers are not preserved: {error}"))
}

pub(crate) fn no_random_numbers(error: &dyn fmt::Display) -> Event {
    Event::error(format!("maintenance: no random numbers: {error}"))
}

const NOT_PRIVATE: Entry = Entry {
    id: "5dbd62eec5320360f79904fa1937d52b",
    subject: "The keys file is not private",
    documentation: "man:manual-key(8)",
    text: "Users other than root can read or replace it. The message contains the command that fixes this.\n\
           Replace keys that other users may have read, on both peers.",
};

/// A keys file that is not private, loaded nevertheless.
pub(crate) fn not_private(finding: &PrivacyFinding) -> Event {
    Event::warning(format!("warning: {finding}")).entry(&NOT_PRIVATE)
}

/// A manual-key.toml that other users can change, used nevertheless.
pub(crate) fn unsafe_file(finding: &PrivacyFinding) -> Event {
    Event::warning(format!("warning: {finding}"))
}

/// A keys file that is not private, refused by the service.
pub(crate) fn insecure_file(finding: &PrivacyFinding) -> Event {
    Event::error(format!("maintenance: {finding}")).entry(&NOT_PRIVATE)
}

const UNREADABLE: Entry = Entry {
    id: "74a786b0c372a20c3b997d70c475beb7",
    subject: "The keys file cannot be read",
    documentation: "man:manual-key(8)",
    text: "Nothing was changed: the loaded SAs are still in use.\nThe file is @IPSECKEY_FILE@.",
};

pub(crate) fn unreadable_file(error: &FileError) -> Event {
    Event::error(format!("maintenance: {error}")).entry(&UNREADABLE).file(error.path())
}

const WRONG_CONFIG: Entry = Entry {
    id: "d34c910a7851f50cfce30846bf69a386",
    subject: "The configuration of the service has an error",
    documentation: "man:manual-key.toml(5)",
    text: "The message contains file and line. Nothing was changed.",
};

pub(crate) fn wrong_config(error: &ConfigError) -> Event {
    Event::error(format!("maintenance: {error}")).entry(&WRONG_CONFIG)
}

const NO_SADB: Entry = Entry {
    id: "643cb9e3fe86e004f2a551aad0ddd831",
    subject: "The SADB of the kernel cannot be used",
    documentation: "man:manual-key(8)",
    text: "It cannot be reached, or does not reply. \"ipseckey doctor\" shows what this system has and what is missing.",
};

pub(crate) fn sadb_failed(error: &SadbError) -> Event {
    Event::error(format!("the SADB: {}", without_hex_runs(&error.to_string()))).entry(&NO_SADB)
}

/// A load lock that another program holds, or that cannot be created.
pub(crate) fn no_load_lock(error: &LockError) -> Event {
    match error {
        LockError::Unavailable { .. } => Event::warning(error.to_string()),
        LockError::Busy => Event::error(error.to_string()),
    }
}

pub(crate) fn no_smf() -> Event {
    Event::error(
        "an SMF method is run by svc.startd, which sets SMF_FMRI to the name of the instance; it is not set or not valid: \
         run svcadm enable, or unset SMF_METHOD and SMF_FMRI to run by hand",
    )
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] = &[
    &LOADED,
    &UNPROTECTED,
    &STOPPED,
    &EMPTY,
    &INVALID,
    &REFUSED_COMMAND,
    &LIMITED,
    &PARTLY_APPLIED,
    &NOT_PRIVATE,
    &UNREADABLE,
    &WRONG_CONFIG,
    &NO_SADB,
    &ROLLED_BACK,
    &DIFFERS,
];
