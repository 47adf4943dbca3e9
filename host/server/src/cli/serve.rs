//! `tenon serve`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;

use super::args::SecretSource;
use super::{Exit, args, door, site, stop_signal};
use crate::control::{Failure, tokens};
use crate::service::{Service, ServiceOptions};
use crate::told::refusal;
use crate::versions::SignaturePolicy;
use crate::{backup, console, listener, router, serve};

pub async fn run(args: args::Serve) -> anyhow::Result<Exit> {
    let _lock = door::lock_out(&args.data)?;
    backup::refuse_unfinished(&args.data)?;
    backup::refuse_lost(&args.data)?;
    check_files(&args)?;
    let socket = TcpListener::bind(args.listen).await.map_err(|error| {
        (refusal("server.cannot-listen").arg("address", args.listen)).because(error)
    })?;
    let address = socket.local_addr()?;
    let files = Files::of_this_process();
    let service = open(&args, address, files).await?;
    let _sign = door::put_up(&args.data, address, service.open_door())?;
    let mut greeting = format!("console  http://{address}/console/\n");
    if let Some(token) = first_token(&service, args.first_token.as_ref()).await? {
        greeting += &format!(
            "token    {token}\n         It is shown this once. Keep it; it may do everything.\n"
        );
    }
    // Who started the server may not care to read on.
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(greeting.as_bytes())
        .and_then(|()| out.flush());
    drop(out);
    let app = router(
        service.clone(),
        &console::Options {
            origin: args.console_origin.clone(),
        },
    );
    let stopping = service.clone();
    tokio::spawn(async move {
        stop_signal().await;
        stopping.stop();
    });
    let stopped = service.clone();
    let limits = limits(&args, files);
    let answering = listener::open(socket, app, limits, async move {
        stopped.stopped().await;
    });
    let mut answering = pin!(answering);
    let mut working = pin!(serve(service.clone()));
    tokio::select! {
        () = async {
            tokio::select! {
                () = &mut answering => working.await,
                // Who has sent half a request does not keep the server from ending.
                () = &mut working => {
                    let _ = tokio::time::timeout(GRACE, answering).await;
                }
            }
        } => {}
        () = async {
            service.stopped().await;
            tokio::time::sleep(service.options().patience + GRACE).await;
        } => {}
    }
    Ok(Exit::Done)
}

/// Whether what the arguments name is there: else the first who needs it would learn that it is not.
fn check_files(args: &args::Serve) -> anyhow::Result<()> {
    let missing = |option: &str, path: &Path| {
        let why = refusal("server.option-names-nothing").arg("option", option);
        why.arg("path", path.display())
    };
    if let Some(folder) = args.source_root.as_ref().filter(|one| !one.is_dir()) {
        return Err(missing("--source-root", folder).into());
    }
    if let Some(file) = args.registry_logins.as_ref().filter(|one| !one.is_file()) {
        return Err(missing("--registry-logins", file).into());
    }
    Ok(())
}

/// For answers that are under way when the runs have stopped.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// The text of the first token, to be shown; none when there is one already, or the operators gave it.
async fn first_token(
    service: &Service,
    given: Option<&SecretSource>,
) -> anyhow::Result<Option<String>> {
    let control = service.control();
    let Some(source) = given else {
        return Ok(control
            .write(|db| Ok::<_, Failure>(tokens::first(db, "first", Timestamp::now())?))
            .await?);
    };
    // It may be gone from its place once it was taken.
    if control
        .read(|db| Ok::<_, Failure>(tokens::is_any(db)?))
        .await?
    {
        return Ok(None);
    }
    if source.is_open_to_others() {
        tracing::warn!("other users of this machine can read the file of the first token");
    }
    let text = source.text("--first-token")?;
    anyhow::ensure!(
        tokens::hash(&text).is_some(),
        refusal("server.first-token-form").arg("prefix", tokens::PREFIX)
    );
    (control)
        .write(move |db| {
            let now = Timestamp::now();
            Ok::<_, Failure>(tokens::first_as(db, "first", text, now)?)
        })
        .await?;
    Ok(None)
}

/// Files that this process may have open at one time, and who gets how many: a quarter each for those
/// who ask, for runs, for the databases of tenants that wait for their next run, and for all else.
#[derive(Clone, Copy)]
struct Files(u64);

impl Files {
    /// Raises the limit as far as it goes.
    fn of_this_process() -> Files {
        Files(rlimit::increase_nofile_limit(u64::MAX).unwrap_or(FEW_FILES))
    }

    /// How many things of so many files each fit in a quarter.
    fn quarter(self, each: u64) -> usize {
        usize::try_from((self.0 / 4 / each).max(1)).unwrap_or(usize::MAX)
    }

    fn connections(self) -> usize {
        self.quarter(1)
    }

    /// A run has the three files of a tenant's database, and a connection to its counterpart.
    fn runs(self) -> u32 {
        u32::try_from(self.quarter(4)).unwrap_or(u32::MAX)
    }

    fn idle_databases(self) -> usize {
        self.quarter(3)
    }
}

/// Where the system does not say.
const FEW_FILES: u64 = 256;

/// How many connections there may be.
fn limits(args: &args::Serve, files: Files) -> listener::Limits {
    let all = args.connections.min(files.connections()).max(1);
    listener::Limits {
        all,
        of_address: args.connections_per_address.clamp(1, all),
    }
}

async fn open(args: &args::Serve, address: SocketAddr, files: Files) -> anyhow::Result<Service> {
    let public_url = match &args.public_url {
        Some(url) => url.clone(),
        None => format!("http://{address}/").parse()?,
    };
    let erp = site::erp(&args.data)?;
    erp.keep_open(files.idle_databases());
    let mut options = ServiceOptions::new(&args.data, site::compiler()?, public_url);
    options.signatures = SignaturePolicy {
        trusted_keys: args.trusted_keys.clone(),
        required: args.require_signature,
    };
    options.plain_registries.clone_from(&args.plain_registries);
    options.registry_logins.clone_from(&args.registry_logins);
    options.registries.clone_from(&args.registries);
    options.source_root.clone_from(&args.source_root);
    if !args.allowed_hosts.is_empty() {
        options.network.hosts = Some(args.allowed_hosts.clone());
    }
    if let Some(requests) = args.requests_per_token {
        options.requests_per_token = requests;
    }
    if let Some(runs) = args.runs {
        options.runs = runs;
    }
    if options.runs > files.runs() {
        tracing::warn!(
            "{} files may be open at one time, which is enough for {} runs, not {}; raise the limit \
             (`ulimit -n`, `LimitNOFILE=`)",
            files.0,
            files.runs(),
            options.runs
        );
        options.runs = files.runs();
    }
    if let Some(seconds) = args.slice {
        options.slice = std::time::Duration::from_secs(seconds);
    }
    Service::open(Arc::new(erp.clone()), Some(erp), options).await
}
