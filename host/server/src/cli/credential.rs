//! `tenon credential` and `tenon key`: what people do with stored credentials and their keys.

use std::io::Write as _;

use comfy_table::{Table, presets};
use reqwest::Method;
use serde_json::json;
use tenon_host::reason::Reason;
use tenon_host::{CredentialPlace, Secret};

use super::args::{Credential, ListCredentials, RemoveCredential, Rotate, SetCredential};
use super::door::{self, Door};
use super::language::{self, Language};
use super::{Exit, args};
use crate::control::{Control, credentials};
use crate::told::refusal;
use crate::vault::Vault;

pub async fn credential(args: Credential, language: Language) -> anyhow::Result<Exit> {
    match args {
        Credential::Set(args) => set(&args, language).await,
        Credential::List(args) => list(&args),
        Credential::Remove(args) => remove(&args, language).await,
    }
}

/// Where the API of a server has a credential.
fn path<'a>(place: &CredentialPlace<'a>) -> [&'a str; 6] {
    let (tenant, connection) = (place.tenant.as_str(), place.connection.as_str());
    [
        "tenants",
        tenant,
        "connections",
        connection,
        "credentials",
        place.name,
    ]
}

async fn set(args: &SetCredential, language: Language) -> anyhow::Result<Exit> {
    let connection = args.which.id()?;
    let args::Place { data, tenant } = &args.which.place;
    let place = CredentialPlace {
        tenant,
        connection: &connection,
        name: &args.name,
    };
    let secret = args.from.text(&args.name)?;
    match door::enter(data)? {
        Door::Served(server) => {
            let body = json!({ "secret": secret });
            let path = path(&place);
            server
                .ask(Method::PUT, &path, Some(&body), language)
                .await?;
        }
        Door::Open(_alone) => Vault::open(data)?.set(place, &Secret::new(secret))?,
    }
    Ok(Exit::Done)
}

fn list(args: &ListCredentials) -> anyhow::Result<Exit> {
    let listed = match Control::open_to_read(&args.place.data)? {
        Some(mut control) => control.alone(|db| credentials::list(db, &args.place.tenant))?,
        None => Vec::new(),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&listed)?)?;
    } else {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(["connection", "name", "changed_at"]);
        for credential in listed {
            let changed_at = credential.changed_at.to_string();
            table.add_row([credential.connection, credential.name, changed_at]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(Exit::Done)
}

async fn remove(args: &RemoveCredential, language: Language) -> anyhow::Result<Exit> {
    let connection = args.which.id()?;
    let args::Place { data, tenant } = &args.which.place;
    let place = CredentialPlace {
        tenant,
        connection: &connection,
        name: &args.name,
    };
    let _alone = match door::enter(data)? {
        Door::Served(server) => {
            let path = path(&place);
            server.ask(Method::DELETE, &path, None, language).await?;
            return Ok(Exit::Done);
        }
        Door::Open(alone) => alone,
    };
    let removed = match Vault::open_existing(data)? {
        Some(mut vault) => vault.remove(place)?,
        None => false,
    };
    anyhow::ensure!(
        removed,
        refusal("server.no-stored-credential")
            .arg("tenant", tenant)
            .arg("name", &args.name)
            .arg("connection", &connection)
    );
    Ok(Exit::Done)
}

pub fn rotate(args: Rotate, language: Language) -> anyhow::Result<Exit> {
    let none = || refusal("server.no-credentials-yet").arg("data", args.data.display());
    let mut vault = Vault::open_existing(&args.data)?.ok_or_else(none)?;
    if vault.is_empty()? {
        return Err(none().into());
    }
    let resealed = vault.rotate()?;
    if args.json {
        super::say(format_args!("{}\n", json!({ "resealed": resealed })))?;
    } else {
        let done = Reason::new("server.resealed").arg("number", resealed);
        super::say(format_args!("{}\n", language::say(&done, language)))?;
    }
    Ok(Exit::Done)
}
