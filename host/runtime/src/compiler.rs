//! Compilation of components, kept away from the host.
//!
//! The threat: a component is untrusted bytes, and compiling it may take minutes or gigabytes (one
//! huge function, deep nesting, thousands of types) or crash the compiler. In the process of the
//! host that would slow down or end the runs of all tenants. So a child process compiles: it limits
//! itself before it reads the first byte, has no environment and three pipes only, and is killed
//! when its time is up. It writes nothing; what comes out of it is kept by the host.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use wasmtime::Engine;

use crate::engine;
use crate::manifest::one_line;
use crate::proposals;
use crate::reason::Reason;

/// Most bytes of native code that the host takes from its compiler. A connector in Rust is about a
/// megabyte and becomes three of code.
const MOST_CODE: usize = 256 << 20;
/// Most bytes that the compiler can say about a failure.
const MOST_COMPLAINT: usize = 8 << 10;

/// Exit status of a compiler that refuses the component; its complaint says why.
const REFUSED: u8 = 65;
/// Exit status of a compiler that refuses the component for its proposals; its complaint names them.
const LACKING: u8 = 66;
/// Exit status of a compiler that noticed itself that its memory does not suffice.
const OUT_OF_MEMORY: u8 = 71;
/// Exit status of a compiler that could not begin or could not hand over its work.
const BROKEN: u8 = 70;

/// Where a host compiles components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In its own process, without any limit: for components that are one's own.
    InProcess,
    /// In a child process with limits.
    Child(CompilerProcess),
}

/// A child process that compiles one component and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProcess {
    /// A program of the host's own version that calls [`compile_stdin`], such as `tenon-compile`.
    pub program: PathBuf,
    /// Its arguments; its limits follow them.
    pub arguments: Vec<OsString>,
    /// Most bytes of its address space.
    pub memory: u64,
    /// Longest time from its start to its end.
    pub time: Duration,
}

impl CompilerProcess {
    /// A program without arguments, with the default limits. The engines of JavaScript and Python, of
    /// 16 and 18 MB, take 9 s and 450 MiB; a connector in Rust takes less than a second.
    pub fn new(program: impl Into<PathBuf>) -> CompilerProcess {
        CompilerProcess {
            program: program.into(),
            arguments: Vec::new(),
            memory: 2 << 30,
            time: Duration::from_secs(60),
        }
    }
}

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It is not valid.
    #[error("the component cannot be compiled: {0}")]
    Refused(String),
    /// It uses WebAssembly proposals that are off, by their names in
    /// [`PROPOSALS`](crate::proposals::PROPOSALS).
    #[error("{}", self.reason())]
    Proposals(Vec<&'static str>),
    /// It would take longer than it may.
    #[error("{}", self.reason())]
    TooLong(Duration),
    /// It would take more memory than it may.
    #[error("{}", self.reason())]
    TooMuchMemory(u64),
    /// Its native code is larger than the host takes.
    #[error("{}", self.reason())]
    TooMuchCode,
    /// The compiler's program cannot be started.
    #[error("the compiler {program} cannot be started: {source}")]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The compiler crashed, or its program is none.
    #[error("the compiler failed: {0}")]
    Failed(String),
    /// What the compiler made does not fit this host.
    #[error("the compiler is not of this host's version, its code cannot be loaded: {0}")]
    Foreign(String),
}

impl CompileError {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            CompileError::Proposals(names) => {
                let code = match names.len() {
                    1 => "host.install.proposal",
                    _ => "host.install.proposals",
                };
                Reason::new(code).arg("names", names.join("`, `"))
            }
            CompileError::TooLong(most) => {
                Reason::new("host.install.compiles-too-long").arg("seconds", most.as_secs_f64())
            }
            CompileError::TooMuchMemory(most) => {
                Reason::new("host.install.compiles-in-too-much").arg("mib", most >> 20)
            }
            CompileError::TooMuchCode => {
                Reason::new("host.install.compiles-to-too-much").arg("mib", MOST_CODE >> 20)
            }
            CompileError::Refused(detail) => {
                Reason::new("host.install.not-compiled").detail(detail)
            }
            CompileError::Failed(_) => Reason::new("host.install.not-compiled").detail(self),
            CompileError::NotStarted { .. } | CompileError::Foreign(_) => {
                Reason::new("host.install.no-compiler").detail(self)
            }
        }
    }

    pub(crate) fn foreign(error: &wasmtime::Error) -> CompileError {
        CompileError::Foreign(one_line(&format!("{error:#}")))
    }

    fn failed(how: impl std::fmt::Display) -> CompileError {
        CompileError::Failed(how.to_string())
    }
}

impl Compiler {
    /// Native code for an engine, without holding up the executor.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::InProcess => {
                let (engine, wasm) = (engine.clone(), wasm.to_owned());
                let compiling = tokio::task::spawn_blocking(move || precompile(&engine, &wasm));
                compiling.await.map_err(CompileError::failed)?
            }
            Compiler::Child(process) => process.compile(wasm).await,
        }
    }
}

/// Native code for an engine, or why there is none.
fn precompile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    engine.precompile_component(wasm).map_err(|error| {
        let lacking = proposals::lacking(wasm);
        if lacking.is_empty() {
            CompileError::Refused(one_line(&format!("{error:#}")))
        } else {
            CompileError::Proposals(lacking)
        }
    })
}

impl CompilerProcess {
    async fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args(ChildLimits::of(self).to_arguments())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CompileError::NotStarted {
                program: self.program.clone(),
                source,
            })?;
        let Ok(ended) = tokio::time::timeout(self.time, exchange(&mut child, wasm)).await else {
            // One that ended at this very moment needs no killing.
            let _ = child.kill().await;
            return Err(CompileError::TooLong(self.time));
        };
        let ended = ended.map_err(CompileError::failed)?;
        if ended.code.len() > MOST_CODE {
            return Err(CompileError::TooMuchCode);
        }
        self.judge(ended.status, &ended.complaint)?;
        Ok(ended.code)
    }

    /// What the end of the child means.
    fn judge(&self, status: ExitStatus, complaint: &str) -> Result<(), CompileError> {
        let ended_with = |code: u8| status.code() == Some(code.into());
        if status.success() {
            Ok(())
        } else if ended_with(REFUSED) {
            Err(CompileError::Refused(one_line(complaint)))
        } else if ended_with(LACKING) {
            Err(CompileError::Proposals(proposals::named_in(complaint)))
        } else if ended_with(OUT_OF_MEMORY) || ran_out_of_memory(status, complaint) {
            Err(CompileError::TooMuchMemory(self.memory))
        } else {
            let program = self.program.display();
            let words = match one_line(complaint) {
                words if words.is_empty() => "nothing".to_owned(),
                words => words,
            };
            Err(CompileError::failed(format!(
                "{program} ended with {status} and said: {words}"
            )))
        }
    }
}

/// An allocator without memory has Rust abort with these words; a stack that cannot grow any more,
/// or code that did not ask whether it got memory, ends with a bad access.
#[cfg(unix)]
fn ran_out_of_memory(status: ExitStatus, complaint: &str) -> bool {
    const SIGABRT: i32 = 6;
    const SIGSEGV: i32 = 11;
    match std::os::unix::process::ExitStatusExt::signal(&status) {
        Some(SIGABRT) => complaint.contains("memory allocation"),
        Some(SIGSEGV) => true,
        _ => false,
    }
}

/// Limits of memory are kept on Unix only.
#[cfg(not(unix))]
fn ran_out_of_memory(_: ExitStatus, _: &str) -> bool {
    false
}

/// What a child left when it ended.
struct Ended {
    status: ExitStatus,
    code: Vec<u8>,
    complaint: String,
}

/// Gives the child the component and takes its code, its complaint and its status.
async fn exchange(child: &mut Child, wasm: &[u8]) -> io::Result<Ended> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        unreachable!("the child was started with three pipes");
    };
    let feed = async move {
        // A child that ended before it read all says why with its status.
        let _ = stdin.write_all(wasm).await;
    };
    let ((), code, complaint) = tokio::join!(
        feed,
        read(stdout, MOST_CODE + 1),
        read(stderr, MOST_COMPLAINT)
    );
    Ok(Ended {
        code: code?,
        complaint: String::from_utf8_lossy(&complaint?).into_owned(),
        status: child.wait().await?,
    })
}

/// Reads to the end of a pipe, or closes it after so many bytes.
async fn read(pipe: impl AsyncRead + Unpin, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(most as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// What a child holds itself to; the last two arguments of its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChildLimits {
    memory: u64,
    /// Of computing. The parent's clock is stricter; this ends a child whose parent was killed.
    seconds: u64,
}

impl ChildLimits {
    fn of(process: &CompilerProcess) -> ChildLimits {
        ChildLimits {
            memory: process.memory,
            seconds: process.time.as_secs().saturating_add(1),
        }
    }

    fn to_arguments(self) -> [String; 2] {
        [self.memory.to_string(), self.seconds.to_string()]
    }

    fn parse(arguments: &[OsString]) -> Option<ChildLimits> {
        let number = |argument: &OsString| argument.to_str()?.parse().ok();
        let [memory, seconds] = arguments else {
            return None;
        };
        Some(ChildLimits {
            memory: number(memory)?,
            seconds: number(seconds)?,
        })
    }

    #[cfg(unix)]
    fn enforce(self) -> io::Result<()> {
        use rlimit::Resource;
        // The three pipes, and a few files that a libc may want.
        const FILES: u64 = 16;
        let limits = [
            (Resource::AS, self.memory),
            (Resource::CPU, self.seconds),
            (Resource::NOFILE, FILES),
            (Resource::FSIZE, 0),
            (Resource::CORE, 0),
        ];
        for (resource, most) in limits {
            if resource.is_supported() {
                let (_, allowed) = resource.get()?;
                let most = most.min(allowed);
                resource.set(most, most)?;
            }
        }
        Ok(())
    }

    /// Where there are no such limits, the parent's clock alone holds.
    #[cfg(not(unix))]
    fn enforce(self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a child ends without code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("{}", .0.join(" "))]
    Lacking(Vec<&'static str>),
    #[error("out of memory")]
    OutOfMemory,
    #[error("started without its limits: bytes of memory and seconds of computing")]
    NoLimits,
    #[error("{0}")]
    Broken(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::OutOfMemory => Failure::OutOfMemory,
            _ => Failure::Broken(error.to_string()),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> ExitCode {
        ExitCode::from(match failure {
            Failure::Refused(_) => REFUSED,
            Failure::Lacking(_) => LACKING,
            Failure::OutOfMemory => OUT_OF_MEMORY,
            Failure::NoLimits | Failure::Broken(_) => BROKEN,
        })
    }
}

/// All that the program of a [`CompilerProcess`] does, and the first thing in its `main`: limits
/// the process, compiles the component on standard input, and writes the code to standard output.
/// Takes the arguments that follow [`CompilerProcess::arguments`].
pub fn compile_stdin(limits: impl IntoIterator<Item = OsString>) -> ExitCode {
    let limits: Vec<OsString> = limits.into_iter().collect();
    match serve(&limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Who does not listen is not told.
            let _ = writeln!(io::stderr(), "{failure}");
            failure.into()
        }
    }
}

fn serve(limits: &[OsString]) -> Result<(), Failure> {
    let limits = ChildLimits::parse(limits).ok_or(Failure::NoLimits)?;
    limits.enforce()?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm)?;
    let engine = engine::compiling().map_err(|error| Failure::Broken(format!("{error:#}")))?;
    let code = precompile(&engine, &wasm).map_err(|error| match error {
        CompileError::Refused(reason) => Failure::Refused(reason),
        CompileError::Proposals(names) => Failure::Lacking(names),
        other => Failure::Broken(other.to_string()),
    })?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&code)?;
    stdout.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_the_command_line_and_anything_else_is_refused() {
        let limits = ChildLimits::of(&CompilerProcess::new("tenon-compile"));
        let sent = limits.to_arguments().map(OsString::from);
        assert_eq!(Some(limits), ChildLimits::parse(&sent));
        for bad in [&[] as &[&str], &["1"], &["1", "x"], &["1", "2", "3"]] {
            let bad: Vec<OsString> = bad.iter().map(OsString::from).collect();
            assert_eq!(None, ChildLimits::parse(&bad), "{bad:?}");
        }
    }

    #[test]
    fn a_child_may_compute_at_least_as_long_as_its_parent_waits() {
        let mut process = CompilerProcess::new("tenon-compile");
        for milliseconds in [0, 1, 1_999, 60_000] {
            process.time = Duration::from_millis(milliseconds);
            let seconds = ChildLimits::of(&process).seconds;
            assert!(Duration::from_secs(seconds) > process.time, "{seconds}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn every_end_of_a_child_has_its_meaning() {
        use std::os::unix::process::ExitStatusExt as _;

        let process = CompilerProcess::new("/usr/bin/compile");
        let judge = |raw, complaint| {
            let verdict = process.judge(ExitStatus::from_raw(raw), complaint);
            verdict.map_err(|error| error.to_string())
        };
        let exit = |code: u8| i32::from(code) << 8;
        assert_eq!(Ok(()), judge(exit(0), "a warning"));
        let memory = "compiling the component needed more than 2048 MiB of memory";
        let failed = "the compiler failed: /usr/bin/compile ended with";
        for (raw, complaint, meaning) in [
            (
                exit(REFUSED),
                "unknown type\n\n  at offset 7",
                "the component cannot be compiled: unknown type at offset 7".to_owned(),
            ),
            (
                exit(LACKING),
                "gc memory64\n",
                "the component uses the WebAssembly proposals `gc`, `memory64`, which this host \
                 does not run; build it without"
                    .to_owned(),
            ),
            (exit(OUT_OF_MEMORY), "out of memory", memory.to_owned()),
            (6, "memory allocation of 9 bytes failed", memory.to_owned()),
            (11, "", memory.to_owned()),
            (
                6,
                "stack overflow",
                format!("{failed} signal: 6 (SIGABRT) and said: stack overflow"),
            ),
            (
                9,
                "",
                format!("{failed} signal: 9 (SIGKILL) and said: nothing"),
            ),
            (
                exit(1),
                "",
                format!("{failed} exit status: 1 and said: nothing"),
            ),
        ] {
            assert_eq!(Err(meaning), judge(raw, complaint), "{raw} {complaint}");
        }
    }
}
