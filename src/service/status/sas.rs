//! The SAs of the SADB, counted by the record of the service's own.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;

use serde::{Serialize, Serializer};

use super::expired::ExpiredSa;
use super::remaining::Remaining;
use super::unmatched::Unmatched;
use crate::names::sa_types;
use crate::policy::PolicySa;
use crate::sa::{AddressRole, LifetimeKind, Message, SaId, SaState, SaType, Spi};
use crate::sadb::{Sadb, SadbError};
use crate::service::records::owned_sas::OwnedSas;
use crate::show;
use crate::sys::time::unix_now;

/// Upper limit of the expiries that are listed.
const MAX_EXPIRIES: usize = 10;

/// Counts of SAs in the SADB.
#[derive(Default, Serialize)]
pub(super) struct Sas {
    pub(super) owned: usize,
    pub(super) foreign: usize,
    /// SAs of the service, or of its loaded keys file, that the SADB does not have.
    pub(super) missing: usize,
    /// SAs of the service with a lifetime in seconds that has not expired.
    expiring: usize,
    expiries: Vec<UpcomingExpiry>,
    /// SAs of the service whose soft lifetime in seconds has expired.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) soft_expired: usize,
    /// When the first of the service's SAs expires.
    #[serde(skip)]
    pub(super) first_hard: Option<u64>,
    #[serde(flatten)]
    pub(super) unmatched: Option<Unmatched>,
}

/// A lifetime that will expire.
#[derive(Serialize)]
struct UpcomingExpiry {
    at: u64,
    #[serde(serialize_with = "word")]
    lifetime: LifetimeKind,
    #[serde(serialize_with = "type_word")]
    sa_type: SaType,
    #[serde(serialize_with = "text")]
    spi: Spi,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst: Option<IpAddr>,
}

/// For fields that are written only if they count something.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn word<S: Serializer>(kind: &LifetimeKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

fn type_word<S: Serializer>(sa_type: &SaType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(sa_types::by_number(*sa_type).map_or("unknown", |row| row.word))
}

fn text<S: Serializer>(spi: &Spi, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(spi)
}

/// The SADB, compared with the record of the service's SAs.
pub(super) struct Listing {
    pub(super) sas: Sas,
    /// The service's SAs, to compare with policies; empty without an SPD.
    pub(super) own: Vec<PolicySa>,
    pub(super) own_ids: HashSet<SaId>,
    /// SAs of the service that are about to be removed.
    pub(super) expired: Vec<ExpiredSa>,
}

impl Listing {
    /// Counts the SAs of `sadb`.
    ///
    /// # Errors
    /// Those of the dump.
    pub(super) fn read(owned: &OwnedSas, sadb: &mut dyn Sadb, now: u64) -> Result<Self, SadbError> {
        let mut listing = Self { sas: Sas::default(), own: Vec::new(), own_ids: HashSet::new(), expired: Vec::new() };
        // Asked before the dump, which borrows the SADB: without an SPD the SAs need not be collected.
        let has_policies = sadb.spd().is_some();
        sadb.dump(SaType::UNSPEC, &mut |message| {
            let is_own = owned.owns_message(message);
            listing.sas.count_message(message, is_own, now);
            if is_own {
                listing.own_ids.extend(message.id());
                listing.expired.extend(expired(message, now));
                listing.own.extend(Some(message).filter(|_| has_policies).and_then(PolicySa::of_message));
            }
            ControlFlow::Continue(())
        })?;
        listing.sas.cut_expiries();
        Ok(listing)
    }
}

impl Sas {
    fn cut_expiries(&mut self) {
        self.expiries.sort_unstable_by_key(|expiry| expiry.at);
        self.expiries.truncate(MAX_EXPIRIES);
    }

    fn count_message(&mut self, message: &Message, is_own: bool, now: u64) {
        // A larval SA is the reservation of an SPI by a key management daemon.
        if message.association().is_none_or(|sa| sa.state == SaState::LARVAL) {
            return;
        }
        if !is_own {
            self.foreign += 1;
            return;
        }
        self.owned += 1;
        let soft = message.expiry(LifetimeKind::Soft).is_some_and(|at| at <= now);
        self.soft_expired += usize::from(soft);
        let hard = message.expiry(LifetimeKind::Hard).filter(|at| *at > now);
        self.first_hard = self.first_hard.into_iter().chain(hard).min();
        let expiries: Vec<UpcomingExpiry> = [LifetimeKind::Soft, LifetimeKind::Hard]
            .into_iter()
            .filter_map(|kind| {
                Some(UpcomingExpiry { lifetime: kind, at: message.expiry(kind)?, ..UpcomingExpiry::of(message)? })
            })
            .filter(|expiry| expiry.at > now)
            .collect();
        self.expiring += usize::from(!expiries.is_empty());
        self.expiries.extend(expiries);
        // The list of a million SAs is cut now and then, and need not be sorted for it.
        if self.expiries.len() > 64 * MAX_EXPIRIES {
            self.expiries.select_nth_unstable_by_key(MAX_EXPIRIES, |expiry| expiry.at);
            self.expiries.truncate(MAX_EXPIRIES);
        }
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let now = unix_now();
        writeln!(out, "SAs       {} owned, {} foreign, {} missing", self.owned, self.foreign, self.missing)?;
        for UpcomingExpiry { at, lifetime, sa_type, spi, dst } in &self.expiries {
            let title = sa_types::by_number(*sa_type).map_or("unknown", |row| row.title);
            let dst = dst.map(|dst| format!(" to {dst}")).unwrap_or_default();
            let (date, remaining) = (show::local(*at), Remaining(at.saturating_sub(now)));
            writeln!(out, "expiry    {date} (in {remaining}): {} lifetime of {title} SPI {spi}{dst}", lifetime.word())?;
        }
        self.unmatched.as_ref().map_or(Ok(()), |unmatched| unmatched.write_text(out))
    }
}

impl UpcomingExpiry {
    fn of(message: &Message) -> Option<Self> {
        let dst = message.address(AddressRole::Destination).and_then(|dst| dst.addr);
        let spi = message.association()?.spi;
        Some(Self {
            at: 0,
            lifetime: LifetimeKind::Hard,
            sa_type: message.sa_type,
            spi,
            dst: dst.map(|dst| dst.to_canonical()),
        })
    }
}

/// The SA of `message`, if its hard lifetime since its addition is over: illumos removes it up to 8 seconds later.
fn expired(message: &Message, now: u64) -> Option<ExpiredSa> {
    ExpiredSa::new(message.id()?, message.add_time(), message.lifetime(LifetimeKind::Hard)?.addtime, now)
}
