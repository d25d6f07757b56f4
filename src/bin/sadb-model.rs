//! `sadb-model`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipseckey::model::serve()
}
