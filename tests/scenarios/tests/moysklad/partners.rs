//! Customers and suppliers, shop → MoySklad.

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{Account, Config, Kind, NewCounterparty};

use crate::world::{ACCOUNT, World, config};

/// Name, tags and one field of all counterparties.
fn counterparties(world: &World, field: &str) -> Vec<(String, Vec<String>, String)> {
    world.objects(Kind::Counterparty, |_, one| {
        let tags = match one.get("tags") {
            Some(tenon_simulators::moysklad::Value::Words(words)) => words.clone(),
            _ => Vec::new(),
        };
        (one.name().to_owned(), tags, one.text(field).to_owned())
    })
}

fn firm() -> Value {
    json!([{
        "key": "k1", "role": "customer", "name": "ООО Ромашка", "tax_id": "7701234567",
        "emails": ["office@romashka.example"], "phones": ["+7 (912) 345-67-89"],
        "address": "Москва, Тверская, 1",
    }])
}

#[test]
fn a_new_partner_becomes_a_counterparty_in_the_group_of_its_role() {
    let world = World::of(Account::empty());
    world.load("partners", firm());
    world.load(
        "partners",
        json!([{ "key": "s1", "role": "supplier", "name": "ИП Петров", "tax_id": "770112345678" }]),
    );
    let run = world.run("partners", json!({})).clean();
    assert_eq!((2, 0, 0, 0), run.counts());
    let made = counterparties(&world, "companyType");
    let tag = |tag: &str| vec![tag.to_owned()];
    assert_eq!(
        vec![
            (
                "ООО Ромашка".to_owned(),
                tag("покупатели"),
                "legal".to_owned()
            ),
            (
                "ИП Петров".to_owned(),
                tag("поставщики"),
                "entrepreneur".to_owned()
            ),
        ],
        made
    );
    assert_eq!(
        "office@romashka.example",
        counterparties(&world, "email")[0].2
    );
    assert_eq!("7701234567", counterparties(&world, "inn")[0].2);
    assert_eq!(1, world.writes(), "both in one request");
    assert_eq!(2, run.written.len());
    let name = run.written[0]
        .changes
        .iter()
        .find(|change| change.field == "name")
        .unwrap();
    assert_eq!(
        (None, Some("ООО Ромашка")),
        (name.before.as_deref(), name.after.as_deref())
    );

    world.sim.reset_counts();
    let run = world.run("partners", json!({})).clean();
    assert_eq!((0, 0, 0, 0), run.counts());
    assert_eq!(0, world.sim.total_requests());
}

#[test]
fn who_is_there_already_is_found_by_tax_number_then_e_mail_then_phone() {
    for (field, value) in [
        ("inn", "7701234567"),
        ("email", "Office@Romashka.example"),
        ("phone", "8 912 3456789, доб. 5"),
    ] {
        let mut account = Account::empty();
        let other = NewCounterparty::new("Чужой")
            .inn("5001234567")
            .tag("покупатели");
        account.add_counterparty(other);
        let id = account
            .add_counterparty(NewCounterparty::new("Ромашка (старая карточка)").text(field, value));
        let world = World::of(account);
        world.load("partners", firm());
        let run = world.run("partners", json!({})).clean();
        assert!(run.logged(&["matched by"]), "{field}: {run:#?}");
        let bound = world.record("bindings", "key", "k1");
        assert_eq!(world.origin("counterparty", id), bound["origin"], "{field}");
        let all = counterparties(&world, "name");
        assert_eq!(2, all.len(), "{field}");
        let found = all.iter().find(|one| one.0 == "Ромашка (старая карточка)");
        let (_, tags, _) = found.expect("the card is its keeper's");
        assert_eq!(vec!["покупатели"], *tags, "and is in the right group now");
    }
}

#[test]
fn once_bound_only_the_binding_counts() {
    let world = World::of(Account::empty());
    world.load("partners", firm());
    world.run("partners", json!({})).clean();
    world.sim.account(|account| {
        let id = account.all(Kind::Counterparty)[0].id;
        account.set_text(id, "inn", "5009999999");
        account.set_text(id, "email", "other@example.test");
        account.set_text(id, "phone", "");
        account.add_counterparty(NewCounterparty::new("Двойник").inn("7701234567"));
    });
    world.edit("partners", "k1", json!({ "name": "ООО Ромашка плюс" }));
    let run = world.run("partners", json!({})).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    let changes = &run.written[0].changes;
    assert_eq!(
        1,
        changes.len(),
        "only what changed in the shop is written: {changes:#?}"
    );
    assert_eq!(Some("ООО Ромашка"), changes[0].before.as_deref());
    let all = counterparties(&world, "inn");
    assert_eq!("ООО Ромашка плюс", all[0].0);
    assert_eq!(
        "5009999999", all[0].2,
        "what people wrote in MoySklad stays"
    );
    assert_eq!(2, all.len());
}

#[test]
fn a_supplier_is_never_a_customer() {
    let mut account = Account::empty();
    account.add_counterparty(
        NewCounterparty::new("Ромашка")
            .inn("7701234567")
            .tag("поставщики"),
    );
    let world = World::of(account);
    world.load("partners", firm());
    for _ in 0..2 {
        // It is tried again with every run.
        let run = world.run("partners", json!({}));
        assert_eq!((0, 0, 0, 1), run.counts());
        let reason = run.reason("k1");
        assert!(reason.contains("is a supplier in MoySklad"), "{reason}");
    }
    assert_eq!(1, counterparties(&world, "inn").len());
    world.sim.account(|account| {
        let id = account.all(Kind::Counterparty)[0].id;
        account.change(id, |one| {
            let both = vec!["поставщики".to_owned(), "покупатели".to_owned()];
            one.set("tags", tenon_simulators::moysklad::Value::Words(both));
        });
    });
    world.run("partners", json!({})).clean();
    world.record("bindings", "key", "k1");
}

#[test]
fn people_who_ask_get_all_rejected_partners_tried_again_however_many_there_are() {
    let mut account = Account::empty();
    let mut firms = Vec::new();
    let mut partners = Vec::new();
    for number in 0..120 {
        let (name, inn) = (format!("Фирма {number}"), format!("77{number:08}"));
        let supplier = NewCounterparty::new(&name).inn(&inn).tag("поставщики");
        firms.push(account.add_counterparty(supplier));
        partners.push(json!({ "key": format!("k{number}"), "name": name, "tax_id": inn }));
    }
    let world = World::of(account);
    world.load("partners", json!(partners));
    let run = world.run("partners", json!({}));
    assert_eq!((0, 0, 0, 120), run.counts(), "{:?}", run.report);
    world.sim.account(|account| {
        for firm in firms {
            account.change(firm, |one| {
                let both = vec!["поставщики".to_owned(), "покупатели".to_owned()];
                one.set("tags", tenon_simulators::moysklad::Value::Words(both));
            });
        }
    });
    let run = world.asked("partners", json!({})).clean();
    assert_eq!((0, 0, 120, 0), run.counts(), "{:?}", run.report);
    assert_eq!(120, world.records("bindings").len());
}

#[test]
fn nobody_is_guessed_at_among_several() {
    let mut account = Account::empty();
    for name in ["Ромашка Москва", "Ромашка Тверь"] {
        account.add_counterparty(NewCounterparty::new(name).inn("7701234567"));
    }
    let world = World::of(account);
    world.load("partners", firm());
    let run = world.run("partners", json!({}));
    let reason = run.reason("k1");
    assert!(
        reason.contains("“Ромашка Москва”, “Ромашка Тверь”"),
        "{reason}"
    );
    assert_eq!(2, counterparties(&world, "inn").len());
}

#[test]
fn two_partners_of_the_shop_who_are_one_share_the_counterparty() {
    let world = World::of(Account::empty());
    world.load(
        "partners",
        json!([
            { "key": "k1", "name": "Иванов", "phones": ["89123456789"] },
            { "key": "k2", "name": "Иванов И.", "phones": ["+7 912 345-67-89"] },
        ]),
    );
    let run = world.run("partners", json!({})).clean();
    assert!(run.logged(&["is the partner k1, too"]), "{run:#?}");
    assert_eq!(1, counterparties(&world, "name").len());
    let origin = world.record("bindings", "key", "k1")["origin"].clone();
    let other = world.record("bindings", "key", "k2")["origin"].clone();
    assert_eq!(format!("{}/k2", origin.as_str().unwrap()), other);
    // The second one's card does not overwrite the first one's.
    world.edit("partners", "k2", json!({ "name": "Иванов Иван" }));
    world.run("partners", json!({})).clean();
    assert_eq!("Иванов", counterparties(&world, "name")[0].0);
}

#[test]
fn counterparties_born_in_moysklad_do_not_come_into_the_shop() {
    let world = World::seeded(config());
    world.run("partners", json!({})).clean();
    assert!(world.records("partners").is_empty());
}

#[test]
fn a_card_that_moysklad_refuses_is_listed_with_its_words_and_the_others_are_taken() {
    let world = World::of(Account::empty());
    world.load("partners", firm());
    world.load(
        "partners",
        json!([{ "key": "k2", "name": "Петров", "emails": ["@"] }]),
    );
    let run = world.run("partners", json!({}));
    let (created, _, _, failed) = run.counts();
    assert_eq!(2, created + failed, "{run:#?}");
    assert!(created >= 1);
}

#[test]
fn a_customer_whose_counterparty_was_deleted_is_made_anew_for_the_next_order() {
    let shop = crate::orders::shop();
    shop.world.run("partners", json!({})).clean();
    shop.world.sim.account(|account| {
        let all = account.all(Kind::Counterparty).into_iter();
        let ivanov = all.filter(|one| one.name() == "Иванов").map(|one| one.id);
        let ivanov = ivanov.collect::<Vec<_>>()[0];
        account.delete(ivanov);
    });
    let lines = json!([crate::orders::line("1", &shop.keys[0], "1", "100")]);
    shop.order("42", lines);
    let run = shop.world.run("orders", json!({}));
    assert_eq!(1, run.report.failed, "{run:#?}");
    shop.world.run("orders", json!({})).clean();
    assert_eq!(1, shop.positions().len());
    assert_eq!(2, shop.world.objects(Kind::Counterparty, |_, _| ()).len());
}

#[test]
fn a_counterparty_in_the_archive_is_found_and_told_of() {
    let mut account = Account::empty();
    let firm_there = NewCounterparty::new("Ромашка").inn("7701234567").archived();
    account.add_counterparty(firm_there);
    let world = World::of(account);
    world.load("partners", firm());
    let run = world.run("partners", json!({})).clean();
    assert_eq!(1, counterparties(&world, "inn").len());
    assert!(run.logged(&["“Ромашка”", "archive"]), "{run:#?}");
    // One that is in use is meant before it.
    let mut account = Account::empty();
    let archived = NewCounterparty::new("Старая").inn("7701234567").archived();
    account.add_counterparty(archived);
    account.add_counterparty(NewCounterparty::new("Новая").inn("7701234567"));
    let world = World::of(account);
    world.load("partners", firm());
    let run = world.run("partners", json!({})).clean();
    assert!(run.logged(&["is the counterparty “Новая”"]), "{run:#?}");
    assert_eq!(2, counterparties(&world, "inn").len());
}

#[test]
fn one_phone_in_whatever_form_it_is_written_is_one_customer() {
    let mut account = Account::empty();
    let there = NewCounterparty::new("Иванов").phone("моб. 8 (912) 345-67-89 (Viber)");
    account.add_counterparty(there);
    let world = World::of(account);
    let written = [
        "+79123456789",
        "912 345 67 89 доб. 5",
        "8-912-345-67-89, 8-800-200-00-00",
    ];
    for (number, phone) in written.into_iter().enumerate() {
        let key = format!("k{number}");
        world.load(
            "partners",
            json!([{ "key": key, "name": key, "phones": [phone] }]),
        );
    }
    world.run("partners", json!({})).clean();
    assert_eq!(1, counterparties(&world, "name").len());
}

#[test]
fn what_only_fills_a_field_identifies_nobody() {
    let mut account = Account::empty();
    let nobody = NewCounterparty::new("Розница")
        .email("no@mail.ru")
        .phone("+70000000000");
    account.add_counterparty(nobody);
    let world = World::of(account);
    world.load(
        "partners",
        json!([
            { "key": "k1", "name": "Иванов", "phones": ["0000000000"], "emails": ["no@mail.ru"] },
            { "key": "k2", "name": "Петров", "phones": ["+70000000000"] },
        ]),
    );
    world.run("partners", json!({})).clean();
    assert_eq!(3, counterparties(&world, "name").len());
}

#[test]
fn one_refused_partner_costs_the_same_however_many_counterparties_there_are() {
    let world = World::seeded(Config {
        products: 0,
        orders: 0,
        counterparties: 5_000,
        ..config()
    });
    // Two of a name and phone: nobody is guessed at.
    world.sim.account(|account| {
        for name in ["Ромашка Москва", "Ромашка Тверь"] {
            account.add_counterparty(NewCounterparty::new(name).inn("7701234567"));
        }
    });
    world.load("partners", firm());
    assert_eq!(1, world.run("partners", json!({})).report.failed);
    assert!(
        world.sim.total_requests() <= 6 + 1 + ACCOUNT,
        "{:?}",
        world.sim.requests()
    );
    world.sim.reset_counts();
    assert_eq!(1, world.run("partners", json!({})).report.failed);
    // What changed of the list, and the two.
    assert_eq!(2, world.sim.total_requests(), "{:?}", world.sim.requests());
}

#[test]
fn a_partner_who_changes_after_a_creation_without_an_answer_is_one_and_up_to_date() {
    let world = World::of(Account::empty());
    let partner = |name: &str, phones: Value, emails: Value| json!([{ "key": "k1", "name": name, "phones": phones, "emails": emails }]);
    world.load(
        "partners",
        partner("Иванов", json!(["+79123456789"]), json!(["a@example.com"])),
    );
    let lost = Rule::new(Fault::LostAnswer).on("POST /entity/counterparty");
    world.sim.faults().add(lost.times(20));
    let run = world.run("partners", json!({}));
    assert_eq!(Outcome::Transient, run.report.outcome, "{run:#?}");
    assert_eq!(1, counterparties(&world, "name").len());
    world.sim.faults().clear();
    world.load("partners", partner("Иванова", json!([]), json!([])));
    world.run("partners", json!({})).clean();
    let there = counterparties(&world, "phone");
    assert_eq!(1, there.len());
    assert_eq!(("Иванова", ""), (there[0].0.as_str(), there[0].2.as_str()));
}
