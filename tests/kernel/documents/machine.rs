//! A host as a reader of the documents has it: its own network, files and /run, with the programs and examples installed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::space::{Ran, Space};

/// Directories whose files packages install as examples.
const EXAMPLES: [&str; 3] = ["examples", "examples/monitoring", "systemd/examples"];
/// Stand-in for systemctl: the methods of manual-key.service, since no systemd runs here.
const SYSTEMCTL: &str = include_str!("systemctl");

/// A network namespace, and a root directory that overlays the one of this machine: a command finds its programs there, and
/// writes nothing to it.
pub struct Machine {
    pub space: Space,
    directory: TempDir,
}

impl Machine {
    /// A machine without network interfaces other than `lo`.
    pub fn new() -> Self {
        let machine = Self { space: Space::new(), directory: tempfile::tempdir().expect("a directory") };
        machine.mount();
        machine.install();
        machine
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn mount(&self) {
        let [upper, work, root] = ["upper", "work", "root"].map(|name| self.directory.path().join(name));
        for directory in [&upper, &work, &root] {
            fs::create_dir(directory).expect("a directory");
        }
        let options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
        let none = MsFlags::empty();
        mount(Some("overlay"), &root, Some("overlay"), none, Some(options.as_str())).expect("an overlay of /");
        for name in ["proc", "sys", "dev"] {
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(&Path::new("/").join(name)), &root.join(name), None::<&str>, bind, None::<&str>)
                .expect("a bind mount");
        }
        mount(Some("run"), &root.join("run"), Some("tmpfs"), none, Some("mode=755")).expect("a /run");
    }

    /// What a package installs, as far as the documents use it.
    fn install(&self) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let [inet, bin, doc] =
            ["etc/inet", "usr/local/sbin", "usr/share/doc/ipseckey/examples"].map(|name| self.root().join(name));
        for directory in [&inet, &bin, &doc] {
            fs::create_dir_all(directory).expect("a directory");
        }
        fs::copy(source.join("systemd/manual-key.toml"), inet.join("manual-key.toml")).expect("is installed");
        for program in [env!("CARGO_BIN_EXE_ipseckey"), env!("CARGO_BIN_EXE_manual-key")].map(Path::new) {
            std::os::unix::fs::symlink(program, bin.join(program.file_name().expect("a name"))).expect("is installed");
        }
        fs::write(bin.join("systemctl"), SYSTEMCTL).expect("is installed");
        fs::set_permissions(bin.join("systemctl"), Permissions::from_mode(0o755)).expect("is permitted");
        for entry in EXAMPLES.iter().flat_map(|name| fs::read_dir(source.join(name)).expect("examples")) {
            let entry = entry.expect("an example");
            if entry.file_type().expect("a type").is_file() {
                fs::copy(entry.path(), doc.join(entry.file_name())).expect("is installed");
            }
        }
    }

    /// A path of this machine, as the test program sees it.
    pub fn file(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Commands for this machine, as root in /root, where the first one that fails ends them.
    pub fn command(&self, commands: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.root()).args(["env", "-i", "HOME=/root", "LC_ALL=C", "TERM=dumb"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["sh", "-euc", &format!("umask 077; cd /root; {commands}")]);
        command
    }

    /// Makes the keys file of the service, with ESP and these keywords.
    #[track_caller]
    pub fn generate(&self, keywords: &str) {
        self.run("mkdir -p -m 700 /etc/inet/secret; rm -f /etc/inet/secret/ipseckeys").succeeded();
        self.run(&format!("ipseckey generate esp {keywords} -o /etc/inet/secret/ipseckeys")).succeeded();
    }

    /// Runs commands on this machine.
    pub fn run(&self, commands: &str) -> Ran {
        self.space.run(self.command(commands))
    }
}

/// The processes whose root directory this is.
fn processes_in(root: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let inside = entries.filter(|entry| fs::read_link(entry.path().join("root")).is_ok_and(|link| link == root));
    inside.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw)).collect()
}

impl Drop for Machine {
    fn drop(&mut self) {
        for process in processes_in(&self.root()) {
            // It may have ended meanwhile.
            let _ = kill(process, Signal::SIGKILL);
        }
        umount2(&self.root(), MntFlags::MNT_DETACH).expect("the overlay is mounted");
    }
}
