//! Credentials, choices and the switch.

use serde_json::json;
use tenon_host::report::Outcome;
use tenon_simulators::moysklad::{Account, Config, Kind, NewProduct};

use crate::world::{ACCOUNT, World, config};

#[test]
fn a_token_and_a_login_are_both_accepted() {
    let world = World::of(Account::empty());
    assert!(world.check().unwrap().starts_with("MoySklad"));
    let Config {
        login, password, ..
    } = config();
    let world = World::of(Account::empty()).signed("login", &format!("{login}:{password}"));
    assert_eq!(Ok("MoySklad, autoparts".to_owned()), world.check());
    let run = world.run("products", json!({})).clean();
    assert_eq!(1, world.sim.requests_to("POST /security/token"), "{run:#?}");
}

#[test]
fn an_account_is_known_by_its_own_id_whoever_signs_in() {
    let Config {
        login, password, ..
    } = config();
    let of = |number, credential: Option<(&str, &str)>| {
        let mut world = World::of(Account::numbered(number));
        if let Some((name, secret)) = credential {
            world = world.signed(name, secret);
        }
        let own = world.sim.account(|account| account.id().to_string());
        assert_eq!(Some(&own), world.found().id.as_ref());
        own
    };
    let by_login = format!("{login}:{password}");
    assert_eq!(of(1, None), of(1, Some(("login", &by_login))));
    assert_ne!(of(1, None), of(2, None));
}

#[test]
fn a_token_that_was_revoked_meanwhile_is_got_anew() {
    let Config {
        login, password, ..
    } = config();
    let mut account = Account::empty();
    account.add_product(NewProduct::new("A").code("MAHLE A1").article("A1"));
    let world = World::of(account).signed("login", &format!("{login}:{password}"));
    world.run("products", json!({})).clean();
    world
        .sim
        .account(|account| account.access.user_token = None);
    world.run("products", json!({})).clean();
}

#[test]
fn a_wrong_token_is_a_matter_for_the_admin_and_is_in_no_text() {
    let world = World::of(Account::empty()).signed("token", "wrong-token-of-nobody");
    let error = world.check().unwrap_err();
    assert!(!error.contains("wrong-token-of-nobody"), "{error}");
    let run = world.run("products", json!({}));
    assert_eq!(Outcome::Configuration, run.report.outcome);
    let everything = format!("{run:?}");
    assert!(!everything.contains("wrong-token-of-nobody"));
    assert!(run.report.error.unwrap().contains("credential"));
}

#[test]
fn the_settings_form_offers_what_the_account_has() {
    let world = World::seeded(Config {
        products: 3,
        ..config()
    });
    let labels = |option: &str| -> Vec<String> {
        world
            .choices(option)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    };
    assert!(labels("organizations").contains(&"ИП Орлов П. А.".to_owned()));
    assert!(labels("stores").contains(&"Магазин на Ленина".to_owned()));
    assert!(labels("states").contains(&"Отменен".to_owned()));
    assert!(labels("supplier-states").contains(&"Черновик".to_owned()));
    assert_eq!(3, labels("employees").len());
    assert!(
        labels("product-folders").contains(&"Двигатель / Фильтры / Масляные фильтры".to_owned())
    );
    let home = world
        .sim
        .account(|account| account.home.organization.to_string());
    assert!(
        world
            .choices("organizations")
            .iter()
            .any(|(value, _)| *value == home)
    );
}

#[test]
fn nothing_happens_while_the_integration_is_not_active() {
    let mut account = Account::empty();
    account.add_product(NewProduct::new("A").code("MAHLE A1").article("A1"));
    let world = World::of(account);
    world.load("partners", json!([{ "key": "k1", "name": "Иванов" }]));
    for job in [
        "categories",
        "products",
        "changes",
        "images",
        "stock",
        "partners",
        "orders",
        "balance",
    ] {
        let run = world.run(job, json!({ "active": false })).clean();
        assert!(run.logged(&["not active"]), "{job}");
    }
    assert_eq!(ACCOUNT, world.sim.total_requests());
    assert!(world.records("products").is_empty());
    assert_eq!(0, world.objects(Kind::Counterparty, |_, _| ()).len());
}

#[test]
fn without_an_organization_orders_wait_and_the_setting_is_named() {
    let world = World::of(Account::empty());
    let run = world.run("orders", json!({ "organization": "" }));
    assert_eq!(Outcome::Configuration, run.report.outcome);
    assert_eq!(Some("organization"), run.setting());
}
