//! `sadb-model`: a model SADB on a Unix SOCK_SEQPACKET socket, one PF_KEY message per packet.
//!
//! One thread polls the listener and all clients, with a timeout of a second for the ager. A client that does not read loses
//! the messages that it would lose with a kernel; it does not delay other clients.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use zeroize::Zeroize;

use crate::model::{Model, Settings, SocketId};
use crate::redact::{shown, without_error_numbers, without_values};
use crate::secret::Buffer;
use crate::sys::net::listener::{Connection, Listener, Transfer, wait};
use crate::sys::process::hardening;
use crate::sys::process::privilege::Privileges;
use crate::sys::process::stop;
use crate::sys::time::unix_now;

/// Length of the largest message and one byte more, to detect a longer one.
const RECEIVE_BUFFER_LEN: usize = 65_535 * 8 + 1;
/// Further clients wait in the listener's backlog.
const MAX_CLIENTS: usize = 256;
/// Messages read from, and written to, one client before the next client is served.
const MESSAGES_PER_TURN: usize = 64;
/// Interval between calls of [`Model::tick`].
const TICK: Duration = Duration::from_secs(1);

/// Entry point of the program `sadb-model`.
#[must_use]
pub fn serve() -> ExitCode {
    let options = match command().try_get_matches() {
        Ok(options) => options,
        Err(error) => without_values(error).exit(),
    };
    let Some(path) = options.get_one::<PathBuf>("listen") else { return ExitCode::from(2) };
    match run(path, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, the exit status remains.
            let _ = writeln!(io::stderr(), "sadb-model: {}: {}", shown(path), without_error_numbers(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn command() -> Command {
    Command::new("sadb-model")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An in-memory SADB: PF_KEYv2 in the illumos dialect on a Unix SOCK_SEQPACKET socket")
        .after_help("ipseckey --sadb unix:PATH talks to it. What it holds is lost when it ends (SIGTERM, SIGINT).")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("PATH")
                .help("Listen at this path; the socket is its owner's only")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("local")
                .long("local")
                .value_name("ADDR")
                .help("An address of the rehearsed node; may be given several times")
                .action(ArgAction::Append)
                .value_parser(value_parser!(IpAddr)),
        )
}

fn run(path: &Path, options: &ArgMatches) -> io::Result<()> {
    let local = options.get_many::<IpAddr>("local").unwrap_or_default().copied().collect();
    let settings = Settings { local, seed: unix_now(), ..Settings::default() };
    // Before the socket exists: the first message may contain keys.
    hardening::harden(Privileges::SadbAndFiles);
    stop::install_handlers()?;
    let listener = Listener::bind(path)?;
    Server::new(settings).run(&listener)
}

struct ModelClient {
    connection: Connection,
    socket: SocketId,
    /// A message that did not fit into the socket's buffer.
    pending: Option<Buffer>,
    is_closed: bool,
}

impl ModelClient {
    /// Sends queued messages until the socket is full, [`MESSAGES_PER_TURN`] at most.
    fn write(&mut self, model: &mut Model) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(message) = self.pending.take().or_else(|| model.read(self.socket)) else { return };
            match self.connection.send(&message) {
                // Too large for the send buffer: no retry can help, and the client loses a message as it would with a
                // kernel.
                Transfer::Bytes(_) | Transfer::TooLarge => {}
                Transfer::WouldBlock => {
                    self.pending = Some(message);
                    return;
                }
                Transfer::Closed => {
                    self.is_closed = true;
                    return;
                }
            }
        }
    }

    fn has_output(&self, model: &Model) -> bool {
        self.pending.is_some() || model.has_message(self.socket)
    }
}

struct Server {
    model: Model,
    clients: Vec<ModelClient>,
    receive_buffer: Buffer,
}

impl Server {
    fn new(settings: Settings) -> Self {
        Self { model: Model::new(settings), clients: Vec::new(), receive_buffer: Buffer::zeroed(RECEIVE_BUFFER_LEN) }
    }

    fn run(&mut self, listener: &Listener) -> io::Result<()> {
        let mut may_accept = true;
        while !stop::is_requested() {
            let listener = Some(listener).filter(|_| may_accept && self.clients.len() < MAX_CLIENTS);
            let clients = self.clients.iter().map(|client| (&client.connection, client.has_output(&self.model)));
            let ready = wait(listener, clients, TICK)?;
            self.model.tick(unix_now());
            for index in ready.readable {
                self.read(index);
            }
            self.write_all();
            self.drop_closed_clients();
            may_accept = true;
            if let Some(listener) = listener.filter(|_| ready.has_new_client) {
                // Too many open files (EMFILE): leave the listener out of one poll, which would otherwise return at once.
                may_accept = self.accept(listener).is_ok();
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: &Listener) -> io::Result<()> {
        while self.clients.len() < MAX_CLIENTS {
            let Some(connection) = listener.accept()? else { return Ok(()) };
            let socket = self.model.open();
            self.clients.push(ModelClient { connection, socket, pending: None, is_closed: false });
        }
        Ok(())
    }

    /// Handles the messages of a client, [`MESSAGES_PER_TURN`] at most. Replies are sent at once, so that queues stay short.
    fn read(&mut self, index: usize) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(client) = self.clients.get_mut(index).filter(|client| !client.is_closed) else { return };
            match client.connection.receive(&mut self.receive_buffer) {
                Transfer::Bytes(len) => {
                    self.model.write(client.socket, self.receive_buffer.get(..len).unwrap_or_default(), unix_now());
                    // It may have contained keys.
                    self.receive_buffer.get_mut(..len).unwrap_or_default().zeroize();
                }
                Transfer::WouldBlock => return,
                Transfer::Closed | Transfer::TooLarge => {
                    client.is_closed = true;
                    return;
                }
            }
            self.write_all();
        }
    }

    fn write_all(&mut self) {
        for client in &mut self.clients {
            client.write(&mut self.model);
        }
    }

    fn drop_closed_clients(&mut self) {
        let model = &mut self.model;
        self.clients.retain(|client| {
            if client.is_closed {
                model.close(client.socket);
            }
            !client.is_closed
        });
    }
}
