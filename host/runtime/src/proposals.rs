//! The WebAssembly proposals that guests may use.
//!
//! The threat: every proposal is more of the engine that a component reaches, and the newest parts are
//! the least tried. One that no guest of today needs has no business here, whatever the engine has on
//! by default. So each proposal that the engine knows stands in one table, on or off, with the reason;
//! what is off is refused when a component is installed, before it is compiled.

use wasmparser::{Validator, WasmFeatures};
use wasmtime::Config;

/// A WebAssembly proposal, or a part of one that the engine switches by itself.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// As in the list of proposals, in small letters with hyphens; `component-model-…` for those of the
    /// component model.
    pub name: &'static str,
    /// Whether guests may use it.
    pub on: bool,
    /// Why.
    pub reason: &'static str,
    features: WasmFeatures,
}

const fn on(name: &'static str, features: WasmFeatures, reason: &'static str) -> Proposal {
    Proposal {
        name,
        on: true,
        reason,
        features,
    }
}

const fn off(name: &'static str, features: WasmFeatures, reason: &'static str) -> Proposal {
    Proposal {
        on: false,
        ..on(name, features, reason)
    }
}

/// All proposals that the engine knows. Rust guests are built for `wasm32-wasip2`, C guests by
/// wasi-sdk, JavaScript guests by componentize-js and Python guests by componentize-py.
pub const PROPOSALS: &[Proposal] = {
    use WasmFeatures as F;
    &[
        on(
            "mutable-globals",
            F::MUTABLE_GLOBAL,
            "the stack pointer of every guest",
        ),
        on(
            "sign-extension",
            F::SIGN_EXTENSION,
            "compilers use it by default",
        ),
        on(
            "nontrapping-float-to-int",
            F::SATURATING_FLOAT_TO_INT,
            "compilers use it by default",
        ),
        on("multi-value", F::MULTI_VALUE, "compilers use it by default"),
        on(
            "bulk-memory",
            F::BULK_MEMORY,
            "copying and filling memory, and the tables of linked libraries",
        ),
        on(
            "reference-types",
            F::REFERENCE_TYPES,
            "compilers use its encoding by default, and component tools its tables of functions",
        ),
        on(
            "extended-const",
            F::EXTENDED_CONST,
            "libraries that are linked into one component",
        ),
        on("simd", F::SIMD, "guests read JSON and move text with it"),
        on(
            "floats",
            F::FLOATS,
            "no proposal, but a switch of the engine",
        ),
        on("component-model", F::COMPONENT_MODEL, "what a connector is"),
        off(
            "gc",
            F::GC,
            "for Java, Kotlin and the like; this engine is built without a collector",
        ),
        off(
            "externref",
            F::GC_TYPES,
            "needs the collector, and components pass handles instead",
        ),
        off(
            "function-references",
            F::FUNCTION_REFERENCES,
            "comes with `gc`",
        ),
        off(
            "exceptions",
            F::EXCEPTIONS,
            "Rust guests abort, C and C++ do without by default",
        ),
        off(
            "legacy-exceptions",
            F::LEGACY_EXCEPTIONS,
            "replaced by `exceptions`",
        ),
        off(
            "tail-call",
            F::TAIL_CALL,
            "no compiler emits it without being told to",
        ),
        off(
            "relaxed-simd",
            F::RELAXED_SIMD,
            "differs from processor to processor, so that a run could not be repeated elsewhere",
        ),
        off("threads", F::THREADS, "a guest has one thread"),
        off(
            "shared-everything-threads",
            F::SHARED_EVERYTHING_THREADS,
            "a guest has one thread",
        ),
        off(
            "multi-memory",
            F::MULTI_MEMORY,
            "a guest has one memory, which its limit is for",
        ),
        off(
            "memory64",
            F::MEMORY64,
            "no guest gets more memory than 32 bits address",
        ),
        off("memory-control", F::MEMORY_CONTROL, "unfinished"),
        off(
            "custom-page-sizes",
            F::CUSTOM_PAGE_SIZES,
            "for devices smaller than a page",
        ),
        off("stack-switching", F::STACK_SWITCHING, "unfinished"),
        off(
            "wide-arithmetic",
            F::WIDE_ARITHMETIC,
            "no compiler emits it without being told to",
        ),
        off(
            "custom-descriptors",
            F::CUSTOM_DESCRIPTORS,
            "comes with `gc`, unfinished",
        ),
        off("compact-import-section", F::COMPACT_IMPORTS, "unfinished"),
        off("component-model-values", F::CM_VALUES, "unfinished"),
        off(
            "component-model-nested-names",
            F::CM_NESTED_NAMES,
            "unfinished",
        ),
        off(
            "component-model-async",
            F::CM_ASYNC,
            "of WASI 0.3; the contract is of 0.2, whose guests wait with `wasi:io/poll`",
        ),
        off(
            "component-model-async-stackful",
            F::CM_ASYNC_STACKFUL,
            "comes with async",
        ),
        off(
            "component-model-more-async-builtins",
            F::CM_MORE_ASYNC_BUILTINS,
            "comes with async",
        ),
        off(
            "component-model-threading",
            F::CM_THREADING,
            "a guest has one thread",
        ),
        off(
            "component-model-error-context",
            F::CM_ERROR_CONTEXT,
            "comes with async",
        ),
        off(
            "component-model-fixed-length-lists",
            F::CM_FIXED_LENGTH_LISTS,
            "not in the contract",
        ),
        off("component-model-gc", F::CM_GC, "comes with `gc`"),
        off("component-model-map", F::CM_MAP, "not in the contract"),
        off("component-model-memory64", F::CM64, "comes with `memory64`"),
        off(
            "component-model-implements",
            F::CM_IMPLEMENTS,
            "not in the contract",
        ),
        off(
            "component-model-canonical-names",
            F::CM_CANON_NAMES,
            "unfinished",
        ),
    ]
};

/// Switches every proposal of the table on or off, whatever the engine does by default.
pub(crate) fn configure(config: &mut Config) {
    for proposal in PROPOSALS {
        config.wasm_features(proposal.features, proposal.on);
    }
}

/// The proposals that a component would need to be valid and that are off; none where something
/// else is wrong with it.
///
/// It reads the component once for each proposal, so only what was refused is asked about.
pub(crate) fn lacking(wasm: &[u8]) -> Vec<&'static str> {
    let valid_with = |features| {
        let validated = Validator::new_with_features(features).validate_all(wasm);
        validated.is_ok()
    };
    let all = (PROPOSALS.iter()).fold(WasmFeatures::empty(), |all, one| all | one.features);
    if !valid_with(all) {
        return Vec::new();
    }
    let off = PROPOSALS.iter().filter(|proposal| !proposal.on);
    off.filter(|proposal| !valid_with(all - proposal.features))
        .map(|proposal| proposal.name)
        .collect()
}

/// The proposals whose names are words of a text.
pub(crate) fn named_in(text: &str) -> Vec<&'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let names = PROPOSALS.iter().map(|proposal| proposal.name);
    names.filter(|name| words.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proposal_that_the_engine_knows_is_decided_once() {
        let mut decided = WasmFeatures::empty();
        for Proposal { name, features, .. } in PROPOSALS {
            assert!(!decided.intersects(*features), "{name} is decided twice");
            decided |= *features;
        }
        let missing = WasmFeatures::all() - decided;
        assert!(missing.is_empty(), "not decided: {missing:?}");
    }

    #[test]
    fn what_a_component_lacks_is_named_and_what_is_merely_broken_is_not() {
        let lacking = |text: &str| lacking(&wat::parse_str(text).unwrap());
        assert_eq!(vec!["memory64"], lacking("(module (memory i64 1))"));
        let two = lacking("(module (memory i64 1) (func return_call 0))");
        assert_eq!(vec!["tail-call", "memory64"], two);
        assert!(lacking("(module (memory 1))").is_empty());
        assert!(lacking("(module (memory i64 1) (func i32.const 0))").is_empty());
    }
}
