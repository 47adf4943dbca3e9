//! `tenon:runtime/schedule`: timers, kept with the rest of a connection's state.

use std::time::Duration;

use wasmtime::Result;

use super::{RunState, admit_names};
use crate::contract::tenon::runtime::schedule::Host;
use crate::limits::Breach;
use crate::platform::Timer;

impl Host for RunState {
    async fn after(
        &mut self,
        name: String,
        job: String,
        delay_ms: u64,
        argument: Option<String>,
    ) -> Result<()> {
        admit_names(
            "host.limit.name.timer",
            [&name, &job].into_iter().chain(&argument),
        )?;
        let most = self.limits.timers;
        let due = jiff::Timestamp::now()
            .checked_add(Duration::from_millis(delay_ms))
            .unwrap_or(jiff::Timestamp::MAX);
        let timer = Timer {
            name,
            job,
            due,
            argument,
        };
        let work = self.work()?;
        work.set_timer(timer).await?;
        // Counted afterwards, because the same name again is no more than before. A timer too many
        // ends the run, which undoes it.
        if work.timers().await? > most {
            return Err(Breach::Timers(most).into());
        }
        Ok(())
    }

    async fn cancel(&mut self, name: String) -> Result<()> {
        Ok(self.work()?.cancel_timer(name).await?)
    }
}
