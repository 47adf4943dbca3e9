//! Directories: short lists that other records point at. Keys are unique within a directory.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tenon_host::model::{Directory, Effect, Entry, FieldChange, Key, Reason, Saved};

use crate::book::{Halt, Writer, refuse};
use crate::{check, normal, reasons, record, sql};

/// An entry as it is known by.
struct Known {
    id: i64,
    key: Key,
    has_origin: bool,
}

/// All entries, in the order they were made.
pub(crate) fn list(db: &Connection, directory: Directory) -> Result<Vec<Entry>, Halt> {
    let mut statement = db.prepare_cached(sql::ENTRIES)?;
    let entries = statement.query_map([directory.name()], |row| entry(row, 0))?;
    Ok(entries.collect::<Result<_, _>>()?)
}

/// Entries after a row, each with its row.
pub(crate) fn page(
    db: &Connection,
    directory: Directory,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Entry)>, Halt> {
    let mut statement = db.prepare_cached(sql::ENTRIES_PAGE)?;
    let entries = statement.query_map(params![directory.name(), after, limit], |row| {
        Ok((row.get(0)?, entry(row, 1)?))
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn entry(row: &Row<'_>, first: usize) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: row.get(first)?,
        name: row.get(first + 1)?,
        code: row.get(first + 2)?,
        origin: row.get(first + 3)?,
        archived: row.get(first + 4)?,
        organization: row.get(first + 5)?,
        warehouse: row.get(first + 6)?,
    })
}

/// The row of an entry.
pub(crate) fn row(
    db: &Connection,
    directory: Directory,
    key: &str,
) -> rusqlite::Result<Option<i64>> {
    Ok(find(db, sql::ENTRY_BY_KEY, directory, key)?.map(|known| known.id))
}

fn find(
    db: &Connection,
    sql: &str,
    directory: Directory,
    by: &str,
) -> rusqlite::Result<Option<Known>> {
    db.prepare_cached(sql)?
        .query_row([directory.name(), by], |row| {
            Ok(Known {
                id: row.get(0)?,
                key: row.get(1)?,
                has_origin: row.get::<_, Option<String>>(2)?.is_some(),
            })
        })
        .optional()
}

/// The answer for an entry. Entries are too small to have versions.
fn saved(key: Key, effect: Effect) -> Saved {
    Saved {
        key,
        effect,
        ..Saved::default()
    }
}

/// The entry that `ensure` would find without writing anything.
pub(crate) fn ensured(
    db: &Connection,
    directory: Directory,
    name: &str,
    origin: &str,
) -> Result<Option<Saved>, Halt> {
    if origin.is_empty() {
        return refuse(reasons::empty("origin"));
    }
    if let Some(known) = find(db, sql::ENTRY_BY_ORIGIN, directory, origin)? {
        return Ok(Some(saved(known.key, Effect::Unchanged)));
    }
    let known = find(db, sql::ENTRY_BY_NAME, directory, &normal::name(name))?;
    Ok(known
        .filter(|known| known.has_origin)
        .map(|known| saved(known.key, Effect::Unchanged)))
}

/// Finds the entry by origin, then by name; makes it when neither is there. One that is found by
/// name and has no origin takes this one, so that it is found again under another name.
pub(crate) fn ensure(
    writer: &mut Writer<'_>,
    directory: Directory,
    name: &str,
    origin: &str,
) -> Result<Saved, Halt> {
    let db = writer.db;
    if let Some(known) = ensured(db, directory, name, origin)? {
        return Ok(known);
    }
    if let Some(known) = find(db, sql::ENTRY_BY_NAME, directory, &normal::name(name))? {
        db.prepare_cached(sql::SET_ENTRY_ORIGIN)?
            .execute(params![known.id, origin])?;
        let changes = vec![FieldChange::of("origin", &None, &Some(origin.to_owned()))];
        return Ok(Saved {
            changes,
            ..saved(known.key, Effect::Updated)
        });
    }
    let entry = Entry {
        name: name.trim().to_owned(),
        origin: Some(origin.to_owned()),
        ..Entry::default()
    };
    let key = add(db, directory, &entry)?;
    Ok(saved(key, Effect::Created))
}

/// Creates or replaces an entry, as people give it: known by its key, else by its origin.
pub(crate) fn save(
    writer: &mut Writer<'_>,
    directory: Directory,
    mut given: Entry,
) -> Result<Effect, Halt> {
    check::name(&given.name)?;
    let db = writer.db;
    let by_origin = match given.origin.as_deref() {
        Some("") => return refuse(reasons::empty("origin")),
        Some(origin) => find(db, sql::ENTRY_BY_ORIGIN, directory, origin)?,
        None => None,
    };
    let known = if given.key.is_empty() {
        by_origin
    } else {
        let known = find(db, sql::ENTRY_BY_KEY, directory, &given.key)?;
        if let Some(other) = by_origin
            && known.as_ref().is_none_or(|known| known.id != other.id)
        {
            return refuse(Reason::new("platform.origin-of-entry").arg("key", other.key));
        }
        known
    };
    let Some(known) = known else {
        add(db, directory, &given)?;
        return Ok(Effect::Created);
    };
    let present = db
        .prepare_cached(sql::ENTRY_BY_ID)?
        .query_row([known.id], |row| entry(row, 0))?;
    given.key = known.key;
    // An origin is not forgotten because a list of names does not tell it.
    given.origin = given.origin.or_else(|| present.origin.clone());
    if given == present {
        return Ok(Effect::Unchanged);
    }
    db.prepare_cached(sql::SET_ENTRY)?.execute(params![
        known.id,
        given.origin,
        given.name,
        normal::name(&given.name),
        given.code,
        given.archived,
        given.organization,
        given.warehouse,
    ])?;
    Ok(Effect::Updated)
}

/// Adds an entry under its key, or under the number of its row. Directories share their rows, so a
/// number that is a key in one of them raises the count for all: no new key ever meets an old one.
fn add(db: &Connection, directory: Directory, given: &Entry) -> Result<Key, Halt> {
    check::name(&given.name)?;
    let last = record::value::<Option<i64>>(db, sql::LAST_ENTRY, &[])?
        .flatten()
        .unwrap_or(0);
    let next = last + 1;
    let (id, key) = if given.key.is_empty() {
        (next, next.to_string())
    } else {
        let chosen = record::chosen_number(&given.key)?.unwrap_or(0);
        (next.max(chosen), given.key.clone())
    };
    db.prepare_cached(sql::ADD_ENTRY)?.execute(params![
        id,
        directory.name(),
        key,
        given.origin,
        given.name,
        normal::name(&given.name),
        given.code,
        given.archived,
        given.organization,
        given.warehouse,
    ])?;
    Ok(key)
}

/// Removes an entry for good.
pub(crate) fn remove(writer: &mut Writer<'_>, directory: Directory, key: &str) -> Result<(), Halt> {
    let removed = writer
        .db
        .prepare_cached(sql::REMOVE_ENTRY)?
        .execute([directory.name(), key])?;
    if removed == 0 {
        return refuse(
            Reason::new("platform.no-entry")
                .arg("directory", directory.name())
                .arg("key", key),
        );
    }
    Ok(())
}
