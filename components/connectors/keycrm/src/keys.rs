//! The ERP keys that an admin has put into the settings, checked before anything is read: a key
//! that is not there would make every order fail, one by one.

use std::collections::HashMap;

use tenon_sdk::erp::{catalog, directories, partners};
use tenon_sdk::model::{Directory, Entry, Fault, Key, PartnerLookup, ProductLookup};
use tenon_sdk::reason;

use crate::settings::Booking;

/// Checks all keys. Gives the users of the ERP, where the settings name any.
///
/// # Errors
/// `configuration`, naming the setting and the key that the ERP does not have.
pub fn verify(booking: &Booking) -> Result<HashMap<Key, Entry>, Fault> {
    if let Some(key) = &booking.default_partner {
        let found = partners::find(&[PartnerLookup::Key(key.clone())])?;
        present("default_partner", key, found.iter().any(Option::is_some))?;
    }
    if let Some(key) = &booking.delivery_product {
        let found = catalog::find(&[ProductLookup::Key(key.clone())])?;
        present("delivery_product", key, found.iter().any(Option::is_some))?;
    }
    let stages = booking.stages.iter();
    listed(
        Directory::OrderStages,
        stages.map(|(id, key)| (format!("stages.{id}"), key)),
    )?;
    let accounts = booking.account.iter();
    listed(
        Directory::Accounts,
        accounts.map(|key| ("account".to_owned(), key)),
    )?;
    let users = booking.users.iter();
    let author = booking.author.iter().map(|key| ("author".to_owned(), key));
    listed(
        Directory::Users,
        users
            .map(|(id, key)| (format!("users.{id}"), key))
            .chain(author),
    )
}

/// Checks settings against one directory, which is read only when there is anything to check.
fn listed<'a>(
    directory: Directory,
    settings: impl Iterator<Item = (String, &'a Key)>,
) -> Result<HashMap<Key, Entry>, Fault> {
    let mut settings = settings.peekable();
    if settings.peek().is_none() {
        return Ok(HashMap::new());
    }
    let entries: HashMap<Key, Entry> = directories::list(directory)?
        .into_iter()
        .map(|entry| (entry.key.clone(), entry))
        .collect();
    settings.try_for_each(|(path, key)| present(&path, key, entries.contains_key(key)))?;
    Ok(entries)
}

fn present(path: &str, key: &str, there: bool) -> Result<(), Fault> {
    if there {
        return Ok(());
    }
    let reason = reason!("settings.gone", setting = path, key = key);
    Err(Fault::Configuration(reason.setting(path)))
}
