//! Whose account it is. KeyCRM tells no id and no name of it, so it is known again by when its oldest
//! sources and users were made: to the second, and nobody changes that.

use tenon_sdk::model::{Account, Fault};
use tenon_sdk::{reason, time};

use crate::api::{Crm, Named};

/// So many of the oldest entries of a list are facts. Some may be removed one day.
const OLDEST: usize = 3;

/// Tries the key, and says whose it is.
///
/// # Errors
/// `configuration` when KeyCRM does not accept it, or nothing at the address tells whose it is.
pub fn check() -> Result<Account, Fault> {
    let crm = Crm::open()?;
    let told = crm.first_page("/order/source")?;
    let mut is_told = told.is_some();
    let sources = oldest(told.unwrap_or_default());
    let mut facts = facts("source", &sources);
    match crm.first_page("/users")? {
        Some(users) => {
            is_told = true;
            facts.extend(self::facts("user", &oldest(users)));
        }
        // Not every tariff shows users. Statuses tell less: some are put into every new account.
        None => {
            let told = crm.first_page("/order/status")?;
            is_told |= told.is_some();
            facts.extend(self::facts("status", &oldest(told.unwrap_or_default())));
        }
    }
    if !is_told {
        let reason = reason!("account.unknown");
        return Err(Fault::Configuration(reason.setting("base_url")));
    }
    Ok(Account {
        id: None,
        name: name(&sources),
        facts,
        notes: Vec::new(),
    })
}

/// The entries with the lowest ids, in their order.
fn oldest(mut entries: Vec<Named>) -> Vec<(i64, Named)> {
    entries.retain(|entry| entry.id.get().is_some());
    entries.sort_by_key(|entry| entry.id.get());
    entries
        .into_iter()
        .filter_map(|entry| Some((entry.id.get()?, entry)))
        .take(OLDEST)
        .collect()
}

/// When each was made, as an instant: how times are written may change.
fn facts(word: &str, entries: &[(i64, Named)]) -> Vec<(String, String)> {
    let made = entries.iter().filter_map(|(id, entry)| {
        let made = time::parse(entry.created_at.as_deref()?).ok()? / time::SECOND;
        Some((format!("{word} {id}"), made.to_string()))
    });
    made.collect()
}

/// What people may know the account by: where its orders come from.
fn name(sources: &[(i64, Named)]) -> String {
    let names: Vec<String> = (sources.iter())
        .filter_map(|(_, source)| source.label())
        .collect();
    if names.is_empty() {
        "KeyCRM".to_owned()
    } else {
        format!("KeyCRM ({})", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{facts, name, oldest};
    use crate::api::Named;

    fn entries(json: &str) -> Vec<Named> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn an_account_is_known_by_its_oldest_entries_however_they_are_listed_and_written() {
        let listed = entries(
            r#"[{"id":9,"name":"Сайт","created_at":"2026-01-09T00:00:00.000000Z"},
                {"id":1,"name":"Вручну","created_at":"2024-03-01T10:00:07.000000Z"},
                {"id":4,"name":"Prom","created_at":null},
                {"name":"nobody"},
                {"id":3,"name":"Instagram","created_at":"2024-05-01 08:00:00"}]"#,
        );
        let sources = oldest(listed);
        assert_eq!("KeyCRM (Вручну, Instagram, Prom)", name(&sources));
        let known = facts("source", &sources);
        assert_eq!(known.len(), 2);
        let spaced = entries(r#"[{"id":1,"created_at":"2024-03-01 10:00:07"}]"#);
        assert_eq!(known[..1], facts("source", &oldest(spaced)));
        let other = entries(r#"[{"id":1,"created_at":"2024-03-01 10:00:08"}]"#);
        assert_ne!(known[..1], facts("source", &oldest(other)));
    }

    #[test]
    fn an_account_that_shows_nothing_is_called_by_its_system() {
        assert_eq!("KeyCRM", name(&oldest(Vec::new())));
    }
}
