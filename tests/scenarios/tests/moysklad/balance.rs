//! Balances of customers, MoySklad → shop.

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_host::{Cause, RecordRef};
use tenon_simulators::moysklad::{Account, BalanceSign, Kind};

use crate::world::{ACCOUNT, Ask, Run, World, config};

fn on() -> Value {
    json!({ "balance": true })
}

/// A customer of the shop who owes 1200.50 roubles.
fn debtor(world: &World) {
    world.load("partners", json!([{ "key": "ivanov", "name": "Иванов" }]));
    world.run("partners", json!({})).clean();
    world.sim.account(|account| {
        let id = account.all(Kind::Counterparty)[0].id;
        account.set_debt(id, "1200.50");
    });
    world.sim.reset_counts();
}

fn visit(world: &World, settings: Value) -> Run {
    let ask = Ask {
        cause: Cause::Visited(RecordRef {
            kind: tenon_host::model::RecordKind::Partner,
            key: "ivanov".to_owned(),
        }),
        ..Ask::default()
    };
    world.ask("balance", settings, &ask)
}

fn shown(world: &World) -> Value {
    world.record("partners", "key", "ivanov")["balance"].clone()
}

#[test]
fn a_customer_who_looks_sees_one_number_and_causes_a_request_at_most_every_half_hour() {
    let world = World::of(Account::empty());
    debtor(&world);
    visit(&world, on()).clean();
    assert_eq!(
        json!({ "amount": "-1200.5", "currency": "RUB" }),
        shown(&world)
    );
    assert_eq!(1, world.sim.requests_to("POST /report/counterparty"));
    visit(&world, on()).clean();
    assert_eq!(1, world.sim.requests_to("POST /report/counterparty"));
}

#[test]
fn nothing_is_asked_while_balances_are_off() {
    let world = World::of(Account::empty());
    debtor(&world);
    visit(&world, json!({})).clean();
    assert_eq!(0, world.sim.total_requests());
    assert!(shown(&world).is_null());
}

#[test]
fn an_account_that_writes_debts_the_other_way_is_told_so_in_the_settings() {
    let mut config = config();
    config.behaviour.balance = BalanceSign::DebtIsPositive;
    let world = World::with(config, Some(Account::empty()));
    debtor(&world);
    visit(&world, json!({ "balance": true, "balance_is_debt": true })).clean();
    assert_eq!("-1200.5", shown(&world)["amount"]);
}

#[test]
fn a_tariff_without_the_report_is_a_matter_for_the_admin() {
    let mut config = config();
    config.behaviour.crm = false;
    let world = World::with(config, Some(Account::empty()));
    debtor(&world);
    let run = visit(&world, on());
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:#?}");
    assert!(run.report.error.unwrap().contains("1043"));
}

#[test]
fn a_customer_whom_moysklad_does_not_know_yet_has_no_balance() {
    let world = World::of(Account::empty());
    world.load("partners", json!([{ "key": "ivanov", "name": "Иванов" }]));
    let run = visit(&world, on()).clean();
    assert!(run.logged(&["not in the other system yet"]), "{run:#?}");
    assert_eq!(ACCOUNT, world.sim.total_requests());
}

#[test]
fn asked_without_a_name_it_shows_all_customers() {
    let world = World::of(Account::empty());
    debtor(&world);
    world.run("balance", on()).clean();
    assert_eq!("-1200.5", shown(&world)["amount"]);
}

#[test]
fn a_customer_who_was_deleted_in_moysklad_keeps_no_balance_from_another() {
    let world = World::of(Account::empty());
    debtor(&world);
    for number in 0..4 {
        let (key, name) = (format!("k{number}"), format!("Петров {number}"));
        world.load("partners", json!([{ "key": key, "name": name }]));
    }
    world.run("partners", json!({})).clean();
    world.sim.account(|account| {
        let all = account.all(Kind::Counterparty).into_iter();
        let gone = all.filter(|one| one.name() == "Петров 2").map(|one| one.id);
        gone.collect::<Vec<_>>()
            .into_iter()
            .for_each(|id| account.delete(id));
    });
    let run = world.asked("balance", on());
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
    assert_eq!(1, run.report.failed, "{:#?}", run.report.records);
    run.reason("k2");
    assert_eq!("-1200.5", shown(&world)["amount"]);
}
