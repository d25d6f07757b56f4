//! Tests of the model: bytes in, messages out. The requests are built here, without the codec under test.

mod age;
mod diagnostics;
mod directions;
mod pairs;
mod random;
mod recipients;
mod recorded;
mod replies;
mod updates;

use crate::model::frame::{AF_INET, AF_INET6, ext};
use crate::model::{Model, Seconds, Settings, SocketId};
use crate::sa::{Message, MessageType, SaType};
use crate::wire::pfkey::{Dialect, decode};

/// When the tests begin.
const START: Seconds = 1_000_000;

const MATURE: u8 = 1;
const DES: u8 = 2;
const NULL: u8 = 11;
const AES: u8 = 12;
const GCM: u8 = 20;
const SHA1: u8 = 3;

const NATT_LOC: u32 = 0x10_0000;
const NATT_REM: u32 = 0x8_0000;
const TUNNEL: u32 = 0x2_0000;
const PAIRED: u32 = 0x1_0000;
const OUTBOUND: u32 = 0x8000;
const INBOUND: u32 = 0x4000;
const UNIQUE: u32 = 0x4000_0000;
const USED: u32 = 0x8000_0000;

/// An odd-looking key that no test for weak keys minds.
const KEY: [u8; 64] = [0x5b; 64];

/// A message being put together.
#[derive(Clone)]
struct Recipe(Vec<u8>);

impl Recipe {
    fn new(kind: MessageType, sa_type: SaType) -> Self {
        let mut bytes = vec![2, kind.0, 0, sa_type.0, 0, 0, 0, 0];
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(99_u32.to_ne_bytes());
        Self(bytes)
    }

    /// An extension with that body, padded to whole words.
    fn ext(mut self, kind: u16, body: &[u8]) -> Self {
        let words = u16::try_from((4 + body.len()).div_ceil(8)).unwrap();
        let end = self.0.len() + usize::from(words) * 8;
        self.0.extend(words.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(body);
        self.0.resize(end, 0);
        self
    }

    fn sa(self, sa: Sa) -> Self {
        let mut body = Vec::from(sa.spi.to_be_bytes());
        body.extend([sa.replay, sa.state, sa.auth, sa.encr]);
        body.extend(sa.flags.to_ne_bytes());
        self.ext(ext::SA, &body)
    }

    fn lifetime(self, kind: u16, [allocations, bytes, addtime, usetime]: [u64; 4]) -> Self {
        let mut body = Vec::from(u32::try_from(allocations).unwrap().to_ne_bytes());
        [bytes, addtime, usetime].iter().for_each(|value| body.extend(value.to_ne_bytes()));
        self.ext(kind, &body)
    }

    /// `ADDR[/PREFIX][#PORT][@PROTO]`
    fn addr(self, kind: u16, text: &str) -> Self {
        let (text, proto) = text.split_once('@').unwrap_or((text, "0"));
        let (text, port) = text.split_once('#').unwrap_or((text, "0"));
        let (ip, prefix) = text.split_once('/').unwrap_or((text, "0"));
        let mut body = vec![proto.parse().unwrap(), prefix.parse().unwrap(), 0, 0];
        let port: u16 = port.parse().unwrap();
        match ip.parse().unwrap() {
            std::net::IpAddr::V4(ip) => {
                body.extend(AF_INET.to_ne_bytes());
                body.extend(port.to_be_bytes());
                body.extend(ip.octets());
                body.extend([0; 8]);
            }
            std::net::IpAddr::V6(ip) => {
                body.extend(AF_INET6.to_ne_bytes());
                body.extend(port.to_be_bytes());
                body.extend([0; 4]);
                body.extend(ip.octets());
                body.extend([0; 8]);
            }
        }
        self.ext(kind, &body)
    }

    /// Source and destination.
    fn between(self, source: &str, destination: &str) -> Self {
        self.addr(ext::ADDRESS_SRC, source).addr(ext::ADDRESS_DST, destination)
    }

    /// An address of an unknown family.
    fn bad_family(self, kind: u16) -> Self {
        self.ext(kind, &[0, 0, 0, 0, 77, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn key(self, kind: u16, bits: u16) -> Self {
        self.key_of(kind, bits, 0, &KEY[..usize::from(bits).div_ceil(8)])
    }

    fn key_of(self, kind: u16, bits: u16, reserved: u16, bytes: &[u8]) -> Self {
        let mut body = Vec::from(bits.to_ne_bytes());
        body.extend(reserved.to_ne_bytes());
        body.extend(bytes);
        self.ext(kind, &body)
    }

    fn identity(self, kind: u16, value: &[u8]) -> Self {
        let mut body = vec![2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        body.extend(value);
        self.ext(kind, &body)
    }

    fn pair(self, spi: u32) -> Self {
        self.ext(ext::PAIR, &spi.to_be_bytes())
    }

    fn cookie(self, proto: u32, cookie: u64) -> Self {
        let mut body = Vec::from(proto.to_ne_bytes());
        body.extend(cookie.to_ne_bytes());
        self.ext(ext::KM_COOKIE, &body)
    }

    fn replay_value(self, value32: u32, value64: u64) -> Self {
        let mut body = Vec::from(value32.to_ne_bytes());
        body.extend(value64.to_ne_bytes());
        self.ext(ext::REPLAY_VALUE, &body)
    }

    fn range(self, min: u32, max: u32) -> Self {
        let mut body = Vec::from(min.to_be_bytes());
        body.extend(max.to_be_bytes());
        self.ext(ext::SPIRANGE, &body)
    }

    fn seq(mut self, seq: u32) -> Self {
        self.0[8..12].copy_from_slice(&seq.to_ne_bytes());
        self
    }

    fn errno(mut self, errno: u8) -> Self {
        self.0[2] = errno;
        self
    }

    fn bytes(mut self) -> Vec<u8> {
        let words = u16::try_from(self.0.len() / 8).unwrap();
        self.0[4..6].copy_from_slice(&words.to_ne_bytes());
        self.0
    }
}

/// An SA extension.
#[derive(Clone, Copy, Debug)]
struct Sa {
    spi: u32,
    replay: u8,
    state: u8,
    auth: u8,
    encr: u8,
    flags: u32,
}

impl Sa {
    fn esp(spi: u32) -> Self {
        Self { spi, replay: 0, state: MATURE, auth: 0, encr: AES, flags: 0 }
    }

    fn ah(spi: u32) -> Self {
        Self { auth: SHA1, encr: 0, ..Self::esp(spi) }
    }

    fn named(spi: u32) -> Self {
        Self { state: 0, encr: 0, ..Self::esp(spi) }
    }

    fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    fn encr(self, encr: u8) -> Self {
        Self { encr, ..self }
    }

    fn auth(self, auth: u8) -> Self {
        Self { auth, ..self }
    }

    fn state(self, state: u8) -> Self {
        Self { state, ..self }
    }

    fn replay(self, replay: u8) -> Self {
        Self { replay, ..self }
    }
}

fn esp(kind: MessageType) -> Recipe {
    Recipe::new(kind, SaType::ESP)
}

/// An ADD of ESP, without addresses.
fn add(sa: Sa) -> Recipe {
    esp(MessageType::ADD).sa(sa).key(ext::KEY_ENCRYPT, 128)
}

/// An ADD of ESP between A and B.
fn plain(spi: u32, flags: u32) -> Recipe {
    add(Sa::esp(spi).flags(flags)).between(A, B)
}

fn get(spi: u32, destination: &str) -> Recipe {
    esp(MessageType::GET).sa(Sa::named(spi)).addr(ext::ADDRESS_DST, destination)
}

const A: &str = "10.0.0.1";
const B: &str = "10.0.0.2";

/// A model with one open socket, and a clock.
struct Bench {
    model: Model,
    socket: SocketId,
    now: Seconds,
}

impl Bench {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let mut model = Model::new(settings);
        model.tick(START);
        let socket = model.open();
        Self { model, socket, now: START }
    }

    /// The answer to a message; what was received before it is lost.
    fn try_ask(&mut self, recipe: Recipe) -> Option<Message> {
        self.received();
        self.model.write(self.socket, &recipe.bytes(), self.now);
        self.check();
        self.next()
    }

    fn ask(&mut self, recipe: Recipe) -> Message {
        self.try_ask(recipe).expect("an answer")
    }

    /// Error number and diagnostic of the answer to a message.
    fn code(&mut self, recipe: Recipe) -> (u8, u16) {
        let answer = self.ask(recipe);
        (answer.errno, answer.diagnostic.0)
    }

    #[track_caller]
    fn ok(&mut self, recipe: Recipe) -> Message {
        let answer = self.ask(recipe);
        assert_eq!((answer.errno, answer.diagnostic.0), (0, 0));
        answer
    }

    fn next(&mut self) -> Option<Message> {
        let bytes = self.model.read(self.socket)?;
        Some(decode(&Dialect::ILLUMOS, &bytes).expect("well-formed messages"))
    }

    /// Everything that waits.
    fn received(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Lets the ager run once, that many seconds later.
    fn pass(&mut self, seconds: Seconds) -> Vec<Message> {
        self.received();
        self.now += seconds;
        self.model.tick(self.now);
        self.check();
        self.received()
    }

    /// The SPIs of a dump, in its order.
    fn dump(&mut self, sa_type: SaType) -> Vec<u32> {
        let first = self.ask(Recipe::new(MessageType::DUMP, sa_type));
        let rest = self.received();
        let all = std::iter::once(&first).chain(&rest);
        let mut spis: Vec<u32> = all.filter_map(|message| message.association()).map(|sa| sa.spi.0).collect();
        let end = rest.last().unwrap_or(&first);
        assert_eq!((end.seq, end.errno, end.extensions.len()), (0, 0, 0));
        spis.truncate(rest.len());
        spis
    }

    #[track_caller]
    fn check(&self) {
        let wrong: Vec<String> =
            self.model.databases.iter().flat_map(crate::model::table::Database::inconsistencies).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

fn state(message: &Message) -> u8 {
    message.association().unwrap().state.0
}

fn flags(message: &Message) -> u32 {
    message.association().unwrap().flags.0
}
