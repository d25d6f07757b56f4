//! The SAs that a text defines, to find duplicates.

use std::collections::hash_map;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, OccupiedEntry};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::sa::{SaId, SaType, Spi};

/// The identity of an IPv4 SA without a mark, in a third of the memory of an [`SaId`]: a file may have a million SAs, nearly all
/// of this form.
type CompactId = (SaType, Spi, Ipv4Addr);

/// The line of each SA.
#[derive(Default)]
pub(crate) struct DefinedSas {
    compact: HashTable<(CompactId, u32)>,
    other: FxHashMap<SaId, u32>,
}

impl DefinedSas {
    /// Adds an SA, or returns the line that defines it already.
    pub(crate) fn add(&mut self, id: SaId, line: u32) -> Option<u32> {
        // IPv6 destinations and marks are rare; they go to the larger table.
        let Some(compact) = compact_id(&id) else {
            return match self.other.entry(id) {
                hash_map::Entry::Occupied(known) => Some(*known.get()),
                hash_map::Entry::Vacant(place) => {
                    place.insert(line);
                    None
                }
            };
        };
        match self.compact.entry(hash(&compact), |(known, _)| *known == compact, |(known, _)| hash(known)) {
            Entry::Occupied(known) => Some(known.get().1),
            Entry::Vacant(place) => {
                place.insert((compact, line));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, id: &SaId) {
        match compact_id(id) {
            Some(compact) => {
                drop(self.compact.find_entry(hash(&compact), |(known, _)| *known == compact).map(OccupiedEntry::remove));
            }
            None => drop(self.other.remove(id)),
        }
    }

    /// Removes the SAs of a type, or all with `UNSPEC`.
    pub(crate) fn flush(&mut self, flushed: SaType) {
        let remains = |sa_type: SaType| flushed != SaType::UNSPEC && sa_type != flushed;
        self.compact.retain(|((sa_type, ..), _)| remains(*sa_type));
        self.other.retain(|id, _| remains(id.sa_type));
    }
}

fn compact_id(id: &SaId) -> Option<CompactId> {
    match (id.dst, id.mark) {
        (IpAddr::V4(dst), None) => Some((id.sa_type, id.spi, dst)),
        _ => None,
    }
}

/// Adjacent identities get adjacent hashes: files number their SAs consecutively, and with scattered hashes a table larger than
/// the processor's caches would cost more time than parsing the commands.
fn hash((sa_type, spi, dst): &CompactId) -> u64 {
    /// Bits of a slot number within which consecutive identities stay.
    const NEAR: u32 = 6;
    /// The bits that the table compares before it compares identities.
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

    /// Consecutive identities are spread over a table of twice their number, whichever part of them is counted.
    #[test]
    fn consecutive_identities_do_not_collide() {
        const COUNT: u32 = 1 << 14;
        let dst = |at: u32| Ipv4Addr::from(0x0a00_0000 + at);
        type Numbering = fn(u32) -> (u32, u32);
        let kinds: [Numbering; 4] = [|at| (at, 0), |at| (256, at), |at| (at, at), |at| (at * 64, 0)];
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
    fn defined_sas_finds_duplicates_of_each_form() {
        let mark = Some(Masked { value: 1, mask: 3 });
        let names = [
            id(SaType::ESP, "192.0.2.1", None),
            id(SaType::AH, "192.0.2.1", None),
            id(SaType::ESP, "192.0.2.1", mark),
            id(SaType::ESP, "2001:db8::1", None),
        ];
        let mut defined = DefinedSas::default();
        for (line, name) in (1..).zip(names) {
            assert_eq!(defined.add(name, line), None);
            assert_eq!(defined.add(name, 99), Some(line));
        }
        defined.remove(&names[0]);
        defined.flush(SaType::AH);
        let again: Vec<_> = names.map(|name| defined.add(name, 5)).to_vec();
        assert_eq!(again, [None, None, Some(3), Some(4)]);
        defined.flush(SaType::UNSPEC);
        assert_eq!(names.map(|name| defined.add(name, 6)), [None; 4]);
    }
}
