//! What a guest can reach, one module for each capability of the contract, and the state of one
//! run that they share.

mod bindings;
mod egress;
mod erp;
mod memory;
mod output;
mod run;
mod schedule;
mod storage;
mod told;

use std::collections::HashSet;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::brake::Brake;
use crate::contract::tenon::{erp as erp_contract, runtime as runtime_contract};
use crate::egress::{Egress, RunEgress};
use crate::limits::{Breach, Limits};
use crate::observe::{Observer, RunLog};
use crate::place::Place;
use crate::platform::{Account, Books, UnitOfWork};
use crate::reason::{Catalogue, LANGUAGES};
use crate::report::{RunReport, Warning};
use crate::seen::Seen;
use crate::watch::Pulse;
use memory::GuestMemory;
use output::GuestOutput;
use told::Told;

/// All that one call into a guest can touch. Made fresh for each and dropped with its store.
pub(crate) struct RunState {
    pub table: ResourceTable,
    pub wasi: WasiCtx,
    pub http: WasiHttpCtx,
    pub egress: RunEgress,
    pub memory: GuestMemory,
    pub limits: Limits,
    /// None while a component only describes itself.
    pub run: Option<Run>,
    pub settings: Arc<str>,
    pub observer: Arc<dyn Observer>,
    pub log: RunLog,
    /// What it prints on standard error.
    pub stderr: GuestOutput,
    /// Ticks that the guest computed since the last checkpoint.
    pub ticks: u64,
    /// For who watches the call from outside.
    pub pulse: Arc<Pulse>,
    /// The guest was told to stop at the last checkpoint.
    pub told_to_stop: bool,
}

/// What a run has that a mere description has not.
pub(crate) struct Run {
    pub work: Box<dyn UnitOfWork>,
    pub report: RunReport,
    pub seen: Seen,
    pub place: Place,
    pub books: Books,
    /// The account at the counterpart.
    pub account: Option<Account>,
    /// Questions that people have agreed to.
    pub confirmed: HashSet<String>,
    /// What it was let do without asking them.
    pub brake: Brake,
    /// It has more open questions than are listed.
    pub asked_too_much: bool,
    /// Requests that were sent for it before it began.
    pub requests_before: u64,
    /// Kept as a whole or not at all: checkpoints commit nothing.
    pub as_one: bool,
    /// What it wrote at the platform since the last commit.
    pub told: Told,
}

impl Run {
    /// Brings the counts of the report up to date.
    pub fn count(&mut self, log: &RunLog) {
        let wrong = self.seen.count(&mut self.report);
        // Whoever has said nothing yet may still do so.
        let wrong = wrong.filter(|_| self.report.finished_at.is_some());
        let warning = wrong.map(|why| Warning {
            text: log.text(&why, LANGUAGES[0]),
            why,
        });
        self.report.warnings = warning.into_iter().collect();
    }

    /// What was written since the last commit is undone.
    pub fn roll_back(&mut self) {
        self.seen.roll_back();
        self.told = Told::default();
    }
}

impl RunState {
    pub fn new(
        limits: &Limits,
        egress: Option<Arc<Egress>>,
        run: Option<Run>,
        settings: Arc<str>,
        observer: Arc<dyn Observer>,
        catalogue: Arc<Catalogue>,
    ) -> RunState {
        let log = RunLog::new(Arc::clone(&observer), limits, catalogue);
        let stderr = GuestOutput::new(log.clone());
        let mut wasi = WasiCtx::builder();
        wasi.stdout(GuestOutput::new(log.clone()))
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MOST_RANDOM);
        let mut table = ResourceTable::new();
        // What a guest holds is counted by its store. The table also keeps the options of every
        // request that was ever sent, because `wasi:http` of wasmtime 48 does not take them out.
        let requests = usize::try_from(limits.requests).unwrap_or(usize::MAX);
        table.set_max_capacity(limits.handles.saturating_add(requests));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MOST_HEADERS);
        let pulse = Pulse::begin();
        let reads_only = run.as_ref().is_none_or(|run| !run.report.mode.writes());
        let way = RunEgress::new(
            egress,
            Arc::clone(&observer),
            log.clone(),
            limits,
            Arc::clone(&pulse),
            reads_only,
        );
        RunState {
            table,
            wasi: wasi.build(),
            http,
            egress: way,
            memory: GuestMemory::at_most(limits.memory),
            limits: limits.clone(),
            run,
            settings,
            observer,
            log,
            stderr,
            ticks: 0,
            pulse,
            told_to_stop: false,
        }
    }

    fn run(&mut self) -> wasmtime::Result<&mut Run> {
        self.run.as_mut().ok_or_else(no_run)
    }

    fn work(&mut self) -> wasmtime::Result<&mut Box<dyn UnitOfWork>> {
        Ok(&mut self.run()?.work)
    }

    /// Passes a list that one call may carry.
    fn admit<T>(&self, list: &[T]) -> Result<(), Breach> {
        let most = self.limits.records;
        if list.len() > most {
            return Err(Breach::Records(list.len(), most));
        }
        Ok(())
    }

    /// Passes an answer of so many bytes.
    fn admit_answer(&self, bytes: usize) -> Result<(), Breach> {
        let most = self.limits.call;
        if bytes > most {
            return Err(Breach::Answer(most));
        }
        Ok(())
    }
}

fn no_run() -> wasmtime::Error {
    wasmtime::format_err!("a connector has no platform while it describes itself")
}

/// Passes keys, origins and other names that are no longer than names are. The code is that of the
/// reason why others do not pass.
fn admit_names<'a>(
    code: &'static str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), Breach> {
    match names.into_iter().find(|name| name.len() > LONGEST_NAME) {
        Some(name) => Err(Breach::Name(code, name.len(), LONGEST_NAME)),
        None => Ok(()),
    }
}

/// Bytes of a key, an origin, or another text that names something.
const LONGEST_NAME: usize = 1 << 10;
/// Random bytes that a guest gets in one call.
const MOST_RANDOM: u64 = 1 << 20;
/// Bytes of one set of headers that a guest makes. It may keep as many as it has handles.
const MOST_HEADERS: usize = 8 << 10;

impl WasiView for RunState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Links all capabilities: the contract, `wasi:http`, and of WASI what guests of some language link
/// without using it. There are no arguments, no environment, no inherited standard streams, no
/// folders and no network.
pub(crate) fn link(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
    use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
    use wasmtime_wasi::p2::bindings::{cli, filesystem, random, sockets};
    use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
    use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

    wasmtime_wasi_http::p2::add_to_linker_async(linker)?;
    cli::environment::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::exit::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::terminal_input::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::terminal_output::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdin::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdout::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stderr::add_to_linker::<RunState, WasiCli>(linker, RunState::cli)?;

    random::insecure::add_to_linker::<RunState, WasiRandom>(linker, RunState::random)?;
    random::insecure_seed::add_to_linker::<RunState, WasiRandom>(linker, RunState::random)?;

    macro_rules! inert {
        ($interfaces:ident, $all:ty, $view:expr, $($interface:ident),*) => { $(
            $interfaces::$interface::add_to_linker::<RunState, $all>(linker, $view)?;
        )* };
    }
    inert!(
        filesystem,
        WasiFilesystem,
        RunState::filesystem,
        types,
        preopens
    );
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<RunState, WasiSockets>(linker, &options, RunState::sockets)?;
    inert!(
        sockets,
        WasiSockets,
        RunState::sockets,
        instance_network,
        tcp,
        tcp_create_socket,
        udp,
        udp_create_socket,
        ip_name_lookup
    );

    crate::contract::model::add_to_linker::<RunState, HasSelf<RunState>>(linker, |state| state)?;
    macro_rules! capabilities {
        ($($interface:path),* $(,)?) => { $({
            use $interface as interface;
            interface::add_to_linker::<RunState, HasSelf<RunState>>(linker, |state| state)?;
        })* };
    }
    capabilities!(
        erp_contract::directories,
        erp_contract::catalog,
        erp_contract::stock,
        erp_contract::partners,
        erp_contract::orders,
        runtime_contract::storage,
        runtime_contract::bindings,
        runtime_contract::schedule,
        runtime_contract::run,
        crate::contract::tenon::connector::manifest,
    );
    Ok(())
}

/// The interfaces that a component may import, without their versions. WASI's carry only
/// compatible versions, which the linker checks; the contract's are named with theirs.
pub(crate) const ALLOWED_IMPORTS: &[&str] = &[
    "tenon:erp/model@0.2.0",
    "tenon:erp/directories@0.2.0",
    "tenon:erp/catalog@0.2.0",
    "tenon:erp/stock@0.2.0",
    "tenon:erp/partners@0.2.0",
    "tenon:erp/orders@0.2.0",
    "tenon:runtime/storage@0.2.0",
    "tenon:runtime/bindings@0.2.0",
    "tenon:runtime/schedule@0.2.0",
    "tenon:runtime/run@0.2.0",
    "tenon:connector/manifest@0.2.0",
    "wasi:http/types@0.2",
    "wasi:http/outgoing-handler@0.2",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:random/random@0.2",
    "wasi:random/insecure@0.2",
    "wasi:random/insecure-seed@0.2",
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/stdin@0.2",
    "wasi:cli/stdout@0.2",
    "wasi:cli/stderr@0.2",
    "wasi:cli/terminal-input@0.2",
    "wasi:cli/terminal-output@0.2",
    "wasi:cli/terminal-stdin@0.2",
    "wasi:cli/terminal-stdout@0.2",
    "wasi:cli/terminal-stderr@0.2",
    "wasi:filesystem/types@0.2",
    "wasi:filesystem/preopens@0.2",
    "wasi:sockets/network@0.2",
    "wasi:sockets/instance-network@0.2",
    "wasi:sockets/tcp@0.2",
    "wasi:sockets/tcp-create-socket@0.2",
    "wasi:sockets/udp@0.2",
    "wasi:sockets/udp-create-socket@0.2",
    "wasi:sockets/ip-name-lookup@0.2",
];

/// Whether a component may import this interface.
pub(crate) fn is_allowed(import: &str) -> bool {
    ALLOWED_IMPORTS.iter().any(|allowed| {
        import == *allowed
            || import
                .strip_prefix(allowed)
                .is_some_and(|rest| allowed.ends_with("@0.2") && rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn only_the_contract_and_harmless_wasi_may_be_imported() {
        for good in [
            "wasi:sockets/tcp@0.2.3",
            "wasi:filesystem/preopens@0.2.9",
            "wasi:http/types@0.2.0",
            "wasi:http/types@0.2.12",
            "tenon:erp/orders@0.2.0",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "wasi:keyvalue/store@0.2.0",
            "wasi:sockets/tcp@0.3.0",
            "wasi:http/types@0.20.0",
            "wasi:http/types@0.3.0",
            "tenon:erp/orders@0.1.0",
            "tenon:erp/orders@0.2.00",
            "env",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
