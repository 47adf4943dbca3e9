//! Shoplite ↔ ERP: orders and products come from the shop, stock goes there. An example of a connector
//! that an author elsewhere would write.
//!
//! The shop is the master of orders; people own the cards of partners and products once they exist.

mod api;
mod hooks;
mod orders;
mod products;
mod stock;

use std::collections::BTreeSet;

use tenon_sdk::declare::choices;
use tenon_sdk::model::{Account, Choice, Fault};
use tenon_sdk::{Settings, connector};

connector! {
    /// The connector.
    pub struct Shoplite = "shoplite", title(en: "Shoplite", uk: "Shoplite", ru: "Shoplite");
    settings Shop;
    credential api_key = bearer, title(en: "API key", uk: "Ключ API", ru: "Ключ API");
    // The shop counts 60 requests in any minute; half a second covers the clocks.
    endpoint shop = "{settings.base_url}", credentials(api_key), budget(60 per 60_500 ms), errors("error");
    check => check;
    choice statuses => statuses;
    job orders = every("*/10 * * * *"),
        title(en: "Load orders", uk: "Отримати замовлення", ru: "Получить заказы") => orders::run;
    job products = every("15 1 * * *"),
        title(en: "Load products", uk: "Отримати товари", ru: "Получить товары") => products::run;
    job stock = every("*/15 * * * *"), changed(Stock),
        title(en: "Send stock", uk: "Надіслати залишки", ru: "Отправить остатки") => stock::run;
    webhooks unsigned;
    hook orders => job orders;
    enable => hooks::enable;
    disable => hooks::disable;
}

/// What an admin chooses.
#[derive(Debug, Settings)]
struct Shop {
    #[setting(
        title(en: "API address", uk: "Адреса API", ru: "Адрес API"),
        address, default = "https://api.shoplite.example",
    )]
    base_url: String,
    #[setting(
        title(en: "Statuses to load", uk: "Статуси для завантаження", ru: "Статусы для загрузки"),
        hint(
            en: "None chosen means all; an order that was loaded before is updated in any status",
            uk: "Якщо не обрано, завантажуються всі; вже завантажене замовлення оновлюється в будь-якому статусі",
            ru: "Если не выбраны, загружаются все; уже загруженный заказ обновляется в любом статусе",
        ),
        options = statuses,
    )]
    statuses: BTreeSet<String>,
    #[setting(
        title(en: "Price type of products", uk: "Тип цін товарів", ru: "Тип цен товаров"),
        directory = PriceTypes,
    )]
    price_type: Option<String>,
    #[setting(
        title(en: "Warehouse of the shop", uk: "Склад магазину", ru: "Склад магазина"),
        hint(
            en: "Its stock is sent to the shop; none chosen sends nothing",
            uk: "Його залишки надсилаються до магазину; якщо не обрано, нічого не надсилається",
            ru: "Его остатки отправляются в магазин; если не выбран, ничего не отправляется",
        ),
        directory = Warehouses,
    )]
    warehouse: Option<String>,
}

/// So many of the oldest products tell whose shop it is.
const OLDEST: usize = 10;

/// Tries the key. The shop tells no id: it is known again by its oldest products, which come first.
fn check() -> Result<Account, Fault> {
    let answer = Shoplite::shop()?.get("/products").send()?;
    let products = answer.json::<api::Page<'_>>()?.data;
    let fact = |product: &api::Product<'_>| {
        let (id, sku) = (product.id.get()?, product.sku.owned()?);
        Some((format!("product {id}"), sku))
    };
    Ok(Account {
        id: None,
        name: "Shoplite".to_owned(),
        facts: products.iter().take(OLDEST).filter_map(fact).collect(),
        notes: Vec::new(),
    })
}

/// The statuses of orders, for the settings form.
fn statuses() -> Result<Vec<Choice>, Fault> {
    let answer = Shoplite::shop()?.get("/statuses").send()?;
    let statuses: Vec<api::Status<'_>> = answer.json()?;
    let statuses = statuses.iter();
    Ok(choices(
        statuses.map(|status| (status.id.owned(), status.title.owned())),
    ))
}

#[cfg(test)]
mod tests;
