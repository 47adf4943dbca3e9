//! Calls itself without end. With the argument `data` each call has much to keep, which lies in
//! memory; else next to nothing, which lies on the stack of the engine.

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

fn descend_with_data(deeper: Deeper, depth: u64) -> u64 {
    let data = black_box([depth; 512]);
    (deeper.0)(deeper, depth + 1).rotate_left(1) ^ data[depth as usize % data.len()]
}

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        let descend = match argument {
            "data" => descend_with_data,
            _ => descend,
        };
        black_box(descend(black_box(Deeper(descend)), 0));
        Ok(())
    }
}
