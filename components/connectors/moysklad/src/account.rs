//! Whose account it is, and what of it people choose from in the settings.

use serde::Deserialize;
use tenon_sdk::flow::tree;
use tenon_sdk::http::Error;
use tenon_sdk::model::{Account, Choice, Fault};

use crate::api::MoySklad;
use crate::api::meta::Kind;
use crate::api::records::{Named, Owned};

/// Tries the credentials, and says whose they are.
pub fn check() -> Result<Account, Fault> {
    let api = MoySklad::open()?;
    let (id, name) = match api.try_get("/context/employee", &[]) {
        Ok(answer) => {
            let employee: Owned = answer.json()?;
            // People sign in as `login@account`.
            let account = employee.uid.as_deref().and_then(|uid| uid.split_once('@'));
            let name = account.map_or(employee.name.as_str(), |(_, account)| account);
            (employee.account_id, name.to_owned())
        }
        // An application is nobody's; it can read what the connector needs instead.
        Err(Error::Status(_)) => {
            let organizations: Vec<Owned> = api.all(Kind::Organization.path(), "")?;
            let first = organizations.into_iter().next().unwrap_or_default();
            (first.account_id, first.name)
        }
        Err(Error::Fault(fault)) => return Err(fault),
    };
    Ok(Account {
        id: id.map(|id| id.to_string()),
        name: format!("MoySklad, {name}"),
        facts: Vec::new(),
        notes: Vec::new(),
    })
}

pub fn organizations() -> Result<Vec<Choice>, Fault> {
    all(Kind::Organization)
}

pub fn stores() -> Result<Vec<Choice>, Fault> {
    all(Kind::Store)
}

pub fn services() -> Result<Vec<Choice>, Fault> {
    all(Kind::Service)
}

pub fn employees() -> Result<Vec<Choice>, Fault> {
    all(Kind::Employee)
}

/// The states of customers' orders.
pub fn states() -> Result<Vec<Choice>, Fault> {
    states_of(Kind::CustomerOrder)
}

/// The states of orders to suppliers.
pub fn supplier_states() -> Result<Vec<Choice>, Fault> {
    states_of(Kind::PurchaseOrder)
}

/// The folders of products, each with the path to it.
pub fn product_folders() -> Result<Vec<Choice>, Fault> {
    let folders = MoySklad::open()?.folders("")?;
    let paths = tree::paths(&folders).into_iter();
    let choice = |(id, name)| Named { id, name }.into();
    Ok(paths.map(choice).collect())
}

fn all(kind: Kind) -> Result<Vec<Choice>, Fault> {
    let all: Vec<Named> = MoySklad::open()?.all(kind.path(), "")?;
    Ok(all.into_iter().map(Choice::from).collect())
}

fn states_of(documents: Kind) -> Result<Vec<Choice>, Fault> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        states: Vec<Named>,
    }

    let answer = MoySklad::open()?.get(&format!("{}/metadata", documents.path()), &[])?;
    let states = answer.json::<Metadata>()?.states;
    Ok(states.into_iter().map(Choice::from).collect())
}

impl From<Named> for Choice {
    fn from(named: Named) -> Choice {
        Choice {
            value: named.id.to_string(),
            label: named.name,
        }
    }
}
