//! What the journal gets: fields, from a stand-in for journald to be looked at.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Stdio;

use crate::bench::{Bench, Run};
use crate::{FIVE_MISTAKES, ONE, TWO};

/// journald's two sockets, side by side.
struct Journald {
    streams: UnixListener,
    datagrams: UnixDatagram,
}

/// The fields of a message, each with all its values.
type Fields = BTreeMap<String, Vec<String>>;

impl Journald {
    fn beside(bench: &Bench) -> Self {
        let streams = UnixListener::bind(bench.path("stdout")).unwrap();
        let datagrams = UnixDatagram::bind(bench.path("socket")).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        Self { streams, datagrams }
    }

    /// Runs a method as a unit whose standard error is a stream of this journal; its exit status and what came by the stream.
    fn run(&self, bench: &Bench, arguments: &[&str]) -> Run {
        let stream = OwnedFd::from(UnixStream::connect(bench.path("stdout")).unwrap());
        let metadata = File::from(stream.try_clone().unwrap()).metadata().unwrap();
        let mut command = bench.unit(arguments);
        command.stderr(Stdio::from(stream)).stdout(Stdio::null());
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
        let exit = command.status().unwrap().code();
        drop(command);
        let mut stderr = String::new();
        self.streams.accept().unwrap().0.read_to_string(&mut stderr).unwrap();
        Run { exit, stdout: String::new(), stderr }
    }

    fn heard(&self) -> Vec<Fields> {
        let mut room = vec![0; 1 << 16];
        let mut heard = Vec::new();
        while let Ok(len) = self.datagrams.recv(&mut room) {
            heard.push(fields(&room[..len]));
        }
        heard
    }
}

/// Takes a message apart: name, newline, length in eight bytes, value, newline.
fn fields(mut message: &[u8]) -> Fields {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields = Fields::new();
    while !message.is_empty() {
        let end = message.iter().position(|byte| *byte == b'\n').unwrap();
        let (len, rest) = message[end + 1..].split_first_chunk().unwrap();
        let (value, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*len)).unwrap());
        fields.entry(text(&message[..end])).or_default().push(text(value));
        message = rest.strip_prefix(b"\n").unwrap();
    }
    fields
}

#[track_caller]
fn with<'a>(heard: &'a [Fields], start: &str) -> &'a Fields {
    heard.iter().find(|fields| fields["MESSAGE"][0].starts_with(start)).unwrap_or_else(|| panic!("no {start} in {heard:?}"))
}

#[test]
fn errors_are_told_by_file_line_and_count() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    let file = bench.file("keys", FIVE_MISTAKES).display().to_string();
    let run = journald.run(&bench, &["start", "--sadb", &bench.spec(), "--config-file", &file]).expect(78);
    assert_eq!(run.stderr, "", "told twice");
    let heard = journald.heard();
    let told = with(&heard, "maintenance: ");
    assert_eq!((&told["PRIORITY"][..], &told["SYSLOG_FACILITY"][..]), (&["3".to_owned()][..], &["4".to_owned()][..]));
    assert_eq!(told["SYSLOG_IDENTIFIER"], ["manual-key"]);
    assert_eq!(told["IPSECKEY_FILE"], [file]);
    assert_eq!(told["IPSECKEY_LINE"], ["2", "3", "4", "5", "6"]);
    assert_eq!((&told["IPSECKEY_COMMANDS"][0][..], &told["IPSECKEY_ERRORS"][0][..]), ("6", "5"));
    assert_eq!(told["MESSAGE_ID"][0].len(), 32);
    Run { stdout: format!("{heard:?}"), ..run }.tells_nothing_of(FIVE_MISTAKES);
}

#[test]
fn what_is_in_use_is_told_by_file_and_count() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    let text = format!("{ONE}{ONE}{TWO}");
    let file = bench.file("keys", &text).display().to_string();
    let arguments = ["start", "--sadb", &bench.spec(), "--config-file", &file];
    journald.run(&bench, &arguments).expect(1);
    let heard = journald.heard();
    assert_eq!(with(&heard, "line 2: the SADB: ")["IPSECKEY_LINE"], ["2"]);
    assert_eq!(with(&heard, "maintenance: ")["IPSECKEY_REFUSED"], ["1"]);
    bench.file("keys", TWO);
    journald.run(&bench, &arguments).expect(0);
    let heard = journald.heard();
    let told = with(&heard, "online: 1 SA");
    assert_eq!((&told["PRIORITY"][0][..], &told["IPSECKEY_SAS"][0][..]), ("6", "1"));
    Run { exit: None, stdout: format!("{heard:?}"), stderr: String::new() }.tells_nothing_of(&text);
}

#[test]
fn a_journal_that_takes_no_fields_gets_lines() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    fs::remove_file(bench.path("socket")).unwrap();
    let run = journald.run(&bench, &["check", "--config-file", "/nonexistent/keys"]).expect(78);
    assert!(run.stderr.starts_with("<3>maintenance: /nonexistent/keys: No such file"), "{}", run.stderr);
}
