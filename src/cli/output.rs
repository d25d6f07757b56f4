//! Standard output and standard error, with the options that decide how they look. A closed pipe (EPIPE) is no failure.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::rc::Rc;

use nix::errno::Errno;

use super::progress::Progress;
use super::report::{Counts, Excerpt, Report};
use super::settings::{Color, Settings};
use crate::keyfile::{self, Diagnostic};
use crate::names::{Vocabulary, errnos};
use crate::redact::without_error_numbers;
use crate::sa::{Message, SaType};
use crate::sadb::{MonitorMode, SadbError};
use crate::secret;
use crate::show::{self, HostTable, Names, SystemNames, json, message};
use crate::sys::fs::keys_file::PrivacyFinding;
use crate::sys::terminal;
use crate::sys::time::unix_now;

#[derive(Clone)]
pub(super) struct Output {
    numeric: bool,
    /// Prints no key digit.
    pub(super) paranoid: bool,
    verbose: bool,
    illumos: bool,
    names: Rc<dyn Names>,
    color: Color,
    /// What the objects of `--json` hold.
    json: Option<json::Choice>,
    report: Report,
    progress: Rc<Progress>,
    /// The first error of standard output that is not EPIPE.
    write_error: Rc<RefCell<Option<io::Error>>>,
}

impl Output {
    /// `vocabulary` is that of the SADB; `hosts` is the text of the file of `--hosts`.
    pub(super) fn new(settings: &Settings, vocabulary: Vocabulary, hosts: Option<String>) -> Self {
        let names: Rc<dyn Names> = match hosts {
            Some(hosts) => Rc::new(HostTable { hosts, cookies: String::new() }),
            None => Rc::new(SystemNames::default()),
        };
        let style = if uses_color(settings.color, &io::stderr()) {
            keyfile::RenderStyle::Color
        } else {
            keyfile::RenderStyle::Plain
        };
        Self {
            numeric: settings.numeric,
            paranoid: settings.paranoid,
            verbose: settings.verbose,
            // Error numbers in messages are those of the SADB, which may be the model of another system.
            illumos: vocabulary == Vocabulary::Illumos,
            names,
            json: settings.json.then_some(json::Choice {
                keys: settings.show_keys && !settings.paranoid,
                paranoid: settings.paranoid,
                timestamp: None,
            }),
            report: Report::new(settings.report, style),
            progress: Rc::default(),
            write_error: Rc::default(),
            color: settings.color,
        }
    }

    /// The output for the messages of `-v`, which are text on standard error. Under `--json` keys are for those that ask for them.
    pub(super) fn for_trace(&self) -> Self {
        let hides_keys = self.json.is_some_and(|choice| !choice.keys);
        Self { paranoid: self.paranoid || hides_keys, ..self.clone() }
    }

    /// Keeps an error of standard output for [`Self::report_write_error`]; `Break` if there is one. EPIPE is not reported: the reader
    /// of the pipe has closed it.
    pub(super) fn note_write_error(&self, written: io::Result<()>) -> ControlFlow<()> {
        let Err(error) = written else { return ControlFlow::Continue(()) };
        // `ipseckey dump | head` is ordinary use.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.write_error.borrow_mut().get_or_insert(error);
        }
        ControlFlow::Break(())
    }

    /// Prints the error of standard output, if there was one. Returns whether there was.
    pub(super) fn report_write_error(&self) -> bool {
        // A full disk, for example: the caller must not take the output for complete.
        let error = self.write_error.take();
        error.iter().for_each(|error| self.print_message(&format!("standard output: {error}; the output is incomplete")));
        error.is_some()
    }

    /// Prints a line to standard error, after the name of the program.
    pub(super) fn print_message(&self, text: &str) {
        self.progress.clear();
        // Best effort: if standard error is closed, there is no other place to report that.
        let _ = writeln!(io::stderr(), "ipseckey: {}", without_error_numbers(text));
    }

    /// Warns that a keys file is not private.
    pub(super) fn warn_of_findings(&self, findings: &[PrivacyFinding]) {
        findings.iter().for_each(|finding| self.print_message(&format!("warning: {finding}")));
    }

    pub(super) fn print_diagnostic(&self, diagnostic: &Diagnostic, text: Excerpt<'_>) {
        self.progress.clear();
        let _ = self.note_write_error(self.report.diagnostic(diagnostic, text));
    }

    /// Prints `diagnostic`, which is about `error`.
    pub(super) fn print_failure(&self, diagnostic: &Diagnostic, error: &SadbError, text: Excerpt<'_>) {
        self.progress.clear();
        let _ = self.note_write_error(self.report.failure(diagnostic, error, text));
    }

    /// Prints how many commands of a file are `word` (`correct`, `succeeded`): the last line of the report.
    pub(super) fn print_summary(&self, file: &str, counts: Counts, word: &str) {
        self.progress.clear();
        let _ = self.note_write_error(self.report.summary(file, counts, word));
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Begins the progress of a listing.
    pub(super) fn begin_listing(&self) {
        // On the terminal itself the line would come between the SAs.
        if !io::stdout().is_terminal() {
            self.progress.begin("SAs", None);
        }
    }

    /// Whether diagnostics are text for people, who read a few of them and not thousands.
    pub(super) fn reports_text(&self) -> bool {
        self.report.is_text()
    }

    /// Whether standard output is coloured.
    pub(super) fn colors(&self) -> bool {
        uses_color(self.color, &io::stdout())
    }

    /// What the objects of `--json` hold; `None` for text.
    pub(super) fn json(&self) -> Option<json::Choice> {
        self.json
    }

    /// Prints the SA that `get` has found.
    pub(super) fn print_sa(&self, answer: &Message) {
        let _ = self.note_write_error(print_message_to_stdout(|out| match self.json {
            Some(choice) => json::write_line(out, answer, choice),
            None => message::print(out, answer, &self.style(false)),
        }));
    }

    /// Prints a message before it is sent (`-v`).
    pub(super) fn print_request(&self, request: &Message) {
        if self.json.is_some() {
            // Standard output holds objects only, for the program that reads them.
            let _ = message::print_sent(&mut io::stderr(), request, &self.style(false));
            return;
        }
        let _ = self.note_write_error(print_message_to_stdout(|out| message::print_sent(out, request, &self.style(false))));
    }

    /// How the SAs of a dump are printed: all with the same time as now.
    pub(super) fn dump_style(&self) -> show::Style<'_> {
        self.style(false)
    }

    /// Prints an SA of a dump; `Break` if `out` takes no more.
    pub(super) fn print_entry(&self, sa: &Message, style: &show::Style<'_>, out: &mut dyn Write) -> ControlFlow<()> {
        self.note_write_error(match self.json {
            Some(choice) => json::write_line(out, sa, choice),
            None => message::print_entry(out, sa, style),
        })
    }

    /// Prints the last line of a dump.
    pub(super) fn finish_dump(&self, sa_type: SaType, out: &mut dyn Write) {
        self.progress.end();
        if self.names.gave_up() {
            self.print_message(
                "names: the name service is slow or does not reply, so some addresses are printed without a name (-n looks up none)",
            );
        }
        let ended = if self.json.is_some() { Ok(()) } else { message::print_dump_end(out, sa_type) };
        let _ = self.note_write_error(ended.and_then(|()| out.flush()));
    }

    /// Prints the first line of a monitor.
    pub(super) fn print_monitor_heading(&self, hearing: MonitorMode) {
        // The heading is not an object.
        if self.json.is_some() {
            return;
        }
        let _ = self.note_write_error(message::print_monitor_start(&mut io::stdout(), hearing != MonitorMode::All));
    }

    /// Prints a message that a monitor has received; `Break` if standard output takes no more.
    pub(super) fn print_event(&self, event: &Message) -> ControlFlow<()> {
        self.note_write_error(print_message_to_stdout(|out| match self.json {
            Some(choice) => json::write_line(out, event, json::Choice { timestamp: Some(unix_now()), ..choice }),
            None => message::print_heard(out, event, &self.style(true)),
        }))
    }

    fn style(&self, timestamp: bool) -> show::Style<'_> {
        show::Style {
            numeric: self.numeric,
            paranoid: self.paranoid,
            verbose: self.verbose,
            timestamp,
            now: unix_now(),
            date: show::local,
            errno: if self.illumos { errnos::illumos } else { of_this_system },
            names: &*self.names,
        }
    }
}

/// Standard output for text that may hold keys. It does not use the buffer of [`io::stdout`], which is never wiped.
///
/// # Errors
/// Standard output cannot be flushed or its descriptor not be duplicated.
pub(super) fn secret_stdout() -> io::Result<secret::SecretWriter<File>> {
    secret_stdout_of(64 * 1024)
}

/// With a buffer of `capacity` bytes.
fn secret_stdout_of(capacity: usize) -> io::Result<secret::SecretWriter<File>> {
    let mut out = io::stdout();
    // Earlier text may still be in the buffer of the standard library.
    out.flush()?;
    Ok(secret::SecretWriter::new(capacity, File::from(out.as_fd().try_clone_to_owned()?)))
}

fn print_message_to_stdout(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    /// About twice the size of an SA in print.
    const CAPACITY: usize = 4 * 1024;
    let mut out = secret_stdout_of(CAPACITY)?;
    print(&mut out)?;
    out.flush()
}

fn of_this_system(errno: u8) -> Option<&'static str> {
    Some(Errno::from_raw(i32::from(errno)).desc())
}

fn uses_color(color: Color, stream: &impl IsTerminal) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal::wants_color(stream),
    }
}
