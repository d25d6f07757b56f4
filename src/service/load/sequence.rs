//! The sequence numbers of SAs, saved so that an SA that is flushed and added again with the same keys continues where it
//! was. The files contain numbers and fingerprints of keys, no key.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Loader, Target};
use crate::apply::aim_at;
use crate::keyfile::{SaCommand, Target as CommandTarget, Verb};
use crate::reconcile::{Counters, FingerprintKey, MARGIN, SequenceSnapshot, keys_fingerprint};
use crate::sa::{Request, SaId, SaType};
use crate::sadb::Sadb;
use crate::service::config::SequenceDirs;
use crate::service::log::event;
use crate::service::records::runtime_file::{self, Readers};
use crate::sys::net::interfaces::network_namespace;

const FILE: &str = "sequence.json";
/// Added to sequence numbers saved before a boot: how many packets were sent after the save is unknown.
const BOOT_MARGIN: u64 = 1 << 20;

/// The state of one SA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    sent: u64,
    received: u64,
    /// Fingerprint of the keys.
    keys: String,
}

#[derive(Serialize, Deserialize)]
struct SequenceFile {
    /// The network namespace of the SAs: another one may have SAs with the same identities.
    namespace: Option<u64>,
    #[serde(rename = "salt")]
    fingerprint_key: [u8; 16],
    entries: Vec<(SaId, Entry)>,
}

/// The saved sequence numbers.
pub(crate) struct SequenceState {
    dirs: SequenceDirs,
    fingerprint_key: FingerprintKey,
    entries: HashMap<SaId, Entry>,
}

impl SequenceState {
    /// Reads the file in the runtime directory; after a boot, which removes that file, the one in the state directory. Empty
    /// without either.
    ///
    /// # Errors
    /// Those of open(2) and read(2); `InvalidData` if a file cannot be parsed.
    pub(crate) fn read(dirs: &SequenceDirs) -> io::Result<Self> {
        let read = |directory: &Option<PathBuf>| match directory {
            Some(directory) => runtime_file::read::<SequenceFile>(directory, FILE),
            None => Ok(None),
        };
        let file = match read(&dirs.runtime)? {
            // A container may share /run with the host.
            Some(file) => Some(file).filter(|file| file.namespace == network_namespace()),
            None => read(&dirs.state)?.map(after_boot),
        };
        let (fingerprint_key, entries) = match file {
            Some(file) => (FingerprintKey::from_bytes(file.fingerprint_key), file.entries.into_iter().collect()),
            None => (FingerprintKey::random().map_err(io::Error::other)?, HashMap::new()),
        };
        Ok(Self { dirs: dirs.clone(), fingerprint_key, entries })
    }

    /// Saves the sequence numbers of all SAs in `sadb`. Entries of SAs that are not there are kept: they may be added again.
    ///
    /// # Errors
    /// Those of the dump, and of writing the files.
    pub(crate) fn save_all(&mut self, sadb: &mut dyn Sadb) -> io::Result<()> {
        // With carry_sequence = "off" a dump of a million SAs would be wasted.
        if self.dirs == SequenceDirs::default() {
            return Ok(());
        }
        let mut found = Vec::new();
        sadb.dump(SaType::UNSPEC, &mut |message| {
            found.extend(SequenceSnapshot::of(message, self.fingerprint_key));
            ControlFlow::Continue(())
        })
        .map_err(io::Error::other)?;
        self.save(found)
    }

    pub(crate) fn fingerprint_key(&self) -> FingerprintKey {
        self.fingerprint_key
    }

    /// Saves the sequence numbers of `found`.
    ///
    /// # Errors
    /// Those of writing the files.
    pub(crate) fn save(&mut self, found: Vec<SequenceSnapshot>) -> io::Result<()> {
        let entry = |found: SequenceSnapshot| Entry {
            sent: found.counters.sent,
            received: found.counters.received,
            keys: found.keys,
        };
        self.entries.extend(found.into_iter().map(|found| (found.id, entry(found))));
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        // A file without entries would only create the directory.
        if self.entries.is_empty() {
            return Ok(());
        }
        let entries = self.entries.iter().map(|(id, entry)| (*id, entry.clone())).collect();
        let fingerprint_key = self.fingerprint_key.bytes();
        let file = SequenceFile { namespace: network_namespace(), fingerprint_key, entries };
        let mut directories = [&self.dirs.runtime, &self.dirs.state].into_iter().flatten();
        directories.try_for_each(|directory| runtime_file::write(directory, FILE, Readers::Owner, &file))
    }

    /// The sequence numbers of the SA `id`, if it had the keys of `request`: with other keys it starts at 0.
    pub(crate) fn lookup(&self, id: &SaId, request: &Request) -> Option<Counters> {
        let entry = self.entries.get(id)?;
        let has_same_keys = entry.keys == keys_fingerprint(request, self.fingerprint_key);
        has_same_keys.then_some(Counters { sent: entry.sent, received: entry.received })
    }

    /// Sets the saved sequence numbers in an addition. One with several targets becomes one command for each, if any of its SAs
    /// has saved numbers: a command has only one `replay_value`.
    pub(crate) fn apply_to(&self, command: SaCommand) -> Vec<SaCommand> {
        if command.verb != Verb::Add || self.entries.is_empty() {
            return vec![command];
        }
        let single = |target: &CommandTarget| {
            let mut request = Box::new(command.request.duplicate());
            aim_at(&mut request, *target);
            let counters = request.id().and_then(|id| self.lookup(&id, &request));
            counters.iter().for_each(|counters| counters.apply_to(&mut request, MARGIN));
            (counters.is_some(), SaCommand { verb: Verb::Add, request, targets: vec![*target] })
        };
        // The request of each target is a copy with all keys: it is dropped, and so wiped, if not needed.
        let (is_saved, singles): (Vec<bool>, Vec<SaCommand>) = command.targets.iter().map(single).unzip();
        if is_saved.contains(&true) { singles } else { vec![command] }
    }
}

fn after_boot(mut file: SequenceFile) -> SequenceFile {
    // An inbound SA sends nothing: its counter is 0 and stays so.
    for (_, entry) in file.entries.iter_mut().filter(|(_, entry)| entry.sent != 0) {
        entry.sent = entry.sent.saturating_add(BOOT_MARGIN - MARGIN);
    }
    file
}

impl Loader<'_> {
    pub(super) fn save_sequence_state(&mut self, target: &mut Target) {
        let saved = target.sequence.as_mut().map_or(Ok(()), |sequence| sequence.save_all(&mut *target.sadb));
        self.warn_without_sequence_numbers(saved);
    }

    /// A warning only: without saved numbers SAs start at 0, as they do without this program.
    pub(super) fn warn_without_sequence_numbers(&mut self, saved: io::Result<()>) {
        saved.unwrap_or_else(|error| self.log.event(&event::load::no_sequence_numbers(&error)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Endpoint, Flags, Spi};
    use crate::secret::Key;

    fn request(key: u8) -> Request {
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x1001),
            flags: Flags::OUTBOUND,
            dst: Some(Endpoint { addr: [192, 0, 2, 2].into(), port: 0, proto: 0 }),
            auth_key: Some(Key::from_slice(&[key; 20], 160, 0)),
            ..Request::default()
        }
    }

    fn progress(key: FingerprintKey) -> SequenceSnapshot {
        let counters = Counters { sent: 1000, received: 0 };
        SequenceSnapshot { id: request(1).id().unwrap(), counters, keys: keys_fingerprint(&request(1), key) }
    }

    #[test]
    fn lookup_requires_identity_and_keys_and_the_file_has_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let dirs = SequenceDirs { runtime: Some(directory.path().to_owned()), state: None };
        let mut sequence = SequenceState::read(&dirs).unwrap();
        sequence.save(vec![progress(sequence.fingerprint_key())]).unwrap();
        let again = SequenceState::read(&dirs).unwrap();
        let id = request(1).id().unwrap();
        assert_eq!(again.lookup(&id, &request(1)), Some(Counters { sent: 1000, received: 0 }));
        assert_eq!(again.lookup(&id, &request(2)), None);
        let text = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert!(!text.contains("01010101") && !text.contains("1,1,1,1"), "{text}");
    }

    #[test]
    fn read_adds_a_margin_after_a_boot() {
        let (runtime, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dirs = SequenceDirs { runtime: Some(runtime.path().to_owned()), state: Some(state.path().to_owned()) };
        let mut sequence = SequenceState::read(&dirs).unwrap();
        sequence.save(vec![progress(sequence.fingerprint_key())]).unwrap();
        std::fs::remove_file(runtime.path().join(FILE)).unwrap();
        let found = SequenceState::read(&dirs).unwrap().lookup(&request(1).id().unwrap(), &request(1)).unwrap();
        assert_eq!(found.sent + MARGIN, 1000 + BOOT_MARGIN);
    }

    #[test]
    fn save_all_without_directories_saves_nothing() {
        let mut sequence = SequenceState::read(&SequenceDirs::default()).unwrap();
        sequence.save_all(&mut *crate::sadb::SadbTarget::Model(crate::names::Vocabulary::Illumos).open().unwrap()).unwrap();
        assert!(sequence.entries.is_empty());
    }
}
