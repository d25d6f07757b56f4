//! Lower bounds for benches/load/run to compare with, and the times of programs, in seconds:
//!
//! - `floor add N`: the kernel adds N SAs that were encoded beforehand, 64 to a datagram
//! - `floor pfkey-add N`: the same through PF_KEY, one message to a datagram, 64 to a system call
//! - `floor dump`: the kernel lists its SAs to a reader that ignores them; also prints the number of bytes
//! - `floor scan FILE`: finds the line ends of a file in memory; also prints their number
//! - `floor time COMMAND...`: from the start of a program to its exit; its standard output is discarded
#![allow(clippy::print_stdout, reason = "prints its measurements")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipseckey::internals::floor;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["add", count] => seconds(floor::add(count.parse().expect("a number of SAs"))),
        ["pfkey-add", count] => seconds(floor::pfkey_add(count.parse().expect("a number of SAs"))),
        ["dump"] => dump(),
        ["scan", file] => scan(file),
        ["time", program, arguments @ ..] => time(program, arguments),
        _ => println!("usage: floor add N | pfkey-add N | dump | scan FILE | time COMMAND..."),
    }
}

fn seconds(time: Duration) {
    println!("{:.6}", time.as_secs_f64());
}

fn dump() {
    let (time, bytes) = floor::dump();
    println!("{:.6} {bytes}", time.as_secs_f64());
}

fn scan(file: &str) {
    let text = std::fs::read(file).expect("the file");
    let start = Instant::now();
    let lines = memchr::memchr_iter(b'\n', &text).count();
    println!("{:.6} {lines}", start.elapsed().as_secs_f64());
}

/// Not a shell's `time`: a shell forks first, and starts the next program of a pipeline concurrently.
fn time(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("starts");
    println!("{:.4}", start.elapsed().as_secs_f64());
    assert!(status.success(), "{program}: {status}");
}
