//! `dump` and `save`: all SAs of a type.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::output::secret_stdout;
use super::private_output::private_stdout;
use super::session::Session;
use crate::keyfile::{self, Command, Diagnostic, HostsFile, Options, Setting};
use crate::names::Vocabulary;
use crate::redact::shown;
use crate::sa::SaType;
use crate::sadb::{AddCheck, SadbError};
use crate::secret::SecretWriter;
use crate::show::json;
use crate::show::save::Saver;
use crate::sys::fs::atomic_write::{self, ReplaceError};

/// Finds out whether a saved command will load: Linux holds SAs that a keys file cannot add, such as those with a key of another
/// length.
struct Verifier {
    /// `None` with -p, where keys are hidden, and for illumos, which holds no other SAs than those that can be added.
    check: Option<AddCheck>,
}

impl Verifier {
    fn new(session: &Session<'_>) -> Self {
        let is_useful = session.vocabulary() == Vocabulary::Linux && !session.output.paranoid;
        Self { check: is_useful.then(|| AddCheck::new(session.target())) }
    }

    /// Why the command in `text` will not load.
    fn reason(&mut self, text: &[u8]) -> Option<String> {
        let check = self.check.as_mut()?;
        let resolver = HostsFile::default();
        let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &resolver };
        keyfile::commands(text, &options).find_map(|item| match item.outcome {
            Ok(Command::Sa(command)) => {
                check.refusal(&command.request).map(|error| format!("cannot be added from a keys file: {error}"))
            }
            Ok(_) => None,
            Err(_) => {
                let error = item.diagnostics.into_iter().find(Diagnostic::is_error);
                Some(format!("cannot be written to a keys file: {}", error.map_or_else(String::new, |error| error.message)))
            }
        })
    }
}

impl Session<'_> {
    /// Prints the SAs of a type.
    ///
    /// # Errors
    /// The SADB cannot be opened, or refuses to list its SAs.
    pub(super) fn dump(&self, sa_type: SaType) -> Result<(), SadbError> {
        let output = &self.output;
        let mut sadb = self.open()?;
        // One style for the whole dump: reading the clock for each SA would cost more than printing it.
        let (mut out, style) = (secret_stdout()?, output.dump_style());
        let mut count = 0;
        output.begin_listing();
        sadb.dump(sa_type, &mut |sa| {
            count += 1;
            output.progress().step(count, 0);
            output.print_entry(sa, &style, &mut out)
        })?;
        output.finish_dump(sa_type, &mut out);
        sadb.take_warnings().iter().for_each(|note| output.print_message(note));
        Ok(())
    }

    /// Saves the SAs of a type to `file`, or to standard output without one. Returns false, with messages, if that fails or something
    /// of the SAs is not in the file.
    pub(super) fn save(&self, sa_type: SaType, file: Option<&Path>) -> bool {
        let file = file.filter(|file| *file != Path::new("-"));
        let complete = Cell::new(true);
        let save = |out: &mut dyn Write| self.save_to(sa_type, out).map(|all| complete.set(all));
        let saved = match file {
            // Standard output cannot be replaced atomically; a reader sees an incomplete text if the SADB fails.
            None => self
                .stdout_to_save()
                .and_then(|mut out| save(&mut out).and_then(|()| out.flush()))
                .map_err(ReplaceError::from),
            Some(path) => atomic_write::replace(path, |out| save(out)),
        };
        if let Err(error) = &saved {
            let name = file.map_or_else(|| "-".to_owned(), shown);
            self.output.print_message(&format!("save {name}: {error}"));
        }
        saved.is_ok() && complete.get()
    }

    /// Standard output for a save, which must be private if there are keys in it.
    fn stdout_to_save(&self) -> io::Result<SecretWriter<File>> {
        let has_keys = !self.output.paranoid && self.output.json().is_none_or(|choice| choice.keys);
        if has_keys { private_stdout() } else { secret_stdout() }
    }

    /// Writes the SAs of a type as commands, or as objects under `--json`. Returns false, with messages, if something of the SAs is not
    /// in the commands.
    ///
    /// # Errors
    /// `out` cannot be written, or the SADB cannot be opened or refuses to list its SAs.
    pub(super) fn save_to(&self, sa_type: SaType, out: &mut dyn Write) -> io::Result<bool> {
        if let Some(choice) = self.output.json() {
            return self.save_json(sa_type, out, choice).map(|()| true);
        }
        let mut saver = Saver::new(self.output.paranoid);
        saver.begin(out)?;
        // An error of `out` ends the dump by `Break`, which the SADB does not report as an error.
        let mut written = Ok(());
        let output = &self.output;
        let mut sadb = self.open().map_err(io::Error::other)?;
        output.begin_listing();
        let mut count = 0;
        let mut verifier = Verifier::new(self);
        sadb.dump(sa_type, &mut |message| {
            count += 1;
            output.progress().step(count, 0);
            written = saver.save_verified(out, message, &mut |text| verifier.reason(text));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(io::Error::other)?;
        output.progress().end();
        written?;
        saver.finish(out)?;
        let mut problems = saver.take_problems();
        problems.extend(sadb.take_warnings());
        problems.iter().for_each(|problem| output.print_message(&format!("save: {problem}")));
        Ok(problems.is_empty())
    }

    fn save_json(&self, sa_type: SaType, out: &mut dyn Write, choice: json::Choice) -> io::Result<()> {
        let mut written = Ok(());
        let mut sadb = self.open().map_err(io::Error::other)?;
        sadb.dump(sa_type, &mut |message| {
            written = json::write_line(out, message, choice);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(io::Error::other)?;
        written
    }
}
