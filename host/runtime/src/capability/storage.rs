//! `tenon:runtime/storage`: the connection's durable state, within its quota.

use wasmtime::Result;

use super::RunState;
use crate::contract::tenon::runtime::storage::{Host, Quota};

impl Host for RunState {
    async fn get(&mut self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(self.work()?.get(keys).await?)
    }

    async fn set(&mut self, entries: Vec<(String, Vec<u8>)>) -> Result<Result<(), Quota>> {
        let limit = self.limits.storage;
        let work = self.work()?;
        let used = work.stored_bytes().await?;
        // An overwritten value counts twice until it is gone, so the quota is never exceeded.
        let more: usize = (entries.iter())
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if used + more as u64 > limit {
            return Ok(Err(Quota { used, limit }));
        }
        work.set(entries).await?;
        Ok(Ok(()))
    }

    async fn delete(&mut self, keys: Vec<String>) -> Result<()> {
        Ok(self.work()?.delete(keys).await?)
    }

    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.work()?.scan(prefix, after, limit).await?)
    }
}
