//! A later version in another form that needs an admin for all that it does.

use tenon_ledger_guests::{Version, ledger};

ledger!(Ledger);

impl Version for Ledger {
    const VERSION: &'static str = "2.1.0";
    const STATE: u32 = 2;
    const STUCK: bool = true;
}
