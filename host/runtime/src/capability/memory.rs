//! How much linear memory a guest may have, and how much it had.

use wasmtime::{ResourceLimiter, Result, StoreLimits, StoreLimitsBuilder};

use crate::engine;

/// Stops a guest that wants more memory than it may have, and remembers the most that it had.
pub(crate) struct GuestMemory {
    limits: StoreLimits,
    /// Memories never shrink, and the engine gives a component only one.
    peak: usize,
}

impl GuestMemory {
    /// So many bytes.
    pub fn at_most(bytes: usize) -> GuestMemory {
        let limits = StoreLimitsBuilder::new()
            .memory_size(bytes)
            .table_elements(engine::TABLE_ELEMENTS)
            .trap_on_grow_failure(true)
            .build();
        GuestMemory { limits, peak: 0 }
    }

    /// The most that it had so far, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak as u64
    }
}

impl ResourceLimiter for GuestMemory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let may = self.limits.memory_growing(current, desired, maximum)?;
        if may {
            self.peak = self.peak.max(desired);
        }
        Ok(may)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> Result<()> {
        self.limits.memory_grow_failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> Result<()> {
        self.limits.table_grow_failed(error)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}
