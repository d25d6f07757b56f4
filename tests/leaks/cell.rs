//! A place that sees everything a program leaves behind: a mount namespace in which /run, /dev and the home directory belong to
//! the test, with somebody who listens where syslog, the journal and systemd do.

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

/// Takes the places of the system's directories, and becomes the program.
const ENTER: &str = "mount --bind \"$CELL/run\" /run && mount --bind \"$CELL/dev\" /dev && cd \"$CELL/home\" && \
    ulimit -c unlimited && SYSTEMD_EXEC_PID=$$ exec \"$0\" \"$@\"";

/// Where somebody listens.
const EARS: &[&str] = &["dev/log", "run/systemd/journal/socket", "run/systemd/notify"];

/// Where the journal listens for streams.
const STREAMS: &str = "run/systemd/journal/stdout";

/// The place.
pub(crate) struct Cell {
    place: tempfile::TempDir,
    heard: Arc<Mutex<Vec<u8>>>,
    flags: &'static str,
}

impl Cell {
    /// A new one; `None`, with the reason told, where nobody may make one.
    pub(crate) fn new() -> Option<Self> {
        let may = |flags: &str| {
            let mut probe = Command::new("unshare");
            probe.args([flags, "mount", "--bind", "/tmp", "/run"]).stdout(Stdio::null()).stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        };
        let Some(flags) = ["-m", "-Urm"].into_iter().find(|flags| may(flags)) else {
            let _ = writeln!(std::io::stderr(), "skipped: no mount namespaces (unshare, CAP_SYS_ADMIN)");
            return None;
        };
        let cell = Self { place: tempfile::tempdir().unwrap(), heard: Arc::default(), flags };
        for directory in ["dev", "home", "run/systemd/journal"] {
            fs::create_dir_all(cell.path(directory)).unwrap();
        }
        for ear in EARS {
            let (socket, heard) = (UnixDatagram::bind(cell.path(ear)).unwrap(), cell.heard.clone());
            spawn(move || {
                let mut room = vec![0; 1 << 16];
                while let Ok(len) = socket.recv(&mut room) {
                    heard.lock().unwrap().extend_from_slice(&[&room[..len], b"\n"].concat());
                }
            });
        }
        cell.take_streams();
        Some(cell)
    }

    /// Listens where the journal takes the standard error of services.
    fn take_streams(&self) {
        let (listener, heard) = (UnixListener::bind(self.path(STREAMS)).unwrap(), self.heard.clone());
        spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let heard = heard.clone();
                spawn(move || {
                    let mut told = Vec::new();
                    let _ = stream.read_to_end(&mut told);
                    heard.lock().unwrap().extend_from_slice(&told);
                });
            }
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A program in the cell, as a command of a unit of systemd whose standard error is not the journal.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args([self.flags, "/bin/sh", "-c", ENTER, program]).args(arguments).env_clear();
        command.env("CELL", self.place.path()).env("HOME", self.path("home")).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("INVOCATION_ID", "0123").env("NOTIFY_SOCKET", "/run/systemd/notify");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a program to its end; what it said.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        words(&self.command(program, arguments).output().unwrap())
    }

    /// Runs a service, with the journal as its standard error, until it is ready or has ended by itself, with `during` meanwhile;
    /// what it said.
    pub(crate) fn serve(&self, program: &str, arguments: &[&str], during: impl FnOnce()) -> String {
        let before = self.heard().len();
        let journal = OwnedFd::from(UnixStream::connect(self.path(STREAMS)).unwrap());
        let metadata = File::from(journal.try_clone().unwrap()).metadata().unwrap();
        let mut command = self.command(program, arguments);
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino())).stderr(journal);
        let mut child = command.spawn().unwrap();
        drop(command);
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && !self.heard()[before..].contains("READY=1") {
            assert!(Instant::now() < deadline, "neither ready nor ended: {}", self.heard());
            sleep(Duration::from_millis(5));
        }
        if child.try_wait().unwrap().is_none() {
            during();
        }
        stop(child)
    }

    /// What was told to syslog, the journal and systemd.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// What lies in the cell's directories: each file's name and contents.
    pub(crate) fn left_behind(&self) -> String {
        let mut text = String::new();
        collect(self.place.path(), &mut text);
        text
    }
}

fn stop(child: Child) -> String {
    // ESRCH: it has ended by itself.
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
