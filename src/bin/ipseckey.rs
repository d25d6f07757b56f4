//! `ipseckey`: manually manipulate an IPsec security association database.

fn main() -> std::process::ExitCode {
    ipseckey::cli::main(std::env::args_os())
}
