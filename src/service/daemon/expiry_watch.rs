//! Watches an SADB for expiring lifetimes.

use super::idle_expiries::IdleExpiries;
use super::sadb_watch::{Alive, SadbWatch};
use super::thread::StartError;
use crate::sa::{AddressRole, Extension, LifetimeKind, Message, MessageType};
use crate::sadb::{MonitorMode, Sadb, SadbError, SadbTarget};
use crate::service::log::event::daemon::Expiry;

/// What the watch reports.
pub(super) enum WatchEvent {
    Expired(Expiry),
    /// The receive buffer overflowed.
    Missed,
    /// The connection to the SADB broke, or the SADB cannot be monitored. The watch has ended.
    Lost(SadbError),
}

/// Starts the thread.
pub(super) fn start(
    sadb: &SadbTarget,
    report: impl Fn(WatchEvent) + Clone + Send + 'static,
) -> Result<SadbWatch, StartError> {
    let lost = report.clone();
    let wait = move |sadb: &mut dyn Sadb, alive: &Alive| {
        let mut idle = IdleExpiries::default();
        sadb.monitor(MonitorMode::Expiries, &mut |message| {
            let is_repeated = idle.is_repeated(message);
            alive.then(|| watch_event(message).filter(|_| !is_repeated).into_iter().for_each(&report))
        })
    };
    SadbWatch::start("watch", sadb, wait, move |error| lost(WatchEvent::Lost(error)))
}

fn watch_event(message: &Message) -> Option<WatchEvent> {
    match message.kind {
        MessageType::EXPIRE if message.errno == 0 => expiry(message).map(WatchEvent::Expired),
        // The form in which backends report an overflow: no message has type 0.
        MessageType::RESERVED if message.errno != 0 => Some(WatchEvent::Missed),
        _ => None,
    }
}

fn expiry(message: &Message) -> Option<Expiry> {
    let kind = message.extensions.iter().find_map(|ext| match ext {
        Extension::Lifetime(kind, _) if *kind != LifetimeKind::Current => Some(*kind),
        _ => None,
    });
    let kind = kind?;
    Some(Expiry {
        sa_type: message.sa_type,
        spi: message.association()?.spi,
        dst: message.address(AddressRole::Destination).and_then(|dst| dst.addr),
        is_gone: kind == LifetimeKind::Hard,
        kind,
    })
}
