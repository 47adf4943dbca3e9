//! `tenon`: runs connectors over the embedded ERP, for local testing and small installs.

use std::process::ExitCode;

/// Runs allocate many small records; this allocator takes half the time of the system's for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tenon::cli::main()
}
