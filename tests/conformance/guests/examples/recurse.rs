//! Calls itself without end.

use std::hint::black_box;

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::Fault;

guest!(Guest);

type Descent = fn(Deeper, u64) -> u64;

#[derive(Clone, Copy)]
struct Deeper(Descent);

/// Called through a pointer, and not the last thing its caller does: no optimiser makes it a loop.
fn descend(deeper: Deeper, depth: u64) -> u64 {
    (deeper.0)(deeper, depth + 1).rotate_left(1) ^ depth
}

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        black_box(descend(black_box(Deeper(descend)), 0));
        Ok(())
    }
}
