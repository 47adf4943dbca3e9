//! What a run wrote at the platform, told to its observer with the commit that makes it so.
//!
//! Until then it is held here: what is rolled back is never told. A run that commits nothing tells at
//! its checkpoints what it would have done.
//!
//! The threat: a guest writes large records over and over and never passes a checkpoint. So what is
//! held has a largest size; what is beyond it is written all the same, and the log says that it is not
//! told.

use wasmtime::Result;

use super::RunState;
use crate::observe::{Level, Written};
use crate::reason::Reason;

/// What was written since the last commit.
#[derive(Default)]
pub(crate) struct Told {
    written: Vec<Written>,
    bytes: usize,
    is_full: bool,
}

impl RunState {
    /// Holds that a record was written.
    pub(super) fn hold(&mut self, written: Written) -> Result<()> {
        let most = self.limits.call;
        let told = &mut self.run()?.told;
        if told.is_full {
            return Ok(());
        }
        told.bytes = told.bytes.saturating_add(written.weight());
        if told.bytes > most {
            told.is_full = true;
            self.log
                .line(Level::Warn, Reason::new("host.changes-untold"));
            return Ok(());
        }
        told.written.push(written);
        Ok(())
    }

    /// Tells what was written: it is committed now.
    pub(super) fn tell_all(&mut self) {
        if let Some(run) = self.run.as_mut() {
            for written in std::mem::take(&mut run.told).written {
                self.observer.wrote(&written);
            }
        }
    }
}
