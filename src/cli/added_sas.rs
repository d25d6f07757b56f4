//! The record of the SAs that this program has added to the system's SADB: `reconcile` removes no SA of another program.
//!
//! For each network namespace there is a file of 8 bytes for each SA, a hash of its identity. It has no time: the SADB takes an
//! identity once, and that another program chooses the SPI of a removed SA for the same destination is improbable.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use rustc_hash::FxBuildHasher;

use crate::sa::SaId;
use crate::sadb::{RUNTIME_DIRECTORY, SadbTarget};
use crate::sys::fs::state_file;
use crate::sys::net::interfaces::network_namespace;

/// Bytes of an entry.
const ENTRY: usize = size_of::<u64>();
/// Entries that are collected before they are written.
const BATCH: usize = 4096;
/// The longest file, two million entries: a longer one is emptied by the next program that adds to it.
const MAX_LEN: u64 = 16 << 20;

/// The record of this network namespace, and additions that are not yet written to it.
pub(super) struct AddedSas {
    /// `None` for an SADB that is not the system's.
    path: Option<PathBuf>,
    pending: Vec<u8>,
    /// Number of additions that were noted.
    noted: usize,
    is_checked: bool,
}

impl AddedSas {
    pub(super) fn of(target: &SadbTarget) -> Self {
        let directory = target.is_of_system().then(|| Path::new(RUNTIME_DIRECTORY));
        Self::in_directory(directory)
    }

    fn in_directory(directory: Option<&Path>) -> Self {
        let path = directory.map(|directory| directory.join(format!("added-{}", network_namespace().unwrap_or(0))));
        Self { path, pending: Vec::new(), noted: 0, is_checked: false }
    }

    /// The recorded SAs; none if the record cannot be read, so that they count as another program's.
    pub(super) fn read(&self) -> RecordedSas {
        let read = self.path.as_deref().and_then(|path| state_file::read(path, MAX_LEN + (BATCH * ENTRY) as u64).ok()?);
        let contents = read.map(|file| file.contents).unwrap_or_default();
        RecordedSas(
            contents.chunks_exact(ENTRY).filter_map(|entry| Some(u64::from_ne_bytes(entry.try_into().ok()?))).collect(),
        )
    }

    /// Notes an addition, for [`Self::write`].
    pub(super) fn note(&mut self, id: &SaId) {
        if self.path.is_some() {
            self.noted += 1;
            self.pending.extend(hash(id).to_ne_bytes());
            if self.pending.len() >= BATCH * ENTRY {
                self.write();
            }
        }
    }

    /// Number of additions by this process: a record that was read before one of them lacks it.
    pub(super) fn noted(&self) -> usize {
        self.noted
    }

    /// Appends the noted additions. Best effort: SAs without an entry count as another program's, and `reconcile` keeps them.
    pub(super) fn write(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(path) = self.path.as_deref().filter(|_| !pending.is_empty()) {
            let _ = append(path, &pending, !self.is_checked);
            self.is_checked = true;
        }
    }

    /// Empties the record after a flush of all SAs.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The SAs of a record.
pub(super) struct RecordedSas(HashSet<u64>);

impl RecordedSas {
    pub(super) fn contains(&self, id: &SaId) -> bool {
        self.0.contains(&hash(id))
    }
}

fn hash(id: &SaId) -> u64 {
    FxBuildHasher.hash_one(id)
}

fn append(path: &Path, entries: &[u8], may_empty: bool) -> io::Result<()> {
    state_file::create_directory_of(path)?;
    let file = state_file::open(path)?;
    // Several programs may add SAs at the same time.
    let mut file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    let len = file.seek(SeekFrom::End(0))?;
    if may_empty && len > MAX_LEN {
        file.set_len(0)?;
        file.rewind()?;
    }
    file.write_all(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{SaType, Spi};

    fn id(spi: u32) -> SaId {
        SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: [192, 0, 2, 1].into(), mark: None }
    }

    #[test]
    fn added_sas_are_read_as_noted() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = AddedSas::in_directory(Some(directory.path()));
        assert!(!first.read().contains(&id(1)));
        (1..=5000).for_each(|spi| first.note(&id(spi)));
        first.write();
        let mut second = AddedSas::in_directory(Some(directory.path()));
        second.note(&id(6000));
        second.write();
        let read = second.read();
        assert!((1..=5000).chain([6000]).all(|spi| read.contains(&id(spi))) && !read.contains(&id(5001)));
        second.clear();
        assert!(!first.read().contains(&id(1)));
    }

    #[test]
    fn of_another_sadb_is_no_record() {
        let mut added = AddedSas::of(&"model".parse().unwrap());
        added.note(&id(1));
        added.write();
        assert!(added.path.is_none() && !added.read().contains(&id(1)));
    }

    #[test]
    fn write_empties_a_file_that_is_too_long() {
        let directory = tempfile::tempdir().unwrap();
        let mut added = AddedSas::in_directory(Some(directory.path()));
        let path = added.path.clone().unwrap();
        std::fs::File::create(&path).unwrap().set_len(MAX_LEN + 8).unwrap();
        added.note(&id(1));
        added.write();
        assert_eq!(path.metadata().unwrap().len(), 8);
        assert!(added.read().contains(&id(1)));
    }
}
