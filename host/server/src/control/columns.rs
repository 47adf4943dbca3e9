//! How values of the domain lie in columns: times as milliseconds, objects and lists as JSON, names
//! and words as text. What cannot be read back is an error that names the column.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

type Cause = Box<dyn Error + Send + Sync>;

/// A moment.
pub fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?)
        .map_err(|error| unreadable(row, column, error.into()))
}

/// A moment, where there may be none.
pub fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        Some(_) => time(row, column).map(Some),
        None => Ok(None),
    }
}

/// A name, or anything else that is read from text.
pub fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: Into<Cause>,
{
    (row.get::<_, String>(column)?)
        .parse()
        .map_err(|error: T::Err| unreadable(row, column, error.into()))
}

/// An object or a list.
pub fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?)
        .map_err(|error| unreadable(row, column, error.into()))
}

/// One of several words.
pub fn word<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    serde_json::from_value(Value::String(row.get(column)?))
        .map_err(|error| unreadable(row, column, error.into()))
}

/// The text of an object or a list.
pub fn to_json(value: &(impl Serialize + ?Sized)) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The text of one of several words.
pub fn to_word(value: &impl Serialize) -> rusqlite::Result<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(
            format!("{other} is not a word").into(),
        )),
        Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
    }
}

/// For a value that is there but is not what the column holds.
pub fn unreadable(row: &Row<'_>, column: &str, cause: Cause) -> rusqlite::Error {
    let index = row.as_ref().column_index(column).unwrap_or(usize::MAX);
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, cause)
}
