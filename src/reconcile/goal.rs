//! The desired state: the SAs that an empty SADB would hold after the commands of a keys file.

use std::collections::HashSet;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::apply::aim_at;
use crate::chain::Chains;
use crate::keyfile::{SaCommand, Target, Verb};
use crate::reconcile::sequence::is_inbound;
use crate::sa::direction::is_shared;
use crate::sa::{Flags, Request, SERVICE_REQID, SaId, SaType, Spi};
use crate::sys::net::interfaces::is_local;

/// An SA that a keys file defines.
pub(crate) struct DesiredSa {
    /// First line of the command that adds it.
    pub(crate) line: u32,
    /// The number of `add` commands before it.
    pub(crate) position: usize,
    /// The request that adds it, without its pair.
    pub(crate) request: Box<Request>,
    /// The SPI of its paired SA, whichever of the two commands has the `pair-spi`.
    pub(crate) pair: Option<Spi>,
}

impl DesiredSa {
    /// Its identity. [`Goal::take`] refuses requests without one.
    pub(crate) fn id(&self) -> SaId {
        self.request.id().unwrap_or_else(|| unreachable!("it has a destination"))
    }
}

/// The desired state: the SAs that a keys file defines.
#[derive(Default)]
pub(crate) struct Goal {
    /// Hashed by identity, which is computed from the request to save memory.
    sas: HashTable<DesiredSa>,
    /// The number of `add` commands, including SAs that a later command deletes.
    added: usize,
    /// See [`Goal::without_service_reqid`].
    lacks_service_reqid: bool,
}

/// Why a command cannot be part of a desired state. The message has no word of the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct GoalError {
    /// First line of the command.
    pub(crate) line: u32,
    pub(crate) message: String,
}

impl Goal {
    /// The number of SAs.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.sas.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SaId> {
        self.iter().map(DesiredSa::id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DesiredSa> {
        self.sas.iter()
    }

    pub(crate) fn get(&self, id: &SaId) -> Option<&DesiredSa> {
        self.sas.find(hash(id), |desired| desired.id() == *id)
    }

    /// Greater than every [`DesiredSa::position`].
    pub(crate) fn position_count(&self) -> usize {
        self.added
    }

    /// Applies the next command of the file.
    ///
    /// # Errors
    /// For a command that an SADB with the SAs of the earlier lines would refuse, and for one that changes an SA.
    pub(crate) fn take(&mut self, line: u32, mut command: SaCommand) -> Result<(), GoalError> {
        let targets = std::mem::take(&mut command.targets);
        // The last target takes the request itself, which saves a copy of the keys for most commands.
        let Some((last, others)) = targets.split_last() else { return Ok(()) };
        for target in others {
            self.take_one(line, command.verb, Box::new(command.request.duplicate()), *target)?;
        }
        self.take_one(line, command.verb, command.request, *last)
    }

    fn take_one(&mut self, line: u32, verb: Verb, mut request: Box<Request>, target: Target) -> Result<(), GoalError> {
        aim_at(&mut request, target);
        let Some(id) = request.id() else {
            return error(line, "dst is required: an SA is identified by its destination".to_owned());
        };
        match verb {
            Verb::Add => self.add(line, id, request),
            Verb::Delete if self.remove(&id) => Ok(()),
            Verb::Get if self.get(&id).is_some() => Ok(()),
            Verb::Delete | Verb::Get => error(line, "no earlier line adds this SA".to_owned()),
            Verb::Update | Verb::UpdatePair | Verb::DeletePair => {
                let word = verb.word();
                error(line, format!("{word} is not allowed in a file used for reconcile; set the value in the add command"))
            }
        }
    }

    /// False if the goal has no such SA.
    fn remove(&mut self, id: &SaId) -> bool {
        self.sas.find_entry(hash(id), |desired| desired.id() == *id).map(|entry| drop(entry.remove())).is_ok()
    }

    /// The SAs that are wanted at `time`, in seconds since 1970, and when they change next.
    #[must_use]
    pub(crate) fn at(mut self, time: u64) -> (Self, Option<u64>) {
        let mut sas: Vec<&DesiredSa> = self.sas.iter().filter(|desired| desired.request.windows.are_limited()).collect();
        sas.sort_by_key(|desired| desired.position);
        let chains = Chains::new(sas.iter().map(|desired| &*desired.request), &is_local);
        let unwanted = chains.unwanted(time);
        let unwanted: HashSet<SaId> =
            sas.iter().enumerate().filter(|(at, _)| unwanted.contains(at)).map(|(_, desired)| desired.id()).collect();
        self.sas.retain(|desired| !unwanted.contains(&desired.id()));
        (self, chains.next_change(time))
    }

    /// The number of SAs for both directions.
    #[must_use]
    pub(crate) fn shared_sas(&self) -> usize {
        self.sas.iter().filter(|desired| is_shared(&desired.request)).count()
    }

    /// The inbound SAs only, without their pairs: the first step of a key change.
    #[must_use]
    pub(crate) fn inbound(mut self) -> Self {
        self.sas.retain(|desired| is_inbound(&desired.request));
        // Their outbound peers are not part of this goal.
        self.sas.iter_mut().for_each(|desired| desired.pair = None);
        self
    }

    /// Makes the reqid of the service a difference in an SA whose command has none, if the plan may change the SA. For a service
    /// without policies of its own: outbound policies without a reqid, as the administrator adds them, do not find such an SA.
    #[must_use]
    pub(crate) fn without_service_reqid(self) -> Self {
        Self { lacks_service_reqid: true, ..self }
    }

    /// Whether `actual` has the reqid of the service, and must not.
    pub(super) fn has_surplus_reqid(&self, desired: &DesiredSa, actual: &Request) -> bool {
        self.lacks_service_reqid && (desired.request.linux.reqid, actual.linux.reqid) == (0, SERVICE_REQID)
    }

    /// Gives SAs without a reqid that of `reqid_of`; 0 for none.
    pub(crate) fn set_reqids(&mut self, reqid_of: &dyn Fn(&Request) -> u32) {
        for request in self.sas.iter_mut().map(|desired| &mut desired.request).filter(|request| request.linux.reqid == 0) {
            let reqid = reqid_of(request);
            // A request without properties of Linux has no memory for them.
            if reqid != 0 {
                request.linux.reqid = reqid;
            }
        }
    }

    fn add(&mut self, line: u32, id: SaId, mut request: Box<Request>) -> Result<(), GoalError> {
        // Apart from the request, because either command of a pair may have it: `finish` sets it for both.
        let pair = request.pair_spi.take();
        request.flags = request.flags & !Flags::PAIRED;
        match self.sas.entry(hash(&id), |desired| desired.id() == id, |desired| hash(&desired.id())) {
            Entry::Vacant(entry) => {
                entry.insert(DesiredSa { line, position: self.added, request, pair });
                self.added += 1;
                Ok(())
            }
            Entry::Occupied(entry) => error(line, format!("line {} already adds this SA", entry.get().line)),
        }
    }

    /// Applies a `flush` command.
    pub(crate) fn flush(&mut self, sa_type: SaType) {
        // `flush all` has the type UNSPEC.
        self.sas.retain(|desired| sa_type != SaType::UNSPEC && desired.request.sa_type != sa_type);
    }

    /// Completes the pairs at the end of the file: one command of a pair has the `pair-spi`, and both SAs get it here.
    ///
    /// # Errors
    /// For a `pair-spi` without such an SA, or whose SA has a different pair.
    pub(crate) fn finish(mut self) -> Result<Self, GoalError> {
        let mut pairs: Vec<(u32, SaId, Spi)> =
            self.iter().filter_map(|desired| Some((desired.line, desired.id(), desired.pair?))).collect();
        // The table has no order; sorted, the first error is that of the first line.
        pairs.sort_by_key(|(line, id, _)| (*line, id.dst));
        for (line, id, spi) in pairs {
            let peer = self.get(&id).and_then(|desired| peer_sa(&id, &desired.request, spi));
            let Some(found) = peer.and_then(|peer| self.sas.find_mut(hash(&peer), |desired| desired.id() == peer)) else {
                return error(line, format!("pair-spi {spi}: the file has no such SA in the opposite direction"));
            };
            if *found.pair.get_or_insert(id.spi) != id.spi {
                return error(line, format!("pair-spi {spi}: that SA is already paired"));
            }
        }
        Ok(self)
    }
}

/// The identity of the paired SA: the one with `spi` in the opposite direction. `None` without a source address.
pub(crate) fn peer_sa(id: &SaId, request: &Request, spi: Spi) -> Option<SaId> {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified())?;
    Some(SaId { spi, dst: src, ..*id })
}

fn hash(id: &SaId) -> u64 {
    FxBuildHasher.hash_one(id)
}

fn error<T>(line: u32, message: String) -> Result<T, GoalError> {
    Err(GoalError { line, message })
}
