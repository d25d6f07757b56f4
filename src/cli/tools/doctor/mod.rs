//! `doctor`: checks why manual keys do not work on this host, and prints a remedy for each finding.

mod kernel;
mod keys_file;
mod neighbours;
mod policies;
mod report;
mod sas;
mod udp_ports;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::tools::failure::Failure;
use crate::names::Vocabulary;
use crate::service::expired_sas;
use crate::sys::fs::keys_file::KEYS_FILE;
use report::HealthReport;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Doctor {
    file: PathBuf,
}

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Check why manual keys do not work on this host, and print what to do")
        .after_help("Example: ipseckey doctor\n\nNothing is changed. The exit status is 1 if there is a problem.")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value(KEYS_FILE)
                .help("The keys file of the service"),
        )
}

impl From<&mut ArgMatches> for Doctor {
    fn from(matches: &mut ArgMatches) -> Self {
        Self { file: matches.remove_one("file").unwrap_or_default() }
    }
}

impl Doctor {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let mut report = HealthReport::default();
        let is_kernel = session.vocabulary() == Vocabulary::Linux && !session.target().is_model();
        let desired = keys_file::check(&self.file, session, &mut report);
        // Without a list of SAs nothing can be compared, but the checks of the kernel may still show the cause.
        if let Some(actual) = sas::list(session, &mut report) {
            let mut own = actual.own.clone();
            if let Some(desired) = &desired {
                own.extend(&desired.ids);
                let expired = expired_sas(desired.lifetimes.iter().map(|(id, hard)| (*id, *hard)));
                sas::compare(&self.file, &desired.ids, &actual, &expired, &mut report);
                sas::compare_reqids(&desired.ids, &actual.policy_sas, &mut report);
            }
            policies::check(session, &actual.policy_sas, &own, &mut report);
            if is_kernel {
                neighbours::check(&actual.policy_sas, &mut report);
                udp_ports::check(&actual.policy_sas, &own, &mut report);
                udp_ports::check_ike(&mut report);
            }
        }
        if is_kernel {
            sas::key_managers(&mut report);
            kernel::check(session, desired.as_ref(), &mut report);
        } else {
            kernel::algorithms(session, desired.as_ref(), &mut report);
        }
        let _ = session.output.note_write_error(report.print(session.json(), session.output.colors()));
        Ok(if report.has_problems() { Exit::Failed } else { Exit::Done })
    }
}
