//! `tenon token`: tokens of the HTTP API, by who has the data folder.

use comfy_table::{Table, presets};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tenon_host::ids::TenantId;

use super::args::{CreateToken, ListTokens, RevokeToken, Token};
use super::{Exit, no_server_yet, say};
use crate::control::tokens::{self, NewToken, Scope};
use crate::control::{Control, audit, tenants};
use crate::service::{Error, What};
use crate::told::refusal;

/// Who the audit says it was.
const ACTOR: &str = "command line";

/// Tokens that are read at one time.
const AT_ONCE: u32 = 500;

pub fn token(args: Token) -> anyhow::Result<Exit> {
    match args {
        Token::Create(args) => create(args),
        Token::List(args) => list(&args),
        Token::Revoke(args) => revoke(&args),
    }
}

fn create(args: CreateToken) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let lasts = args
        .days
        .map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let new = NewToken {
        name: args.name,
        tenant: args.tenant,
        scopes: vec![args.scope],
        expires_at: lasts.map(|lasts| now + lasts),
    };
    anyhow::ensure!(
        new.tenant.is_none() || args.scope != Scope::Platform,
        refusal("server.token-scope")
    );
    // A folder that a name was mistyped for is not to be made.
    if !args.data.exists() {
        return Err(no_server_yet(&args.data).into());
    }
    let issued = Control::open(&args.data)?.alone(|db| {
        if let Some(tenant) = &new.tenant {
            let known = tenants::get(db, tenant)?;
            known.ok_or_else(|| Error::not_found(What::Tenant, tenant))?;
        }
        let issued = tokens::issue(db, &new, now)?;
        audit::note(db, &tokens::note(ACTOR, "token.create", &issued.token), now)?;
        Ok(issued)
    })?;
    if args.json {
        let shown = json!({ "id": issued.token.id, "secret": issued.secret });
        say(format_args!("{shown}\n"))?;
    } else {
        // Nothing else, so that it can be put into a file.
        say(format_args!("{}\n", issued.secret))?;
    }
    Ok(Exit::Done)
}

fn list(args: &ListTokens) -> anyhow::Result<Exit> {
    let control = Control::open_to_read(&args.data)?;
    let mut control = control.ok_or_else(|| no_server_yet(&args.data))?;
    let mut all = Vec::new();
    control.alone(|db| {
        loop {
            let after = all.last().map(|token: &tokens::Token| token.id.as_str());
            let more = tokens::list(db, after, AT_ONCE)?;
            if more.is_empty() {
                return Ok(());
            }
            all.extend(more);
        }
    })?;
    if args.json {
        let shown = all.iter().map(|token| {
            json!({
                "id": token.id,
                "name": token.name,
                "tenant": token.tenant,
                "scopes": token.scopes,
                "created_at": token.created_at,
                "expires_at": token.expires_at,
                "last_used_at": token.last_used_at,
            })
        });
        say(format_args!("{}\n", json!(shown.collect::<Vec<_>>())))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "id",
        "name",
        "tenant",
        "scopes",
        "expires_at",
        "last_used_at",
    ]);
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    for token in all {
        let scopes = token.scopes.iter().map(|scope| scope.name());
        table.add_row([
            token.id,
            super::harmless(&token.name),
            token
                .tenant
                .as_ref()
                .map(TenantId::to_string)
                .unwrap_or_default(),
            scopes.collect::<Vec<_>>().join(" "),
            moment(token.expires_at),
            moment(token.last_used_at),
        ]);
    }
    say(format_args!("{table}\n"))?;
    Ok(Exit::Done)
}

fn revoke(args: &RevokeToken) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let unknown = || refusal("server.no-token").arg("id", &args.id);
    let mut control = Control::open_existing(&args.data)?.ok_or_else(unknown)?;
    control.alone(|db| {
        anyhow::ensure!(
            !tokens::is_last_of_platform(db, &args.id, now)?,
            refusal("server.last-token")
        );
        let removed = tokens::remove(db, &args.id)?.ok_or_else(unknown)?;
        Ok(audit::note(
            db,
            &tokens::note(ACTOR, "token.delete", &removed),
            now,
        )?)
    })?;
    Ok(Exit::Done)
}
