//! The file of the side store: a log of changes that several processes append to.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::sa::{SaId, SaType};
use crate::sadb::linux::side_store::entry::SideEntry;
use crate::sys::fs::state_file;
use crate::sys::net::interfaces::network_namespace;

/// Directory of the files.
pub(in crate::sadb::linux) const DIRECTORY: &str = "/run/ipseckey";
/// The file is rewritten when it has this many lines more than twice the number of entries.
const SLACK: usize = 256;

/// A line of the file: one change.
#[derive(Serialize, Deserialize)]
enum LogLine {
    /// Replaces the entry of an SA.
    Put(SaId, SideEntry),
    /// Removes the entry of an SA.
    Drop(SaId),
    /// Removes all entries of an SA type; 0 means all types.
    Clear(u8),
}

/// The file of one network namespace, and the entries read from it.
pub(in crate::sadb::linux) struct SideStore {
    /// `None` for entries in memory only.
    directory: Option<PathBuf>,
    stem: String,
    entries: HashMap<SaId, SideEntry>,
    lines: usize,
    /// Inode of the file, and number of bytes read from it.
    read_to: (u64, u64),
}

impl SideStore {
    /// Selects the file of this thread's network namespace in `directory`. It is opened when needed.
    pub(in crate::sadb::linux) fn new(directory: &Path) -> Self {
        Self {
            directory: Some(directory.to_path_buf()),
            stem: format!("xfrm-{}", network_namespace().unwrap_or(0)),
            ..Self::in_memory()
        }
    }

    /// A store without a file, for an SADB of this process only.
    pub(in crate::sadb::linux) fn in_memory() -> Self {
        Self { directory: None, stem: String::new(), entries: HashMap::new(), lines: 0, read_to: (0, 0) }
    }

    /// Reads the file and returns the entry of an SA that the kernel added at `added`.
    pub(in crate::sadb::linux) fn get(&mut self, id: &SaId, added: u64) -> io::Result<Option<&SideEntry>> {
        self.refresh()?;
        Ok(self.get_cached(id, added))
    }

    /// Like [`SideStore::get`], without reading the file.
    pub(in crate::sadb::linux) fn get_cached(&self, id: &SaId, added: u64) -> Option<&SideEntry> {
        self.entries.get(id).filter(|entry| entry.added == added)
    }

    /// Whether an SA has an entry, without reading the file.
    pub(in crate::sadb::linux) fn contains(&self, id: &SaId) -> bool {
        self.entries.contains_key(id)
    }

    /// Whether an SA is paired, without reading the file.
    pub(in crate::sadb::linux) fn is_paired(&self, id: &SaId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.pair.is_some())
    }

    /// The SAs with an idle lifetime, without reading the file.
    pub(in crate::sadb::linux) fn idle_limited(&self) -> Vec<SaId> {
        self.entries.iter().filter(|(_, entry)| entry.idle().is_some()).map(|(id, _)| *id).collect()
    }

    /// Whether there is no entry, without reading the file.
    pub(in crate::sadb::linux) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Stores several entries in one write. An empty entry removes the stored one.
    pub(in crate::sadb::linux) fn put(&mut self, entries: Vec<(SaId, SideEntry)>) -> io::Result<()> {
        self.refresh()?;
        let lines: Vec<LogLine> = entries.into_iter().filter_map(|(id, entry)| self.line(id, entry)).collect();
        if lines.is_empty() { Ok(()) } else { self.append(lines) }
    }

    fn line(&self, id: SaId, entry: SideEntry) -> Option<LogLine> {
        if entry.is_empty() {
            return self.entries.contains_key(&id).then_some(LogLine::Drop(id));
        }
        Some(LogLine::Put(id, entry))
    }

    /// Removes the entry of an SA.
    pub(in crate::sadb::linux) fn remove(&mut self, id: SaId) -> io::Result<()> {
        self.put(vec![(id, SideEntry::default())])
    }

    /// Removes the entries of an SA type.
    pub(in crate::sadb::linux) fn clear(&mut self, sa_type: SaType) -> io::Result<()> {
        self.refresh()?;
        if !self.entries.keys().any(|id| sa_type == SaType::UNSPEC || id.sa_type == sa_type) {
            return Ok(());
        }
        self.append(vec![LogLine::Clear(sa_type.0)])
    }

    /// Removes the entries of an SA type for which `is_alive` is false: the kernel has no such SA.
    pub(in crate::sadb::linux) fn retain(
        &mut self,
        sa_type: SaType,
        is_alive: impl Fn(&SaId, u64) -> bool,
    ) -> io::Result<()> {
        let asked = |id: &SaId| sa_type == SaType::UNSPEC || id.sa_type == sa_type;
        let dead = self.entries.iter().filter(|(id, entry)| asked(id) && !is_alive(id, entry.added));
        let dead: Vec<_> = dead.map(|(id, _)| (*id, SideEntry::default())).collect();
        self.put(dead)
    }

    /// Reads the lines that other processes have written since the last read.
    pub(in crate::sadb::linux) fn refresh(&mut self) -> io::Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        match state_file::open_to_read(&path)? {
            Some(mut file) => self.read_new(&mut file),
            None => {
                // No process has stored an entry in this network namespace since boot.
                self.forget();
                Ok(())
            }
        }
    }

    fn forget(&mut self) {
        self.entries.clear();
        (self.lines, self.read_to) = (0, (0, 0));
    }

    fn read_new(&mut self, file: &mut File) -> io::Result<()> {
        let meta = file.metadata()?;
        // Another inode: a process has rewritten the file. A shorter file: it was truncated.
        if self.read_to.0 != meta.ino() || meta.len() < self.read_to.1 {
            self.forget();
        }
        if meta.len() == self.read_to.1 {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.read_to.1))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        self.read_to = (meta.ino(), self.read_to.1 + self.take_lines(&text) as u64);
        Ok(())
    }

    /// Applies all complete lines and returns their length.
    fn take_lines(&mut self, text: &[u8]) -> usize {
        // An incomplete line was truncated by a crash, or is being written.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
            self.apply_text(line);
        }
        whole
    }

    /// Applies a line; a malformed one is ignored.
    fn apply_text(&mut self, line: &[u8]) {
        if let Ok(line) = serde_json::from_slice(line) {
            self.lines += 1;
            self.apply(line);
        }
    }

    fn apply(&mut self, line: LogLine) {
        match line {
            LogLine::Put(id, entry) => drop(self.entries.insert(id, entry)),
            LogLine::Drop(id) => drop(self.entries.remove(&id)),
            LogLine::Clear(0) => self.entries.clear(),
            LogLine::Clear(sa_type) => self.entries.retain(|id, _| id.sa_type != SaType(sa_type)),
        }
    }

    fn append(&mut self, lines: Vec<LogLine>) -> io::Result<()> {
        let Some(directory) = self.directory.clone() else {
            lines.into_iter().for_each(|line| self.apply(line));
            return Ok(());
        };
        self.append_to(&directory, &lines)
    }

    fn append_to(&mut self, directory: &Path, lines: &[LogLine]) -> io::Result<()> {
        // A separate lock file: the data file is replaced by rename, so a lock on it would not exclude other processes.
        let _lock = self.lock(directory)?;
        let mut file = state_file::open(&self.file(directory, "json"))?;
        // Other processes may have appended since the last read; their lines count for the decision to rewrite.
        self.read_new(&mut file)?;
        file.seek(SeekFrom::End(0))?;
        if file.metadata()?.len() != self.read_to.1 {
            // Terminates a line that a crash has truncated.
            file.write_all(b"\n")?;
        }
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        self.read_new(&mut file)?;
        if self.lines > 2 * self.entries.len() + SLACK { self.rewrite(directory) } else { Ok(()) }
    }

    /// Atomically replaces the file with one that has a line for each entry.
    fn rewrite(&mut self, directory: &Path) -> io::Result<()> {
        // `append` holds the lock, so no other process writes to the old file meanwhile.
        let new = self.file(directory, "new");
        let mut file = state_file::open(&new)?;
        file.set_len(0)?;
        let text = self.text()?;
        file.write_all(&text)?;
        fs::rename(&new, self.file(directory, "json"))?;
        (self.lines, self.read_to) = (self.entries.len(), (file.metadata()?.ino(), text.len() as u64));
        Ok(())
    }

    /// One line for each entry.
    fn text(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for (id, entry) in &self.entries {
            serde_json::to_writer(&mut text, &LogLine::Put(*id, entry.clone()))?;
            text.push(b'\n');
        }
        Ok(text)
    }

    fn lock(&self, directory: &Path) -> io::Result<Flock<File>> {
        let path = self.file(directory, "lock");
        state_file::create_directory_of(&path)?;
        Flock::lock(state_file::open(&path)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    }

    /// The path of the file; `None` for a store in memory.
    fn path(&self) -> Option<PathBuf> {
        self.directory.as_deref().map(|directory| self.file(directory, "json"))
    }

    fn file(&self, directory: &Path, extension: &str) -> PathBuf {
        directory.join(format!("{}.{extension}", self.stem))
    }
}

/// Parses the text of a file and returns it as rewritten, for tests.
///
/// # Errors
/// Those of the JSON serializer; none are known.
#[cfg(feature = "internals")]
pub(crate) fn rewrite_side_store(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut store = SideStore::new(Path::new(DIRECTORY));
    store.take_lines(text);
    store.text()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::sa::{Identity, IdentityType, Lifetime, Request, Spi};
    use crate::sadb::linux::direction::SaDirection;

    fn sa_id(spi: u32) -> SaId {
        SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: "10.0.0.2".parse().unwrap(), mark: None }
    }

    fn entry(pair: u32) -> SideEntry {
        let mut entry = SideEntry::new(7);
        entry.pair = Some(Spi(pair));
        entry
    }

    #[test]
    fn put_is_visible_to_another_store() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (SideStore::new(directory.path()), SideStore::new(directory.path()));
        assert!(one.get(&sa_id(1), 7).unwrap().is_none());
        one.put(vec![(sa_id(1), entry(2))]).unwrap();
        assert_eq!(other.get(&sa_id(1), 7).unwrap(), Some(&entry(2)));
        assert!(other.get(&sa_id(1), 8).unwrap().is_none(), "another SA with the same identity");
        other.put(vec![(sa_id(2), entry(1))]).unwrap();
        assert_eq!(one.get(&sa_id(2), 7).unwrap(), Some(&entry(1)));
        one.remove(sa_id(1)).unwrap();
        assert!(other.get(&sa_id(1), 7).unwrap().is_none());
        other.clear(SaType::AH).unwrap();
        assert!(one.get(&sa_id(2), 7).unwrap().is_some());
        other.clear(SaType::UNSPEC).unwrap();
        assert!(one.get(&sa_id(2), 7).unwrap().is_none());
    }

    #[test]
    fn put_of_an_empty_entry_creates_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SideStore::new(directory.path());
        store.put(vec![(sa_id(1), SideEntry::new(3))]).unwrap();
        store.clear(SaType::UNSPEC).unwrap();
        assert!(!store.path().unwrap().exists());
    }

    #[test]
    fn retain_drops_dead_entries() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SideStore::new(directory.path());
        store.put(vec![(sa_id(1), entry(2))]).unwrap();
        store.put(vec![(sa_id(2), entry(1))]).unwrap();
        store.retain(SaType::AH, |_, _| false).unwrap();
        assert_eq!(store.entries.len(), 2);
        store.retain(SaType::ESP, |id, added| id.spi == Spi(2) && added == 7).unwrap();
        assert_eq!(store.entries.keys().copied().collect::<Vec<_>>(), [sa_id(2)]);
    }

    #[test]
    fn append_rewrites_a_long_file_and_a_truncated_line() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (SideStore::new(directory.path()), SideStore::new(directory.path()));
        for round in 0..1000 {
            one.put(vec![(sa_id(round % 3), entry(round))]).unwrap();
        }
        let lines = fs::read_to_string(one.path().unwrap()).unwrap().lines().count();
        assert!(lines <= 2 * 3 + SLACK, "{lines} lines for 3 entries");
        assert_eq!(other.get(&sa_id(0), 7).unwrap(), Some(&entry(999)));
        OpenOptions::new().append(true).open(one.path().unwrap()).unwrap().write_all(b"{\"Put\":[{").unwrap();
        other.put(vec![(sa_id(9), entry(1))]).unwrap();
        assert_eq!(one.get(&sa_id(9), 7).unwrap(), Some(&entry(1)));
        assert_eq!(one.get(&sa_id(0), 7).unwrap(), Some(&entry(999)));
    }

    #[test]
    fn merge_request_stores_identities_and_idle() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SideStore::new(directory.path());
        let who = Identity { kind: IdentityType(2), id: 0, value: b"a.example".to_vec() };
        let request = Request {
            src_identity: Some(who.clone()).into(),
            idle: Some(Lifetime { addtime: 60, ..Lifetime::default() }).into(),
            ..Request::default()
        };
        let mut kept = SideEntry::new(7);
        kept.merge_request(&request);
        kept.set_direction(SaDirection::In);
        store.put(vec![(sa_id(1), kept)]).unwrap();
        let mut other = SideStore::new(directory.path());
        let read = other.get(&sa_id(1), 7).unwrap().unwrap();
        assert_eq!(read.src_identity(), Some(who));
        assert_eq!(read.idle().unwrap().addtime, 60);
        assert_eq!(read.direction(), Some(1));
        assert_eq!(read.dst_identity(), None);
    }
}
