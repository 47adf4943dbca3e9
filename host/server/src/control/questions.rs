//! What runs, and switching connections on, asked people before they went on, and what people answered.
//!
//! A question is known by all that it asks, so it stays the same while the facts do. It is open until
//! somebody answers it, or until a run that could have asked it again comes to its end without: then
//! there is nothing left to ask. A yes is handed to the runs of the job until one of them has come to
//! its end without asking, and counts no longer then. A no stands for as long as runs keep asking.
//!
//! A run that has an argument, or that a button or a record called for, looks at less than others; so
//! runs are compared with those that were asked for alike, beginning with their work as a whole: one
//! that is cut into several asks in each of them what belongs there.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use tenon_host::Cause;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::report::{Outcome, Question, RunReport};

use super::columns;
use crate::queue::cause;

/// Questions of a connection that are kept; a component that asks for more forgets its own.
const KEPT: u32 = 200;

/// Questions with the versions that their connections run.
const WITH_DIGESTS: &str = "
    SELECT *, (SELECT digest FROM connections
               WHERE connections.tenant = questions.tenant
                   AND connections.id = questions.connection) AS digest
    FROM questions";

/// A question as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Whose it is.
    pub tenant: TenantId,
    /// The connection whose run asks.
    pub connection: ConnectionId,
    /// The job that asks; none when it is asked to switch the connection on.
    pub job: Option<String>,
    /// Its argument.
    pub argument: Option<String>,
    /// Why the run that an answer calls for runs.
    pub cause: Cause,
    /// The version that its connection runs now, which knows the texts.
    pub digest: Option<String>,
    /// The last run that asked; none when no run did.
    pub run: Option<String>,
    /// What it asks.
    pub question: Question,
    /// When it was asked first.
    pub asked_at: Timestamp,
    /// Whether its connection was paused because of it.
    pub pauses: bool,
    /// Where it stands.
    pub state: State,
    /// Who answered, and when.
    pub answered: Option<(String, Timestamp)>,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for an answer.
    Open,
    /// Somebody said yes, and a run is to do it.
    Agreed,
    /// Somebody said no, and it is still asked.
    Declined,
    /// A run that was told yes has come to its end.
    Done,
    /// It is not asked any more.
    Expired,
}

/// A run, as far as its questions go.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// Of which connection.
    pub connection: &'a ConnectionId,
    /// The run.
    pub run: &'a str,
    /// Its argument.
    pub argument: Option<&'a str>,
    /// Why it runs.
    pub cause: &'a Cause,
    /// When it began: it was told of every yes from before.
    pub started_at: Timestamp,
    /// When its work began; earlier than the run itself where that goes on with something.
    pub began_at: Timestamp,
}

/// Which questions are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of one tenant only.
    pub tenant: Option<&'a TenantId>,
    /// Of one connection only.
    pub connection: Option<&'a ConnectionId>,
    /// In one state only.
    pub state: Option<State>,
    /// Behind this one.
    pub after: Option<&'a Place>,
    /// So many at most.
    pub limit: u32,
}

/// The place of a question in a list: when it was asked, and its names.
pub type Place = (i64, String, String, String);

impl Stored {
    /// Its place in a list.
    pub fn place(&self) -> Place {
        (
            self.asked_at.as_millisecond(),
            self.tenant.to_string(),
            self.connection.to_string(),
            self.question.id.clone(),
        )
    }
}

/// The cause of a run that is asked for because of an answer, and by which runs are alike: those that
/// look at everything are one kind.
fn alike(cause: &Cause) -> Cause {
    match cause {
        Cause::Scheduled | Cause::Asked | Cause::Webhook => Cause::Asked,
        Cause::Action { .. } | Cause::Changed(_) | Cause::Visited(_) => cause.clone(),
    }
}

/// Stands for the job and the run of what is asked before a connection is switched on.
const SWITCHING_ON: &str = "";

/// Takes note of what is asked before a connection is switched on.
pub fn asked_to_switch_on(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    question: &Question,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let cause = columns::to_json(&cause::Json(Cause::Asked))?;
    let place = Heard {
        tenant,
        connection,
        run: SWITCHING_ON,
        argument: None,
        cause: &Cause::Asked,
        started_at: now,
        began_at: now,
    };
    let whose = question.is_of_account();
    ask(db, place, SWITCHING_ON, &cause, question, whose, now)
}

/// Closes what was asked before a connection was switched on, because that is done, but for what is
/// still open.
pub fn switched_on(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    open: &[Question],
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE questions SET state = iif(state = 'agreed', 'done', 'expired')
         WHERE tenant = ?1 AND connection = ?2 AND job = ?3
             AND (state IN ('open', 'agreed') OR (state = 'declined' AND id NOT IN (
                 SELECT value FROM json_each(?4))))",
    )?
    .execute(params![
        tenant.as_str(),
        connection.as_str(),
        SWITCHING_ON,
        columns::to_json(&open.iter().map(|question| &question.id).collect::<Vec<_>>())?,
    ])?;
    for question in open {
        asked_to_switch_on(db, tenant, connection, question, now)?;
    }
    Ok(())
}

/// What may be done to switch a connection on because people said yes.
pub fn agreed_to_switch_on(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Vec<String>> {
    agreed(db, tenant, connection, SWITCHING_ON)
}

/// Takes note of what a run asked, and of what it did not ask any more. No preview gets here.
pub fn heard(
    db: &Connection,
    run: Heard<'_>,
    report: &RunReport,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let cause = columns::to_json(&cause::Json(alike(run.cause)))?;
    for question in &report.questions {
        let pauses = report.waits_for(question);
        ask(db, run, &report.job, &cause, question, pauses, now)?;
    }
    if report.outcome == Outcome::Done {
        close(db, run, &report.job, &cause)?;
    }
    if report.questions.is_empty() {
        return Ok(());
    }
    db.prepare_cached(
        "DELETE FROM questions WHERE tenant = ?1 AND connection = ?2 AND id NOT IN (
             SELECT id FROM questions WHERE tenant = ?1 AND connection = ?2
             ORDER BY state IN ('open', 'agreed', 'declined') DESC, seen_at DESC, id LIMIT ?3)",
    )?
    .execute(params![run.tenant.as_str(), run.connection.as_str(), KEPT])
    .map(drop)
}

/// One that is asked again stands where it stood, unless it was closed.
fn ask(
    db: &Connection,
    run: Heard<'_>,
    job: &str,
    cause: &str,
    question: &Question,
    pauses: bool,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT INTO questions (tenant, connection, id, job, argument, cause, run, kind, affected,
             total, samples, text, why, asked_at, seen_at, pauses, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, 'open')
         ON CONFLICT (tenant, connection, id) DO UPDATE SET job = excluded.job,
             argument = excluded.argument, cause = excluded.cause, run = excluded.run,
             samples = excluded.samples, text = excluded.text, why = excluded.why,
             seen_at = excluded.seen_at, pauses = excluded.pauses,
             asked_at = iif(state IN ('done', 'expired'), excluded.asked_at, asked_at),
             answered_at = iif(state IN ('done', 'expired'), NULL, answered_at),
             answered_by = iif(state IN ('done', 'expired'), NULL, answered_by),
             state = iif(state IN ('done', 'expired'), 'open', state)",
    )?
    .execute(params![
        run.tenant.as_str(),
        run.connection.as_str(),
        question.id,
        job,
        run.argument,
        cause,
        run.run,
        question.kind,
        number(question.affected),
        number(question.total),
        columns::to_json(&question.samples)?,
        question.text,
        columns::to_json(&question.why)?,
        now.as_millisecond(),
        pauses,
    ])
    .map(drop)
}

/// Closes what runs of a kind asked before, because one has come to its end without. One that was told
/// of a yes is through with it, whenever its work began.
fn close(db: &Connection, run: Heard<'_>, job: &str, cause: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE questions
         SET state = iif(state = 'agreed' AND answered_at <= ?7, 'done', 'expired')
         WHERE tenant = ?1 AND connection = ?2 AND job = ?3 AND argument IS ?4 AND cause = ?5
             AND (seen_at < ?6 OR (state = 'agreed' AND answered_at <= ?7))
             AND state IN ('open', 'agreed', 'declined')",
    )?
    .execute(params![
        run.tenant.as_str(),
        run.connection.as_str(),
        job,
        run.argument,
        cause,
        run.began_at.as_millisecond(),
        run.started_at.as_millisecond(),
    ])
    .map(drop)
}

/// What runs of a job may do because people said yes. Whose the account is concerns all jobs alike.
pub fn agreed(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    job: &str,
) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT id FROM questions
         WHERE tenant = ?1 AND connection = ?2 AND (job = ?3 OR kind = 'account')
             AND state = 'agreed'",
    )?
    .query_map([tenant.as_str(), connection.as_str(), job], |row| {
        row.get(0)
    })?
    .collect()
}

/// The question whose the account of a connection is that keeps it from going on; none when somebody
/// agreed, or nothing is asked.
pub fn of_account(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Option<Stored>> {
    let sql = format!(
        "{WITH_DIGESTS} WHERE tenant = ?1 AND connection = ?2 AND kind = 'account' AND pauses
             AND state IN ('open', 'declined') ORDER BY seen_at DESC LIMIT 1"
    );
    db.prepare_cached(&sql)?
        .query_row([tenant.as_str(), connection.as_str()], stored)
        .optional()
}

/// Opens a question again to which somebody agreed, because it could not be done, unless that was for
/// another question that is asked before it.
pub fn open_again(db: &Connection, of: &Stored) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE questions SET state = 'open', answered_by = NULL, answered_at = NULL
         WHERE tenant = ?1 AND connection = ?2 AND id = ?3 AND state = 'agreed'
             AND NOT EXISTS (SELECT 1 FROM questions
                             WHERE tenant = ?1 AND connection = ?2 AND job = ?4 AND state = 'open')",
    )?
    .execute([
        of.tenant.as_str(),
        of.connection.as_str(),
        &of.question.id,
        SWITCHING_ON,
    ])
    .map(drop)
}

/// Drops what is asked about the account of a connection, which the next run asks anew unless there is
/// nothing to ask any more. Tells whether the connection was paused because of it.
pub fn doubt_no_account(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<bool> {
    let mut dropped = db.prepare_cached(
        "UPDATE questions SET state = 'expired'
         WHERE tenant = ?1 AND connection = ?2 AND kind = 'account'
             AND state IN ('open', 'declined')
         RETURNING pauses",
    )?;
    let pauses = |row: &Row<'_>| row.get::<_, bool>(0);
    let all = dropped
        .query_map([tenant.as_str(), connection.as_str()], pauses)?
        .collect::<rusqlite::Result<Vec<bool>>>()?;
    Ok(all.contains(&true))
}

/// Takes note of an answer.
pub fn answer(
    db: &Connection,
    of: &Stored,
    state: State,
    actor: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE questions SET state = ?4, answered_by = ?5, answered_at = ?6
         WHERE tenant = ?1 AND connection = ?2 AND id = ?3",
    )?
    .execute(params![
        of.tenant.as_str(),
        of.connection.as_str(),
        of.question.id,
        columns::to_word(&state)?,
        actor,
        now.as_millisecond(),
    ])
    .map(drop)
}

/// A question of a connection.
pub fn get(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    id: &str,
) -> rusqlite::Result<Option<Stored>> {
    let sql = format!("{WITH_DIGESTS} WHERE tenant = ?1 AND connection = ?2 AND id = ?3");
    db.prepare_cached(&sql)?
        .query_row([tenant.as_str(), connection.as_str(), id], stored)
        .optional()
}

/// The wanted questions, those that were asked last first.
pub fn list(db: &Connection, wanted: Wanted<'_>) -> rusqlite::Result<Vec<Stored>> {
    let state = wanted.state.as_ref().map(columns::to_word).transpose()?;
    let (at, tenant, connection, id) = match wanted.after {
        Some((at, tenant, connection, id)) => {
            (*at, tenant.as_str(), connection.as_str(), id.as_str())
        }
        None => (i64::MAX, "", "", ""),
    };
    db.prepare_cached(&format!(
        "{WITH_DIGESTS}
         WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR connection = ?2)
             AND (?3 IS NULL OR state = ?3)
             AND (asked_at < ?4 OR (asked_at = ?4 AND (tenant, connection, id) > (?5, ?6, ?7)))
         ORDER BY asked_at DESC, tenant, connection, id LIMIT ?8",
    ))?
    .query_map(
        params![
            wanted.tenant.map(TenantId::as_str),
            wanted.connection.map(ConnectionId::as_str),
            state,
            at,
            tenant,
            connection,
            id,
            wanted.limit,
        ],
        stored,
    )?
    .collect()
}

/// How many questions of a connection wait for an answer.
pub fn count_open(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "SELECT count(*) FROM questions
         WHERE tenant = ?1 AND connection = ?2 AND state = 'open'",
    )?
    .query_row([tenant.as_str(), connection.as_str()], |row| {
        Ok(row.get::<_, i64>(0)?.unsigned_abs())
    })
}

/// Forgets some of a tenant's questions that no run has asked since a moment; tells how many.
pub fn forget(
    db: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM questions WHERE (tenant, connection, id) IN (
             SELECT tenant, connection, id FROM questions WHERE tenant = ?1 AND seen_at < ?2
             ORDER BY seen_at LIMIT ?3)",
    )?
    .execute(params![tenant.as_str(), before.as_millisecond(), limit])
}

fn named(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<String>> {
    let name: String = row.get(column)?;
    Ok(Some(name).filter(|name| name != SWITCHING_ON))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
    let cause::Json(cause) = columns::json(row, "cause")?;
    let answered_by: Option<String> = row.get("answered_by")?;
    Ok(Stored {
        tenant: columns::parsed(row, "tenant")?,
        connection: columns::parsed(row, "connection")?,
        job: named(row, "job")?,
        argument: row.get("argument")?,
        cause,
        digest: row.get("digest")?,
        run: named(row, "run")?,
        question: Question {
            id: row.get("id")?,
            text: row.get("text")?,
            why: columns::json(row, "why")?,
            kind: row.get("kind")?,
            affected: count("affected")?,
            total: count("total")?,
            samples: columns::json(row, "samples")?,
        },
        asked_at: columns::time(row, "asked_at")?,
        pauses: row.get("pauses")?,
        state: columns::word(row, "state")?,
        answered: answered_by.zip(columns::maybe_time(row, "answered_at")?),
    })
}

#[cfg(test)]
mod tests {
    use tenon_host::Reason;

    use super::*;

    const ASKED: Cause = Cause::Asked;

    struct Shop {
        db: Connection,
        tenant: TenantId,
        connection: ConnectionId,
    }

    fn shop() -> Shop {
        let mut db = Connection::open_in_memory().unwrap();
        crate::control::schema::MIGRATIONS
            .to_latest(&mut db)
            .unwrap();
        // Questions are all that there is here.
        db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        Shop {
            db,
            tenant: "shop".parse().unwrap(),
            connection: "crm".parse().unwrap(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn question(id: &str) -> Question {
        Question {
            id: id.to_owned(),
            text: "180 of 200 products are gone".to_owned(),
            why: Reason::new("products.gone").arg("count", 180),
            kind: "product".to_owned(),
            affected: 180,
            total: u64::MAX,
            samples: vec!["Filter".to_owned()],
        }
    }

    fn report(outcome: Outcome, asked: &[&str]) -> RunReport {
        RunReport {
            outcome,
            questions: asked.iter().map(|id| question(id)).collect(),
            ..RunReport::begun(
                "1",
                "crm".parse().unwrap(),
                "crm 1.0.0",
                "products",
                Timestamp::UNIX_EPOCH,
            )
        }
    }

    impl Shop {
        /// A run whose work began at one second, and which began and ended at others.
        fn run(&self, seconds: [i64; 3], outcome: Outcome, asked: &[&str]) {
            self.run_for((None, &ASKED), seconds, outcome, asked);
        }

        fn run_for(
            &self,
            (argument, cause): (Option<&str>, &Cause),
            [began, started, ended]: [i64; 3],
            outcome: Outcome,
            asked: &[&str],
        ) {
            let run = Heard {
                tenant: &self.tenant,
                connection: &self.connection,
                run: "1",
                argument,
                cause,
                started_at: at(started),
                began_at: at(began),
            };
            heard(&self.db, run, &report(outcome, asked), at(ended)).unwrap();
        }

        fn get(&self, id: &str) -> Stored {
            get(&self.db, &self.tenant, &self.connection, id)
                .unwrap()
                .unwrap()
        }

        fn state(&self, id: &str) -> State {
            self.get(id).state
        }

        fn answer(&self, id: &str, state: State, second: i64) {
            answer(&self.db, &self.get(id), state, "ann", at(second)).unwrap();
        }

        fn agreed(&self, job: &str) -> Vec<String> {
            agreed(&self.db, &self.tenant, &self.connection, job).unwrap()
        }
    }

    #[test]
    fn a_question_comes_back_as_it_was_asked() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a"]);
        let stored = shop.get("a");
        let asked = Question {
            total: i64::MAX.unsigned_abs(),
            ..question("a")
        };
        assert_eq!((asked, at(2)), (stored.question, stored.asked_at));
        assert_eq!((State::Open, None), (stored.state, stored.answered));
    }

    #[test]
    fn what_is_not_asked_any_more_expires_and_opens_anew_when_it_is() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a", "b"]);
        shop.run([3, 3, 4], Outcome::Done, &["b"]);
        assert_eq!(State::Expired, shop.state("a"));
        assert_eq!(
            (State::Open, at(2)),
            (shop.state("b"), shop.get("b").asked_at)
        );
        shop.run([5, 5, 6], Outcome::Done, &["a"]);
        assert_eq!(
            (State::Open, at(6)),
            (shop.state("a"), shop.get("a").asked_at)
        );
    }

    #[test]
    fn a_run_that_looked_at_less_or_did_not_end_closes_nothing() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a"]);
        let visited = Cause::Visited(tenon_host::RecordRef {
            kind: tenon_host::model::RecordKind::Partner,
            key: "7".to_owned(),
        });
        shop.run_for((Some("7"), &ASKED), [3, 3, 4], Outcome::Done, &[]);
        shop.run_for((None, &visited), [3, 3, 4], Outcome::Done, &[]);
        for outcome in [Outcome::Suspended, Outcome::Transient, Outcome::Crashed] {
            shop.run([5, 5, 6], outcome, &[]);
        }
        assert_eq!(State::Open, shop.state("a"));
        shop.run_for((None, &Cause::Scheduled), [7, 7, 8], Outcome::Done, &[]);
        assert_eq!(State::Expired, shop.state("a"));
    }

    #[test]
    fn the_later_parts_of_a_run_that_was_cut_need_not_ask_again() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Suspended, &["a"]);
        shop.run([1, 3, 4], Outcome::Done, &[]);
        assert_eq!(State::Open, shop.state("a"));
    }

    #[test]
    fn a_yes_is_told_to_runs_until_one_has_come_to_its_end_without_asking() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a"]);
        assert!(shop.agreed("products").is_empty());
        shop.answer("a", State::Agreed, 3);
        assert_eq!(vec!["a"], shop.agreed("products"));
        assert!(shop.agreed("stock").is_empty());
        shop.run([4, 4, 5], Outcome::Transient, &[]);
        // It began before the answer.
        shop.run([2, 2, 5], Outcome::Done, &["a"]);
        assert_eq!(vec!["a"], shop.agreed("products"));
        shop.run([6, 6, 7], Outcome::Done, &[]);
        assert!(shop.agreed("products").is_empty());
        let done = shop.get("a");
        assert_eq!(State::Done, done.state);
        assert_eq!(Some(("ann".to_owned(), at(3))), done.answered);
        // The same again is another matter.
        shop.run([8, 8, 9], Outcome::Done, &["a"]);
        assert_eq!(
            (State::Open, None),
            (shop.state("a"), shop.get("a").answered)
        );
    }

    #[test]
    fn a_yes_that_no_run_was_told_expires_with_its_question() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a"]);
        shop.answer("a", State::Agreed, 4);
        shop.run([3, 3, 5], Outcome::Done, &[]);
        assert_eq!(State::Expired, shop.state("a"));
        assert!(shop.agreed("products").is_empty());
    }

    #[test]
    fn a_no_stands_while_the_same_is_asked_and_no_longer() {
        let shop = shop();
        shop.run([1, 1, 2], Outcome::Done, &["a"]);
        shop.answer("a", State::Declined, 3);
        shop.run([4, 4, 5], Outcome::Done, &["a"]);
        assert_eq!(State::Declined, shop.state("a"));
        shop.run([6, 6, 7], Outcome::Done, &[]);
        shop.run([8, 8, 9], Outcome::Done, &["a"]);
        assert_eq!(State::Open, shop.state("a"));
    }

    #[test]
    fn a_question_that_ended_its_run_paused_the_connection() {
        let shop = shop();
        let mut stopped = report(Outcome::Configuration, &["a", "b"]);
        stopped.why = Some(Reason::new("account.other"));
        stopped.questions[0].why = Reason::new("account.other");
        let run = Heard {
            tenant: &shop.tenant,
            connection: &shop.connection,
            run: "1",
            argument: None,
            cause: &ASKED,
            started_at: at(1),
            began_at: at(1),
        };
        heard(&shop.db, run, &stopped, at(2)).unwrap();
        assert_eq!((true, false), (shop.get("a").pauses, shop.get("b").pauses));
    }

    #[test]
    fn a_component_that_asks_for_ever_forgets_its_own_questions() {
        let shop = shop();
        for second in 1..300 {
            let id = format!("{second:03}");
            shop.run([second; 3], Outcome::Suspended, &[&id]);
        }
        let all = Wanted {
            tenant: None,
            connection: None,
            state: None,
            after: None,
            limit: 1_000,
        };
        let kept = list(&shop.db, all).unwrap();
        assert_eq!(KEPT as usize, kept.len());
        assert_eq!("299", kept[0].question.id);
        let place = kept[49].place();
        let behind = Wanted {
            after: Some(&place),
            ..all
        };
        assert_eq!(kept[50..], list(&shop.db, behind).unwrap());
        assert_eq!(100, forget(&shop.db, &shop.tenant, at(200), 1_000).unwrap());
    }
}
