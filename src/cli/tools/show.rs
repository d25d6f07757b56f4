//! `ipseckey show`: the arguments. `cli::show` prints.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::show::parse_peer;
use crate::cli::tools::failure::Failure;
use crate::links::exposition::Syntax;
use crate::policy::Net;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Show {
    peer: Option<Net>,
    metrics: Option<Syntax>,
    /// Seconds between two tables.
    watch: Option<u64>,
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
        .args([
            Arg::new("watch")
                .long("watch")
                .value_name("SECONDS")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("2")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .conflicts_with_all(["openmetrics", "prometheus"])
                .help("Draw the table every SECONDS [2], with packets and bytes a second"),
            flag("openmetrics", "Print metrics in the format OpenMetrics").conflicts_with("prometheus"),
            flag("prometheus", "Print metrics for the textfile collector of node_exporter"),
        ])
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

impl From<&mut ArgMatches> for Show {
    fn from(matches: &mut ArgMatches) -> Self {
        let syntaxes = [("openmetrics", Syntax::OpenMetrics), ("prometheus", Syntax::Prometheus)];
        let metrics = syntaxes.into_iter().find(|(option, _)| matches.get_flag(option)).map(|(_, syntax)| syntax);
        Self { peer: matches.remove_one("peer"), metrics, watch: matches.remove_one("watch") }
    }
}

impl Show {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        if let Some(seconds) = self.watch {
            session.watch(self.peer, Duration::from_secs(seconds)).map_err(Failure::of)?;
            return Ok(Exit::Done);
        }
        let is_found = session.show(self.peer, self.metrics).map_err(Failure::of)?;
        Ok(if is_found { Exit::Done } else { Exit::Failed })
    }
}
