//! The one way an engine is made, so that compiled code is interchangeable between every part of
//! a host, and the numbers that size it.

use std::num::NonZeroUsize;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
};

use crate::proposals;

/// How often running guests are asked whether they may go on. Shorter costs more switches, longer
/// lets one guest hold a core for longer; a person does not notice 10 ms.
pub const TICK: Duration = Duration::from_millis(10);

/// Most linear memory that a guest can ever have; a run's own limit lies at or below it.
/// Ten pages of fifty orders fit many times over.
pub const MAX_MEMORY: usize = 256 << 20;

/// Bytes of the stack of calls of a guest. A guest that recurses for ever meets its end long before
/// the fiber's own.
pub(crate) const STACK: usize = 1 << 20;

/// Most elements of a guest's table. Rust guests have a few thousand functions in theirs, the engines
/// of JavaScript and Python 8,000 and 6,000.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Most core instances of a component. One made by wit-component has its module, a shim and a fix-up
/// module, and with an adapter one more; Python has a module for each of its libraries, 49 in all.
pub(crate) const CORE_INSTANCES: u32 = 128;

/// Most tables of a component. All known guests have two.
pub(crate) const TABLES: u32 = 8;

/// Most memories of a component: the one that its limit is for.
pub(crate) const MEMORIES: u32 = 1;

/// Most bytes that the engine may need to describe all parts of a live component.
pub(crate) const DESCRIPTIONS: usize = 1 << 20;

/// Makes an engine for so many runs at once, and starts the thread that ticks its epoch. Compiled
/// code is the same whatever that number is. A live instance costs about 60 KiB, an unused slot
/// address space and a few microseconds at the start. How many parts a component may have is next to
/// free: with 128 core instances and 8 tables for each of 1,000 runs, instead of 4 and 4, the engine
/// starts in 6 ms instead of 2 and takes 0.6 of 4,200 GiB more address space and 0.4 MiB more memory.
pub fn new(runs: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runs)
        .total_core_instances(runs.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_component_instance_size(DESCRIPTIONS)
        .total_memories(runs.saturating_mul(MEMORIES))
        .max_memories_per_component(MEMORIES)
        .total_tables(runs.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .total_stacks(runs)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        // What a slot keeps between runs instead of returning it to the system page by page.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(16 << 10)
        // Reads which pages were touched instead of guessing, where the kernel can tell.
        .pagemap_scan(Enabled::Auto);

    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::Builder::new()
        .name("tenon-epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    Ok(engine)
}

/// Makes an engine that only compiles; its code runs in every engine of [`new`]. It reserves no
/// address space, so that its process can be held to little, and uses one thread, so that a long
/// compilation takes one core from the runs and no more.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(config().parallel_compilation(false))
}

/// All that decides about compiled code.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        // Runs are plain calls; the machinery for concurrent component tasks costs time in each.
        .concurrency_support(false)
        .max_wasm_stack(STACK)
        .async_stack_size(2 * STACK)
        // Enough to find the place, small enough for a log.
        .wasm_backtrace_max_frames(NonZeroUsize::new(12))
        // All that 32 bits can address, plus a guard: then no access needs a bounds check. A slot
        // costs address space only, 4 TiB of 128 for all of them.
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20);
    proposals::configure(&mut config);
    config
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use super::*;

    #[test]
    fn code_is_interchangeable_between_all_engines() {
        let hash = |engine: Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let running = hash(new(1).unwrap());
        assert_eq!(running, hash(new(7).unwrap()));
        assert_eq!(running, hash(compiling().unwrap()));
    }
}
