//! Benchmarks of the parts, with ESP SAs like those of benches/load: `cargo bench --bench parts [WORD]`.
//!
//! The model is measured with few and with many SAs: its operations must take the same time with both.
#![allow(missing_docs, reason = "the macro of criterion defines an undocumented function")]

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipseckey::keyfile::{Checker, Command, HostsFile, Item, Options, Setting, commands};
use ipseckey::names::Vocabulary;
use ipseckey::sa::{MessageType, Request, SaType, Spi};
use ipseckey::sadb::{PairScope, Sadb, SadbTarget};
use ipseckey::secret::{Buffer, Key};
use ipseckey::show::save::Saver;
use ipseckey::show::{NoNames, Style, message, utc};
use ipseckey::wire::pfkey::{self, Dialect};
use ipseckey::wire::xfrm::attribute::Algorithm;
use ipseckey::wire::xfrm::number::{flag, kind};
use ipseckey::wire::xfrm::{Attribute, Body, Header, encode, messages};

/// Commands in each text.
const COMMANDS: usize = 1000;

/// The command of SA number `at`.
fn line(at: usize) -> String {
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

fn read(text: &str, setting: Setting, each: &mut dyn FnMut(Item)) {
    let resolver = HostsFile::default();
    let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting, resolver: &resolver };
    commands(text.as_bytes(), &options).for_each(each);
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

fn lang(c: &mut Criterion) {
    let text: String = (0..COMMANDS).map(line).collect();
    // `help` ignores the words after its topic, so only the lexer reads them.
    let words: String = (0..COMMANDS).map(|at| format!("help {}", line(at))).collect();
    let mut group = c.benchmark_group("lang");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("lexer", |b| b.iter(|| read(&words, Setting::Prompt, &mut |item| drop(black_box(item)))));
    group.bench_function("parser", |b| b.iter(|| read(&text, Setting::File, &mut |item| drop(black_box(item)))));
    group.bench_function("check", |b| {
        b.iter(|| {
            let mut checker = Checker::new();
            read(&text, Setting::File, &mut |item| drop(black_box(checker.check(&item, text.as_bytes()))));
        });
    });
}

fn pf_key(c: &mut Criterion) {
    let requests = requests(1);
    let mut group = c.benchmark_group("pfkey");
    for (name, dialect) in [("illumos", &Dialect::ILLUMOS), ("linux", &Dialect::LINUX)] {
        let encoded = || pfkey::request(dialect, MessageType::ADD, &requests[0], 1, 2).expect("encodes");
        group.bench_function(format!("encode {name}"), |b| b.iter(encoded));
        let bytes = encoded();
        group.bench_function(format!("decode {name}"), |b| b.iter(|| pfkey::decode(dialect, black_box(&bytes))));
    }
}

fn xfrm_message() -> Buffer {
    let algorithm = |name: &'static str, icv_bits, bytes: u8| Algorithm {
        name: name.into(),
        icv_bits,
        key: Key::new((0..bytes).collect(), u16::from(bytes) * 8, 0),
    };
    let attributes =
        vec![Attribute::AuthTrunc(algorithm("hmac(sha256)", 128, 32)), Attribute::Crypt(algorithm("cbc(aes)", 0, 16))];
    let header = Header { kind: kind::NEWSA, flags: flag::REQUEST, seq: 1, port: 2 };
    encode(header, &Body::Sa(Box::default(), attributes)).expect("fits")
}

fn xfrm(c: &mut Criterion) {
    let mut group = c.benchmark_group("xfrm");
    group.bench_function("encode", |b| b.iter(xfrm_message));
    let bytes = xfrm_message();
    group.bench_function("decode", |b| b.iter(|| messages(black_box(&bytes)).map(|message| message.is_ok()).all(black_box)));
}

/// A model SADB with `count` SAs, and the request for another one.
fn model(count: usize) -> (Box<dyn Sadb>, Request) {
    let mut requests = requests(count + 1);
    let spare = requests.pop().expect("one more");
    let mut sadb = SadbTarget::Model.open().expect("the model");
    for request in &requests {
        sadb.new_sequence();
        sadb.add(request).expect("adds");
    }
    (sadb, spare)
}

fn sadb_model(c: &mut Criterion) {
    let mut group = c.benchmark_group("model");
    for count in [100, 30_000] {
        let (mut sadb, spare) = model(count);
        group.bench_function(format!("add and delete with {count}"), |b| {
            b.iter(|| {
                sadb.add(&spare).expect("adds");
                sadb.delete(&spare, PairScope::One).expect("deletes");
            });
        });
        let middle = Request { spi: Spi(65536 + count as u32 / 2), ..requests(count / 2 + 1).pop().expect("one") };
        group.bench_function(format!("get of {count}"), |b| b.iter(|| sadb.get(&middle).map(black_box).expect("is there")));
    }
}

fn show(c: &mut Criterion) {
    let (mut sadb, _) = model(100);
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
    let mut listed = Vec::new();
    sadb.dump(SaType::ESP, &mut |_| ControlFlow::Continue(())).expect("lists");
    let mut group = c.benchmark_group("show");
    group.throughput(Throughput::Elements(100));
    group.bench_function("dump", |b| {
        b.iter(|| {
            listed.clear();
            sadb.dump(SaType::ESP, &mut |sa| {
                message::print_entry(&mut listed, sa, &style).map_or(ControlFlow::Break(()), ControlFlow::Continue)
            })
        });
    });
    group.bench_function("save", |b| {
        b.iter(|| {
            listed.clear();
            let mut saver = Saver::new(false);
            sadb.dump(SaType::ESP, &mut |sa| {
                saver.save(&mut listed, sa).map_or(ControlFlow::Break(()), ControlFlow::Continue)
            })
        });
    });
}

criterion_group!(parts, lang, pf_key, xfrm, sadb_model, show);
criterion_main!(parts);
