//! Records of two accounts of KeyCRM never meet, and those of one account are never doubled: through
//! the real component, over real HTTP, in a real ERP file.

use serde_json::{Value, json};
use tenon_host::Mend;
use tenon_host::report::Outcome;
use tenon_scenarios::server::Server;
use tenon_scenarios::{Shop, component};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::keycrm::{self, Account, Config, NewBuyer, NewLine, NewOrder, Simulator};
use tenon_simulators::moysklad;

const KEY: &str = "key-of-the-first-account";
const OTHER_KEY: &str = "key-of-the-other-account";

fn config() -> Config {
    Config {
        api_key: KEY.to_owned(),
        requests_per_minute: None,
        ..Config::default()
    }
}

/// The account of this number, with one order of one thing at this price. Its ids are those of any
/// other account.
fn account(number: u64, price: &str) -> (Account, i64) {
    let mut account = Account::numbered(number);
    account.add_source(&format!("Сайт {number}"), "opencart");
    account.add_user("Олена", "Гнатюк");
    let buyer =
        NewBuyer::named(&format!("Покупець {number}")).phone(&format!("+38050111000{number}"));
    let buyer = account.add_buyer(buyer);
    let line = NewLine::named(&format!("Чашка {number}"))
        .sku(&format!("CUP-{number}"))
        .price(price);
    let order = NewOrder::new().buyer(buyer).line(line);
    let id = account.add_order(order.ordered_at("2026-03-01T10:00:00Z"));
    (account, id)
}

fn crm(number: u64, price: &str) -> (Simulator, i64) {
    let (account, order) = account(number, price);
    (
        keycrm::start_with(config(), account).expect("a simulator"),
        order,
    )
}

/// Puts another account where the CRM was, under a key of its own. There is one address for all.
fn replace(sim: &Simulator, number: u64, price: &str, key: &str) {
    let (mut other, _) = account(number, price);
    key.clone_into(&mut other.api_key);
    sim.account(|account| *account = other);
}

fn year() -> Value {
    json!({ "period": { "from": "2026-01-01", "to": "2026-12-31" } })
}

/// Number and price of the only line of each order.
fn orders(shop: &Shop) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let orders = shop.records("orders").into_iter();
    orders
        .map(|order| (text(&order["number"]), text(&order["lines"][0]["price"])))
        .collect()
}

#[test]
fn orders_of_two_accounts_with_one_id_are_two_orders() {
    let ((first, id), (second, same_id)) = (crm(1, "120.50"), crm(2, "7"));
    assert_eq!(id, same_id);
    let number = id.to_string();
    let mut shop = Shop::new("keycrm", first.url(), KEY);
    assert_eq!((1, 0, 0, 0), shop.run("orders", year()).counts());
    shop.switch_to("second", second.url(), KEY);
    let run = shop.run("orders", year());
    assert_eq!((1, 0, 0, 0), run.counts(), "{run:#?}");
    let both = [
        (number.clone(), "120.50".to_owned()),
        (number, "7".to_owned()),
    ];
    assert_eq!(both, *orders(&shop));

    // What changes in one account changes nothing of the other.
    second
        .account(|account| account.change_order(id).manager_comment = Some("терміново".to_owned()));
    assert_eq!((0, 1, 0, 0), shop.run("orders", year()).counts());
    shop.switch_to("test", first.url(), KEY);
    assert_eq!((0, 0, 1, 0), shop.run("orders", year()).counts());
    assert_eq!(both, *orders(&shop));
    for kind in ["partners", "products"] {
        assert_eq!(2, shop.records(kind).len(), "{kind}");
    }
}

#[test]
fn a_key_of_another_account_ends_the_run_with_a_question_and_overwrites_nothing() {
    let (sim, id) = crm(1, "120.50");
    let mut shop = Shop::new("keycrm", sim.url(), KEY);
    assert_eq!((1, 0, 0, 0), shop.run("orders", year()).counts());
    let kinds = [
        "orders",
        "partners",
        "products",
        "bindings",
        "order-stages",
        "order-sources",
    ];
    let all = |shop: &Shop| kinds.map(|kind| shop.records(kind));
    let before = all(&shop);

    replace(&sim, 2, "7", OTHER_KEY);
    shop.sign(OTHER_KEY);
    let run = shop.run("orders", year());
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:#?}");
    let why = run.report.why.as_ref().expect("a reason");
    assert_eq!("host.other-account", why.code);
    assert_eq!(
        Some(&Mend::Credential("api_key".to_owned())),
        why.mend.as_ref()
    );
    let error = run.report.error.as_deref().expect("a text");
    assert!(
        error.contains("Сайт 1") && error.contains("Сайт 2"),
        "{error}"
    );
    assert_eq!(1, run.report.questions.len());
    assert_eq!(before, all(&shop));

    // The answer takes the other account over, beside the first.
    shop.confirm(&run.report.questions);
    let run = shop.run("orders", year());
    assert_eq!((1, 0, 0, 0), run.counts(), "{run:#?}");
    let number = id.to_string();
    let both = [
        (number.clone(), "120.50".to_owned()),
        (number, "7".to_owned()),
    ];
    assert_eq!(both, *orders(&shop));
    assert_eq!((0, 0, 1, 0), shop.run("orders", year()).counts());

    // Back at the first account, nothing of it is taken for new.
    replace(&sim, 1, "120.50", KEY);
    shop.sign(KEY);
    let run = shop.run("orders", year());
    shop.confirm(&run.report.questions);
    let run = shop.run("orders", year());
    assert_eq!((0, 0, 1, 0), run.counts(), "{run:#?}");
    assert_eq!(both, *orders(&shop));
}

#[test]
fn two_connections_of_one_account_keep_one_record_each() {
    let (sim, _) = crm(1, "120.50");
    let mut shop = Shop::new("keycrm", sim.url(), KEY);
    assert_eq!((1, 0, 0, 0), shop.run("orders", year()).counts());
    let once = |shop: &Shop| {
        for kind in ["orders", "partners", "products"] {
            assert_eq!(1, shop.records(kind).len(), "{kind}");
        }
        assert_eq!(1, shop.records("order-sources").len());
    };
    shop.switch_to("second", sim.url(), KEY);
    let run = shop.run("orders", year());
    let (created, .., failed) = run.counts();
    assert_eq!((0, 0), (created, failed), "{run:#?}");
    once(&shop);
    // Each has its own pairs of the same records.
    let mut pairs = shop.records("bindings");
    pairs.retain(|pair| pair["kind"] == "order");
    assert_eq!(2, pairs.len());
    assert_eq!(pairs[0]["origin"], pairs[1]["origin"]);
    assert_eq!(pairs[0]["key"], pairs[1]["key"]);

    // So does one that is removed and made anew.
    shop.remove_connection();
    let run = shop.run("orders", year());
    assert_eq!(0, run.report.created, "{run:#?}");
    once(&shop);
}

#[test]
fn a_new_key_of_the_same_account_goes_on_without_a_question() {
    let (sim, _) = crm(1, "120.50");
    let mut shop = Shop::new("keycrm", sim.url(), KEY);
    shop.run("orders", year());
    // A source was removed, the first user was renamed, and users are not shown any more.
    sim.account(|account| {
        "renewed".clone_into(&mut account.api_key);
        account.sources.remove(&1);
    });
    sim.faults()
        .add(Rule::new(Fault::Status(403)).on("GET /users"));
    shop.sign("renewed");
    let run = shop.run("orders", year());
    assert_eq!((0, 0, 1, 0), run.counts(), "{run:#?}");
    assert_eq!(Outcome::Done, run.report.outcome);
}

#[test]
fn an_account_is_asked_for_when_its_credential_changed_and_never_else() {
    let (sim, _) = crm(1, "120.50");
    let mut shop = Shop::new("keycrm", sim.url(), KEY);
    let users = |sim: &Simulator| sim.requests_to("GET /users");
    let run = shop.run("orders", year());
    assert_eq!(1, users(&sim));
    assert_eq!(sim.total_requests(), run.report.requests);
    for _ in 0..3 {
        shop.run("orders", year());
    }
    assert_eq!(1, users(&sim));
    sim.account(|account| "renewed".clone_into(&mut account.api_key));
    shop.sign("renewed");
    shop.run("orders", year());
    shop.run("orders", year());
    assert_eq!(2, users(&sim));
}

#[test]
fn an_address_where_nothing_tells_whose_the_account_is_is_none() {
    let (sim, _) = crm(1, "120.50");
    let mut shop = Shop::new("keycrm", sim.url().trim_end_matches("/v1"), KEY);
    let run = shop.run("orders", year());
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:#?}");
    let why = run.report.why.as_ref().expect("a reason");
    assert_eq!(
        (
            "account.unknown",
            Some(&Mend::Setting("base_url".to_owned()))
        ),
        (why.code.as_str(), why.mend.as_ref())
    );
    // Nobody was taken for its account: at the right address, two connections have one.
    shop.switch_to("test", sim.url(), KEY);
    assert_eq!((1, 0, 0, 0), shop.run("orders", year()).counts());
    shop.switch_to("second", sim.url(), KEY);
    assert_eq!((0, 0, 1, 0), shop.run("orders", year()).counts());
    assert_eq!(1, shop.records("orders").len());
}

/// A webhook of a new account reaches the connection, and one of the account before does not.
#[tokio::test]
async fn a_yes_to_another_account_sets_up_its_webhooks() {
    let config = moysklad::Config::default;
    let sim = moysklad::start_with(config(), moysklad::Account::numbered(1)).expect("a simulator");
    let server = Server::start(&[]);
    let digest = server.install(component("moysklad")).await;
    server.tenant("shop").await;
    let connection = json!({
        "id": "goods", "connector": "moysklad", "digest": digest,
        "settings": { "base_url": sim.url(), "active": true },
        "grants": [sim.url().trim_end_matches("/api/remap/1.2")], "no_budget": true,
    });
    server.post("/tenants/shop/connections", connection).await;
    let path = "/tenants/shop/connections/goods";
    let sign = async |token: &str| {
        let at = format!("{path}/credentials/token");
        server.api("PUT", &at, json!({ "secret": token })).await
    };
    sign(&config().token).await;
    // Nothing runs but what is asked for.
    let schedules = format!("{path}/schedules");
    let planned = server.get(&schedules).await;
    let planned = planned["items"].as_array().expect("jobs").iter();
    let never: serde_json::Map<_, _> = planned
        .map(|one| (one["job"].as_str().expect("a job").to_owned(), Value::Null))
        .collect();
    server.api("PUT", &schedules, Value::Object(never)).await;
    server.post(&format!("{path}/enable"), Value::Null).await;
    let hooks = || sim.account(|account| account.count(moysklad::Kind::Webhook));
    assert_eq!(3, hooks());

    // Behind another token stands another account.
    sim.replace(moysklad::Account::numbered(2), OTHER_KEY);
    sign(OTHER_KEY).await;
    assert_eq!(0, hooks());
    let path_of_run = format!("{path}/jobs/products/run");
    server.post(&path_of_run, json!({})).await;
    let paused = server.until(path, |one| one["state"] == "paused").await;
    let asked = server.get(&format!("{path}/questions?state=open")).await;
    let id = (asked["items"][0]["id"].as_str()).unwrap_or_else(|| panic!("{paused:#}"));
    let answer = format!("{path}/questions/{id}/answer");
    server.post(&answer, json!({ "answer": "yes" })).await;
    server.until(path, |one| one["state"] == "on").await;
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while hooks() != 3 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("webhooks of the new account");
}

#[tokio::test]
async fn a_server_pauses_a_connection_whose_key_is_another_accounts_until_the_right_one_is_back() {
    let (sim, _) = crm(1, "120.50");
    let server = Server::start(&[]);
    let digest = server.install(component("keycrm")).await;
    server.tenant("shop").await;
    let mut settings = year();
    settings["base_url"] = sim.url().into();
    let connection = json!({
        "id": "crm", "connector": "keycrm", "digest": digest, "settings": settings,
        "grants": [sim.url().trim_end_matches("/v1")], "no_budget": true,
    });
    server.post("/tenants/shop/connections", connection).await;
    let path = "/tenants/shop/connections/crm";
    let sign = async |key: &str| {
        let credential = json!({ "secret": key });
        let at = format!("{path}/credentials/api_key");
        server.api("PUT", &at, credential).await
    };
    sign(KEY).await;
    server.post(&format!("{path}/enable"), Value::Null).await;
    let ask = async || {
        let at = format!("{path}/jobs/orders/run");
        server.post(&at, json!({})).await
    };
    let orders = async || {
        let listed = server.get("/tenants/shop/records/orders").await;
        listed["items"].as_array().expect("orders").clone()
    };
    server
        .until("/tenants/shop/records/orders", |page| {
            page["items"][0].is_object()
        })
        .await;
    let before = orders().await;

    replace(&sim, 2, "7", OTHER_KEY);
    sign(OTHER_KEY).await;
    ask().await;
    let paused = server.until(path, |one| one["state"] == "paused").await;
    // Whoever just switches it on again is told so, and not by the next run.
    let enable = format!("{path}/enable");
    let on = server.try_api("POST", &enable, Value::Null).await;
    assert_eq!(
        (422, "host.other-account"),
        (
            on.status,
            on.body["why"]["code"].as_str().unwrap_or_default()
        )
    );
    let reason = paused["paused_reason"].as_str().expect("a reason");
    assert!(
        reason.contains("Сайт 1") && reason.contains("Сайт 2"),
        "{reason}"
    );
    assert_eq!(before, orders().await);

    // The right key puts it right by itself, and nobody is asked any more.
    replace(&sim, 1, "120.50", KEY);
    sign(KEY).await;
    assert_eq!("on", server.get(path).await["state"]);
    ask().await;
    server
        .until(&format!("{path}/runs"), |page| {
            page["items"][0]["outcome"] == "done"
        })
        .await;
    assert_eq!(before, orders().await);
    let open = server.get(&format!("{path}/questions?state=open")).await;
    assert_eq!(json!([]), open["items"]);
}
