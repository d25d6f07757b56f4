//! Linux NETLINK_XFRM: the kernel's own interface (`net/xfrm/xfrm_user.c`).
//!
//! `encode` turns a request into netlink attributes, `check` refuses what the kernel would wrongly accept, `client` sends it and
//! waits for the reply, `errors` explains a refusal, `decode` turns an SA into a message. The side store holds what the kernel
//! cannot. `dump`, `pairs` and `update` need more than one message. `policies` is the SPD.

mod changes;
mod client;
mod decode;
mod dump;
mod encode;
mod flush;
mod inexpressible;
mod kernel;
mod monitor;
mod pairs;
mod policies;
mod update;

use std::io;
use std::path::Path;

use nix::errno::Errno;

use crate::model::linux::LinuxModel;
use crate::names::Vocabulary;
use crate::sa::{Extension, Message, MessageType, Request, SaId, SaType};
use crate::sadb::changes::ChangeVisitor;
use crate::sadb::linux::direction::SaDirection;
use crate::sadb::linux::errors::{RequestContext, algorithms_of};
use crate::sadb::linux::side_store::{DIRECTORY, SideEntry, SideStore};
use crate::sadb::linux::xfrm::client::{NetlinkClient, Operation};
use crate::sadb::linux::xfrm::decode::MessageOrigin;
pub(in crate::sadb::linux) use crate::sadb::linux::xfrm::dump::LISTED;
use crate::sadb::linux::xfrm::kernel::Kernel;
use crate::sadb::linux::xfrm::pairs::PeerSa;
use crate::sadb::retry::{LOADING, RetryBudget};
use crate::sadb::warnings::WarningLog;
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Spd, Supported, Trace, Visitor};
use crate::sys::net::crypto_api;
use crate::sys::net::crypto_api::AlgorithmKind;
use crate::sys::net::interfaces::clear_address_cache;
use crate::wire::xfrm::number::kind;
use crate::wire::xfrm::{Attribute, Body, SaInfo};

/// The error of [`Sadb::supported`] without AF_ALG.
const NO_AF_ALG: &str = "cannot list the kernel's algorithms (run `modprobe algif_skcipher algif_hash algif_aead`; in a unit, \
                         allow AF_ALG in RestrictAddressFamilies=)";

/// An SA in the kernel.
pub(crate) struct LiveSa {
    info: SaInfo,
    attributes: Vec<Attribute>,
    byte_len: usize,
    seq: u32,
}

impl LiveSa {
    /// The anti-replay window of an SA with ESN or a window above 32; 0 without.
    fn esn_window(&self) -> u32 {
        let window = |attribute: &Attribute| match attribute {
            Attribute::ReplayEsn(replay) => Some(replay.window),
            _ => None,
        };
        self.attributes.iter().find_map(window).unwrap_or(0)
    }
}

/// The SAD of the Linux kernel in this thread's network namespace, or of a kernel in memory.
pub(crate) struct Xfrm {
    kernel: Kernel,
    client: NetlinkClient,
    side_store: SideStore,
    trace: Option<Trace>,
    warnings: WarningLog,
    retry_budget: RetryBudget,
    enforces_idle: bool,
    /// SAs of the last dump that are neither AH nor ESP.
    others: usize,
}

impl Xfrm {
    /// Opens a socket.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] without NETLINK_XFRM in the kernel. A missing capability shows only with the first request.
    pub(crate) fn open() -> Result<Self, SadbError> {
        Self::with_state_in(Path::new(DIRECTORY))
    }

    /// Opens a socket, with the side store in `directory` instead of `/run/ipseckey`.
    ///
    /// # Errors
    /// As [`Xfrm::open`].
    pub(crate) fn with_state_in(directory: &Path) -> Result<Self, SadbError> {
        Self::with(Kernel::System, SideStore::new(directory))
    }

    /// An SAD in memory, without SAs.
    ///
    /// # Errors
    /// None.
    pub(crate) fn model() -> Result<Self, SadbError> {
        Self::with(Kernel::Model(LinuxModel::default()), SideStore::in_memory())
    }

    fn with(kernel: Kernel, side_store: SideStore) -> Result<Self, SadbError> {
        clear_address_cache();
        Ok(Self {
            client: NetlinkClient::open(&kernel)?,
            kernel,
            side_store,
            trace: None,
            warnings: WarningLog::default(),
            enforces_idle: false,
            others: 0,
            retry_budget: RetryBudget::new(LOADING),
        })
    }

    fn request(&mut self, kind: u16, body: &Body, context: &RequestContext) -> Result<(), SadbError> {
        let trace = &mut self.trace;
        self.client.request(kind, body, context, &mut |request| monitor::trace(trace.as_mut(), request))
    }

    /// Adds or updates an SA; retries while modules load.
    fn request_with_retry(&mut self, kind: u16, body: &Body, context: &RequestContext) -> Result<(), SadbError> {
        let mut outcome = self.request(kind, body, context);
        while outcome.as_ref().is_err_and(|error| self.retry_budget.should_retry(error)) {
            outcome = self.request(kind, body, context);
        }
        outcome
    }

    /// Adds an SA that a newer kernel would have added as it was sent first.
    fn add_to_older_kernel(&mut self, request: &Request, context: &RequestContext) -> Result<(), SadbError> {
        let (mut info, mut attributes) = encode::encode_sa(request, &self.kernel)?;
        encode::adapt_to_older_kernel(&mut info, &mut attributes);
        self.request_with_retry(kind::NEWSA, &Body::Sa(Box::new(info), attributes), context)
    }

    fn get_live(&mut self, id: &SaId) -> Result<LiveSa, SadbError> {
        let body = encode::sa_id_body(id);
        let trace = &mut self.trace;
        let reply = self
            .client
            .get(kind::GETSA, &body, &request_context(id), &mut |request| monitor::trace(trace.as_mut(), request))?;
        match reply.body {
            Body::Sa(info, attributes) => {
                Ok(LiveSa { info: *info, attributes, byte_len: reply.byte_len, seq: reply.header.seq })
            }
            _ => Err(SadbError::BadReply(format!("netlink message type {} in reply to GETSA", reply.header.kind))),
        }
    }

    fn delete_sa(&mut self, id: &SaId) -> Result<(), SadbError> {
        self.request(kind::DELSA, &encode::sa_id_body(id), &request_context(id))?;
        let removed = self.side_store.remove(*id);
        self.warn_on_error(removed);
        Ok(())
    }

    /// Turns an error of the side store into a warning: the kernel has carried out the command.
    fn warn_on_error<T: Default>(&mut self, result: io::Result<T>) -> T {
        result.unwrap_or_else(|error| {
            self.warnings.warn(&format!("{DIRECTORY}: {error}: pairs, identities and idle lifetimes are unknown"));
            T::default()
        })
    }

    /// The side-store entry of an SA that the kernel added at `added`; an empty one if there is none.
    fn side_entry(&mut self, id: &SaId, added: u64) -> SideEntry {
        let found = self.side_store.get(id, added).map(Option::<&SideEntry>::cloned);
        self.warn_on_error(found).unwrap_or(SideEntry::new(added))
    }

    /// Stores the parts of a new SA that the kernel does not hold, and its pair.
    fn store_extras(&mut self, request: &Request, id: &SaId, peer: Option<PeerSa>) -> Result<(), SadbError> {
        if peer.is_none() && !needs_follow_up(request) {
            return Ok(());
        }
        let direction = SaDirection::from_flags(request.flags);
        let mut entry = SideEntry::default();
        entry.merge_request(request);
        // The add time ties the entry to this SA: a later SA with the same identity does not inherit it.
        let live = self.get_live(id)?;
        entry.added = live.info.current.add_time;
        // Kernels before 6.10 ignore XFRMA_SA_DIR without an error, so the SA is read back.
        let holds_direction = live.attributes.iter().any(|attribute| matches!(attribute, Attribute::Direction(_)));
        if let (Some(direction), false) = (direction, holds_direction) {
            entry.set_direction(direction);
        }
        if let Some(direction) = direction.filter(|direction| direction.contradicts_addresses(request)) {
            self.warnings.warn(&direction.contradiction(id));
        }
        if encode::is_outbound_esn_without_window(request) && live.esn_window() != 0 {
            entry.window = Some(0);
        }
        if request.linux.offload.is_some() && !live.attributes.iter().any(|a| matches!(a, Attribute::Offload(_))) {
            self.warnings.warn("offload: not supported by the device; the SA is processed in software");
        }
        self.warn_about_limits(request);
        self.store_entry(*id, entry, peer)
    }

    /// Warns of limits that Linux does not have or does not enforce.
    fn warn_about_limits(&mut self, request: &Request) {
        if has_allocation_limit(request) {
            self.warnings.warn("soft_alloc, hard_alloc: Linux has no such limits; it has soft_packets and hard_packets");
        }
        if !self.enforces_idle && request.idle.is_some_and(|idle| !idle.is_unlimited()) {
            self.warnings.warn(
                "idle lifetimes: Linux does not enforce them; idle SAs are removed only while manual-key run is running",
            );
        }
    }

    fn store_entry(&mut self, id: SaId, mut entry: SideEntry, peer: Option<PeerSa>) -> Result<(), SadbError> {
        let mut entries = Vec::new();
        if let Some(mut peer) = peer {
            entry.pair = Some(peer.id.spi);
            peer.entry.pair = Some(id.spi);
            // One write for both: a crash must not leave an entry that names a peer without a counterpart.
            entries.push((peer.id, peer.entry));
        }
        entries.push((id, entry));
        self.side_store.put(entries).map_err(|source| SadbError::Unavailable {
            what: format!("{DIRECTORY}: cannot store what Linux does not hold (pair, identities, idle, direction)"),
            source,
        })
    }

    /// Decodes `live` together with its side-store entry.
    fn describe(&mut self, kind: MessageType, id: &SaId, live: LiveSa) -> Message {
        let mut entry = self.side_entry(id, live.info.current.add_time);
        if entry.pair.is_some() && self.peer_of(id, &live.info).is_none() {
            entry.pair = None;
        }
        let origin = MessageOrigin { byte_len: live.byte_len, seq: live.seq, pid: std::process::id() };
        let mut message = decode::decode_sa(kind, origin, &live.info, live.attributes, None, Some(&entry));
        self.kernel.name_device(&mut message);
        message
    }
}

/// Checks a request to add an SA, without the kernel: the refusals of the kernel that depend on the request alone.
///
/// # Errors
/// [`SadbError::Unsupported`].
pub(in crate::sadb) fn check_add(request: &Request) -> Result<(), SadbError> {
    encode::check_add(request)
}

fn request_context(id: &SaId) -> RequestContext {
    RequestContext { sa_type: id.sa_type, is_ipv6: id.dst.is_ipv6(), ..RequestContext::default() }
}

fn add_context(id: &SaId, request: &Request) -> RequestContext {
    RequestContext { algorithms: algorithms_of(request), ..request_context(id) }
}

fn add_operation(request: &Request, kernel: &Kernel) -> Result<Operation, SadbError> {
    let (info, attributes) = encode::encode_sa(request, kernel)?;
    Ok((kind::NEWSA, Body::Sa(Box::new(info), attributes), add_context(&encode::sa_id(request)?, request)))
}

/// Whether an older kernel may have refused the SA for its form; 4.18 and 5.10 say no reason with their errno.
fn requires_older_form(request: &Request, error: &SadbError) -> bool {
    let is_refused_with = |expected: Errno| matches!(error, SadbError::Refused { errno, .. } if *errno == expected as i32);
    (encode::is_outbound_esn_without_window(request) && is_refused_with(Errno::EINVAL))
        || (encode::is_transport_af_unspec(request) && is_refused_with(Errno::EPROTONOSUPPORT))
}

fn has_allocation_limit(request: &Request) -> bool {
    [&*request.soft, &*request.hard].into_iter().flatten().any(|limits| limits.allocations != 0)
}

/// Whether a new SA has to be read back, needs a side-store entry or a warning.
fn needs_follow_up(request: &Request) -> bool {
    let mut entry = SideEntry::default();
    entry.merge_request(request);
    !entry.is_empty()
        || has_allocation_limit(request)
        || SaDirection::from_flags(request.flags).is_some()
        || request.linux.offload.is_some()
}

impl Sadb for Xfrm {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        let (info, attributes) = encode::encode_sa(request, &self.kernel)?;
        let id = encode::sa_id(request)?;
        // Before the SA is added: a pairing that cannot succeed changes nothing.
        let peer = self.find_new_peer(request.pair_spi, &id, &info, None)?;
        let context = add_context(&id, request);
        let outcome = self.request_with_retry(kind::NEWSA, &Body::Sa(Box::new(info), attributes), &context);
        match outcome {
            Err(error) if requires_older_form(request, &error) => self.add_to_older_kernel(request, &context)?,
            outcome => outcome?,
        }
        let stored = self.store_extras(request, &id, peer);
        if stored.is_err() {
            // ipseckey(1M): if the pairing fails, the SA is removed.
            self.delete_sa(&id)?;
        }
        stored
    }

    /// SAs without follow-up. Traced requests are sent one by one, so that each is shown before its error.
    fn batches(&self, request: &Request) -> bool {
        self.trace.is_none() && request.pair_spi.is_none() && !needs_follow_up(request)
    }

    fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        // Traces and follow-ups need each reply before the next request.
        if !requests.iter().all(|request| self.batches(request)) {
            return requests.iter().map(|request| self.add(request)).collect();
        }
        let kernel = self.kernel.clone();
        let operations = requests.iter().map(|request| add_operation(request, &kernel));
        let outcomes = self.client.request_all(operations);
        let finish = |(request, outcome): (&&Request, _)| match outcome {
            Err(error) if requires_older_form(request, &error) || self.retry_budget.should_retry(&error) => {
                self.add(request)
            }
            outcome => outcome,
        };
        requests.iter().zip(outcomes).map(finish).collect()
    }

    fn update(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        let id = encode::sa_id(request)?;
        let live = self.get_live(&id)?;
        update::check_update(request, &live)?;
        let entry = self.side_entry(&id, live.info.current.add_time);
        let peer = self.find_new_peer(request.pair_spi, &id, &live.info, entry.pair)?;
        // Looked up before the new pairing is stored: the update applies to the present peer.
        let peer_to_update = if scope == PairScope::Pair { self.peer_of(&id, &live.info) } else { None };
        self.update_live(request, &id, &live, &entry)?;
        let mut changed = entry.clone();
        changed.merge_request(request);
        if changed != entry || peer.is_some() {
            self.warn_about_limits(request);
            self.store_entry(id, changed, peer)?;
        }
        match peer_to_update {
            Some(peer_to_update) => self.update_peer(request, &peer_to_update),
            None => Ok(()),
        }
    }

    fn delete(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        let id = encode::sa_id(request)?;
        let refreshed = self.side_store.refresh();
        self.warn_on_error(refreshed);
        // Before the deletion, because afterwards the SA's addresses are unknown.
        let peer = if self.side_store.contains(&id) {
            let live = self.get_live(&id)?;
            self.peer_of(&id, &live.info)
        } else {
            None
        };
        self.delete_sa(&id)?;
        match (peer, scope) {
            (Some(peer), PairScope::Pair) => self.delete_sa(&peer.id),
            (Some(peer), PairScope::One) => self.store_entry(peer.id, peer.entry.without_pair(), None),
            (None, _) => Ok(()),
        }
    }

    /// Sends DELSA and NEWSA in one datagram, so that no packet is lost in between; XFRM has no atomic replacement. The SAs of
    /// a pair need two steps, because the peer's entry changes with both.
    fn replace(&mut self, old: &Request, new: &Request) -> Result<(), SadbError> {
        let id = encode::sa_id(old)?;
        let refreshed = self.side_store.refresh();
        self.warn_on_error(refreshed);
        if self.trace.is_some() || new.pair_spi.is_some() || self.side_store.is_paired(&id) {
            self.delete(old, PairScope::One)?;
            return self.add(new);
        }
        let add = add_operation(new, &self.kernel)?;
        let delete = (kind::DELSA, encode::sa_id_body(&id), request_context(&id));
        let mut outcomes = self.client.request_all([delete, add].into_iter().map(Ok));
        let (added, deleted) = (outcomes.pop(), outcomes.pop());
        match added.unwrap_or(Err(SadbError::OutcomeUnknown)) {
            // The deletion's outcome carries the error.
            Err(SadbError::OutcomeUnknown) => return deleted.unwrap_or(Err(SadbError::OutcomeUnknown)),
            Err(error) if requires_older_form(new, &error) || self.retry_budget.should_retry(&error) => {
                return self.add(new);
            }
            outcome => outcome?,
        }
        // The new SA may have been added in the same second, so the add time does not invalidate the old entry.
        let removed = self.side_store.remove(id);
        self.warn_on_error(removed);
        self.store_extras(new, &id, None)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        let id = encode::sa_id(request)?;
        let live = self.get_live(&id)?;
        Ok(self.describe(MessageType::GET, &id, live))
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        self.flush_listed(sa_type, &mut |_| false)
    }

    fn flush_except(&mut self, sa_type: SaType, keep: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        self.flush_listed(sa_type, keep)
    }

    fn dump(&mut self, sa_type: SaType, visit: Visitor<'_>) -> Result<(), SadbError> {
        clear_address_cache();
        self.dump_all(sa_type, visit)?;
        match self.others {
            0 => {}
            1 => self.warnings.warn("1 SA that is neither AH nor ESP (IPComp) is not listed"),
            others => self.warnings.warn(&format!("{others} SAs that are neither AH nor ESP (IPComp) are not listed")),
        }
        Ok(())
    }

    fn monitor(&mut self, mode: MonitorMode, visit: Visitor<'_>) -> Result<(), SadbError> {
        monitor::monitor(mode, &self.kernel, self.client.port(), visit)
    }

    fn idle_limited(&mut self) -> Result<Vec<Message>, SadbError> {
        let refreshed = self.side_store.refresh();
        self.warn_on_error(refreshed);
        let mut found = Vec::new();
        for id in self.side_store.idle_limited() {
            match self.get_live(&id) {
                Ok(live) => found.push(self.describe(MessageType::GET, &id, live)),
                // Expired since the file was written.
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        // The daemon keeps this list; it needs no keys.
        found.iter_mut().for_each(|message| message.extensions.retain(|ext| !matches!(ext, Extension::Key(..))));
        Ok(found)
    }

    fn set_enforces_idle(&mut self) {
        self.enforces_idle = true;
    }

    /// Queries AF_ALG, the crypto API that XFRM takes its algorithms from. Without the modules for hashes or ciphers it seems
    /// empty.
    fn supported(&mut self) -> Result<Supported, SadbError> {
        if self.kernel.is_model() {
            let (auth, encr) = (Vocabulary::Linux.auth_algs(), Vocabulary::Linux.encr_algs());
            return Ok(Supported { auth: auth.map(|row| row.number).collect(), encr: encr.map(|row| row.number).collect() });
        }
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
        if self.kernel.is_model() { None } else { Some(self) }
    }

    fn watch_changes(&mut self, each: ChangeVisitor<'_>) -> Result<(), SadbError> {
        // No other process changes a kernel in memory.
        if self.kernel.is_model() { Ok(()) } else { changes::watch(each) }
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
