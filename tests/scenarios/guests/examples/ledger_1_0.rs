//! The first version.

use tenon_ledger_guests::{Version, ledger};

ledger!(Ledger);

impl Version for Ledger {
    const VERSION: &'static str = "1.0.0";
    const STATE: u32 = 1;
}
