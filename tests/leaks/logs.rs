//! Logs and files of a service under each supervisor.
//!
//! `LEAK_LOGS` is the number of files that running services load.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::cell::{Cell, Resident, Supervisor};
use super::sample_or_damaged;
use super::scan::{Tally, count};

const IPSECKEY: &str = env!("CARGO_BIN_EXE_ipseckey");
const MANUAL_KEY: &str = env!("CARGO_BIN_EXE_manual-key");

/// Damaged files in a namespace that captures syslog, the fields of the journal, the status text for systemd, /run with the records of
/// the service, the home directory and the working directory.
#[test]
fn logs_and_files_contain_no_key_of_damaged_files() {
    let Some(cell) = Cell::new() else { return };
    let bench = Bench::with_model();
    let (mut tally, mut before) = (Tally::default(), 0);
    for seed in 0..count("LEAK_RUNS", 15) {
        let mut file = sample_or_damaged(1 << 41, seed);
        if seed == 0 {
            file.bytes = format!("add ah spi 0x2000 dst 192.0.2.9 authalg md5 authkey {}\n", &file.keys[0].repeat(4)[..32])
                .into_bytes();
        }
        let path = bench.file("keys", "");
        fs::write(&path, &file.bytes).unwrap();
        let (name, spec) = (path.to_str().unwrap(), bench.spec());
        let mut words = cell.run(IPSECKEY, &["-n", "--sadb", &spec, "-c", name]);
        words += &cell.run(IPSECKEY, &["-n", "-v", "-p", "--sadb", &spec, "-f", name]);
        let service = ["--sadb", &spec, "--config-file", name];
        words += &cell.run(MANUAL_KEY, &[&["start"][..], &service].concat());
        words += &cell.run(IPSECKEY, &["--sadb", &spec, "flush"]);
        let mut executions = 5;
        let again = || {
            executions += 1;
            drop(cell.run(MANUAL_KEY, &["refresh"]));
        };
        words += &cell.serve(MANUAL_KEY, &[&["run", "--flush", "owned"][..], &service].concat(), again);
        let messages = cell.messages();
        tally.scan(
            &format!("run {seed}"),
            &file,
            executions,
            &format!("{words}{}{}", &messages[before..], cell.left_behind()),
        );
        before = messages.len();
    }
    tally.report("the system");
    let (messages, left) = (cell.messages(), cell.left_behind());
    assert!(
        messages.contains("manual-key[") && messages.contains("STATUS=online") && messages.contains("STATUS=maintenance"),
        "{messages}"
    );
    assert!(left.contains("owned.json"), "{left}");
}

/// A supervisor's service, and its manual-key.toml.
const SERVICES: &[(Supervisor, &str)] = &[
    (Supervisor::Journal, ""),
    (Supervisor::Syslog, "flush = \"owned\"\n"),
    (Supervisor::None, "refresh = \"reconcile\"\nflush = \"owned\"\n"),
];

/// A keys file that loads.
const GOOD: &str = "add ah spi 1 dst 192.0.2.9 authalg md5 authkey 000102030405060708090a0b0c0d0e0f\n";

/// A service in its cell. It exits after a refresh that fails; systemd restarts it then.
struct Service {
    supervisor: Supervisor,
    cell: Cell,
    bench: Bench,
    keys: PathBuf,
    settings: PathBuf,
    resident: Option<Resident>,
}

impl Service {
    /// `None` if there are no cells.
    fn new(supervisor: Supervisor, settings: &str) -> Option<Self> {
        let (cell, bench) = (Cell::new()?, Bench::with_model());
        let (keys, settings) = (bench.file("keys", GOOD), bench.file("settings.toml", settings));
        Some(Self { supervisor, cell, bench, keys, settings, resident: None })
    }

    /// `manual-key refresh`.
    fn refresh(&self) -> Output {
        let mut client = Command::new(MANUAL_KEY);
        client.arg("refresh").env_clear().env("RUNTIME_DIRECTORY", self.cell.path("run/manual-key"));
        client.stdin(Stdio::null()).output().unwrap()
    }

    /// Starts it, unless it is running, and waits until it takes requests.
    fn ensure_running(&mut self) {
        if self.resident.is_some() {
            return;
        }
        fs::write(&self.keys, GOOD).unwrap();
        let (spec, [keys, settings]) = (self.bench.spec(), [&self.keys, &self.settings].map(|path| path.to_str().unwrap()));
        let arguments = ["run", "--sadb", &spec, "--config", settings, "--config-file", keys];
        self.resident = Some(self.cell.start(self.supervisor, MANUAL_KEY, &arguments));
        let (socket, deadline) = (self.cell.path("run/manual-key/refresh"), Instant::now() + Duration::from_secs(20));
        // Without a service the client would load the keys file of this machine.
        while !socket.exists() || !self.refresh().status.success() {
            assert!(Instant::now() < deadline, "no request is taken: {}{}", self.cell.messages(), self.cell.left_behind());
            sleep(Duration::from_millis(2));
        }
    }

    /// What a refresh with `keys` shows: the client, the log, and all files.
    fn load(&mut self, keys: &[u8]) -> String {
        self.ensure_running();
        fs::write(&self.keys, keys).unwrap();
        let Output { status, stdout, stderr } = self.refresh();
        if !status.success() {
            self.resident.take().into_iter().for_each(Resident::wait);
        }
        let log = self.cell.take_output();
        let client = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        assert!(
            log.contains(client.trim_start_matches("manual-key: ").trim()),
            "{:?} has no log: {log}{client}",
            self.supervisor
        );
        client + &log + &self.cell.left_behind()
    }
}

/// One running service for each supervisor loads damaged files. SMF executes a method for each file.
#[test]
fn running_services_log_no_key_of_damaged_files() {
    let services: Option<Vec<Service>> =
        SERVICES.iter().map(|(supervisor, settings)| Service::new(*supervisor, settings)).collect();
    let (Some(mut services), mut smf, mut tally) = (services, Bench::with_model(), Tally::default()) else { return };
    let keys_of_smf = smf.file("keys", "");
    smf.under_smf(&keys_of_smf);
    let mut online = 0_u64;
    for seed in 0..count("LEAK_LOGS", 40) {
        let file = sample_or_damaged(1 << 45, seed);
        for service in &mut services {
            let output = service.load(&file.bytes);
            online += u64::from(output.contains("online"));
            tally.scan(&format!("{:?}, file {seed}", service.supervisor), &file, 1, &output);
        }
        fs::write(&keys_of_smf, &file.bytes).unwrap();
        tally.scan(&format!("SMF, file {seed}"), &file, 1, &smf.run(&["refresh"]).words());
    }
    assert!(online > 0, "no file was loaded");
    tally.report("running services");
}
