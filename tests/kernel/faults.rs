//! Faults that only a real kernel or a real file system has: lost datagrams, a clock that jumps, a full disk.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use ipseckey::internals::kernel::XfrmSocket;
use nix::mount::{MsFlags, mount, umount};
use nix::sys::socket::{MsgFlags, NetlinkAddr, sendto};
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::space::{Space, private_file};

const KEY: &str = "encr_alg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// A private keys file with five SAs, with SPIs from `first`.
fn five(first: u32) -> PathBuf {
    let add = |spi| format!("add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 {KEY}\n");
    private_file(&(first..first + 5).map(add).collect::<String>())
}

fn spis(space: &Space) -> Vec<u32> {
    let spi = |state: &String| {
        let (_, rest) = state.split_once("spi 0x").expect("an SA has one");
        u32::from_str_radix(&rest[..8], 16).expect("a number")
    };
    let mut spis: Vec<u32> = space.states().iter().map(spi).collect();
    spis.sort_unstable();
    spis
}

/// `manual-key METHOD` with its records in `directory`, run by the command in front of it.
fn manual_key(before: &[&str], method: &str, directory: &Path, keys: &Path) -> Command {
    let words = [before, &[env!("CARGO_BIN_EXE_manual-key"), method, "--sadb", "xfrm", "--config-file"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(keys).env("RUNTIME_DIRECTORY", directory);
    command
}

/// The k-th datagram that is sent or received is lost: ENOBUFS, for each k.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn netlink_datagram_lost_anywhere_leaves_a_defined_state() {
    let (space, old, new) = (Space::with_sadb("xfrm"), five(0x1000), five(0x2000));
    let place = std::env::temp_dir();
    let trace = place.join("lost-datagrams");
    let mut faults = 0;
    for call in ["sendmsg", "recvmsg"] {
        for nth in 1.. {
            space.run(manual_key(&[], "start", &place, &old)).succeeded();
            let inject = format!("inject={call}:error=ENOBUFS:when={nth}");
            let strace = ["strace", "-qq", "-o", trace.to_str().expect("its name is text"), "-e", &inject];
            let ran = space.run(manual_key(&strace, "refresh", &place, &new));
            if !fs::read_to_string(&trace).expect("strace has written it").contains("(INJECTED)") {
                break;
            }
            faults += 1;
            assert!([0, 1, 69].contains(&ran.status), "{inject}: {ran:?}");
            let says = ["No buffer space", "entries may be missing"].iter().any(|words| ran.err.contains(words));
            assert!(ran.status == 0 || says, "{inject}: {}", ran.err);
            let left = spis(&space);
            let is_old = left == (0x1000..0x1005).collect::<Vec<_>>();
            let is_beginning = (0..=5).any(|count| left == (0x2000..0x2000 + count).collect::<Vec<_>>());
            let is_done = left == (0x2000..0x2005).collect::<Vec<_>>();
            assert!(is_done || ran.status != 0 && (is_old || is_beginning), "{inject}: {left:x?}");
            space.run(manual_key(&[], "refresh", &place, &new)).succeeded();
            assert_eq!(spis(&space), (0x2000..0x2005).collect::<Vec<_>>(), "{inject}: the next refresh");
        }
    }
    assert!(faults >= 4, "{faults} faults");
    let _ = writeln!(std::io::stderr(), "{faults} datagrams lost");
}

/// A dump of which a part was lost (ENOBUFS) is not accepted as complete.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn dump_with_a_lost_part_is_an_error() {
    let space = Space::with_sadb("xfrm");
    space.run(manual_key(&[], "start", &std::env::temp_dir(), &five(0x1000))).succeeded();
    let trace = std::env::temp_dir().join("lost-parts");
    let mut faults = 0;
    loop {
        let inject = format!("inject=recvmsg:error=ENOBUFS:when={}", faults + 1);
        let mut command = Command::new("strace");
        command.args(["-qq", "-o"]).arg(&trace).args(["-e", &inject, env!("CARGO_BIN_EXE_ipseckey")]);
        command.args(["--sadb", "xfrm", "-n", "dump"]);
        let ran = space.run(command);
        if !fs::read_to_string(&trace).expect("strace has written it").contains("(INJECTED)") {
            assert_eq!(ran.status, 0, "{ran:?}");
            break;
        }
        faults += 1;
        assert!(ran.status == 1 && ran.err.contains("entries may be missing"), "{inject}: {ran:?}");
    }
    assert!(faults >= 2, "{faults} faults");
    let _ = writeln!(std::io::stderr(), "{faults} parts of lists lost");
}

/// Other processes may send to any netlink port: a message that does not come from the kernel is not a reply.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn netlink_datagram_of_another_process_is_ignored() {
    let mut ours = XfrmSocket::open().expect("root may");
    let theirs = XfrmSocket::open().expect("root may");
    let to_ours = NetlinkAddr::new(ours.port(), 0);
    sendto(theirs.as_fd().as_raw_fd(), &[0x5a; 36], &to_ours, MsgFlags::empty()).expect("root may");
    assert!(ours.receive(Duration::from_millis(300)).expect("nothing is lost").is_none());
}

/// If a request is lost silently, the program waits ten seconds for the reply, not forever.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn xfrm_refresh_times_out_without_a_reply() {
    let (space, old, new) = (Space::with_sadb("xfrm"), five(0x1000), five(0x2000));
    let place = std::env::temp_dir();
    space.run(manual_key(&[], "start", &place, &old)).succeeded();
    // The system call reports success without sending: the flush, which follows the dumps for sequence numbers and for other programs' SAs.
    let strace = ["timeout", "25", "strace", "-qq", "-o", "/dev/null", "-e", "inject=sendmsg:retval=64:when=3"];
    let started = Instant::now();
    let ran = space.run(manual_key(&strace, "refresh", &place, &new));
    assert!((9..20).contains(&started.elapsed().as_secs()), "{:?}: {ran:?}", started.elapsed());
    assert!(ran.status == 69 && ran.err.contains("10 seconds"), "{ran:?}");
    assert_eq!(spis(&space), (0x1000..0x1005).collect::<Vec<_>>());
    space.run(manual_key(&[], "refresh", &place, &new)).succeeded();
    assert_eq!(spis(&space), (0x2000..0x2005).collect::<Vec<_>>());
}

/// Sets the clock, and restores it when dropped.
struct Jump {
    seconds: i64,
}

impl Jump {
    fn by(seconds: i64) -> Self {
        Self::set(seconds);
        Self { seconds }
    }

    fn set(seconds: i64) {
        let now = Duration::from(clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock"));
        let then = now.as_secs().checked_add_signed(seconds).expect("a time");
        clock_settime(ClockId::CLOCK_REALTIME, Duration::from_secs(then).into()).expect("is permitted");
    }
}

impl Drop for Jump {
    fn drop(&mut self) {
        Self::set(-self.seconds);
    }
}

/// A service that removes only its own SAs recognises them after any change of the clock.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn owned_sas_are_recognized_after_clock_changes() {
    for seconds in [-86_400, 86_400] {
        let space = Space::with_sadb("xfrm");
        let place = std::env::temp_dir().join(format!("clock{seconds}"));
        let owned = |method: &str, keys: &Path| {
            let mut command = manual_key(&[], method, &place, keys);
            command.args(["--flush", "owned"]);
            space.run(command).succeeded();
            spis(&space)
        };
        space.load(&format!("add esp spi 0x500 src 10.0.0.1 dst 10.0.0.2 {KEY}\n"));
        let with_theirs = |first: u32| std::iter::once(0x500).chain(first..first + 5).collect::<Vec<_>>();
        assert_eq!(owned("start", &five(0x1000)), with_theirs(0x1000));
        let jump = Jump::by(seconds);
        assert_eq!(owned("refresh", &five(0x2000)), with_theirs(0x2000), "{seconds}");
        drop(jump);
        assert_eq!(owned("refresh", &five(0x3000)), with_theirs(0x3000), "{seconds} and back");
        assert_eq!(owned("stop", &five(0x3000)), [0x500]);
    }
}

/// A file system that holds `size` bytes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let place = std::env::temp_dir()
            .join(format!("disk-{size}-{}", SystemTime::UNIX_EPOCH.elapsed().expect("after it").as_nanos()));
        fs::create_dir(&place).expect("a new directory");
        let options = format!("size={size},mode=755");
        mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).expect("root may");
        Self(place)
    }

    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        // Fails with "no space left", as intended.
        let _ = fs::write(&path, vec![0; 1 << 20]);
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount(&self.0);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn save_and_owned_record_survive_a_full_disk() {
    let (space, disk) = (Space::with_sadb("xfrm"), SmallDisk::new("64k"));
    let keys = (0..1000)
        .map(|spi| format!("add esp spi {:#x} src 10.0.0.1 dst 10.0.0.2 {KEY}\n", 0x1000 + spi))
        .collect::<String>();
    space.load(&keys);
    let target = disk.0.join("saved");
    fs::write(&target, "old\n").expect("fits");
    let ran = space.ipseckey(&format!("-s {}", target.display()));
    assert!(ran.status == 1 && ran.err.contains("nothing was replaced"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&target).expect("exists"), "old\n");
    assert_eq!(fs::read_dir(&disk.0).expect("exists").count(), 1, "a temporary file is left");

    let owned = |method: &str, keys: &Path| {
        let mut command = manual_key(&[], method, &disk.0.join("run"), keys);
        command.args(["--flush", "owned"]);
        space.run(command)
    };
    space.ipseckey("flush").succeeded();
    owned("start", &five(0x1000)).succeeded();
    let filler = disk.fill();
    let ran = owned("refresh", &five(0x2000));
    assert!(ran.status == 69 && ran.err.contains("No space left"), "{ran:?}");
    let left = spis(&space);
    assert!(left.is_empty() || left == (0x1000..0x1005).collect::<Vec<_>>(), "{left:x?}");
    fs::remove_file(filler).expect("exists");
    owned("refresh", &five(0x3000)).succeeded();
    assert_eq!(spis(&space), (0x3000..0x3005).collect::<Vec<_>>());
}
