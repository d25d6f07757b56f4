//! The program `ipseckey`: options, keys files, the shell's words, the prompt.
#![forbid(unsafe_code)]

mod args;
mod blocks;
mod commands;
mod complete;
mod exit;
mod flood;
mod help;
mod listing;
mod output;
mod progress;
mod prompt;
mod refusal;
mod report;
mod run;
mod sarif;
mod session;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::sadb::SADB_VARIABLE;
use crate::service;
use crate::sys::process::hardening;
use crate::sys::process::privilege::Privileges;
use args::{Args, Task};
use exit::{Exit, SMF_FMRI};

/// Runs `ipseckey` with the arguments of the process (the program's name first).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    hardening::harden(Privileges::SadbAndFiles);
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match args::parse(arguments.iter().cloned(), std::env::var_os(SADB_VARIABLE)) {
        Ok(args) => args,
        Err(error) => return show_usage(&error, &arguments).into(),
    };
    let exit = match under_smf(&args) {
        Some(method) => service::main(method),
        None => {
            args.sadb.clone().unwrap_or_default().install_algorithms();
            run::run(&args).into()
        }
    };
    hardening::wipe_stack();
    exit
}

/// SMF keeps its log readable to the world and wants a flush before the first command: a file is then the service's work.
fn under_smf(args: &Args) -> Option<Vec<OsString>> {
    std::env::var_os(SMF_FMRI)?;
    let (method, file) = match &args.task {
        Task::Load(file) => ("start", file),
        Task::Check(file) => ("check", file),
        _ => return None,
    };
    let mut words: Vec<OsString> = vec!["manual-key".into(), method.into(), "--config-file".into(), file.into()];
    if let Some(sadb) = &args.sadb {
        words.extend(["--sadb".into(), sadb.to_string().into()]);
    }
    Some(words)
}

/// Help and version are an answer; anything else is a usage error.
fn show_usage(error: &clap::Error, arguments: &[OsString]) -> Exit {
    service::print_usage(error, arguments);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}
