//! PF_KEY messages in the illumos dialect and a client of a listening SADB, for the tests of `sadb-model`.

use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;

use crate::sa::{EncrAlg, Endpoint, KeyRole, Message, MessageType, Request, SaState, SaType, Spi};
use crate::sadb::{MonitorMode, PfKey, Sadb, SadbError};
use crate::secret::Key;
use crate::sys::net::packet_socket::PacketSocket;
use crate::wire::pfkey::{self, Dialect};

/// The object of a request.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// All SAs of a type (RFC 2367 section 2.3, `sadb_msg_satype`).
    Type(u8),
    /// The ESP SA with that SPI and destination.
    Esp(u32, IpAddr),
}

impl Target {
    fn request(self) -> Request {
        let (spi, dst) = match self {
            Self::Type(number) => return Request { sa_type: SaType(number), ..Request::default() },
            Self::Esp(spi, dst) => (spi, dst),
        };
        let endpoint = |addr| Some(Endpoint { addr, port: 0, proto: 0 });
        Request {
            sa_type: SaType::ESP,
            spi: Spi(spi),
            state: SaState::MATURE,
            src: endpoint(IpAddr::from([10, 0, 0, 1])),
            dst: endpoint(dst),
            encr_alg: EncrAlg(12),
            encr_key: Some(Key::from_slice(&[0xa5; 16], 128, 0)),
            ..Request::default()
        }
    }
}

/// A message of an SADB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// `sadb_msg_type`.
    pub kind: u8,
    /// `sadb_msg_errno`.
    pub errno: u8,
    /// `sadb_msg_seq`.
    pub seq: u32,
    /// `sadb_msg_pid`.
    pub pid: u32,
    /// The SPI in host byte order, if it describes an SA.
    pub spi: Option<u32>,
    /// The length of the encryption key in bits, if it has one.
    pub encr_key_bits: Option<u16>,
}

impl From<&Message> for Received {
    fn from(message: &Message) -> Self {
        Self {
            kind: message.kind.0,
            errno: message.errno,
            seq: message.seq,
            pid: message.pid,
            spi: message.association().map(|sa| sa.spi.0),
            encr_key_bits: message.key(KeyRole::Encr).map(Key::bits),
        }
    }
}

/// A request as bytes.
///
/// # Panics
/// If it cannot be encoded.
#[must_use]
pub fn encode(kind: u8, target: Target, seq: u32, pid: u32) -> Vec<u8> {
    pfkey::request(&Dialect::ILLUMOS, MessageType(kind), &target.request(), seq, pid).expect("encodes").to_vec()
}

/// A message of an SADB from its bytes.
///
/// # Panics
/// If it is malformed.
#[must_use]
pub fn decode(bytes: &[u8]) -> Received {
    Received::from(&pfkey::decode(&Dialect::ILLUMOS, bytes).expect("well formed"))
}

/// A connection to an SADB on a Unix SOCK_SEQPACKET socket, as the programs have it.
pub struct Client(PfKey<PacketSocket>);

/// The errno of a refused request; any other error is a panic.
fn errno<T>(result: Result<T, SadbError>) -> Result<T, i32> {
    result.map_err(|error| match error {
        SadbError::Refused { errno, .. } => errno,
        error => panic!("{error}"),
    })
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self(PfKey::new(PacketSocket::connect_unix(path)?, &Dialect::ILLUMOS)))
    }

    /// Adds an SA.
    ///
    /// # Errors
    /// The errno of the refusal.
    pub fn add(&mut self, target: Target) -> Result<(), i32> {
        errno(self.0.add(&target.request()))
    }

    /// Reads an SA.
    ///
    /// # Errors
    /// The errno of the refusal.
    pub fn get(&mut self, target: Target) -> Result<Received, i32> {
        errno(self.0.get(&target.request())).map(|message| Received::from(&message))
    }

    /// Removes all SAs of a type.
    ///
    /// # Errors
    /// The errno of the refusal.
    pub fn flush(&mut self, sa_type: u8) -> Result<(), i32> {
        errno(self.0.flush(SaType(sa_type)))
    }

    /// Calls `each` for every SA of a type.
    ///
    /// # Errors
    /// The errno of the refusal.
    pub fn dump(&mut self, sa_type: u8, each: &mut dyn FnMut(Received)) -> Result<(), i32> {
        errno(self.0.dump(SaType(sa_type), &mut |message| {
            each(Received::from(message));
            ControlFlow::Continue(())
        }))
    }

    /// Calls `each` for every message that any process of the system receives, until it returns `false`.
    ///
    /// # Errors
    /// The errno of the refusal.
    pub fn monitor_passively(&mut self, each: &mut dyn FnMut(Received) -> bool) -> Result<(), i32> {
        errno(self.0.monitor(MonitorMode::Passive, &mut |message| {
            if each(Received::from(message)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }))
    }
}
