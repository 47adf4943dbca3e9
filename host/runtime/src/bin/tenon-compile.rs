//! `tenon-compile`: the program of a `CompilerProcess`, for platforms that embed the host.

fn main() -> std::process::ExitCode {
    tenon_host::compile_stdin(std::env::args_os().skip(1))
}
