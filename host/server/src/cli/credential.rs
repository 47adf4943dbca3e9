//! `tenon credential` and `tenon key`: what people do with stored credentials and their keys.

use std::io::Write as _;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde_json::json;
use tenon_host::CredentialPlace;

use super::args::{Credential, ListCredentials, RemoveCredential, Rotate, SetCredential};
use super::{Exit, args};
use crate::vault::Vault;

pub fn credential(args: Credential) -> anyhow::Result<Exit> {
    match args {
        Credential::Set(args) => set(&args),
        Credential::List(args) => list(&args),
        Credential::Remove(args) => remove(&args),
    }
}

fn set(args: &SetCredential) -> anyhow::Result<Exit> {
    let connection = args.which.id()?;
    let args::Place { data, tenant } = &args.which.place;
    let place = CredentialPlace {
        tenant,
        connection: &connection,
        name: &args.name,
    };
    let secret = args.from.read(&args.name)?;
    Vault::open(data)?.set(place, &secret)?;
    Ok(Exit::Done)
}

fn list(args: &ListCredentials) -> anyhow::Result<Exit> {
    let listed = match Vault::open_existing(&args.place.data)? {
        Some(mut vault) => vault.list(&args.place.tenant)?,
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

fn remove(args: &RemoveCredential) -> anyhow::Result<Exit> {
    let connection = args.which.id()?;
    let args::Place { data, tenant } = &args.which.place;
    let place = CredentialPlace {
        tenant,
        connection: &connection,
        name: &args.name,
    };
    let removed = match Vault::open_existing(data)? {
        Some(mut vault) => vault.remove(place)?,
        None => false,
    };
    anyhow::ensure!(
        removed,
        "tenant `{tenant}` has no stored credential `{}` of connection `{connection}`; `tenon \
         credential list` shows what it has",
        args.name
    );
    Ok(Exit::Done)
}

pub fn rotate(args: Rotate) -> anyhow::Result<Exit> {
    let mut vault = Vault::open_existing(&args.data)?.with_context(|| {
        let data = args.data.display();
        format!("no credential was ever stored in the data folder {data}")
    })?;
    let resealed = vault.rotate()?;
    if args.json {
        super::say(format_args!("{}\n", json!({ "resealed": resealed })))?;
    } else {
        super::say(format_args!("credentials sealed anew: {resealed}\n"))?;
    }
    Ok(Exit::Done)
}
