//! Where `ipseckey` writes: the two standard streams, what `-n`, `-p` and `-v` mean to them, and what a closed pipe means (nothing).

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::SystemTime;

use nix::errno::Errno;

use super::args::{Args, Color, Task};
use super::progress::Progress;
use super::{report, sarif};
use crate::keyfile;
use crate::keyfile::Diagnostic;
use crate::names::{Vocabulary, errnos};
use crate::sa::{Message, SaType};
use crate::sadb::MonitorMode;
use crate::secret;
use crate::show::{self, HostTable, Names, SystemNames, json, message};
use crate::sys::fs::keys_file::PrivacyFinding;

/// The two standard streams.
#[derive(Clone)]
pub(super) struct Output {
    numeric: bool,
    /// No key digit anywhere.
    pub(super) paranoid: bool,
    verbose: bool,
    illumos: bool,
    names: Rc<dyn Names>,
    diagnostics: keyfile::RenderStyle,
    color: Color,
    /// `--json`, and what goes into each object.
    json: Option<json::Choice>,
    report: Report,
    progress: Rc<Progress>,
    /// Why not all of the answer was taken by standard output: a full disk.
    lost: Rc<RefCell<Option<io::Error>>>,
}

/// Where diagnostics go. Those of `-c` and `-f` are the answer, and may be objects of it.
#[derive(Clone)]
enum Report {
    /// Text on standard error.
    Text,
    /// `--json`: an object a line.
    Objects,
    /// `--sarif`: one document, when all is said.
    Sarif(Rc<RefCell<sarif::Log>>),
}

impl Report {
    fn of(args: &Args) -> Self {
        match args.task {
            Task::Check(_) | Task::Load(_) if args.sarif => Self::Sarif(Rc::default()),
            Task::Check(_) | Task::Load(_) if args.json => Self::Objects,
            _ => Self::Text,
        }
    }
}

/// The text a diagnostic is about: a keys file, or what was typed.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// What to call it.
    pub(super) name: &'a str,
    /// All of it, or the part of it that is being read.
    pub(super) text: &'a [u8],
    /// Number of the first line of `text`.
    pub(super) first_line: u32,
}

impl Output {
    /// The streams as `args` want them; `vocabulary` is that of the SADB.
    ///
    /// # Errors
    /// A file of `--hosts` that cannot be read.
    pub(super) fn new(args: &Args, vocabulary: Vocabulary) -> io::Result<Self> {
        let names: Rc<dyn Names> = match &args.hosts {
            Some(file) => Rc::new(HostTable { hosts: fs::read_to_string(file)?, cookies: String::new() }),
            None => Rc::new(SystemNames::default()),
        };
        Ok(Self {
            numeric: args.numeric,
            paranoid: args.paranoid,
            verbose: args.verbose,
            illumos: vocabulary == Vocabulary::Illumos,
            names,
            json: args.json.then_some(json::Choice { keys: args.show_keys && !args.paranoid, timestamp: None }),
            report: Report::of(args),
            progress: Rc::default(),
            lost: Rc::default(),
            diagnostics: if wants_color(args.color, &io::stderr()) {
                keyfile::RenderStyle::Color
            } else {
                keyfile::RenderStyle::Plain
            },
            color: args.color,
        })
    }

    /// Remembers that standard output did not take all; whether to go on. A reader that has seen enough is no failure.
    pub(super) fn took(&self, written: io::Result<()>) -> ControlFlow<()> {
        let Err(error) = written else { return ControlFlow::Continue(()) };
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.lost.borrow_mut().get_or_insert(error);
        }
        ControlFlow::Break(())
    }

    /// Says so if part of the answer was lost; whether it was.
    pub(super) fn tell_loss(&self) -> bool {
        let lost = self.lost.take();
        lost.iter().for_each(|error| self.say(&format!("standard output: {error}; the answer is not complete")));
        lost.is_some()
    }

    /// Prints a line to standard error, after the program's name.
    pub(super) fn say(&self, text: &str) {
        self.progress.clear();
        // Nobody is left to tell that standard error is closed.
        let _ = writeln!(io::stderr(), "ipseckey: {text}");
    }

    /// Warns of what makes a keys file less than private.
    pub(super) fn warn(&self, findings: &[PrivacyFinding]) {
        findings.iter().for_each(|finding| self.say(&format!("warning: {finding}")));
    }

    /// Prints a diagnostic to standard error, or puts it into the answer.
    pub(super) fn diagnose(&self, diagnostic: &Diagnostic, source: Source<'_>) {
        self.progress.clear();
        match &self.report {
            Report::Text => {
                let text = keyfile::render(diagnostic, source.name, source.text, self.diagnostics);
                // Nobody is left to tell that standard error is closed.
                let _ = io::stderr().write_all(text.as_bytes());
            }
            Report::Objects => {
                let _ = self.took(report::write_diagnostic(&mut io::stdout(), diagnostic, source.name));
            }
            Report::Sarif(log) => log.borrow_mut().add(diagnostic, source.name),
        }
    }

    /// Says how many commands of a file were good, which is the last word about it.
    pub(super) fn tally(&self, file: &str, commands: usize, good: usize, verb: &str) {
        let written = match &self.report {
            Report::Text => {
                self.say(&format!("{file}: {good} of {commands} commands {verb}"));
                Ok(())
            }
            Report::Objects => report::write_tally(&mut io::stdout(), file, commands, good),
            Report::Sarif(log) => writeln!(io::stdout(), "{:#}", log.borrow().document()),
        };
        let _ = self.took(written);
    }

    /// The line that tells how far long work is.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Listing SAs begins. Where they are listed on the terminal itself, nothing stands between them.
    pub(super) fn begin_listing(&self) {
        if !io::stdout().is_terminal() {
            self.progress.begin("SAs", None);
        }
    }

    /// Whether diagnostics are for people, who read a few and not thousands.
    pub(super) fn is_for_people(&self) -> bool {
        matches!(self.report, Report::Text)
    }

    /// Whether the answer has a last word in any case.
    pub(super) fn always_tallies(&self) -> bool {
        !matches!(self.report, Report::Text)
    }

    /// Whether standard output is coloured.
    pub(super) fn colors(&self) -> bool {
        wants_color(self.color, &io::stdout())
    }

    /// What objects hold under `--json`.
    pub(super) fn json(&self) -> Option<json::Choice> {
        self.json
    }

    /// Prints the answer to `get`.
    pub(super) fn show(&self, answer: &Message) {
        let _ = self.took(printed(|out| match self.json {
            Some(choice) => json::write_line(out, answer, choice),
            None => message::print(out, answer, &self.style(false)),
        }));
    }

    /// Prints a message before it is sent (`-v`).
    pub(super) fn trace(&self, request: &Message) {
        if self.json.is_some() {
            // Standard output is for answers then.
            let _ = message::print_sent(&mut io::stderr(), request, &self.style(false));
            return;
        }
        let _ = self.took(printed(|out| message::print_sent(out, request, &self.style(false))));
    }

    /// How the SAs of a dump are printed: as of now, all of them.
    pub(super) fn dump_style(&self) -> show::Style<'_> {
        self.style(false)
    }

    /// Prints an SA of a dump; whether to go on.
    pub(super) fn dumped(&self, sa: &Message, style: &show::Style<'_>, out: &mut dyn Write) -> ControlFlow<()> {
        self.took(match self.json {
            Some(choice) => json::write_line(out, sa, choice),
            None => message::print_entry(out, sa, style),
        })
    }

    /// Prints what ends a dump.
    pub(super) fn dump_end(&self, sa_type: SaType, out: &mut dyn Write) {
        self.progress.end();
        if self.names.gave_up() {
            self.say(
                "names: the name service is slow or does not answer, so not every address has its name (-n asks for none)",
            );
        }
        let ended = if self.json.is_some() { Ok(()) } else { message::print_dump_end(out, sa_type) };
        let _ = self.took(ended.and_then(|()| out.flush()));
    }

    /// Prints what a monitor starts with.
    pub(super) fn monitor_start(&self, hearing: MonitorMode) {
        if self.json.is_some() {
            return;
        }
        let _ = self.took(message::print_monitor_start(&mut io::stdout(), hearing != MonitorMode::All));
    }

    /// Prints a message that a monitor has heard; whether to go on.
    pub(super) fn heard(&self, heard: &Message) -> ControlFlow<()> {
        self.took(printed(|out| match self.json {
            Some(choice) => json::write_line(out, heard, json::Choice { timestamp: Some(now()), ..choice }),
            None => message::print_heard(out, heard, &self.style(true)),
        }))
    }

    fn style(&self, timestamp: bool) -> show::Style<'_> {
        show::Style {
            numeric: self.numeric,
            paranoid: self.paranoid,
            verbose: self.verbose,
            timestamp,
            now: now(),
            date: show::local,
            errno: if self.illumos { errnos::illumos } else { of_this_system },
            names: &*self.names,
        }
    }
}

/// Standard output for what may hold keys: past the buffer of [`io::stdout`], which nobody wipes.
///
/// # Errors
/// The system's.
pub(super) fn secret_stdout() -> io::Result<secret::SecretWriter<File>> {
    secret_stdout_for(64 * 1024)
}

/// The same, for some `capacity` bytes.
fn secret_stdout_for(capacity: usize) -> io::Result<secret::SecretWriter<File>> {
    let mut out = io::stdout();
    out.flush()?;
    Ok(secret::SecretWriter::new(capacity, File::from(out.as_fd().try_clone_to_owned()?)))
}

/// Prints one message to standard output.
fn printed(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    /// About twice what one SA takes.
    const MESSAGE: usize = 4 * 1024;
    let mut out = secret_stdout_for(MESSAGE)?;
    print(&mut out)?;
    out.flush()
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

fn of_this_system(errno: u8) -> Option<&'static str> {
    Some(Errno::from_raw(i32::from(errno)).desc())
}

/// Whether what goes to `stream` is coloured. NO_COLOR: <https://no-color.org>.
fn wants_color(color: Color, stream: &impl IsTerminal) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}
