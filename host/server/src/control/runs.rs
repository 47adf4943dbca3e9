//! Runs of jobs, under way and finished, and what they wrote on both sides.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::Value;
use tenon_host::Mode;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::{Progress, Side, Written};
use tenon_host::reason::Reason;
use tenon_host::report::{Outcome, Question, RejectedRecord, RunReport, Warning, WrittenRecords};

use super::{Failure, columns};
use crate::told::{self, Told};

/// What is said of a run whose process did not live to say how it ended.
fn left_behind_for() -> Told {
    Told::new(Reason::new("server.left-behind"))
}

/// A run that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// A UUID of version 7: sorts by start.
    pub id: String,
    /// Whose run it is.
    pub tenant: TenantId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// The job.
    pub job: String,
    /// Its argument.
    pub argument: Option<String>,
    /// Why it runs, as the request says.
    pub cause: Value,
    /// What it is for.
    pub mode: Mode,
    /// The component that runs.
    pub digest: String,
    /// Its version.
    pub version: String,
    /// The request that it answers.
    pub request: i64,
    /// The fence of the claim.
    pub fence: i64,
    /// When it began.
    pub started_at: Timestamp,
}

/// A run, under way or finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// How it began.
    pub begun: Begun,
    /// When it ended; none while it is under way.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// New records.
    pub created: u64,
    /// Changed records.
    pub updated: u64,
    /// Records that were right already.
    pub unchanged: u64,
    /// Records that could not be taken.
    pub failed: u64,
    /// Requests sent to the counterpart.
    pub requests: u64,
    /// Why it could not go on.
    pub error: Option<Told>,
    /// All that was written, by side and kind.
    pub written: Vec<WrittenRecords>,
    /// What people should know although the run went on.
    pub warnings: Vec<Warning>,
    /// The records that could not be taken.
    pub records: Vec<RejectedRecord>,
    /// What it asked people, and did not do.
    pub questions: Vec<Question>,
}

/// A record that a run wrote, or in a preview would have written.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place among the changes of the run.
    pub number: i64,
    /// What was written.
    pub written: Written,
}

/// Which runs are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// Of which connection.
    pub connection: &'a ConnectionId,
    /// Of one job only.
    pub job: Option<&'a str>,
    /// That ended in one way only.
    pub outcome: Option<Outcome>,
    /// Of one mode only.
    pub mode: Option<Mode>,
    /// Older than this one.
    pub after: Option<&'a str>,
    /// So many at most.
    pub limit: u32,
}

/// When a run was done last, among those that began last.
pub fn last_success(db: &Connection) -> Result<Option<Timestamp>, Failure> {
    let at: Option<i64> = db.query_row(
        "SELECT max(finished_at) FROM (
             SELECT outcome, finished_at FROM runs ORDER BY started_at DESC LIMIT 10000)
         WHERE outcome = 'done'",
        [],
        |row| row.get(0),
    )?;
    let at = at.map(Timestamp::from_millisecond);
    at.transpose().map_err(Failure::new)
}

/// What a tenant had runs do.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Whose.
    pub tenant: TenantId,
    /// Runs that began.
    pub runs: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Milliseconds that those took that have ended.
    pub took_ms: u64,
    /// Requests that they sent.
    pub requests: u64,
}

/// By what tenants are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Runs that began.
    Runs,
    /// Runs that failed.
    Failed,
    /// Time that runs took.
    Time,
    /// Requests to counterparts.
    Requests,
}

/// The tenants that had runs do most since a moment.
pub fn usage(
    db: &Connection,
    since: Timestamp,
    by: Noise,
    limit: u32,
) -> rusqlite::Result<Vec<Usage>> {
    let by = match by {
        Noise::Runs => "runs",
        Noise::Failed => "failed_runs",
        Noise::Time => "took",
        Noise::Requests => "sent",
    };
    db.prepare_cached(&format!(
        "SELECT tenant, count(*) AS runs, sum(requests) AS sent,
             sum(outcome IN ('transient', 'configuration', 'crashed')) AS failed_runs,
             sum(max(coalesce(finished_at, started_at) - started_at, 0)) AS took
         FROM runs WHERE started_at >= ?1
         GROUP BY tenant ORDER BY {by} DESC, tenant LIMIT ?2"
    ))?
    .query_map(params![since.as_millisecond(), limit], |row| {
        let number = |name| row.get::<_, i64>(name).map(i64::unsigned_abs);
        Ok(Usage {
            tenant: columns::parsed(row, "tenant")?,
            runs: number("runs")?,
            failed: number("failed_runs")?,
            took_ms: number("took")?,
            requests: number("sent")?,
        })
    })?
    .collect()
}

/// Ends a run of which nothing is known but how far it was when that was last written down.
fn close(db: &Connection, run: &Begun, now: Timestamp) -> rusqlite::Result<()> {
    let Told { text, why } = left_behind_for();
    db.prepare_cached(
        "UPDATE runs SET outcome = 'crashed', finished_at = ?2, error = ?3, why = ?4
         WHERE id = ?1 AND finished_at IS NULL",
    )?
    .execute(params![
        run.id,
        now.as_millisecond(),
        text,
        told::why_json(why.as_ref())?,
    ])
    .map(drop)
}

/// Takes note of a run that begins. One of the same connection that is still open was left behind by
/// a worker that is gone, because a connection has one run at a time.
pub fn begin(db: &Connection, run: &Begun) -> rusqlite::Result<()> {
    let open = db
        .prepare_cached(
            "SELECT * FROM runs
             WHERE tenant = ?1 AND connection = ?2 AND finished_at IS NULL AND id <> ?3",
        )?
        .query_map(
            [run.tenant.as_str(), run.connection.as_str(), &run.id],
            self::run,
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for left in open {
        close(db, &left.begun, run.started_at)?;
    }
    db.prepare_cached(
        "INSERT INTO runs (id, tenant, connection, job, argument, cause, mode, digest, version,
             request, fence, started_at, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'running')
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        run.id,
        run.tenant.as_str(),
        run.connection.as_str(),
        run.job,
        run.argument,
        columns::to_json(&run.cause)?,
        columns::to_word(&run.mode)?,
        run.digest,
        run.version,
        run.request,
        run.fence,
        run.started_at.as_millisecond(),
    ])
    .map(drop)
}

/// Whether a run is known: it goes with its connection.
pub fn is_there(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM runs WHERE id = ?1")?
        .exists([id])
}

/// Takes note of how a run ended; again with the same report changes nothing.
pub fn finish(db: &Connection, id: &str, report: &RunReport) -> rusqlite::Result<()> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let finished_at = report.finished_at.unwrap_or_else(Timestamp::now);
    db.prepare_cached(
        "UPDATE runs SET finished_at = ?2, outcome = ?3, created = ?4, updated = ?5,
             unchanged = ?6, failed = ?7, requests = ?8, error = ?9, records = ?10, questions = ?11,
             written = ?12, warnings = ?13, why = ?14
         WHERE id = ?1",
    )?
    .execute(params![
        id,
        finished_at.as_millisecond(),
        columns::to_word(&report.outcome)?,
        count(report.created),
        count(report.updated),
        count(report.unchanged),
        count(report.failed),
        count(report.requests),
        report.error,
        columns::to_json(&report.records)?,
        columns::to_json(&report.questions)?,
        columns::to_json(&report.written)?,
        columns::to_json(&report.warnings)?,
        told::why_json(report.why.as_ref())?,
    ])
    .map(drop)
}

/// The runs that no process is at work on, when a server starts.
pub fn left_behind(db: &Connection) -> rusqlite::Result<Vec<Begun>> {
    db.prepare("SELECT * FROM runs WHERE finished_at IS NULL")?
        .query_map([], run)?
        .map(|run| Ok(run?.begun))
        .collect()
}

/// Ends a run that no process is at work on, by the report that its last checkpoint kept.
pub fn end_left_behind(
    db: &Connection,
    run: &Begun,
    kept: Option<RunReport>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let report = match kept {
        // It had come to its end; only the word of that was lost.
        Some(report) if report.outcome != Outcome::Running => report,
        Some(report) => {
            let Told { text, why } = left_behind_for();
            RunReport {
                finished_at: Some(now),
                outcome: Outcome::Crashed,
                error: Some(text),
                why,
                ..report
            }
        }
        None => return close(db, run, now),
    };
    finish(db, &run.id, &report)
}

/// Keeps how far a run is that is under way.
pub fn keep_progress(db: &Connection, id: &str, progress: &Progress) -> rusqlite::Result<()> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    db.prepare_cached(
        "UPDATE runs SET created = ?2, updated = ?3, unchanged = ?4, failed = ?5
         WHERE id = ?1 AND finished_at IS NULL",
    )?
    .execute(params![
        id,
        count(progress.created),
        count(progress.updated),
        count(progress.unchanged),
        count(progress.failed),
    ])
    .map(drop)
}

/// A run of a connection.
pub fn get(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    id: &str,
) -> rusqlite::Result<Option<Run>> {
    db.prepare_cached("SELECT * FROM runs WHERE id = ?3 AND tenant = ?1 AND connection = ?2")?
        .query_row([tenant.as_str(), connection.as_str(), id], run)
        .optional()
}

/// Runs of a connection, the newest first.
pub fn list(db: &Connection, wanted: Wanted<'_>) -> rusqlite::Result<Vec<Run>> {
    let outcome = (wanted.outcome.as_ref())
        .map(columns::to_word)
        .transpose()?;
    let mode = wanted.mode.as_ref().map(columns::to_word).transpose()?;
    db.prepare_cached(
        "SELECT * FROM runs WHERE tenant = ?1 AND connection = ?2 AND (?3 IS NULL OR id < ?3)
             AND (?4 IS NULL OR job = ?4) AND (?5 IS NULL OR outcome = ?5)
             AND (?6 IS NULL OR mode = ?6)
         ORDER BY id DESC LIMIT ?7",
    )?
    .query_map(
        params![
            wanted.tenant.as_str(),
            wanted.connection.as_str(),
            wanted.after,
            wanted.job,
            outcome,
            mode,
            wanted.limit,
        ],
        run,
    )?
    .collect()
}

/// The newest run of a connection that has finished and wrote.
pub fn last(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Option<Run>> {
    db.prepare_cached(
        "SELECT * FROM runs WHERE tenant = ?1 AND connection = ?2 AND finished_at IS NOT NULL
             AND mode = 'live'
         ORDER BY id DESC LIMIT 1",
    )?
    .query_row([tenant.as_str(), connection.as_str()], run)
    .optional()
}

/// Adds changes behind those that the run has.
pub fn append_changes(db: &Connection, run: &str, written: &[Written]) -> rusqlite::Result<()> {
    let last: Option<i64> = db
        .prepare_cached("SELECT max(number) FROM changes WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    let mut insert = db.prepare_cached(
        "INSERT INTO changes (run, number, side, record_kind, origin, key, label, change, fields)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (number, written) in (last.unwrap_or(0) + 1..).zip(written) {
        insert.execute(params![
            run,
            number,
            columns::to_word(&written.side)?,
            written.record_kind,
            written.origin,
            written.key,
            written.label,
            columns::to_word(&written.change)?,
            columns::to_json(&written.changes)?,
        ])?;
    }
    Ok(())
}

/// The changes of a run in their order, those after a number; on one side only where that is given.
pub fn changes(
    db: &Connection,
    run: &str,
    side: Option<Side>,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<Change>> {
    let side = side.as_ref().map(columns::to_word).transpose()?;
    db.prepare_cached(
        "SELECT * FROM changes WHERE run = ?1 AND number > ?2 AND (?3 IS NULL OR side = ?3)
         ORDER BY number LIMIT ?4",
    )?
    .query_map(params![run, after, side, limit], |row| {
        Ok(Change {
            number: row.get("number")?,
            written: written(row)?,
        })
    })?
    .collect()
}

/// Which changes of all runs are wanted.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// By one connection only.
    pub connection: Option<&'a ConnectionId>,
    /// Of the record of this key, origin, number or name only.
    pub record: Option<&'a str>,
    /// The newest so many.
    pub most: u32,
}

/// A change with the run that made it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PastChange {
    /// The run.
    pub run: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Its connection.
    pub connection: String,
    /// Its job.
    pub job: String,
    /// What was written.
    #[serde(flatten)]
    pub written: Written,
}

/// What runs changed, the newest last. Runs that write nothing changed nothing.
pub fn history(db: &Connection, wanted: History<'_>) -> rusqlite::Result<Vec<PastChange>> {
    let mut told: Vec<PastChange> = db
        .prepare_cached(
            "SELECT changes.*, runs.connection, runs.job, runs.started_at
             FROM runs JOIN changes ON changes.run = runs.id
             WHERE runs.tenant = ?1 AND runs.mode = 'live'
                 AND (?2 IS NULL OR runs.connection = ?2)
                 AND (?3 IS NULL OR ?3 IN (changes.key, changes.origin, changes.label))
             ORDER BY runs.id DESC, changes.number DESC LIMIT ?4",
        )?
        .query_map(
            params![
                wanted.tenant.as_str(),
                wanted.connection.map(ConnectionId::as_str),
                wanted.record,
                wanted.most,
            ],
            |row| {
                Ok(PastChange {
                    run: row.get("run")?,
                    started_at: columns::time(row, "started_at")?,
                    connection: row.get("connection")?,
                    job: row.get("job")?,
                    written: written(row)?,
                })
            },
        )?
        .collect::<Result<_, _>>()?;
    told.reverse();
    Ok(told)
}

fn written(row: &Row<'_>) -> rusqlite::Result<Written> {
    Ok(Written {
        side: columns::word(row, "side")?,
        record_kind: row.get("record_kind")?,
        origin: row.get("origin")?,
        key: row.get("key")?,
        label: row.get("label")?,
        change: columns::word(row, "change")?,
        changes: columns::json(row, "fields")?,
    })
}

/// Removes some of a tenant's finished runs that began before a moment, their changes first; tells how
/// many rows that were.
pub fn forget(
    db: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    let changes = db
        .prepare_cached(
            "DELETE FROM changes WHERE (run, number) IN (
                 SELECT changes.run, changes.number FROM runs
                 JOIN changes ON changes.run = runs.id
                 WHERE runs.tenant = ?1 AND runs.started_at < ?2
                     AND runs.finished_at IS NOT NULL
                 LIMIT ?3)",
        )?
        .execute(params![tenant.as_str(), before.as_millisecond(), limit])?;
    if changes >= limit as usize {
        return Ok(changes);
    }
    let runs = db
        .prepare_cached(
            "DELETE FROM runs WHERE id IN (
                 SELECT id FROM runs
                 WHERE tenant = ?1 AND started_at < ?2 AND finished_at IS NOT NULL
                 ORDER BY started_at LIMIT ?3)",
        )?
        .execute(params![tenant.as_str(), before.as_millisecond(), limit])?;
    Ok(changes + runs)
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
    Ok(Run {
        begun: Begun {
            id: row.get("id")?,
            tenant: columns::parsed(row, "tenant")?,
            connection: columns::parsed(row, "connection")?,
            job: row.get("job")?,
            argument: row.get("argument")?,
            cause: columns::json(row, "cause")?,
            mode: columns::word(row, "mode")?,
            digest: row.get("digest")?,
            version: row.get("version")?,
            request: row.get("request")?,
            fence: row.get("fence")?,
            started_at: columns::time(row, "started_at")?,
        },
        finished_at: columns::maybe_time(row, "finished_at")?,
        outcome: columns::word(row, "outcome")?,
        created: count("created")?,
        updated: count("updated")?,
        unchanged: count("unchanged")?,
        failed: count("failed")?,
        requests: count("requests")?,
        error: Told::read(row, "error", "why")?,
        written: columns::json(row, "written")?,
        warnings: columns::json(row, "warnings")?,
        records: columns::json(row, "records")?,
        questions: columns::json(row, "questions")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tenon_host::observe::FieldChange;

    use super::*;

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        crate::control::schema::MIGRATIONS
            .to_latest(&mut db)
            .unwrap();
        db
    }

    fn begun(id: &str, connection: &str) -> Begun {
        Begun {
            id: id.to_owned(),
            tenant: "shop".parse().unwrap(),
            connection: connection.parse().unwrap(),
            job: "orders".to_owned(),
            argument: None,
            cause: json!({ "type": "asked" }),
            mode: Mode::Live,
            digest: "d".to_owned(),
            version: "1.0.0".to_owned(),
            request: 1,
            fence: 1,
            started_at: Timestamp::from_second(1).unwrap(),
        }
    }

    fn outcomes(db: &Connection, connection: &str) -> Vec<(String, Outcome)> {
        let (tenant, connection) = ("shop".parse().unwrap(), connection.parse().unwrap());
        let wanted = Wanted {
            tenant: &tenant,
            connection: &connection,
            job: None,
            outcome: None,
            mode: None,
            after: None,
            limit: 10,
        };
        let runs = list(db, wanted).unwrap().into_iter();
        runs.map(|run| (run.begun.id, run.outcome)).collect()
    }

    fn end_all(db: &Connection) -> usize {
        let left = left_behind(db).unwrap();
        for run in &left {
            end_left_behind(db, run, None, Timestamp::now()).unwrap();
        }
        left.len()
    }

    #[test]
    fn a_run_that_its_process_left_behind_is_recorded_with_what_it_had_committed() {
        let db = database();
        begin(&db, &begun("1", "a")).unwrap();
        begin(&db, &begun("2", "b")).unwrap();
        begin(&db, &begun("3", "c")).unwrap();
        let kept = |outcome| RunReport {
            created: 2_196,
            outcome,
            ..RunReport::begun(
                "x",
                "a".parse().unwrap(),
                "crm 1.0.0",
                "orders",
                Timestamp::now(),
            )
        };
        let progress = Progress {
            created: 50,
            ..Progress::default()
        };
        keep_progress(&db, "3", &progress).unwrap();
        let now = Timestamp::from_second(9).unwrap();
        let left = left_behind(&db).unwrap();
        end_left_behind(&db, &left[0], Some(kept(Outcome::Running)), now).unwrap();
        end_left_behind(&db, &left[1], Some(kept(Outcome::Done)), now).unwrap();
        end_left_behind(&db, &left[2], None, now).unwrap();
        let found = |connection: &str, id| {
            let tenant = "shop".parse().unwrap();
            let run = get(&db, &tenant, &connection.parse().unwrap(), id).unwrap();
            let run = run.unwrap();
            (run.outcome, run.created, run.error.is_some())
        };
        assert_eq!((Outcome::Crashed, 2_196, true), found("a", "1"));
        assert_eq!((Outcome::Done, 2_196, false), found("b", "2"));
        assert_eq!((Outcome::Crashed, 50, true), found("c", "3"));
    }

    #[test]
    fn a_run_that_its_process_left_behind_is_closed_by_the_next_of_its_connection() {
        let db = database();
        begin(&db, &begun("1", "a")).unwrap();
        begin(&db, &begun("2", "b")).unwrap();
        begin(&db, &begun("3", "a")).unwrap();
        begin(&db, &begun("3", "a")).unwrap();
        let a = [("3", Outcome::Running), ("1", Outcome::Crashed)];
        assert_eq!(
            a.map(|(id, end)| (id.to_owned(), end)).to_vec(),
            outcomes(&db, "a")
        );
        assert_eq!(vec![("2".to_owned(), Outcome::Running)], outcomes(&db, "b"));
        assert_eq!(2, end_all(&db));
        assert_eq!(vec![("2".to_owned(), Outcome::Crashed)], outcomes(&db, "b"));
    }

    #[test]
    fn runs_of_each_mode_are_listed_and_only_one_that_writes_is_the_last_run() {
        let db = database();
        begin(&db, &begun("1", "a")).unwrap();
        let preview = Begun {
            mode: Mode::Preview,
            ..begun("2", "a")
        };
        begin(&db, &preview).unwrap();
        let compare = Begun {
            mode: Mode::Compare,
            ..begun("3", "a")
        };
        begin(&db, &compare).unwrap();
        end_all(&db);
        let (tenant, connection) = ("shop".parse().unwrap(), "a".parse().unwrap());
        let of = |mode| -> Vec<String> {
            let wanted = Wanted {
                tenant: &tenant,
                connection: &connection,
                job: None,
                outcome: None,
                mode,
                after: None,
                limit: 10,
            };
            let runs = list(&db, wanted).unwrap().into_iter();
            runs.map(|run| run.begun.id).collect()
        };
        assert_eq!(vec!["3", "2", "1"], of(None));
        assert_eq!(vec!["3"], of(Some(Mode::Compare)));
        assert_eq!(vec!["2"], of(Some(Mode::Preview)));
        assert_eq!(vec!["1"], of(Some(Mode::Live)));
        let last = last(&db, &tenant, &connection).unwrap();
        assert_eq!("1", last.unwrap().begun.id);
    }

    #[test]
    fn changes_keep_their_order_over_several_checkpoints_and_go_with_their_run() {
        let db = database();
        db.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        begin(&db, &begun("1", "a")).unwrap();
        let written = |origin: &str| Written {
            side: tenon_host::observe::Side::Counterpart,
            record_kind: "order".to_owned(),
            origin: origin.to_owned(),
            key: None,
            label: None,
            change: tenon_host::observe::Change::Updated,
            changes: vec![FieldChange {
                field: "status".to_owned(),
                before: None,
                after: Some("new".to_owned()),
            }],
        };
        append_changes(&db, "1", &[written("x"), written("y")]).unwrap();
        append_changes(&db, "1", &[written("z")]).unwrap();
        let origins = |after| -> Vec<String> {
            let changes = changes(&db, "1", None, after, 10).unwrap().into_iter();
            changes.map(|change| change.written.origin).collect()
        };
        assert_eq!(vec!["x", "y", "z"], origins(0));
        assert_eq!(vec!["z"], origins(2));
        let here = Written {
            side: Side::Platform,
            key: Some("7".to_owned()),
            label: Some("N7".to_owned()),
            change: tenon_host::observe::Change::Created,
            ..written("here")
        };
        append_changes(&db, "1", std::slice::from_ref(&here)).unwrap();
        let of = |side| changes(&db, "1", Some(side), 0, 10).unwrap();
        let kept: Vec<Written> = (of(Side::Platform).into_iter())
            .map(|change| change.written)
            .collect();
        assert_eq!(vec![here], kept);
        assert_eq!(3, of(Side::Counterpart).len());
        let preview = Begun {
            mode: Mode::Preview,
            ..begun("2", "a")
        };
        begin(&db, &preview).unwrap();
        append_changes(&db, "2", &[written("x")]).unwrap();
        let tenant = "shop".parse().unwrap();
        let history = |record, most| -> Vec<String> {
            let wanted = History {
                tenant: &tenant,
                connection: None,
                record,
                most,
            };
            let told = history(&db, wanted).unwrap().into_iter();
            told.map(|told| told.written.origin).collect()
        };
        assert_eq!(vec!["x", "y", "z", "here"], history(None, 10));
        assert_eq!(vec!["z", "here"], history(None, 2));
        for name in ["7", "N7", "here"] {
            assert_eq!(vec!["here"], history(Some(name), 10));
        }
        end_all(&db);
        // The changes, and then the runs themselves.
        let forget = |limit| forget(&db, &tenant, Timestamp::now(), limit).unwrap();
        assert_eq!((2, 2, 3, 0), (forget(2), forget(2), forget(2), forget(2)));
        assert!(origins(0).is_empty());
        assert!(outcomes(&db, "a").is_empty());
    }
}
