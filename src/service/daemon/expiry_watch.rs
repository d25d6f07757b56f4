//! Watches an SADB for expiring lifetimes.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use super::thread::{StartError, spawn};
use crate::sa::{AddressRole, Extension, LifetimeKind, Message, MessageType};
use crate::sadb::{MonitorMode, SadbError, SadbTarget};
use crate::service::log::event::daemon::Expiry;

/// What the watch reports.
pub(super) enum WatchEvent {
    Expired(Expiry),
    /// The receive buffer overflowed.
    Missed,
    /// The connection to the SADB broke, or the SADB cannot be monitored. The watch has ended.
    Lost(SadbError),
}

/// Handle of the watching thread. After it is dropped the thread reports nothing, and ends with the next message.
pub(super) struct ExpiryWatch {
    sadb: SadbTarget,
    _alive: Arc<()>,
}

impl ExpiryWatch {
    pub(super) fn start(sadb: &SadbTarget, report: impl Fn(WatchEvent) + Send + 'static) -> Result<Self, StartError> {
        let alive = Arc::new(());
        let (is_alive, target) = (Arc::downgrade(&alive), sadb.clone());
        spawn("watch", move || watch(&target, &is_alive, &report))?;
        Ok(Self { sadb: sadb.clone(), _alive: alive })
    }

    pub(super) fn sadb(&self) -> &SadbTarget {
        &self.sadb
    }
}

fn watch(target: &SadbTarget, alive: &Weak<()>, report: &dyn Fn(WatchEvent)) {
    let is_alive = || alive.strong_count() > 0;
    let watched = target.open().and_then(|mut sadb| {
        sadb.monitor(MonitorMode::Expiries, &mut |message| {
            if !is_alive() {
                return ControlFlow::Break(());
            }
            watch_event(message).into_iter().for_each(report);
            ControlFlow::Continue(())
        })
    });
    // A watch that was replaced ends without a report: its SADB is not in use any more.
    if let (Err(error), true) = (watched, is_alive()) {
        report(WatchEvent::Lost(error));
    }
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
