//! All SAs of a type, shown or saved.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::output::secret_stdout;
use super::session::Session;
use crate::redact::shown;
use crate::sa::SaType;
use crate::sadb::SadbError;
use crate::show::json;
use crate::show::save::Saver;
use crate::sys::fs::atomic_write::{self, ReplaceError};

impl Session<'_> {
    /// Shows the SAs of a type.
    ///
    /// # Errors
    /// The SADB's.
    pub(super) fn dump(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let output = self.output.clone();
        let sadb = self.open()?;
        let (mut out, style) = (secret_stdout()?, output.dump_style());
        let mut count = 0;
        output.begin_listing();
        sadb.dump(sa_type, &mut |sa| {
            count += 1;
            output.progress().step(count, 0);
            output.dumped(sa, &style, &mut out)
        })?;
        output.dump_end(sa_type, &mut out);
        Ok(())
    }

    /// Saves the SAs of a type to `file`; to standard output without one.
    pub(super) fn save(&mut self, sa_type: SaType, file: Option<&Path>) -> bool {
        let file = file.filter(|file| *file != Path::new("-"));
        let saved = match file {
            None => secret_stdout()
                .and_then(|mut out| self.save_to(sa_type, &mut out).and_then(|()| out.flush()))
                .map_err(ReplaceError::from),
            Some(path) => atomic_write::replace(path, |out| self.save_to(sa_type, out)),
        };
        if let Err(error) = &saved {
            let name = file.map_or_else(|| "-".to_owned(), shown);
            self.output.say(&format!("save {name}: {error}"));
        }
        saved.is_ok()
    }

    /// Writes what `save` writes.
    ///
    /// # Errors
    /// The writer's, and the SADB's.
    pub(super) fn save_to(&mut self, sa_type: SaType, out: &mut dyn Write) -> io::Result<()> {
        if let Some(choice) = self.output.json() {
            return self.save_json(sa_type, out, choice);
        }
        let mut saver = Saver::new(self.output.paranoid);
        saver.begin(out)?;
        let mut written = Ok(());
        let output = self.output.clone();
        let sadb = self.open().map_err(io::Error::other)?;
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
        saver.finish(out)
    }

    /// `save` under `--json`: the objects of a dump.
    fn save_json(&mut self, sa_type: SaType, out: &mut dyn Write, choice: json::Choice) -> io::Result<()> {
        let mut written = Ok(());
        let sadb = self.open().map_err(io::Error::other)?;
        sadb.dump(sa_type, &mut |message| {
            written = json::write_line(out, message, choice);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(io::Error::other)?;
        written
    }
}
