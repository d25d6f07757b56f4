//! The parts that benches/parts.rs measures.

use std::hint::black_box;
use std::ops::ControlFlow;

use crate::keyfile::{Checker, Command, HostsFile, Options, ParsedCommand, Setting, commands};
use crate::names::Vocabulary;
use crate::sa::{Message, MessageType, Request, SaType};
use crate::sadb::{PairScope, Sadb, SadbTarget};
use crate::secret::{Buffer, Key};
use crate::show::save::Saver;
use crate::show::{NoNames, Style, message, utc};
use crate::wire::pfkey::{self, Dialect};
use crate::wire::xfrm::attribute::Algorithm;
use crate::wire::xfrm::number::{flag, kind};
use crate::wire::xfrm::{Attribute, Body, NetlinkHeader, encode, messages};

/// A message as bytes.
pub struct Encoded(Buffer);

/// The command of SA number `at`.
#[must_use]
pub fn line(at: usize) -> String {
    let key = format!("{:032x}", (at as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
    format!(
        "add esp spi {:#x} src 10.0.{}.{} dst 192.168.{}.{} encr_alg aes encrkey {key} auth_alg sha256 authkey {key}{key} \
         hard_addtime 86400\n",
        65536 + at,
        at / 256 % 256,
        at % 256,
        at / 256 % 256,
        at % 256,
    )
}

fn read(text: &str, setting: Setting, each: &mut dyn FnMut(ParsedCommand)) {
    let resolver = HostsFile::default();
    let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting, resolver: &resolver };
    commands(text.as_bytes(), &options).for_each(each);
}

/// Reads the lines of a prompt.
pub fn read_prompt(text: &str) {
    read(text, Setting::Prompt, &mut |item| drop(black_box(item)));
}

/// Reads a keys file.
pub fn read_file(text: &str) {
    read(text, Setting::File, &mut |item| drop(black_box(item)));
}

/// Reads a keys file and checks its commands.
pub fn check_file(text: &str) {
    let mut checker = Checker::new(Vocabulary::Linux);
    read(text, Setting::File, &mut |item| drop(black_box(checker.check(&item, text.as_bytes()))));
}

fn requests(count: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    let text: String = (0..count).map(line).collect();
    read(&text, Setting::File, &mut |item| match item.outcome {
        Ok(Command::Sa(command)) => requests.push(*command.request),
        _ => panic!("{:?}", item.diagnostics),
    });
    requests
}

/// An addition of an SA, and the dialect of PF_KEY to encode it in.
pub struct PfKeyRequest {
    dialect: &'static Dialect,
    request: Request,
}

impl PfKeyRequest {
    fn new(dialect: &'static Dialect) -> Self {
        Self { dialect, request: requests(1).remove(0) }
    }

    /// In the illumos dialect.
    #[must_use]
    pub fn illumos() -> Self {
        Self::new(&Dialect::ILLUMOS)
    }

    /// In the Linux dialect.
    #[must_use]
    pub fn linux() -> Self {
        Self::new(&Dialect::LINUX)
    }

    /// Encodes it.
    ///
    /// # Panics
    /// If it has no encoding.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        Encoded(pfkey::request(self.dialect, MessageType::ADD, &self.request, 1, 2).expect("encodes"))
    }

    /// Decodes such a message.
    pub fn decode(&self, bytes: &Encoded) {
        let _ = black_box(pfkey::decode(self.dialect, &bytes.0));
    }
}

/// An addition of an SA as a netlink message.
///
/// # Panics
/// If it does not fit into a message.
#[must_use]
pub fn encode_xfrm() -> Encoded {
    let algorithm = |name: &'static str, icv_bits, bytes: u8| Algorithm {
        name: name.into(),
        icv_bits,
        key: Key::new((0..bytes).collect(), u16::from(bytes) * 8, 0),
    };
    let attributes =
        vec![Attribute::AuthTrunc(algorithm("hmac(sha256)", 128, 32)), Attribute::Crypt(algorithm("cbc(aes)", 0, 16))];
    let header = NetlinkHeader { kind: kind::NEWSA, flags: flag::REQUEST, seq: 1, port: 2 };
    Encoded(encode(header, &Body::Sa(Box::default(), attributes)).expect("fits"))
}

/// Decodes such messages; whether all are well formed.
#[must_use]
pub fn decode_xfrm(bytes: &Encoded) -> bool {
    messages(&bytes.0).map(|message| message.is_ok()).all(black_box)
}

/// A model SADB with SAs.
pub struct LoadedModel {
    sadb: Box<dyn Sadb>,
    /// An SA that is not in it.
    spare: Request,
    /// The SA in the middle of those in it.
    middle: Request,
}

impl LoadedModel {
    /// One with `count` SAs.
    ///
    /// # Panics
    /// If an SA is refused.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut requests = requests(count + 1);
        let spare = requests.pop().expect("one more");
        let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().expect("the model");
        for request in &requests {
            sadb.new_sequence();
            sadb.add(request).expect("adds");
        }
        Self { sadb, spare, middle: requests.swap_remove(count / 2) }
    }

    /// Adds an SA and deletes it.
    ///
    /// # Panics
    /// If it is refused.
    pub fn add_and_delete(&mut self) {
        self.sadb.add(&self.spare).expect("adds");
        self.sadb.delete(&self.spare, PairScope::One).expect("deletes");
    }

    /// Reads one of its SAs.
    ///
    /// # Panics
    /// If it is not found.
    pub fn get_middle(&mut self) {
        self.sadb.get(&self.middle).map(black_box).expect("is there");
    }

    /// Prints its SAs as `dump` does into an emptied `out`.
    ///
    /// # Panics
    /// If they cannot be listed.
    pub fn print_all(&mut self, out: &mut Vec<u8>) {
        let style = Style {
            numeric: true,
            paranoid: false,
            verbose: false,
            timestamp: false,
            now: 1_700_000_000,
            date: utc,
            errno: |_| None,
            names: &NoNames,
        };
        out.clear();
        let mut print =
            |sa: &Message| message::print_entry(out, sa, &style).map_or(ControlFlow::Break(()), ControlFlow::Continue);
        self.sadb.dump(SaType::ESP, &mut print).expect("lists");
    }

    /// Saves its SAs into an emptied `out`.
    ///
    /// # Panics
    /// If they cannot be listed.
    pub fn save_all(&mut self, out: &mut Vec<u8>) {
        out.clear();
        let mut saver = Saver::new(false);
        let mut save = |sa: &Message| saver.save(out, sa).map_or(ControlFlow::Break(()), ControlFlow::Continue);
        self.sadb.dump(SaType::ESP, &mut save).expect("lists");
    }
}
