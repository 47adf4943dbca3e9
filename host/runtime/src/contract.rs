//! The generated face of the contract: world `connector` of `wit/`.

/// What the generated code expects of an interface that has types only.
pub mod model {
    use wasmtime::component::{HasData, Linker};

    pub use crate::model::*;

    pub trait Host {}
    impl<T: ?Sized> Host for T {}

    pub trait HostWithStore<T>: HasData {}
    impl<T, D: HasData> HostWithStore<T> for D {}

    pub fn add_to_linker<T: 'static, D: HostWithStore<T>>(
        linker: &mut Linker<T>,
        _state: fn(&mut T) -> D::Data<'_>,
    ) -> wasmtime::Result<()>
    where
        for<'a> D::Data<'a>: Host,
    {
        linker.instance("tenon:erp/model@0.2.0").map(drop)
    }
}

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tenon:connector/connector",
    imports: {
        "tenon:erp": async | trappable,
        "tenon:runtime": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:random": wasmtime_wasi::p2::bindings::random,
        "wasi:cli": wasmtime_wasi::p2::bindings::cli,
        "wasi:http": wasmtime_wasi_http::p2::bindings::http,
        "tenon:erp/model": self::model,
    },
});
