//! How far the sequence numbers of SAs have come, so that those that are flushed and added again with the same keys go on: in
//! the service's runtime directory, or where they outlast a boot too. Numbers, and fingerprints of keys; no key.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::service::config::Places;
use serde::{Deserialize, Serialize};

use crate::apply::aim_at;
use crate::keyfile::{SaCommand, Target, Verb};
use crate::reconcile::{Counters, FingerprintKey, MARGIN, SequenceSnapshot, keys_fingerprint};
use crate::sa::{Request, SaId, SaType};
use crate::sadb::Sadb;
use crate::service::records::owned_sas::Name;
use crate::service::records::runtime_file::{self, Readers};
use crate::sys::net::interfaces::network_namespace;

const FILE: &str = "sequence.json";
/// How far numbers jump ahead that are from before a boot: what was sent since they were written down is not known.
const BOOT_MARGIN: u64 = 1 << 20;

/// What is kept of an SA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    sent: u64,
    received: u64,
    keys: String,
}

/// A file of it.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The network namespace that the SAs are in: another's may have the same names.
    namespace: Option<u64>,
    salt: [u8; 16],
    entries: Vec<(Name, Entry)>,
}

/// The numbers.
pub(crate) struct Sequence {
    places: Places,
    salt: FingerprintKey,
    entries: HashMap<Name, Entry>,
}

impl Sequence {
    /// What was written down; after a boot what has outlasted it, and nothing where nothing is kept.
    ///
    /// # Errors
    /// The system's; `InvalidData` if a file is not understood.
    pub(crate) fn read(places: &Places) -> io::Result<Self> {
        let read = |place: &Option<PathBuf>| match place {
            Some(directory) => runtime_file::read::<Record>(directory, FILE),
            None => Ok(None),
        };
        let record = match read(&places.runtime)? {
            Some(record) => Some(record).filter(|record| record.namespace == network_namespace()),
            None => read(&places.lasting)?.map(after_boot),
        };
        let (salt, entries) = match record {
            Some(record) => (FingerprintKey::from_bytes(record.salt), record.entries.into_iter().collect()),
            None => (FingerprintKey::random().map_err(io::Error::other)?, HashMap::new()),
        };
        Ok(Self { places: places.clone(), salt, entries })
    }

    /// Writes down how far the SAs in `sadb` have come; of others what was known stays.
    ///
    /// # Errors
    /// The SADB's, and the system's.
    pub(crate) fn take(&mut self, sadb: &mut dyn Sadb) -> io::Result<()> {
        if self.places == Places::default() {
            return Ok(());
        }
        let mut found = Vec::new();
        sadb.dump(SaType::UNSPEC, &mut |message| {
            found.extend(SequenceSnapshot::of(message, self.salt));
            ControlFlow::Continue(())
        })
        .map_err(io::Error::other)?;
        self.keep(found)
    }

    /// The salt of the fingerprints.
    pub(crate) fn salt(&self) -> FingerprintKey {
        self.salt
    }

    /// Writes down how far those SAs have come.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn keep(&mut self, found: Vec<SequenceSnapshot>) -> io::Result<()> {
        let entry = |found: SequenceSnapshot| Entry {
            sent: found.counters.sent,
            received: found.counters.received,
            keys: found.keys,
        };
        self.entries.extend(found.into_iter().map(|found| (Name::from(found.id), entry(found))));
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let entries = self.entries.iter().map(|(name, entry)| (*name, entry.clone())).collect();
        let record = Record { namespace: network_namespace(), salt: self.salt.bytes(), entries };
        let mut places = [&self.places.runtime, &self.places.lasting].into_iter().flatten();
        places.try_for_each(|directory| runtime_file::write(directory, FILE, Readers::Owner, &record))
    }

    /// How far an SA of that name had come, if it had the keys of `request`.
    pub(crate) fn of(&self, id: &SaId, request: &Request) -> Option<Counters> {
        let entry = self.entries.get(&Name::from(*id))?;
        let is_same = entry.keys == keys_fingerprint(request, self.salt);
        is_same.then_some(Counters { sent: entry.sent, received: entry.received })
    }

    /// Lets what a command adds go on. One that adds several SAs becomes several, if any of them has come far.
    pub(crate) fn carry_into(&self, command: SaCommand) -> Vec<SaCommand> {
        if command.verb != Verb::Add || self.entries.is_empty() {
            return vec![command];
        }
        let single = |target: &Target| {
            let mut request = Box::new(command.request.duplicate());
            aim_at(&mut request, *target);
            let counters = request.id().and_then(|id| self.of(&id, &request));
            counters.iter().for_each(|counters| counters.apply_to(&mut request, MARGIN));
            (counters.is_some(), SaCommand { verb: Verb::Add, request, targets: vec![*target] })
        };
        let (known, singles): (Vec<bool>, Vec<SaCommand>) = command.targets.iter().map(single).unzip();
        if known.contains(&true) { singles } else { vec![command] }
    }
}

fn after_boot(mut record: Record) -> Record {
    for (_, entry) in record.entries.iter_mut().filter(|(_, entry)| entry.sent != 0) {
        entry.sent = entry.sent.saturating_add(BOOT_MARGIN - MARGIN);
    }
    record
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

    fn progress(salt: FingerprintKey) -> SequenceSnapshot {
        let counters = Counters { sent: 1000, received: 0 };
        SequenceSnapshot { id: request(1).id().unwrap(), counters, keys: keys_fingerprint(&request(1), salt) }
    }

    #[test]
    fn numbers_are_found_by_name_and_keys_and_no_key_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let places = Places { runtime: Some(directory.path().to_owned()), lasting: None };
        let mut sequence = Sequence::read(&places).unwrap();
        sequence.keep(vec![progress(sequence.salt())]).unwrap();
        let again = Sequence::read(&places).unwrap();
        let id = request(1).id().unwrap();
        assert_eq!(again.of(&id, &request(1)), Some(Counters { sent: 1000, received: 0 }));
        assert_eq!(again.of(&id, &request(2)), None);
        let text = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert!(!text.contains("01010101") && !text.contains("1,1,1,1"), "{text}");
    }

    #[test]
    fn after_a_boot_they_jump_further() {
        let (runtime, lasting) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let places = Places { runtime: Some(runtime.path().to_owned()), lasting: Some(lasting.path().to_owned()) };
        let mut sequence = Sequence::read(&places).unwrap();
        sequence.keep(vec![progress(sequence.salt())]).unwrap();
        std::fs::remove_file(runtime.path().join(FILE)).unwrap();
        let found = Sequence::read(&places).unwrap().of(&request(1).id().unwrap(), &request(1)).unwrap();
        assert_eq!(found.sent + MARGIN, 1000 + BOOT_MARGIN);
    }

    #[test]
    fn nothing_is_kept_where_there_is_no_place() {
        let mut sequence = Sequence::read(&Places::default()).unwrap();
        sequence.take(&mut *crate::sadb::SadbTarget::Model.open().unwrap()).unwrap();
        assert!(sequence.entries.is_empty());
    }
}
