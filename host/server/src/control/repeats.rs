//! Answers to writes that came with a key, so that who repeats a write because its answer was lost
//! gets that answer and nothing is done twice.
//!
//! A key is reserved before the write is done. A process that dies in between leaves the reservation;
//! after a minute it counts as given up, and the next one with the key does the write.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a reservation without an answer is believed.
const BELIEVED: SignedDuration = SignedDuration::from_secs(60);

/// Where a write with a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It is the first one, and now is reserved.
    First,
    /// The first one is under way.
    UnderWay,
    /// The key was used for something else.
    OtherRequest,
    /// It was done, and this was answered.
    Answered(Answer),
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers that belong to the answer, as JSON.
    pub headers: String,
    /// The body; none when it held a secret and was not kept.
    pub body: Option<Vec<u8>>,
}

/// Reserves a key of a token for a request, unless it was used before.
pub fn reserve(
    db: &Connection,
    token: &str,
    key: &str,
    request: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Repeat> {
    db.prepare_cached(
        "DELETE FROM repeats WHERE token = ?1 AND key = ?2
             AND at < CASE WHEN status IS NULL THEN ?3 ELSE ?4 END",
    )?
    .execute(params![
        token,
        key,
        before(now, BELIEVED),
        before(now, KEPT)
    ])?;
    let known = db
        .prepare_cached(
            "SELECT request, status, headers, body FROM repeats WHERE token = ?1 AND key = ?2",
        )?
        .query_row([token, key], |row| {
            let answer = match row.get::<_, Option<u16>>(1)? {
                Some(status) => Some(Answer {
                    status,
                    headers: row.get(2)?,
                    body: row.get(3)?,
                }),
                None => None,
            };
            Ok((row.get::<_, [u8; 32]>(0)?, answer))
        })
        .optional()?;
    match known {
        Some((other, _)) if other != *request => Ok(Repeat::OtherRequest),
        Some((_, Some(answer))) => Ok(Repeat::Answered(answer)),
        Some((_, None)) => Ok(Repeat::UnderWay),
        None => {
            db.prepare_cached(
                "INSERT INTO repeats (token, key, request, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![token, key, request, now.as_millisecond()])?;
            Ok(Repeat::First)
        }
    }
}

/// Says that the write which reserved the key is still under way.
pub fn renew(
    db: &Connection,
    token: &str,
    key: &str,
    request: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE repeats SET at = ?4
         WHERE token = ?1 AND key = ?2 AND request = ?3 AND status IS NULL",
    )?
    .execute(params![token, key, request, now.as_millisecond()])
    .map(drop)
}

/// Keeps the answer to the write that reserved the key.
pub fn keep(
    db: &Connection,
    token: &str,
    key: &str,
    request: &[u8; 32],
    answer: &Answer,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE repeats SET status = ?4, headers = ?5, body = ?6
         WHERE token = ?1 AND key = ?2 AND request = ?3",
    )?
    .execute(params![
        token,
        key,
        request,
        answer.status,
        answer.headers,
        answer.body
    ])
    .map(drop)
}

/// Frees the key of a write that was not done.
pub fn release(
    db: &Connection,
    token: &str,
    key: &str,
    request: &[u8; 32],
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM repeats WHERE token = ?1 AND key = ?2 AND request = ?3 AND status IS NULL",
    )?
    .execute(params![token, key, request])
    .map(drop)
}

/// Removes some of what is from before a moment; tells how much.
pub fn forget(db: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM repeats WHERE (token, key) IN (
             SELECT token, key FROM repeats WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?
    .execute(params![before.as_millisecond(), limit])
}

fn before(now: Timestamp, age: SignedDuration) -> i64 {
    now.as_millisecond() - age.as_secs() * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        crate::control::schema::MIGRATIONS
            .to_latest(&mut db)
            .unwrap();
        db
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn reserve_at(db: &Connection, seconds: i64) -> Repeat {
        reserve(db, "token", "key", &[1; 32], at(seconds)).unwrap()
    }

    #[test]
    fn a_reservation_of_a_dead_process_is_given_up_after_a_minute_without_a_sign_of_life() {
        let db = database();
        assert_eq!(Repeat::First, reserve_at(&db, 0));
        assert_eq!(Repeat::UnderWay, reserve_at(&db, 59));
        renew(&db, "token", "key", &[1; 32], at(50)).unwrap();
        assert_eq!(Repeat::UnderWay, reserve_at(&db, 109));
        assert_eq!(Repeat::First, reserve_at(&db, 111));
    }

    #[test]
    fn an_answer_is_kept_for_a_day() {
        let db = database();
        let answer = Answer {
            status: 201,
            headers: "{}".to_owned(),
            body: Some(b"made".to_vec()),
        };
        reserve_at(&db, 0);
        keep(&db, "token", "key", &[1; 32], &answer).unwrap();
        let day = 24 * 60 * 60;
        assert_eq!(Repeat::Answered(answer), reserve_at(&db, day));
        let other = reserve(&db, "token", "key", &[2; 32], at(day)).unwrap();
        assert_eq!(Repeat::OtherRequest, other);
        assert_eq!(0, forget(&db, at(0), 10).unwrap());
        assert_eq!(1, forget(&db, at(1), 10).unwrap());
        assert_eq!(Repeat::First, reserve_at(&db, day + 1));
    }
}
