//! Looks for what a process of the host would have: arguments, environment variables, something
//! to read on its standard input.

use std::io::Read as _;

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        println!("printed to stdout");
        eprintln!("printed to stderr");
        for argument in std::env::args() {
            info!("found the argument {argument}");
        }
        for (name, value) in std::env::vars() {
            info!("found the variable {name}={value}");
        }
        let mut input = Vec::new();
        let read = std::io::stdin().read_to_end(&mut input);
        if !input.is_empty() {
            info!("found the input {input:?}");
        }
        info!(
            "looked everywhere; the end of the input came: {}",
            read.is_ok()
        );
        Ok(())
    }
}
