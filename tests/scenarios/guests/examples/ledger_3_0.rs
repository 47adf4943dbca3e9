//! One more version that keeps its entries in another form.

use tenon_ledger_guests::{Version, ledger};

ledger!(Ledger);

impl Version for Ledger {
    const VERSION: &'static str = "3.0.0";
    const STATE: u32 = 3;
}
