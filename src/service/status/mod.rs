//! `manual-key status`: the service's records, compared with the keys file, the SADB and the policies as they are now.

pub(crate) mod expired;
mod facts;
pub(crate) mod ike_port;
pub(crate) mod in_force;
mod metrics;
mod problem;
mod remaining;
mod report;
mod sas;
pub(crate) mod state;
mod unmatched;

use std::io::{self, Write};

use crate::links::exposition::{Exposition, Syntax};
use crate::service::args::Args;
use crate::service::config::dirs;
use crate::service::config::supervisor::Environment;
use crate::service::exit::Reason;
use crate::service::log::check_written;
use report::Report;

/// Prints the status; with `--check` one line with the worst problem, in the manner of monitoring plugins.
///
/// # Errors
/// [`Reason::Permission`] if the state cannot be read, [`Reason::Other`] if the output is incomplete; with `--check` also that of
/// the worst problem.
pub(crate) fn status(args: &Args, environment: Environment<'_>) -> Result<(), Reason> {
    let report = Report::collect(&dirs::runtime_of(args.instance.as_deref(), environment), args, environment);
    let mut out = io::stdout();
    let written = match (args.metrics, args.json, args.check) {
        (Some(syntax), ..) => write_metrics(&report, args.instance.as_deref(), syntax),
        (None, true, _) => report.write_json(&mut out),
        (None, false, true) => report.write_check(&mut out),
        (None, false, false) => report.write_text(&mut out),
    };
    check_written(written)?;
    report.verdict(args.check)
}

/// The SAs of an SADB are those of all instances, so that only the service without a name has their metrics.
fn write_metrics(report: &Report, instance: Option<&str>, syntax: Syntax) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut exposition = Exposition::new(&mut out, syntax);
    let unit = instance.map_or_else(|| "manual-key".to_owned(), |name| format!("manual-key@{name}"));
    metrics::write(&mut exposition, report, &unit, instance.is_none())?;
    exposition.end()?;
    out.flush()
}
