//! `sadb-model`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipseckey::sadb::model::serve()
}
