//! `manual-key`: the service.

#[global_allocator]
static HEAP: ipseckey::WipingAllocator = ipseckey::WipingAllocator;

fn main() -> std::process::ExitCode {
    ipseckey::manual_key(std::env::args_os())
}
