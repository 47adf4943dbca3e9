//! What an admin has chosen, checked and with the defaults filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tenon_sdk::flow::pull::Span;
use tenon_sdk::import::fingerprint;
use tenon_sdk::lenient::Id;
use tenon_sdk::model::{Fault, Key, Reason};
use tenon_sdk::reason;
use tenon_sdk::runtime::run;
use tenon_sdk::time::{NotATime, Zone};

use crate::api::Crm;

const BASE_URL: &str = "https://openapi.keycrm.app/v1";
const CURRENCY: &str = "UAH";
const LOOK_BACK_DAYS: u32 = 30;

/// All settings of a connection.
#[derive(Debug, Hash)]
pub struct Settings {
    /// Where the API is.
    pub base_url: String,
    /// Which orders, by time.
    pub span: Span,
    /// Statuses to load; empty for all.
    pub statuses: BTreeSet<i64>,
    /// Categories whose products are services.
    pub service_categories: BTreeSet<i64>,
    /// How many days back closed orders are looked at again.
    pub look_back_days: u32,
    /// How an order is written into the ERP.
    pub booking: Booking,
}

/// The settings that decide what an order looks like in the ERP. A change of one of them makes
/// every order changed.
#[derive(Debug, Hash)]
pub struct Booking {
    /// User who is the author of orders.
    pub author: Option<Key>,
    /// Partner of orders without a buyer.
    pub default_partner: Option<Key>,
    /// Service product that delivery is booked under.
    pub delivery_product: Option<Key>,
    /// Whether the source's order number goes into the comment.
    pub write_source_number: bool,
    /// Account of payments.
    pub account: Option<Key>,
    /// Stages by CRM status.
    pub stages: BTreeMap<i64, Key>,
    /// Users by CRM manager.
    pub users: BTreeMap<i64, Key>,
    /// Currency of sources that have none.
    pub currency: String,
}

/// The settings as they stand in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "base_url")]
    base_url: String,
    period: Option<Period>,
    last_days: Option<u32>,
    /// For the host, which keeps the budget.
    #[serde(default, rename = "requests_per_minute")]
    _requests_per_minute: IgnoredAny,
    #[serde(default)]
    statuses: Vec<Id>,
    author: Option<Key>,
    default_partner: Option<Key>,
    delivery_product: Option<Key>,
    #[serde(default)]
    write_source_number: bool,
    account: Option<Key>,
    #[serde(default)]
    service_categories: Vec<Id>,
    #[serde(default = "look_back_days")]
    look_back_days: u32,
    #[serde(default)]
    stages: BTreeMap<i64, Key>,
    #[serde(default)]
    users: BTreeMap<i64, Key>,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: String,
    to: String,
}

impl Settings {
    /// Of the run under way.
    ///
    /// # Errors
    /// `configuration`, naming the setting that does not fit.
    pub fn load() -> Result<Settings, Fault> {
        Settings::parse(&run::settings(), &Zone::named(&run::context().time_zone))
    }

    /// Reads settings from their JSON. Days are those of the zone.
    ///
    /// # Errors
    /// `configuration`, naming the setting that does not fit.
    pub fn parse(json: &str, zone: &Zone) -> Result<Settings, Fault> {
        let written: Written = tenon_sdk::settings::parse(json)?;
        written.settings(zone).map_err(Fault::Configuration)
    }

    /// Digest of all settings, under a version of the mapping.
    pub fn digest(&self, version: u8) -> String {
        hex::encode(fingerprint(version, self))
    }
}

impl Written {
    fn settings(self, zone: &Zone) -> Result<Settings, Reason> {
        let written = self;
        let span = match (written.period, written.last_days) {
            (Some(Period { from, to }), None) => {
                let not_read = |setting, error: NotATime| {
                    reason!("sdk.setting", setting = setting)
                        .setting(setting)
                        .detail(error)
                };
                let first = zone.first(&from).map_err(|e| not_read("period.from", e))?;
                let last = zone.last(&to).map_err(|e| not_read("period.to", e))?;
                if last < first {
                    return Err(reason!("settings.period").setting("period.to"));
                }
                Span::Period {
                    from: first,
                    to: last,
                }
            }
            (None, Some(days @ 1..)) => Span::LastDays(days),
            (None, Some(0)) => return Err(reason!("settings.days").setting("last_days")),
            _ => return Err(reason!("settings.span").setting("last_days")),
        };
        // A form may send a field that was left open as an empty text.
        let chosen = |key: Option<Key>| key.filter(|key| !key.is_empty());
        let ids = |ids: Vec<Id>| ids.into_iter().filter_map(Id::get).collect();
        Ok(Settings {
            base_url: written.base_url.trim_end_matches('/').to_owned(),
            span,
            statuses: ids(written.statuses),
            service_categories: ids(written.service_categories),
            look_back_days: written.look_back_days,
            booking: Booking {
                author: chosen(written.author),
                default_partner: chosen(written.default_partner),
                delivery_product: chosen(written.delivery_product),
                write_source_number: written.write_source_number,
                account: chosen(written.account),
                stages: written.stages,
                users: written.users,
                currency: chosen(written.currency).unwrap_or_else(|| CURRENCY.to_owned()),
            },
        })
    }
}

fn base_url() -> String {
    BASE_URL.to_owned()
}

fn look_back_days() -> u32 {
    LOOK_BACK_DAYS
}

/// The API of the connection. Needs no more than its address, so that the settings form can offer
/// choices before all of it is filled in.
///
/// # Errors
/// `configuration` when the address is no text.
pub fn crm() -> Result<Crm, Fault> {
    #[derive(Deserialize)]
    struct Address {
        #[serde(default = "base_url")]
        base_url: String,
    }

    let address: Address = tenon_sdk::settings::load()?;
    Ok(Crm::new(&address.base_url))
}

#[cfg(test)]
mod tests {
    use super::Settings;
    use tenon_sdk::flow::pull::Span;
    use tenon_sdk::model::{Fault, Mend};
    use tenon_sdk::time::{Zone, utc_text};

    fn kyiv() -> Zone {
        Zone::named("Europe/Kyiv")
    }

    /// The code, the setting that it leads to, and the detail.
    fn reason(json: &str) -> (String, String, String) {
        match Settings::parse(json, &kyiv()) {
            Err(Fault::Configuration(reason)) => {
                let setting = match reason.mend {
                    Some(Mend::Setting(path)) => path,
                    other => panic!("{json} leads to {other:?}"),
                };
                (reason.code, setting, reason.detail.unwrap_or_default())
            }
            other => panic!("{json} was answered with {other:?}"),
        }
    }

    #[test]
    fn ids_may_be_numbers_or_numeric_strings() {
        let settings = Settings::parse(
            r#"{"last_days":30,"statuses":[1,"21"],"service_categories":["7"],
                "stages":{"21":"packing"},"users":{"6":"olena"},"author":""}"#,
            &kyiv(),
        )
        .expect("good settings");
        assert_eq!(settings.span, Span::LastDays(30));
        assert_eq!(settings.statuses, [1, 21].into());
        assert_eq!(settings.service_categories, [7].into());
        assert_eq!(
            settings.booking.stages.get(&21).map(String::as_str),
            Some("packing")
        );
        assert_eq!(
            settings.booking.users.get(&6).map(String::as_str),
            Some("olena")
        );
        assert_eq!(settings.booking.author, None);
    }

    #[test]
    fn days_of_a_period_count_whole_by_the_clock_of_the_tenant() {
        let json = r#"{"period":{"from":"2026-03-01","to":"2026-03-31"}}"#;
        let settings = Settings::parse(json, &kyiv()).expect("good settings");
        let Span::Period { from, to } = settings.span else {
            panic!("a period was set");
        };
        assert_eq!(utc_text(from), "2026-02-28 22:00:00");
        assert_eq!(utc_text(to), "2026-03-31 20:59:59");
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_path() {
        for (json, code, setting, words) in [
            ("{}", "settings.span", "last_days", ""),
            (
                r#"{"last_days":7,"period":{"from":"2026-03-01","to":"2026-03-02"}}"#,
                "settings.span",
                "last_days",
                "",
            ),
            (r#"{"last_days":0}"#, "settings.days", "last_days", ""),
            (
                r#"{"period":{"from":"soon","to":"2026-03-02"}}"#,
                "sdk.setting",
                "period.from",
                "`soon`",
            ),
            (
                r#"{"period":{"from":"2026-03-03","to":"2026-03-02"}}"#,
                "settings.period",
                "period.to",
                "",
            ),
            (
                r#"{"last_days":7,"stages":{"new":"x"}}"#,
                "sdk.setting",
                "stages",
                "",
            ),
            (
                r#"{"last_days":7,"statuses":["new"]}"#,
                "sdk.setting",
                "statuses[0]",
                "`new`",
            ),
            (
                r#"{"last_days":7,"colour":"red"}"#,
                "sdk.setting",
                "colour",
                "unknown field",
            ),
        ] {
            let (told, path, detail) = reason(json);
            assert_eq!((told.as_str(), path.as_str()), (code, setting), "{json}");
            assert!(detail.starts_with(words), "{json}: {detail}");
        }
    }
}
