//! The program `manual-key`: keeps the SAs of a keys file in an SADB, as SMF, systemd or a person asks for it.
//!
//! read the file -> flush -> parse all of it -> apply it; each step in refresh.rs, every word it says in event.rs, every
//! exit code in exit.rs.
#![forbid(unsafe_code)]

mod args;
mod config;
mod event;
mod exit;
mod keys;
mod log;
mod refresh;
mod smf;
mod world;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::sys::hardening;
pub use config::check_config;

use config::Config;
use event::Event;
use exit::Reason;
use log::Log;
use refresh::Service;
use world::World;

/// Runs `manual-key` with the arguments of the process, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    hardening::harden();
    let environment = |name: &str| std::env::var_os(name);
    let (world, reason) = match World::detect(&environment) {
        Ok(world) => {
            let reason = run(arguments, &world);
            (world, reason)
        }
        Err(world::NoSmf) => {
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
    let args = match args::parse(arguments) {
        Ok(args) => args,
        Err(error) => return show_usage(&error),
    };
    let mut log = open_log(world);
    let config = Config::load(&args.overrides, &|name| std::env::var_os(name), world).map_err(|error| {
        log.event(&Event::NoConfig(&error));
        error.reason()
    })?;
    Service::new(&config, world, &mut *log).carry_out(&args)
}

/// Help and version are an answer; anything else is a usage error.
fn show_usage(error: &clap::Error) -> Result<(), Reason> {
    // A closed stream is no reason to fail.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(()),
        _ => Err(Reason::Usage),
    }
}
