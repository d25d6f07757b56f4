//! `ipseckey`: manually manipulate an IPsec security association database.

#[global_allocator]
static HEAP: ipseckey::WipingAllocator = ipseckey::WipingAllocator;

fn main() -> std::process::ExitCode {
    ipseckey::ipseckey(std::env::args_os())
}
