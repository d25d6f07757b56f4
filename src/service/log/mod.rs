//! Where the service's words go: the streams by hand and under SMF, the journal or syslog under systemd.

pub(crate) mod event;
mod journal;
pub(crate) mod policy_event;
pub(crate) mod witness;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

pub(crate) use crate::redact::without_hex_runs as masked;
use crate::service::config::supervisor::{Environment, World};
use crate::service::exit::Reason;
use crate::service::log::event::Event;
use crate::service::log::journal::Native;
use crate::service::records::file_digest::Fingerprint;

/// How much an event matters; the numbers are those of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Somebody has to act.
    Error = 3,
    /// Somebody should look.
    Warning = 4,
    /// For the record.
    Info = 6,
}

/// Takes the service's events.
pub(crate) trait Log {
    /// Writes one line. A log that cannot be written to is no reason to stop.
    fn event(&mut self, event: &Event<'_>);

    /// Hears that a command has been carried out: a long file is no standstill.
    fn progress(&mut self) {}

    /// Hears what a keys file that was read can be known by.
    fn has_read(&mut self, _fingerprint: Fingerprint) {}
}

/// Somewhere to write to.
pub(crate) type Stream<'a> = Box<dyn Write + 'a>;

/// Plain lines: what is for the record to standard output, the rest to standard error. SMF keeps both in its log.
struct Streams<'a> {
    out: Stream<'a>,
    err: Stream<'a>,
}

impl Log for Streams<'_> {
    fn event(&mut self, event: &Event<'_>) {
        let _ = match event.severity() {
            Severity::Info => writeln!(self.out, "{event}").and_then(|()| self.out.flush()),
            Severity::Error | Severity::Warning => writeln!(self.err, "manual-key: {event}"),
        };
    }
}

/// The journal: fields, or where it takes none, lines with their priority in front (sd-daemon(3)).
struct Journal<'a> {
    native: Option<Native>,
    err: Stream<'a>,
}

impl Log for Journal<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if self.native.as_ref().is_none_or(|native| native.tell(event).is_err()) {
            let _ = writeln!(self.err, "<{}>{event}", event.severity() as u8);
        }
    }
}

/// The log of `world`, with `out` and `err` as the streams.
pub(crate) fn open<'a>(world: &World, environment: Environment<'_>, out: Stream<'a>, err: Stream<'a>) -> Box<dyn Log + 'a> {
    match world {
        World::Systemd if journal_reads_stderr(environment) => {
            let native = io::stderr().as_fd().try_clone_to_owned().ok().and_then(Native::beside);
            Box::new(Journal { native, err })
        }
        World::Systemd => system::syslog(Streams { out, err }),
        World::Plain | World::Smf { .. } => system::beside(world, Streams { out, err }),
    }
}

/// Whether standard error is the journal's: `JOURNAL_STREAM` names it by device and inode (systemd.exec(5)).
fn journal_reads_stderr(environment: Environment<'_>) -> bool {
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    let stream = environment("JOURNAL_STREAM");
    stderr.is_ok_and(|stderr| stream.is_some_and(|stream| *stream == *format!("{}:{}", stderr.dev(), stderr.ino())))
}

/// syslog on Linux: a datagram to the socket that the journal or a syslogd listens on.
#[cfg(target_os = "linux")]
mod system {
    use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

    use super::{Event, Log, Severity, Streams, World};

    struct Syslog<'a> {
        logger: Logger<LoggerBackend, Formatter3164>,
        streams: Streams<'a>,
    }

    impl Log for Syslog<'_> {
        fn event(&mut self, event: &Event<'_>) {
            let line = event.to_string();
            let sent = match event.severity() {
                Severity::Error => self.logger.err(line),
                Severity::Warning => self.logger.warning(line),
                Severity::Info => self.logger.info(line),
            };
            if sent.is_err() {
                self.streams.event(event);
            }
        }
    }

    /// syslog, or the streams where there is none.
    pub(crate) fn syslog(streams: Streams<'_>) -> Box<dyn Log + '_> {
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTH,
            hostname: None,
            process: "manual-key".to_owned(),
            pid: std::process::id(),
        };
        match syslog::unix(formatter) {
            Ok(logger) => Box::new(Syslog { logger, streams }),
            Err(_) => Box::new(streams),
        }
    }

    /// Nothing beside the streams.
    pub(crate) fn beside<'a>(_: &World, streams: Streams<'a>) -> Box<dyn Log + 'a> {
        Box::new(streams)
    }
}

/// syslog elsewhere: through syslog(3C), since /dev/log of illumos is no socket.
#[cfg(not(target_os = "linux"))]
mod system {
    use nix::syslog::{Facility, Priority};

    use super::{Event, Log, Severity, Streams, World};

    /// The streams, and syslog for what needs attention: SMF's log is read only by who looks for it.
    struct Both<'a> {
        streams: Streams<'a>,
    }

    impl Log for Both<'_> {
        fn event(&mut self, event: &Event<'_>) {
            self.streams.event(event);
            let severity = match event.severity() {
                Severity::Error => nix::syslog::Severity::LOG_ERR,
                Severity::Warning => nix::syslog::Severity::LOG_WARNING,
                Severity::Info => return,
            };
            // openlog(3C) would keep a pointer to the name, so the name is part of the text.
            let line = format!("manual-key[{}]: {event}", std::process::id());
            let _ = nix::syslog::syslog(Priority::new(severity, Facility::LOG_AUTH), &line);
        }
    }

    /// syslog under SMF, nothing beside the streams otherwise.
    pub(crate) fn beside<'a>(world: &World, streams: Streams<'a>) -> Box<dyn Log + 'a> {
        if world.is_service() { Box::new(Both { streams }) } else { Box::new(streams) }
    }

    /// There is no systemd here.
    pub(crate) fn syslog(streams: Streams<'_>) -> Box<dyn Log + '_> {
        Box::new(streams)
    }
}

/// What became of an answer on standard output. A reader that has seen enough is no failure.
///
/// # Errors
/// [`Reason::Other`] if it is not complete, which has been told then.
pub(crate) fn answered(written: io::Result<()>) -> Result<(), Reason> {
    let lost = written.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    lost.map_or(Ok(()), |error| {
        let _ = writeln!(io::stderr(), "manual-key: standard output: {error}; the answer is not complete");
        Err(Reason::Other)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written(
        open: impl for<'a> FnOnce(Stream<'a>, Stream<'a>) -> Box<dyn Log + 'a>,
        event: &Event<'_>,
    ) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        open(Box::new(&mut out), Box::new(&mut err)).event(event);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn news_go_to_standard_output_and_trouble_to_standard_error() {
        let file = Path::new("/k");
        let by_hand = |event: &Event<'_>| written(|out, err| open(&World::Plain, &|_| None, out, err), event);
        let online = by_hand(&Event::Online { added: 2, file });
        assert_eq!(online, ("online: 2 SAs from /k\n".to_owned(), String::new()));
        let empty = by_hand(&Event::Empty { file });
        assert_eq!(empty, (String::new(), "manual-key: /k holds no commands\n".to_owned()));
    }

    #[test]
    fn the_journal_gets_priorities() {
        let journal = |event: &Event<'_>| written(|_, err| Box::new(Journal { native: None, err }), event).1;
        assert!(journal(&Event::NoSmf).starts_with("<3>"));
        assert_eq!(journal(&Event::Disabled { all: true }), "<6>disabled: all SAs are flushed\n");
    }

    #[test]
    fn another_stream_is_not_the_journals() {
        assert!(!journal_reads_stderr(&|_| None));
        assert!(!journal_reads_stderr(&|_| Some("0:0".into())));
    }
}
