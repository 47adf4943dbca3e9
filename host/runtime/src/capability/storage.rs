//! `tenon:runtime/storage`: the connection's durable state, within its quota.

use std::collections::{HashMap, HashSet};

use wasmtime::Result;

use super::{RunState, admit_names};
use crate::contract::tenon::runtime::storage::{Host, Quota};

impl Host for RunState {
    async fn get(&mut self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>> {
        self.admit(&keys)?;
        let mut seen = HashSet::new();
        let unique: Vec<String> = (keys.iter())
            .filter(|key| seen.insert(key.as_str()))
            .cloned()
            .collect();
        // Different values never take more than the quota; the same one many times would.
        let values = self.work()?.get(unique.clone()).await?;
        if unique.len() == keys.len() {
            self.admit_answer(values.iter().flatten().map(Vec::len).sum())?;
            return Ok(values);
        }
        let found: HashMap<String, Option<Vec<u8>>> = unique.into_iter().zip(values).collect();
        let value = |key| found.get(key).and_then(Option::as_ref);
        self.admit_answer(keys.iter().filter_map(value).map(Vec::len).sum())?;
        Ok(keys.iter().map(|key| value(key).cloned()).collect())
    }

    async fn set(&mut self, entries: Vec<(String, Vec<u8>)>) -> Result<Result<(), Quota>> {
        self.admit(&entries)?;
        admit_names(
            "host.limit.name.storage-key",
            entries.iter().map(|(key, _)| key),
        )?;
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
        self.admit(&keys)?;
        Ok(self.work()?.delete(keys).await?)
    }

    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let most = u32::try_from(self.limits.records).unwrap_or(u32::MAX);
        let found = self.work()?.scan(prefix, after, limit.min(most)).await?;
        self.admit_answer(
            found
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum(),
        )?;
        Ok(found)
    }
}
