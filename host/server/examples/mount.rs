//! Tenon inside a platform's own server: API, console and webhooks under `/integrations`, beside the
//! platform's pages.
//!
//! ```text
//! cargo run --release -p tenon --example mount -- /var/lib/tenon 127.0.0.1:8080
//! ```
//!
//! The embedded ERP stands in for the platform. One's own implements `Platform`, as
//! `host/runtime/examples/own_platform.rs` does, and takes its place in `Service::open`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use axum::{Router, routing::get};
use jiff::Timestamp;
use tenon::control::{Failure, tokens};
use tenon::service::{Service, ServiceOptions};
use tenon::{console, router, serve};
use tenon_erp::EmbeddedErp;
use tenon_host::Compiler;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let data: PathBuf = arguments.next().context("name a data folder")?.into();
    let address = arguments.next().context("name an address to listen on")?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let platform = EmbeddedErp::open(&data)?;
    // Where counterparts reach this server, with the prefix.
    let public = format!("http://{}/integrations/", listener.local_addr()?);
    let public: url::Url = public.parse()?;
    println!("console {}", public.join("console/")?);
    // Components of others are better compiled in a child: `Compiler::Child`.
    let options = ServiceOptions::new(data, Compiler::InProcess, public);
    let service = Service::open(Arc::new(platform.clone()), Some(platform), options).await?;
    let token = service
        .control()
        .write(|db| Ok::<_, Failure>(tokens::first(db, "the platform", Timestamp::now())?))
        .await?;
    if let Some(token) = token {
        println!("token {token}");
    }
    let tenon = router(service.clone(), &console::Options::default());
    let app = Router::new()
        .route("/", get(|| async { "the platform's own page\n" }))
        .nest("/integrations", tenon);
    let stopping = service.clone();
    let answering = axum::serve(listener, app).with_graceful_shutdown(async move {
        // Where no signal can be heard, the process ends by being killed, which loses nothing.
        let _ = tokio::signal::ctrl_c().await;
        stopping.stop();
    });
    // What goes on by itself, and what is answered.
    let ((), ended) = tokio::join!(serve(service), answering.into_future());
    Ok(ended?)
}
