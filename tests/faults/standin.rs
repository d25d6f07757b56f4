//! A stand-in for a faulty SADB: a model SADB behind a socket, with faults according to a plan.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

use ipseckey::internals::pf_key::Client as Sadb;
use ipseckey::internals::test_model::{TestModel, TestSocket};

use crate::packet_socket::{PacketSocket, is_readable};

/// SADB_GET and SADB_DUMP, which change nothing.
const QUERIES: [u8; 2] = [5, 10];

/// The fault. Messages are counted from 1, from the time when the plan is set; queries do not count.
#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// No fault.
    Obey,
    /// The message with that index is refused with that error.
    Refuse(usize, u8),
    /// The connection is closed at the message with that index.
    Die(usize),
    /// The message with that index is executed without a reply.
    Swallow(usize),
    /// Each reply follows replies to another process and to another request, both refusals.
    Foreign,
    /// The message with that index is the second: another process has just sent the same.
    Overtaken(usize),
    /// Each message takes that long.
    Slow(Duration),
}

/// State that the stand-in and its test share.
struct Shared {
    plan: Plan,
    /// Client and message type of each message since the plan was set.
    received: Vec<(usize, u8)>,
}

/// The stand-in; ends when dropped.
pub(crate) struct StandIn {
    directory: tempfile::TempDir,
    shared: Arc<Mutex<Shared>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Without faults and without SAs.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shared = Arc::new(Mutex::new(Shared { plan: Plan::Obey, received: Vec::new() }));
        let ends = Arc::new(AtomicBool::new(false));
        let listener = PacketSocket::listen(&directory.path().join("sadb"));
        let (its, stop) = (shared.clone(), ends.clone());
        let thread = spawn(move || Server::new(its).run(&listener, &stop));
        Self { directory, shared, ends, thread: Some(thread) }
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The argument of `--sadb`.
    pub(crate) fn spec(&self) -> String {
        format!("unix:{}", self.path("sadb").display())
    }

    /// Sets the plan.
    pub(crate) fn plan(&self, plan: Plan) {
        *self.shared.lock().unwrap() = Shared { plan, received: Vec::new() };
    }

    /// The messages received since, without queries: a service counts its SAs at the end of a load.
    pub(crate) fn received(&self) -> Vec<(usize, u8)> {
        let shared = self.shared.lock().unwrap();
        shared.received.iter().copied().filter(|(_, kind)| !QUERIES.contains(kind)).collect()
    }

    /// Waits until it has received `count` messages.
    pub(crate) fn wait_until_received(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.received().len() < count {
            assert!(Instant::now() < deadline, "message {count} does not arrive");
            sleep(Duration::from_millis(1));
        }
    }

    /// Its SPIs, in ascending order.
    pub(crate) fn spis(&self) -> Vec<u32> {
        self.plan(Plan::Obey);
        let mut spis = Vec::new();
        let mut sadb = Sadb::connect(&self.path("sadb")).unwrap();
        sadb.dump(0, &mut |message| spis.extend(message.spi)).unwrap();
        spis.sort_unstable();
        spis
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()), "the stand-in panicked");
    }
}

struct Client {
    number: usize,
    connection: PacketSocket,
    socket: TestSocket,
}

struct Server {
    shared: Arc<Mutex<Shared>>,
    model: TestModel,
    clients: Vec<Client>,
    count: usize,
}

impl Server {
    fn new(shared: Arc<Mutex<Shared>>) -> Self {
        Self { shared, model: TestModel::default(), clients: Vec::new(), count: 0 }
    }

    fn run(&mut self, listener: &PacketSocket, ends: &AtomicBool) {
        while !ends.load(Ordering::Relaxed) {
            let clients = self.clients.iter().map(|client| &client.connection);
            let sockets: Vec<&PacketSocket> = std::iter::once(listener).chain(clients).collect();
            let ready = is_readable(&sockets, Duration::from_millis(20));
            // From the last, because removing one moves those after it.
            for index in (0..self.clients.len()).rev() {
                if ready[index + 1] && !self.serve(index) {
                    let gone = self.clients.remove(index);
                    self.model.close(gone.socket);
                }
            }
            if ready[0] {
                self.count += 1;
                let connection = listener.accept();
                self.clients.push(Client { number: self.count, connection, socket: self.model.open() });
            }
        }
    }

    /// Processes one message of a client; returns whether the connection stays open.
    fn serve(&mut self, index: usize) -> bool {
        let Client { number, connection, socket } = &self.clients[index];
        let Some(message) = connection.receive(Duration::ZERO).filter(|message| !message.is_empty()) else { return false };
        let message = message.as_slice();
        let is_question = QUERIES.contains(&message[1]);
        let (plan, count) = {
            let mut shared = self.shared.lock().unwrap();
            shared.received.push((*number, message[1]));
            (shared.plan, shared.received.iter().filter(|(_, kind)| !QUERIES.contains(kind)).count())
        };
        match plan {
            _ if is_question => {}
            Plan::Die(nth) if nth == count => return false,
            Plan::Refuse(nth, errno) if nth == count => {
                let _ = connection.send(&refusal(message, errno));
                return true;
            }
            Plan::Slow(time) => sleep(time),
            _ => {}
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        if matches!(plan, Plan::Overtaken(nth) if nth == count) {
            let (other, mut theirs) = (self.model.open(), message.to_vec());
            // Another process (RFC 2367 section 2.3, `sadb_msg_pid`).
            theirs[12] ^= 77;
            self.model.write(other, &theirs, now);
            self.model.close(other);
        }
        self.model.write(*socket, message, now);
        self.answer(plan, !is_question && matches!(plan, Plan::Swallow(nth) if nth == count));
        true
    }

    /// Delivers the pending messages of the model to each client.
    fn answer(&mut self, plan: Plan, swallows: bool) {
        for client in &self.clients {
            while let Some(answer) = self.model.read(client.socket) {
                if matches!(plan, Plan::Foreign) {
                    for (field, value) in [(12, 77), (8, 77)] {
                        let mut foreign = refusal(&answer, 17);
                        foreign[field] ^= value;
                        let _ = client.connection.send(&foreign);
                    }
                }
                if !swallows {
                    let _ = client.connection.send(&answer);
                }
            }
        }
    }
}

/// The header of `message` with an error, without extensions.
fn refusal(message: &[u8], errno: u8) -> Vec<u8> {
    let mut header = message[..16].to_vec();
    header[2] = errno;
    header[4..6].copy_from_slice(&2_u16.to_ne_bytes());
    header
}
