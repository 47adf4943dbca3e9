//! Stores more and more, to fill the disk of everybody.

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::{Fault, Progress};
use tenon_sdk::runtime::{run, storage};

guest!(Guest);

/// Stores pieces of this size until the host refuses one.
fn fill(prefix: &str, size: usize) {
    for number in 0.. {
        let key = format!("{prefix}{number}");
        if let Err(quota) = storage::set(&[(key, vec![7; size])]) {
            info!(
                "{prefix}: refused at {} of {} bytes",
                quota.used, quota.limit
            );
            return;
        }
    }
}

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        fill("large", 10_000);
        run::checkpoint(Progress::default());
        // What is left is filled to the brim, with entries whose names are nearly all they hold.
        fill("small", 10);
        fill(&"k".repeat(50), 0);
        // Larger values under names that are there already, and several in one call.
        let larger = ("large0".to_owned(), vec![7; 1 << 20]);
        let several = vec![("one".to_owned(), vec![7; 60_000]); 2];
        info!("larger: {:?}", storage::set(&[larger]).is_err());
        info!("several: {:?}", storage::set(&several).is_err());
        Ok(())
    }
}
