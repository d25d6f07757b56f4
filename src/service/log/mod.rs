//! The log of the service: standard streams by hand and under SMF, the journal or syslog under systemd.

mod catalogue;
pub(crate) mod event;
mod journal;
mod syslog;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use crate::redact::without_error_numbers;
use crate::service::config::supervisor::{Environment, Supervisor};
use crate::service::exit::Reason;
use event::Event;
use journal::Native;

/// The values are those of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// An administrator has to act.
    Error = 3,
    /// An administrator should look.
    Warning = 4,
    Info = 6,
}

/// A destination of events.
pub(crate) trait Log {
    /// Logs one event. Best effort: the service does not stop because its log is full.
    fn event(&mut self, event: &Event);

    /// Called after each applied command, so that a long load is not taken for a hang.
    fn progress(&mut self) {}
}

type Stream<'a> = Box<dyn Write + 'a>;

/// Plain lines: information to standard output, errors and warnings to standard error. SMF writes both to the instance's log.
struct Streams<'a> {
    out: Stream<'a>,
    err: Stream<'a>,
}

impl Log for Streams<'_> {
    fn event(&mut self, event: &Event) {
        // Flushed at once: SMF stops a method that hangs, and its last line matters most.
        let _ = match event.severity() {
            Severity::Info => writeln!(self.out, "{event}").and_then(|()| self.out.flush()),
            Severity::Error | Severity::Warning => writeln!(self.err, "manual-key: {event}"),
        };
    }
}

/// The journal: fields, or lines with a priority prefix (sd-daemon(3)) if its native socket does not take them.
struct Journal<'a> {
    native: Option<Native>,
    err: Stream<'a>,
}

impl Log for Journal<'_> {
    fn event(&mut self, event: &Event) {
        if self.native.as_ref().is_none_or(|native| native.send(event).is_err()) {
            let _ = writeln!(self.err, "<{}>{event}", event.severity() as u8);
        }
    }
}

/// The log for `supervisor`, with `out` and `err` as the standard streams.
pub(crate) fn open<'a>(
    supervisor: &Supervisor,
    environment: Environment<'_>,
    out: Stream<'a>,
    err: Stream<'a>,
) -> Box<dyn Log + 'a> {
    match supervisor {
        Supervisor::Systemd if journal_reads_stderr(environment) => {
            let native = io::stderr().as_fd().try_clone_to_owned().ok().and_then(Native::of_stream);
            Box::new(Journal { native, err })
        }
        // StandardError= of the unit is a file, say: the journal is reached by syslog only.
        Supervisor::Systemd => syslog::syslog(Streams { out, err }),
        Supervisor::None | Supervisor::Smf { .. } => syslog::streams_and_syslog(supervisor, Streams { out, err }),
    }
}

/// Compares standard error with `JOURNAL_STREAM`, which is device and inode of the journal's stream (systemd.exec(5)). A shell
/// in a unit may have redirected standard error.
fn journal_reads_stderr(environment: Environment<'_>) -> bool {
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    let stream = environment("JOURNAL_STREAM");
    stderr.is_ok_and(|stderr| stream.is_some_and(|stream| *stream == *format!("{}:{}", stderr.dev(), stderr.ino())))
}

/// Checks that a report reached standard output. EPIPE is success: the reader has closed the pipe, as head(1) does.
///
/// # Errors
/// [`Reason::Other`] for any other write error, after a message to standard error.
pub(crate) fn check_written(written: io::Result<()>) -> Result<(), Reason> {
    let lost = written.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    lost.map_or(Ok(()), |error| {
        let error = without_error_numbers(&error.to_string()).into_owned();
        let _ = writeln!(io::stderr(), "manual-key: standard output: {error}; the output is incomplete");
        Err(Reason::Other)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written(open: impl for<'a> FnOnce(Stream<'a>, Stream<'a>) -> Box<dyn Log + 'a>, event: &Event) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        open(Box::new(&mut out), Box::new(&mut err)).event(event);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn streams_log_information_to_stdout_and_warnings_to_stderr() {
        let file = Path::new("/k");
        let by_hand = |event: &Event| written(|out, err| open(&Supervisor::None, &|_| None, out, err), event);
        let online = by_hand(&event::load::online(2, file));
        assert_eq!(online, ("online: 2 SAs from /k\n".to_owned(), String::new()));
        let empty = by_hand(&event::load::empty(file));
        assert_eq!(empty, (String::new(), "manual-key: warning: /k adds no SA\n".to_owned()));
    }

    #[test]
    fn journal_without_native_socket_logs_priorities() {
        let journal = |event: &Event| written(|_, err| Box::new(Journal { native: None, err }), event).1;
        assert!(journal(&event::load::no_smf()).starts_with("<3>"));
        assert_eq!(
            journal(&event::load::disabled(true, event::load::AfterStop::NoPolicies)),
            "<6>disabled: all SAs are flushed\n"
        );
    }

    #[test]
    fn journal_reads_stderr_only_if_journal_stream_names_it() {
        assert!(!journal_reads_stderr(&|_| None));
        assert!(!journal_reads_stderr(&|_| Some("0:0".into())));
    }
}
