//! An SA in a table (illumos `sadb.h`, `ipsa_t`).

use std::net::{IpAddr, Ipv4Addr};

use crate::model::replay_window::ReplayWindow;
use crate::model::settings::Seconds;
use crate::sa::{Association, AuthAlg, EncrAlg, Flags, Identity, Lifetime, SaState, Spi};
use crate::secret::Key;

/// Seconds since 1970 as the kernel's `time_t`: sums may wrap around to a time long ago.
pub(crate) type Timestamp = i64;

/// A time of the caller's clock as the kernel counts it.
pub(crate) fn timestamp(now: Seconds) -> Timestamp {
    Timestamp::try_from(now).unwrap_or(Timestamp::MAX)
}

/// An SA. No `Debug`: it holds keys.
pub(crate) struct StoredSa {
    pub(crate) spi: Spi,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) selector: Selector,
    pub(crate) inner: Option<InnerAddresses>,
    pub(crate) natt_local: NattAddress,
    pub(crate) natt_remote: NattAddress,
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
    /// 0 for a larval SA.
    pub(crate) added: Timestamp,
    /// Time of the first use.
    pub(crate) used: Timestamp,
    /// Time of the last use, which X_EDUMP selects by.
    pub(crate) last_used: Timestamp,
    pub(crate) bytes: u64,
    /// 0 for never.
    pub(crate) hard_expires: Timestamp,
    /// 0 for never.
    pub(crate) soft_expires: Timestamp,
    /// Matters only with an idle period.
    pub(crate) idle_expires: Timestamp,
    /// Idle lifetime in seconds; 0 for none.
    pub(crate) idle_period: Timestamp,
    pub(crate) replay: ReplayWindow,
    /// SPI of the paired SA, 0 for none (`ipsa_otherspi`).
    pub(crate) pair: Spi,
    /// Whether a copy of it was put into the other table (`ipsa_haspeer`).
    pub(crate) has_copy: bool,
}

/// Ports and protocols of the packets (`ipsa_unique_id`). The ports of a tunnel are those inside.
#[derive(Clone, Copy, Default)]
pub(crate) struct Selector {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    /// Reported with both outer addresses.
    pub(crate) proto: u8,
    pub(crate) inner_proto: u8,
}

impl Selector {
    /// Whether it selects packets at all.
    pub(crate) fn is_unique(self) -> bool {
        self.source_port != 0 || self.destination_port != 0 || self.proto != 0 || self.inner_proto != 0
    }
}

/// The networks inside a tunnel, each with its prefix length.
#[derive(Clone, Copy)]
pub(crate) struct InnerAddresses {
    pub(crate) source: (IpAddr, u8),
    pub(crate) destination: (IpAddr, u8),
}

/// A NAT-T address, which is always IPv4.
#[derive(Clone, Copy)]
pub(crate) struct NattAddress {
    pub(crate) ip: Ipv4Addr,
    pub(crate) port: u16,
}

impl NattAddress {
    const NONE: Self = Self { ip: Ipv4Addr::UNSPECIFIED, port: 0 };
}

impl StoredSa {
    /// A larval SA: SPI and addresses only (`sadb_makelarvalassoc`).
    pub(crate) fn new(spi: Spi, source: IpAddr, destination: IpAddr) -> Self {
        Self {
            spi,
            source,
            destination,
            selector: Selector::default(),
            inner: None,
            natt_local: NattAddress::NONE,
            natt_remote: NattAddress::NONE,
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
            added: 0,
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

    /// The copy for the other table (`sadb_cloneassoc`).
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

    /// Whether its source is `source`; an unspecified address matches any (`ipsec_getassocbyspi`).
    pub(crate) fn is_from(&self, source: Option<IpAddr>) -> bool {
        source.is_none_or(|ip| ip.is_unspecified() || self.source == ip || self.source.is_unspecified())
    }

    /// Sets the state DEAD; the next run of the ager removes the SA without a message.
    pub(crate) fn kill(&mut self) {
        self.state = SaState::DEAD;
        // 1970, long ago; 0 would mean never.
        self.hard_expires = 1;
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
    pub(crate) fn restart_idle(&mut self, now: Timestamp) {
        self.idle_expires = now.wrapping_add(self.idle_period);
    }
}

/// `span` seconds after `start`, at most the largest time (`sadb_add_time`).
pub(crate) fn after(start: Timestamp, span: Seconds) -> Timestamp {
    start.saturating_add(timestamp(span))
}

/// The earlier of `time`, where 0 is never, and `span` seconds after `start`; a span of 0 changes nothing (`UPDATE_EXPIRE`).
pub(crate) fn shortened(time: Timestamp, start: Timestamp, span: Seconds) -> Timestamp {
    match (time, span) {
        (_, 0) => time,
        (0, _) => after(start, span),
        _ => time.min(after(start, span)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_stops_at_the_largest_time() {
        assert_eq!(after(5, 2), 7);
        assert_eq!(after(5, u64::MAX), Timestamp::MAX);
        assert_eq!(timestamp(u64::MAX), Timestamp::MAX);
    }

    #[test]
    fn shortened_takes_0_as_never() {
        assert_eq!(shortened(9, 5, 0), 9);
        assert_eq!(shortened(0, 5, 2), 7);
        assert_eq!(shortened(9, 5, 2), 7);
        assert_eq!(shortened(6, 5, 2), 6);
    }
}
