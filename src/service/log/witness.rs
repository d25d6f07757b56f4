//! The service's log, and what was said in it of the service's own state.

use std::path::PathBuf;

use crate::service::log::Log;
use crate::service::log::event::Event;
use crate::service::records::file_digest::Fingerprint;

/// Passes on what is said and remembers what of it tells the state.
pub(crate) struct Witness<'a> {
    log: &'a mut dyn Log,
    /// The last line that tells the state.
    pub(crate) last: String,
    /// The keys file it was about.
    pub(crate) file: Option<PathBuf>,
    /// Of the keys file that was read last.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Whether that was applied, all of it or in part.
    pub(crate) is_applied: bool,
    /// SAs added, or found as they should be, if all of it was.
    pub(crate) added: Option<usize>,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(log: &'a mut dyn Log) -> Self {
        Self { log, last: String::new(), file: None, fingerprint: None, is_applied: false, added: None }
    }
}

impl Log for Witness<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if event.tells_state() {
            self.last = event.to_string();
            self.file = event.file().map(ToOwned::to_owned).or(self.file.take());
            self.is_applied = matches!(event, Event::Online { .. } | Event::Reconciled { .. } | Event::PartlyApplied { .. });
            self.added = match event {
                Event::Online { added, .. } => Some(*added),
                Event::Reconciled { sas, .. } => Some(*sas),
                _ => None,
            };
        }
        self.log.event(event);
    }

    fn has_read(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = Some(fingerprint);
    }
}
