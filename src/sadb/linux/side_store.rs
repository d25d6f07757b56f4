//! What Linux cannot hold of an SA, kept beside the kernel: pairs, identities, idle lifetimes, the address a NAT shows,
//! and on kernels without SA_DIR the direction. Never a key.
//!
//! One file for each network namespace in `/run/ipseckey`: a line of JSON for each change, appended under a lock and now and
//! then written anew. An entry counts only while the kernel has an SA of that name that was added at the same second.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::sa::{Identity, IdentityType, Lifetime, Request, SaId, SaType, Spi};
use crate::sadb::linux::xfrm::encode::Direction;
use crate::sys::fs::state_file;
use crate::sys::net::interfaces::network_namespace;

/// Where the files are.
pub(crate) const DIRECTORY: &str = "/run/ipseckey";
/// Lines more than there are entries, before the file is written anew.
const SLACK: usize = 256;

/// An identity as the file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    kind: u16,
    id: u64,
    value: Vec<u8>,
}

/// An idle lifetime as the file holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Idle {
    addtime: u64,
    usetime: u64,
}

/// What is kept of one SA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Second since 1970 when the kernel added the SA.
    pub(crate) added: u64,
    /// SPI of the SA it is paired with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pair: Option<Spi>,
    /// The local address as the NAT shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) natt_local: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    src_identity: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dst_identity: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle: Option<Idle>,
}

impl Entry {
    /// Nothing yet, of an SA that the kernel added at `added`.
    pub(crate) fn new(added: u64) -> Self {
        Self { added, ..Self::default() }
    }

    /// The same without its pair.
    pub(crate) fn unpaired(self) -> Self {
        Self { pair: None, ..self }
    }

    /// Takes over what `request` says; what it does not say stays.
    pub(crate) fn take(&mut self, request: &Request) {
        self.src_identity = request.src_identity.as_ref().map(named).or(self.src_identity.take());
        self.dst_identity = request.dst_identity.as_ref().map(named).or(self.dst_identity.take());
        if let Some(idle) = request.idle.filter(|idle| !idle.is_unlimited()) {
            let old = self.idle.unwrap_or(Idle { addtime: 0, usetime: 0 });
            let newer = |new, old| if new == 0 { old } else { new };
            self.idle = Some(Idle { addtime: newer(idle.addtime, old.addtime), usetime: newer(idle.usetime, old.usetime) });
        }
        let shown = request.natt_local.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified());
        self.natt_local = shown.filter(|addr| request.src.is_none_or(|src| src.addr != *addr)).or(self.natt_local);
    }

    /// Keeps a direction that the kernel does not hold.
    pub(crate) fn set_direction(&mut self, direction: Direction) {
        self.direction = Some(direction.number());
    }

    pub(crate) fn direction(&self) -> Option<u8> {
        self.direction
    }

    /// Whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self { added: self.added, ..Self::default() }
    }

    pub(crate) fn idle(&self) -> Option<Lifetime> {
        self.idle.map(|idle| Lifetime { addtime: idle.addtime, usetime: idle.usetime, ..Lifetime::default() })
    }

    pub(crate) fn src_identity(&self) -> Option<Identity> {
        self.src_identity.as_ref().map(identity)
    }

    pub(crate) fn dst_identity(&self) -> Option<Identity> {
        self.dst_identity.as_ref().map(identity)
    }
}

fn named(identity: &Identity) -> Named {
    Named { kind: identity.kind.0, id: identity.id, value: identity.value.clone() }
}

fn identity(named: &Named) -> Identity {
    Identity { kind: IdentityType(named.kind), id: named.id, value: named.value.clone() }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
enum Line {
    /// What is kept of an SA from now on.
    Put(SaId, Entry),
    /// Nothing is kept of an SA any more.
    Drop(SaId),
    /// Nothing is kept of any SA of a type; of any type for 0.
    Clear(u8),
}

/// The file of one network namespace, and what of it has been read.
pub(crate) struct Beside {
    directory: PathBuf,
    stem: String,
    entries: HashMap<SaId, Entry>,
    lines: usize,
    /// Inode and number of bytes read.
    seen: (u64, u64),
}

impl Beside {
    /// The file of this thread's network namespace in `directory`. Nothing is opened yet.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
            stem: format!("xfrm-{}", network_namespace().unwrap_or(0)),
            entries: HashMap::new(),
            lines: 0,
            seen: (0, 0),
        }
    }

    /// What is kept of an SA that the kernel added at `added`.
    pub(crate) fn entry(&mut self, name: &SaId, added: u64) -> io::Result<Option<&Entry>> {
        self.refresh()?;
        Ok(self.known(name, added))
    }

    /// The same, from what was read last.
    pub(crate) fn known(&self, name: &SaId, added: u64) -> Option<&Entry> {
        self.entries.get(name).filter(|entry| entry.added == added)
    }

    /// Whether anything is kept of an SA of that name, by what was read last.
    pub(crate) fn knows(&self, name: &SaId) -> bool {
        self.entries.contains_key(name)
    }

    /// Whether an SA of that name is one of a pair, by what was read last.
    pub(crate) fn pairs(&self, name: &SaId) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.pair.is_some())
    }

    /// The SAs that have an idle lifetime, by what was read last.
    pub(crate) fn idle_limited(&self) -> Vec<SaId> {
        self.entries.iter().filter(|(_, entry)| entry.idle.is_some()).map(|(name, _)| *name).collect()
    }

    /// Whether nothing is kept of any SA, by what was read last.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps what is kept of some SAs, at once for all of them. An empty entry forgets its SA.
    pub(crate) fn put(&mut self, entries: Vec<(SaId, Entry)>) -> io::Result<()> {
        self.refresh()?;
        let lines: Vec<Line> = entries.into_iter().filter_map(|(name, entry)| self.line(name, entry)).collect();
        if lines.is_empty() { Ok(()) } else { self.append(&lines) }
    }

    fn line(&self, name: SaId, entry: Entry) -> Option<Line> {
        if entry.is_empty() {
            return self.entries.contains_key(&name).then(|| Line::Drop(name));
        }
        Some(Line::Put(name, entry))
    }

    /// Forgets an SA.
    pub(crate) fn remove(&mut self, name: SaId) -> io::Result<()> {
        self.put(vec![(name, Entry::default())])
    }

    /// Forgets every SA of a type.
    pub(crate) fn clear(&mut self, sa_type: SaType) -> io::Result<()> {
        self.refresh()?;
        if !self.entries.keys().any(|name| sa_type == SaType::UNSPEC || name.sa_type == sa_type) {
            return Ok(());
        }
        self.append(&[Line::Clear(sa_type.0)])
    }

    /// Forgets every SA of a type for which `is_alive` is false: the kernel has it no more.
    pub(crate) fn retain(&mut self, sa_type: SaType, is_alive: impl Fn(&SaId, u64) -> bool) -> io::Result<()> {
        let asked = |name: &SaId| sa_type == SaType::UNSPEC || name.sa_type == sa_type;
        let dead = self.entries.iter().filter(|(name, entry)| asked(name) && !is_alive(name, entry.added));
        let dead: Vec<_> = dead.map(|(name, _)| (*name, Entry::default())).collect();
        self.put(dead)
    }

    /// Reads what others have written since the last time.
    pub(crate) fn refresh(&mut self) -> io::Result<()> {
        match state_file::open_to_read(&self.path())? {
            Some(mut file) => self.read_new(&mut file),
            None => {
                self.forget();
                Ok(())
            }
        }
    }

    fn forget(&mut self) {
        self.entries.clear();
        (self.lines, self.seen) = (0, (0, 0));
    }

    fn read_new(&mut self, file: &mut File) -> io::Result<()> {
        let meta = file.metadata()?;
        if self.seen.0 != meta.ino() || meta.len() < self.seen.1 {
            self.forget();
        }
        if meta.len() == self.seen.1 {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.seen.1))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        self.seen = (meta.ino(), self.seen.1 + self.take_lines(&text) as u64);
        Ok(())
    }

    /// Takes over what whole lines say; their length.
    fn take_lines(&mut self, text: &[u8]) -> usize {
        // A line without its end was cut off by a crash, or is being written.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
            self.apply_text(line);
        }
        whole
    }

    /// A line that cannot be read says nothing.
    fn apply_text(&mut self, line: &[u8]) {
        if let Ok(line) = serde_json::from_slice(line) {
            self.lines += 1;
            self.apply(line);
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Put(id, entry) => drop(self.entries.insert(id, entry)),
            Line::Drop(id) => drop(self.entries.remove(&id)),
            Line::Clear(0) => self.entries.clear(),
            Line::Clear(sa_type) => self.entries.retain(|name, _| name.sa_type != SaType(sa_type)),
        }
    }

    fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let _lock = self.lock()?;
        let mut file = state_file::open(&self.path())?;
        self.read_new(&mut file)?;
        file.seek(SeekFrom::End(0))?;
        if file.metadata()?.len() != self.seen.1 {
            // Ends the line that a crash cut off.
            file.write_all(b"\n")?;
        }
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        self.read_new(&mut file)?;
        if self.lines > 2 * self.entries.len() + SLACK { self.rewrite() } else { Ok(()) }
    }

    /// Writes the entries alone beside the file and puts that in its place.
    fn rewrite(&mut self) -> io::Result<()> {
        let new = self.directory.join(format!("{}.new", self.stem));
        let mut file = state_file::open(&new)?;
        file.set_len(0)?;
        let text = self.text()?;
        file.write_all(&text)?;
        fs::rename(&new, self.path())?;
        (self.lines, self.seen) = (self.entries.len(), (file.metadata()?.ino(), text.len() as u64));
        Ok(())
    }

    /// The entries alone, as lines.
    fn text(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for (name, entry) in &self.entries {
            serde_json::to_writer(&mut text, &Line::Put(*name, entry.clone()))?;
            text.push(b'\n');
        }
        Ok(text)
    }

    fn lock(&self) -> io::Result<Flock<File>> {
        let path = self.directory.join(format!("{}.lock", self.stem));
        state_file::create_directory_of(&path)?;
        Flock::lock(state_file::open(&path)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    }

    fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.stem))
    }
}

/// A file with this text, as it would be written anew: what is understood of it.
///
/// # Errors
/// None that is known: what was read can be written.
#[cfg(feature = "internals")]
pub fn rewrite_side_store(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut beside = Beside::new(Path::new(DIRECTORY));
    beside.take_lines(text);
    beside.text()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn name(spi: u32) -> SaId {
        SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: "10.0.0.2".parse().unwrap(), mark: None }
    }

    fn entry(pair: u32) -> Entry {
        Entry { added: 7, pair: Some(Spi(pair)), ..Entry::default() }
    }

    #[test]
    fn what_one_writes_the_other_reads() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Beside::new(directory.path()), Beside::new(directory.path()));
        assert!(one.entry(&name(1), 7).unwrap().is_none());
        one.put(vec![(name(1), entry(2))]).unwrap();
        assert_eq!(other.entry(&name(1), 7).unwrap(), Some(&entry(2)));
        assert!(other.entry(&name(1), 8).unwrap().is_none(), "another SA of the same name");
        other.put(vec![(name(2), entry(1))]).unwrap();
        assert_eq!(one.entry(&name(2), 7).unwrap(), Some(&entry(1)));
        one.remove(name(1)).unwrap();
        assert!(other.entry(&name(1), 7).unwrap().is_none());
        other.clear(SaType::AH).unwrap();
        assert!(one.entry(&name(2), 7).unwrap().is_some());
        other.clear(SaType::UNSPEC).unwrap();
        assert!(one.entry(&name(2), 7).unwrap().is_none());
    }

    #[test]
    fn an_empty_entry_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut beside = Beside::new(directory.path());
        beside.put(vec![(name(1), Entry { added: 3, ..Entry::default() })]).unwrap();
        beside.clear(SaType::UNSPEC).unwrap();
        assert!(!beside.path().exists());
    }

    #[test]
    fn dead_entries_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let mut beside = Beside::new(directory.path());
        beside.put(vec![(name(1), entry(2))]).unwrap();
        beside.put(vec![(name(2), entry(1))]).unwrap();
        beside.retain(SaType::AH, |_, _| false).unwrap();
        assert_eq!(beside.entries.len(), 2);
        beside.retain(SaType::ESP, |name, added| name.spi == Spi(2) && added == 7).unwrap();
        assert_eq!(beside.entries.keys().copied().collect::<Vec<_>>(), [name(2)]);
    }

    #[test]
    fn the_file_stays_short_and_survives_a_cut_line() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Beside::new(directory.path()), Beside::new(directory.path()));
        for round in 0..1000 {
            one.put(vec![(name(round % 3), entry(round))]).unwrap();
        }
        let lines = fs::read_to_string(one.path()).unwrap().lines().count();
        assert!(lines <= 2 * 3 + SLACK, "{lines} lines for 3 entries");
        assert_eq!(other.entry(&name(0), 7).unwrap(), Some(&entry(999)));
        OpenOptions::new().append(true).open(one.path()).unwrap().write_all(b"{\"Put\":[{").unwrap();
        other.put(vec![(name(9), entry(1))]).unwrap();
        assert_eq!(one.entry(&name(9), 7).unwrap(), Some(&entry(1)));
        assert_eq!(one.entry(&name(0), 7).unwrap(), Some(&entry(999)));
    }

    #[test]
    fn identities_and_idle_lifetimes_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut beside = Beside::new(directory.path());
        let who = Identity { kind: IdentityType(2), id: 0, value: b"a.example".to_vec() };
        let request = Request {
            src_identity: Some(who.clone()).into(),
            idle: Some(Lifetime { addtime: 60, ..Lifetime::default() }).into(),
            ..Request::default()
        };
        let mut kept = Entry { added: 7, ..Entry::default() };
        kept.take(&request);
        kept.set_direction(Direction::In);
        beside.put(vec![(name(1), kept)]).unwrap();
        let mut other = Beside::new(directory.path());
        let read = other.entry(&name(1), 7).unwrap().unwrap();
        assert_eq!(read.src_identity(), Some(who));
        assert_eq!(read.idle().unwrap().addtime, 60);
        assert_eq!(read.direction(), Some(1));
        assert_eq!(read.dst_identity(), None);
    }
}
