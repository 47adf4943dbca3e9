//! My shop → ERP: orders with their buyers and goods.

mod orders;

use std::collections::BTreeSet;

use tenon_sdk::declare::choices;
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Account, Choice, Fault};
use tenon_sdk::{Settings, connector, record};

connector! {
    /// The connector.
    pub struct MyShop = "my-shop", title(en: "My shop", uk: "Мій магазин", ru: "Мой магазин");
    settings Chosen;
    credential api_key = bearer, title(en: "API key", uk: "Ключ API", ru: "Ключ API");
    endpoint shop = "{settings.base_url}", credentials(api_key), budget(60 per 60_500 ms), errors("error");
    check => check;
    choice statuses => statuses;
    job orders = every("*/10 * * * *"),
        title(en: "Load orders", uk: "Отримати замовлення", ru: "Получить заказы") => orders::run;
}

/// What an admin chooses.
#[derive(Debug, Settings)]
struct Chosen {
    #[setting(
        title(en: "API address", uk: "Адреса API", ru: "Адрес API"),
        address, default = "https://api.shop.example",
    )]
    base_url: String,
    #[setting(
        title(en: "Statuses to load", uk: "Статуси для завантаження", ru: "Статусы для загрузки"),
        options = statuses,
    )]
    statuses: BTreeSet<String>,
}

/// A status of orders.
#[record]
struct Status<'a> {
    id: Text<'a>,
    title: Text<'a>,
}

/// Tries the key. This shop tells no id, so its statuses have to tell whose it is.
fn check() -> Result<Account, Fault> {
    let facts = statuses()?.into_iter();
    Ok(Account {
        id: None,
        name: "My shop".to_owned(),
        facts: facts.map(|status| (status.value, status.label)).collect(),
        notes: Vec::new(),
    })
}

/// The statuses of orders, for the settings form.
fn statuses() -> Result<Vec<Choice>, Fault> {
    let answer = MyShop::shop()?.get("/statuses").send()?;
    let statuses: Vec<Status<'_>> = answer.json()?;
    let statuses = statuses.iter();
    Ok(choices(
        statuses.map(|status| (status.id.owned(), status.title.owned())),
    ))
}

#[cfg(test)]
mod tests;
