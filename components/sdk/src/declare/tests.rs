use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::lenient::{Aside, Id, List, Number, Text};
use crate::model::{Account, AuthScheme, Cause, Choice, Fault, Mend, Outcome, Request, Webhook};
use crate::{Call, Connector, Settings, reason, record, settings};

#[derive(Debug, PartialEq, Settings)]
#[setting(one_of(period, last_days))]
struct Chosen {
    #[setting(title(en: "Address", uk: "Адреса", ru: "Адрес"), address, default = "https://api.test/v1")]
    base_url: String,
    #[setting(title(en: "Period", uk: "Період", ru: "Период"))]
    period: Option<Period>,
    #[setting(
        title(en: "Days", uk: "Дні", ru: "Дни"),
        hint(en: "So many", uk: "Стільки", ru: "Столько"),
        min = 1, max = 3650,
    )]
    last_days: Option<u32>,
    #[setting(title(en: "Statuses", uk: "Статуси", ru: "Статусы"), options = statuses)]
    statuses: BTreeSet<Id>,
    #[setting(title(en: "Author", uk: "Автор", ru: "Автор"), directory = Users)]
    author: Option<String>,
    #[setting(title(en: "Stages", uk: "Стадії", ru: "Стадии"), options = statuses, directory = OrderStages)]
    stages: BTreeMap<i64, String>,
    #[setting(title(en: "Lists", uk: "Списки", ru: "Списки"))]
    lists: Vec<PriceList>,
    #[setting(title(en: "Refused", uk: "Відмова", ru: "Отказ"))]
    refused: Refused,
    #[setting(
        title(en: "State", uk: "Стан", ru: "Состояние"),
        needed_when(refused = "new_state"),
        options = "order-states",
    )]
    state: Option<String>,
    #[setting(title(en: "Active", uk: "Активна", ru: "Активна"))]
    active: bool,
}

#[derive(Debug, PartialEq, Settings)]
struct Period {
    #[setting(title(en: "From", uk: "Від", ru: "С"))]
    from: String,
    #[setting(title(en: "To", uk: "До", ru: "По"))]
    to: String,
}

#[derive(Debug, PartialEq, Settings)]
struct PriceList {
    #[setting(title(en: "Warehouse", uk: "Склад", ru: "Склад"), directory = Warehouses)]
    warehouse: String,
    #[setting(title(en: "Minutes", uk: "Хвилини", ru: "Минуты"), min = 5, default = 15)]
    minutes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Settings)]
enum Refused {
    #[setting(default, title(en: "Keep", uk: "Лишити", ru: "Оставить"))]
    Keep,
    #[setting(title(en: "New state", uk: "Новий стан", ru: "Новое состояние"))]
    NewState,
}

fn read(json: Value) -> Result<Chosen, Fault> {
    settings::parse(&json.to_string())
}

#[test]
fn what_is_not_said_is_as_the_form_shows_it() {
    let chosen = read(json!({ "author": "", "last_days": null })).expect("nothing is needed");
    assert_eq!(chosen.base_url, "https://api.test/v1");
    assert_eq!(
        (chosen.author, chosen.last_days, chosen.active),
        (None, None, false)
    );
    assert_eq!(chosen.refused, Refused::Keep);
    let chosen = read(json!({ "last_days": 7, "statuses": [1, "21"] })).expect("ids in two ways");
    let ids: Vec<_> = chosen.statuses.iter().filter_map(|id| id.get()).collect();
    assert_eq!((ids, chosen.last_days), (vec![1, 21], Some(7)));
    let schema: Value = serde_json::from_str(&Chosen::json_schema()).expect("JSON");
    let properties = schema["properties"].as_object().expect("properties");
    let defaults = properties.iter();
    let defaults: serde_json::Map<String, Value> = defaults
        .filter_map(|(name, one)| Some((name.clone(), one.get("default")?.clone())))
        .collect();
    let shown = read(Value::Object(defaults)).expect("the defaults are good settings");
    assert_eq!(shown, read(json!({})).expect("nothing is needed"));
}

#[test]
fn a_schema_says_all_that_the_fields_say() {
    let schema: Value = serde_json::from_str(&Chosen::json_schema()).expect("JSON");
    let of = |name: &str| schema["properties"][name].clone();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["oneOf"],
        json!([{ "required": ["period"] }, { "required": ["last_days"] }])
    );
    assert_eq!(
        schema["allOf"],
        json!([{
            "if": { "required": ["refused"], "properties": { "refused": { "const": "new_state" } } },
            "then": { "required": ["state"] },
        }])
    );
    assert_eq!(
        of("last_days"),
        json!({
            "type": "integer", "minimum": 1, "maximum": 3650,
            "x-titles": { "en": "Days", "uk": "Дні", "ru": "Дни" },
            "x-descriptions": { "en": "So many", "uk": "Стільки", "ru": "Столько" },
        })
    );
    assert_eq!(of("statuses")["items"]["x-options"], "statuses");
    assert_eq!(of("state")["x-options"], "order-states");
    assert_eq!(of("author")["x-directory"], "users");
    assert_eq!(
        of("stages")["propertyNames"],
        json!({ "pattern": "^[0-9]+$", "x-options": "statuses" })
    );
    assert_eq!(
        of("stages")["additionalProperties"],
        json!({ "type": "string", "x-directory": "order-stages" })
    );
    let row = of("lists")["items"].clone();
    assert_eq!(row["required"], json!(["warehouse"]));
    assert_eq!(row["properties"]["minutes"]["default"], 15);
    assert_eq!(of("refused")["enum"], json!(["keep", "new_state"]));
    assert_eq!(
        of("refused")["x-enum-titles"]["new_state"]["uk"],
        "Новий стан"
    );
    assert!(of("base_url")["pattern"].is_string());
}

#[test]
fn a_setting_that_does_not_fit_is_named_with_what_was_expected() {
    for (json, setting, expected) in [
        (json!({ "last_days": "many" }), "last_days", "expected u32"),
        (
            json!({ "stages": { "21": 7 } }),
            "stages.21",
            "expected a string",
        ),
        (
            json!({ "lists": [{ "warehouse": "w", "minutes": [] }] }),
            "lists[0].minutes",
            "expected u32",
        ),
        (
            json!({ "refused": "burn" }),
            "refused",
            "expected `keep` or `new_state`",
        ),
        (
            json!({ "period": { "from": "a" } }),
            "period",
            "missing field `to`",
        ),
        (
            json!({ "colour": "red" }),
            "colour",
            "unknown field `colour`",
        ),
    ] {
        let Err(Fault::Configuration(reason)) = read(json.clone()) else {
            panic!("{json} was taken");
        };
        assert_eq!(
            reason.mend,
            Some(Mend::Setting(setting.to_owned())),
            "{json}"
        );
        let detail = reason.detail.unwrap_or_default();
        assert!(detail.contains(expected), "{json}: {detail}");
    }
}

#[record]
struct Row<'a> {
    id: Id,
    name: Text<'a>,
    price: Number,
    tags: List<Text<'a>>,
    touched: Aside<Text<'a>>,
}

#[test]
fn a_record_takes_what_servers_send() {
    let row: Row<'_> =
        serde_json::from_str(r#"{"id":"7","name":null,"price":"0.10","more":1}"#).expect("a row");
    assert_eq!((row.id.get(), row.name.get()), (Some(7), None));
    assert!(row.tags.is_empty());
    assert_eq!(row.price.or_zero().to_string(), "0.10");
    let touched: Row<'_> =
        serde_json::from_str(r#"{"id":7,"price":0.10,"touched":"now"}"#).expect("a row");
    let print = |row| crate::import::fingerprint(1, row);
    assert_eq!(print(&row), print(&touched));
}

crate::connector! {
    /// A shop.
    struct Declared = "declared", title(en: "Declared", uk: "Заявлений", ru: "Заявленный");
    settings Chosen;
    state 3;
    migrate 1 => step;
    migrate 2 => step;
    credential api_key = header("X-Key"), title(en: "Key", uk: "Ключ", ru: "Ключ");
    credential hooks = webhook, title(en: "Secret", uk: "Секрет", ru: "Секрет");
    endpoint shop = "{settings.base_url}", credentials(api_key), budget(60 per 60 s),
        budget(11 per 3100 ms of api_key by last_days), parallel(2), cost("/report" = 5), reads(POST "/search"),
        errors("error");
    check => check;
    choice statuses => statuses;
    choice "order-states" => statuses;
    job orders = every("*/10 * * * *"), changed(Order),
        title(en: "Orders", uk: "Замовлення", ru: "Заказы") => orders;
    action orders = on(Order), title(en: "Load", uk: "Отримати", ru: "Получить");
    webhooks signed(hooks, "X-Signature", hmac_sha256_hex);
    hook orders => job orders;
}

fn step() -> Result<(), Fault> {
    Ok(())
}

fn check() -> Result<Account, Fault> {
    Err(Fault::Configuration(reason!("sdk.settings")))
}

fn statuses() -> Result<Vec<Choice>, Fault> {
    Ok(Vec::new())
}

fn orders(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    assert_eq!(call.argument, Some("7"));
    Ok(Outcome::Done)
}

#[test]
fn a_declared_connector_describes_itself() {
    let manifest = Declared::describe();
    assert_eq!(
        (manifest.name.as_str(), manifest.state_version),
        ("declared", 3)
    );
    assert_eq!(manifest.options, ["statuses", "order-states"]);
    let endpoint = &manifest.endpoints[0];
    assert_eq!(endpoint.credentials, ["api_key"]);
    let budgets: Vec<_> = endpoint.budgets.iter().collect();
    assert_eq!((budgets[0].units, budgets[0].window_ms), (60, 60_000));
    assert_eq!(budgets[1].credential.as_deref(), Some("api_key"));
    assert_eq!(budgets[1].setting.as_deref(), Some("last_days"));
    assert_eq!(endpoint.costs, [("/report".to_owned(), 5)]);
    assert_eq!(endpoint.reads[0].path, "/search");
    assert_eq!(manifest.jobs[0].schedule.as_deref(), Some("*/10 * * * *"));
    let scheme = &manifest.credentials[0].scheme;
    assert_eq!(*scheme, AuthScheme::Header("X-Key".to_owned()));
    assert_eq!(manifest.actions[0].id, "orders");
    assert!(
        manifest
            .webhooks
            .is_some_and(|hooks| hooks.signature.is_some())
    );
}

#[test]
fn a_declared_connector_hands_on_what_it_is_asked() {
    let webhook = |topic: &str| Webhook {
        topic: topic.to_owned(),
        headers: Vec::new(),
        query: String::new(),
        body: Vec::new(),
    };
    let asked = Request {
        job: "orders".to_owned(),
        argument: None,
    };
    assert_eq!(Declared::receive(&webhook("orders")), Ok(vec![asked]));
    assert!(matches!(
        Declared::receive(&webhook("goods")),
        Err(Fault::Rejected(_))
    ));
    assert!(matches!(
        Declared::run("goods", None, &Cause::Asked),
        Err(Fault::Unsupported(_))
    ));
    assert!(Declared::choices("statuses").is_ok());
    assert!(matches!(
        Declared::choices("none"),
        Err(Fault::Unsupported(_))
    ));
    assert_eq!(Declared::migrate(1), Ok(()));
    assert_eq!(Declared::migrate(3), Ok(()));
    assert!(matches!(Declared::migrate(4), Err(Fault::Configuration(_))));
}
