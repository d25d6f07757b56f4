//! `manual-key status`: the service's records, compared with the keys file, the SADB and the policies as they are now.

pub(crate) mod expired;
mod facts;
mod problem;
mod remaining;
mod report;
mod sas;
pub(crate) mod state;
mod unmatched;

use std::io;

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
    let mut out = io::stdout().lock();
    let written = match (args.json, args.check) {
        (true, _) => report.write_json(&mut out),
        (false, true) => report.write_check(&mut out),
        (false, false) => report.write_text(&mut out),
    };
    check_written(written)?;
    report.verdict(args.check)
}
