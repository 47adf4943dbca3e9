//! How the connector presents itself: what admins set, what the host grants, what people choose.

use serde::Deserialize;
use tenon_sdk::http::Error;
use tenon_sdk::model::{
    Account, Action, AuthScheme, Budget, Choice, ConnectorManifest, Credential, Endpoint, Fault,
    Job, Read, RecordKind, Subscription, Text, TokenExchange, Webhooks,
};
use tenon_sdk::{reasons, text, unknown_option};

use crate::api::meta::Kind;
use crate::api::records::{Folder, Named, Owned};
use crate::api::{LOGIN, MoySklad, TOKEN, TOKEN_PATH};
use crate::jobs;
use crate::map::tree;
use crate::settings;

/// Units of a request that reads an extended report on stock (Remap 1.2, "Restrictions").
const REPORT_COST: u32 = 5;

/// Credentials, limits, jobs and the one button.
pub fn manifest() -> ConnectorManifest {
    ConnectorManifest {
        name: "moysklad".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: text!(en: "MoySklad", uk: "МойСклад", ru: "МойСклад"),
        settings_schema: include_str!("settings.schema.json").to_owned(),
        options: [
            "organizations",
            "stores",
            "services",
            "employees",
            "price-types",
            "states",
            "supplier-states",
            "product-folders",
        ]
        .map(str::to_owned)
        .to_vec(),
        credentials: vec![
            Credential {
                name: TOKEN.to_owned(),
                title: text!(en: "Access token", uk: "Токен доступу", ru: "Токен доступа"),
                scheme: AuthScheme::Bearer,
            },
            Credential {
                name: LOGIN.to_owned(),
                title: text!(
                    en: "Login and password, as `login:password`",
                    uk: "Логін і пароль, як `login:password`",
                    ru: "Логин и пароль, как `login:password`",
                ),
                scheme: AuthScheme::Token(TokenExchange {
                    path: TOKEN_PATH.to_owned(),
                    member: "access_token".to_owned(),
                }),
            },
        ],
        endpoints: vec![Endpoint {
            origin: "{settings.base_url}".to_owned(),
            credentials: vec![TOKEN.to_owned(), LOGIN.to_owned()],
            // 45 units in 3 seconds, of which a login or a user's token pays 4 for a request
            // from December 2026 on; one request is left for the exchange of a login. An
            // application may do more; its answers do not say so.
            budgets: vec![budget(10, 3_100)],
            // Of the 5 at once, one is left to people.
            parallel: 4,
            costs: vec![
                ("/api/remap/1.2/report/stock/all".to_owned(), REPORT_COST),
                (
                    "/api/remap/1.2/report/stock/bystore".to_owned(),
                    REPORT_COST,
                ),
                ("/api/remap/1.2/report/stock/all/current".to_owned(), 1),
                ("/api/remap/1.2/report/stock/bystore/current".to_owned(), 1),
            ],
            reads: vec![Read {
                method: "POST".to_owned(),
                path: "/api/remap/1.2/report/counterparty".to_owned(),
            }],
            // Pictures lie on several hosts, one of them at port 8080.
            redirects: true,
        }],
        webhooks: Some(Webhooks { signature: None }),
        jobs: manifest_jobs(),
        actions: vec![
            Action {
                id: jobs::STOCK.to_owned(),
                title: text!(
                    en: "Synchronise with MoySklad now",
                    uk: "Синхронізувати з МойСклад зараз",
                    ru: "Синхронизировать с МойСклад сейчас",
                ),
                record_kind: RecordKind::Warehouse,
            },
            Action {
                id: jobs::AGAIN.to_owned(),
                title: again(),
                record_kind: RecordKind::Order,
            },
        ],
        state_version: 1,
        reasons: reasons!(),
    }
}

fn again() -> Text {
    text!(
        en: "Make it in MoySklad again",
        uk: "Створити в МойСклад знову",
        ru: "Создать в МойСклад снова",
    )
}

fn budget(units: u32, window_ms: u64) -> Budget {
    Budget {
        units,
        setting: None,
        window_ms,
        credential: None,
    }
}

fn manifest_jobs() -> Vec<Job> {
    let job = |id: &str, schedule: Option<&str>, title| Job {
        id: id.to_owned(),
        title,
        schedule: schedule.map(str::to_owned),
        listens_to: Vec::new(),
    };
    vec![
        job(
            jobs::CATEGORIES,
            Some("5 0 * * *"),
            text!(en: "Categories", uk: "Категорії", ru: "Категории"),
        ),
        job(
            jobs::PRODUCTS,
            Some("10 0 * * *"),
            text!(
                en: "All products",
                uk: "Повна синхронізація номенклатури",
                ru: "Полная синхронизация номенклатуры",
            ),
        ),
        job(
            jobs::CHANGES,
            Some("*/15 1-23 * * *"),
            text!(en: "Changed products", uk: "Зміни номенклатури", ru: "Изменения номенклатуры"),
        ),
        job(
            jobs::IMAGES,
            Some("*/30 1-23 * * *"),
            text!(en: "Photos", uk: "Фотографії", ru: "Фотографии"),
        ),
        job(
            jobs::STOCK,
            Some("*/5 * * * *"),
            text!(en: "Stock in price lists", uk: "Залишки прайс-листів", ru: "Остатки прайс-листов"),
        ),
        job(
            jobs::PARTNERS,
            None,
            text!(en: "Customers and suppliers", uk: "Контрагенти", ru: "Контрагенты"),
        ),
        Job {
            listens_to: vec![Subscription::Changed(RecordKind::Order)],
            ..job(
                jobs::ORDERS,
                Some("*/5 * * * *"),
                text!(en: "Orders", uk: "Замовлення", ru: "Заказы"),
            )
        },
        job(jobs::AGAIN, None, again()),
        Job {
            listens_to: vec![Subscription::Visited(RecordKind::Partner)],
            ..job(
                jobs::BALANCE,
                None,
                text!(en: "Balances of customers", uk: "Баланс клієнтів", ru: "Баланс клиентов"),
            )
        },
        job(
            jobs::MATCH,
            None,
            text!(
                en: "Report what would be matched",
                uk: "Показати, що буде зіставлено",
                ru: "Показать, что будет сопоставлено",
            ),
        ),
    ]
}

/// The API, by no more than its address, so that the settings form can offer choices before all of
/// it is filled in.
fn api() -> Result<MoySklad, Fault> {
    #[derive(Deserialize)]
    struct Address {
        base_url: Option<String>,
    }

    let address: Address = tenon_sdk::settings::load()?;
    let base_url = address.base_url.as_deref();
    Ok(MoySklad::new(base_url.unwrap_or(settings::BASE_URL)))
}

/// Tries the credentials, and says whose they are.
///
/// # Errors
/// `configuration` when MoySklad does not accept them.
pub fn check() -> Result<Account, Fault> {
    let api = api()?;
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

/// The dictionaries of the account, for the settings form.
///
/// # Errors
/// `unsupported` for an option that the schema does not name; else what MoySklad's answer came to.
pub fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
    let api = api()?;
    let named = |path: &str| -> Result<Vec<Named>, Fault> { api.all(path, "") };
    let entries = match option {
        "organizations" => named(Kind::Organization.path())?,
        "stores" => named(Kind::Store.path())?,
        "services" => named(Kind::Service.path())?,
        "employees" => named(Kind::Employee.path())?,
        "price-types" => api.get(Kind::PriceType.path(), &[])?.json()?,
        "states" => states(&api, Kind::CustomerOrder)?,
        "supplier-states" => states(&api, Kind::PurchaseOrder)?,
        "product-folders" => {
            let folders: Vec<Folder> = api.all(Kind::ProductFolder.path(), "")?;
            let paths = tree::paths(&folders).into_iter();
            return Ok(paths
                .map(|(id, label)| Choice {
                    value: id.to_string(),
                    label,
                })
                .collect());
        }
        other => return Err(unknown_option(other)),
    };
    Ok(entries
        .into_iter()
        .map(|entry| Choice {
            value: entry.id.to_string(),
            label: entry.name,
        })
        .collect())
}

fn states(api: &MoySklad, documents: Kind) -> Result<Vec<Named>, Fault> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        states: Vec<Named>,
    }

    let answer = api.get(&format!("{}/metadata", documents.path()), &[])?;
    Ok(answer.json::<Metadata>()?.states)
}

#[cfg(test)]
mod tests {
    use super::manifest;
    use crate::settings::{BASE_URL, CUSTOMER_TAG, MINUTES, SUPPLIER_TAG, Settings};

    fn schema() -> serde_json::Value {
        serde_json::from_str(&manifest().settings_schema).expect("the schema is JSON")
    }

    #[test]
    fn the_schema_agrees_with_the_defaults() {
        let schema = schema();
        let default = |name: &str| schema["properties"][name]["default"].clone();
        assert_eq!(default("base_url"), BASE_URL);
        assert_eq!(default("customer_tag"), CUSTOMER_TAG);
        assert_eq!(default("supplier_tag"), SUPPLIER_TAG);
        let lists = &schema["properties"]["price_lists"]["items"]["properties"];
        assert_eq!(lists["minutes"]["default"], MINUTES);
        let defaults = schema["properties"].as_object().expect("properties").iter();
        let defaults: serde_json::Map<_, _> = defaults
            .filter_map(|(name, one)| Some((name.clone(), one.get("default")?.clone())))
            .collect();
        let json = serde_json::Value::Object(defaults).to_string();
        Settings::parse(&json).expect("the defaults are good settings");
    }

    #[test]
    fn all_cards_and_categories_are_synchronised_once_a_day_soon_after_midnight() {
        let manifest = manifest();
        let at = |id: &str| {
            let mut jobs = manifest.jobs.iter();
            let job = jobs.find(|job| job.id == id).expect("a job");
            job.schedule.clone().expect("a schedule")
        };
        let minute = |id: &str| -> u32 {
            let schedule = at(id);
            let minute = schedule
                .strip_suffix(" 0 * * *")
                .expect("in the first hour");
            minute.parse().expect("at one minute")
        };
        // Categories come first: cards lie in them.
        assert!(minute(crate::jobs::CATEGORIES) < minute(crate::jobs::PRODUCTS));
        assert_eq!(
            at(crate::jobs::STOCK),
            "*/5 * * * *",
            "as often as any price list may be"
        );
    }

    #[test]
    fn every_reason_has_its_text_in_each_language() {
        assert_eq!(
            tenon_sdk::texts::problems(env!("CARGO_MANIFEST_DIR")),
            [""; 0]
        );
    }

    #[test]
    fn every_setting_has_a_title_in_each_language() {
        for (name, property) in schema()["properties"].as_object().expect("properties") {
            for language in ["en", "uk", "ru"] {
                assert!(
                    property["x-titles"][language].is_string(),
                    "{name} {language}"
                );
            }
        }
    }

    #[test]
    fn the_short_report_on_stock_costs_no_more_than_other_requests() {
        let manifest = manifest();
        let cost = |path: &str| {
            let costs = manifest.endpoints[0].costs.iter();
            let fit = costs.filter(|(prefix, _)| path.starts_with(prefix.as_str()));
            fit.max_by_key(|(prefix, _)| prefix.len())
                .map_or(1, |(_, cost)| *cost)
        };
        assert_eq!(cost("/api/remap/1.2/report/stock/bystore/current"), 1);
        assert_eq!(cost("/api/remap/1.2/report/stock/bystore"), 5);
        assert_eq!(cost("/api/remap/1.2/entity/product"), 1);
    }
}
