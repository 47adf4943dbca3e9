//! Makes sets of headers almost as large as they may be, and keeps them all.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::contract::wasi::http::types::Fields;
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let mut kept = Vec::new();
        loop {
            let large = ("large".to_owned(), vec![b'x'; 7 << 10]);
            kept.push(Fields::from_list(&[large]));
        }
    }
}
