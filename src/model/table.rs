//! The tables of a database: an outbound and an inbound one for each address family (illumos `sadb.h`, `sadbp_t`).
//!
//! A table is sorted in the kernel's dump order: by hash bucket; within a bucket the newest first, with SAs that have an
//! unspecified source last (`sadb_insertassoc`). An index finds an SA by SPI and destination.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Bound;

use crate::model::refusal::{Checked, Errno, Refusal};
use crate::model::stored_sa::StoredSa;
use crate::sa::{Flags, SaType, Spi};

/// One of the two tables of an address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TableDirection {
    /// SAs for outgoing packets.
    Outbound,
    /// SAs for incoming packets.
    Inbound,
}

impl TableDirection {
    /// Inbound for outbound, and vice versa.
    #[must_use]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }

    /// The table that a lookup searches first.
    pub(crate) fn first_searched(flags: Flags) -> Self {
        if flags.has(Flags::INBOUND) { Self::Inbound } else { Self::Outbound }
    }
}

/// Sort key of an SA within its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TablePosition {
    bucket: u8,
    has_any_source: bool,
    serial: Reverse<u64>,
}

/// Sort key of an SA within a database; its order is that of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    is_ipv6: bool,
    pub(crate) direction: TableDirection,
    place: TablePosition,
}

#[derive(Default)]
struct SaTable {
    order: BTreeMap<TablePosition, StoredSa>,
    index: HashMap<(Spi, IpAddr), TablePosition>,
}

/// All SAs of one type.
pub(crate) struct Database {
    pub(crate) sa_type: SaType,
    tables: [SaTable; 4],
    serial: u64,
}

/// Address family (IPv6?) and direction of the tables, in dump order.
const TABLES: [(bool, TableDirection); 4] = [
    (false, TableDirection::Outbound),
    (false, TableDirection::Inbound),
    (true, TableDirection::Outbound),
    (true, TableDirection::Inbound),
];

/// Hash bucket of an SA, 0 to 255, as on a little-endian machine.
fn bucket(direction: TableDirection, spi: Spi, destination: IpAddr) -> u8 {
    // The kernel takes the stored word modulo 256 (sadb.h). On x86 that is the first octet of an address and the most
    // significant byte of an SPI.
    match (direction, destination) {
        (TableDirection::Inbound, _) => spi.0.to_be_bytes()[0],
        (TableDirection::Outbound, IpAddr::V4(ip)) => ip.octets()[0],
        (TableDirection::Outbound, IpAddr::V6(ip)) => ip.octets().chunks(4).fold(0, |sum, word| sum ^ word[0]),
    }
}

impl Database {
    pub(crate) fn new(sa_type: SaType) -> Self {
        Self { sa_type, tables: Default::default(), serial: 0 }
    }

    fn table(&self, is_ipv6: bool, direction: TableDirection) -> &SaTable {
        // The order of TABLES.
        &self.tables[usize::from(is_ipv6) * 2 + direction as usize]
    }

    fn table_mut(&mut self, is_ipv6: bool, direction: TableDirection) -> &mut SaTable {
        &mut self.tables[usize::from(is_ipv6) * 2 + direction as usize]
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&StoredSa> {
        self.table(slot.is_ipv6, slot.direction).order.get(&slot.place)
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut StoredSa> {
        self.table_mut(slot.is_ipv6, slot.direction).order.get_mut(&slot.place)
    }

    /// Looks up an SA in one table.
    pub(crate) fn find_in(&self, direction: TableDirection, spi: Spi, destination: IpAddr) -> Option<Slot> {
        let is_ipv6 = destination.is_ipv6();
        let place = self.table(is_ipv6, direction).index.get(&(spi, destination))?;
        Some(Slot { is_ipv6, direction, place: *place })
    }

    /// Looks up an SA in one table that has this source or any; an unspecified `source` matches all.
    pub(crate) fn find_from(
        &self,
        direction: TableDirection,
        spi: Spi,
        destination: IpAddr,
        source: Option<IpAddr>,
    ) -> Option<Slot> {
        self.find_in(direction, spi, destination).filter(|slot| self.get(*slot).is_some_and(|entry| entry.is_from(source)))
    }

    /// Looks up an SA in table `first`, then in the other.
    pub(crate) fn find(&self, first: TableDirection, spi: Spi, destination: IpAddr, source: Option<IpAddr>) -> Option<Slot> {
        [first, first.other()].into_iter().find_map(|direction| self.find_from(direction, spi, destination, source))
    }

    /// Inserts `entry` into table `primary` and, if `both`, a copy into the other one.
    ///
    /// # Errors
    /// EEXIST if either table has an SA with this SPI and destination, whatever its source.
    pub(crate) fn insert(&mut self, mut entry: StoredSa, primary: TableDirection, both: bool) -> Checked<Slot> {
        let (spi, destination) = (entry.spi, entry.destination);
        // Neither source nor direction matters: a second sender to the same destination needs another SPI
        // (sadb_insertassoc).
        if [primary, primary.other()].iter().any(|direction| self.find_in(*direction, spi, destination).is_some()) {
            return Err(Refusal::plain(Errno::EEXIST));
        }
        // Both copies are independent afterwards; the kernel links them only by SPI and addresses.
        entry.has_copy = both;
        if both {
            self.put(entry.duplicate(), primary.other());
        }
        Ok(self.put(entry, primary))
    }

    /// Inserts a larval SA into the inbound table.
    ///
    /// # Errors
    /// EEXIST if the table has an SA with this SPI and destination, or the outbound table has one from the same source.
    pub(crate) fn reserve(&mut self, larval: StoredSa) -> Checked {
        let (spi, destination, source) = (larval.spi, larval.destination, Some(larval.source));
        let is_taken = self.find_from(TableDirection::Outbound, spi, destination, source).is_some()
            || self.find_in(TableDirection::Inbound, spi, destination).is_some();
        if is_taken {
            return Err(Refusal::plain(Errno::EEXIST));
        }
        self.put(larval, TableDirection::Inbound);
        Ok(())
    }

    fn put(&mut self, entry: StoredSa, direction: TableDirection) -> Slot {
        let destination = entry.destination;
        self.serial += 1;
        let place = TablePosition {
            bucket: bucket(direction, entry.spi, destination),
            has_any_source: entry.source.is_unspecified(),
            // The newest SA of a bucket comes first.
            serial: Reverse(self.serial),
        };
        let slot = Slot { is_ipv6: destination.is_ipv6(), direction, place };
        let table = self.table_mut(slot.is_ipv6, direction);
        table.index.insert((entry.spi, destination), place);
        table.order.insert(place, entry);
        slot
    }

    /// Removes an SA from its table. A copy in the other table does not change.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<StoredSa> {
        let table = self.table_mut(slot.is_ipv6, slot.direction);
        let entry = table.order.remove(&slot.place)?;
        table.index.remove(&(entry.spi, entry.destination));
        Some(entry)
    }

    /// The copy of an SA in the other table.
    pub(crate) fn copy_of(&self, slot: Slot) -> Option<Slot> {
        let entry = self.get(slot).filter(|entry| entry.has_copy)?;
        self.find_from(slot.direction.other(), entry.spi, entry.destination, Some(entry.source))
    }

    /// The SA in the other table that has this SPI and the reverse addresses of the one in `slot`.
    pub(crate) fn find_peer(&self, slot: Slot, spi: Spi) -> Option<Slot> {
        let entry = self.get(slot)?;
        // The peer may have any source, but not this SA: an unspecified source is no destination.
        self.find_from(slot.direction.other(), spi, entry.source, Some(entry.destination))
    }

    /// The slot after `slot` in dump order; the first one for `None`.
    pub(crate) fn next(&self, slot: Option<Slot>) -> Option<Slot> {
        let skip = slot.map_or(0, |slot| usize::from(slot.is_ipv6) * 2 + slot.direction as usize);
        TABLES.into_iter().skip(skip).find_map(|(is_ipv6, direction)| {
            let from = match slot {
                Some(slot) if (slot.is_ipv6, slot.direction) == (is_ipv6, direction) => Bound::Excluded(slot.place),
                _ => Bound::Unbounded,
            };
            let place = self.table(is_ipv6, direction).order.range((from, Bound::Unbounded)).next()?.0;
            Some(Slot { is_ipv6, direction, place: *place })
        })
    }

    /// The SAs of one table, in dump order.
    pub(crate) fn slots(&self, is_ipv6: bool, direction: TableDirection) -> impl Iterator<Item = (Slot, &StoredSa)> {
        let order = &self.table(is_ipv6, direction).order;
        order.iter().map(move |(place, entry)| (Slot { is_ipv6, direction, place: *place }, entry))
    }

    pub(crate) fn clear(&mut self) {
        self.tables = Default::default();
    }

    /// Number of SAs. An SA in both tables counts once.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let in_both = |slot: &Slot| slot.direction == TableDirection::Inbound && self.copy_of(*slot).is_some();
        let all = TABLES.into_iter().flat_map(|(is_ipv6, direction)| self.slots(is_ipv6, direction));
        all.filter(|(slot, _)| !in_both(slot)).count()
    }

    /// Violated invariants of the tables; the tests expect none.
    #[cfg(test)]
    pub(crate) fn inconsistencies(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (is_ipv6, direction) in TABLES {
            let table = self.table(is_ipv6, direction);
            if table.index.len() != table.order.len() {
                wrong.push(format!("{direction:?}: {} indexed, {} kept", table.index.len(), table.order.len()));
            }
            for (slot, entry) in self.slots(is_ipv6, direction) {
                let name = format!("{direction:?} {} {}", entry.spi, entry.destination);
                if table.index.get(&(entry.spi, entry.destination)) != Some(&slot.place) {
                    wrong.push(format!("{name}: not indexed"));
                }
                if entry.destination.is_ipv6() != is_ipv6 || entry.source.is_ipv6() != is_ipv6 {
                    wrong.push(format!("{name}: in the table of the other family"));
                }
                if slot.place.bucket != bucket(direction, entry.spi, entry.destination) {
                    wrong.push(format!("{name}: in the wrong bucket"));
                }
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(spi: u32, source: &str, destination: &str) -> StoredSa {
        StoredSa::new(Spi(spi), source.parse().unwrap(), destination.parse().unwrap())
    }

    fn order(database: &Database) -> Vec<(TableDirection, u32)> {
        let slots = std::iter::successors(database.next(None), |slot| database.next(Some(*slot)));
        slots.map(|slot| (slot.direction, database.get(slot).unwrap().spi.0)).collect()
    }

    #[test]
    fn bucket_of_little_endian_words() {
        let four = "10.20.30.40".parse().unwrap();
        let six = "2001:db8::1".parse().unwrap();
        assert_eq!(bucket(TableDirection::Outbound, Spi(1), four), 10);
        assert_eq!(bucket(TableDirection::Inbound, Spi(0x8912_3456), four), 0x89);
        assert_eq!(bucket(TableDirection::Outbound, Spi(1), six), 0x20);
        assert_eq!(bucket(TableDirection::Outbound, Spi(1), "2001:db8:3000::".parse().unwrap()), 0x10);
    }

    #[test]
    fn next_follows_dump_order() {
        use TableDirection::{Inbound, Outbound};
        let mut database = Database::new(SaType::ESP);
        let rows = [
            (entry(1, "10.0.0.9", "20.0.0.1"), Outbound),
            (entry(2, "10.0.0.9", "10.0.0.1"), Outbound),
            (entry(3, "10.0.0.9", "10.0.0.2"), Outbound),
            (entry(4, "0.0.0.0", "10.0.0.3"), Outbound),
            (entry(0x0200_0000, "10.0.0.9", "30.0.0.1"), Inbound),
            (entry(0x0100_0000, "10.0.0.9", "40.0.0.1"), Inbound),
            (entry(5, "::1", "2001:db8::1"), Outbound),
        ];
        for (entry, direction) in rows {
            database.insert(entry, direction, false).unwrap();
        }
        let expected = [
            (Outbound, 3),
            (Outbound, 2),
            (Outbound, 4),
            (Outbound, 1),
            (Inbound, 0x0100_0000),
            (Inbound, 0x0200_0000),
            (Outbound, 5),
        ];
        assert_eq!(order(&database), expected);
        assert_eq!(database.inconsistencies(), Vec::<String>::new());
    }

    #[test]
    fn insert_refuses_a_duplicate_in_either_table() {
        let mut database = Database::new(SaType::ESP);
        database.insert(entry(1, "10.0.0.9", "10.0.0.1"), TableDirection::Outbound, false).unwrap();
        let again = database.insert(entry(1, "10.0.0.8", "10.0.0.1"), TableDirection::Inbound, false);
        assert_eq!(again.err(), Some(Refusal::plain(Errno::EEXIST)));
        database.insert(entry(1, "::9", "::1"), TableDirection::Inbound, true).unwrap();
        assert_eq!(database.len(), 2);
        assert_eq!(database.inconsistencies(), Vec::<String>::new());
    }

    #[test]
    fn take_leaves_the_copy() {
        let mut database = Database::new(SaType::ESP);
        let slot = database.insert(entry(1, "10.0.0.9", "10.0.0.1"), TableDirection::Inbound, true).unwrap();
        assert_eq!((order(&database).len(), database.len()), (2, 1));
        let copy = database.copy_of(slot).unwrap();
        assert!(database.take(slot).unwrap().has_copy);
        assert_eq!(order(&database), [(TableDirection::Outbound, 1)]);
        assert!(database.get(copy).unwrap().has_copy);
        assert!(database.copy_of(copy).is_none());
    }

    #[test]
    fn reserve_compares_sources_of_outbound_sas_only() {
        let mut database = Database::new(SaType::ESP);
        database.insert(entry(1, "10.0.0.9", "10.0.0.1"), TableDirection::Outbound, false).unwrap();
        let taken = Err(Refusal::plain(Errno::EEXIST));
        assert_eq!(database.reserve(entry(1, "10.0.0.9", "10.0.0.1")), taken);
        assert_eq!(database.reserve(entry(1, "0.0.0.0", "10.0.0.1")), taken);
        assert_eq!(database.reserve(entry(1, "10.0.0.8", "10.0.0.1")), Ok(()));
        assert_eq!(database.reserve(entry(1, "10.0.0.7", "10.0.0.1")), taken);
    }

    #[test]
    fn find_starts_with_the_given_table() {
        let mut database = Database::new(SaType::ESP);
        database.insert(entry(1, "10.0.0.9", "10.0.0.1"), TableDirection::Inbound, true).unwrap();
        let find = |first, source: Option<&str>| {
            let source = source.map(|ip| ip.parse().unwrap());
            database.find(first, Spi(1), "10.0.0.1".parse().unwrap(), source).map(|slot| slot.direction)
        };
        assert_eq!(find(TableDirection::Outbound, None), Some(TableDirection::Outbound));
        assert_eq!(find(TableDirection::Inbound, Some("10.0.0.9")), Some(TableDirection::Inbound));
        assert_eq!(find(TableDirection::Inbound, Some("0.0.0.0")), Some(TableDirection::Inbound));
        assert_eq!(find(TableDirection::Inbound, Some("10.0.0.8")), None);
    }
}
