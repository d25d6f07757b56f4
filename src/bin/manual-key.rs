//! `manual-key`: the service. See `ipseckey::service`.

fn main() -> std::process::ExitCode {
    ipseckey::service::main(std::env::args_os())
}
