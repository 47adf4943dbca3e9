//! The ERP keys that an admin has put into the settings, checked before anything is read: a key
//! that is not there would make every order fail, one by one.

use std::collections::HashSet;

use tenon_sdk::erp::{catalog, directories, partners};
use tenon_sdk::model::{Directory, Fault, Key, PartnerLookup, ProductLookup};

use crate::settings::Booking;

/// Checks all keys.
///
/// # Errors
/// `configuration`, naming the setting and the key that the ERP does not have.
pub fn verify(booking: &Booking) -> Result<(), Fault> {
    if let Some(key) = &booking.default_partner {
        let found = partners::find(&[PartnerLookup::Key(key.clone())])?;
        present(
            "default_partner",
            "partner",
            key,
            found.iter().any(Option::is_some),
        )?;
    }
    if let Some(key) = &booking.delivery_product {
        let found = catalog::find(&[ProductLookup::Key(key.clone())])?;
        present(
            "delivery_product",
            "product",
            key,
            found.iter().any(Option::is_some),
        )?;
    }
    let stages = booking.stages.iter();
    listed(
        Directory::OrderStages,
        "order stage",
        stages.map(|(id, key)| (format!("stages.{id}"), key)),
    )?;
    let users = booking.users.iter();
    listed(
        Directory::Users,
        "user",
        users
            .map(|(id, key)| (format!("users.{id}"), key))
            .chain(booking.author.iter().map(|key| ("author".to_owned(), key))),
    )?;
    listed(
        Directory::Accounts,
        "account",
        booking
            .account
            .iter()
            .map(|key| ("account".to_owned(), key)),
    )
}

/// Checks settings against one directory, which is read only when there is anything to check.
fn listed<'a>(
    directory: Directory,
    record: &str,
    settings: impl Iterator<Item = (String, &'a Key)>,
) -> Result<(), Fault> {
    let mut settings = settings.peekable();
    if settings.peek().is_none() {
        return Ok(());
    }
    let keys: HashSet<Key> = directories::list(directory)?
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    settings.try_for_each(|(path, key)| present(&path, record, key, keys.contains(key)))
}

fn present(path: &str, record: &str, key: &str, there: bool) -> Result<(), Fault> {
    if there {
        Ok(())
    } else {
        Err(Fault::Configuration(
            format!("settings.{path}: the ERP has no {record} `{key}`").into(),
        ))
    }
}
