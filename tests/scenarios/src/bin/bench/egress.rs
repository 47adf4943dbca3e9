//! What the host adds to one request: the guest's call, the policy, the signature, the budget and
//! the hand-over of the answer, against the same client without any of them.

use std::time::Instant;

use anyhow::{Result, ensure};
use axum::Router;
use axum::routing::get;
use serde_json::json;
use tenon_host::Limits;
use tenon_host::report::Outcome;

use crate::hostile::Ring;
use crate::{Figure, ROUNDS, median};

const REQUESTS: usize = 2_000;

/// The time of one request through the sandbox and natively.
pub fn egress() -> Result<Vec<Figure>> {
    let url = counterpart()?;
    let ring = Ring::new()?;
    let settings = json!({ "url": &url, "times": REQUESTS });
    let connection = ring.connect("fetch", settings, Limits::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .build()?;
    let (mut guests, mut natives) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let started = Instant::now();
        let outcome = ring.run(&connection);
        let guest = started.elapsed();
        ensure!(
            outcome == Outcome::Done,
            "the guest's run ended as {outcome:?}"
        );

        let started = Instant::now();
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                client.get(&url).send().await?.bytes().await?;
            }
            reqwest::Result::Ok(())
        })?;
        let native = started.elapsed();
        // The first round opens the connections.
        if round > 0 {
            let each = |took: std::time::Duration| took.as_secs_f64() * 1e6 / REQUESTS as f64;
            guests.push(each(guest));
            natives.push(each(native));
        }
    }
    let (guest, native) = (median(guests), median(natives));
    Ok(vec![
        Figure {
            what: "one request of a guest, answered with 1 KiB".to_owned(),
            measured: guest,
            unit: "µs",
            baseline: Some(("the same client natively".to_owned(), native)),
            target: None,
        },
        Figure {
            what: "what the sandbox adds to a request".to_owned(),
            measured: guest - native,
            unit: "µs",
            baseline: None,
            target: Some(100.0),
        },
    ])
}

/// A server in a thread of its own that always answers the same.
fn counterpart() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let app = Router::new().route("/", get(|| async { "x".repeat(1024) }));
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, app).await
        })
    });
    Ok(url)
}
