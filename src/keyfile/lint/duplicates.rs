//! The SAs that a text has added so far.

use std::collections::hash_map;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, OccupiedEntry};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::sa::{SaId, SaType, Spi};

/// What names almost every SA, in a third of the room of an [`SaId`]: a file may have a million.
type Short = (SaType, Spi, Ipv4Addr);

/// The line of each SA by its name.
#[derive(Default)]
pub(crate) struct Added {
    short: HashTable<(Short, u32)>,
    long: FxHashMap<SaId, u32>,
}

impl Added {
    /// Takes a new one; the line of the one of that name if it was added before.
    pub(crate) fn add(&mut self, id: SaId, line: u32) -> Option<u32> {
        let Some(name) = short(&id) else {
            return match self.long.entry(id) {
                hash_map::Entry::Occupied(known) => Some(*known.get()),
                hash_map::Entry::Vacant(place) => {
                    place.insert(line);
                    None
                }
            };
        };
        match self.short.entry(hash(&name), |(known, _)| *known == name, |(known, _)| hash(known)) {
            Entry::Occupied(known) => Some(known.get().1),
            Entry::Vacant(place) => {
                place.insert((name, line));
                None
            }
        }
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, id: &SaId) {
        match short(id) {
            Some(name) => drop(self.short.find_entry(hash(&name), |(known, _)| *known == name).map(OccupiedEntry::remove)),
            None => drop(self.long.remove(id)),
        }
    }

    /// Takes those of a type away, or all.
    pub(crate) fn flush(&mut self, flushed: SaType) {
        let stays = |sa_type: SaType| flushed != SaType::UNSPEC && sa_type != flushed;
        self.short.retain(|((sa_type, ..), _)| stays(*sa_type));
        self.long.retain(|id, _| stays(id.sa_type));
    }
}

fn short(id: &SaId) -> Option<Short> {
    match (id.dst, id.mark) {
        (IpAddr::V4(dst), None) => Some((id.sa_type, id.spi, dst)),
        _ => None,
    }
}

/// Names that are near each other get hashes that are: files number their SAs one after the other, and a table that is larger
/// than the processor's caches would else cost more than reading the commands.
fn hash((sa_type, spi, dst): &Short) -> u64 {
    /// So many bits of a place in the table are near.
    const NEAR: u32 = 6;
    /// The bits by which the table tells names in one place apart.
    const TAG: u64 = !(u64::MAX >> 7);
    let (spi, dst) = (spi.0, u32::from(*dst));
    let far = FxBuildHasher.hash_one((sa_type.0, spi >> NEAR, dst >> NEAR));
    let near = u64::from(spi.wrapping_add(dst.wrapping_mul(2))) % (1 << NEAR);
    let tag = FxBuildHasher.hash_one((spi, dst)) & TAG;
    (far << NEAR | near) & !TAG | tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Masked;

    fn id(sa_type: SaType, dst: &str, mark: Option<Masked>) -> SaId {
        SaId { sa_type, spi: Spi(256), dst: dst.parse().unwrap(), mark }
    }

    /// As many places of a table of twice their number are taken by names one after the other, whatever it is that counts.
    #[test]
    fn near_names_do_not_crowd() {
        const COUNT: u32 = 1 << 14;
        let dst = |at: u32| Ipv4Addr::from(0x0a00_0000 + at);
        type Names = fn(u32) -> (u32, u32);
        let kinds: [Names; 4] = [|at| (at, 0), |at| (256, at), |at| (at, at), |at| (at * 64, 0)];
        for names in kinds {
            let places = (0..COUNT).map(|at| {
                let (spi, host) = names(at);
                hash(&(SaType::ESP, Spi(spi), dst(host))) % u64::from(2 * COUNT) / 16
            });
            let mut groups = vec![0; COUNT as usize / 8];
            places.for_each(|group| groups[group as usize] += 1);
            let most = groups.iter().max().unwrap();
            assert!(*most <= 64, "{most} names in a group of 16 places");
        }
    }

    #[test]
    fn names_of_each_kind_are_told_apart() {
        let mark = Some(Masked { value: 1, mask: 3 });
        let names = [
            id(SaType::ESP, "192.0.2.1", None),
            id(SaType::AH, "192.0.2.1", None),
            id(SaType::ESP, "192.0.2.1", mark),
            id(SaType::ESP, "2001:db8::1", None),
        ];
        let mut added = Added::default();
        for (line, name) in (1..).zip(names) {
            assert_eq!(added.add(name, line), None);
            assert_eq!(added.add(name, 99), Some(line));
        }
        added.remove(&names[0]);
        added.flush(SaType::AH);
        let again: Vec<_> = names.map(|name| added.add(name, 5)).to_vec();
        assert_eq!(again, [None, None, Some(3), Some(4)]);
        added.flush(SaType::UNSPEC);
        assert_eq!(names.map(|name| added.add(name, 6)), [None; 4]);
    }
}
