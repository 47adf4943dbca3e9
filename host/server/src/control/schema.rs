//! The tables of the control database.
//!
//! Times are milliseconds since 1970; objects and lists are JSON. A row is a fact about one tenant
//! wherever it has the column `tenant`.

use rusqlite_migration::{M, Migrations};

/// Steps are only ever added: databases stand at any of them.
const STEPS: &[M<'static>] = &[
    M::up(CREDENTIALS),
    M::up(RUN_LOG),
    M::up(SERVER),
    M::up(QUESTIONS),
    M::up(HOME_CURRENCY),
    M::up(SEEN),
    M::up(REASONS),
    M::up(MODES),
    M::up(FILES),
    M::up(BELONGING),
    M::up(HOSTS),
    M::up(ALIVE),
    M::up(MAINTENANCE),
    M::up(RETENTION),
    M::up(HOOK_BEFORE),
];

/// How many steps this program knows.
pub const KNOWN: usize = STEPS.len();

/// What brings a database up to date.
pub const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// `sealed` are bytes to everybody without the key. Sealing anew with another key is no change of
/// `changed_at`.
const CREDENTIALS: &str = "
CREATE TABLE credentials (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, name)
) STRICT, WITHOUT ROWID;
";

const RUN_LOG: &str = "
CREATE TABLE run_log (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    job TEXT NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    record TEXT,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX run_log_by_time ON run_log (at);
CREATE INDEX run_log_by_connection ON run_log (tenant, connection, at);
CREATE INDEX run_log_by_record ON run_log (tenant, record) WHERE record IS NOT NULL;
";

const SERVER: &str = "
CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- Name in the IANA database.
    time_zone TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
    -- SHA-256 of the component, hexadecimal. Its bytes are a file of that name.
    digest TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    version TEXT NOT NULL,
    size INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    imports TEXT NOT NULL,
    source TEXT NOT NULL,
    signed_by TEXT,
    installed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_connector ON versions (connector, installed_at);

CREATE TABLE connections (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    connector TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES versions (digest),
    -- What a rollback goes back to.
    previous TEXT REFERENCES versions (digest),
    -- First runs of a new version that are still watched, and how many of them failed.
    trial_left INTEGER NOT NULL DEFAULT 0,
    trial_failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('off', 'on', 'paused')),
    paused_reason TEXT,
    settings TEXT NOT NULL,
    -- Grows with each change of the settings.
    revision INTEGER NOT NULL DEFAULT 1,
    grants TEXT NOT NULL DEFAULT '[]',
    no_budget INTEGER NOT NULL DEFAULT 0,
    limits TEXT NOT NULL DEFAULT '{}',
    -- Schedules that an admin gave, by job.
    schedules TEXT NOT NULL DEFAULT '{}',
    -- Hours of the tenant's day in which scheduled runs begin, such as '08:00'.
    window_from TEXT,
    window_to TEXT,
    -- SHA-256 of the secret in the address of its webhooks.
    hook BLOB,
    created_at INTEGER NOT NULL,
    enabled_at INTEGER,
    -- When the first of its timers comes due.
    wake_at INTEGER,
    -- While its state moves to another version: what it runs if the process dies meanwhile.
    fallback TEXT REFERENCES versions (digest),
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX connections_by_hook ON connections (hook) WHERE hook IS NOT NULL;
CREATE INDEX connections_by_wake ON connections (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX connections_by_digest ON connections (digest);
CREATE INDEX connections_by_connector ON connections (connector);

-- When each job of a connection that is on runs next.
CREATE TABLE schedules (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    job TEXT NOT NULL,
    cron TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, job),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_time ON schedules (next_at);

CREATE TABLE requests (
    -- Never used twice.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    job TEXT NOT NULL,
    argument TEXT,
    preview INTEGER NOT NULL,
    cause TEXT NOT NULL,
    -- Waiting requests of a connection with an equal one are one request.
    merge_key BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'later', 'running', 'dead')),
    -- 0 comes first.
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    -- When it becomes ready; of a ready one, since when it is.
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- When it was claimed first: what it goes on with began then.
    began_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    -- Of the claim that is under way.
    fence INTEGER,
    lease_until INTEGER,
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX requests_merged ON requests (tenant, connection, merge_key)
    WHERE state IN ('ready', 'later');
CREATE UNIQUE INDEX requests_dead ON requests (tenant, connection, merge_key)
    WHERE state = 'dead';
CREATE UNIQUE INDEX requests_running ON requests (tenant, connection) WHERE state = 'running';
CREATE INDEX requests_ready ON requests (tenant, connection, priority, due_at, id)
    WHERE state = 'ready';
CREATE INDEX requests_later ON requests (due_at) WHERE state = 'later';
CREATE INDEX requests_leased ON requests (lease_until) WHERE state = 'running';
CREATE INDEX requests_by_connection ON requests (tenant, connection, state);

-- Connections that are on, have a ready request and run nothing. All of it follows from `requests`
-- and `connections`.
CREATE TABLE line (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- Priority of its next request, raised by waiting.
    class INTEGER NOT NULL,
    -- When that became ready.
    since INTEGER NOT NULL,
    -- When waiting raises one of its requests next.
    rises_at INTEGER,
    PRIMARY KEY (tenant, connection),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX line_in_order ON line (tenant, class, since);
CREATE INDEX line_rising ON line (rises_at) WHERE rises_at IS NOT NULL;

-- Tenants that have or had a connection in the line.
CREATE TABLE turns (
    tenant TEXT PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    -- Virtual time of its next run: it grows with each, so that tenants take turns.
    turn INTEGER NOT NULL,
    -- Its turn, put off by the class of what it runs next; none while nothing of it is in the line.
    place INTEGER,
    -- Since when that waits.
    since INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_in_order ON turns (place, since) WHERE place IS NOT NULL;

-- One row: the virtual time, which is the latest turn that was claimed.
CREATE TABLE clock (turn INTEGER NOT NULL) STRICT;
INSERT INTO clock VALUES (0);

-- One row: the last fence that was given out. Tenants' files know fences, too, so a control database
-- that is made anew begins above all earlier ones.
CREATE TABLE fence (last INTEGER NOT NULL) STRICT;
INSERT INTO fence VALUES (unixepoch() * 1000);

CREATE TABLE runs (
    -- UUID of version 7: sorts by start.
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    job TEXT NOT NULL,
    argument TEXT,
    cause TEXT NOT NULL,
    preview INTEGER NOT NULL,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    request INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT NOT NULL,
    created INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    -- Rejected records of this run.
    records TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_connection ON runs (tenant, connection, id);
CREATE INDEX runs_by_time ON runs (started_at);
CREATE INDEX runs_under_way ON runs (tenant, connection) WHERE finished_at IS NULL;

-- What runs wrote, or in a preview would write, at the counterpart.
CREATE TABLE changes (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    record_kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- Records that could not be taken, until they are.
CREATE TABLE failed_records (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    reason TEXT NOT NULL,
    job TEXT NOT NULL,
    run TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- When people asked for it again; none when a run has named it since.
    asked_at INTEGER,
    PRIMARY KEY (tenant, connection, kind, id),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX failed_records_by_time ON failed_records (at);

ALTER TABLE run_log ADD COLUMN run TEXT;
CREATE INDEX run_log_by_run ON run_log (run) WHERE run IS NOT NULL;
CREATE INDEX run_log_by_tenant ON run_log (tenant, at);

-- Webhooks that no connector has looked at yet.
CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    topic TEXT NOT NULL,
    headers TEXT NOT NULL,
    query TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    -- What tells it from others: a digest of its id and body, or of all of it.
    key BLOB NOT NULL,
    -- How often a connector began to read it.
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    -- Set when no further attempt is made.
    error TEXT,
    -- The last one, so that the others are read without it.
    body BLOB NOT NULL,
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX webhooks_waiting ON webhooks (tenant, due_at, id) WHERE error IS NULL;
CREATE UNIQUE INDEX webhooks_once ON webhooks (tenant, connection, key) WHERE error IS NULL;
CREATE INDEX webhooks_given_up ON webhooks (tenant, connection, id) WHERE error IS NOT NULL;
CREATE INDEX webhooks_by_time ON webhooks (received_at) WHERE error IS NOT NULL;

-- Webhooks that came lately, so that one that is sent again is dropped.
CREATE TABLE webhooks_seen (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    key BLOB NOT NULL,
    -- When it is forgotten.
    until INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_seen_by_time ON webhooks_seen (until);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- None for a token of the platform.
    tenant TEXT REFERENCES tenants (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    -- SHA-256 of the token.
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Answers that are given again to who repeats a write with its key.
CREATE TABLE repeats (
    token TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of method, path and body.
    request BLOB NOT NULL,
    -- None while the first one is under way.
    status INTEGER,
    headers TEXT,
    body BLOB,
    at INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_by_time ON repeats (at);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- Name of the token, or `host` for what happened by itself.
    actor TEXT NOT NULL,
    tenant TEXT,
    connection TEXT,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant, id);
";

const QUESTIONS: &str = "
-- What runs asked people before they went on.
CREATE TABLE questions (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- Digest of all that is asked.
    id TEXT NOT NULL,
    job TEXT NOT NULL,
    argument TEXT,
    -- Of the run that an answer calls for.
    cause TEXT NOT NULL,
    -- The last one that asked.
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    affected INTEGER NOT NULL,
    total INTEGER NOT NULL,
    samples TEXT NOT NULL,
    text TEXT NOT NULL,
    why TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    -- When it was asked last.
    seen_at INTEGER NOT NULL,
    -- Whether its connection was paused because of it.
    pauses INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'agreed', 'declined', 'done', 'expired')),
    answered_by TEXT,
    answered_at INTEGER,
    PRIMARY KEY (tenant, connection, id),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX questions_in_order ON questions (asked_at);
CREATE INDEX questions_by_time ON questions (seen_at);

ALTER TABLE runs ADD COLUMN questions TEXT NOT NULL DEFAULT '[]';
";

/// The home currency of tenants. Those that are there were never asked for one. Connectors took UAH
/// where nothing else was said, so that is what their records are in, but for tenants whose days are
/// those of Russia. An admin sets it right where both are wrong.
const HOME_CURRENCY: &str = "
ALTER TABLE tenants ADD COLUMN currency TEXT NOT NULL DEFAULT 'UAH';
UPDATE tenants SET currency = 'RUB' WHERE time_zone IN (
    'Europe/Kaliningrad', 'Europe/Moscow', 'Europe/Kirov', 'Europe/Volgograd', 'Europe/Astrakhan',
    'Europe/Saratov', 'Europe/Ulyanovsk', 'Europe/Samara', 'Asia/Yekaterinburg', 'Asia/Omsk',
    'Asia/Novosibirsk', 'Asia/Barnaul', 'Asia/Tomsk', 'Asia/Novokuznetsk', 'Asia/Krasnoyarsk',
    'Asia/Irkutsk', 'Asia/Chita', 'Asia/Yakutsk', 'Asia/Khandyga', 'Asia/Vladivostok',
    'Asia/Ust-Nera', 'Asia/Magadan', 'Asia/Sakhalin', 'Asia/Srednekolymsk', 'Asia/Kamchatka',
    'Asia/Anadyr'
);
";

/// What the host saw of a run, and failed records by the name that they have on their side.
const SEEN: &str = "
ALTER TABLE runs ADD COLUMN written TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';

ALTER TABLE failed_records RENAME TO failed_before;
DROP INDEX failed_records_by_time;
CREATE TABLE failed_records (
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Where the record comes from, and its origin or key there.
    side TEXT NOT NULL,
    id TEXT NOT NULL,
    -- What people know it by.
    label TEXT NOT NULL,
    reason TEXT NOT NULL,
    job TEXT NOT NULL,
    run TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, kind, side, id),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX failed_records_by_time ON failed_records (at);
INSERT INTO failed_records
    SELECT tenant, connection, kind, 'counterpart', id, id, reason, job, run, at FROM failed_before;
DROP TABLE failed_before;
";

/// Beside each English text the reason that says it in every language, as JSON.
const REASONS: &str = "
ALTER TABLE run_log ADD COLUMN why TEXT;
ALTER TABLE connections ADD COLUMN paused_why TEXT;
ALTER TABLE requests ADD COLUMN why TEXT;
ALTER TABLE runs ADD COLUMN why TEXT;
ALTER TABLE failed_records ADD COLUMN why TEXT;
ALTER TABLE webhooks ADD COLUMN why TEXT;
";

/// Three modes instead of two, and the changes of both sides. `key` is that of the platform's record.
const MODES: &str = "
ALTER TABLE requests ADD COLUMN mode TEXT NOT NULL DEFAULT 'live';
UPDATE requests SET mode = 'preview' WHERE preview;
ALTER TABLE requests DROP COLUMN preview;

ALTER TABLE runs ADD COLUMN mode TEXT NOT NULL DEFAULT 'live';
UPDATE runs SET mode = 'preview' WHERE preview;
ALTER TABLE runs DROP COLUMN preview;

ALTER TABLE changes ADD COLUMN side TEXT NOT NULL DEFAULT 'counterpart';
ALTER TABLE changes ADD COLUMN key TEXT;
ALTER TABLE changes ADD COLUMN label TEXT;
ALTER TABLE changes ADD COLUMN change TEXT NOT NULL DEFAULT 'updated';
";

/// Whether the embedded ERP has made the file of a tenant: from then on one that is not there was lost.
const FILES: &str = "
ALTER TABLE tenants ADD COLUMN has_file INTEGER NOT NULL DEFAULT 0;
";

/// Where a credential may be sent, as a JSON list of origins; what the manifest itself says is `""`.
/// Null for one that no connection uses yet, and for those from before until the server has started.
const BELONGING: &str = "
ALTER TABLE credentials ADD COLUMN belongs TEXT;
";

/// The hosts that connections of a connector may go to, where the platform has fixed them: a JSON list.
const HOSTS: &str = "
CREATE TABLE connector_hosts (
    connector TEXT PRIMARY KEY,
    hosts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// How long what went on in a tenant is kept, and how much of its log. What is old is looked for by
/// tenant.
const RETENTION: &str = "
ALTER TABLE tenants ADD COLUMN keep_days INTEGER NOT NULL DEFAULT 90;
ALTER TABLE tenants ADD COLUMN keep_log_lines INTEGER NOT NULL DEFAULT 1000000;
DROP INDEX run_log_by_time;
CREATE INDEX runs_by_tenant ON runs (tenant, started_at);
";

/// One row: when a server was last at work, by its clock; none before the first one. A clock that shows
/// less at the next start was set back meanwhile.
const ALIVE: &str = "
CREATE TABLE alive (at INTEGER) STRICT;
INSERT INTO alive VALUES (NULL);
";

/// What is held while people work on it, and the connections that are at work all the same.
const MAINTENANCE: &str = "
CREATE TABLE maintenance (
    scope TEXT NOT NULL CHECK (scope IN ('all', 'connector', 'tenant')),
    -- Of the connector or the tenant; empty for all.
    name TEXT NOT NULL,
    note TEXT NOT NULL,
    actor TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX connections_by_state ON connections (state);
CREATE VIEW held AS
    SELECT tenant, id FROM connections
    WHERE EXISTS (
        SELECT 1 FROM maintenance
        WHERE scope = 'all' OR (scope = 'connector' AND name = connector)
            OR (scope = 'tenant' AND name = tenant));
CREATE VIEW at_work AS
    SELECT tenant, id FROM connections
    WHERE state = 'on' AND NOT EXISTS (
        SELECT 1 FROM maintenance
        WHERE scope = 'all' OR (scope = 'connector' AND name = connector)
            OR (scope = 'tenant' AND name = tenant));
";

/// The address that the webhooks of a connection had before, which is good until they are set up at the
/// new one.
const HOOK_BEFORE: &str = "
ALTER TABLE connections ADD COLUMN hook_before BLOB;
CREATE UNIQUE INDEX connections_by_hook_before ON connections (hook_before)
    WHERE hook_before IS NOT NULL;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_make_tables() {
        assert!(MIGRATIONS.validate().is_ok());
    }

    #[test]
    fn a_tenant_from_before_has_the_currency_that_its_records_are_in() {
        let mut db = rusqlite::Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut db, 3).unwrap();
        for zone in ["Europe/Kyiv", "Europe/Moscow", "UTC"] {
            let insert = "INSERT INTO tenants (id, name, time_zone, language, created_at)
                VALUES (?1, 'Shop', ?1, 'uk', 0)";
            db.execute(insert, [zone]).unwrap();
        }
        MIGRATIONS.to_latest(&mut db).unwrap();
        let mut found = db
            .prepare("SELECT currency FROM tenants ORDER BY id")
            .unwrap();
        let found = found.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let found: Vec<_> = found.map(Result::unwrap).collect();
        assert_eq!(["UAH", "RUB", "UAH"], *found);
    }

    #[test]
    fn previews_from_before_stay_previews_and_what_they_told_was_of_the_counterpart() {
        let mut db = rusqlite::Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut db, 6).unwrap();
        db.execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO requests (tenant, connection, job, preview, cause, merge_key, state, priority,
                 due_at, created_at)
             VALUES ('shop', 'crm', 'orders', 0, '{}', x'01', 'dead', 0, 0, 0),
                    ('shop', 'crm', 'orders', 1, '{}', x'02', 'dead', 0, 0, 0);
             INSERT INTO runs (id, tenant, connection, job, cause, preview, digest, version, request,
                 fence, started_at, outcome)
             VALUES ('1', 'shop', 'crm', 'orders', '{}', 0, 'd', '1.0.0', 1, 1, 0, 'done'),
                    ('2', 'shop', 'crm', 'orders', '{}', 1, 'd', '1.0.0', 2, 1, 0, 'done');
             INSERT INTO changes (run, number, record_kind, origin, fields)
             VALUES ('2', 1, 'order', 'crm:a:order:7', '[]');",
        )
        .unwrap();
        MIGRATIONS.to_latest(&mut db).unwrap();
        let modes = |table: &str| {
            let mut found = db
                .prepare(&format!("SELECT mode FROM {table} ORDER BY id"))
                .unwrap();
            let found = found.query_map([], |row| row.get::<_, String>(0)).unwrap();
            found.map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(["live", "preview"], *modes("requests"));
        assert_eq!(["live", "preview"], *modes("runs"));
        let changes = crate::control::runs::changes(&db, "2", None, 0, 10).unwrap();
        assert_eq!(
            tenon_host::observe::Side::Counterpart,
            changes[0].written.side
        );
    }
}
