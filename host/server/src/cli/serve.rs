//! `tenon serve`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::{Exit, args, door, site, stop_signal};
use crate::control::{Failure, tokens};
use crate::service::{Service, ServiceOptions};
use crate::versions::SignaturePolicy;
use crate::{console, router, serve};

pub async fn run(args: args::Serve) -> anyhow::Result<Exit> {
    let _lock = door::lock_out(&args.data)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let service = open(&args, address).await?;
    let _sign = door::put_up(&args.data, address, service.open_door())?;
    let mut greeting = format!("console  http://{address}/console/\n");
    let token = service
        .control()
        .write(|db| Ok::<_, Failure>(tokens::first(db, "first", Timestamp::now())?))
        .await?;
    if let Some(token) = token {
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
    let answering = axum::serve(listener, app)
        .with_graceful_shutdown(async move { stopped.stopped().await })
        .into_future();
    let mut answering = pin!(answering);
    let mut working = pin!(serve(service.clone()));
    tokio::select! {
        ended = async {
            tokio::select! {
                ended = &mut answering => {
                    working.await;
                    ended
                }
                // Who has sent half a request does not keep the server from ending.
                () = &mut working => {
                    tokio::time::timeout(GRACE, answering).await.unwrap_or(Ok(()))
                }
            }
        } => ended?,
        () = async {
            service.stopped().await;
            tokio::time::sleep(service.options().patience + GRACE).await;
        } => {}
    }
    Ok(Exit::Done)
}

/// For answers that are under way when the runs have stopped.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

async fn open(args: &args::Serve, address: SocketAddr) -> anyhow::Result<Service> {
    let public_url = match &args.public_url {
        Some(url) => url.clone(),
        None => format!("http://{address}/").parse()?,
    };
    let erp = site::erp(&args.data)?;
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
    if let Some(runs) = args.runs {
        options.runs = runs;
    }
    if let Some(seconds) = args.slice {
        options.slice = std::time::Duration::from_secs(seconds);
    }
    Service::open(Arc::new(erp.clone()), Some(erp), options).await
}
