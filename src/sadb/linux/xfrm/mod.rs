//! Linux NETLINK_XFRM: the kernel's own interface (`net/xfrm/xfrm_user.c`).
//!
//! `build` turns a request into what the kernel is sent, `check` refuses what the kernel would not, `link` sends it and
//! waits for the answer, `errors` puts a refusal in words, `view` turns what the kernel says into a message. What the kernel
//! cannot hold is kept `beside` it; `pairs` and `update` are the two commands that need more than one message. `policies` is
//! the policy database beside the SAs.

pub(crate) mod client;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod monitor;
pub(crate) mod pairs;
pub(crate) mod policies;
pub(crate) mod update;

use std::io;
use std::path::Path;

use crate::names::Vocabulary;
use crate::sa::{Extension, Message, MessageType, Request, SaId, SaType};
use crate::sadb::linux::errors::Asked;
use crate::sadb::linux::retry::Patience;
#[cfg(feature = "internals")]
pub use crate::sadb::linux::side_store::rewrite_side_store;
use crate::sadb::linux::side_store::{Beside, DIRECTORY, Entry};
use crate::sadb::linux::xfrm::client::{Deed, Link};
use crate::sadb::linux::xfrm::decode::Origin;
use crate::sadb::linux::xfrm::encode::{Direction, proto_of};
use crate::sadb::linux::xfrm::pairs::Mate;
use crate::sadb::warnings::Warnings;
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Spd, Supported, Trace, Visitor};
use crate::sys::net::crypto_api;
use crate::sys::net::crypto_api::AlgorithmKind;
use crate::sys::net::interfaces::clear_address_cache;
use crate::wire::xfrm::number::kind;
use crate::wire::xfrm::{Attribute, Body, SaInfo};

/// Why the kernel's algorithms are not known.
const NO_AF_ALG: &str = "the kernel does not tell its algorithms (modprobe algif_skcipher algif_hash algif_aead; in a unit, allow \
                         AF_ALG in RestrictAddressFamilies=)";

/// An SA as the kernel describes it.
pub(crate) struct Live {
    info: SaInfo,
    attributes: Vec<Attribute>,
    byte_len: usize,
    seq: u32,
}

/// The SAD of the Linux kernel in this thread's network namespace.
pub struct Xfrm {
    link: Link,
    beside: Beside,
    trace: Option<Trace>,
    warnings: Warnings,
    patience: Patience,
    set_enforces_idle: bool,
}

impl Xfrm {
    /// Opens it.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] without NETLINK_XFRM in the kernel. The capability is asked for with the first request.
    pub fn open() -> Result<Self, SadbError> {
        Self::with_state_in(Path::new(DIRECTORY))
    }

    /// The same, with what the kernel cannot hold kept in `directory` instead of `/run/ipseckey`.
    ///
    /// # Errors
    /// As [`Xfrm::open`].
    pub fn with_state_in(directory: &Path) -> Result<Self, SadbError> {
        clear_address_cache();
        let beside = Beside::new(directory);
        Ok(Self {
            link: Link::open()?,
            beside,
            trace: None,
            warnings: Warnings::default(),
            set_enforces_idle: false,
            patience: Patience::default(),
        })
    }

    fn ask(&mut self, deed: u16, body: &Body, asked: &Asked) -> Result<(), SadbError> {
        let trace = &mut self.trace;
        self.link.ask(deed, body, asked, &mut |request| monitor::trace(trace.as_mut(), request))
    }

    /// Adds or updates an SA.
    fn put(&mut self, deed: u16, body: &Body, asked: &Asked) -> Result<(), SadbError> {
        let mut outcome = self.ask(deed, body, asked);
        while outcome.as_ref().is_err_and(|error| self.patience.tries_again(error)) {
            outcome = self.ask(deed, body, asked);
        }
        outcome
    }

    /// The SA of that name.
    fn fetch(&mut self, name: &SaId) -> Result<Live, SadbError> {
        let body = encode::sa_id_body(name);
        let trace = &mut self.trace;
        let answer = self.link.get(&body, &sa_context(name), &mut |request| monitor::trace(trace.as_mut(), request))?;
        match answer.body {
            Body::Sa(info, attributes) => {
                Ok(Live { info: *info, attributes, byte_len: answer.byte_len, seq: answer.header.seq })
            }
            _ => Err(SadbError::BadReply(format!("netlink message type {} answers GETSA", answer.header.kind))),
        }
    }

    fn remove(&mut self, name: &SaId) -> Result<(), SadbError> {
        self.ask(kind::DELSA, &encode::sa_id_body(name), &sa_context(name))?;
        let removed = self.beside.remove(*name);
        self.note_failure(removed);
        Ok(())
    }

    /// A failure to read or tidy what is kept beside the kernel is no failure of the command.
    fn note_failure<T: Default>(&mut self, result: io::Result<T>) -> T {
        result.unwrap_or_else(|error| {
            self.warnings.warn(&format!("{DIRECTORY}: {error}: pairs, identities and idle lifetimes are not known"));
            T::default()
        })
    }

    /// What is kept of an SA that the kernel added at `added`.
    fn entry(&mut self, name: &SaId, added: u64) -> Entry {
        let found = self.beside.entry(name, added).map(Option::<&Entry>::cloned);
        self.note_failure(found).unwrap_or(Entry::new(added))
    }

    /// Keeps what the kernel did not take of a new SA, and its pair.
    fn keep(&mut self, request: &Request, name: &SaId, mate: Option<Mate>) -> Result<(), SadbError> {
        if mate.is_none() && !leaves_traces(request) {
            return Ok(());
        }
        let direction = Direction::said(request.flags);
        let mut entry = Entry::default();
        entry.take(request);
        let live = self.fetch(name)?;
        entry.added = live.info.current.add_time;
        let holds_direction = live.attributes.iter().any(|attribute| matches!(attribute, Attribute::Direction(_)));
        if let (Some(direction), false) = (direction, holds_direction) {
            entry.set_direction(direction);
        }
        if request.linux.offload.is_some() && !live.attributes.iter().any(|a| matches!(a, Attribute::Offload(_))) {
            self.warnings.warn("offload: the device does not do it; the kernel does the work itself");
        }
        self.note_idle(request);
        self.keep_entry(*name, entry, mate)
    }

    fn note_idle(&mut self, request: &Request) {
        if !self.set_enforces_idle && request.idle.is_some_and(|idle| !idle.is_unlimited()) {
            self.warnings
                .warn("idle lifetimes: Linux has none; an idle SA ends only while manual-key run is there to end it");
        }
    }

    fn keep_entry(&mut self, name: SaId, mut entry: Entry, mate: Option<Mate>) -> Result<(), SadbError> {
        let mut entries = Vec::new();
        if let Some(mut mate) = mate {
            entry.pair = Some(mate.name.spi);
            mate.entry.pair = Some(name.spi);
            entries.push((mate.name, mate.entry));
        }
        entries.push((name, entry));
        self.beside.put(entries).map_err(|source| SadbError::Unavailable {
            what: format!("{DIRECTORY}: cannot keep there what Linux does not hold (pair, identities, idle, direction)"),
            source,
        })
    }

    /// A message for `live`, with what is kept of it.
    fn describe(&mut self, kind: MessageType, name: &SaId, live: Live) -> Message {
        let mut entry = self.entry(name, live.info.current.add_time);
        if entry.pair.is_some() && self.mate_of(name, &live.info).is_none() {
            entry.pair = None;
        }
        let origin = Origin { byte_len: live.byte_len, seq: live.seq, pid: std::process::id() };
        decode::sa(kind, origin, &live.info, live.attributes, None, Some(&entry))
    }
}

pub(crate) fn sa_context(id: &SaId) -> Asked {
    Asked { sa_type: id.sa_type, is_ipv6: id.dst.is_ipv6(), ..Asked::default() }
}

/// What a new SA asks of the kernel.
fn asked(name: &SaId, request: &Request) -> Asked {
    Asked { algorithms: algorithms_of(request), ..sa_context(name) }
}

/// The kernel's names of a request's algorithms.
pub(crate) fn algorithms_of(request: &Request) -> [Option<&'static str>; 2] {
    let auth = crate::names::algorithms::auth_by_number(request.auth_alg).map(|row| row.xfrm);
    let encr = crate::names::algorithms::encr_by_number(request.encr_alg).map(|row| row.xfrm);
    [auth, encr]
}

/// The message that adds an SA.
fn addition(request: &Request) -> Result<Deed, SadbError> {
    let (info, attributes) = encode::addition(request)?;
    Ok((kind::NEWSA, Body::Sa(Box::new(info), attributes), asked(&encode::sa_id(request)?, request)))
}

/// Whether something of a new SA has to be looked up in the kernel, or kept beside it, once it is there.
fn leaves_traces(request: &Request) -> bool {
    let mut entry = Entry::default();
    entry.take(request);
    !entry.is_empty() || Direction::said(request.flags).is_some() || request.linux.offload.is_some()
}

impl Sadb for Xfrm {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        let (info, attributes) = encode::addition(request)?;
        let name = encode::sa_id(request)?;
        let mate = self.mate_for(request.pair_spi, &name, &info, None)?;
        self.put(kind::NEWSA, &Body::Sa(Box::new(info), attributes), &asked(&name, request))?;
        let kept = self.keep(request, &name, mate);
        if kept.is_err() {
            // The man page: a pairing that fails leaves nothing behind.
            self.remove(&name)?;
        }
        kept
    }

    /// All that takes one message and leaves nothing to keep. Traced ones go one by one, each before its refusal.
    fn batches(&self, request: &Request) -> bool {
        self.trace.is_none() && request.pair_spi.is_none() && !leaves_traces(request)
    }

    fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        if !requests.iter().all(|request| self.batches(request)) {
            return requests.iter().map(|request| self.add(request)).collect();
        }
        let outcomes = self.link.ask_all(requests.iter().copied().map(addition));
        let settle = |(request, outcome): (&&Request, _)| match outcome {
            Err(error) if self.patience.tries_again(&error) => self.add(request),
            outcome => outcome,
        };
        requests.iter().zip(outcomes).map(settle).collect()
    }

    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let name = encode::sa_id(request)?;
        let live = self.fetch(&name)?;
        update::only_what_linux_changes(request, &live)?;
        let entry = self.entry(&name, live.info.current.add_time);
        let mate = self.mate_for(request.pair_spi, &name, &live.info, entry.pair)?;
        let partner = if reach == PairScope::Pair { self.mate_of(&name, &live.info) } else { None };
        self.update_live(request, &name, &live)?;
        let mut changed = entry.clone();
        changed.take(request);
        if changed != entry || mate.is_some() {
            self.note_idle(request);
            self.keep_entry(name, changed, mate)?;
        }
        match partner {
            Some(partner) => self.update_partner(request, &partner),
            None => Ok(()),
        }
    }

    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let name = encode::sa_id(request)?;
        let refreshed = self.beside.refresh();
        self.note_failure(refreshed);
        let mate = if self.beside.knows(&name) {
            let live = self.fetch(&name)?;
            self.mate_of(&name, &live.info)
        } else {
            None
        };
        self.remove(&name)?;
        match (mate, reach) {
            (Some(mate), PairScope::Pair) => self.remove(&mate.name),
            (Some(mate), PairScope::One) => self.keep_entry(mate.name, mate.entry.unpaired(), None),
            (None, _) => Ok(()),
        }
    }

    /// Both in one datagram, so that no packet comes between them. Of a pair one after the other: the mate is to know of both.
    fn replace(&mut self, old: &Request, new: &Request) -> Result<(), SadbError> {
        let name = encode::sa_id(old)?;
        let refreshed = self.beside.refresh();
        self.note_failure(refreshed);
        if self.trace.is_some() || new.pair_spi.is_some() || self.beside.pairs(&name) {
            self.delete(old, PairScope::One)?;
            return self.add(new);
        }
        let addition = addition(new)?;
        let deletion = (kind::DELSA, encode::sa_id_body(&name), sa_context(&name));
        let mut outcomes = self.link.ask_all([deletion, addition].into_iter().map(Ok));
        let (added, deleted) = (outcomes.pop(), outcomes.pop());
        match added.unwrap_or(Err(SadbError::OutcomeUnknown)) {
            // Why is told of the deletion.
            Err(SadbError::OutcomeUnknown) => return deleted.unwrap_or(Err(SadbError::OutcomeUnknown)),
            Err(error) if self.patience.tries_again(&error) => return self.add(new),
            outcome => outcome?,
        }
        let removed = self.beside.remove(name);
        self.note_failure(removed);
        self.keep(new, &name, None)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        let name = encode::sa_id(request)?;
        let live = self.fetch(&name)?;
        Ok(self.describe(MessageType::GET, &name, live))
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let asked = Asked { sa_type, ..Asked::default() };
        self.ask(kind::FLUSHSA, &Body::Flush(proto_of(sa_type)?), &asked)?;
        let cleared = self.beside.clear(sa_type);
        self.note_failure(cleared);
        Ok(())
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        clear_address_cache();
        self.dump_all(sa_type, each)
    }

    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        monitor::monitor(hearing, self.link.port(), each)
    }

    fn idle_limited(&mut self) -> Result<Vec<Message>, SadbError> {
        let refreshed = self.beside.refresh();
        self.note_failure(refreshed);
        let mut found = Vec::new();
        for name in self.beside.idle_limited() {
            match self.fetch(&name) {
                Ok(live) => found.push(self.describe(MessageType::GET, &name, live)),
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        found.iter_mut().for_each(|message| message.extensions.retain(|ext| !matches!(ext, Extension::Key(..))));
        Ok(found)
    }

    fn set_enforces_idle(&mut self) {
        self.set_enforces_idle = true;
    }

    /// XFRM takes what the kernel's cryptographic interface has. A kernel without its hash or cipher part seems to have nothing.
    fn supported(&mut self) -> Result<Supported, SadbError> {
        let failed = |source| SadbError::Unavailable { what: NO_AF_ALG.into(), source };
        let mut supported = Supported::default();
        for row in Vocabulary::Linux.auth_algs() {
            if crypto_api::has(AlgorithmKind::Hash, row.xfrm).map_err(failed)? {
                supported.auth.push(row.number);
            }
        }
        for row in Vocabulary::Linux.encr_algs() {
            let kind = if row.is_combined() { AlgorithmKind::Aead } else { AlgorithmKind::Cipher };
            if crypto_api::has(kind, row.xfrm).map_err(failed)? {
                supported.encr.push(row.number);
            }
        }
        if supported == Supported::default() { Err(failed(io::ErrorKind::NotFound.into())) } else { Ok(supported) }
    }

    fn spd(&mut self) -> Option<&mut dyn Spd> {
        Some(self)
    }

    fn new_sequence(&mut self) {
        clear_address_cache();
    }

    fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }
}
