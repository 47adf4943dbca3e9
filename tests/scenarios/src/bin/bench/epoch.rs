//! What it costs that a guest looks at every loop and call whether its time is up.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tenon_host::engine;
use tenon_scenarios::component;
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Engine, Store};

use crate::{Figure, ROUNDS, median};

const CALLS: usize = 2_000;

/// The time of a call that allocates and copies like a connector at work, with and without the
/// checks. It makes no call to the host.
pub fn epoch() -> Result<Vec<Figure>> {
    let wasm = component("keycrm");
    let mut with = Guest::new(&wasm, true)?;
    let mut without = Guest::new(&wasm, false)?;
    let (mut checked, mut unchecked) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS * 3 {
        let times = (with.compute()?, without.compute()?);
        if round > 0 {
            checked.push(times.0);
            unchecked.push(times.1);
        }
    }
    Ok(vec![Figure {
        what: "one call that computes in the guest only, with epoch checks".to_owned(),
        measured: median(checked),
        unit: "µs",
        baseline: Some(("without them".to_owned(), median(unchecked))),
        target: None,
    }])
}

/// An instance of a connector that has no host.
struct Guest {
    store: Store<()>,
    /// Builds the whole manifest to look at one number of it: a call that is nearly all the guest's.
    migrate: Func,
}

impl Guest {
    fn new(wasm: &[u8], checks: bool) -> Result<Guest> {
        let mut config = engine::config();
        config.epoch_interruption(checks);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&engine, ());
        if checks {
            store.set_epoch_deadline(u64::MAX / 2);
        }
        let instance = linker.instantiate(&mut store, &component)?;
        let sync = instance
            .get_export_index(&mut store, None, "tenon:connector/sync@0.1.0")
            .context("the connector's interface")?;
        let migrate = instance
            .get_export_index(&mut store, Some(&sync), "migrate")
            .and_then(|index| instance.get_func(&mut store, index))
            .context("the connector's `migrate`")?;
        Ok(Guest { store, migrate })
    }

    /// Microseconds of one call.
    fn compute(&mut self) -> Result<f64> {
        let started = Instant::now();
        for _ in 0..CALLS {
            let mut answer = [Val::Bool(false)];
            (self.migrate).call(&mut self.store, &[Val::U32(1)], &mut answer)?;
            ensure!(matches!(&answer[0], Val::Result(Ok(_))), "{answer:?}");
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / CALLS as f64)
    }
}
