//! Sends a body that does not end, to fill the host's memory and its counterpart's disk.

use tenon_hostile_guests::{Attack, guest, http, info, setting};
use tenon_sdk::contract::wasi::http::types::Method;
use tenon_sdk::model::Fault;

guest!(Guest);

/// Writes until the host takes no more; answers with how much it took.
fn pour(url: &str) -> Result<(u64, String), String> {
    let request = http::request(&Method::Post, url, &[])?;
    let body = request.body().map_err(|()| "no body")?;
    let answer = http::send(request)?;
    let stream = body.write().map_err(|()| "no stream")?;
    let mut written = 0;
    while stream.blocking_write_and_flush(&[7; 4096]).is_ok() {
        written += 4096;
    }
    let error = http::wait(&answer).err();
    Ok((written, error.unwrap_or_else(|| "an answer".to_owned())))
}

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        match pour(&setting("url")) {
            Ok((written, end)) => info!("wrote {written} bytes, then: {end}"),
            Err(error) => info!("nothing was sent: {error}"),
        }
        Ok(())
    }
}
