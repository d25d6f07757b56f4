//! `show --watch`: draws the table again and again, with rates instead of sums.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::session::Session;
use crate::links::table;
use crate::policy::Net;
use crate::sadb::SadbError;
use crate::show;
use crate::sys::terminal;
use crate::sys::time::unix_now;

/// To the first line; to the end of the line, of the screen: the rest of the last picture.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

impl Session<'_> {
    /// Prints the links every `interval` until the process is interrupted or standard output takes no more.
    ///
    /// # Errors
    /// As [`Session::show`].
    pub(super) fn watch(&self, peer: Option<Net>, interval: Duration) -> Result<(), SadbError> {
        let mut before = None;
        loop {
            let mut links = self.read_links()?;
            if let Some(net) = peer {
                links.retain(net);
            }
            if let Some(before) = before.take() {
                links.compare(before);
            }
            let drawn = match (self.output.json(), terminal::size(&io::stdout())) {
                (None, Some((_, rows))) => self.draw(&links, rows, interval),
                _ => self.write_links(&links),
            };
            if self.output.note_write_error(drawn).is_break() {
                return Ok(());
            }
            before = Some(links.counters());
            thread::sleep(interval);
        }
    }

    /// Draws over the last picture, in at most `rows` lines.
    fn draw(&self, links: &crate::links::Links, rows: usize, interval: Duration) -> io::Result<()> {
        let mut text = Vec::new();
        writeln!(text, "{}  every {} s, Ctrl-C ends", show::local(unix_now()), interval.as_secs())?;
        table::write(&mut text, links, self.table_style())?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        write!(out, "{HOME}")?;
        // A newline in the last row would scroll.
        for line in text.split_inclusive(|byte| *byte == b'\n').take(rows.saturating_sub(1).max(1)) {
            out.write_all(line.strip_suffix(b"\n").unwrap_or(line))?;
            writeln!(out, "{CLEAR_LINE}")?;
        }
        write!(out, "{CLEAR_BELOW}")?;
        out.flush()
    }
}
