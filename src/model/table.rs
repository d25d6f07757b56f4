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

    /// Looks up an SA in table `first`, then in the other.
    pub(crate) fn find(&self, first: TableDirection, spi: Spi, destination: IpAddr, source: Option<IpAddr>) -> Option<Slot> {
        [first, first.other()]
            .into_iter()
            .filter_map(|direction| self.find_in(direction, spi, destination))
            .find(|slot| self.get(*slot).is_some_and(|entry| entry.is_from(source)))
    }

    /// Inserts `entry` into table `primary` and, if `both`, a copy into the other one.
    ///
    /// # Errors
    /// EEXIST if either table has an SA with this SPI and destination, whatever its source.
    pub(crate) fn insert(&mut self, mut entry: StoredSa, primary: TableDirection, both: bool) -> Checked<Slot> {
        let (spi, destination) = (entry.spi, entry.destination.ip);
        // Neither source nor direction matters: a second sender to the same destination needs another SPI
        // (sadb_insertassoc).
        if [primary, primary.other()].iter().any(|direction| self.find_in(*direction, spi, destination).is_some()) {
            return Err(Refusal::plain(Errno::EEXIST));
        }
        // Both copies are independent afterwards; the kernel links them only by SPI and destination.
        entry.has_copy = both;
        if both {
            self.put(entry.duplicate(), primary.other());
        }
        Ok(self.put(entry, primary))
    }

    fn put(&mut self, entry: StoredSa, direction: TableDirection) -> Slot {
        let destination = entry.destination.ip;
        self.serial += 1;
        let place = TablePosition {
            bucket: bucket(direction, entry.spi, destination),
            has_any_source: entry.source.ip.is_unspecified(),
            // The newest SA of a bucket comes first.
            serial: Reverse(self.serial),
        };
        let slot = Slot { is_ipv6: destination.is_ipv6(), direction, place };
        let table = self.table_mut(slot.is_ipv6, direction);
        table.index.insert((entry.spi, destination), place);
        table.order.insert(place, entry);
        slot
    }

    /// Removes an SA from its table only; the copy in the other table becomes a single SA.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<StoredSa> {
        // Looked up first, because `copy_of` needs the SA.
        let copy = self.copy_of(slot);
        let table = self.table_mut(slot.is_ipv6, slot.direction);
        let entry = table.order.remove(&slot.place)?;
        table.index.remove(&(entry.spi, entry.destination.ip));
        if let Some(copy) = copy.and_then(|copy| self.get_mut(copy)) {
            copy.has_copy = false;
        }
        Some(entry)
    }

    /// Removes an SA and its copy in the other table.
    pub(crate) fn remove(&mut self, slot: Slot) {
        if let Some(copy) = self.copy_of(slot) {
            self.take(copy);
        }
        self.take(slot);
    }

    /// The copy of an SA in the other table.
    pub(crate) fn copy_of(&self, slot: Slot) -> Option<Slot> {
        let entry = self.get(slot).filter(|entry| entry.has_copy)?;
        self.find_in(slot.direction.other(), entry.spi, entry.destination.ip)
    }

    /// The SA in the other table that has this SPI and the reverse addresses of the one in `slot`.
    pub(crate) fn find_peer(&self, slot: Slot, spi: Spi) -> Option<Slot> {
        let entry = self.get(slot)?;
        // The peer may have any source, but not this SA: an unspecified source is no destination.
        let peer = self.find_in(slot.direction.other(), spi, entry.source.ip)?;
        let source = self.get(peer)?.source.ip;
        (source == entry.destination.ip || source.is_unspecified()).then_some(peer)
    }

    /// The paired SA of the one in `slot`.
    pub(crate) fn peer_sa(&self, slot: Slot) -> Option<Slot> {
        let entry = self.get(slot).filter(|entry| entry.flags.has(Flags::PAIRED))?;
        // By SPI and addresses, as the peer may have been removed or replaced.
        self.find_peer(slot, entry.pair)
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
        let all = self.tables.iter().map(|table| table.order.len()).sum::<usize>();
        let outbound = [false, true].into_iter().flat_map(|is_ipv6| self.slots(is_ipv6, TableDirection::Outbound));
        all - outbound.filter(|(_, entry)| entry.has_copy).count()
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
                let name = format!("{direction:?} {} {}", entry.spi, entry.destination.ip);
                if table.index.get(&(entry.spi, entry.destination.ip)) != Some(&slot.place) {
                    wrong.push(format!("{name}: not indexed"));
                }
                if entry.destination.ip.is_ipv6() != is_ipv6 || entry.source.ip.is_ipv6() != is_ipv6 {
                    wrong.push(format!("{name}: in the table of the other family"));
                }
                let other = self.find_in(direction.other(), entry.spi, entry.destination.ip);
                if entry.has_copy != other.is_some() {
                    wrong.push(format!("{name}: copy {} but {other:?}", entry.has_copy));
                }
                if slot.place.bucket != bucket(direction, entry.spi, entry.destination.ip) {
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
    use crate::model::address::Address;

    fn at(ip: &str) -> Address {
        Address { ip: ip.parse().unwrap(), port: 0, proto: 0, prefix: 0 }
    }

    fn entry(spi: u32, source: &str, destination: &str) -> StoredSa {
        StoredSa::new(Spi(spi), at(source), at(destination), 1)
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
    fn remove_takes_the_copy_too() {
        let mut database = Database::new(SaType::ESP);
        let slot = database.insert(entry(1, "10.0.0.9", "10.0.0.1"), TableDirection::Inbound, true).unwrap();
        assert_eq!(order(&database).len(), 2);
        database.remove(slot);
        assert_eq!(order(&database), []);
        assert_eq!(database.inconsistencies(), Vec::<String>::new());
        assert!(database.copy_of(slot).is_none());
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
