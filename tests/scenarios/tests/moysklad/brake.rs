//! Absence is not an order: what MoySklad does not show any more stays in the shop until people agree.

use serde_json::{Value, json};
use tenon_host::report::Question;
use tenon_simulators::moysklad::{Account, Id, NewProduct};

use crate::world::{Ask, Run, World};

/// An account with so many products, A0 and on.
fn products(number: usize) -> (Account, Vec<Id>) {
    let mut account = Account::empty();
    let ids = (0..number).map(|number| {
        let article = format!("A{number}");
        let name = format!("Деталь {article}");
        let code = format!("MAHLE {article}");
        account.add_product(NewProduct::new(&name).code(&code).article(&article))
    });
    let ids = ids.collect();
    (account, ids)
}

impl World {
    /// What a run asks that has to come to its end, and to ask one thing.
    fn asks(&self, run: Run) -> Question {
        let mut questions = run.clean().report.questions;
        assert_eq!(1, questions.len(), "{questions:#?}");
        questions.remove(0)
    }

    /// A run that people wanted who agree to something.
    fn agreeing(&self, job: &str, more: Value, question: &Question) -> Run {
        let ask = Ask {
            confirmed: vec![question.id.clone()],
            ..Ask::default()
        };
        self.ask(job, more, &ask).clean()
    }

    fn archived(&self, kind: &str) -> usize {
        let records = self.records(kind).into_iter();
        records.filter(|record| record["archived"] == true).count()
    }

    fn hide(&self, ids: &[Id]) {
        self.sim
            .account(|account| ids.iter().for_each(|id| account.delete(*id)));
    }
}

#[test]
fn of_200_products_of_which_20_are_seen_none_is_archived_until_people_agree_once() {
    let (account, ids) = products(200);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids[20..]);
    let question = world.asks(world.run("products", json!({})));
    assert_eq!((180, 200), (question.affected, question.total));
    assert_eq!("product", question.kind);
    assert_eq!(20, question.samples.len());
    assert!(
        question
            .samples
            .iter()
            .all(|name| name.starts_with("Деталь A"))
    );
    assert!(question.text.contains("180 of 200"), "{}", question.text);
    assert_eq!(0, world.archived("products"));

    let again = world.asks(world.run("products", json!({})));
    assert_eq!(
        question.id, again.id,
        "the same is asked while nothing changes"
    );
    assert_eq!(0, world.archived("products"));

    world.agreeing("products", json!({}), &question);
    assert_eq!(180, world.archived("products"));
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 0, 20, 0), run.counts());
    assert!(run.report.questions.is_empty());
}

#[test]
fn an_answer_counts_for_nothing_when_another_product_is_gone() {
    let (account, ids) = products(40);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids[20..]);
    let question = world.asks(world.run("products", json!({})));
    world.hide(&ids[19..20]);
    let run = world.agreeing("products", json!({}), &question);
    let anew = world.asks(run);
    assert_eq!((21, 40), (anew.affected, anew.total));
    assert_ne!(question.id, anew.id);
    assert_eq!(0, world.archived("products"));
    world.agreeing("products", json!({}), &anew);
    assert_eq!(21, world.archived("products"));
}

#[test]
fn a_preview_asks_and_archives_nothing_even_when_people_agree() {
    let (account, ids) = products(30);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids[10..]);
    let mut preview = Ask {
        preview: true,
        ..Ask::default()
    };
    let question = world.asks(world.ask("products", json!({}), &preview));
    preview.confirmed = vec![question.id.clone()];
    let run = world.ask("products", json!({}), &preview).clean();
    assert!(run.report.questions.is_empty());
    assert_eq!(20, run.report.updated, "what would be done");
    assert_eq!(0, world.archived("products"));
}

#[test]
fn the_last_product_that_goes_is_archived_and_the_last_dozen_is_asked_about() {
    let (account, ids) = products(1);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids);
    let run = world.run("products", json!({})).clean();
    assert!(run.report.questions.is_empty());
    assert_eq!(1, world.archived("products"));

    let (account, ids) = products(12);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids);
    let question = world.asks(world.run("products", json!({})));
    assert_eq!((12, 12), (question.affected, question.total));
    assert_eq!(0, world.archived("products"));
    world.agreeing("products", json!({}), &question);
    assert_eq!(12, world.archived("products"));
    let run = world.run("products", json!({})).clean();
    assert!(run.report.questions.is_empty());
}

#[test]
fn products_that_webhooks_say_are_gone_are_asked_about_too() {
    let (account, ids) = products(30);
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.hide(&ids[10..]);
    let names: Vec<String> = ids[10..].iter().map(Id::to_string).collect();
    let mut named = Ask {
        argument: Some(names.join(",")),
        ..Ask::default()
    };
    let question = world.asks(world.ask("changes", json!({}), &named));
    assert_eq!((20, 30), (question.affected, question.total));
    assert_eq!(0, world.archived("products"));
    named.confirmed = vec![question.id];
    world.ask("changes", json!({}), &named).clean();
    assert_eq!(20, world.archived("products"));
}

#[test]
fn folders_that_are_gone_are_archived_when_people_agree() {
    let mut account = Account::empty();
    let folders = (0..30).map(|number| account.add_folder(&format!("Раздел {number}"), None));
    let folders: Vec<Id> = folders.collect();
    let world = World::of(account);
    let on = json!({ "categories": true });
    world.run("categories", on.clone()).clean();
    world.hide(&folders[10..]);
    let question = world.asks(world.run("categories", on.clone()));
    assert_eq!((20, 30), (question.affected, question.total));
    assert_eq!(
        question.id,
        world.asks(world.run("categories", on.clone())).id
    );
    assert_eq!(0, world.archived("categories"));
    world.agreeing("categories", on.clone(), &question);
    assert_eq!(20, world.archived("categories"));
    let run = world.run("categories", on).clean();
    assert!(run.report.questions.is_empty());
}

#[test]
fn levels_that_a_report_does_not_have_become_zero_when_people_agree() {
    let (mut account, ids) = products(2);
    let store = account.home.store;
    account.set_stock(ids[0], store, "3");
    let world = World::of(account);
    world.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }]),
    );
    world.run("products", json!({})).clean();
    // Sold here, and nothing that MoySklad knows.
    let cards = (0..12)
        .map(|number| json!({ "key": format!("own-{number}"), "name": format!("Своё {number}") }));
    world.load("products", cards.collect());
    let levels = (0..12).map(|number| {
        json!({
            "product": format!("own-{number}"), "warehouse": "main",
            "on_hand": "9", "reserved": "0", "available": "9",
        })
    });
    world.load("stock", levels.collect());
    let list = json!({ "price_lists": [
        { "price_list": "main", "store": store.to_string(), "minutes": 60 },
    ]});
    let nines = |world: &World| {
        let levels = world.records("stock").into_iter();
        levels.filter(|level| level["on_hand"] == "9").count()
    };

    let question = world.asks(world.run("stock", list.clone()));
    assert_eq!(("stock", 12), (question.kind.as_str(), question.affected));
    assert!(
        question.samples.contains(&"Своё 0".to_owned()),
        "{:?}",
        question.samples
    );
    assert!(question.text.contains("“Центральный”"), "{}", question.text);
    assert_eq!(12, nines(&world));
    let again = world.asks(world.run("stock", list.clone()));
    assert_eq!(
        question.id, again.id,
        "also when the price list is not due yet"
    );
    world.agreeing("stock", list.clone(), &question);
    assert_eq!(0, nines(&world));
    let run = world.run("stock", list).clean();
    assert!(run.report.questions.is_empty());
}

#[test]
fn products_that_moysklad_archives_all_at_once_stay_on_sale_until_people_agree() {
    for job in ["products", "changes"] {
        let (account, ids) = products(30);
        let world = World::of(account);
        world.run("products", json!({})).clean();
        world.sim.account(|account| {
            account.wait(jiff::SignedDuration::from_hours(1));
            ids[10..].iter().for_each(|id| account.archive(*id));
        });
        let question = world.asks(world.run(job, json!({})));
        assert_eq!((20, 30), (question.affected, question.total));
        assert!(
            question.text.contains("archived in MoySklad"),
            "{}",
            question.text
        );
        assert_eq!(question.id, world.asks(world.run(job, json!({}))).id);
        assert_eq!(0, world.archived("products"));
        world.agreeing(job, json!({}), &question);
        assert_eq!(20, world.archived("products"));
        let run = world.run("products", json!({})).clean();
        assert!(run.report.questions.is_empty());
        assert_eq!(20, world.archived("products"));
    }
}

#[test]
fn a_few_products_that_a_list_without_any_does_not_show_stay_on_sale() {
    for number in [1, 9] {
        let (account, ids) = products(number);
        let world = World::of(account);
        world.run("products", json!({})).clean();
        // The rights were narrowed.
        world
            .sim
            .account(|account| account.hidden = ids.iter().copied().collect());
        let run = world.run("products", json!({})).clean();
        assert!(run.logged(&["shows no products"]), "{run:#?}");
        assert_eq!(0, world.archived("products"));
        // And they are really deleted.
        world.sim.account(|account| account.hidden.clear());
        world.hide(&ids);
        world.run("products", json!({})).clean();
        assert_eq!(number, world.archived("products"));
    }
}
