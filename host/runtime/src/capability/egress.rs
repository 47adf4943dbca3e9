//! `wasi:http`: the guest's requests go to [`crate::egress`].

use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::RunState;

impl WasiHttpView for RunState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.egress,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
