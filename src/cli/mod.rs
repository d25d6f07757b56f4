//! The program `ipseckey`: options, keys files, the shell's words, the prompt.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod help;
mod output;
mod prompt;
mod run;
mod save_file;
mod session;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::sadb::SADB_VARIABLE;
use crate::sys::hardening;
use exit::Exit;

/// Runs `ipseckey` with the arguments of the process (the program's name first).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    hardening::harden();
    let args = match args::parse(arguments, std::env::var_os(SADB_VARIABLE)) {
        Ok(args) => args,
        Err(error) => return show_usage(&error).into(),
    };
    run::run(&args).into()
}

/// Help and version are an answer; anything else is a usage error.
fn show_usage(error: &clap::Error) -> Exit {
    // A closed standard output or error is no reason to fail.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}
