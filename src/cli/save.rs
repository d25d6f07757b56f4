//! `dump` and `save`: all SAs of a type.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::output::secret_stdout;
use super::private_output::private_stdout;
use super::session::Session;
use crate::redact::shown;
use crate::sa::SaType;
use crate::sadb::SadbError;
use crate::secret::SecretWriter;
use crate::show::json;
use crate::show::save::Saver;
use crate::sys::fs::atomic_write::{self, ReplaceError};

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
        Ok(())
    }

    /// Saves the SAs of a type to `file`, or to standard output without one. Returns false, with a message, if that fails.
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

    /// Writes the SAs of a type as commands, or as objects under `--json`. Returns false, with a message for each, if SAs are missing
    /// because this program does not know all of their properties.
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
        sadb.dump(sa_type, &mut |message| {
            count += 1;
            output.progress().step(count, 0);
            written = saver.save(out, message);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(io::Error::other)?;
        output.progress().end();
        written?;
        saver.finish(out)?;
        saver.unknown().iter().for_each(|text| output.print_message(&format!("warning: {text}")));
        Ok(saver.unknown().is_empty())
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
