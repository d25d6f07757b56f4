//! Benchmarks of the parts, with ESP SAs like those of benches/load: `cargo bench --bench parts [WORD]`.
//!
//! The model is measured with few and with many SAs: its operations must take the same time with both.
#![allow(missing_docs, reason = "the macro of criterion defines an undocumented function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipseckey::internals::parts::{self, LoadedModel, PfKeyRequest};

/// The heap of the programs, which costs what it costs them.
#[global_allocator]
static HEAP: ipseckey::WipingAllocator = ipseckey::WipingAllocator;

/// Commands in each text.
const COMMANDS: usize = 1000;

fn lang(c: &mut Criterion) {
    let text: String = (0..COMMANDS).map(parts::line).collect();
    // Of `help` only the topic is read: its words are split, and no more.
    let words: String = (0..COMMANDS).map(|at| format!("help {}", parts::line(at))).collect();
    let mut group = c.benchmark_group("lang");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("lexer", |b| b.iter(|| parts::read_prompt(&words)));
    group.bench_function("parser", |b| b.iter(|| parts::read_file(&text)));
    group.bench_function("check", |b| b.iter(|| parts::check_file(&text)));
}

fn pf_key(c: &mut Criterion) {
    let mut group = c.benchmark_group("pfkey");
    for (name, request) in [("illumos", PfKeyRequest::illumos()), ("linux", PfKeyRequest::linux())] {
        group.bench_function(format!("encode {name}"), |b| b.iter(|| request.encode()));
        let bytes = request.encode();
        group.bench_function(format!("decode {name}"), |b| b.iter(|| request.decode(black_box(&bytes))));
    }
}

fn xfrm(c: &mut Criterion) {
    let mut group = c.benchmark_group("xfrm");
    group.bench_function("encode", |b| b.iter(parts::encode_xfrm));
    let bytes = parts::encode_xfrm();
    group.bench_function("decode", |b| b.iter(|| parts::decode_xfrm(black_box(&bytes))));
}

fn sadb_model(c: &mut Criterion) {
    let mut group = c.benchmark_group("model");
    for count in [100, 30_000] {
        let mut model = LoadedModel::new(count);
        group.bench_function(format!("add and delete beside {count}"), |b| b.iter(|| model.add_and_delete()));
        group.bench_function(format!("get of {count}"), |b| b.iter(|| model.get_middle()));
    }
}

fn show(c: &mut Criterion) {
    let mut model = LoadedModel::new(100);
    let mut listed = Vec::new();
    let mut group = c.benchmark_group("show");
    group.throughput(Throughput::Elements(100));
    group.bench_function("dump", |b| b.iter(|| model.print_all(&mut listed)));
    group.bench_function("save", |b| b.iter(|| model.save_all(&mut listed)));
}

criterion_group!(all, lang, pf_key, xfrm, sadb_model, show);
criterion_main!(all);
