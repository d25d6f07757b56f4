//! What a keys file asks for: the SAs that there are once its commands are done in an empty SADB.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::apply::aim_at;
use crate::keyfile::{SaCommand, Target, Verb};
use crate::reconcile::sequence::is_inbound;
use crate::sa::{Flags, Request, SaId, SaType, Spi};

/// An SA of a keys file.
pub(crate) struct Wanted {
    /// First line of the command that adds it.
    pub(crate) line: u32,
    /// How many were added before it.
    pub(crate) place: usize,
    /// What it is to be, but for its pair.
    pub(crate) request: Box<Request>,
    /// The SPI of the SA it is to be paired with, whichever of the two commands says so.
    pub(crate) pair: Option<Spi>,
}

impl Wanted {
    /// Its name: the goal takes no request without one.
    pub(crate) fn id(&self) -> SaId {
        self.request.id().unwrap_or_else(|| unreachable!("it has a destination"))
    }
}

/// The SAs of a keys file.
#[derive(Default)]
pub(crate) struct Goal {
    /// By name, which is not held twice.
    sas: HashTable<Wanted>,
    /// How many were added, those that were deleted again among them.
    added: usize,
}

/// Why a command has no place in a file that says what SAs there shall be. No word of the file is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct Unfit {
    /// The command's first line.
    pub(crate) line: u32,
    /// What is wrong with it.
    pub(crate) what: String,
}

impl Goal {
    /// How many SAs it has.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.sas.len()
    }

    /// The names of its SAs.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SaId> {
        self.iter().map(Wanted::id)
    }

    /// Its SAs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Wanted> {
        self.sas.iter()
    }

    /// The SA of that name.
    pub(crate) fn get(&self, id: &SaId) -> Option<&Wanted> {
        self.sas.find(hash(id), |wanted| wanted.id() == *id)
    }

    /// Above the places of all its SAs.
    pub(crate) fn places(&self) -> usize {
        self.added
    }

    /// Takes the next command of the file.
    ///
    /// # Errors
    /// [`Unfit`], for a command that an SADB with the SAs of the lines before would refuse, and for one that changes an SA.
    pub(crate) fn take(&mut self, line: u32, mut command: SaCommand) -> Result<(), Unfit> {
        let targets = std::mem::take(&mut command.targets);
        let Some((last, others)) = targets.split_last() else { return Ok(()) };
        for target in others {
            self.take_one(line, command.verb, Box::new(command.request.duplicate()), *target)?;
        }
        self.take_one(line, command.verb, command.request, *last)
    }

    fn take_one(&mut self, line: u32, verb: Verb, mut request: Box<Request>, target: Target) -> Result<(), Unfit> {
        aim_at(&mut request, target);
        let Some(id) = request.id() else { return unfit(line, "an SA is named by its destination: dst".to_owned()) };
        match verb {
            Verb::Add => self.add(line, id, request),
            Verb::Delete if self.remove(&id) => Ok(()),
            Verb::Get if self.get(&id).is_some() => Ok(()),
            Verb::Delete | Verb::Get => unfit(line, "the lines before add no such SA".to_owned()),
            Verb::Update | Verb::UpdatePair | Verb::DeletePair => {
                let word = verb.word();
                unfit(line, format!("{word}: this file says what SAs there shall be: say it in their add"))
            }
        }
    }

    /// Whether it was there.
    fn remove(&mut self, id: &SaId) -> bool {
        self.sas.find_entry(hash(id), |wanted| wanted.id() == *id).map(|entry| drop(entry.remove())).is_ok()
    }

    /// Leaves those whose packets come in, without their pairs: the first step of a change of keys.
    #[must_use]
    pub(crate) fn inbound(mut self) -> Self {
        self.sas.retain(|wanted| is_inbound(&wanted.request));
        self.sas.iter_mut().for_each(|wanted| wanted.pair = None);
        self
    }

    fn add(&mut self, line: u32, id: SaId, mut request: Box<Request>) -> Result<(), Unfit> {
        let pair = request.pair_spi.take();
        request.flags = request.flags & !Flags::PAIRED;
        match self.sas.entry(hash(&id), |wanted| wanted.id() == id, |wanted| hash(&wanted.id())) {
            Entry::Vacant(entry) => {
                entry.insert(Wanted { line, place: self.added, request, pair });
                self.added += 1;
                Ok(())
            }
            Entry::Occupied(entry) => unfit(line, format!("line {} adds this SA already", entry.get().line)),
        }
    }

    /// Takes a `flush` of the file.
    pub(crate) fn flush(&mut self, sa_type: SaType) {
        self.sas.retain(|wanted| sa_type != SaType::UNSPEC && wanted.request.sa_type != sa_type);
    }

    /// Takes the end of the file: of a pair only one command names the other, from here on both SAs do.
    ///
    /// # Errors
    /// [`Unfit`] for a pair that cannot be.
    pub(crate) fn finish(mut self) -> Result<Self, Unfit> {
        let mut pairs: Vec<(u32, SaId, Spi)> =
            self.iter().filter_map(|wanted| Some((wanted.line, wanted.id(), wanted.pair?))).collect();
        pairs.sort_by_key(|(line, id, _)| (*line, id.dst));
        for (line, id, spi) in pairs {
            let mate = self.get(&id).and_then(|wanted| mate(&id, &wanted.request, spi));
            let Some(found) = mate.and_then(|mate| self.sas.find_mut(hash(&mate), |wanted| wanted.id() == mate)) else {
                return unfit(line, format!("pair-spi {spi}: the file has no such SA in the opposite direction"));
            };
            if *found.pair.get_or_insert(id.spi) != id.spi {
                return unfit(line, format!("pair-spi {spi}: that SA is paired already"));
            }
        }
        Ok(self)
    }
}

/// The SA with that SPI in the opposite direction.
pub(crate) fn mate(id: &SaId, request: &Request, spi: Spi) -> Option<SaId> {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified())?;
    Some(SaId { spi, dst: src, ..*id })
}

fn hash(id: &SaId) -> u64 {
    FxBuildHasher.hash_one(id)
}

fn unfit<T>(line: u32, what: String) -> Result<T, Unfit> {
    Err(Unfit { line, what })
}
