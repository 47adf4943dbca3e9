//! Bearer tokens of the HTTP API.
//!
//! The threat: whoever reads the database, or a copy of it, must not be able to use the API. A token
//! is 32 random bytes and only its SHA-256 is stored: that many bytes cannot be guessed back from a
//! hash, so a slow hash would add nothing. A token is looked up by its hash, so the time that takes
//! says nothing about the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tenon_host::ids::TenantId;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::audit::{COMMAND_LINE, Note};
use super::columns;

/// What every token begins with, so that people and scanners of leaked secrets know it.
pub const PREFIX: &str = "tnn_";

/// How precisely the last use is known: writing it on each request would make readers writers.
const LAST_USE_STEP: SignedDuration = SignedDuration::from_secs(60);

/// What a token may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything but secrets.
    Read,
    /// Run, retry, switch on and off.
    Operate,
    /// Change settings, credentials, connections and bindings.
    Manage,
    /// Change tenants, tokens and component versions, and what the host allows connections beyond the
    /// defaults.
    Platform,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// A UUID of version 7.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The tenant that it is limited to; none for one of the platform.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; never when none.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl Token {
    /// Whether it has a scope, or one that includes it.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| *own >= scope)
    }
}

impl Scope {
    /// All of them; each includes those before it.
    pub const ALL: [Scope; 4] = [Scope::Read, Scope::Operate, Scope::Manage, Scope::Platform];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Operate => "operate",
            Scope::Manage => "manage",
            Scope::Platform => "platform",
        }
    }
}

/// A token that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its name for people.
    pub name: String,
    /// The tenant that it is limited to; none for one of the platform.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends; never when none.
    pub expires_at: Option<Timestamp>,
}

impl NewToken {
    /// A token for everything that never ends.
    pub fn platform(name: impl Into<String>) -> NewToken {
        NewToken {
            name: name.into(),
            tenant: None,
            scopes: Scope::ALL.to_vec(),
            expires_at: None,
        }
    }
}

/// A token that was made, with its secret, which is known only now.
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Its text: whoever has it may do what the token may.
    pub secret: String,
}

/// A token that is stored nowhere: its text, and what it is known by.
pub fn unstored() -> (String, [u8; 32]) {
    let secret = new_secret();
    let hash = Sha256::digest(secret.as_bytes()).into();
    (secret, hash)
}

impl Token {
    /// What commands on the machine of the server have.
    pub fn of_commands() -> Token {
        Token {
            id: Uuid::nil().to_string(),
            name: COMMAND_LINE.to_owned(),
            tenant: None,
            scopes: vec![Scope::Read, Scope::Manage],
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            last_used_at: None,
        }
    }
}

fn new_secret() -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    // Without random bytes every token could be guessed, so there is nothing to go on with.
    getrandom::fill(&mut *bytes)
        .unwrap_or_else(|error| panic!("the system has no random bytes: {error}"));
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes))
}

/// What is stored of a token's text; none for a text that is no token's.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let secret = text.strip_prefix(PREFIX)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (secret.len() == 43 && secret.bytes().all(plain))
        .then(|| Sha256::digest(text.as_bytes()).into())
}

/// Makes a token.
pub fn issue(db: &Connection, new: &NewToken, now: Timestamp) -> rusqlite::Result<Issued> {
    issue_as(db, new, new_secret(), now)
}

fn issue_as(
    db: &Connection,
    new: &NewToken,
    secret: String,
    now: Timestamp,
) -> rusqlite::Result<Issued> {
    let token = Token {
        id: Uuid::now_v7().to_string(),
        name: new.name.clone(),
        tenant: new.tenant.clone(),
        scopes: new.scopes.clone(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    db.execute(
        "INSERT INTO tokens (id, name, tenant, scopes, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.id,
            token.name,
            token.tenant.as_ref().map(TenantId::as_str),
            columns::to_json(&token.scopes)?,
            hash(&secret),
            token.created_at.as_millisecond(),
            token.expires_at.map(Timestamp::as_millisecond),
        ],
    )?;
    Ok(Issued { token, secret })
}

/// Makes a token for everything when there is none yet; answers with its text.
pub fn first(db: &Connection, name: &str, now: Timestamp) -> rusqlite::Result<Option<String>> {
    if is_any(db)? {
        return Ok(None);
    }
    Ok(Some(issue(db, &NewToken::platform(name), now)?.secret))
}

/// The same, with a text that the operators gave; tells whether it was taken.
pub fn first_as(
    db: &Connection,
    name: &str,
    secret: String,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let is_first = !is_any(db)?;
    if is_first {
        issue_as(db, &NewToken::platform(name), secret, now)?;
    }
    Ok(is_first)
}

/// Whether there is a token of the platform, also one whose time is over.
pub fn is_any(db: &Connection) -> rusqlite::Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM tokens WHERE tenant IS NULL AND scopes LIKE '%platform%')";
    db.query_row(sql, [], |row| row.get(0))
}

/// Whether a token is the last that may change the platform: without it nobody could make another one.
/// One that ends takes the place of none that does not.
pub fn is_last_of_platform(db: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let good = "tenant IS NULL AND (expires_at IS NULL OR expires_at > ?2)
        AND EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = 'platform')";
    db.query_row(
        &format!(
            "SELECT EXISTS (SELECT 1 FROM tokens WHERE id = ?1 AND {good})
                AND NOT EXISTS (SELECT 1 FROM tokens AS other WHERE id <> ?1 AND {good}
                    AND (expires_at IS NULL OR EXISTS (
                        SELECT 1 FROM tokens AS own
                        WHERE own.id = ?1 AND own.expires_at <= other.expires_at)))"
        ),
        params![id, now.as_millisecond()],
        |row| row.get(0),
    )
}

/// What the audit says of a token.
pub fn note(actor: &str, action: &'static str, token: &Token) -> Note {
    Note {
        actor: actor.to_owned(),
        tenant: token.tenant.clone(),
        connection: None,
        action,
        detail: json!({ "id": token.id, "name": token.name, "scopes": token.scopes }),
    }
}

/// The token with this hash, unless it has ended.
pub fn by_hash(
    db: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Option<Token>> {
    db.prepare_cached(
        "SELECT * FROM tokens WHERE hash = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
    )?
    .query_row(params![hash, now.as_millisecond()], token)
    .optional()
}

/// Whether a use now is worth writing down.
pub fn is_use_news(token: &Token, now: Timestamp) -> bool {
    (token.last_used_at).is_none_or(|last| now.duration_since(last) >= LAST_USE_STEP)
}

/// Writes down that a token was used.
pub fn note_use(db: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE tokens SET last_used_at = ?2 WHERE id = ?1",
        params![id, now.as_millisecond()],
    )
    .map(drop)
}

/// Tokens by age, the oldest first, those after one.
pub fn list(db: &Connection, after: Option<&str>, limit: u32) -> rusqlite::Result<Vec<Token>> {
    db.prepare_cached("SELECT * FROM tokens WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map(params![after.unwrap_or_default(), limit], token)?
        .collect()
}

/// Ends a token; tells the one that there was.
pub fn remove(db: &Connection, id: &str) -> rusqlite::Result<Option<Token>> {
    db.query_row("DELETE FROM tokens WHERE id = ?1 RETURNING *", [id], token)
        .optional()
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: row.get("id")?,
        name: row.get("name")?,
        tenant: match row.get::<_, Option<String>>("tenant")? {
            Some(_) => Some(columns::parsed(row, "tenant")?),
            None => None,
        },
        scopes: columns::json(row, "scopes")?,
        created_at: columns::time(row, "created_at")?,
        expires_at: columns::maybe_time(row, "expires_at")?,
        last_used_at: columns::maybe_time(row, "last_used_at")?,
    })
}
