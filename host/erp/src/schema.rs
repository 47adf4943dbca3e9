//! The tables of a tenant's file, and how a file is opened.
//!
//! One file holds the tenant's records, and the storage, bindings, timers and reports of all its
//! connections: that is what lets one transaction commit them together.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use phonenumber::country::Id as Country;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, MigrationDefinitionError, Migrations};

use crate::Error;
use crate::normal;
use crate::sqlite_file::{self, Unsound, log_ahead, make_private};

/// Steps are only ever added: files of tenants stand at any of them.
const STEPS: &[M<'static>] = &[
    M::up(RECORDS),
    M::up(STATE),
    M::up(SERVING),
    M::up(OF_VERSION),
    M::up(IDENTITIES),
    M::up(AGREED),
    M::up(FOLDED),
    M::up(DEFAULTS),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// Records of the ERP.
///
/// - A key that is a decimal number is the `id` of its row, so `key` holds only keys that people
///   chose as text, and a number is never given out twice.
/// - `id` is the order of making: of several matches the lowest wins.
/// - `position` is the place in the stream of changes: one counter for the whole tenant, raised
///   under the write lock, so that positions become visible in their order.
/// - `doc` is the record as JSON, without what the columns hold.
const RECORDS: &str = "
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('position', 0);

CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    directory TEXT NOT NULL,
    key TEXT NOT NULL,
    origin TEXT,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    code TEXT,
    archived INTEGER NOT NULL,
    UNIQUE (directory, key)
) STRICT;
CREATE UNIQUE INDEX entries_by_origin ON entries (directory, origin) WHERE origin IS NOT NULL;
CREATE INDEX entries_by_name ON entries (directory, folded_name);

CREATE TABLE categories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
    origin TEXT,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX categories_by_key ON categories (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX categories_by_origin ON categories (origin) WHERE origin IS NOT NULL;

CREATE TABLE products (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
    origin TEXT,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    folded_name TEXT NOT NULL,
    sku TEXT,
    folded_brand TEXT,
    doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX products_by_key ON products (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX products_by_origin ON products (origin) WHERE origin IS NOT NULL;
CREATE INDEX products_by_position ON products (position);
CREATE INDEX products_by_name ON products (folded_name);
CREATE INDEX products_by_sku ON products (sku) WHERE sku IS NOT NULL;

CREATE TABLE variants (
    key TEXT PRIMARY KEY,
    product INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sku TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX variants_by_product ON variants (product);
CREATE INDEX variants_by_sku ON variants (sku, product) WHERE sku IS NOT NULL;

CREATE TABLE images (
    product INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (product, file_name)
) STRICT;

CREATE TABLE stock (
    id INTEGER PRIMARY KEY,
    product INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    variant TEXT NOT NULL, -- '' is the product as a whole: two NULLs would not be equal
    warehouse TEXT NOT NULL,
    on_hand TEXT NOT NULL,
    reserved TEXT NOT NULL,
    available TEXT NOT NULL,
    position INTEGER NOT NULL,
    UNIQUE (product, variant, warehouse)
) STRICT;
CREATE INDEX stock_by_position ON stock (position);

CREATE TABLE partners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
    origin TEXT,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tax_id TEXT,
    doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX partners_by_key ON partners (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX partners_by_origin ON partners (origin) WHERE origin IS NOT NULL;
CREATE INDEX partners_by_position ON partners (position);
CREATE INDEX partners_by_tax_id ON partners (tax_id) WHERE tax_id IS NOT NULL;

CREATE TABLE contacts (
    kind TEXT NOT NULL,
    value TEXT NOT NULL, -- normalised
    partner INTEGER NOT NULL REFERENCES partners (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, value, partner)
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_by_partner ON contacts (partner);

CREATE TABLE balances (
    partner INTEGER PRIMARY KEY REFERENCES partners (id) ON DELETE CASCADE,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL
) STRICT;

CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
    origin TEXT,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    direction TEXT NOT NULL,
    number TEXT,
    error TEXT,
    doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX orders_by_key ON orders (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX orders_by_origin ON orders (origin) WHERE origin IS NOT NULL;
CREATE INDEX orders_by_position ON orders (direction, position);
CREATE INDEX orders_by_number ON orders (number) WHERE number IS NOT NULL;

CREATE TABLE attachments (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (order_id, file_name)
) STRICT;

CREATE TABLE tombstones (
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_key ON tombstones (stream, key);
";

/// What connections keep. Triggers hold the running total of a connection's storage, so that
/// asking for it costs one row however much there is.
const STATE: &str = "
CREATE TABLE storage (
    connection TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (connection, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE storage_sizes (
    connection TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER storage_grows AFTER INSERT ON storage BEGIN
    INSERT INTO storage_sizes VALUES (new.connection, octet_length(new.key) + length(new.value))
    ON CONFLICT (connection) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER storage_changes AFTER UPDATE OF value ON storage BEGIN
    UPDATE storage_sizes SET bytes = bytes - length(old.value) + length(new.value)
    WHERE connection = new.connection;
END;
CREATE TRIGGER storage_shrinks AFTER DELETE ON storage BEGIN
    UPDATE storage_sizes SET bytes = bytes - octet_length(old.key) - length(old.value)
    WHERE connection = old.connection;
END;

CREATE TABLE bindings (
    id INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    origin TEXT NOT NULL,
    fingerprint BLOB,
    UNIQUE (connection, kind, origin)
) STRICT;
CREATE INDEX bindings_by_key ON bindings (connection, kind, key);

CREATE TABLE timers (
    connection TEXT NOT NULL,
    name TEXT NOT NULL,
    job TEXT NOT NULL,
    due INTEGER NOT NULL,
    argument TEXT,
    PRIMARY KEY (connection, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_by_due ON timers (due);

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    connection TEXT NOT NULL,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What a server needs beside that: whose the work of a connection is, its timers by their time, its
/// reports to delete them, and what it had before its last upgrade. A snapshot is one row, which
/// takes along what belongs to it when it goes.
const SERVING: &str = "
CREATE TABLE fences (
    connection TEXT PRIMARY KEY,
    token INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

DROP INDEX timers_by_due;
CREATE INDEX timers_by_due ON timers (connection, due);

CREATE INDEX runs_by_connection ON runs (connection);

CREATE TABLE snapshots (
    connection TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_storage (
    connection TEXT NOT NULL REFERENCES snapshots (connection) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (connection, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_bindings (
    connection TEXT NOT NULL REFERENCES snapshots (connection) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB,
    place INTEGER NOT NULL, -- the `id` it had: the order of making
    PRIMARY KEY (connection, kind, origin)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_timers (
    connection TEXT NOT NULL REFERENCES snapshots (connection) ON DELETE CASCADE,
    name TEXT NOT NULL,
    job TEXT NOT NULL,
    due INTEGER NOT NULL,
    argument TEXT,
    PRIMARY KEY (connection, name)
) STRICT, WITHOUT ROWID;
";

/// Of which state version a snapshot is. Of one that is there already nobody knows, so it is none's.
const OF_VERSION: &str = "
DELETE FROM snapshots;
ALTER TABLE snapshots ADD COLUMN state_version INTEGER NOT NULL DEFAULT 0;
";

/// Whose books these are, and whose records each connection exchanges. The identity of the books is
/// made here and nowhere else: at random with the file, copied with it, another in a new file.
const IDENTITIES: &str = "
INSERT INTO settings VALUES ('books', lower(hex(randomblob(16))));

-- What a connection keeps of accounts other than its current one stands under `CONNECTION/ACCOUNT`,
-- which no connection is named. The accounts of a connection that was removed are nobody's: ''.
CREATE TABLE accounts (
    connection TEXT NOT NULL,
    id TEXT NOT NULL,
    is_current INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (connection, id)
) STRICT, WITHOUT ROWID;
";

/// What each account said last of a record, see `said.rs`. NULL in rows from before: nobody knows whose
/// their parts are.
const AGREED: &str = "
ALTER TABLE categories ADD COLUMN said BLOB;
ALTER TABLE products ADD COLUMN said BLOB;
ALTER TABLE partners ADD COLUMN said BLOB;
ALTER TABLE orders ADD COLUMN said BLOB;
";

/// The organization and the warehouse of a user's documents.
const DEFAULTS: &str = "
ALTER TABLE entries ADD COLUMN organization TEXT;
ALTER TABLE entries ADD COLUMN warehouse TEXT;
";

/// More than the statements of all modules, so that none is compiled twice.
const STATEMENTS: usize = 160;

/// Names and phones are compared in other forms than before; [`folding`] tells SQL what they are.
const FOLDED: &str = "
UPDATE entries SET folded_name = folded_name(name);
UPDATE products SET folded_name = folded_name(doc ->> 'name'),
    folded_brand = folded_name(doc ->> 'brand');
UPDATE OR REPLACE contacts SET value = folded_phone(value,
    coalesce((SELECT value FROM settings WHERE name = 'country'), 'UA'))
WHERE kind = 'phone' AND value NOT LIKE '+%';
";

/// The forms in which names and phones are compared, as functions of SQL for the steps above.
fn folding(connection: &Connection) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("folded_name", 1, pure, |values| {
        let name: Option<String> = values.get(0)?;
        Ok(name.map(|name| normal::name(&name)))
    })?;
    connection.create_scalar_function("folded_phone", 2, pure, |values| {
        let (phone, country): (String, String) = (values.get(0)?, values.get(1)?);
        let country = country.parse().unwrap_or(Country::UA);
        Ok(normal::phone(&phone, country).map(Cow::into_owned))
    })
}

/// What it means that a file is not there, or that nothing is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Its tenant is new.
    Made,
    /// It was lost, and another one in its place would hide that.
    Lost,
}

/// Whether a file is not there, or has nothing in it.
pub(crate) fn is_empty(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() == 0) || !path.exists()
}

/// Reads the file of a tenant from its beginning to its end, and tells what is wrong with it.
pub(crate) fn check(path: &Path, patience: Duration) -> Result<(), Unsound> {
    sqlite_file::check(path, STEPS.len(), patience)
}

/// Opens the file of a tenant to read it, which has to be there with the tables of this version.
pub(crate) fn open_to_read(path: &Path, patience: Duration) -> Result<Connection, Error> {
    let file = |source| Error::of_file(path, source);
    if is_empty(path) {
        return Err(Error::Lost(path.to_owned()));
    }
    let connection = sqlite_file::open_to_read(path, patience).map_err(file)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    match MIGRATIONS.pending_migrations(&connection) {
        Ok(0) => Ok(connection),
        Ok(waiting) if waiting < 0 => Err(Error::Newer(path.to_owned())),
        // No table of any version is in it.
        Ok(waiting) if waiting as usize == STEPS.len() => Err(Error::Lost(path.to_owned())),
        Ok(_) => Err(Error::Older(path.to_owned())),
        Err(source) => Err(Error::Migration {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Tells why nothing could be done with the file of a tenant, whichever version wrote it.
pub(crate) fn look(path: &Path, patience: Duration) -> Result<(), Error> {
    match open_to_read(path, patience) {
        // It is brought up to date when it is used.
        Err(Error::Older(_)) => Ok(()),
        opened => opened.map(drop),
    }
}

/// Opens the file of a tenant and brings its tables up to date.
pub(crate) fn open(path: &Path, patience: Duration, absent: Absent) -> Result<Connection, Error> {
    if absent == Absent::Lost && is_empty(path) {
        return Err(Error::Lost(path.to_owned()));
    }
    make_private(path).map_err(|source| Error::Folder {
        path: path.to_owned(),
        source,
    })?;
    let file = |source| Error::of_file(path, source);
    // Without SQLITE_OPEN_URI a folder named `file:…` stays a folder. A connection is used by one
    // thread at a time, which Rust sees to, so SQLite's own mutex has no work.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(file)?;
    connection.busy_timeout(patience).map_err(file)?;
    log_ahead(&connection, patience).map_err(file)?;
    configure(&connection).map_err(file)?;
    let version = "PRAGMA user_version";
    let version = connection.query_row(version, [], |row| row.get::<_, i64>(0));
    if absent == Absent::Lost && version.map_err(file)? == 0 {
        return Err(Error::Lost(path.to_owned()));
    }
    folding(&connection).map_err(file)?;
    if let Err(error) = MIGRATIONS.to_latest(&mut connection) {
        use rusqlite_migration::Error::{MigrationDefinition, RusqliteError};
        // Another process may have made the same tables in between.
        if MIGRATIONS.pending_migrations(&connection) != Ok(0) {
            return Err(match error {
                MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
                    Error::Newer(path.to_owned())
                }
                RusqliteError { err, .. } => file(err),
                other => Error::Migration {
                    path: path.to_owned(),
                    source: other,
                },
            });
        }
    }
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Pages keep their default of 4 KiB: a change of one order then writes one block of the disk,
    // and several orders still fit.
    //
    // - synchronous FULL: a checkpoint is durable when it answers, also when power fails.
    // - wal_autocheckpoint: at 16 MiB the log is copied into the file; sooner would copy the pages of
    //   hot indexes more often, later would make readers search a longer log.
    // - cache_size: 8 MiB hold the indexes of a usual tenant; the operating system caches the rest.
    // - no memory map: a disk error seen through one would end the whole process, and through
    //   `read` it ends one call.
    // - journal_size_limit: what a big first import needed is given back to the disk.
    // - temp_store: sorting never leaves copies of records in other folders.
    // - trusted_schema off: a file from elsewhere cannot call functions through its views.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA cache_size = -8192;
         PRAGMA mmap_size = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )
}

#[cfg(test)]
mod tests {
    use tenon_host::model::{Charge, Effect, Order, OrderFields, OrderLine};
    use tenon_host::platform::Platform as _;

    use super::*;
    use crate::EmbeddedErp;

    #[tokio::test]
    async fn parts_in_a_file_from_before_become_those_of_the_account_that_the_record_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = "shop".parse().unwrap();
        let erp = EmbeddedErp::open(dir.path()).unwrap();
        let file = dir.path().join("tenants/shop.sqlite");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut db = Connection::open(&file).unwrap();
        MIGRATIONS.to_version(&mut db, 5).unwrap();
        db.execute_batch(
            r#"INSERT INTO orders (origin, version, changed_at, position, direction, doc) VALUES
               ('crm:a:order:7', 3, 0, 1, 'sale', '{"currency":"UAH",
                  "lines":[{"id":"1","name":"Cup","quantity":"1","price":"5"},
                           {"id":"2","name":"Mug","quantity":"1","price":"5"}]}'),
               (NULL, 1, 0, 2, 'sale', '{"currency":"UAH",
                  "lines":[{"id":"1","name":"Cup","quantity":"1","price":"5"}]}');"#,
        )
        .unwrap();
        drop(db);

        let line = |id: &str, name: &str| OrderLine {
            id: id.to_owned(),
            name: name.to_owned(),
            quantity: "1".parse().unwrap(),
            price: "5".parse().unwrap(),
            ..OrderLine::default()
        };
        let order = |origin: &str, key: Option<&str>, lines: Vec<OrderLine>| Order {
            key: key.map(str::to_owned),
            origin: Some(origin.to_owned()),
            currency: "UAH".to_owned(),
            lines,
            ..Order::default()
        };
        let mut unit = erp.begin(&tenant, &"crm".parse().unwrap()).await.unwrap();
        let mut save = async |order: Order, owned: OrderFields| {
            let saved = unit.save_orders(vec![order], owned).await.unwrap();
            unit.commit().await.unwrap();
            saved.into_iter().next().unwrap().unwrap()
        };
        let lines = |number: usize| {
            let page = erp.page(&tenant, crate::Kind::Orders, None, 10).unwrap();
            let lines = page.records[number]["lines"].as_array().unwrap().clone();
            let told = lines.into_iter().map(|line| {
                let origin = line["origin"].as_str().unwrap_or_default().to_owned();
                (line["id"].as_str().unwrap().to_owned(), origin)
            });
            told.collect::<Vec<_>>()
        };
        let part = |id: &str, origin: &str| (id.to_owned(), origin.to_owned());
        // Another account puts its own on it: whose the lines are is known from then on.
        let theirs = Order {
            charges: vec![Charge {
                name: "fee".to_owned(),
                ..Charge::default()
            }],
            ..order("store:b:order:9", Some("1"), Vec::new())
        };
        save(theirs, OrderFields::CHARGES).await;
        let own = "crm:a:order:7";
        assert_eq!(vec![part("1", own), part("2", own)], lines(0));
        // Its own account has taken a line away meanwhile.
        let saved = save(order(own, None, vec![line("1", "Cup")]), OrderFields::LINES).await;
        assert_eq!(Effect::Updated, saved.effect);
        assert_eq!(vec![part("1", own)], lines(0));
        // What people made is theirs.
        let adopted = order("crm:a:order:8", Some("2"), vec![line("2", "Mug")]);
        save(adopted, OrderFields::LINES).await;
        let expected = vec![part("1", ""), part("2", "crm:a:order:8")];
        assert_eq!(expected, lines(1));
    }
}
