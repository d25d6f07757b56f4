//! What a keys file asks for: the SAs that there are once its commands are done in an empty SADB.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::sequence::is_inbound;
use crate::apply::aim_at;
use crate::lang::{SaCommand, Verb};
use crate::sa::{Flags, Request, SaId, SaType, Spi};

/// An SA of a keys file.
pub(super) struct Wanted {
    /// First line of the command that adds it.
    pub(super) line: u32,
    /// What it is to be, but for its pair.
    pub(super) request: Request,
    /// The SPI of the SA it is to be paired with, whichever of the two commands says so.
    pub(super) pair: Option<Spi>,
}

/// The SAs of a keys file.
#[derive(Default)]
pub struct Goal {
    /// Boxed, for a map that grows moves what is in it.
    pub(super) sas: HashMap<SaId, Box<Wanted>>,
}

/// Why a command has no place in a file that says what SAs there shall be. No word of the file is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unfit {
    /// The command's first line.
    pub line: u32,
    /// What is wrong with it.
    pub what: String,
}

impl Goal {
    /// How many SAs it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sas.len()
    }

    /// The names of its SAs.
    pub fn ids(&self) -> impl Iterator<Item = &SaId> {
        self.sas.keys()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sas.is_empty()
    }

    /// Takes the next command of the file.
    ///
    /// # Errors
    /// [`Unfit`], for a command that an SADB with the SAs of the lines before would refuse, and for one that changes an SA.
    pub fn take(&mut self, line: u32, command: &SaCommand) -> Result<(), Unfit> {
        for target in &command.targets {
            let mut request = command.request.duplicate();
            aim_at(&mut request, *target);
            let Some(id) = request.id() else { return unfit(line, "an SA is named by its destination: dst".to_owned()) };
            match command.verb {
                Verb::Add => self.add(line, id, request)?,
                Verb::Delete if self.sas.remove(&id).is_some() => {}
                Verb::Get if self.sas.contains_key(&id) => {}
                Verb::Delete | Verb::Get => return unfit(line, "the lines before add no such SA".to_owned()),
                Verb::Update | Verb::UpdatePair | Verb::DeletePair => {
                    let word = command.verb.word();
                    return unfit(line, format!("{word}: this file says what SAs there shall be: say it in their add"));
                }
            }
        }
        Ok(())
    }

    /// Leaves those whose packets come in, without their pairs: the first step of a change of keys.
    #[must_use]
    pub fn inbound(mut self) -> Self {
        self.sas.retain(|_, wanted| is_inbound(&wanted.request));
        self.sas.values_mut().for_each(|wanted| wanted.pair = None);
        self
    }

    fn add(&mut self, line: u32, id: SaId, mut request: Request) -> Result<(), Unfit> {
        let pair = request.pair_spi.take();
        request.flags = request.flags & !Flags::PAIRED;
        match self.sas.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Box::new(Wanted { line, request, pair }));
                Ok(())
            }
            Entry::Occupied(entry) => unfit(line, format!("line {} adds this SA already", entry.get().line)),
        }
    }

    /// Takes a `flush` of the file.
    pub fn flush(&mut self, sa_type: SaType) {
        self.sas.retain(|id, _| sa_type != SaType::UNSPEC && id.sa_type != sa_type);
    }

    /// Takes the end of the file: of a pair only one command names the other, from here on both SAs do.
    ///
    /// # Errors
    /// [`Unfit`] for a pair that cannot be.
    pub fn finish(mut self) -> Result<Self, Unfit> {
        let mut pairs: Vec<(u32, SaId, Spi)> =
            self.sas.iter().filter_map(|(id, wanted)| Some((wanted.line, *id, wanted.pair?))).collect();
        pairs.sort_by_key(|(line, id, _)| (*line, id.dst));
        for (line, id, spi) in pairs {
            let mate = self.sas.get(&id).and_then(|wanted| mate(&id, &wanted.request, spi));
            let Some(found) = mate.and_then(|mate| self.sas.get_mut(&mate)) else {
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
pub(super) fn mate(id: &SaId, request: &Request, spi: Spi) -> Option<SaId> {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified())?;
    Some(SaId { spi, dst: src, ..*id })
}

fn unfit<T>(line: u32, what: String) -> Result<T, Unfit> {
    Err(Unfit { line, what })
}
