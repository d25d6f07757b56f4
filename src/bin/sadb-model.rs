//! `sadb-model`: the model SADB on a Unix socket.

#[global_allocator]
static HEAP: ipseckey::WipingAllocator = ipseckey::WipingAllocator;

fn main() -> std::process::ExitCode {
    ipseckey::sadb_model()
}
