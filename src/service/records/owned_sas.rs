//! Which SAs this service has added, for `flush = "owned"`: a record beside its socket, without keys.
//!
//! An SA is the service's while the SADB has one of that name that was added at the recorded second: one that somebody put
//! in its place later is not. Names are recorded before they are added, so that a crash in between loses none of them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::added::Added;
use serde::{Deserialize, Serialize};

use crate::keyfile::Verb;
use crate::redact::shown;
use crate::sa::{LifetimeKind, Masked, Message, Request, SaId, SaType, Spi};
use crate::sadb::{Sadb, SadbError};
use crate::service::load::keys::{Action, Numbered};
use crate::service::records::runtime_file::{self, Readers};

const FILE: &str = "owned.json";

/// What names an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Name {
    sa_type: u8,
    spi: u32,
    dst: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<(u32, u32)>,
}

impl Name {
    /// The SA that `request` is about, if it names a destination.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        request.dst.map(|dst| Self::to(request, dst.addr))
    }

    fn to(request: &Request, dst: IpAddr) -> Self {
        let mark = request.linux.mark.map(|mark| (mark.value, mark.mask));
        Self { sa_type: request.sa_type.0, spi: request.spi.0, dst: dst.to_canonical(), mark }
    }

    fn of_message(message: &Message) -> Option<Self> {
        message.id().map(Self::from)
    }

    fn deletion(&self) -> Request {
        let mark = self.mark.map(|(value, mask)| Masked { value, mask });
        SaId { sa_type: SaType(self.sa_type), spi: Spi(self.spi), dst: self.dst, mark }.request()
    }
}

impl From<SaId> for Name {
    fn from(id: SaId) -> Self {
        Self { sa_type: id.sa_type.0, spi: id.spi.0, dst: id.dst, mark: id.mark.map(|mark| (mark.value, mark.mask)) }
    }
}

/// The record.
pub(crate) struct Owned {
    directory: PathBuf,
    entries: HashMap<Name, Added>,
}

impl Owned {
    /// The record in `directory`; empty if there is none yet.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if it cannot be read or understood.
    pub(crate) fn read(directory: &Path) -> Result<Self, SadbError> {
        let entries: Option<Vec<(Name, Added)>> =
            runtime_file::read(directory, FILE).map_err(|error| unusable(directory, error))?;
        Ok(Self { directory: directory.to_owned(), entries: entries.unwrap_or_default().into_iter().collect() })
    }

    /// A record in `directory`, in the place of any other, of SAs that may have just been added.
    pub(crate) fn anew(directory: &Path, added: &HashSet<Name>) -> Self {
        let entries = added.iter().map(|name| (*name, Added::Since(0))).collect();
        Self { directory: directory.to_owned(), entries }
    }

    /// How many SAs are in the record.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether an SA that the SADB has is in the record: one of that name, added at that second.
    pub(crate) fn has(&self, message: &Message) -> bool {
        let when = Name::of_message(message).and_then(|name| self.entries.get(&name));
        when.is_some_and(|when| when.fits(added(message)))
    }

    /// Whether an SA of that name is in the record.
    pub(crate) fn names(&self, id: SaId) -> bool {
        self.entries.contains_key(&id.into())
    }

    /// Whether an SA like that is in the record, whatever its mark.
    pub(crate) fn knows(&self, sa_type: SaType, spi: Spi, dst: Option<IpAddr>) -> bool {
        let is_it = |name: &Name| (name.sa_type, name.spi, Some(name.dst)) == (sa_type.0, spi.0, dst);
        self.entries.keys().any(is_it)
    }

    /// Records that the SAs of `commands` are about to be added.
    ///
    /// # Errors
    /// As [`Owned::confirm`].
    pub(crate) fn intend(&mut self, commands: &[Numbered]) -> Result<(), SadbError> {
        let soon = Added::soon();
        for command in commands {
            let Action::Sa(command) = &command.action else { continue };
            if command.verb != Verb::Add {
                continue;
            }
            let said = command.request.dst.map(|dst| dst.addr);
            let named = command.targets.iter().filter_map(|target| target.dst.or(said));
            self.entries.extend(named.map(|dst| (Name::to(&command.request, dst), soon)));
        }
        self.write().map_err(|source| self.unusable(source))
    }

    /// Records that the SAs of those names are about to be added, or removed and perhaps put back.
    ///
    /// # Errors
    /// As [`Owned::confirm`].
    pub(crate) fn intend_steps(&mut self, ids: impl Iterator<Item = SaId>) -> Result<(), SadbError> {
        for name in ids.map(Name::from) {
            let intended = self.entries.get(&name).map_or_else(Added::soon, |when| when.again());
            self.entries.insert(name, intended);
        }
        self.write().map_err(|source| self.unusable(source))
    }

    /// Whether an SA of that name that was added at that second is in the record.
    pub(crate) fn owns(&self, id: SaId, added: u64) -> bool {
        self.entries.get(&Name::from(id)).is_some_and(|when| when.fits(added))
    }

    /// Records what has become of it: `added` are the SAs that the SADB has taken.
    ///
    /// # Errors
    /// The SADB's; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn confirm(&mut self, added: &HashSet<Name>, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
        let there = present(sadb, SaType::UNSPEC)?;
        self.entries.retain(|name, when| match (*when, there.get(name)) {
            (Added::At(moment), Some(now)) => moment == *now,
            // Whatever the clock says: it may have been set in between.
            (_, Some(now)) if added.contains(name) => {
                *when = Added::At(*now);
                true
            }
            _ => false,
        });
        self.write().map_err(|source| self.unusable(source))
    }

    /// Removes the service's SAs of a type from `sadb`; of every type for [`SaType::UNSPEC`].
    ///
    /// # Errors
    /// As [`Owned::confirm`].
    pub(crate) fn flush(&mut self, sa_type: SaType, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
        for (name, added) in present(sadb, sa_type)? {
            if !self.entries.get(&name).is_some_and(|when| when.fits(added)) {
                continue;
            }
            sadb.delete_if_present(&name.deletion())?;
        }
        let is_asked = |name: &Name| sa_type == SaType::UNSPEC || sa_type.0 == name.sa_type;
        self.entries.retain(|name, when| !(is_asked(name) && matches!(when, Added::At(_))));
        self.write().map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: io::Error) -> SadbError {
        unusable(&self.directory, source)
    }

    /// Puts the record in the place of the old one, whole.
    fn write(&self) -> io::Result<()> {
        runtime_file::write(&self.directory, FILE, Readers::Owner, &self.entries.iter().collect::<Vec<_>>())
    }
}

/// A record with this text, as it would be written again, in the order of its names; `None` if it is not understood.
#[must_use]
#[cfg(feature = "internals")]
pub fn rewritten_record(text: &[u8]) -> Option<Vec<u8>> {
    let read: HashMap<Name, Added> = serde_json::from_slice::<Vec<_>>(text).ok()?.into_iter().collect();
    let mut entries: Vec<_> = read.into_iter().collect();
    entries.sort_unstable_by_key(|(name, _)| (name.sa_type, name.spi, name.dst, name.mark));
    serde_json::to_vec(&entries).ok()
}

fn unusable(directory: &Path, source: io::Error) -> SadbError {
    let path = directory.join(FILE);
    SadbError::Unavailable { what: format!("{}: the record of the service's own SAs", shown(&path)), source }
}

fn added(message: &Message) -> u64 {
    message.lifetime(LifetimeKind::Current).map_or(0, |current| current.addtime)
}

/// The SAs of a type with the seconds at which they were added.
fn present(sadb: &mut dyn Sadb, sa_type: SaType) -> Result<HashMap<Name, u64>, SadbError> {
    let mut found = HashMap::new();
    sadb.dump(sa_type, &mut |message| {
        found.extend(Name::of_message(message).map(|name| (name, added(message))));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::added::about_now;
    use super::*;
    use crate::sa::{EncrAlg, SaState};
    use crate::sadb::SadbTarget;
    use crate::secret::Key;

    const NAME: Name = Name { sa_type: 3, spi: 0x1001, dst: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), mark: None };

    fn owned(directory: &Path, entries: &[(Name, Added)]) -> Owned {
        Owned { directory: directory.to_owned(), entries: entries.iter().copied().collect() }
    }

    #[test]
    fn the_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Owned::read(directory.path()).unwrap().entries.is_empty());
        let marked = Name { mark: Some((1, 0xff)), ..NAME };
        let entries = [(NAME, Added::At(7)), (marked, Added::Since(9))];
        owned(directory.path(), &entries).write().unwrap();
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let read = Owned::read(directory.path()).unwrap();
        assert_eq!(read.entries, entries.into_iter().collect());
        assert!(
            read.knows(SaType::ESP, Spi(0x1001), Some(NAME.dst)) && !read.knows(SaType::AH, Spi(0x1001), Some(NAME.dst))
        );
        fs::write(directory.path().join(FILE), "[[").unwrap();
        let error = Owned::read(directory.path()).err().unwrap().to_string();
        assert!(error.contains("owned.json: the record"), "{error}");
    }

    /// The SA called [`NAME`].
    fn request() -> Request {
        Request {
            state: SaState::MATURE,
            encr_alg: EncrAlg(12),
            encr_key: Some(Key::from_slice(&[0x5a; 16], 128, 0)),
            ..NAME.deletion()
        }
    }

    /// The moment of the record, as a clock that was an hour ahead or behind has told it.
    fn clocks() -> [Added; 4] {
        let now = about_now();
        let (past, future) = (now - 3600, now + 3600);
        [Added::Since(past), Added::Since(future), Added::Again(past, future), Added::Again(future, past)]
    }

    #[test]
    fn a_clock_that_is_set_meanwhile_disowns_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for intended in clocks() {
            let mut sadb = SadbTarget::Model.open().unwrap();
            sadb.add(&request()).unwrap();
            let mut owned = owned(directory.path(), &[(NAME, intended)]);
            owned.confirm(&HashSet::from([NAME]), &mut *sadb).unwrap();
            let there = present(&mut *sadb, SaType::UNSPEC).unwrap();
            assert_eq!(owned.entries.get(&NAME), Some(&Added::At(there[&NAME])), "{intended:?}");
            owned.flush(SaType::UNSPEC, &mut *sadb).unwrap();
            assert!(present(&mut *sadb, SaType::UNSPEC).unwrap().is_empty(), "{intended:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_meanwhile_claims_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let another_second = Added::At(about_now() - 3600);
        for intended in clocks().into_iter().chain([another_second]) {
            let mut sadb = SadbTarget::Model.open().unwrap();
            sadb.add(&request()).unwrap();
            let mut owned = owned(directory.path(), &[(NAME, intended)]);
            // Somebody else's: the service's addition was refused.
            owned.confirm(&HashSet::new(), &mut *sadb).unwrap();
            owned.flush(SaType::UNSPEC, &mut *sadb).unwrap();
            assert_eq!(present(&mut *sadb, SaType::UNSPEC).unwrap().len(), 1, "{intended:?}");
        }
    }

    #[test]
    fn what_is_gone_or_was_never_added_leaves_the_record() {
        let directory = tempfile::tempdir().unwrap();
        let mut sadb = SadbTarget::Model.open().unwrap();
        let other = Name { spi: 2, ..NAME };
        let mut owned = owned(directory.path(), &[(NAME, Added::At(7)), (other, Added::Since(0))]);
        owned.confirm(&HashSet::from([other]), &mut *sadb).unwrap();
        assert!(owned.entries.is_empty());
    }
}
