//! The program `ipseckey`.
#![forbid(unsafe_code)]

mod added_sas;
pub(crate) mod args;
mod chains;
mod command_loop;
mod connection;
mod execute;
mod exit;
mod expected_refusals;
mod forms;
mod getopt;
mod help;
mod input_blocks;
mod output;
mod ownership;
mod private_output;
mod progress;
mod prompt;
mod refusal;
mod repeat_limit;
mod report;
mod save;
mod session;
mod settings;
mod show;
mod standard_input;
mod tools;
mod unprotected;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::sadb::SADB_VARIABLE;
use crate::service;
use crate::sys::process::hardening;
use crate::sys::process::privilege::Privileges;
use args::{Args, Task};
use exit::{Exit, SMF_FMRI};

/// Runs `ipseckey`. The first of the arguments is the name of the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    hardening::harden(Privileges::SadbAndFiles);
    let args = match args::parse(arguments, std::env::var_os(SADB_VARIABLE)) {
        Ok(args) => args,
        Err(error) => return show_usage(error).into(),
    };
    let exit = match under_smf(&args) {
        Some(method) => service::main(method),
        None => {
            args.settings.sadb.clone().unwrap_or_default().install_algorithms();
            forms::run(&args).into()
        }
    };
    hardening::wipe_stack();
    exit
}

/// The arguments of `manual-key` for `-f` and `-c` as a method of SMF. Only the service masks its messages for SMF's log, which every
/// user can read, and flushes the SADB before the first command.
fn under_smf(args: &Args) -> Option<Vec<OsString>> {
    std::env::var_os(SMF_FMRI)?;
    let (method, file) = match &args.task {
        Task::Load(file) => ("start", file),
        Task::Check(file) => ("check", file),
        _ => return None,
    };
    let mut words: Vec<OsString> = vec!["manual-key".into(), method.into(), "--config-file".into(), file.into()];
    if args.settings.allow_empty {
        words.push("--allow-empty".into());
    }
    if let Some(sadb) = &args.settings.sadb {
        words.extend(["--sadb".into(), sadb.to_word()]);
    }
    Some(words)
}

/// Prints the help, the version, or a usage error.
fn show_usage(error: clap::Error) -> Exit {
    let kind = error.kind();
    service::print_usage(error);
    match kind {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}
