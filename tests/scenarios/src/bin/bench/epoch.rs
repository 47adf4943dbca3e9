//! What it costs that a guest looks at every loop and call whether its time is up.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tenon_host::engine;
use tenon_scenarios::component;
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Engine, Instance, Module, Store, TypedFunc};

use crate::{Figure, ROUNDS, median};

const CALLS: usize = 2_000;

/// A connector that describes itself, which allocates and copies like one at work, and the worst
/// case, a loop that does next to nothing between two checks.
pub fn epoch() -> Result<Vec<Figure>> {
    let wasm = component("keycrm");
    let (mut with, mut without) = (
        Describing::new(&wasm, true)?,
        Describing::new(&wasm, false)?,
    );
    let describing = compare(|| with.measure(), || without.measure())?;
    let (mut with, mut without) = (Loop::new(true)?, Loop::new(false)?);
    let looping = compare(|| with.measure(), || without.measure())?;
    let figure = |what: &str, unit, (with, without)| Figure {
        what: format!("{what}, with epoch checks"),
        measured: with,
        unit,
        baseline: Some(("without them".to_owned(), without)),
        target: None,
    };
    Ok(vec![
        figure("a connector describes itself", "µs", describing),
        figure("1,000 turns of a tight loop", "µs", looping),
    ])
}

/// The medians of two measurements that are taken by turns.
fn compare(
    mut with: impl FnMut() -> Result<f64>,
    mut without: impl FnMut() -> Result<f64>,
) -> Result<(f64, f64)> {
    let (mut checked, mut unchecked) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS * 3 {
        let times = (with()?, without()?);
        if round > 0 {
            checked.push(times.0);
            unchecked.push(times.1);
        }
    }
    Ok((median(checked), median(unchecked)))
}

fn engine(checks: bool) -> Result<Engine> {
    let mut config = engine::config();
    config.epoch_interruption(checks);
    Ok(Engine::new(&config)?)
}

fn store(engine: &Engine, checks: bool) -> Store<()> {
    let mut store = Store::new(engine, ());
    if checks {
        store.set_epoch_deadline(u64::MAX / 2);
    }
    store
}

/// An instance of a connector that has no host.
struct Describing {
    store: Store<()>,
    describe: Func,
}

impl Describing {
    fn new(wasm: &[u8], checks: bool) -> Result<Describing> {
        let engine = engine(checks)?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = store(&engine, checks);
        let instance = linker.instantiate(&mut store, &component)?;
        let sync = instance
            .get_export_index(&mut store, None, "tenon:connector/sync@0.2.0")
            .context("the connector's interface")?;
        let describe = instance
            .get_export_index(&mut store, Some(&sync), "describe")
            .and_then(|index| instance.get_func(&mut store, index))
            .context("the connector's `describe`")?;
        Ok(Describing { store, describe })
    }

    /// Microseconds of one call.
    fn measure(&mut self) -> Result<f64> {
        let started = Instant::now();
        for _ in 0..CALLS {
            let mut answer = [Val::Bool(false)];
            self.describe.call(&mut self.store, &[], &mut answer)?;
            ensure!(matches!(&answer[0], Val::Record(_)), "{answer:?}");
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / CALLS as f64)
    }
}

/// Adds up the bytes of a page of memory, over and over.
struct Loop {
    store: Store<()>,
    turn: TypedFunc<i32, i32>,
}

impl Loop {
    fn new(checks: bool) -> Result<Loop> {
        let wasm = wat::parse_str(
            r#"(module
                (memory 1)
                (func (export "turn") (param $left i32) (result i32)
                    (local $sum i32)
                    (loop $again
                        (local.set $sum (i32.add (local.get $sum)
                            (i32.load8_u (i32.and (local.get $left) (i32.const 0xffff)))))
                        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                        (br_if $again (local.get $left)))
                    (local.get $sum)))"#,
        )?;
        let engine = engine(checks)?;
        let mut store = store(&engine, checks);
        let instance = Instance::new(&mut store, &Module::new(&engine, wasm)?, &[])?;
        let turn = instance.get_typed_func(&mut store, "turn")?;
        Ok(Loop { store, turn })
    }

    /// Microseconds of 1,000 turns.
    fn measure(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.turn.call(&mut self.store, 10_000_000)?;
        Ok(started.elapsed().as_secs_f64() * 1e6 / 10_000.0)
    }
}
