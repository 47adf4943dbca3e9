//! `cargo xtask`: builds the components, and everything that needs them built.

mod browser;
mod contract;
mod features;
#[cfg(test)]
mod guide;
mod schemathesis;
mod sdk;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};

/// The target of every component.
const WASM: &str = "wasm32-wasip2";

/// The crates of the connectors, and the file that each is installed as.
const CONNECTORS: &[(&str, &str)] = &[("tenon-keycrm", "keycrm"), ("tenon-moysklad", "moysklad")];

/// The crates of connectors that show how one is written, and the file that each is built to.
const EXAMPLES: &[(&str, &str)] = &[("tenon-shoplite", "shoplite")];

/// The crates of guests that only tests run, one in each of their examples: where its sources are
/// and the folder that its components go to. One attacks the host, the other is operated.
const TEST_GUESTS: &[(&str, &str, &str)] = &[
    (
        "tenon-hostile-guests",
        "tests/conformance/guests",
        "conformance",
    ),
    ("tenon-ledger-guests", "tests/scenarios/guests", "scenarios"),
];

/// The packages of the programs that run natively: host, demo and benchmarks.
const PROGRAMS: &[&str] = &["tenon", "tenon-scenarios"];

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, demonstrate, test and measure Tenon"
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the components to target/components and the host to target/release/tenon.
    Build,
    /// Build everything, start the simulators and synchronise every integration.
    Demo {
        /// End after the exchanges instead of leaving the simulators and the server running.
        #[arg(long)]
        once: bool,
        /// Print one JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Build everything and run all tests. Installs Chromium and Schemathesis where they are missing.
    Test {
        /// Arguments for `cargo test`, such as a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build everything, and try the contract and the packed SDK as authors elsewhere do.
    Contract,
    /// Pack the SDK for connectors in repositories of their own, to target/sdk.
    Pack,
    /// Measure, print a table, and write target/bench.json.
    Bench {
        /// Names of benchmarks; all by default.
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    match execute(Args::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(task: Task) -> Result<()> {
    let root = root()?;
    if matches!(task, Task::Pack) {
        return sdk::pack(&root, &target(&root).join("sdk"));
    }
    build(&root)?;
    if !matches!(task, Task::Demo { .. } | Task::Contract) {
        build_test_guests(&root)?;
    }
    let program = |name: &str| {
        let mut command = Command::new(target(&root).join("release").join(name));
        command.current_dir(&root);
        command
    };
    match task {
        Task::Build | Task::Pack => Ok(()),
        Task::Contract => contract::check(&root),
        Task::Demo { once, json } => {
            let mut demo = program("tenon-demo");
            demo.args(once.then_some("--once"));
            demo.args(json.then_some("--json"));
            run(&mut demo)
        }
        Task::Test { arguments } => {
            features::check(&root)?;
            browser::ensure_browser()?;
            let everything = arguments.is_empty();
            run(cargo(&root)
                .args(["test", "--release", "--no-fail-fast"])
                .args(tests())
                .args(arguments))?;
            if everything {
                contract::check(&root)?;
                schemathesis::check(&root)?;
            }
            Ok(())
        }
        Task::Bench { names } => run(program("tenon-bench").args(names)),
    }
}

fn build(root: &Path) -> Result<()> {
    ensure_target()?;
    let mut guests = cargo(root);
    guests.args(["build", "--profile", "guest", "--target", WASM]);
    for (package, _) in CONNECTORS.iter().chain(EXAMPLES) {
        guests.args(["--package", package]);
    }
    run(&mut guests)?;

    for (kind, packages) in [("connectors", CONNECTORS), ("examples", EXAMPLES)] {
        let folder = target(root).join("components").join(kind);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for (package, name) in packages {
            let file = format!("{}.wasm", package.replace('-', "_"));
            let built = target(root).join(WASM).join("guest").join(file);
            let installed = folder.join(format!("{name}.wasm"));
            std::fs::copy(&built, &installed).with_context(|| built.display().to_string())?;
        }
    }
    run(cargo(root).args(["build", "--release"]).args(programs()))
}

/// Selects the packages of the host, the demo and the benchmarks.
fn programs() -> Vec<&'static str> {
    PROGRAMS
        .iter()
        .flat_map(|package| ["--package", package])
        .collect()
}

/// Selects all packages but the guests that only run as components.
fn tests() -> Vec<&'static str> {
    let guests = TEST_GUESTS
        .iter()
        .flat_map(|(package, ..)| ["--exclude", package]);
    ["--workspace"].into_iter().chain(guests).collect()
}

/// Builds the guests that only tests run. Nothing that they do is worth a long optimisation.
fn build_test_guests(root: &Path) -> Result<()> {
    let packages = TEST_GUESTS
        .iter()
        .map(|(package, ..)| ["--package", package]);
    run(cargo(root)
        .args(["build", "--profile", "hostile", "--target", WASM])
        .args(packages.flatten())
        .arg("--examples"))?;
    for (_, sources, folder) in TEST_GUESTS {
        let folder = target(root).join("components").join(folder);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let sources = root.join(sources).join("examples");
        let entries = std::fs::read_dir(&sources).with_context(|| sources.display().to_string())?;
        for entry in entries {
            let file = Path::new(&entry?.file_name()).with_extension("wasm");
            let built = target(root).join(WASM).join("hostile/examples").join(&file);
            copy_if_newer(&built, &folder.join(&file))
                .with_context(|| built.display().to_string())?;
        }
    }
    Ok(())
}

fn copy_if_newer(from: &Path, to: &Path) -> std::io::Result<()> {
    let changed = std::fs::metadata(from)?.modified()?;
    let copied = std::fs::metadata(to).and_then(|copy| copy.modified());
    if copied.is_ok_and(|copied| copied > changed) {
        return Ok(());
    }
    std::fs::copy(from, to).map(drop)
}

/// rustup may be told not to install what `rust-toolchain.toml` names, so this asks for it. A
/// toolchain without rustup has the target from its distribution or fails with a clear error.
fn ensure_target() -> Result<()> {
    let Ok(installed) = (Command::new("rustup").args(["target", "list", "--installed"])).output()
    else {
        return Ok(());
    };
    let installed = String::from_utf8_lossy(&installed.stdout);
    if installed.lines().any(|target| target == WASM) {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM]))
}

fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(Path::to_owned)
        .context("xtask has no folder above it")
}

/// Where cargo puts its results.
fn target(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root);
    // What cargo says about this program would reach the build scripts of dependencies; ring's runs
    // again when it changes, and everything above ring is compiled again.
    let about_xtask =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(about_xtask) {
            command.env_remove(name);
        }
    }
    command
}

/// Where a program is, if it is installed.
fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The programs of a package for Python, in an environment of its own.
fn venv(folder: &Path, package: &str) -> Result<PathBuf> {
    let (programs, marker) = (folder.join("bin"), folder.join("package"));
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == package) {
        return Ok(programs);
    }
    let environment = || {
        let mut python = Command::new("python3");
        python.args(["-m", "venv", "--clear"]).arg(folder);
        python
    };
    if run(&mut environment()).is_err() {
        // Debian and Ubuntu keep this part of Python in a package of its own.
        run(Command::new("apt-get").args(["install", "-y", "python3-venv"]))
            .context("Python has no `venv`; install python3-venv")?;
        run(&mut environment())?;
    }
    run(Command::new(programs.join("pip")).args(["install", "--quiet", package]))?;
    std::fs::write(&marker, package).with_context(|| marker.display().to_string())?;
    Ok(programs)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(
        status.success(),
        "{:?} failed: {status}",
        command.get_program()
    );
    Ok(())
}
