//! Products that were rejected, when people ask for another try: what keeps one back is often mended
//! without a change that its time of change tells of.

use jiff::SignedDuration;
use serde_json::json;
use tenon_host::Cause;
use tenon_host::report::Outcome;
use tenon_simulators::moysklad::{Account, Id, NewProduct};

use crate::world::{Ask, World};

fn part(code: &str, article: &str) -> NewProduct {
    NewProduct::new(code).code(code).article(article)
}

/// An hour goes by at MoySklad and ends with a new product, so that no look at changes goes back to
/// what was before.
fn later(world: &World) {
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        account.add_product(part("SKF X1", "X1"));
    });
    let run = world.run("changes", json!({}));
    assert_eq!(1, run.report.created, "{run:#?}");
}

/// A shop whose job `changes` has met so many products with a wrong Article, an hour ago.
fn with_wrong_articles(number: usize) -> (World, Vec<Id>) {
    let mut account = Account::empty();
    account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let wrong: Vec<Id> = world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        let codes = (0..number).map(|number| format!("DOLZ C{number}"));
        codes
            .map(|code| account.add_product(part(&code, "?")))
            .collect()
    });
    let run = world.run("changes", json!({}));
    assert_eq!(number as u64, run.report.failed, "{:?}", run.report);
    later(&world);
    (world, wrong)
}

/// Gives the first of these products their right Articles, and leaves their times of change.
fn mend(world: &World, wrong: &[Id]) {
    world.sim.account(|account| {
        for (number, id) in wrong.iter().enumerate() {
            let moment = account.get(*id).get("updated").cloned();
            account.set_text(*id, "article", &format!("C{number}"));
            account.backdate(*id, moment.expect("a moment"));
        }
    });
}

/// Requests that ask for products, of a run of `changes` that people ask for and that rejects none.
fn asked_for(world: &World) -> u64 {
    world.sim.reset_counts();
    world.asked("changes", json!({})).clean();
    world.sim.requests_to("GET /entity/product")
}

#[test]
fn people_who_ask_get_all_rejected_products_tried_again_however_many_there_are() {
    let (world, wrong) = with_wrong_articles(230);
    mend(&world, &wrong);
    world.sim.reset_counts();
    let run = world.run("changes", json!({})).clean();
    assert_eq!(0, run.report.created, "nothing tells of them");
    assert_eq!(1, world.sim.requests_to("GET /entity/product"));

    world.sim.reset_counts();
    let run = world.asked("changes", json!({})).clean();
    assert_eq!(230, run.report.created, "{:?}", run.report);
    // Two for all the ids, and one for what changed.
    assert_eq!(3, world.sim.requests_to("GET /entity/product"));
    assert_eq!(1, asked_for(&world), "none is left");
}

#[test]
fn a_retry_that_is_cut_tries_each_product_once_and_names_at_its_end_all_that_it_could_not_take() {
    let (world, wrong) = with_wrong_articles(230);
    mend(&world, &wrong[..60]);
    let ask = Ask {
        cause: Cause::Asked,
        checkpoints: 1,
        ..Ask::default()
    };
    let (mut created, mut calls) = (0, 1);
    let last = loop {
        let run = world.ask("changes", json!({}), &ask);
        created += run.report.created;
        if run.report.outcome == Outcome::Done {
            break run;
        }
        assert_eq!(Outcome::Suspended, run.report.outcome, "{run:#?}");
        calls += 1;
    };
    assert_eq!((60, 3), (created, calls));
    assert_eq!(170, last.report.failed, "{:?}", last.report);
    for id in &wrong[60..] {
        assert!(last.reason(&id.to_string()).contains("does not end with"));
    }
}

#[test]
fn a_product_is_taken_once_its_twin_is_gone() {
    let mut account = Account::empty();
    let first = account.add_product(part("MAHLE OC90", "OC90"));
    let second = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    let run = world.run("products", json!({}));
    assert!(run.reason(&second.to_string()).contains("same brand"));
    later(&world);
    world.sim.account(|account| account.delete(first));
    world.asked("changes", json!({})).clean();
    let bound = world.origin("product", second);
    let binding = world.record("bindings", "origin", &bound);
    let card = world.record("products", "sku", "OC90");
    assert_eq!(card["key"], binding["key"]);
}

#[test]
fn what_the_full_pass_takes_or_misses_is_not_tried_again_by_itself() {
    let (world, wrong) = with_wrong_articles(3);
    assert_eq!(
        3,
        world.asked("changes", json!({})).report.failed,
        "all are still wrong"
    );
    mend(&world, &wrong[..2]);
    world.sim.account(|account| account.delete(wrong[2]));
    let run = world.asked("products", json!({})).clean();
    assert_eq!(2, run.report.created, "{:?}", run.report);
    assert_eq!(1, asked_for(&world));
}

#[test]
fn a_rejected_product_that_is_gone_is_asked_for_no_more_than_once() {
    let (world, wrong) = with_wrong_articles(1);
    world.sim.account(|account| account.delete(wrong[0]));
    assert_eq!(2, asked_for(&world));
    assert_eq!(1, asked_for(&world));
}

#[test]
fn a_full_pass_that_people_ask_for_reads_again_what_one_under_way_has_rejected() {
    let mut account = Account::empty();
    let wrong = account.add_product(part("DOLZ C0", "?"));
    // More than a page.
    for number in 0..1_100 {
        account.add_product(part(&format!("MAHLE P{number}"), &format!("P{number}")));
    }
    let world = World::of(account);
    let cut = Ask {
        checkpoints: 1,
        ..Ask::default()
    };
    let run = world.ask("products", json!({}), &cut);
    assert_eq!(Outcome::Suspended, run.report.outcome, "{run:#?}");
    run.reason(&wrong.to_string());
    mend(&world, &[wrong]);
    world.asked("products", json!({})).clean();
    world.record("products", "sku", "C0");
}
