//! Calls itself without end when it is asked what it is.

use std::hint::black_box;

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

/// Called through a pointer, and not the last thing its caller does: no optimiser makes it a loop.
#[derive(Clone, Copy)]
struct Deeper(fn(Deeper, u64) -> u64);

fn descend(deeper: Deeper, depth: u64) -> u64 {
    (deeper.0)(deeper, depth + 1).rotate_left(1) ^ depth
}

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        black_box(descend(black_box(Deeper(descend)), 0));
        manifest(name)
    }
}
