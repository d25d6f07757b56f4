//! The program `manual-key`: keeps the SAs of a keys file in an SADB, as a method of SMF, a unit of systemd, or by hand.
//!
//! | folder | holds |
//! | --- | --- |
//! | `config` | manual-key.toml, options, environment, directories, the supervisor |
//! | `load` | the load sequence, reconcile, plan, policies, and the `LoadOutcome` |
//! | `daemon` | `manual-key run`: queue, control socket, watches, watchdog |
//! | `records` | files that say which SAs and policies are the service's |
//! | `status` | the state file and `manual-key status` |
//! | `log` | the table of events, journal, syslog |
#![forbid(unsafe_code)]

pub(crate) mod args;
mod config;
mod confirm;
mod daemon;
mod exit;
mod load;
mod log;
mod records;
mod status;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;

use crate::redact;
use crate::sys::process::hardening;
use crate::sys::process::privilege::{self, Privileges};
use crate::sys::time::unix_now;
use args::{Args, Method};
#[cfg(feature = "internals")]
use config::properties;
use config::properties::Scope;
use config::supervisor::{Environment, NoSmf, Supervisor};
use config::{Config, dirs};
use daemon::{control_socket, udp_ports};
use exit::{ExitCodes, Reason};
use load::Loader;
use load::outcome::LoadOutcome;
use log::{Log, event};
use status::state;

pub(crate) use records::service_sas::{ServiceSas, service_sas};
pub(crate) use status::expired::{ExpiredSa, expired_sas};
pub(crate) use status::ike_port::unusable_ike_port;
pub(crate) use status::in_force::{InForce, in_force};

#[cfg(feature = "internals")]
pub(crate) use control_socket::recode_reply;
#[cfg(any(test, feature = "internals"))]
pub(crate) use properties::check_config;
#[cfg(feature = "internals")]
pub(crate) use records::owned_sas::rewrite_owned_record;
#[cfg(feature = "internals")]
pub(crate) use state::rewrite_state_record;

/// Runs `manual-key` with the arguments of the process, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Before the first variable is read: with file capabilities the caller's environment is not trusted.
    privilege::distrust_environment();
    let args = args::parse(arguments);
    // By the method, not by the environment: any supervisor may start it, or none.
    let environment: Environment<'_> = &|name| std::env::var_os(name);
    hardening::harden(args.as_ref().map_or(Privileges::Sadb, |args| args.privileges(environment)));
    let supervisor = Supervisor::detect(environment);
    let (codes, result) = match supervisor {
        Ok(supervisor) => (supervisor.exit_codes(), run(args, &supervisor)),
        Err(NoSmf) => {
            open_log(&Supervisor::None).event(&event::load::no_smf());
            (ExitCodes::Sysexits, Err(Reason::NoSmf))
        }
    };
    // Keys may be left in dead stack frames.
    hardening::wipe_stack();
    ExitCode::from(result.err().unwrap_or(Reason::Done).code(codes))
}

fn open_log(supervisor: &Supervisor) -> Box<dyn Log> {
    log::open(supervisor, &|name| std::env::var_os(name), Box::new(io::stdout()), Box::new(io::stderr()))
}

fn run(args: Result<Args, clap::Error>, supervisor: &Supervisor) -> Result<(), Reason> {
    let args = match args {
        Ok(args) => args,
        Err(error) => return usage_result(error),
    };
    let mut log = open_log(supervisor);
    let environment: Environment<'_> = &|name| std::env::var_os(name);
    match args.method {
        Method::Status => status::status(&args, environment),
        Method::Run => daemon::run(&args, supervisor, environment, &mut *log),
        Method::Stop => stop(args, supervisor, environment, &mut *log),
        Method::Refresh if args.may_use_daemon(supervisor) => request_refresh(environment, supervisor, &mut *log)
            .unwrap_or_else(|| run_once(&args, supervisor, environment, &mut *log)),
        _ => run_once(&args, supervisor, environment, &mut *log),
    }
}

/// `manual-key stop`, of the instance that the arguments name.
fn stop(mut args: Args, supervisor: &Supervisor, environment: Environment<'_>, log: &mut dyn Log) -> Result<(), Reason> {
    let directory = dirs::runtime_of(args.instance.as_deref(), environment);
    if args.open && control_socket::is_served(&control_socket::path(&directory)) {
        log.event(&event::daemon::keeps_policies(dirs::instance_of(&directory)));
        return Err(Reason::Other);
    }
    if args.instance.is_some() {
        // As in manual-key@.service.
        args.overrides.flush.get_or_insert(Scope::Owned);
    }
    let instance = args.instance.clone();
    let of_instance = |variable: &str| match &instance {
        Some(name) => dirs::variable_of(name, variable, environment),
        None => environment(variable),
    };
    run_once(&args, supervisor, &of_instance, log)
}

/// Runs a method that ends with its work.
fn run_once(args: &Args, supervisor: &Supervisor, environment: Environment<'_>, log: &mut dyn Log) -> Result<(), Reason> {
    let mut config = Config::load(&args.overrides, environment, supervisor).map_err(|error| {
        log.event(&event::load::wrong_config(&error));
        error.reason()
    })?;
    if args.open {
        config.protection.keep_on_stop = false;
    }
    config.findings.iter().for_each(|finding| log.event(&event::load::unsafe_file(finding)));
    config.sadb.install_algorithms();
    let mut loader = Loader::new(&config, supervisor, log);
    let outcome = match args.method {
        Method::Check => return loader.check(),
        Method::Plan => return loader.plan(args.json, args.at.unwrap_or_else(unix_now)),
        Method::Stop => loader.stop(),
        Method::Start | Method::Refresh | Method::Run | Method::Status => match args.confirm {
            None => loader.load(args.show),
            Some(_) if control_socket::is_served(&control_socket::path(&dirs::runtime(environment))) => {
                log.event(&event::daemon::confirm_by_hand_only());
                return Err(Reason::Other);
            }
            Some(seconds) => confirm::load(&config, supervisor, log, Duration::from_secs(seconds), args.show)?,
        },
    };
    finish(&config, &outcome, log)
}

fn finish(config: &Config, outcome: &LoadOutcome, log: &mut dyn Log) -> Result<(), Reason> {
    if outcome.failure.is_none() {
        udp_ports::report_holders(&outcome.encap_ports, config, log);
    }
    state::save(config, outcome, None);
    outcome.result()
}

/// Has the daemon refresh, and waits for the reply; `None` if there is no daemon.
fn request_refresh(environment: Environment<'_>, supervisor: &Supervisor, log: &mut dyn Log) -> Option<Result<(), Reason>> {
    let path = control_socket::path(&dirs::runtime(environment));
    let reply = match control_socket::request_refresh(&path) {
        Ok(reply) => reply?,
        Err(error) => {
            log.event(&event::daemon::no_reply(&path, &error));
            let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
            return Some(Err(if is_denied { Reason::Permission } else { Reason::Other }));
        }
    };
    // The daemon runs under systemd or by hand, so its codes are those of sysexits.
    let reason = Reason::of_code(reply.code);
    if *supervisor == Supervisor::None {
        // In a unit, the journal has the daemon's own line already.
        log.event(&event::daemon::refresh_reply(&reply.text, reason == Reason::Done));
    }
    Some(if reason == Reason::Done { Ok(()) } else { Err(reason) })
}

/// Prints help, version or a usage error, which cites no argument.
pub(crate) fn print_usage(error: clap::Error) {
    // Best effort: the reader may have closed the stream.
    let _ = redact::without_values(error).print();
}

fn usage_result(error: clap::Error) -> Result<(), Reason> {
    let kind = error.kind();
    print_usage(error);
    match kind {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(()),
        _ => Err(Reason::Usage),
    }
}
