//! `doctor`: finds out why traffic of manual keys does not pass, or is not protected, and prints a remedy for each finding.
//!
//! [`facts`] collects what there is to know, once; [`checks`] is the table of the checks, each of which compares facts and adds
//! findings.

mod actual;
mod checks;
mod desired;
mod facts;
mod finding;
mod peer;
mod report;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::tools::failure::Failure;
use crate::sys::fs::keys_file::KEYS_FILE;
use facts::Facts;
use finding::Findings;
use report::Report;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Doctor {
    file: PathBuf,
    /// Seconds between two readings of the counters.
    seconds: u64,
    /// The file that gets the report.
    report: Option<PathBuf>,
    /// The report of the peer.
    peer: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Find out why traffic is not protected or does not pass, and print what to do")
        .after_help(
            "Example: ipseckey doctor --for 30\n\n\
             Nothing is changed, and no packet is sent: to see where packets are lost, ping the peer meanwhile. The exit status is \
             1 if there is a problem.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value(KEYS_FILE)
                .help("The keys file of the service"),
        )
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(0..=86_400))
                .default_value("5")
                .help("Compare the counters of packets over SECONDS"),
        )
        .args([
            path("report", "Write a report without keys to a new file, for --peer on the other host"),
            path("peer", "Compare with the report of the other host, and say which side is wrong"),
        ])
}

fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("REPORT").value_parser(value_parser!(PathBuf)).help(help)
}

impl From<&mut ArgMatches> for Doctor {
    fn from(matches: &mut ArgMatches) -> Self {
        Self {
            file: matches.remove_one("file").unwrap_or_default(),
            seconds: matches.remove_one("for").unwrap_or_default(),
            report: matches.remove_one("report"),
            peer: matches.remove_one("peer"),
        }
    }
}

impl Doctor {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let mut findings = Findings::default();
        let facts = Facts::gather(session, &self.file, self.seconds, &mut findings);
        checks::run(&facts, &mut findings);
        if self.report.is_some() || self.peer.is_some() {
            // Read before anything is written: it may be the wrong file.
            let peer = self.peer.as_deref().map(Report::read).transpose()?;
            let own = Report::new(&facts, &findings).map_err(Failure::of)?;
            if let Some(path) = &self.report {
                own.write(path)?;
            }
            if let Some(peer) = peer {
                peer::compare(&own, &peer, &mut findings);
            }
        }
        let _ = session.output.note_write_error(findings.print(session.json(), session.output.colors()));
        Ok(if findings.has_problems() { Exit::Failed } else { Exit::Done })
    }
}
