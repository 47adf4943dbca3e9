//! What is refused when a component is installed, and what compiling it can do to the host: nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::{Fault, Reason};
use tenon_host::platform::{Answer, UnitOfWork};
use tenon_host::{
    CompileError, Compiler, CompilerProcess, Connector, Host, HostOptions, InstallError, Platform,
};

/// Installing never opens a unit of work.
struct NoPlatform;

#[async_trait]
impl Platform for NoPlatform {
    async fn begin(&self, _: &TenantId, _: &ConnectionId) -> Answer<Box<dyn UnitOfWork>> {
        Err(Fault::Unsupported(Reason::new("platform.none")))
    }
}

/// The child that the package ships.
fn child() -> CompilerProcess {
    CompilerProcess::new(env!("CARGO_BIN_EXE_tenon-compile"))
}

async fn install_with(
    compiler: Compiler,
    cache: &Path,
    wasm: &[u8],
) -> Result<Arc<Connector>, InstallError> {
    let host = Host::new(Arc::new(NoPlatform), HostOptions::new(cache, compiler)).unwrap();
    host.install(wasm).await
}

async fn install(wasm: &[u8]) -> InstallError {
    let cache = tempfile::tempdir().unwrap();
    let refused = install_with(Compiler::Child(child()), cache.path(), wasm).await;
    refused.unwrap_err()
}

/// A connector as it is built for use.
fn keycrm() -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into());
    let file = (workspace.join(target)).join("components/connectors/keycrm.wasm");
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()))
}

/// A component that says it is a connector of this version of the contract.
fn of_contract(version: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (component $c)
            (instance $i (instantiate $c))
            (export "tenon:connector/sync@{version}" (instance $i))
        )"#
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_component_of_another_contract_is_refused_with_both_versions() {
    for version in ["0.1.0", "0.3.0", "1.0.0-rc.1"] {
        let error = install(&of_contract(version)).await.to_string();
        assert!(
            error.contains(&format!("speaks version {version} ")),
            "{error}"
        );
        assert!(error.contains("this host 0.2.0"), "{error}");
        assert!(error.contains("build it with"), "{error}");
    }
    let importing = wat::parse_str(r#"(component (import "tenon:runtime/run@0.1.0" (instance)))"#);
    let error = install(&importing.unwrap()).await.to_string();
    assert!(error.contains("speaks version 0.1.0 "), "{error}");
}

/// A component that says it is a connector, and has a core module.
fn claiming(module: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module {module})
            (component $c)
            (instance $i (instantiate $c))
            (export "tenon:connector/sync@0.2.0" (instance $i)))"#
    );
    wat::parse_str(text).unwrap()
}

/// A component whose one function takes long to compile: more than twice as long for twice the
/// steps, and seconds for ten thousand.
fn bomb(steps: usize) -> Vec<u8> {
    let step =
        "(local.set 0 (i32.add (local.get 0) (i32.load (i32.mul (local.get 0) (local.get 1)))))
                (if (local.get 0) (then (local.set 1 (call 0 (local.get 0) (local.get 1)))))";
    let body = step.repeat(steps);
    claiming(&format!(
        "(memory 1) (func (param i32 i32) (result i32) {body} (local.get 1))"
    ))
}

/// The files of a cache with their bytes.
fn kept(cache: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(cache).into_iter().flatten();
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let code = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into(), code)
    };
    entries.map(file).collect()
}

#[tokio::test]
async fn imports_outside_the_contract_are_refused_by_name() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:keyvalue/store@0.2.0" (instance))
            (import "wasi:sockets/types@0.3.0" (instance))
            (import "wasi:clocks/wall-clock@0.2.3" (instance)))"#,
    );
    let error = install(&component.unwrap()).await;
    assert!(
        matches!(&error, InstallError::ForbiddenImports(names)
            if names == &["wasi:keyvalue/store@0.2.0", "wasi:sockets/types@0.3.0"]),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("wasi:sockets/types") && !text.contains("clocks"),
        "{text}"
    );
}

#[tokio::test]
async fn a_forbidden_component_is_not_compiled() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:keyvalue/store@0.2.0" (instance))
            (core module (func (result i32) unreachable i64.const 0)))"#,
    );
    let error = install(&component.unwrap()).await;
    assert!(
        matches!(error, InstallError::ForbiddenImports(_)),
        "its module is not valid, and nobody looked: {error}"
    );
}

#[tokio::test]
async fn imports_of_a_nested_component_are_its_parents_to_give() {
    let component = wat::parse_str(
        r#"(component
            (component
                (import "wasi:keyvalue/store@0.2.0" (instance))
                (component $c)
                (instance $i (instantiate $c))
                (export "tenon:connector/sync@0.2.0" (instance $i))))"#,
    );
    let error = install(&component.unwrap()).await;
    assert!(matches!(error, InstallError::NotAConnector), "{error}");
}

#[tokio::test]
async fn a_component_larger_than_the_host_takes_is_refused_unread() {
    let cache = tempfile::tempdir().unwrap();
    let mut options = HostOptions::new(cache.path(), Compiler::Child(child()));
    options.component_size = 1_000;
    let host = Host::new(Arc::new(NoPlatform), options).unwrap();
    let error = host.install(&[0; 1_001]).await.unwrap_err();
    assert_eq!(
        "the component has 1001 bytes; this host takes at most 1000",
        error.to_string()
    );
    let error = host.install(&[0; 1_000]).await.unwrap_err();
    assert!(matches!(error, InstallError::Unusable(_)), "{error}");
}

#[tokio::test]
async fn a_component_that_is_not_a_connector_is_refused() {
    let error = install(&wat::parse_str("(component)").unwrap()).await;
    assert!(matches!(error, InstallError::NotAConnector), "{error}");
}

#[tokio::test]
async fn what_is_not_a_component_is_refused_in_one_line() {
    for wasm in [
        b"\0asm".as_slice(),
        b"MZ",
        b"",
        &wat::parse_str("(module)").unwrap(),
    ] {
        let error = install(wasm).await;
        assert!(matches!(error, InstallError::Unusable(_)), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_connector_whose_exports_differ_from_the_contract_is_refused() {
    let error = install(&claiming("")).await;
    assert!(matches!(error, InstallError::Unusable(_)), "{error}");
    assert!(error.to_string().contains("describe"), "{error}");
}

#[tokio::test]
async fn an_invalid_component_is_refused_by_the_child_in_one_line() {
    let error = install(&claiming("(func (result i32) i64.const 0)")).await;
    let text = error.to_string();
    assert!(
        matches!(error, InstallError::Compile(CompileError::Refused(_))),
        "{text}"
    );
    assert!(
        text.contains("type mismatch") && !text.contains('\n'),
        "{text}"
    );
}

/// A component that says it is a connector, and instantiates modules.
fn made_of(modules: &[&str]) -> Vec<u8> {
    let parts = modules.iter().enumerate().map(|(index, module)| {
        format!("(core module {module}) (core instance (instantiate {index}))")
    });
    let parts: String = parts.collect();
    let text = format!(
        r#"(component
            {parts}
            (component $c)
            (instance $i (instantiate $c))
            (export "tenon:connector/sync@0.2.0" (instance $i)))"#
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_component_of_more_parts_than_a_run_gets_is_told_of_what_and_how_many() {
    let (none, table, memory) = ("", "(table 1 funcref)", "(memory 1)");
    for (modules, words) in [
        (
            vec![none; 129],
            "129 core instances; a run gets at most 128",
        ),
        (vec![memory; 2], "2 memories; a run gets at most 1"),
        (vec![table; 9], "9 tables; a run gets at most 8"),
        (
            vec!["(table 20001 funcref)"],
            "20001 elements in a table; a run gets at most 20000",
        ),
        (
            vec!["(memory 4097)"],
            "268500992 bytes of memory from the start; a run gets at most 268435456",
        ),
    ] {
        let error = install(&made_of(&modules)).await;
        assert_eq!(format!("the component has {words}"), error.to_string());
    }
    // What is just not too much differs from the contract only.
    for modules in [vec![none; 128], vec![memory], vec![table; 8]] {
        let error = install(&made_of(&modules)).await;
        assert!(matches!(error, InstallError::Unusable(_)), "{error}");
    }
}

#[tokio::test]
async fn code_made_by_the_child_is_the_code_made_in_process() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wasm = keycrm();
    let own = install_with(Compiler::InProcess, near.path(), &wasm)
        .await
        .unwrap();
    let childs = install_with(Compiler::Child(child()), far.path(), &wasm)
        .await
        .unwrap();
    assert_eq!("keycrm", childs.manifest.name);
    assert_eq!(own.manifest, childs.manifest);
    let (near, far) = (kept(near.path()), kept(far.path()));
    assert_eq!(1, near.len());
    assert!(near == far, "the caches differ");
}

#[tokio::test]
async fn compiling_that_takes_too_long_is_cut_and_nothing_is_kept() {
    let cache = tempfile::tempdir().unwrap();
    let impatient = CompilerProcess {
        time: Duration::from_millis(100),
        ..child()
    };
    let error = install_with(Compiler::Child(impatient), cache.path(), &bomb(40_000)).await;
    assert_eq!(
        "compiling the component took longer than 0.1 s",
        error.unwrap_err().to_string()
    );
    assert!(kept(cache.path()).is_empty());
}

#[tokio::test]
async fn compiling_that_needs_too_much_memory_leaves_the_host_unharmed() {
    let cache = tempfile::tempdir().unwrap();
    let wasm = keycrm();
    let poor = CompilerProcess {
        memory: 32 << 20,
        ..child()
    };
    let error = install_with(Compiler::Child(poor), cache.path(), &wasm).await;
    assert_eq!(
        "compiling the component needed more than 32 MiB of memory",
        error.unwrap_err().to_string()
    );
    assert!(kept(cache.path()).is_empty());
    let installed = install_with(Compiler::Child(child()), cache.path(), &wasm).await;
    assert_eq!("keycrm", installed.unwrap().manifest.name);
}

#[tokio::test]
async fn other_work_goes_on_while_a_component_is_compiled() {
    let wasm = bomb(10_000);
    for compiler in [Compiler::InProcess, Compiler::Child(child())] {
        let cache = tempfile::tempdir().unwrap();
        let other = tokio::spawn(async {});
        let refused = install_with(compiler, cache.path(), &wasm).await;
        assert!(matches!(refused, Err(InstallError::Unusable(_))));
        assert!(other.is_finished(), "one thread did both");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_does_not_end_is_killed() {
    // The limits are appended, and `sleep` adds up what it is given.
    let ages = "9753108642";
    let process = CompilerProcess {
        arguments: vec![ages.into()],
        time: Duration::from_millis(100),
        ..CompilerProcess::new("/bin/sleep")
    };
    let cache = tempfile::tempdir().unwrap();
    let wasm = claiming("");
    let error = install_with(Compiler::Child(process), cache.path(), &wasm).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, InstallError::Compile(CompileError::TooLong(_))),
        "{error}"
    );
    for entry in std::fs::read_dir("/proc").unwrap() {
        // A process may end while it is looked at.
        let line = std::fs::read_to_string(entry.unwrap().path().join("cmdline"));
        assert!(!line.unwrap_or_default().contains(ages));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_no_compiler_is_named() {
    let wasm = claiming("");
    let cases: [(&str, &[&str], &str); 4] = [
        (
            "/bin/none",
            &[],
            "the compiler /bin/none cannot be started: No such file or directory (os error 2)",
        ),
        (
            "/bin/sh",
            &["-c", "exit 3"],
            "the compiler failed: /bin/sh ended with exit status: 3 and said: nothing",
        ),
        (
            "/bin/sh",
            &["-c", "echo; echo not today >&2; exit 1"],
            "the compiler failed: /bin/sh ended with exit status: 1 and said: not today",
        ),
        (
            "/bin/sh",
            &["-c", "cat"],
            "the compiler is not of this host's version, its code cannot be loaded",
        ),
    ];
    for (program, arguments, words) in cases {
        let process = CompilerProcess {
            arguments: arguments.iter().map(Into::into).collect(),
            ..CompilerProcess::new(program)
        };
        let cache = tempfile::tempdir().unwrap();
        let error = install_with(Compiler::Child(process), cache.path(), &wasm).await;
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with(words) && !text.contains('\n'), "{text}");
        assert!(kept(cache.path()).is_empty());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_child_has_no_environment() {
    assert!(std::env::var_os("PATH").is_some());
    let process = CompilerProcess {
        arguments: ["-c", "/usr/bin/env >&2; exit 1"].map(Into::into).into(),
        ..CompilerProcess::new("/bin/sh")
    };
    let cache = tempfile::tempdir().unwrap();
    let error = install_with(Compiler::Child(process), cache.path(), &claiming("")).await;
    let text = error.unwrap_err().to_string();
    // The shell gives it the one, and would have passed on the other.
    assert!(text.contains("PWD=") && !text.contains("PATH="), "{text}");
}

#[tokio::test]
async fn the_child_says_so_when_it_is_started_without_its_limits() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tenon-compile")).output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        "started without its limits: bytes of memory and seconds of computing\n",
        complaint
    );
}

/// Whether the next install takes its code from the cache.
#[cfg(unix)]
async fn loads_from(cache: &Path) -> bool {
    let no_compiler = Compiler::Child(CompilerProcess::new("/bin/none"));
    install_with(no_compiler, cache, &keycrm()).await.is_ok()
}

#[cfg(unix)]
#[tokio::test]
async fn code_that_others_may_write_is_made_anew() {
    use std::os::unix::fs::PermissionsExt as _;

    let scratch = tempfile::tempdir().unwrap();
    let cache = scratch.path().join("compiled");
    let wasm = keycrm();
    let installed = install_with(Compiler::Child(child()), &cache, &wasm).await;
    installed.unwrap();
    let file = cache.join(&kept(&cache)[0].0);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let change = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!((0o700, 0o600), (mode(&cache), mode(&file)));
    assert!(loads_from(&cache).await);

    change(&file, 0o620);
    assert!(!loads_from(&cache).await);
    let installed = install_with(Compiler::Child(child()), &cache, &wasm).await;
    installed.unwrap();
    assert_eq!(0o600, mode(&file), "it was made anew");
    assert!(loads_from(&cache).await);

    change(&cache, 0o702);
    assert!(!loads_from(&cache).await);
    change(&cache, 0o755);
    assert!(loads_from(&cache).await);
}
