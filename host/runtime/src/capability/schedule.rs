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
        admit_names("timer", [&name, &job].into_iter().chain(&argument))?;
        let most = self.limits.timers;
        if self.work()?.timers().await? >= most {
            return Err(Breach::Timers(most).into());
        }
        let due = jiff::Timestamp::now()
            .checked_add(Duration::from_millis(delay_ms))
            .unwrap_or(jiff::Timestamp::MAX);
        let timer = Timer {
            name,
            job,
            due,
            argument,
        };
        Ok(self.work()?.set_timer(timer).await?)
    }

    async fn cancel(&mut self, name: String) -> Result<()> {
        Ok(self.work()?.cancel_timer(name).await?)
    }
}
