//! Is sent elsewhere by its counterpart, and goes there.

use tenon_hostile_guests::{Attack, guest, http, info, setting};
use tenon_sdk::model::Fault;

guest!(Guest);

fn follow(url: &str) -> Result<u16, String> {
    let answer = http::get(url, &[])?;
    let place = answer.header("location").ok_or("no redirect")?;
    info!("{}: sent to {place}", answer.status);
    Ok(http::get(place, &[])?.status)
}

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        match follow(&setting("url")) {
            Ok(status) => info!("arrived: {status}"),
            Err(error) => info!("did not arrive: {error}"),
        }
        Ok(())
    }
}
