//! Opens sockets of its own, past the host's rules for HTTP.

use std::net::TcpStream;

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        for address in ["127.0.0.1:22", "169.254.169.254:80"] {
            info!("{address}: {:?}", TcpStream::connect(address).is_ok());
        }
        Ok(())
    }
}
