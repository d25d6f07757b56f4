//! `ipseckey show`: the arguments. `cli::show` prints.

use clap::{Arg, ArgMatches, Command};

use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::show::parse_peer;
use crate::cli::tools::failure::Failure;
use crate::policy::Net;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Show {
    peer: Option<Net>,
}

pub(super) fn command() -> Command {
    Command::new("show")
        .visible_aliases(["list", "ls", "status"])
        .about("Show the links to other hosts, and what looks wrong")
        .after_help("Example: ipseckey show 192.0.2.2\n\nNo keys are shown. `ipseckey dump` shows all values of each SA.")
        .arg(
            Arg::new("peer")
                .value_name("PEER")
                .value_parser(|text: &str| parse_peer(text).ok_or("expected an address or a network"))
                .help("Only links with this address or network"),
        )
}

impl From<&mut ArgMatches> for Show {
    fn from(matches: &mut ArgMatches) -> Self {
        Self { peer: matches.remove_one("peer") }
    }
}

impl Show {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let is_found = session.show(self.peer).map_err(Failure::of)?;
        Ok(if is_found { Exit::Done } else { Exit::Failed })
    }
}
