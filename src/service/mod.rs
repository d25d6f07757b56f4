//! The program `manual-key`: keeps the SAs of a keys file in an SADB, as SMF, systemd or a person asks for it.
//!
//! read the file -> flush -> parse all of it -> apply it; each step in refresh.rs, every word it says in event.rs, every
//! exit code in exit.rs.
#![forbid(unsafe_code)]

mod args;
mod config;
mod daemon;
mod exit;
mod load;
mod log;
mod records;
mod status;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::redact;
use crate::sys::process::hardening;
use crate::sys::process::privilege::{self, Need};
use args::Method;
use config::Config;
use config::dirs;
#[cfg(feature = "internals")]
pub use config::properties::check_config;
use config::supervisor::{self, Environment, World};
use daemon::control_socket;
#[cfg(feature = "internals")]
pub use daemon::control_socket::reread_answer;
use exit::Reason;
use load::Service;
use log::Log;
use log::event::Event;
use log::witness::Witness;
#[cfg(feature = "internals")]
pub use records::owned_sas::rewritten_record;
use status::state;
#[cfg(feature = "internals")]
pub use status::state::rewritten_news;

/// Runs `manual-key` with the arguments of the process, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    privilege::distrust_environment();
    let environment = |name: &str| std::env::var_os(name);
    let world = World::detect(&environment);
    let is_service = world.as_ref().is_ok_and(World::is_service);
    hardening::harden(if is_service { Need::Sadb } else { Need::SadbAndFiles });
    let (world, reason) = match world {
        Ok(world) => {
            let reason = run(arguments, &world);
            (world, reason)
        }
        Err(supervisor::NoSmf) => {
            open_log(&World::Plain).event(&Event::NoSmf);
            (World::Plain, Err(Reason::NoSmf))
        }
    };
    hardening::wipe_stack();
    ExitCode::from(reason.err().unwrap_or(Reason::Done).code(&world))
}

fn open_log(world: &World) -> Box<dyn Log> {
    log::open(world, &|name| std::env::var_os(name), Box::new(io::stdout()), Box::new(io::stderr()))
}

fn run(arguments: impl IntoIterator<Item = OsString>, world: &World) -> Result<(), Reason> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match args::parse(arguments.iter().cloned()) {
        Ok(args) => args,
        Err(error) => return show_usage(&error, &arguments),
    };
    let mut log = open_log(world);
    let environment: Environment<'_> = &|name| std::env::var_os(name);
    if args.method == Method::Status {
        return status::status(&args, environment);
    }
    if args.method == Method::Run {
        return daemon::run(&args, world, environment, &mut *log);
    }
    if let Some(outcome) = args.leaves_it_to_the_service(world).then(|| ask(environment, world, &mut *log)).flatten() {
        return outcome;
    }
    let config = Config::load(&args.overrides, environment, world).map_err(|error| {
        log.event(&Event::NoConfig(&error));
        error.reason()
    })?;
    config.sadb.install_algorithms();
    let mut witness = Witness::new(&mut *log);
    let outcome = Service::new(&config, world, &mut witness).carry_out(&args);
    if args.method.changes_state() {
        state::keep(&config, &witness, args.method == Method::Stop, outcome, None);
    }
    outcome
}

/// Has the running service refresh and waits until it has; `None` if none is running.
fn ask(environment: Environment<'_>, world: &World, log: &mut dyn Log) -> Option<Result<(), Reason>> {
    let path = control_socket::path(&dirs::runtime(environment));
    let verdict = match control_socket::ask(&path) {
        Ok(verdict) => verdict?,
        Err(error) => {
            log.event(&Event::NoChannel(&error));
            let denied = error.kind() == io::ErrorKind::PermissionDenied;
            return Some(Err(if denied { Reason::Permission } else { Reason::Other }));
        }
    };
    let reason = Reason::of_code(verdict.code);
    if *world == World::Plain {
        // In a unit the service's own line is in the same journal.
        log.event(&Event::Refreshed { text: &verdict.text, done: reason == Reason::Done });
    }
    Some(if reason == Reason::Done { Ok(()) } else { Err(reason) })
}

/// Prints help, or what is wrong with `arguments`, keys in them left out.
pub(crate) fn print_usage(error: &clap::Error, arguments: &[OsString]) {
    let text = error.render().to_string();
    let told = redact::without_keys(&text, arguments);
    // A closed stream is no reason to fail.
    let _ = if told == text { error.print() } else { io::stderr().write_all(told.as_bytes()) };
}

/// Help and version are an answer; anything else is a usage error.
fn show_usage(error: &clap::Error, arguments: &[OsString]) -> Result<(), Reason> {
    print_usage(error, arguments);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(()),
        _ => Err(Reason::Usage),
    }
}
