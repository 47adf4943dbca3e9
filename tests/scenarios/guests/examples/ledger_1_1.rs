//! A later version that keeps its entries as the first one does.

use tenon_ledger_guests::{Version, ledger};

ledger!(Ledger);

impl Version for Ledger {
    const VERSION: &'static str = "1.1.0";
    const STATE: u32 = 1;
}
