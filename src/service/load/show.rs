//! `--show`: the links after a load.

use std::io::{self, Write};

use super::outcome::Failure;
use super::{Loader, Target};
use crate::links::{Links, table};
use crate::sys::net::interfaces::local_addresses;
use crate::sys::terminal;
use crate::sys::time::unix_now;

impl Loader<'_> {
    /// Prints the links of all SAs in the SADB, as `ipseckey show` does.
    pub(super) fn show(&mut self, target: &mut Target) -> Result<(), Failure> {
        let local = if self.config.sadb.is_of_system() { local_addresses().ok() } else { None };
        let links = Links::read(&mut *target.sadb, local, unix_now()).map_err(|error| self.fail_sadb(&error))?;
        let out = io::stdout();
        let width = terminal::width(&out).unwrap_or(table::DEFAULT_WIDTH);
        let style = table::Style { width, has_color: terminal::wants_color(&out) };
        let mut out = io::BufWriter::new(out.lock());
        // EPIPE: the reader has seen enough, as head(1) does. The load is done in any case.
        let _ = table::write(&mut out, &links, style).and_then(|()| out.flush());
        Ok(())
    }
}
