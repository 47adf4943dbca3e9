//! Guests that use WebAssembly proposals: each is a whole connector that works, with one more part,
//! which `guests/proposals` has as text. So it is refused for that part, or not at all.

use std::path::Path;

use tenon_scenarios::hostile_component;
use wasmparser::{Parser, Payload};

/// Bytes of the header of every component.
const HEADER: usize = 8;

/// The connector that works, and does nothing else.
pub fn well_behaved() -> Vec<u8> {
    hostile_component("a_well_behaved")
}

/// The connector that works, with a part that uses this proposal.
///
/// # Panics
/// When there is no such part, or when it is not well written.
pub fn guest(proposal: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/proposals");
    let file = folder.join(format!("{proposal}.wat"));
    let part = wat::parse_file(&file).expect("the text of a component");
    let mut whole = well_behaved();
    let modules = modules_of(&whole);
    whole.extend(&part[HEADER..]);
    // A module is instantiated as well, so that what it does at its start is done.
    if modules_of(&part) > 0 {
        whole.extend(core_instance(modules));
    }
    whole
}

/// How many core modules a component has at its outermost level.
fn modules_of(component: &[u8]) -> u8 {
    let mut depth = 0_usize;
    let mut modules = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a component") {
            Payload::ModuleSection { .. } => {
                modules += u8::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    modules
}

/// The section of a component that instantiates its module of this index, which imports nothing.
fn core_instance(module: u8) -> [u8; 6] {
    const SECTION: u8 = 2;
    let (one, instantiate, nothing) = (1, 0, 0);
    assert!(module < 0x80, "the index would take two bytes");
    [SECTION, 4, one, instantiate, module, nothing]
}
