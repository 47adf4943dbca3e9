//! Lets the host fill its memory: it keeps every answer that it is given.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::Fault;
use tenon_sdk::runtime::storage;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let key = "a mebibyte".to_owned();
        let stored = storage::set(&[(key.clone(), vec![7; 1 << 20])]);
        stored.map_err(|_| Fault::Rejected("no mebibyte of storage".to_owned().into()))?;
        let mut kept = Vec::new();
        loop {
            kept.push(storage::get(std::slice::from_ref(&key)));
        }
    }
}
