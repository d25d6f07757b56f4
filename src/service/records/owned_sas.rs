//! The record of the SAs that the service has added, for `flush = "owned"` and `manual-key status`.
//!
//! An SA is the service's if the SADB has one with its identity that was added at the recorded second: one that another program
//! added later is not. Identities are recorded before the SAs are added, so that a crash in between loses none of them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::added::Added;
use super::owned_file::{NewRecord, Record};
use super::runtime_file::{self, Readers};
use crate::redact::shown;
use crate::sa::{Message, SaId, SaType, Spi};
use crate::sadb::{Sadb, SadbError};
use crate::sys::net::interfaces::network_namespace;

const FILE: &str = "owned.json";

pub(crate) struct OwnedSas {
    directory: PathBuf,
    entries: HashMap<SaId, Added>,
}

impl OwnedSas {
    /// The record in `directory`; empty if there is none yet.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if it cannot be read or parsed.
    pub(crate) fn read(directory: &Path) -> Result<Self, SadbError> {
        let record = read_record(directory)?;
        Ok(Self { directory: directory.to_owned(), entries: record.unwrap_or_default().sas().into_iter().collect() })
    }

    /// The record of another instance; `None` if it has no SAs of this network namespace.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_other(directory: &Path) -> Result<Option<Self>, SadbError> {
        let here =
            read_record(directory)?.filter(|record| record.is_of(network_namespace())).map(Record::sas).unwrap_or_default();
        let entries: HashMap<SaId, Added> = here.into_iter().collect();
        Ok((!entries.is_empty()).then(|| Self { directory: directory.to_owned(), entries }))
    }

    /// A record that replaces the one in `directory`, of SAs that may have just been added.
    pub(crate) fn replacing(directory: &Path, added: &HashSet<SaId>) -> Self {
        let entries = added.iter().map(|id| (*id, Added::Since(0))).collect();
        Self { directory: directory.to_owned(), entries }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SaId> {
        self.entries.keys().copied()
    }

    /// When the SA `id` was added, in seconds since 1970; `None` if the record does not know.
    pub(crate) fn added_at(&self, id: SaId) -> Option<u64> {
        match self.entries.get(&id)? {
            Added::At(time) | Added::Again(time, _) => Some(*time),
            Added::Since(_) => None,
        }
    }

    /// Whether the SA of `message` is the service's.
    pub(crate) fn owns_message(&self, message: &Message) -> bool {
        message.id().is_some_and(|id| self.owns(id, message.add_time()))
    }

    /// Whether the SA `id` that was added at the second `added` is the service's.
    pub(crate) fn owns(&self, id: SaId, added: u64) -> bool {
        self.entries.get(&id).is_some_and(|recorded| recorded.fits(added))
    }

    /// Whether the record has an SA `id`, whenever it was added.
    pub(crate) fn contains(&self, id: SaId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Whether the record has such an SA with any mark: expire messages have no mark.
    pub(crate) fn contains_with_any_mark(&self, sa_type: SaType, spi: Spi, dst: Option<IpAddr>) -> bool {
        self.entries.keys().any(|id| (id.sa_type, id.spi, Some(id.dst)) == (sa_type, spi, dst))
    }

    /// Calls `each` with the identity of every SA in `sadb`, and whether it is the service's.
    ///
    /// # Errors
    /// Those of the dump.
    pub(crate) fn visit(&self, sadb: &mut dyn Sadb, each: &mut dyn FnMut(SaId, bool)) -> Result<(), SadbError> {
        sadb.dump(SaType::UNSPEC, &mut |message| {
            message.id().into_iter().for_each(|id| each(id, self.owns(id, message.add_time())));
            ControlFlow::Continue(())
        })
    }

    /// Records that the SAs `ids` are about to be added.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn intend(&mut self, ids: impl Iterator<Item = SaId>) -> Result<(), SadbError> {
        let soon = Added::soon();
        self.entries.extend(ids.map(|id| (id, soon)));
        self.write()
    }

    /// Records that the SAs `ids` are about to be added, or removed and, by a rollback, added again.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn intend_steps(&mut self, ids: impl Iterator<Item = SaId>) -> Result<(), SadbError> {
        for id in ids {
            // A replaced SA may be restored with its old time, or be there with a new one.
            let intended = self.entries.get(&id).map_or_else(Added::soon, |recorded| recorded.again());
            self.entries.insert(id, intended);
        }
        self.write()
    }

    /// Records the actual add times; `added` are the SAs that the SADB has accepted. Entries without an SA are dropped.
    ///
    /// # Errors
    /// Those of the dump; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn confirm(&mut self, added: &HashSet<SaId>, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
        let loaded = add_times(sadb, SaType::UNSPEC)?;
        self.entries.retain(|id, recorded| match (*recorded, loaded.get(id)) {
            (Added::At(time), Some(now)) => time == *now,
            // The clock may have been set since the record: that the SADB accepted the SA counts more than its time.
            (_, Some(now)) if added.contains(id) => {
                *recorded = Added::At(*now);
                true
            }
            _ => false,
        });
        self.write()
    }

    /// Removes the service's SAs of a type from `sadb`; of every type for [`SaType::UNSPEC`].
    ///
    /// # Errors
    /// Those of the dump and of the deletions; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn flush(&mut self, sa_type: SaType, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
        // One by one: a flush of the SADB would remove foreign SAs as well.
        sadb.delete_each(sa_type, &mut |message| self.owns_message(message))?;
        // Entries recorded before an addition stay: the SA may still be added by the load that recorded it.
        let is_flushed = |id: &SaId| sa_type == SaType::UNSPEC || sa_type == id.sa_type;
        self.entries.retain(|id, recorded| !(is_flushed(id) && matches!(recorded, Added::At(_))));
        self.write()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`].
    pub(crate) fn write(&self) -> Result<(), SadbError> {
        let record = NewRecord { namespace: network_namespace(), sas: self.entries.iter().collect::<Vec<_>>() };
        runtime_file::write(&self.directory, FILE, Readers::Owner, &record)
            .map_err(|source| unusable(&self.directory, source))
    }
}

/// Parses a record and serializes it again, sorted by identity; `None` if it cannot be parsed.
#[cfg(feature = "internals")]
#[must_use]
pub(crate) fn rewrite_owned_record(text: &[u8]) -> Option<Vec<u8>> {
    let record: Record = serde_json::from_slice(text).ok()?;
    let namespace = record.namespace();
    let read: HashMap<SaId, Added> = record.sas().into_iter().collect();
    // A HashMap has no order, and the fuzzer compares texts.
    let mut entries: Vec<_> = read.into_iter().collect();
    entries.sort_unstable_by_key(|(id, _)| (id.sa_type.0, id.spi.0, id.dst, id.mark.map(|mark| (mark.value, mark.mask))));
    serde_json::to_vec(&NewRecord { namespace, sas: entries }).ok()
}

fn read_record(directory: &Path) -> Result<Option<Record>, SadbError> {
    runtime_file::read(directory, FILE).map_err(|error| unusable(directory, error))
}

fn unusable(directory: &Path, source: io::Error) -> SadbError {
    let path = directory.join(FILE);
    SadbError::Unavailable { what: format!("{}: the record of the service's own SAs", shown(&path)), source }
}

/// The SAs of a type with their add times.
fn add_times(sadb: &mut dyn Sadb, sa_type: SaType) -> Result<HashMap<SaId, u64>, SadbError> {
    let mut found = HashMap::new();
    sadb.dump(sa_type, &mut |message| {
        found.extend(message.id().map(|id| (id, message.add_time())));
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
    use crate::names::Vocabulary;
    use crate::sa::{EncrAlg, Masked, Request, SaState};
    use crate::sadb::SadbTarget;
    use crate::secret::Key;

    const ID: SaId =
        SaId { sa_type: SaType::ESP, spi: Spi(0x1001), dst: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), mark: None };

    fn owned(directory: &Path, entries: &[(SaId, Added)]) -> OwnedSas {
        OwnedSas { directory: directory.to_owned(), entries: entries.iter().copied().collect() }
    }

    #[test]
    fn owned_sas_are_read_as_written() {
        let directory = tempfile::tempdir().unwrap();
        assert!(OwnedSas::read(directory.path()).unwrap().entries.is_empty());
        let marked = SaId { mark: Some(Masked { value: 1, mask: 0xff }), ..ID };
        let entries = [(ID, Added::At(7)), (marked, Added::Since(9))];
        owned(directory.path(), &entries).write().unwrap();
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let read = OwnedSas::read(directory.path()).unwrap();
        assert_eq!(read.entries, entries.into_iter().collect());
        assert!(
            read.contains_with_any_mark(SaType::ESP, Spi(0x1001), Some(ID.dst))
                && !read.contains_with_any_mark(SaType::AH, Spi(0x1001), Some(ID.dst))
        );
        fs::write(directory.path().join(FILE), "[[").unwrap();
        let error = OwnedSas::read(directory.path()).err().unwrap().to_string();
        assert!(error.contains("owned.json: the record"), "{error}");
    }

    /// An addition of [`ID`].
    fn request() -> Request {
        Request {
            state: SaState::MATURE,
            encr_alg: EncrAlg(12),
            encr_key: Some(Key::from_slice(&[0x5a; 16], 128, 0)),
            ..ID.request()
        }
    }

    /// Recorded times of a clock that was an hour ahead or behind.
    fn clocks() -> [Added; 4] {
        let now = about_now();
        let (past, future) = (now - 3600, now + 3600);
        [Added::Since(past), Added::Since(future), Added::Again(past, future), Added::Again(future, past)]
    }

    #[test]
    fn confirm_keeps_sas_if_the_clock_is_set() {
        let directory = tempfile::tempdir().unwrap();
        for intended in clocks() {
            let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().unwrap();
            sadb.add(&request()).unwrap();
            let mut owned = owned(directory.path(), &[(ID, intended)]);
            owned.confirm(&HashSet::from([ID]), &mut *sadb).unwrap();
            let loaded = add_times(&mut *sadb, SaType::UNSPEC).unwrap();
            assert_eq!(owned.entries.get(&ID), Some(&Added::At(loaded[&ID])), "{intended:?}");
            owned.flush(SaType::UNSPEC, &mut *sadb).unwrap();
            assert!(add_times(&mut *sadb, SaType::UNSPEC).unwrap().is_empty(), "{intended:?}");
        }
    }

    #[test]
    fn confirm_takes_no_foreign_sas_if_the_clock_is_set() {
        let directory = tempfile::tempdir().unwrap();
        let another_second = Added::At(about_now() - 3600);
        for intended in clocks().into_iter().chain([another_second]) {
            let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().unwrap();
            sadb.add(&request()).unwrap();
            let mut owned = owned(directory.path(), &[(ID, intended)]);
            // Another program's SA: the service's addition was refused.
            owned.confirm(&HashSet::new(), &mut *sadb).unwrap();
            owned.flush(SaType::UNSPEC, &mut *sadb).unwrap();
            assert_eq!(add_times(&mut *sadb, SaType::UNSPEC).unwrap().len(), 1, "{intended:?}");
        }
    }

    #[test]
    fn confirm_drops_entries_without_an_sa() {
        let directory = tempfile::tempdir().unwrap();
        let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().unwrap();
        let other = SaId { spi: Spi(2), ..ID };
        let mut owned = owned(directory.path(), &[(ID, Added::At(7)), (other, Added::Since(0))]);
        owned.confirm(&HashSet::from([other]), &mut *sadb).unwrap();
        assert!(owned.entries.is_empty());
    }
}
