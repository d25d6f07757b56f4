//! The fields that the journal receives, with a replacement for journald.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Stdio;

use crate::bench::{Bench, Run};
use crate::{FIVE_MISTAKES, ONE, TWO};

/// The two sockets of journald.
struct Journald {
    streams: UnixListener,
    datagrams: UnixDatagram,
}

/// Fields of a message with all their values.
type Fields = BTreeMap<String, Vec<String>>;

impl Journald {
    fn beside(bench: &Bench) -> Self {
        let streams = UnixListener::bind(bench.path("stdout")).unwrap();
        let datagrams = UnixDatagram::bind(bench.path("socket")).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        Self { streams, datagrams }
    }

    /// Runs a method as a unit whose standard error is a stream of this journal; its exit status and the text of the stream.
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

    fn received(&self) -> Vec<Fields> {
        let mut room = vec![0; 1 << 16];
        let mut messages = Vec::new();
        while let Ok(len) = self.datagrams.recv(&mut room) {
            messages.push(fields(&room[..len]));
        }
        messages
    }
}

/// Parses a message: name, newline, length in eight bytes, value, newline.
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
fn with<'a>(messages: &'a [Fields], start: &str) -> &'a Fields {
    messages
        .iter()
        .find(|fields| fields["MESSAGE"][0].starts_with(start))
        .unwrap_or_else(|| panic!("no {start} in {messages:?}"))
}

#[test]
fn journal_has_fields_for_file_lines_and_errors() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    let file = bench.file("keys", FIVE_MISTAKES).display().to_string();
    let run = journald.run(&bench, &["start", "--sadb", &bench.spec(), "--config-file", &file]).expect(78);
    assert_eq!(run.stderr, "", "logged twice");
    let messages = journald.received();
    let message = with(&messages, "maintenance: ");
    assert_eq!((&message["PRIORITY"][..], &message["SYSLOG_FACILITY"][..]), (&["3".to_owned()][..], &["4".to_owned()][..]));
    assert_eq!(message["SYSLOG_IDENTIFIER"], ["manual-key"]);
    assert_eq!(message["IPSECKEY_FILE"], [file]);
    assert_eq!(message["IPSECKEY_LINE"], ["2", "3", "4", "5", "6"]);
    assert_eq!((&message["IPSECKEY_COMMANDS"][0][..], &message["IPSECKEY_ERRORS"][0][..]), ("6", "5"));
    assert_eq!(message["MESSAGE_ID"][0].len(), 32);
    Run { stdout: format!("{messages:?}"), ..run }.tells_nothing_of(FIVE_MISTAKES);
}

#[test]
fn journal_has_fields_for_refusals_and_loaded_sas() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    let text = format!("{ONE}{ONE}{TWO}");
    let file = bench.file("keys", &text).display().to_string();
    let arguments = ["start", "--sadb", &bench.spec(), "--config-file", &file];
    journald.run(&bench, &arguments).expect(1);
    let messages = journald.received();
    assert_eq!(with(&messages, "line 2: the SADB: ")["IPSECKEY_LINE"], ["2"]);
    assert_eq!(with(&messages, "maintenance: ")["IPSECKEY_REFUSED"], ["1"]);
    bench.file("keys", TWO);
    journald.run(&bench, &arguments).expect(0);
    let messages = journald.received();
    let message = with(&messages, "online: 1 SA");
    assert_eq!((&message["PRIORITY"][0][..], &message["IPSECKEY_SAS"][0][..]), ("6", "1"));
    Run { exit: None, stdout: format!("{messages:?}"), stderr: String::new() }.tells_nothing_of(&text);
}

#[test]
fn journal_without_native_socket_gets_lines() {
    let bench = Bench::with_model();
    let journald = Journald::beside(&bench);
    fs::remove_file(bench.path("socket")).unwrap();
    let run = journald.run(&bench, &["check", "--config-file", "/nonexistent/keys"]).expect(78);
    assert!(run.stderr.starts_with("<3>maintenance: /nonexistent/keys: No such file"), "{}", run.stderr);
}
