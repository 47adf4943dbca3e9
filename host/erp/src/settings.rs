//! What holds for a tenant as a whole.

use phonenumber::country::Id as Country;
use rusqlite::{Connection, OptionalExtension};

use crate::book::Halt;
use crate::sql;

const COUNTRY: &str = "country";

/// The first platform's customers are in Ukraine.
const DEFAULT_COUNTRY: Country = Country::UA;

pub(crate) fn country(db: &Connection) -> rusqlite::Result<Country> {
    let code: Option<String> = db
        .prepare_cached(sql::SETTING)?
        .query_row([COUNTRY], |row| row.get(0))
        .optional()?;
    Ok(code
        .and_then(|code| code.parse().ok())
        .unwrap_or(DEFAULT_COUNTRY))
}

/// The identity of the books, which was made with the file.
pub(crate) fn books(db: &Connection) -> Result<String, Halt> {
    Ok(db
        .prepare_cached(sql::SETTING)?
        .query_row(["books"], |row| row.get(0))?)
}

pub(crate) fn set_country(db: &Connection, country: Country) -> rusqlite::Result<()> {
    db.prepare_cached(sql::SET_SETTING)?
        .execute([COUNTRY, country.as_ref()])
        .map(drop)
}
