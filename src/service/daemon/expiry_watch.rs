//! Watches an SADB for lifetimes that run out.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::thread;

use crate::sa::{AddressRole, Extension, LifetimeKind, Message, MessageType};
use crate::sadb::{MonitorMode, SadbError, SadbTarget};
use crate::service::log::event::Expiry;

/// What a watch sees.
pub(crate) enum Sight {
    /// A lifetime has run out.
    Expired(Expiry),
    /// The SADB had more to tell than anybody could read.
    Missed,
    /// The SADB went away, or does not let itself be watched.
    Lost(SadbError),
}

/// A thread that watches. When this is dropped it reports nothing more, and ends with the next message.
pub(crate) struct Watch {
    sadb: SadbTarget,
    _alive: Arc<()>,
}

impl Watch {
    /// Watches `sadb` from now on; `report` hears of everything.
    ///
    /// # Errors
    /// The system's, if there can be no thread.
    pub(crate) fn begin(sadb: &SadbTarget, report: impl Fn(Sight) + Send + 'static) -> std::io::Result<Self> {
        let alive = Arc::new(());
        let (wanted, select) = (Arc::downgrade(&alive), sadb.clone());
        thread::Builder::new().name("watch".to_owned()).spawn(move || watch(&select, &wanted, &report))?;
        Ok(Self { sadb: sadb.clone(), _alive: alive })
    }

    /// Which SADB it is.
    pub(crate) fn sadb(&self) -> &SadbTarget {
        &self.sadb
    }
}

fn watch(select: &SadbTarget, wanted: &Weak<()>, report: &dyn Fn(Sight)) {
    let is_wanted = || wanted.strong_count() > 0;
    let watched = select.open().and_then(|mut sadb| {
        sadb.monitor(MonitorMode::Expiries, &mut |message| {
            if !is_wanted() {
                return ControlFlow::Break(());
            }
            sight(message).into_iter().for_each(report);
            ControlFlow::Continue(())
        })
    });
    if let (Err(error), true) = (watched, is_wanted()) {
        report(Sight::Lost(error));
    }
}

fn sight(message: &Message) -> Option<Sight> {
    match message.kind {
        MessageType::EXPIRE if message.errno == 0 => expiry(message).map(Sight::Expired),
        MessageType::RESERVED if message.errno != 0 => Some(Sight::Missed),
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
