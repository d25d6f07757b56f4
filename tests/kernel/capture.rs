//! Packets on the cable, captured by tcpdump and decoded by tshark.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::hosts::Hosts;
use crate::space::Space;

/// A running capture to a file; ends when dropped.
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

impl Capture {
    /// Captures the packets between the hosts that match `filter` (pcap-filter(7)).
    pub fn start(hosts: &Hosts, filter: &str) -> Self {
        Self::on(&hosts.switch, filter)
    }

    /// Captures what passes the first port of a switch.
    pub fn on(switch: &Space, filter: &str) -> Self {
        let file =
            tempfile::Builder::new().suffix(".pcap").tempfile().expect("a file").into_temp_path().keep().expect("stays");
        let mut command = Command::new("tcpdump");
        // The ring holds as many packets of maximum size as fit into it.
        command
            .args(["-n", "-s", "2000", "-U", "--immediate-mode", "-Z", "root", "-i", "port1", "-w"])
            .arg(&file)
            .arg(filter);
        let mut tcpdump = switch.spawn(command);
        let mut line = String::new();
        BufReader::new(tcpdump.stderr.as_mut().expect("a pipe")).read_line(&mut line).expect("prints something");
        assert!(line.contains("listening on"), "tcpdump: {line}");
        Self { tcpdump, file }
    }

    /// Ends the capture after tcpdump has written all packets; returns the file.
    pub fn stop(mut self) -> Packets {
        let written = || fs::metadata(&self.file).expect("the capture").len();
        let mut before = 0;
        while before != written() {
            before = written();
            thread::sleep(Duration::from_millis(300));
        }
        let pid = i32::try_from(self.tcpdump.id()).expect("a process");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("tcpdump runs");
        self.tcpdump.wait().expect("ends");
        Packets(self.file)
    }
}

/// A capture file; removed when dropped.
pub struct Packets(PathBuf);

impl Packets {
    /// A line for each packet that matches `filter` (of tcpdump).
    pub fn lines(&self, filter: &str) -> Vec<String> {
        let output = Command::new("tcpdump").args(["-n", "-t", "-r"]).arg(&self.0).arg(filter).output().expect("tcpdump");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// The values of `fields` of each ESP packet, decoded by Wireshark with these preferences.
    pub fn decoded<const N: usize>(&self, preferences: &[String], fields: [&str; N]) -> Vec<[String; N]> {
        let mut command = Command::new("tshark");
        command.args(["-n", "-Y", "esp", "-T", "fields"]).args(fields.iter().flat_map(|field| ["-e", field]));
        command.args(preferences.iter().flat_map(|preference| ["-o", preference]));
        let output = command.arg("-r").arg(&self.0).stdin(Stdio::null()).output().expect("tshark");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let rows = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        rows.map(|row| row.try_into().expect("one value for each field")).collect()
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the capture exists");
    }
}
