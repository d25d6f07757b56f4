//! Captures everything that a program leaves behind: a mount namespace in which /run, /dev and the home directory belong to the
//! test, with sockets in the places of those of syslog, the journal and systemd.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Mounts the test's directories over those of the system, and executes the program; with `UNIT` as systemd does.
const ENTER: &str = "mount --bind \"$CELL/run\" /run && mount --bind \"$CELL/dev\" /dev && cd \"$CELL/home\" && \
    ulimit -c unlimited && { [ -z \"$UNIT\" ] || export SYSTEMD_EXEC_PID=$$; } && exec \"$0\" \"$@\"";

/// Datagram sockets of syslog, the journal and systemd.
const DATAGRAMS: &[&str] = &["dev/log", "run/systemd/journal/socket", "run/systemd/notify"];

/// The stream socket of the journal.
const STREAMS: &str = "run/systemd/journal/stdout";

/// What runs a service, and so where its log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supervisor {
    /// systemd with the journal as standard error: fields to the journal's socket.
    Journal,
    /// systemd with a file as standard error: syslog.
    Syslog,
    /// None: the standard streams.
    None,
}

/// A running service.
pub(crate) struct Resident(Child);

impl Resident {
    /// Waits until it exits by itself.
    pub(crate) fn wait(mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A mount namespace with its directories, and all messages to its sockets.
pub(crate) struct Cell {
    directory: tempfile::TempDir,
    received: Arc<Mutex<Vec<u8>>>,
    flags: &'static str,
}

impl Cell {
    /// `None`, with a notice, if mount namespaces are not permitted.
    pub(crate) fn new() -> Option<Self> {
        let is_permitted = |flags: &str| {
            let mut probe = Command::new("unshare");
            probe.args([flags, "mount", "--bind", "/tmp", "/run"]).stdout(Stdio::null()).stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        };
        let Some(flags) = ["-m", "-Urm"].into_iter().find(|flags| is_permitted(flags)) else {
            let _ = writeln!(std::io::stderr(), "skipped: no mount namespaces (unshare, CAP_SYS_ADMIN)");
            return None;
        };
        let cell = Self { directory: tempfile::tempdir().unwrap(), received: Arc::default(), flags };
        for directory in ["dev", "home", "run/systemd/journal"] {
            fs::create_dir_all(cell.path(directory)).unwrap();
        }
        for socket in DATAGRAMS {
            let (socket, received) = (UnixDatagram::bind(cell.path(socket)).unwrap(), cell.received.clone());
            spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(len) = socket.recv(&mut buffer) {
                    received.lock().unwrap().extend_from_slice(&[&buffer[..len], b"\n"].concat());
                }
            });
        }
        cell.accept_streams();
        Some(cell)
    }

    /// Receives the standard error of services, as the journal does.
    fn accept_streams(&self) {
        let (listener, received) = (UnixListener::bind(self.path(STREAMS)).unwrap(), self.received.clone());
        spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let received = received.clone();
                spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(len @ 1..) = stream.read(&mut buffer) {
                        received.lock().unwrap().extend_from_slice(&buffer[..len]);
                    }
                });
            }
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A program in the cell, as a systemd unit runs it whose standard error is not the journal.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args([self.flags, "/bin/sh", "-c", ENTER, program]).args(arguments).env_clear();
        command
            .env("CELL", self.directory.path())
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("UNIT", "1").env("INVOCATION_ID", "0123").env("NOTIFY_SOCKET", "/run/systemd/notify");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a program until it exits; returns its output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        words(&self.command(program, arguments).output().unwrap())
    }

    /// Runs a service with the journal as its standard error. Calls `during` once it is ready, then stops it; returns its standard
    /// output.
    pub(crate) fn serve(&self, program: &str, arguments: &[&str], during: impl FnOnce()) -> String {
        let before = self.messages().len();
        let mut command = self.command(program, arguments);
        self.connect_to_journal(&mut command);
        let mut child = command.spawn().unwrap();
        drop(command);
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && !self.messages()[before..].contains("READY=1") {
            assert!(Instant::now() < deadline, "neither ready nor ended: {}", self.messages());
            sleep(Duration::from_millis(5));
        }
        if child.try_wait().unwrap().is_none() {
            during();
        }
        stop(child)
    }

    fn connect_to_journal(&self, command: &mut Command) {
        let journal = OwnedFd::from(UnixStream::connect(self.path(STREAMS)).unwrap());
        let metadata = File::from(journal.try_clone().unwrap()).metadata().unwrap();
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino())).stderr(journal);
    }

    /// Starts a service that runs until it is dropped.
    pub(crate) fn start(&self, supervisor: Supervisor, program: &str, arguments: &[&str]) -> Resident {
        let mut command = self.command(program, arguments);
        let output = File::options().create(true).append(true).open(self.path("output")).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        match supervisor {
            Supervisor::Journal => self.connect_to_journal(&mut command),
            Supervisor::Syslog => {}
            Supervisor::None => drop(command.env_remove("UNIT").env_remove("INVOCATION_ID").env_remove("NOTIFY_SOCKET")),
        }
        Resident(command.spawn().unwrap())
    }

    /// The messages and the output since the last call. Waits for all that was sent before.
    pub(crate) fn take_output(&self) -> String {
        for socket in DATAGRAMS {
            let mark = format!("mark of {socket}");
            UnixDatagram::unbound().unwrap().send_to(mark.as_bytes(), self.path(socket)).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while !self.messages().contains(&mark) {
                assert!(Instant::now() < deadline, "{socket} is not read");
                sleep(Duration::from_micros(50));
            }
        }
        let output = self.path("output");
        let written = fs::read(&output).unwrap();
        File::options().write(true).open(&output).unwrap().set_len(0).unwrap();
        let received = std::mem::take(&mut *self.received.lock().unwrap());
        String::from_utf8_lossy(&[received, written].concat()).into_owned()
    }

    /// All messages to syslog, the journal and systemd.
    pub(crate) fn messages(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }

    /// Names and contents of all files in the cell's directories.
    pub(crate) fn left_behind(&self) -> String {
        let mut text = String::new();
        collect(self.directory.path(), &mut text);
        text
    }
}

fn stop(child: Child) -> String {
    // ESRCH: it has already exited.
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
    words(&child.wait_with_output().unwrap())
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn collect(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        *text += &format!("{}\n", path.display());
        if kind.is_dir() {
            collect(&path, text);
        } else if kind.is_file() {
            *text += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
}
