//! What an admin has chosen, checked and with the defaults filled in.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};
use tenon_sdk::model::{Fault, Instant, Key};
use tenon_sdk::runtime::run;
use tenon_sdk::{reason, time};
use uuid::Uuid;

/// The API of all accounts.
pub const BASE_URL: &str = "https://api.moysklad.ru/api/remap/1.2";
/// Group of the counterparties that are customers.
pub const CUSTOMER_TAG: &str = "покупатели";
/// Group of the counterparties that are suppliers.
pub const SUPPLIER_TAG: &str = "поставщики";
/// Minutes between two synchronisations of a price list.
pub const MINUTES: u32 = 15;

/// All settings of a connection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The organization whose books this region is in.
    #[serde(default, deserialize_with = "chosen")]
    pub organization: Option<Uuid>,
    /// The shop's region: only its orders are sent. None means all.
    #[serde(default, deserialize_with = "chosen")]
    pub region: Option<Key>,
    /// Whether jobs do anything.
    #[serde(default)]
    pub active: bool,
    /// Whether orders to suppliers are sent.
    #[serde(default)]
    pub supplier_orders: bool,
    /// Whether refused lines are deleted from orders.
    #[serde(default)]
    pub delete_refused: bool,
    /// What becomes of an order whose lines are all refused.
    #[serde(default)]
    pub all_refused: AllRefused,
    /// The state of such orders, where one is set.
    #[serde(default, deserialize_with = "chosen")]
    pub refused_state: Option<Uuid>,
    /// Whether pictures are fetched.
    #[serde(default)]
    pub photos: bool,
    /// The folder below which categories are taken from; none means all.
    #[serde(default, deserialize_with = "chosen")]
    pub root_category: Option<Uuid>,
    /// The shop's category that they are put under.
    #[serde(default, deserialize_with = "chosen")]
    pub site_category: Option<Key>,
    /// Whether categories are synchronised.
    #[serde(default)]
    pub categories: bool,
    /// Whether balances are shown to customers.
    #[serde(default)]
    pub balance: bool,
    /// Whether a positive balance in MoySklad is what a customer owes.
    #[serde(default)]
    pub balance_is_debt: bool,
    /// Price lists, with the stores whose stock they show.
    #[serde(default)]
    pub price_lists: Vec<PriceList>,
    /// Store of orders.
    #[serde(default, deserialize_with = "chosen")]
    pub store: Option<Uuid>,
    /// Employee who answers for orders.
    #[serde(default, deserialize_with = "chosen")]
    pub owner: Option<Uuid>,
    /// State of new orders of customers.
    #[serde(default, deserialize_with = "chosen")]
    pub state: Option<Uuid>,
    /// State of new orders to suppliers.
    #[serde(default, deserialize_with = "chosen")]
    pub supplier_state: Option<Uuid>,
    /// Whether the goods of customers' orders are reserved.
    #[serde(default)]
    pub reserve: bool,
    /// The service under which delivery and other charges of orders are booked.
    #[serde(default, deserialize_with = "chosen")]
    pub delivery_service: Option<Uuid>,
    /// Orders placed earlier are not sent.
    #[serde(default, deserialize_with = "moment")]
    pub orders_from: Option<Instant>,
    /// Group of customers.
    #[serde(default = "customer_tag")]
    pub customer_tag: String,
    /// Group of suppliers.
    #[serde(default = "supplier_tag")]
    pub supplier_tag: String,
    /// Where the API is.
    #[serde(default = "base_url", deserialize_with = "address")]
    pub base_url: String,
}

/// What becomes of an order whose lines are all refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllRefused {
    /// It stays, without lines.
    #[default]
    Keep,
    /// It is deleted.
    Delete,
    /// It stays, without lines, and gets a state.
    State,
}

/// A price list and the store whose stock it shows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// The shop's price list: a key of its warehouses.
    pub price_list: Key,
    /// The store in MoySklad.
    pub store: Uuid,
    /// Minutes between two synchronisations.
    #[serde(default = "minutes")]
    pub minutes: u32,
}

impl Settings {
    /// Of the run under way.
    ///
    /// # Errors
    /// `configuration`, naming the setting that does not fit.
    pub fn load() -> Result<Settings, Fault> {
        Settings::parse(&run::settings())
    }

    /// Reads settings from their JSON.
    ///
    /// # Errors
    /// `configuration`, naming the setting that does not fit.
    pub fn parse(json: &str) -> Result<Settings, Fault> {
        let settings: Settings = tenon_sdk::settings::parse(json)?;
        let mut seen = HashSet::new();
        let mut lists = settings.price_lists.iter();
        if lists.any(|list| !seen.insert(&list.price_list)) {
            let reason = reason!("settings.price-list-twice").setting("price_lists");
            return Err(Fault::Configuration(reason));
        }
        Ok(settings)
    }

    /// The organization, where a job cannot do without.
    ///
    /// # Errors
    /// `configuration` when none is chosen.
    pub fn organization(&self) -> Result<Uuid, Fault> {
        self.organization.ok_or_else(|| {
            Fault::Configuration(reason!("settings.no-organization").setting("organization"))
        })
    }
}

fn base_url() -> String {
    BASE_URL.to_owned()
}

fn customer_tag() -> String {
    CUSTOMER_TAG.to_owned()
}

fn supplier_tag() -> String {
    SUPPLIER_TAG.to_owned()
}

fn minutes() -> u32 {
    MINUTES
}

/// An address that paths are put behind.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let address = String::deserialize(deserializer)?;
    Ok(address.trim_end_matches('/').to_owned())
}

/// A form may send a field that was left open as an empty text.
fn chosen<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if !text.is_empty() => text.parse().map(Some).map_err(serde::de::Error::custom),
        _ => Ok(None),
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if !text.is_empty() => time::parse(&text)
            .map(Some)
            .map_err(serde::de::Error::custom),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{AllRefused, Settings};
    use tenon_sdk::model::{Fault, Mend};

    #[test]
    fn a_field_that_was_left_open_is_not_chosen() {
        let settings = Settings::parse(
            r#"{"organization":"","site_category":"","orders_from":"",
                "store":"7d6f8c02-1f4c-4a4b-9d0e-000000000001",
                "base_url":"https://api.example/api/remap/1.2/"}"#,
        )
        .expect("good settings");
        assert_eq!(settings.base_url, "https://api.example/api/remap/1.2");
        assert_eq!(settings.organization, None);
        assert_eq!(settings.site_category, None);
        assert_eq!(settings.orders_from, None);
        assert!(settings.store.is_some());
        assert!(!settings.active);
        assert_eq!(settings.all_refused, AllRefused::Keep);
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_path() {
        for (json, code, setting, words) in [
            (
                r#"{"organization":"ours"}"#,
                "sdk.setting",
                "organization",
                "invalid",
            ),
            (
                r#"{"price_lists":[
                    {"price_list":"w","store":"7d6f8c02-1f4c-4a4b-9d0e-000000000001"},
                    {"price_list":"w","store":"7d6f8c02-1f4c-4a4b-9d0e-000000000002"}]}"#,
                "settings.price-list-twice",
                "price_lists",
                "",
            ),
            (
                r#"{"orders_from":"soon"}"#,
                "sdk.setting",
                "orders_from",
                "`soon`",
            ),
        ] {
            let Err(Fault::Configuration(reason)) = Settings::parse(json) else {
                panic!("{json} is no good");
            };
            assert_eq!(reason.code, code);
            assert_eq!(reason.mend, Some(Mend::Setting(setting.to_owned())));
            let detail = reason.detail.unwrap_or_default();
            assert!(detail.contains(words), "{detail}");
        }
    }
}
