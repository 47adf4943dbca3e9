//! The command line of `tenon`.

mod args;
mod backup;
mod changes;
mod credential;
mod door;
mod inspect;
mod language;
mod load;
mod log;
mod maintenance;
mod records;
mod run;
mod serve;
mod site;
mod token;
mod usage;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use language::Language;
use tracing_subscriber::filter::LevelFilter;

use crate::observe::{LogFormat, Tracing, TracingOptions};
use crate::told::{Refusal, refusal};

/// How a command ended, as its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All was done.
    Done = 0,
    /// Finished, but some records could not be taken, or something was not done that people have to
    /// agree to first.
    SomeFailed = 1,
    /// Could not run or could not finish; the error says why.
    CouldNotRun = 2,
    /// Stopped by the user; the next run goes on from the last checkpoint.
    Stopped = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    // What this program keeps is its user's alone, whatever file or folder it makes.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let Args { command, lang } = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let asked = usage::language_asked(std::env::args_os());
            let language = language::choose(asked.as_deref());
            complain(format_args!("tenon: {}", usage::text(&error, language)));
            return Exit::CouldNotRun.into();
        }
    };
    let language = language::choose(lang.as_deref());
    if let Command::CompileComponent { limits } = command {
        return tenon_host::compile_stdin(limits);
    }
    let tracing = match Tracing::init(tracing_options(&command)) {
        Ok(tracing) => tracing,
        Err(error) => {
            complain(format_args!("tenon: {error}"));
            return Exit::CouldNotRun.into();
        }
    };
    // One thread for one run: it is one line of work, and hand-overs between threads cost more than
    // they bring.
    let mut runtime = match &command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build();
    let result = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(execute(command, language)));
    drop(tracing);
    match result {
        Ok(exit) => exit.into(),
        // Who reads the output, such as `head`, has seen enough.
        Err(error) if is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            complain(format_args!("tenon: {}", one_line(&error, language)));
            Exit::CouldNotRun.into()
        }
    }
}

/// What the log holds: for one command what a library has to say to operators, such as code that had
/// to be compiled anew; for a server also what it does.
fn tracing_options(command: &Command) -> TracingOptions {
    match command {
        Command::Serve(serve) => TracingOptions {
            format: if serve.log_json {
                LogFormat::Json
            } else {
                LogFormat::Text
            },
            level: LevelFilter::INFO,
        },
        _ => TracingOptions {
            format: LogFormat::Text,
            level: LevelFilter::WARN,
        },
    }
}

async fn execute(command: Command, language: Language) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::run(args, language).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Check(args) => run::check(args, language).await,
        Command::Choices(args) => run::choices(args, language).await,
        Command::Inspect(args) => inspect::inspect(args, language).await,
        Command::Records(args) => records::records(args).await,
        Command::Load(args) => load::load(args, language).await,
        Command::Log(args) => log::log(&args, language),
        Command::Changes(args) => changes::changes(&args),
        Command::Credential(args) => credential::credential(args, language).await,
        Command::Maintenance(args) => maintenance::maintenance(args),
        Command::Token(args) => token::token(args),
        Command::Key(args::Key::Rotate(args)) => credential::rotate(args, language),
        Command::Backup(args) => backup::backup(&args, language),
        Command::Restore(args) => backup::restore(&args, language),
        Command::CompileComponent { .. } => unreachable!("`main` compiles before anything else"),
    }
}

/// Waits for SIGTERM, SIGHUP or Ctrl-C.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hang_up)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    // Without a way to hear a signal the process ends by being killed, which loses nothing.
    let _ = interrupt.await;
}

/// Why nothing is known of what a server keeps.
fn no_server_yet(data: &Path) -> Refusal {
    refusal("server.no-server-yet").arg("data", data.display())
}

fn not_json(file: &Path, error: serde_json::Error) -> Refusal {
    (refusal("server.not-json").arg("file", file.display())).because(error)
}

/// Writes to standard output. That nobody reads it any more is an error like any other.
fn say(text: impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::Write as _;
    write!(std::io::stdout().lock(), "{text}")
}

/// Writes a line to standard error. When nobody reads that any more, there is nobody to tell.
fn complain(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A record's text without anything by which it could take over the terminal, or pass for another line
/// or for other text than it is.
fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(|c: char| c.is_control() || turns(c), " ")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    (error.root_cause().downcast_ref::<std::io::Error>())
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The error with its causes, without line breaks.
fn one_line(error: &anyhow::Error, language: Language) -> String {
    language::error(error, language)
        .split('\n')
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
