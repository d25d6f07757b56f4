//! `doctor`: what keeps manual keys from working here, each finding with what mends it.

mod chart;
mod kernel;
mod keys_file;
mod policies;
mod sas;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::names::Vocabulary;
use crate::sys::fs::keys_file::KEYS_FILE;
use chart::Chart;

/// The arguments.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Doctor {
    file: PathBuf,
}

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Look for what keeps manual keys from working here, and say what mends it")
        .after_help("Example: ipseckey doctor\n\nIt changes nothing. The exit status is 1 if there is a problem.")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value(KEYS_FILE)
                .help("The keys file that should be loaded"),
        )
}

impl From<&mut ArgMatches> for Doctor {
    fn from(matches: &mut ArgMatches) -> Self {
        Self { file: matches.remove_one("file").unwrap_or_default() }
    }
}

impl Doctor {
    pub(super) fn run(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut chart = Chart::default();
        let wanted = keys_file::look(&self.file, session, &mut chart);
        if let Some(there) = sas::ask(session, &mut chart) {
            if let Some(wanted) = &wanted {
                sas::compare(&self.file, &wanted.ids, &there.ids, &mut chart);
            }
            policies::look(session, &there.associations, &mut chart);
        }
        if session.vocabulary() == Vocabulary::Linux {
            sas::key_managers(&mut chart);
            kernel::look(session, wanted.as_ref(), &mut chart);
        } else {
            kernel::algorithms(session, wanted.as_ref(), &mut chart);
        }
        let _ = session.output.took(chart.print(session.json(), session.output.colors()));
        Ok(if chart.is_ill() { Exit::Failed } else { Exit::Done })
    }
}
