//! What an admin has chosen, checked and with the defaults filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tenon_sdk::lenient::Id;
use tenon_sdk::model::{Fault, Instant, Key};
use tenon_sdk::time::{self, DAY};

use crate::api::Crm;

const BASE_URL: &str = "https://openapi.keycrm.app/v1";
const CURRENCY: &str = "UAH";

/// All settings of a connection.
#[derive(Debug, Hash, Deserialize)]
#[serde(try_from = "Written")]
pub struct Settings {
    /// Where the API is.
    pub base_url: String,
    /// Which orders, by time.
    pub span: Span,
    /// Statuses to load; empty for all.
    pub statuses: BTreeSet<i64>,
    /// Categories whose products are services.
    pub service_categories: BTreeSet<i64>,
    /// How an order is written into the ERP.
    pub booking: Booking,
}

/// Which orders are loaded, by time.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Span {
    /// All placed in a fixed period, in every run.
    Period {
        /// First moment.
        from: Instant,
        /// Last moment.
        to: Instant,
    },
    /// All of so many days at first, then what changes.
    LastDays(u32),
}

impl Span {
    /// Whether an order that was placed then is meant. One that does not tell may be.
    pub fn holds(self, placed: Option<Instant>) -> bool {
        match self {
            Span::Period { from, to } => placed.is_none_or(|at| (from..=to).contains(&at)),
            Span::LastDays(_) => true,
        }
    }
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
    #[serde(default)]
    stages: BTreeMap<i64, Key>,
    #[serde(default)]
    users: BTreeMap<i64, Key>,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: Moment,
    to: Moment,
}

/// A moment, or a whole day.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Moment {
    at: Instant,
    whole_day: bool,
}

impl TryFrom<String> for Moment {
    type Error = time::NotATime;

    fn try_from(text: String) -> Result<Self, time::NotATime> {
        Ok(Moment {
            at: time::parse(&text)?,
            whole_day: time::is_date(&text),
        })
    }
}

impl TryFrom<Written> for Settings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let span = match (written.period, written.last_days) {
            (Some(Period { from, to }), None) => {
                let end = if to.whole_day { to.at + DAY - 1 } else { to.at };
                if end < from.at {
                    return Err("period: it ends before it begins".to_owned());
                }
                Span::Period {
                    from: from.at,
                    to: end,
                }
            }
            (None, Some(days @ 1..)) => Span::LastDays(days),
            (None, Some(0)) => return Err("last_days: at least 1".to_owned()),
            _ => return Err("exactly one of period and last_days must be set".to_owned()),
        };
        // A form may send a field that was left open as an empty text.
        let chosen = |key: Option<Key>| key.filter(|key| !key.is_empty());
        let ids = |ids: Vec<Id>| ids.into_iter().filter_map(Id::get).collect();
        Ok(Settings {
            base_url: written.base_url.trim_end_matches('/').to_owned(),
            span,
            statuses: ids(written.statuses),
            service_categories: ids(written.service_categories),
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
    use super::{Settings, Span};
    use tenon_sdk::model::Fault;
    use tenon_sdk::settings::parse;
    use tenon_sdk::time;

    fn reason(json: &str) -> String {
        match parse::<Settings>(json) {
            Err(Fault::Configuration(reason)) => reason.text(),
            other => panic!("{json} was answered with {other:?}"),
        }
    }

    #[test]
    fn ids_may_be_numbers_or_numeric_strings() {
        let settings = parse::<Settings>(
            r#"{"last_days":30,"statuses":[1,"21"],"service_categories":["7"],
                "stages":{"21":"packing"},"users":{"6":"olena"},"author":""}"#,
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
    fn the_last_day_of_a_period_counts_whole() {
        let settings = parse::<Settings>(r#"{"period":{"from":"2026-03-01","to":"2026-03-31"}}"#)
            .expect("good settings");
        let Span::Period { from, to } = settings.span else {
            panic!("a period was set");
        };
        assert_eq!(time::utc_text(from), "2026-03-01 00:00:00");
        assert_eq!(time::utc_text(to), "2026-03-31 23:59:59");
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_path() {
        for (json, beginning) in [
            ("{}", "settings: exactly one of"),
            (
                r#"{"last_days":7,"period":{"from":"2026-03-01","to":"2026-03-02"}}"#,
                "settings: exactly one of",
            ),
            (r#"{"last_days":0}"#, "settings: last_days: at least 1"),
            (
                r#"{"period":{"from":"soon","to":"2026-03-02"}}"#,
                "settings.period.from: `soon`",
            ),
            (
                r#"{"period":{"from":"2026-03-03","to":"2026-03-02"}}"#,
                "settings: period: it ends",
            ),
            (
                r#"{"last_days":7,"stages":{"new":"x"}}"#,
                "settings.stages.",
            ),
            (
                r#"{"last_days":7,"statuses":["new"]}"#,
                "settings.statuses[0]: `new`",
            ),
            (
                r#"{"last_days":7,"colour":"red"}"#,
                "settings.colour: unknown field",
            ),
        ] {
            let reason = reason(json);
            assert!(reason.starts_with(beginning), "{json}: {reason}");
        }
    }
}
