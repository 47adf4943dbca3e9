//! `tenon:runtime/run`: settings, checkpoints, and what a run tells about itself.

use sha2::Digest as _;
use wasmtime::Result;

use super::{RunState, admit_names};
use crate::contract::tenon::runtime::run as wire;
use crate::limits::{Breach, Limits};
use crate::model::FieldChange;
use crate::observe::{Change, Level, Progress, Side, Written, tidy};
use crate::reason::Reason;
use crate::report::{Question, RejectedRecord, Subject};
use crate::request::Mode;

/// Names of a question's records that are shown.
const SAMPLES: usize = 20;

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

/// Whether so many records of so many may be removed, archived or zeroed without asking anybody.
fn lets_pass(limits: &Limits, affected: u64, total: u64) -> bool {
    let few = affected <= limits.brake_records;
    let share = u128::from(affected) * 100;
    few || share <= u128::from(total) * u128::from(limits.brake_percent)
}

/// Names a question by all that it asks, so that an answer counts for nothing else.
fn question_id(job: &str, question: &wire::Question) -> String {
    let mut digest = sha2::Sha256::new();
    let numbers = [question.affected, question.total].map(u64::to_le_bytes);
    let parts = [
        job.as_bytes(),
        question.reason.code.as_bytes(),
        question.record_kind.as_bytes(),
        numbers.as_flattened(),
        &question.facts,
    ];
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let id = &digest.finalize()[..12];
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl RunState {
    /// Commits what was written since the last commit, together with the report as it stands.
    /// A run that changes nothing commits nothing.
    pub async fn commit(&mut self) -> Result<()> {
        self.renew();
        let requests = self.egress.requests();
        let memory = self.memory.peak();
        let log = self.log.clone();
        let run = self.run()?;
        run.count(&log);
        run.report.requests = requests;
        run.report.memory = memory;
        if run.report.mode.writes() {
            run.work.keep_report(&run.report).await?;
            run.work.commit().await?;
        }
        run.seen.commit();
        Ok(())
    }

    /// Gives the guest the time between two checkpoints once more.
    fn renew(&mut self) {
        self.ticks = 0;
        self.checkpoint.pass();
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
            account: run.account.clone(),
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
        self.told_to_stop = self.observer.wants_stop();
        Ok(if self.told_to_stop {
            wire::Directive::Stop
        } else {
            wire::Directive::Proceed
        })
    }

    async fn confirmed(&mut self, mut question: wire::Question) -> Result<bool> {
        admit_names("digest", [&question.record_kind])?;
        if lets_pass(&self.limits, question.affected, question.total) {
            return Ok(true);
        }
        let most = self.limits.log_line;
        question.reason.tidy(most);
        tidy(&mut question.record_kind, most);
        question.samples.truncate(SAMPLES);
        for sample in &mut question.samples {
            tidy(sample, most);
        }
        let text = self.log.text(&question.reason);
        let run = self.run()?;
        let id = question_id(&run.report.job, &question);
        if run.confirmed.contains(&id) {
            return Ok(true);
        }
        if !run.report.questions.iter().any(|open| open.id == id) {
            run.report.questions.push(Question {
                id,
                text,
                why: question.reason,
                kind: question.record_kind,
                affected: question.affected,
                total: question.total,
                samples: question.samples,
            });
        }
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
            admit_names("record", [name])?;
            for text in [&mut rejection.record_kind, &mut rejection.label] {
                tidy(text, self.limits.log_line);
            }
            rejection.reason.tidy(self.limits.log_line);
            let mut reason = self.log.text(&rejection.reason);
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
            let report = &mut self.run()?.report;
            report.failed += 1;
            if report.records.len() < most {
                report.records.push(record);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn question(affected: u64, facts: &[u8]) -> wire::Question {
        wire::Question {
            reason: Reason::new("products.gone"),
            record_kind: "product".to_owned(),
            affected,
            total: 200,
            samples: Vec::new(),
            facts: facts.to_vec(),
        }
    }

    #[test]
    fn few_records_pass_and_a_small_share_of_many() {
        let limits = Limits::default();
        for (affected, total, passes) in [
            (0, 0, true),
            (10, 10, true),
            (11, 11, false),
            (11, 109, false),
            (11, 110, true),
            (180, 200, false),
            (u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(
                passes,
                lets_pass(&limits, affected, total),
                "{affected} of {total}"
            );
        }
    }

    #[test]
    fn an_answer_counts_only_for_what_was_asked() {
        let id = question_id("products", &question(180, b"abc"));
        assert_eq!(id, question_id("products", &question(180, b"abc")));
        assert_ne!(id, question_id("stock", &question(180, b"abc")));
        assert_ne!(id, question_id("products", &question(181, b"abc")));
        assert_ne!(id, question_id("products", &question(180, b"abd")));
    }
}
