//! An SA in a table (illumos `ipsa_t`).

use std::net::IpAddr;

use crate::model::address::Address;
use crate::model::settings::Seconds;
use crate::sa::{Association, AuthAlg, EncrAlg, Flags, Identity, Lifetime, SaState, Spi};
use crate::secret::Key;

/// Seconds since 1970; 0 for never.
pub(crate) type Timestamp = Seconds;

/// An SA. No `Debug`: it holds keys.
pub(crate) struct StoredSa {
    pub(crate) spi: Spi,
    pub(crate) source: Address,
    /// In tunnel mode the ports are in `inner`.
    pub(crate) destination: Address,
    pub(crate) inner: Option<(Address, Address)>,
    pub(crate) natt_local: Option<Address>,
    pub(crate) natt_remote: Option<Address>,
    pub(crate) state: SaState,
    pub(crate) flags: Flags,
    pub(crate) auth: AuthAlg,
    pub(crate) encr: EncrAlg,
    pub(crate) auth_key: Option<Key>,
    pub(crate) encr_key: Option<Key>,
    pub(crate) source_identity: Option<Identity>,
    pub(crate) destination_identity: Option<Identity>,
    pub(crate) cookie: (u32, u64),
    pub(crate) hard: Lifetime,
    pub(crate) soft: Lifetime,
    pub(crate) idle: Lifetime,
    pub(crate) added: Timestamp,
    /// Time of the first use.
    pub(crate) used: Timestamp,
    /// Time of the last use, which X_EDUMP selects by.
    pub(crate) last_used: Timestamp,
    pub(crate) bytes: u64,
    pub(crate) hard_expires: Timestamp,
    pub(crate) soft_expires: Timestamp,
    pub(crate) idle_expires: Timestamp,
    /// Idle lifetime in seconds; 0 for none.
    pub(crate) idle_period: Seconds,
    pub(crate) replay: ReplayWindow,
    /// SPI of the paired SA, 0 for none.
    pub(crate) pair: Spi,
    /// Whether the other table holds a copy of it (`sadb_cloneassoc`).
    pub(crate) has_copy: bool,
}

impl StoredSa {
    /// A larval SA: SPI and addresses only.
    pub(crate) fn new(spi: Spi, source: Address, destination: Address, now: Seconds) -> Self {
        Self {
            spi,
            source,
            destination,
            inner: None,
            natt_local: None,
            natt_remote: None,
            state: SaState::LARVAL,
            flags: Flags::default(),
            auth: AuthAlg::NONE,
            encr: EncrAlg::NONE,
            auth_key: None,
            encr_key: None,
            source_identity: None,
            destination_identity: None,
            cookie: (0, 0),
            hard: Lifetime::default(),
            soft: Lifetime::default(),
            idle: Lifetime::default(),
            added: now,
            used: 0,
            last_used: 0,
            bytes: 0,
            hard_expires: 0,
            soft_expires: 0,
            idle_expires: 0,
            idle_period: 0,
            replay: ReplayWindow::default(),
            pair: Spi(0),
            has_copy: false,
        }
    }

    /// The copy for the other table.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            auth_key: self.auth_key.as_ref().map(Key::duplicate),
            encr_key: self.encr_key.as_ref().map(Key::duplicate),
            source_identity: self.source_identity.clone(),
            destination_identity: self.destination_identity.clone(),
            ..*self
        }
    }

    pub(crate) fn association(&self) -> Association {
        Association {
            spi: self.spi,
            replay: self.replay.window,
            state: self.state,
            auth: self.auth,
            encr: self.encr,
            flags: self.flags,
        }
    }

    /// Whether its source is `source`; an unspecified address matches any.
    pub(crate) fn is_from(&self, source: Option<IpAddr>) -> bool {
        source.is_none_or(|ip| ip.is_unspecified() || self.source.ip == ip || self.source.ip.is_unspecified())
    }

    /// Sets the state DEAD; the ager removes the SA at `due`.
    pub(crate) fn kill(&mut self, due: Timestamp) {
        self.state = SaState::DEAD;
        // 0 would mean never.
        self.hard_expires = due.max(1);
    }

    pub(crate) fn unpair(&mut self) {
        self.pair = Spi(0);
        self.flags = self.flags & !Flags::PAIRED;
    }

    pub(crate) fn pair_with(&mut self, spi: Spi) {
        self.pair = spi;
        self.flags |= Flags::PAIRED;
    }

    pub(crate) fn is_bidirectional(&self) -> bool {
        self.flags.has(Flags::INBOUND | Flags::OUTBOUND)
    }

    /// Restarts the idle lifetime.
    pub(crate) fn restart_idle(&mut self, now: Seconds) {
        if self.idle_period != 0 {
            self.idle_expires = now.saturating_add(self.idle_period);
        }
    }
}

/// `span` seconds after `start`; 0 for no limit.
pub(crate) fn after(start: Timestamp, span: Seconds) -> Timestamp {
    if span == 0 { 0 } else { start.saturating_add(span) }
}

/// The earlier of two times, 0 being never.
pub(crate) fn earlier(a: Timestamp, b: Timestamp) -> Timestamp {
    match (a, b) {
        (0, other) | (other, 0) => other,
        _ => a.min(b),
    }
}

/// The anti-replay window (RFC 4303 section 3.4.3; illumos `sadb_replay_check`).
#[derive(Clone, Copy, Default)]
pub(crate) struct ReplayWindow {
    /// Width in packets, 0 for none.
    pub(crate) window: u8,
    /// The highest sequence number received or sent.
    pub(crate) last: u32,
    /// Bit n: sequence number `last - n` has been received.
    seen: [u64; 4],
}

impl ReplayWindow {
    pub(crate) fn starting_at(window: u8, last: u32) -> Self {
        Self { window, last, seen: [0; 4] }
    }

    /// Marks `seq` as received; `false` if it was before or is left of the window.
    pub(crate) fn accept(&mut self, seq: u32) -> bool {
        // The first sequence number of an SA is 1 (RFC 4303 section 2.2).
        if seq == 0 {
            return false;
        }
        if seq > self.last {
            self.shift(seq - self.last);
            self.last = seq;
        }
        let back = self.last - seq;
        // Left of the window it is not known which packets were received, so they count as replayed.
        if back >= u32::from(self.window) {
            return false;
        }
        let is_new = !self.bit(back);
        self.set_bit(back);
        is_new
    }

    fn bit(&self, back: u32) -> bool {
        self.seen.get(back as usize / 64).is_some_and(|word| word >> (back % 64) & 1 == 1)
    }

    fn set_bit(&mut self, back: u32) {
        if let Some(word) = self.seen.get_mut(back as usize / 64) {
            *word |= 1 << (back % 64);
        }
    }

    fn shift(&mut self, by: u32) {
        let before = *self;
        self.seen = [0; 4];
        // 256 bits, one more than the largest window. A larger shift leaves an empty range.
        for back in 0..256_u32.saturating_sub(by) {
            if before.bit(back) {
                self.set_bit(back + by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replay_window_accepts_each_number_once() {
        let mut replay = ReplayWindow::starting_at(32, 100);
        assert!(replay.accept(101));
        assert!(!replay.accept(101));
        assert!(replay.accept(90));
        assert!(!replay.accept(90));
        assert!(replay.accept(500));
        assert!(!replay.accept(468));
        assert!(replay.accept(469));
        assert!(!replay.accept(0));
        assert_eq!(replay.last, 500);
    }

    #[test]
    fn replay_window_of_255() {
        let mut replay = ReplayWindow::starting_at(255, 0);
        assert!((1..=255).all(|seq| replay.accept(seq)));
        assert!((1..=255).all(|seq| !replay.accept(seq)));
        assert!(replay.accept(300));
        assert!(!replay.accept(46));
        assert!(!replay.accept(255));
        assert!(replay.accept(u32::MAX));
        assert!(!replay.accept(u32::MAX));
    }

    #[test]
    fn after_and_earlier_take_0_as_never() {
        assert_eq!(after(5, 0), 0);
        assert_eq!(after(5, 2), 7);
        assert_eq!(after(5, u64::MAX), u64::MAX);
        assert_eq!(earlier(0, 7), 7);
        assert_eq!(earlier(7, 0), 7);
        assert_eq!(earlier(7, 3), 3);
    }
}
