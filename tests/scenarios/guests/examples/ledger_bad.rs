//! A later version of which every run crashes.

use tenon_ledger_guests::{Version, ledger};

ledger!(Ledger);

impl Version for Ledger {
    const VERSION: &'static str = "1.2.0";
    const STATE: u32 = 1;
    const GOOD: bool = false;
}
