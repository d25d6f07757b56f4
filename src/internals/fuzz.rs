//! Properties that hold for any input. Each public function is the body of a fuzz target; a panic is a finding.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::apply::{self, Outcome};
use crate::internals::saved_text::comparable;
use crate::keyfile::{self, Checker, Code, Command, Diagnostic, HostsFile, NameError, Options, Resolver, Setting};
use crate::model::{Model, Settings};
use crate::names::Vocabulary;
use crate::sa::{Message, SaType};
use crate::sadb::{self, Sadb, SadbTarget};
use crate::service;
use crate::show::save::Saver;
use crate::show::{NoNames, Style, message, utc};
use crate::wire::pfkey::{self, Dialect};
use crate::wire::xfrm as wire_xfrm;

use super::leak;

/// A name server without names that records its queries.
#[derive(Default)]
struct Spy {
    queries: RefCell<String>,
}

impl Resolver for Spy {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        let mut queries = self.queries.borrow_mut();
        queries.push_str(name);
        queries.push('\n');
        Err(NameError::Unknown)
    }
}

/// A keys file: commands or errors, and no key in messages or queries.
pub fn keys(bytes: &[u8]) {
    for (vocabulary, setting) in [(Vocabulary::Illumos, Setting::File), (Vocabulary::Linux, Setting::Prompt)] {
        let spy = Spy::default();
        let options = Options { vocabulary, numeric: false, setting, resolver: &spy };
        let mut messages = String::new();
        let mut render = |diagnostics: Vec<Diagnostic>| {
            for diagnostic in diagnostics {
                messages += &keyfile::render(&diagnostic, "-", bytes, keyfile::RenderStyle::Plain);
            }
        };
        let mut checker = Checker::new(vocabulary);
        let mut commands = keyfile::commands(bytes, &options);
        for item in commands.by_ref() {
            assert_eq!(item.outcome.is_err(), item.diagnostics.iter().any(Diagnostic::is_error), "{:?}", item.location);
            render(checker.check(&item, bytes));
            render(item.diagnostics);
        }
        render(commands.take_trailing_warnings());
        leak::refuse(bytes, &messages);
        leak::refuse(bytes, &spy.queries.into_inner());
    }
}

/// A PF_KEY message in the illumos dialect.
pub fn pfkey_illumos(bytes: &[u8]) {
    pfkey(&Dialect::ILLUMOS, bytes);
}

/// A PF_KEY message in the Linux dialect.
pub fn pfkey_linux(bytes: &[u8]) {
    pfkey(&Dialect::LINUX, bytes);
}

/// A PF_KEY message: decoding gives an error or a value. The value is printed, saved as a file that loads, and encoded to
/// bytes with the same meaning.
fn pfkey(dialect: &Dialect, bytes: &[u8]) {
    let Ok(message) = pfkey::decode(dialect, bytes) else { return };
    for len in 0..bytes.len().min(300) {
        assert!(pfkey::decode(dialect, &bytes[..len]).is_err(), "{len} bytes of {}", bytes.len());
    }
    print(&message);
    let encoded = pfkey::encode(dialect, &message).expect("what was decoded can be encoded");
    let again = pfkey::decode(dialect, &encoded).expect("what was encoded can be decoded");
    assert!(*pfkey::encode(dialect, &again).expect("again") == *encoded, "no fixed point");
    check_saved(dialect, &message);
}

/// Prints a message in every style.
fn print(message: &Message) {
    for flags in 0..8 {
        let style = Style {
            numeric: flags & 1 != 0,
            paranoid: flags & 2 != 0,
            verbose: flags & 4 != 0,
            timestamp: false,
            now: 1_700_000_000,
            date: utc,
            errno: |_| None,
            names: &NoNames,
        };
        let mut out = io::sink();
        message::print_heard(&mut out, message, &style).expect("a sink takes everything");
        message::print_entry(&mut out, message, &style).expect("a sink takes everything");
    }
}

/// Errors that a saved message may have: it may lack a key or a partner, or have an algorithm or a length that no table has.
/// The others mean that words of the file are not where `save` put them, as if an identity had smuggled some in.
const SENSELESS: &[Code] = &[
    Code::MissingArgument,
    Code::Conflict,
    Code::UnknownSaType,
    Code::UnknownAlgorithm,
    Code::NoMatchingAddress,
    Code::UnsupportedBySadb,
    Code::OutOfRange,
    Code::NotHex,
    Code::InvalidBitLength,
    Code::BitLengthTooBig,
];

/// What is saved of any message is at most one command, made of the words that were meant.
fn check_saved(dialect: &Dialect, message: &Message) {
    let mut text = Vec::new();
    Saver::new(false).save(&mut text, message).expect("a vector takes everything");
    let vocabulary = if dialect.name == Dialect::LINUX.name { Vocabulary::Linux } else { Vocabulary::Illumos };
    let resolver = HostsFile::default();
    let options = Options { vocabulary, numeric: true, setting: Setting::File, resolver: &resolver };
    let mut count = 0;
    for item in keyfile::commands(&text, &options) {
        count += 1;
        let errors: Vec<&Diagnostic> = item.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        if errors.iter().any(|error| error.code == Code::DuplicateKeyword) {
            // What is given twice is not read as what it was meant to be.
            continue;
        }
        let odd: Vec<_> = errors.iter().filter(|error| !SENSELESS.contains(&error.code)).collect();
        assert!(odd.is_empty(), "{odd:?}\n{}", String::from_utf8_lossy(&text));
    }
    assert!(count <= 1, "{count} commands\n{}", String::from_utf8_lossy(&text));
}

/// A netlink datagram: messages or an error; a message is encoded to bytes that mean the same.
pub fn xfrm(bytes: &[u8]) {
    for message in wire_xfrm::messages(bytes).map_while(Result::ok) {
        let encoded = wire_xfrm::encode(message.header, &message.body).expect("what was decoded can be encoded");
        let mut again = wire_xfrm::messages(&encoded);
        let Some(Ok(second)) = again.next() else { panic!("what was encoded cannot be decoded") };
        assert!(again.next().is_none(), "one message became two");
        assert!(second.header == message.header, "the header changed");
        assert!(*wire_xfrm::encode(second.header, &second.body).expect("again") == *encoded, "no fixed point");
    }
}

/// Messages to a model SADB, each behind a byte with its length in words and one with a time to wait: whatever comes, it
/// answers in messages that can be decoded.
pub fn model(bytes: &[u8]) {
    let mut model = Model::new(Settings { local: vec![IpAddr::from([10, 0, 0, 1])], ..Settings::default() });
    let sockets = [model.open(), model.open()];
    let (mut rest, mut now) = (bytes, 1_700_000_000);
    while let [words, wait, after @ ..] = rest {
        let (message, next) = after.split_at(after.len().min(usize::from(*words) * 8));
        now += u64::from(*wait & 0x7f);
        model.tick(now);
        model.write(sockets[usize::from(wait >> 7)], message, now);
        for socket in sockets {
            while let Some(answer) = model.read(socket) {
                pfkey::decode(&Dialect::ILLUMOS, &answer).expect("an answer that can be decoded");
            }
        }
        rest = next;
    }
}

/// A keys file: what is loaded of it and saved loads again, and is saved as the same.
pub fn save_loop(bytes: &[u8]) {
    if bytes.len() > 4096 {
        return;
    }
    let first = loaded_and_saved(bytes).0;
    let (second, failures) = loaded_and_saved(&first);
    let (first, second) = (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
    assert!(failures.is_empty(), "{failures:?}\n{first}");
    if !first.contains("# WARNING") {
        assert_eq!(blocks(&first), blocks(&second));
    }
}

/// Loads a file into an SADB of its own; everything in it then as text, and what failed.
fn loaded_and_saved(text: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().expect("the model needs nothing");
    let failures = load(&mut *sadb, text);
    let (mut out, mut saver) = (Vec::new(), Saver::new(false));
    let mut save = |message: &Message| {
        saver.save(&mut out, message).expect("a vector takes everything");
        ControlFlow::Continue(())
    };
    sadb.dump(SaType::UNSPEC, &mut save).expect("the model answers");
    saver.finish(&mut out).expect("a vector takes everything");
    (out, failures)
}

fn load(sadb: &mut dyn Sadb, text: &[u8]) -> Vec<String> {
    let resolver = HostsFile::default();
    let options = Options { vocabulary: Vocabulary::Illumos, numeric: true, setting: Setting::File, resolver: &resolver };
    let mut failures = Vec::new();
    for item in keyfile::commands(text, &options) {
        match item.outcome {
            Ok(Command::Sa(command)) => {
                apply::apply(command, sadb, &mut |_, outcome| {
                    if let Outcome::Failed(error) = outcome {
                        failures.push(error.to_string());
                    }
                });
            }
            Ok(_) => {}
            Err(_) => failures.extend(item.diagnostics.into_iter().map(|diagnostic| diagnostic.message)),
        }
    }
    failures
}

/// The SAs of a saved file, in an order of their own: that of a dump depends on the order of adding.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = text.split("# begin assoc\n").skip(1).map(comparable).collect();
    blocks.sort_unstable();
    blocks
}

/// manual-key.toml: properties or an error, and no key in the error, should it be a keys file.
pub fn toml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err((line, what)) = service::check_config(text) {
        assert!((1..=text.matches('\n').count() + 1).contains(&line), "line {line}");
        leak::refuse(bytes, &what);
    }
}

/// The files in /run: the side store, and the records of the service. Whatever was read from any bytes is written, and read
/// again as the same.
pub fn state(bytes: &[u8]) {
    let rewrite = |text: &[u8]| sadb::rewrite_side_store(text).expect("what was read can be written");
    let once = rewrite(bytes);
    assert_eq!(lines(&once), lines(&rewrite(&once)));
    for rewritten in [service::rewrite_owned_record, service::rewrite_state_record] {
        if let Some(once) = rewritten(bytes) {
            assert_eq!(rewritten(&once).as_ref(), Some(&once), "{}", String::from_utf8_lossy(&once));
        }
    }
}

/// The lines of a text, in an order of their own.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

/// An answer from the refresh channel: one line, and the same after another journey.
pub fn channel(bytes: &[u8]) {
    let Some((text, packet)) = service::recode_reply(bytes) else { return };
    assert!(!text.contains(char::is_control), "{text:?}");
    assert_eq!(service::recode_reply(&packet), Some((text, packet)));
}
