//! The connection to the SADB, opened by the first command that needs it. Commands and completion at the prompt share it.

use std::cell::{RefCell, RefMut};

use super::output::Output;
use crate::sadb::{Sadb, SadbError, SadbTarget};

pub(super) struct Connection {
    target: SadbTarget,
    /// Prints the messages that are sent (`-v`).
    trace: Option<Output>,
    sadb: RefCell<Option<Box<dyn Sadb>>>,
}

impl Connection {
    pub(super) fn new(target: SadbTarget, trace: Option<Output>) -> Self {
        Self { target, trace, sadb: RefCell::default() }
    }

    /// # Errors
    /// [`SadbError::Unavailable`] if the SADB cannot be opened; the next call tries again.
    pub(super) fn open(&self) -> Result<RefMut<'_, dyn Sadb + 'static>, SadbError> {
        // Two borrows at a time are impossible: completion runs only while the prompt reads a line, and no command runs then.
        let mut held = self.sadb.borrow_mut();
        let sadb = match held.take() {
            Some(sadb) => sadb,
            // An SADB that could not be opened may be there for the next command: a module was loaded, a model was started.
            None => self.connect()?,
        };
        Ok(RefMut::map(held, |held| &mut **held.insert(sadb)))
    }

    fn connect(&self) -> Result<Box<dyn Sadb>, SadbError> {
        let mut sadb = self.target.open()?;
        if let Some(output) = self.trace.clone() {
            sadb.set_trace(Box::new(move |message| output.print_request(message)));
        }
        Ok(sadb)
    }
}
