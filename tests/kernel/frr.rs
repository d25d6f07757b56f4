//! Routers that run the routing daemons of FRR, on one or more links.

use std::cell::RefCell;
use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::space::Space;

/// Where Debian has the daemons.
const DAEMONS: &str = "/usr/lib/frr";
/// Timeout for an adjacency; it takes six seconds on a machine without load.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A switch, in a network namespace of its own.
pub struct Link(pub Space);

impl Link {
    pub fn new() -> Self {
        let switch = Space::new();
        // Without snooping of groups, so that no packet is lost before the first report.
        switch.ip("link add switch up type bridge mcast_snooping 0");
        Self(switch)
    }

    /// Connects `space` to port `number` with the interface `device`, which gets the addresses fe80::`number`
    /// and 10.0.0.`number`.
    pub fn plug(&self, space: &Space, device: &str, number: u8) {
        let path = self.0.path();
        space.ip(&format!("link add {device} type veth peer name port{number} netns {path}"));
        self.0.ip(&format!("link set port{number} up master switch"));
        space.ip(&format!("link set {device} addrgenmode none"));
        space.ip(&format!("addr add fe80::{number}/64 dev {device} nodad"));
        space.ip(&format!("addr add 10.0.0.{number}/24 dev {device}"));
        space.ip(&format!("link set {device} up"));
    }
}

/// A host with routing daemons, and the directory of their files.
pub struct Router {
    pub space: Space,
    number: u8,
    directory: TempDir,
    daemons: RefCell<Vec<Child>>,
}

impl Router {
    pub fn new(number: u8) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // The daemons run as this user, and create their sockets there.
        let mut command = Command::new("chown");
        assert!(command.arg("frr:frr").arg(directory.path()).status().expect("chown").success());
        Self { space: Space::new(), number, directory, daemons: RefCell::default() }
    }

    /// A router with the interface eth0 on `link`.
    pub fn on(link: &Link, number: u8) -> Self {
        let router = Self::new(number);
        link.plug(&router.space, "eth0", number);
        router
    }

    /// Starts OSPF for IPv6 on these interfaces, with a dead interval of four seconds.
    pub fn start_ospf6(&self, devices: &[&str]) {
        let mut config = String::new();
        for device in devices {
            write!(
                config,
                "interface {device}\n ipv6 ospf6 area 0.0.0.0\n ipv6 ospf6 hello-interval 1\n ipv6 ospf6 dead-interval 4\n"
            )
            .expect("text");
        }
        let number = self.number;
        write!(config, "router ospf6\n ospf6 router-id 10.0.0.{number}\n log-adjacency-changes detail\n").expect("text");
        self.start("zebra", "");
        self.start("ospf6d", &config);
    }

    /// Starts a daemon in the foreground, with its files in the directory of this router.
    pub fn start(&self, daemon: &str, config: &str) {
        let directory = self.directory.path().display();
        fs::write(self.path(&format!("{daemon}.conf")), format!("{config}log file {directory}/{daemon}.log\n"))
            .expect("writes");
        let mut command = Command::new(format!("{DAEMONS}/{daemon}"));
        command.args(["-u", "frr", "-g", "frr", "-P", "0"]);
        command.args(["-f", &self.path(&format!("{daemon}.conf")), "-i", &self.path(&format!("{daemon}.pid"))]);
        command.args(["-z", &self.path("zserv"), "--vty_socket", &directory.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.daemons.borrow_mut().push(self.space.inside(move || command.spawn().expect("FRR is installed")));
        let socket = self.path(&format!("{daemon}.vty"));
        wait_until(&format!("{daemon} has no {socket}"), || fs::exists(&socket).is_ok_and(|exists| exists));
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The output of a command of vtysh(1).
    pub fn show(&self, words: &str) -> String {
        let mut command = Command::new("vtysh");
        command.args(["--vty_socket", &self.directory.path().display().to_string(), "-c", words]);
        self.space.run(command).succeeded()
    }

    pub fn neighbours(&self) -> String {
        self.show("show ipv6 ospf6 neighbor")
    }

    /// Waits until there are `count` neighbours, all of them in the state Full.
    #[track_caller]
    pub fn wait_for_full(&self, count: usize) {
        let is_full = || {
            let listed = self.neighbours();
            let neighbours = listed.lines().filter(|line| line.starts_with("10.0.0."));
            let full = neighbours.clone().filter(|line| line.contains("Full/")).count();
            (neighbours.count(), full) == (count, count)
        };
        wait_until(&format!("router {}: not {count} full neighbours", self.number), is_full);
    }

    /// How often an adjacency was lost.
    pub fn flaps(&self) -> usize {
        let log = fs::read_to_string(self.path("ospf6d.log")).expect("the log");
        log.lines().filter(|line| line.contains("Full -> ")).count()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        for daemon in self.daemons.get_mut() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Waits until `is_so`, or fails with `problem`.
#[track_caller]
pub fn wait_until(problem: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{problem}");
        thread::sleep(Duration::from_millis(200));
    }
}
