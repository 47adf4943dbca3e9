//! `tenon:runtime/run`: settings, checkpoints, and what a run tells about itself.

use std::sync::Arc;

use wasmtime::Result;

use super::{RunState, admit_names, no_run};
use crate::brake::question_id;
use crate::contract::tenon::runtime::run as wire;
use crate::limits::Breach;
use crate::model::FieldChange;
use crate::observe::{Change, Level, Progress, Side, Written, tidy};
use crate::reason::{LANGUAGES, Reason};
use crate::report::{Question, RejectedRecord, Subject};
use crate::request::Mode;

/// Open questions of one run; the answer to further ones is no, and people are not shown them.
const QUESTIONS: usize = 20;

/// Names of a question's records that are shown.
const SAMPLES: usize = 20;

/// Bytes of such a name.
const SAMPLE: usize = 200;

impl From<wire::Level> for Level {
    fn from(level: wire::Level) -> Self {
        match level {
            wire::Level::Info => Level::Info,
            wire::Level::Warn => Level::Warn,
            wire::Level::Error => Level::Error,
        }
    }
}

impl From<wire::Change> for Change {
    fn from(change: wire::Change) -> Self {
        match change {
            wire::Change::Created => Change::Created,
            wire::Change::Updated => Change::Updated,
            wire::Change::Removed => Change::Removed,
        }
    }
}

impl From<wire::Subject> for Subject {
    fn from(subject: wire::Subject) -> Self {
        match subject {
            wire::Subject::Origin(origin) => Subject::Origin(origin),
            wire::Subject::Key(key) => Subject::Key(key),
        }
    }
}

impl RunState {
    /// Commits what was written since the last commit, together with the report as it stands.
    /// A run that changes nothing commits nothing.
    pub async fn commit(&mut self) -> Result<()> {
        self.renew();
        self.count();
        let pulse = Arc::clone(&self.pulse);
        let run = self.run()?;
        if run.report.mode.writes() {
            run.work.keep_report(&run.report).await?;
            let _committing = pulse.committing();
            run.work.commit().await?;
        }
        run.seen.commit();
        self.tell_all();
        Ok(())
    }

    /// Puts into the report what the host counts.
    pub fn count(&mut self) {
        if let Some(run) = &mut self.run {
            run.count(&self.log);
            run.report.requests = run.requests_before + self.egress.requests();
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
    async fn mode(&mut self) -> Result<wire::RunMode> {
        Ok(match self.run()?.report.mode {
            Mode::Live => wire::RunMode::Live,
            Mode::Preview => wire::RunMode::Preview,
            Mode::Compare => wire::RunMode::Compare,
        })
    }

    async fn context(&mut self) -> Result<wire::RunContext> {
        let run = self.run()?;
        Ok(wire::RunContext {
            time_zone: run.place.time_zone.clone(),
            language: run.place.language.clone(),
            currency: run.place.currency.clone(),
            books: run.books.id.clone(),
            account: run.account.as_ref().map(|account| account.id.clone()),
            supports: run.books.supports,
        })
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
        let told = Progress {
            done: progress.done,
            total: progress.total,
            created: progress.created,
            updated: progress.updated,
            unchanged: progress.unchanged,
            failed: run.report.failed,
        };
        run.seen.tell(told);
        if as_one {
            self.renew();
        } else {
            self.commit().await?;
        }
        let report = &self.run()?.report;
        let progress = Progress {
            created: report.created,
            updated: report.updated,
            ..told
        };
        self.observer.progress(progress);
        self.told_to_stop = self.pulse.is_stopping() || self.observer.wants_stop();
        Ok(if self.told_to_stop {
            wire::Directive::Stop
        } else {
            wire::Directive::Proceed
        })
    }

    async fn confirmed(&mut self, question: wire::Question) -> Result<bool> {
        let wire::Question {
            mut reason,
            record_kind: mut kind,
            affected,
            total,
            mut samples,
            facts,
        } = question;
        admit_names("host.limit.name.kind", [&kind])?;
        self.admit(&samples)?;
        let most = self.limits.log_line;
        reason.tidy(most);
        tidy(&mut kind, most);
        samples.truncate(SAMPLES);
        for sample in &mut samples {
            tidy(sample, SAMPLE.min(most));
        }
        let mut text = self.log.text(&reason, LANGUAGES[0]);
        tidy(&mut text, most);
        let run = self.run.as_mut().ok_or_else(no_run)?;
        let numbers = [affected, total];
        let id = question_id(&run.report.job, &reason.code, &kind, numbers, &facts);
        let agreed = run.confirmed.contains(&id)
            || run.brake.lets_pass(&self.limits, &kind, affected, total);
        if agreed {
            return Ok(true);
        }
        let asked = &mut run.report.questions;
        if asked.iter().any(|open| open.id == id) {
            return Ok(false);
        }
        if asked.len() == QUESTIONS {
            if !std::mem::replace(&mut run.asked_too_much, true) {
                self.log
                    .line(Level::Warn, Reason::new("host.questions-full"));
            }
            return Ok(false);
        }
        asked.push(Question {
            id,
            text,
            why: reason,
            kind,
            affected,
            total,
            samples,
        });
        Ok(false)
    }

    async fn wrote(&mut self, written: Vec<wire::Written>) -> Result<()> {
        self.admit(&written)?;
        let most = self.limits.log_line;
        let shown = |mut text: String| {
            tidy(&mut text, most);
            text
        };
        for record in written {
            let change = record.change.into();
            let seen = &mut self.run()?.seen;
            seen.wrote(&record.record_kind, &record.origin, change);
            self.observer.wrote(&Written {
                side: Side::Counterpart,
                record_kind: shown(record.record_kind),
                origin: shown(record.origin),
                key: record.key.map(shown),
                label: record.label.map(shown),
                change,
                changes: record
                    .fields
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

    async fn reject(&mut self, rejections: Vec<wire::Rejection>) -> Result<()> {
        self.admit(&rejections)?;
        for mut rejection in rejections {
            let (wire::Subject::Origin(name) | wire::Subject::Key(name)) = &rejection.subject;
            admit_names("host.limit.name.record", [name])?;
            for text in [&mut rejection.record_kind, &mut rejection.label] {
                tidy(text, self.limits.log_line);
            }
            rejection.reason.tidy(self.limits.log_line);
            let mut reason = self.log.text(&rejection.reason, LANGUAGES[0]);
            tidy(&mut reason, self.limits.log_line);
            let record = RejectedRecord {
                kind: rejection.record_kind,
                id: rejection.label,
                subject: rejection.subject.into(),
                reason,
                why: rejection.reason,
            };
            self.observer.rejected(&record);
            let most = self.limits.listed_rejects;
            let run = self.run()?;
            let report = &mut run.report;
            if run.seen.rejected(&record.kind, &record.subject) {
                report.failed += 1;
                if report.records.len() < most {
                    report.records.push(record);
                }
            } else if let Some(known) = report
                .records
                .iter_mut()
                .find(|known| (&known.kind, &known.subject) == (&record.kind, &record.subject))
            {
                *known = record;
            }
        }
        Ok(())
    }

    async fn settle(&mut self, kind: String, subjects: Vec<wire::Subject>) -> Result<()> {
        self.admit(&subjects)?;
        let subjects: Vec<Subject> = subjects.into_iter().map(Subject::from).collect();
        self.observer.settled(&kind, &subjects);
        Ok(())
    }

    async fn log(
        &mut self,
        level: wire::Level,
        reason: Reason,
        record: Option<String>,
    ) -> Result<()> {
        self.log.record_line(level.into(), reason, record);
        Ok(())
    }

    async fn debug(&mut self, message: String) -> Result<()> {
        self.log.debug(message);
        Ok(())
    }
}
