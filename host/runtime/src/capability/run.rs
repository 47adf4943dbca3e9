//! `tenon:runtime/run`: settings, checkpoints, and what a run tells about itself.

use std::sync::Arc;

use wasmtime::Result;

use super::RunState;
use crate::contract::tenon::runtime::run as wire;
use crate::limits::Breach;
use crate::observe::{FieldChange, Level, Progress, Written, tidy};
use crate::report::RejectedRecord;

impl From<wire::Level> for Level {
    fn from(level: wire::Level) -> Self {
        match level {
            wire::Level::Debug => Level::Debug,
            wire::Level::Info => Level::Info,
            wire::Level::Warn => Level::Warn,
            wire::Level::Error => Level::Error,
        }
    }
}

impl RunState {
    /// Commits what was written since the last commit, together with the report as it stands.
    /// A preview commits nothing.
    pub async fn commit(&mut self) -> Result<()> {
        self.renew();
        self.count();
        let pulse = Arc::clone(&self.pulse);
        let run = self.run()?;
        if !run.report.preview {
            run.work.keep_report(&run.report).await?;
            let _committing = pulse.committing();
            run.work.commit().await?;
        }
        Ok(())
    }

    /// Puts into the report what the host counts.
    pub fn count(&mut self) {
        if let Some(run) = &mut self.run {
            run.report.requests = self.egress.requests();
            run.report.memory = self.memory.peak();
        }
    }

    /// Gives the guest the time between two checkpoints once more.
    fn renew(&mut self) {
        self.ticks = 0;
        self.pulse.pass_checkpoint();
    }
}

impl wire::Host for RunState {
    async fn is_preview(&mut self) -> Result<bool> {
        Ok(self.run()?.report.preview)
    }

    async fn settings(&mut self) -> Result<String> {
        Ok(self.settings.as_ref().to_owned())
    }

    async fn checkpoint(&mut self, progress: wire::Progress) -> Result<wire::Directive> {
        if self.told_to_stop {
            return Err(Breach::WentOn.into());
        }
        let run = self.run()?;
        let as_one = run.as_one;
        let report = &mut run.report;
        report.created = progress.created;
        report.updated = progress.updated;
        report.unchanged = progress.unchanged;
        let failed = report.failed;
        if as_one {
            self.renew();
        } else {
            self.commit().await?;
        }
        self.observer.progress(Progress {
            done: progress.done,
            total: progress.total,
            created: progress.created,
            updated: progress.updated,
            unchanged: progress.unchanged,
            failed,
        });
        self.told_to_stop = self.pulse.is_stopping() || self.observer.wants_stop();
        Ok(if self.told_to_stop {
            wire::Directive::Stop
        } else {
            wire::Directive::Proceed
        })
    }

    async fn wrote(&mut self, written: Vec<wire::Written>) -> Result<()> {
        self.admit(&written)?;
        let most = self.limits.log_line;
        let shown = |mut text: String| {
            tidy(&mut text, most);
            text
        };
        for record in written {
            self.observer.wrote(&Written {
                record_kind: shown(record.record_kind),
                origin: shown(record.origin),
                changes: record
                    .changes
                    .into_iter()
                    .map(|change| FieldChange {
                        field: shown(change.field),
                        before: change.before.map(shown),
                        after: change.after.map(shown),
                    })
                    .collect(),
            });
        }
        Ok(())
    }

    async fn reject(&mut self, mut kind: String, mut id: String, mut reason: String) -> Result<()> {
        for text in [&mut kind, &mut id, &mut reason] {
            tidy(text, self.limits.log_line);
        }
        let record = RejectedRecord { kind, id, reason };
        self.observer.rejected(&record);
        let most = self.limits.listed_rejects;
        let report = &mut self.run()?.report;
        report.failed += 1;
        if report.records.len() < most {
            report.records.push(record);
        }
        Ok(())
    }

    async fn log(
        &mut self,
        level: wire::Level,
        message: String,
        record: Option<String>,
    ) -> Result<()> {
        self.log.record_line(level.into(), message, record);
        Ok(())
    }
}
