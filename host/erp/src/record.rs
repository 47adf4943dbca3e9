//! How a record is kept, found and saved: the same for orders, products, partners and categories.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::de::DeserializeOwned;
use tenon_host::model::{
    Compact, Effect, Fault, FieldChange, Instant, Keep, Key, Origin, Owned, Reason, RecordKind,
    Saved, owner_of,
};

use crate::book::{Halt, Writer, number, refuse};
use crate::feed::{self, Stream};
use crate::reasons;
use crate::said::Accounts;

/// A kind of record.
pub(crate) trait Record: Keep + Owned + DeserializeOwned {
    /// Which.
    const KIND: RecordKind;
    /// How it is looked up by what all records have.
    const LOOKUPS: Lookups;
    /// Writes the document and what accounts said alone: to others the record is the same.
    const HEAR: &'static str;
    /// All of them.
    fn every_field() -> Self::Fields;

    /// What the columns hold instead of the document.
    fn identity(&mut self) -> Identity<'_>;

    /// Gives parts that have keys of their own the keys they have in `before`, or new ones.
    fn settle_parts(
        &mut self,
        _before: Option<&Self>,
        _origin: Option<&str>,
        _owned: Self::Fields,
        _by: By,
        _writer: &mut Writer<'_>,
    ) -> Result<(), Halt> {
        Ok(())
    }

    /// What only people may change after the record is made; answers every field that did.
    fn adopt_fixed(&mut self, _given: &Self) -> Result<Vec<FieldChange>, Halt> {
        Ok(Vec::new())
    }

    /// Whether it makes sense, and what it points at in its owned fields is there.
    fn check(&self, owned: Self::Fields, writer: &mut Writer<'_>) -> Result<(), Halt>;

    /// The stream of changes that tells of its removal.
    fn stream(&self) -> Option<Stream>;

    /// Writes the row: the head's columns, the document, and what it is looked up by.
    fn write(&self, db: &Connection, head: &Head, doc: &str) -> rusqlite::Result<()>;

    /// Keeps the tables beside its own in step.
    fn index(&self, _id: i64, _new: bool, _writer: &mut Writer<'_>) -> Result<(), Halt> {
        Ok(())
    }
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A connector: keys are the platform's to give.
    Connector,
    /// People: a record is what they say, its key included.
    People,
}

/// Statements that each find at most one record.
pub(crate) struct Lookups {
    /// Whether a row has this number.
    pub(crate) row: &'static str,
    /// The record whose key is the number of its row.
    pub(crate) by_id: &'static str,
    pub(crate) by_key: &'static str,
    pub(crate) by_origin: &'static str,
    /// Pages through all, in the order they were made.
    pub(crate) page: &'static str,
}

/// The fields of a record that its columns hold.
pub(crate) struct Identity<'a> {
    pub(crate) key: &'a mut Option<Key>,
    pub(crate) origin: &'a mut Option<Origin>,
    /// Version and time of change, of records that show them.
    pub(crate) stamp: Option<(&'a mut Option<String>, &'a mut Option<Instant>)>,
}

/// The columns that all kinds have.
pub(crate) struct Head {
    /// None lets the database number a new row.
    pub(crate) id: Option<i64>,
    /// A key that is not the number of the row.
    pub(crate) key: Option<Key>,
    pub(crate) origin: Option<Origin>,
    pub(crate) version: i64,
    pub(crate) changed_at: i64,
    pub(crate) position: i64,
    /// What accounts said of it, as [`Accounts`] keeps it.
    pub(crate) said: Option<Vec<u8>>,
}

/// A record as it lies in its table.
pub(crate) struct Filed<R> {
    pub(crate) id: i64,
    pub(crate) head: Head,
    pub(crate) record: R,
}

impl<R: Record> Filed<R> {
    fn from_row(row: &Row<'_>) -> Result<Filed<R>, Halt> {
        let id = row.get(0)?;
        let doc = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
        Ok(Filed {
            id,
            head: Head {
                id: Some(id),
                key: row.get(1)?,
                origin: row.get(2)?,
                version: row.get(3)?,
                changed_at: row.get(4)?,
                position: row.get(5)?,
                said: row.get(7)?,
            },
            record: serde_json::from_str(doc)?,
        })
    }

    pub(crate) fn key(&self) -> Key {
        self.head.key.clone().unwrap_or_else(|| self.id.to_string())
    }

    pub(crate) fn saved(&self, effect: Effect) -> Saved {
        self.saved_with(effect, Vec::new())
    }

    pub(crate) fn saved_with(&self, effect: Effect, changes: Vec<FieldChange>) -> Saved {
        Saved {
            key: self.key(),
            effect,
            version: self.head.version.to_string(),
            changes,
        }
    }

    /// What accounts said of it. In a record from before this was kept, parts that are nobody's become
    /// those of the account that it came from: any save replaced them all.
    pub(crate) fn accounts(&mut self) -> Accounts {
        match &self.head.said {
            Some(said) => Accounts::read(said),
            None => {
                self.record.claim(self.head.origin.as_deref());
                Accounts::default()
            }
        }
    }

    /// The record as it is read.
    pub(crate) fn whole(mut self) -> R {
        let key = self.key();
        let identity = self.record.identity();
        *identity.key = Some(key);
        *identity.origin = self.head.origin;
        if let Some((version, changed_at)) = identity.stamp {
            *version = Some(self.head.version.to_string());
            *changed_at = Some(self.head.changed_at);
        }
        self.record
    }
}

/// The one record that a statement finds.
pub(crate) fn one<R: Record>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> Result<Option<Filed<R>>, Halt> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(Filed::from_row).transpose()
}

/// All records that a statement finds.
pub(crate) fn many<R: Record>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> Result<Vec<Filed<R>>, Halt> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Filed::from_row(row)?);
    }
    Ok(found)
}

pub(crate) fn by_key<R: Record>(db: &Connection, key: &str) -> Result<Option<Filed<R>>, Halt> {
    let numbered = match number(key) {
        Some(number) => one(db, R::LOOKUPS.by_id, &[&number])?,
        None => None,
    };
    match numbered {
        Some(filed) => Ok(Some(filed)),
        None => one(db, R::LOOKUPS.by_key, &[&key]),
    }
}

pub(crate) fn by_origin<R: Record>(
    db: &Connection,
    origin: &str,
) -> Result<Option<Filed<R>>, Halt> {
    one(db, R::LOOKUPS.by_origin, &[&origin])
}

/// The record of a key that has to exist.
pub(crate) fn existing<R: Record>(db: &Connection, key: &str) -> Result<Filed<R>, Halt> {
    match by_key(db, key)? {
        Some(filed) => Ok(filed),
        None => refuse(reasons::no_record(R::KIND.name(), key)),
    }
}

/// Creates or changes the record that `given` names.
pub(crate) fn save<R: Record>(
    writer: &mut Writer<'_>,
    mut given: R,
    owned: R::Fields,
    by: By,
) -> Result<Saved, Halt> {
    let identity = given.identity();
    let (key, origin) = (identity.key.take(), identity.origin.take());
    let version = identity.stamp.and_then(|(version, changed_at)| {
        *changed_at = None;
        version.take()
    });
    if key.as_deref() == Some("") || origin.as_deref() == Some("") {
        return refuse(Reason::new("platform.empty-identity"));
    }
    let filed = match (&key, &origin) {
        (Some(key), _) => match by_key(writer.db, key)? {
            None if by == By::Connector => {
                return refuse(reasons::no_record(R::KIND.name(), key));
            }
            filed => filed,
        },
        (None, Some(origin)) => by_origin(writer.db, origin)?,
        (None, None) => None,
    };
    match filed {
        Some(filed) => change(writer, filed, given, origin, version, owned, by),
        None => create(writer, given, key, origin, owned, by),
    }
}

fn change<R: Record>(
    writer: &mut Writer<'_>,
    mut filed: Filed<R>,
    mut given: R,
    origin: Option<Origin>,
    version: Option<String>,
    owned: R::Fields,
    by: By,
) -> Result<Saved, Halt> {
    let present = filed.head.version.to_string();
    if version.is_some_and(|version| version != present) {
        return Err(Fault::Conflict(present).into());
    }
    let mut accounts = filed.accounts();
    let speaks = origin.clone();
    let owned = match (by, speaks.as_deref()) {
        (By::People, _) => {
            given.inherit(&filed.record);
            owned
        }
        (By::Connector, speaker) => {
            given.claim(speaker);
            let heard = speaker.filter(|_| !writer.compares);
            let said = heard.map(|origin| accounts.of(owner_of(origin)));
            let writes = (filed.record).reconcile(&mut given, speaker, owned, said);
            writes.map_err(|unowned| Halt::Refused(unowned.into()))?
        }
    };
    let heard = Some(accounts.to_bytes());
    let is_news = heard != filed.head.said;
    filed.head.said = heard;
    // An origin is a name that others have learnt: connectors give it once.
    let origin = origin.filter(|origin| match &filed.head.origin {
        Some(known) => by == By::People && known != origin,
        None => true,
    });
    if let Some(origin) = &origin {
        check_origin_is_free::<R>(writer.db, origin)?;
    }
    given.settle_parts(Some(&filed.record), speaks.as_deref(), owned, by, writer)?;
    let mut changes = match by {
        By::People => filed.record.adopt_fixed(&given)?,
        By::Connector => Vec::new(),
    };
    changes.extend(filed.record.replace(given, owned));
    if origin.is_some() {
        changes.push(FieldChange::of("origin", &filed.head.origin, &origin));
    }
    if changes.is_empty() {
        if is_news {
            let doc = serde_json::to_string(&Compact(&filed.record))?;
            writer
                .db
                .prepare_cached(R::HEAR)?
                .execute(params![filed.id, doc, filed.head.said])?;
        }
        return Ok(filed.saved(Effect::Unchanged));
    }
    filed.record.check(owned, writer)?;
    filed.head.origin = origin.or(filed.head.origin);
    rewrite(writer, &mut filed)?;
    Ok(filed.saved_with(Effect::Updated, changes))
}

/// Writes a record that has changed.
pub(crate) fn rewrite<R: Record>(
    writer: &mut Writer<'_>,
    filed: &mut Filed<R>,
) -> Result<(), Halt> {
    filed.head.version += 1;
    filed.head.changed_at = writer.now;
    filed.head.position = writer.next_position();
    let doc = serde_json::to_string(&Compact(&filed.record))?;
    filed.record.write(writer.db, &filed.head, &doc)?;
    filed.record.index(filed.id, false, writer)
}

fn create<R: Record>(
    writer: &mut Writer<'_>,
    mut given: R,
    key: Option<Key>,
    origin: Option<Origin>,
    owned: R::Fields,
    by: By,
) -> Result<Saved, Halt> {
    if let Some(origin) = &origin
        && key.is_some()
    {
        check_origin_is_free::<R>(writer.db, origin)?;
    }
    let chosen = match &key {
        Some(key) => chosen_number(key)?,
        None => None,
    };
    // A record with a name for its key may have that row: then the number is a name, too.
    let id = match chosen {
        Some(row) if value::<i64>(writer.db, R::LOOKUPS.row, &[&row])?.is_none() => chosen,
        _ => None,
    };
    let mut accounts = Accounts::default();
    if by == By::Connector
        && let Some(origin) = &origin
    {
        given.claim(Some(origin));
        given.note(owned, accounts.of(owner_of(origin)));
    }
    given.settle_parts(None, origin.as_deref(), R::every_field(), by, writer)?;
    given.check(R::every_field(), writer)?;
    if let Some(key) = &key
        && let Some(stream) = given.stream()
    {
        feed::unbury(writer.db, stream, key)?;
    }
    let head = Head {
        id,
        key: key.filter(|_| id.is_none()),
        origin,
        version: 1,
        changed_at: writer.now,
        position: writer.next_position(),
        said: Some(accounts.to_bytes()),
    };
    let doc = serde_json::to_string(&Compact(&given))?;
    given.write(writer.db, &head, &doc)?;
    let id = writer.db.last_insert_rowid();
    given.index(id, true, writer)?;
    let filed = Filed {
        id,
        head,
        record: given,
    };
    Ok(filed.saved(Effect::Created))
}

/// The number of a key that people chose, when it is one.
pub(crate) fn chosen_number(key: &str) -> Result<Option<i64>, Halt> {
    /// The next keys follow the highest one, so the last numbers are not for choosing.
    const HIGHEST: i64 = 1_000_000_000_000_000;
    match number(key) {
        Some(number) if number > HIGHEST => {
            let reason = Reason::new("platform.key-too-large");
            refuse(reason.arg("key", key).arg("most", HIGHEST))
        }
        number => Ok(number),
    }
}

fn check_origin_is_free<R: Record>(db: &Connection, origin: &str) -> Result<(), Halt> {
    match by_origin::<R>(db, origin)? {
        Some(filed) => {
            let reason = Reason::new("platform.origin-taken").arg("origin", origin);
            let reason = reason.arg("kind", R::KIND.name()).arg("key", filed.key());
            refuse(reason.mend(reasons::mend(R::KIND, filed.key())))
        }
        None => Ok(()),
    }
}

/// Removes a record for good; whoever reads its stream learns of it.
pub(crate) fn remove<R: Record>(writer: &mut Writer<'_>, key: &str, sql: &str) -> Result<(), Halt> {
    let filed: Filed<R> = existing(writer.db, key)?;
    writer.db.prepare_cached(sql)?.execute([filed.id])?;
    if let Some(stream) = filed.record.stream() {
        let position = writer.next_position();
        feed::bury(writer.db, stream, position, key)?;
    }
    Ok(())
}

/// The row of a single value, if any.
pub(crate) fn value<T: rusqlite::types::FromSql>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(sql)?
        .query_row(params, |row| row.get(0))
        .optional()
}
