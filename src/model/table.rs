//! The tables of a database: for each address family an outbound and an inbound one (illumos `sadb.h`, `sadbp_t`).
//!
//! A table is kept in the order in which the kernel dumps it: by bucket, in a bucket the newest first, but SAs with an
//! unspecified source after the others. An index beside it finds an SA by SPI and destination.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Bound;

use crate::model::entry::Entry;
use crate::model::refusal::{Checked, Errno, Refusal};
use crate::sa::{Flags, SaType, Spi};

/// Which table of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// For packets that go out.
    Outbound,
    /// For packets that come in.
    Inbound,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }

    /// The table a lookup starts with.
    pub(crate) fn hinted(flags: Flags) -> Self {
        if flags.has(Flags::INBOUND) { Self::Inbound } else { Self::Outbound }
    }
}

/// Where an SA stands in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    bucket: u8,
    from_anybody: bool,
    serial: Reverse<u64>,
}

/// Where an SA stands in a database. The order is that of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    is_ipv6: bool,
    pub(crate) direction: Direction,
    place: Place,
}

#[derive(Default)]
struct Table {
    order: BTreeMap<Place, Entry>,
    index: HashMap<(Spi, IpAddr), Place>,
}

/// The SAs of one type.
pub(crate) struct Database {
    pub(crate) sa_type: SaType,
    tables: [Table; 4],
    serial: u64,
}

/// The tables in dump order.
const TABLES: [(bool, Direction); 4] =
    [(false, Direction::Outbound), (false, Direction::Inbound), (true, Direction::Outbound), (true, Direction::Inbound)];

/// The bucket of an SA among 256, as on a machine with little-endian words.
fn bucket(direction: Direction, spi: Spi, destination: IpAddr) -> u8 {
    match (direction, destination) {
        (Direction::Inbound, _) => spi.0.to_be_bytes()[0],
        (Direction::Outbound, IpAddr::V4(ip)) => ip.octets()[0],
        (Direction::Outbound, IpAddr::V6(ip)) => ip.octets().chunks(4).fold(0, |sum, word| sum ^ word[0]),
    }
}

impl Database {
    pub(crate) fn new(sa_type: SaType) -> Self {
        Self { sa_type, tables: Default::default(), serial: 0 }
    }

    fn table(&self, is_ipv6: bool, direction: Direction) -> &Table {
        &self.tables[usize::from(is_ipv6) * 2 + direction as usize]
    }

    fn table_mut(&mut self, is_ipv6: bool, direction: Direction) -> &mut Table {
        &mut self.tables[usize::from(is_ipv6) * 2 + direction as usize]
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.table(slot.is_ipv6, slot.direction).order.get(&slot.place)
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.table_mut(slot.is_ipv6, slot.direction).order.get_mut(&slot.place)
    }

    /// The SA of that name in one table.
    pub(crate) fn find_in(&self, direction: Direction, spi: Spi, destination: IpAddr) -> Option<Slot> {
        let is_ipv6 = destination.is_ipv6();
        let place = self.table(is_ipv6, direction).index.get(&(spi, destination))?;
        Some(Slot { is_ipv6, direction, place: *place })
    }

    /// The SA of that name, looked for in table `first`, then in the other.
    pub(crate) fn find(&self, first: Direction, spi: Spi, destination: IpAddr, source: Option<IpAddr>) -> Option<Slot> {
        [first, first.other()]
            .into_iter()
            .filter_map(|direction| self.find_in(direction, spi, destination))
            .find(|slot| self.get(*slot).is_some_and(|entry| entry.is_from(source)))
    }

    /// Puts `entry` into table `primary`, and a copy into the other one if `both`.
    ///
    /// # Errors
    /// EEXIST if its SPI and destination are taken in either table, whatever the source.
    pub(crate) fn insert(&mut self, mut entry: Entry, primary: Direction, both: bool) -> Checked<Slot> {
        let (spi, destination) = (entry.spi, entry.destination.ip);
        if [primary, primary.other()].iter().any(|direction| self.find_in(*direction, spi, destination).is_some()) {
            return Err(Refusal::plain(Errno::EEXIST));
        }
        entry.has_twin = both;
        if both {
            self.put(entry.twin(), primary.other());
        }
        Ok(self.put(entry, primary))
    }

    fn put(&mut self, entry: Entry, direction: Direction) -> Slot {
        let destination = entry.destination.ip;
        self.serial += 1;
        let place = Place {
            bucket: bucket(direction, entry.spi, destination),
            from_anybody: entry.source.ip.is_unspecified(),
            serial: Reverse(self.serial),
        };
        let slot = Slot { is_ipv6: destination.is_ipv6(), direction, place };
        let table = self.table_mut(slot.is_ipv6, direction);
        table.index.insert((entry.spi, destination), place);
        table.order.insert(place, entry);
        slot
    }

    /// Takes an SA out of its table; its copy in the other one stays, and no longer has a twin.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<Entry> {
        let twin = self.twin(slot);
        let table = self.table_mut(slot.is_ipv6, slot.direction);
        let entry = table.order.remove(&slot.place)?;
        table.index.remove(&(entry.spi, entry.destination.ip));
        if let Some(twin) = twin.and_then(|twin| self.get_mut(twin)) {
            twin.has_twin = false;
        }
        Some(entry)
    }

    /// Removes an SA, and its copy in the other table.
    pub(crate) fn remove(&mut self, slot: Slot) {
        if let Some(twin) = self.twin(slot) {
            self.take(twin);
        }
        self.take(slot);
    }

    /// The copy of an SA in the other table.
    pub(crate) fn twin(&self, slot: Slot) -> Option<Slot> {
        let entry = self.get(slot).filter(|entry| entry.has_twin)?;
        self.find_in(slot.direction.other(), entry.spi, entry.destination.ip)
    }

    /// The SA in the other table that could be, or is, paired with the one in `slot` under that SPI.
    pub(crate) fn mate(&self, slot: Slot, spi: Spi) -> Option<Slot> {
        let entry = self.get(slot)?;
        let mate = self.find_in(slot.direction.other(), spi, entry.source.ip)?;
        let source = self.get(mate)?.source.ip;
        (source == entry.destination.ip || source.is_unspecified()).then_some(mate)
    }

    /// The SA that the one in `slot` is paired with.
    pub(crate) fn partner(&self, slot: Slot) -> Option<Slot> {
        let entry = self.get(slot).filter(|entry| entry.flags.has(Flags::PAIRED))?;
        self.mate(slot, entry.pair)
    }

    /// The slot after `slot` in dump order, the first for `None`.
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

    /// The slots of one table.
    pub(crate) fn slots(&self, is_ipv6: bool, direction: Direction) -> impl Iterator<Item = (Slot, &Entry)> {
        let order = &self.table(is_ipv6, direction).order;
        order.iter().map(move |(place, entry)| (Slot { is_ipv6, direction, place: *place }, entry))
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.tables = Default::default();
    }

    /// Number of SAs; one in both tables counts once.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let all = self.tables.iter().map(|table| table.order.len()).sum::<usize>();
        let outbound = [false, true].into_iter().flat_map(|is_ipv6| self.slots(is_ipv6, Direction::Outbound));
        all - outbound.filter(|(_, entry)| entry.has_twin).count()
    }

    /// What is wrong with the tables: nothing, ever.
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
                if entry.has_twin != other.is_some() {
                    wrong.push(format!("{name}: twin {} but {other:?}", entry.has_twin));
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

    fn entry(spi: u32, source: &str, destination: &str) -> Entry {
        Entry::new(Spi(spi), at(source), at(destination), 1)
    }

    fn order(database: &Database) -> Vec<(Direction, u32)> {
        let slots = std::iter::successors(database.next(None), |slot| database.next(Some(*slot)));
        slots.map(|slot| (slot.direction, database.get(slot).unwrap().spi.0)).collect()
    }

    #[test]
    fn buckets_are_those_of_little_endian_words() {
        let four = "10.20.30.40".parse().unwrap();
        let six = "2001:db8::1".parse().unwrap();
        assert_eq!(bucket(Direction::Outbound, Spi(1), four), 10);
        assert_eq!(bucket(Direction::Inbound, Spi(0x8912_3456), four), 0x89);
        assert_eq!(bucket(Direction::Outbound, Spi(1), six), 0x20);
        assert_eq!(bucket(Direction::Outbound, Spi(1), "2001:db8:3000::".parse().unwrap()), 0x10);
    }

    #[test]
    fn dump_order() {
        use Direction::{Inbound, Outbound};
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
    fn names_are_unique_across_tables_but_not_families() {
        let mut database = Database::new(SaType::ESP);
        database.insert(entry(1, "10.0.0.9", "10.0.0.1"), Direction::Outbound, false).unwrap();
        let again = database.insert(entry(1, "10.0.0.8", "10.0.0.1"), Direction::Inbound, false);
        assert_eq!(again.err(), Some(Refusal::plain(Errno::EEXIST)));
        database.insert(entry(1, "::9", "::1"), Direction::Inbound, true).unwrap();
        assert_eq!(database.len(), 2);
        assert_eq!(database.inconsistencies(), Vec::<String>::new());
    }

    #[test]
    fn twins_go_together() {
        let mut database = Database::new(SaType::ESP);
        let slot = database.insert(entry(1, "10.0.0.9", "10.0.0.1"), Direction::Inbound, true).unwrap();
        assert_eq!(order(&database).len(), 2);
        database.remove(slot);
        assert_eq!(order(&database), []);
        assert_eq!(database.inconsistencies(), Vec::<String>::new());
        assert!(database.twin(slot).is_none());
    }

    #[test]
    fn lookup_starts_with_the_hinted_table() {
        let mut database = Database::new(SaType::ESP);
        database.insert(entry(1, "10.0.0.9", "10.0.0.1"), Direction::Inbound, true).unwrap();
        let find = |first, source: Option<&str>| {
            let source = source.map(|ip| ip.parse().unwrap());
            database.find(first, Spi(1), "10.0.0.1".parse().unwrap(), source).map(|slot| slot.direction)
        };
        assert_eq!(find(Direction::Outbound, None), Some(Direction::Outbound));
        assert_eq!(find(Direction::Inbound, Some("10.0.0.9")), Some(Direction::Inbound));
        assert_eq!(find(Direction::Inbound, Some("0.0.0.0")), Some(Direction::Inbound));
        assert_eq!(find(Direction::Inbound, Some("10.0.0.8")), None);
    }
}
