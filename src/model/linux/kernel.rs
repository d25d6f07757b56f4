//! The SAs, the sockets, and the requests (net/xfrm/xfrm_user.c).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use nix::errno::Errno;

use crate::model::linux::stored_sa::{Name, StoredSa, mark_of};
use crate::model::linux::verify::{NewSa, Refusal};
use crate::sa::Masked;
use crate::secret::Buffer;
use crate::sys::time::unix_now;
use crate::wire::xfrm::number::{GROUP_EXPIRE, GROUP_SA, flag, kind};
use crate::wire::xfrm::{Attribute, Body, NetlinkError, NetlinkHeader, NetlinkMessage, SaInfo, UserSaId, encode, messages};

/// The index of the first interface that this host does not have.
const FIRST_DEVICE: u32 = 1 << 30;

/// The number of an SA: later ones have higher numbers.
type Serial = u64;

/// A socket: its groups, and what it has not read yet.
#[derive(Default)]
struct Socket {
    groups: u32,
    queue: VecDeque<Queued>,
}

enum Queued {
    Message(Buffer),
    /// A dump in progress: SAs below that number are left. Each is encoded when it is read, so that it takes no memory.
    Dump {
        header: NetlinkHeader,
        proto: u8,
        below: Serial,
    },
}

/// A kernel without policies and traffic.
#[derive(Default)]
pub(super) struct Kernel {
    sas: BTreeMap<Serial, StoredSa>,
    by_name: HashMap<Name, Vec<Serial>>,
    /// When a lifetime of an SA expires.
    due: BTreeSet<(u64, Serial)>,
    last: Serial,
    sockets: BTreeMap<u32, Socket>,
    last_port: u32,
    devices: Vec<String>,
}

impl Kernel {
    pub(super) fn open(&mut self, groups: u32) -> u32 {
        self.last_port += 1;
        self.sockets.insert(self.last_port, Socket { groups, ..Socket::default() });
        self.last_port
    }

    pub(super) fn close(&mut self, port: u32) {
        self.sockets.remove(&port);
    }

    pub(super) fn device_index(&mut self, name: &str) -> u32 {
        let known = self.devices.iter().position(|device| device == name);
        let at = known.unwrap_or_else(|| {
            self.devices.push(name.to_owned());
            self.devices.len() - 1
        });
        FIRST_DEVICE + at as u32
    }

    pub(super) fn device_name(&self, index: u32) -> Option<String> {
        self.devices.get(index.checked_sub(FIRST_DEVICE)? as usize).cloned()
    }

    /// Handles one message from the socket `port`.
    pub(super) fn handle(&mut self, port: u32, message: &[u8]) {
        for request in messages(message) {
            let Ok(NetlinkMessage { header, body, .. }) = request else { return };
            let header = NetlinkHeader { port, ..header };
            if let Body::Dump(filters) = &body {
                self.start_dump(header, filters);
                continue;
            }
            let outcome = self.answer(header, &body);
            if outcome.is_err() || header.flags & flag::ACK != 0 {
                self.acknowledge(header, outcome.err());
            }
        }
    }

    fn answer(&mut self, header: NetlinkHeader, body: &Body) -> Result<(), Refusal> {
        match (header.kind, body) {
            (kind::NEWSA, Body::Sa(info, attributes)) => self.add(header, info, attributes),
            (kind::UPDSA, Body::Sa(info, attributes)) => self.update(header, info, attributes),
            (kind::DELSA, Body::SaId(id, attributes)) => self.delete(header, id, attributes),
            (kind::GETSA, Body::SaId(id, attributes)) => {
                let found = self.sas[&self.find(id, mark_of(attributes))?].body();
                self.send(NetlinkHeader { kind: kind::NEWSA, flags: 0, ..header }, &found);
                Ok(())
            }
            (kind::FLUSHSA, Body::Flush(proto)) => {
                self.flush(header, *proto);
                Ok(())
            }
            (kind::NEWAE, Body::Event(event, attributes)) => self.set_counters(header, &event.id, attributes),
            (kind::GETSADINFO, Body::CountRequest(_)) => {
                let count = Body::Count(u32::try_from(self.sas.len()).ok());
                self.send(NetlinkHeader { kind: kind::NEWSADINFO, flags: 0, ..header }, &count);
                Ok(())
            }
            _ => Err(Refusal::bare(Errno::EINVAL)),
        }
    }

    /// The newest SA that the identity and the mark of a request match (`__xfrm_state_lookup`).
    fn lookup(&self, name: Name, mark: Masked) -> Option<Serial> {
        let value = mark.value & mark.mask;
        let matches = |serial: &&Serial| {
            let of_sa = self.sas[serial].mark();
            value & of_sa.mask == of_sa.value
        };
        self.by_name.get(&name)?.iter().rev().find(matches).copied()
    }

    fn find(&self, id: &UserSaId, mark: Masked) -> Result<Serial, Refusal> {
        Name::of(id).and_then(|name| self.lookup(name, mark)).ok_or(Refusal::bare(Errno::ESRCH))
    }

    fn add(&mut self, header: NetlinkHeader, info: &SaInfo, attributes: &[Attribute]) -> Result<(), Refusal> {
        NewSa { info, attributes }.verify()?;
        let stored = StoredSa::new(info, attributes, unix_now());
        let name = Name::of(&stored.id()).ok_or(Refusal::bare(Errno::EINVAL))?;
        if self.lookup(name, stored.mark()).is_some() {
            return Err(Refusal::bare(Errno::EEXIST));
        }
        self.multicast(GROUP_SA, header, &stored.body());
        self.last += 1;
        self.by_name.entry(name).or_default().push(self.last);
        self.due.extend(stored.due().map(|at| (at, self.last)));
        self.sas.insert(self.last, stored);
        Ok(())
    }

    fn update(&mut self, header: NetlinkHeader, info: &SaInfo, attributes: &[Attribute]) -> Result<(), Refusal> {
        NewSa { info, attributes }.verify()?;
        let new = StoredSa::new(info, attributes, unix_now());
        let serial = self.find(&new.id(), new.mark())?;
        let Some(sa) = self.sas.get_mut(&serial) else { return Err(Refusal::bare(Errno::ESRCH)) };
        let old_due = sa.due();
        if !sa.update(&new) {
            return Err(Refusal::bare(Errno::EINVAL));
        }
        let (new_due, body) = (sa.due(), sa.body());
        self.set_due(serial, old_due, new_due);
        self.multicast(GROUP_SA, header, &body);
        Ok(())
    }

    fn set_counters(&mut self, header: NetlinkHeader, id: &UserSaId, attributes: &[Attribute]) -> Result<(), Refusal> {
        let refuse = |text| Err(Refusal { errno: Errno::EINVAL, text });
        let given = attributes.iter().find(|attribute| matches!(attribute, Attribute::Replay(_) | Attribute::ReplayEsn(_)));
        let Some(given) = given else { return refuse("Missing required attribute for AE") };
        if header.flags & flag::REPLACE == 0 {
            return refuse("NLM_F_REPLACE flag is required");
        }
        let serial = self.find(id, mark_of(attributes))?;
        if self.sas.get_mut(&serial).is_some_and(|sa| sa.set_counters(given)) { Ok(()) } else { refuse("") }
    }

    fn delete(&mut self, header: NetlinkHeader, id: &UserSaId, attributes: &[Attribute]) -> Result<(), Refusal> {
        let serial = self.find(id, mark_of(attributes))?;
        if let Some(removed) = self.remove(serial) {
            let mut attributes = vec![Attribute::Sa(Box::new(removed.info))];
            attributes.extend(removed.duplicated_attributes());
            self.multicast(GROUP_SA, header, &Body::SaId(removed.id(), attributes));
        }
        Ok(())
    }

    fn remove(&mut self, serial: Serial) -> Option<StoredSa> {
        let removed = self.sas.remove(&serial)?;
        self.set_due(serial, removed.due(), None);
        let name = Name::of(&removed.id())?;
        let serials = self.by_name.get_mut(&name)?;
        serials.retain(|other| *other != serial);
        if serials.is_empty() {
            self.by_name.remove(&name);
        }
        Some(removed)
    }

    fn set_due(&mut self, serial: Serial, old: Option<u64>, new: Option<u64>) {
        if let Some(at) = old {
            self.due.remove(&(at, serial));
        }
        self.due.extend(new.map(|at| (at, serial)));
    }

    /// Removes the SAs of a protocol; 0 means all.
    fn flush(&mut self, header: NetlinkHeader, proto: u8) {
        let serials = self.sas.iter().filter(|(_, sa)| [0, sa.info.proto].contains(&proto)).map(|(serial, _)| *serial);
        let serials: Vec<Serial> = serials.collect();
        serials.iter().for_each(|serial| drop(self.remove(*serial)));
        if !serials.is_empty() {
            self.multicast(GROUP_SA, header, &Body::Flush(proto));
        }
    }

    /// Lets lifetimes expire (`xfrm_timer_handler`).
    pub(super) fn tick(&mut self, now: u64) {
        while let Some((at, serial)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, serial));
            let Some(sa) = self.sas.get_mut(&serial) else { continue };
            let is_hard = sa.is_expired(now);
            sa.is_dying = true;
            self.due.extend(sa.due().map(|at| (at, serial)));
            let body = Body::Expire(Box::new(sa.info), is_hard, sa.attributes_of_expiry());
            if is_hard {
                self.remove(serial);
            }
            self.multicast(GROUP_EXPIRE, NetlinkHeader { kind: kind::EXPIRE, ..NetlinkHeader::default() }, &body);
        }
    }

    fn start_dump(&mut self, header: NetlinkHeader, filters: &[Attribute]) {
        // The model has no policies: a dump of them is empty.
        let below = if header.kind == kind::GETSA { self.last + 1 } else { 0 };
        let proto = filters.iter().find_map(|filter| if let Attribute::Proto(proto) = filter { Some(*proto) } else { None });
        let header = NetlinkHeader { flags: flag::MULTI, ..header };
        self.queue(header.port, Queued::Dump { header, proto: proto.unwrap_or(0), below });
    }

    /// The next message of the socket `port`.
    pub(super) fn read(&mut self, port: u32) -> Option<Buffer> {
        let queue = &mut self.sockets.get_mut(&port)?.queue;
        match queue.pop_front()? {
            Queued::Message(message) => Some(message),
            Queued::Dump { header, proto, below } => {
                // The newest SA first (`xfrm_state_walk`).
                let mut left = self.sas.range(..below).rev();
                let Some((serial, sa)) = left.find(|(_, sa)| [0, sa.info.proto].contains(&proto)) else {
                    return encode(NetlinkHeader { kind: kind::DONE, ..header }, &Body::Done(0)).ok();
                };
                queue.push_front(Queued::Dump { header, proto, below: *serial });
                encode(NetlinkHeader { kind: kind::NEWSA, ..header }, &sa.body()).ok()
            }
        }
    }

    fn acknowledge(&mut self, header: NetlinkHeader, refusal: Option<Refusal>) {
        let text = refusal.map(|refusal| refusal.text).filter(|text| !text.is_empty()).map(str::to_owned);
        let errno = refusal.map_or(0, |refusal| refusal.errno as i32);
        let flags = flag::CAPPED | if text.is_some() { flag::ACK_TLVS } else { 0 };
        let body = Body::Error(NetlinkError { errno, seq: header.seq, text, offset: None });
        self.send(NetlinkHeader { kind: kind::ERROR, flags, ..header }, &body);
    }

    /// Sends a message to the socket that the header names.
    fn send(&mut self, header: NetlinkHeader, body: &Body) {
        if let Ok(message) = encode(header, body) {
            self.queue(header.port, Queued::Message(message));
        }
    }

    fn queue(&mut self, port: u32, queued: Queued) {
        if let Some(socket) = self.sockets.get_mut(&port) {
            socket.queue.push_back(queued);
        }
    }

    /// Sends an event to each socket of the group.
    fn multicast(&mut self, group: u32, header: NetlinkHeader, body: &Body) {
        let header = NetlinkHeader { flags: 0, ..header };
        for socket in self.sockets.values_mut().filter(|socket| socket.groups & group != 0) {
            socket.queue.extend(encode(header, body).ok().map(Queued::Message));
        }
    }
}
