//! `sadb-model`: a model SADB behind a Unix SOCK_SEQPACKET socket, one PF_KEY message a packet.
//!
//! One thread waits for whatever comes first: a client, a message, room to write, the next second. A client that does not
//! read loses what the kernel would lose; nobody else waits for it.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use zeroize::Zeroize;

use crate::model::{Model, Settings, SocketId};
use crate::secret::Buffer;
use crate::sys::net::listener::{Connection, Listener, Transfer, wait};
use crate::sys::process::hardening;
use crate::sys::process::privilege::Need;
use crate::sys::process::stop;
use crate::sys::time::unix_now;

/// Room for the largest message and one byte more, so that what is too long shows.
const ROOM: usize = 65_535 * 8 + 1;
/// Clients at once. More wait to be accepted.
const MOST_CLIENTS: usize = 256;
/// Messages taken from, and given to, one client before the next has its turn.
const TURN: usize = 64;
/// The model is told the time this often.
const TICK: Duration = Duration::from_secs(1);

/// The program `sadb-model`.
#[must_use]
pub fn serve() -> ExitCode {
    let options = match options().try_get_matches() {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let Some(path) = options.get_one::<PathBuf>("listen") else { return ExitCode::from(2) };
    match run(path, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "sadb-model: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn options() -> Command {
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
    hardening::harden(Need::SadbAndFiles);
    stop::install_handlers()?;
    let listener = Listener::bind(path)?;
    Server::new(settings).run(&listener)
}

struct Client {
    connection: Connection,
    socket: SocketId,
    /// A message the system had no room for.
    pending: Option<Buffer>,
    has_gone: bool,
}

impl Client {
    /// Sends what waits, as far as there is room, one turn at most.
    fn write(&mut self, model: &mut Model) {
        for _ in 0..TURN {
            let Some(message) = self.pending.take().or_else(|| model.read(self.socket)) else { return };
            match self.connection.send(&message) {
                Transfer::Bytes(_) | Transfer::TooLarge => {}
                Transfer::WouldBlock => {
                    self.pending = Some(message);
                    return;
                }
                Transfer::Closed => {
                    self.has_gone = true;
                    return;
                }
            }
        }
    }

    fn wants_to_write(&self, model: &Model) -> bool {
        self.pending.is_some() || model.has_message(self.socket)
    }
}

struct Server {
    model: Model,
    clients: Vec<Client>,
    room: Buffer,
}

impl Server {
    fn new(settings: Settings) -> Self {
        Self { model: Model::new(settings), clients: Vec::new(), room: Buffer::zeroed(ROOM) }
    }

    fn run(&mut self, listener: &Listener) -> io::Result<()> {
        let mut may_accept = true;
        while !stop::is_requested() {
            let listener = Some(listener).filter(|_| may_accept && self.clients.len() < MOST_CLIENTS);
            let clients = self.clients.iter().map(|client| (&client.connection, client.wants_to_write(&self.model)));
            let ready = wait(listener, clients, TICK)?;
            self.model.tick(unix_now());
            for index in ready.readable {
                self.read(index);
            }
            self.write_all();
            self.forget_gone();
            may_accept = true;
            if let Some(listener) = listener.filter(|_| ready.has_new_client) {
                // Too many open files: try again after the next wait for others.
                may_accept = self.accept(listener).is_ok();
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: &Listener) -> io::Result<()> {
        while self.clients.len() < MOST_CLIENTS {
            let Some(connection) = listener.accept()? else { return Ok(()) };
            let socket = self.model.open();
            self.clients.push(Client { connection, socket, pending: None, has_gone: false });
        }
        Ok(())
    }

    /// Takes what a client has sent, one turn at most. Answers go out at once, so that queues stay short.
    fn read(&mut self, index: usize) {
        for _ in 0..TURN {
            let Some(client) = self.clients.get_mut(index).filter(|client| !client.has_gone) else { return };
            match client.connection.receive(&mut self.room) {
                Transfer::Bytes(len) => {
                    self.model.write(client.socket, self.room.get(..len).unwrap_or_default(), unix_now());
                    self.room.get_mut(..len).unwrap_or_default().zeroize();
                }
                Transfer::WouldBlock => return,
                Transfer::Closed | Transfer::TooLarge => {
                    client.has_gone = true;
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

    fn forget_gone(&mut self) {
        let model = &mut self.model;
        self.clients.retain(|client| {
            if client.has_gone {
                model.close(client.socket);
            }
            !client.has_gone
        });
    }
}
