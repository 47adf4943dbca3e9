//! Cards of products, MoySklad → shop.

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::moysklad::{Account, Config, Kind, NewProduct};

use crate::world::{Ask, World, config, decimal, timeless};

fn part(code: &str, article: &str) -> NewProduct {
    NewProduct::new(&format!("Деталь {code}"))
        .code(code)
        .article(article)
        .price("100.50")
}

#[test]
fn a_card_has_all_that_moysklad_knows_of_the_product() {
    let mut account = Account::empty();
    let wholesale = account.add_named(Kind::PriceType, "Оптовая");
    account.add_product(
        NewProduct::new("Фильтр масляный")
            .code("MEAT & DORIA OC-90 A")
            .article("OC-90 A")
            .description("Для ВАЗ")
            .barcode("ean13", "4011558704018")
            .barcode("code128", "A-1")
            .vat(20)
            .price("450.50")
            .price_of(wholesale, "399.99"),
    );
    let world = World::of(account);
    let run = world.run("products", json!({})).clean();
    assert_eq!((1, 0, 0, 0), run.counts());
    let card = world.record("products", "sku", "OC-90 A");
    assert_eq!("Фильтр масляный", card["name"]);
    assert_eq!("MEAT & DORIA", card["brand"]);
    assert_eq!("MEAT & DORIA OC-90 A", card["code"]);
    assert_eq!("Для ВАЗ", card["description"]);
    assert_eq!("20", card["vat"]);
    assert_eq!(json!(["4011558704018", "A-1"]), card["barcodes"]);
    let prices: Vec<(String, String, String)> = card["prices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|price| {
            let kind = price["price_type"].as_str().unwrap();
            let kind = world.record("price-types", "key", kind);
            let amount = decimal(&price["value"]["amount"]).to_string();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&kind["name"]),
                amount,
                text(&price["value"]["currency"]),
            )
        })
        .collect();
    let price = |name: &str, amount: &str| (name.to_owned(), amount.to_owned(), "RUB".to_owned());
    assert!(
        prices.contains(&price("Цена продажи", "450.5")),
        "{prices:?}"
    );
    assert!(prices.contains(&price("Оптовая", "399.99")), "{prices:?}");
}

#[test]
fn every_product_that_keeps_to_the_rule_is_there_and_the_others_are_listed_with_the_reason() {
    let world = World::seeded(Config {
        products: 40,
        ..config()
    });
    let run = world.run("products", json!({}));
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
    // Three break the rule of Code and Article, one is in the archive and need not come.
    assert_eq!((36, 0, 0, 3), run.counts(), "{:#?}", run.report.records);
    let reasons: Vec<&str> = (run.report.records.iter())
        .map(|record| record.reason.as_str())
        .collect();
    for words in ["Code is empty", "Article is empty", "has no brand"] {
        assert!(
            reasons.iter().any(|reason| reason.contains(words)),
            "{words}: {reasons:#?}"
        );
    }
}

#[test]
fn an_unchanged_second_pass_writes_nothing() {
    let world = World::seeded(Config {
        products: 60,
        ..config()
    });
    world.run("products", json!({}));
    let before = world.records("products");
    let run = world.run("products", json!({}));
    assert_eq!((0, 0, 56, 3), run.counts(), "{:?}", run.report);
    assert_eq!(
        before,
        world.records("products"),
        "versions and times included"
    );
    assert_eq!(0, world.writes());
}

#[test]
fn what_people_change_in_the_shop_stays_until_moysklad_changes_it_and_the_rest_is_theirs() {
    let mut account = Account::empty();
    let id = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let before = world.record("products", "sku", "OC90");
    let key = before["key"].as_str().unwrap();
    let colour = json!([{ "origin": null, "name": "Цвет", "value": "чёрный" }]);
    world.edit(
        "products",
        key,
        json!({ "name": "Другое", "attributes": colour }),
    );
    assert_eq!("Другое", world.record("products", "sku", "OC90")["name"]);

    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
    assert_eq!("Другое", world.record("products", "sku", "OC90")["name"]);

    world
        .sim
        .account(|account| account.set_text(id, "name", "Фильтр"));
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    let after = world.record("products", "sku", "OC90");
    assert_eq!("Фильтр", after["name"]);
    assert_eq!(
        colour, after["attributes"],
        "a field that MoySklad does not speak for"
    );
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
}

#[test]
fn a_card_that_was_deleted_in_the_shop_is_made_again() {
    let mut account = Account::empty();
    account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let key = world.record("products", "sku", "OC90")["key"].clone();
    world.remove("products", key.as_str().unwrap());
    let run = world.run("products", json!({})).clean();
    assert_eq!((1, 0, 0, 0), run.counts());
    world.record("products", "sku", "OC90");
}

#[test]
fn between_two_passes_only_what_changed_is_read() {
    let world = World::seeded(Config {
        products: 200,
        ..config()
    });
    world.run("products", json!({}));
    world.run("changes", json!({}));
    let id = world.sim.account(|account| {
        account.wait(jiff::SignedDuration::from_hours(1));
        let id = account
            .find(Kind::Product, "archived", "")
            .map(|one| one.id);
        let id = id.unwrap_or_else(|| account.all(Kind::Product)[30].id);
        account.set_text(id, "name", "Новое имя");
        account.add_product(part("DOLZ C110-X", "C110-X"));
        id
    });
    world.sim.reset_counts();
    let run = world.run("changes", json!({}));
    let (created, updated, ..) = run.counts();
    assert_eq!((1, 1), (created, updated), "{:?}", run.report);
    assert_eq!(1, world.sim.requests_to("GET /entity/product"));
    world.record("products", "name", "Новое имя");
    world.record("products", "sku", "C110-X");
    let bound = world.origin("product", id);
    world.record("bindings", "origin", &bound);
}

#[test]
fn a_product_that_changes_while_a_pass_is_read_is_neither_skipped_nor_archived() {
    let world = World::seeded(Config {
        products: 2_500,
        ..config()
    });
    world.sim.after_nth("GET /entity/product", 1, |account| {
        // The first hundred move to the end of the list, and all others forward.
        let ids: Vec<_> = account
            .all(Kind::Product)
            .iter()
            .take(100)
            .map(|one| one.id)
            .collect();
        for id in ids {
            account.set_text(id, "description", "Изменено");
        }
    });
    world.run("products", json!({}));
    let cards = world.records("products");
    assert_eq!(2_496, cards.len());
    assert!(cards.iter().all(|card| card["archived"] == false));
    let run = world.run("products", json!({}));
    assert_eq!((0, 0, 2_496, 3), run.counts(), "{:?}", run.report);
}

#[test]
fn no_product_is_skipped_when_another_of_the_same_moment_goes_while_a_pass_is_read() {
    let mut account = Account::empty();
    // More than a page of them, entered in one import.
    let entered: Vec<_> = (0..1_100)
        .map(|number| account.add_product(part(&format!("MAHLE P{number}"), &format!("P{number}"))))
        .collect();
    let moment = account.get(entered[0]).get("updated").cloned().unwrap();
    for id in &entered {
        account.backdate(*id, moment.clone());
    }
    let mut entered = entered;
    entered.sort();
    let gone = entered[10];
    let world = World::of(account);
    world
        .sim
        .after_nth("GET /entity/product", 1, move |account| {
            account.delete(gone)
        });
    world.run("products", json!({})).clean();
    let cards = world.records("products");
    let skus: std::collections::BTreeSet<_> = cards
        .iter()
        .filter_map(|card| card["sku"].as_str())
        .collect();
    assert_eq!(1_100, skus.len(), "the one that went was read before");
}

#[test]
fn what_the_full_pass_does_not_see_is_archived_in_the_shop_and_never_deleted() {
    let mut account = Account::empty();
    let gone = account.add_product(part("MAHLE OC90", "OC90"));
    account.add_product(part("DOLZ C110", "C110"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.sim.account(|account| account.delete(gone));
    let run = world.run("products", json!({})).clean();
    assert!(
        run.logged(&["archived", "gone in the other system"]),
        "{run:#?}"
    );
    assert_eq!(true, world.record("products", "sku", "OC90")["archived"]);
    assert_eq!(false, world.record("products", "sku", "C110")["archived"]);
    assert_eq!(2, world.records("products").len());
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
}

#[test]
fn a_credential_that_sees_no_products_any_more_archives_nothing() {
    let mut account = Account::empty();
    let articles = (0..12).map(|number| format!("OC{number}"));
    let ids: Vec<_> = articles
        .map(|article| account.add_product(part(&format!("MAHLE {article}"), &article)))
        .collect();
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world
        .sim
        .account(|account| ids.into_iter().for_each(|id| account.delete(id)));
    let run = world.run("products", json!({})).clean();
    assert!(run.report.questions[0].text.contains("check the rights"));
    let cards = world.records("products");
    assert_eq!(12, cards.len());
    assert!(cards.iter().all(|card| card["archived"] == false));
}

#[test]
fn a_product_entered_anew_after_its_deletion_takes_its_old_card() {
    let mut account = Account::empty();
    let old = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let key = world.record("products", "sku", "OC90")["key"].clone();
    world.sim.account(|account| {
        account.delete(old);
        account.add_product(part("MAHLE OC90", "OC90"));
    });
    world.run("products", json!({})).clean();
    let card = world.record("products", "sku", "OC90");
    assert_eq!(key, card["key"]);
    world.run("products", json!({})).clean();
    let card = world.record("products", "sku", "OC90");
    assert_eq!(false, card["archived"]);
}

#[test]
fn the_archive_is_followed_both_ways() {
    let mut account = Account::empty();
    let id = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.sim.account(|account| account.archive(id));
    world.run("changes", json!({})).clean();
    assert_eq!(true, world.record("products", "sku", "OC90")["archived"]);
    world.sim.account(|account| account.unarchive(id));
    world.run("changes", json!({})).clean();
    assert_eq!(false, world.record("products", "sku", "OC90")["archived"]);
}

#[test]
fn a_card_of_the_shop_with_the_same_brand_and_article_is_taken_and_not_doubled() {
    let mut account = Account::empty();
    let id = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.load(
        "products",
        json!([{ "key": "own", "name": "Фильтр", "brand": "Mahle", "sku": "OC90" }]),
    );
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    let line = run
        .log
        .iter()
        .find(|line| line.message.contains("matched by brand and article"));
    assert_eq!(Some("own"), line.unwrap().record.as_deref());
    assert_eq!(1, world.records("products").len());
    assert_eq!(
        "Деталь MAHLE OC90",
        world.record("products", "key", "own")["name"]
    );
    let binding = world.record("bindings", "key", "own");
    assert_eq!(world.origin("product", id), binding["origin"]);
}

#[test]
fn of_two_products_with_one_brand_and_article_only_the_first_is_taken() {
    let mut account = Account::empty();
    account.add_product(part("MAHLE OC90", "OC90"));
    let second = account.add_product(part("MAHLE OC90", "OC90").description("Двойник"));
    let world = World::of(account);
    for created in [1, 0] {
        let run = world.run("products", json!({}));
        assert_eq!(
            (created, 1),
            (run.report.created, run.report.failed),
            "{run:#?}"
        );
        let reason = run.reason(&second.to_string());
        assert!(reason.contains("same brand and article"), "{reason}");
    }
    assert_eq!(1, world.records("products").len());
}

#[test]
fn a_product_whose_code_is_spoiled_keeps_its_card_as_it_was() {
    let mut account = Account::empty();
    let id = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let before = world.records("products");
    // Cyrillic letters that look like Latin ones.
    world
        .sim
        .account(|account| account.set_text(id, "article", "ОС90"));
    let run = world.run("products", json!({}));
    let reason = run.reason(&id.to_string());
    assert!(reason.contains("look-alike Cyrillic letters"), "{reason}");
    assert_eq!(before, world.records("products"));
}

#[test]
fn a_pass_that_is_cut_at_any_page_ends_as_one_that_is_not() {
    let config = || Config {
        products: 2_400,
        ..config()
    };
    let whole = World::seeded(config());
    whole.run("products", json!({}));
    let cut = World::seeded(config());
    let ask = Ask {
        checkpoints: 1,
        ..Ask::default()
    };
    let mut calls = 0;
    let mut created = 0;
    loop {
        let run = cut.ask("products", json!({}), &ask);
        created += run.report.created;
        calls += 1;
        if run.report.outcome == Outcome::Done {
            break;
        }
        assert_eq!(Outcome::Suspended, run.report.outcome, "{run:#?}");
    }
    assert_eq!(3, calls);
    assert_eq!(2_396, created);
    assert_eq!(
        timeless(whole.records("products")),
        timeless(cut.records("products"))
    );
    assert_eq!(
        whole.records("bindings").len(),
        cut.records("bindings").len()
    );
}

// ---- webhooks

const CALLBACK: &str = "https://shop.example/hooks/7f3a9c/";

#[test]
fn webhooks_are_asked_for_once_and_taken_away_again() {
    let world = World::of(Account::empty());
    world.enable(CALLBACK).unwrap();
    world.enable(CALLBACK).unwrap();
    let hooks = world.objects(Kind::Webhook, |_, hook| {
        (hook.text("action").to_owned(), hook.text("url").to_owned())
    });
    let url = format!("{CALLBACK}products");
    let mut actions: Vec<&str> = hooks.iter().map(|(action, _)| action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(vec!["CREATE", "DELETE", "UPDATE"], actions);
    assert!(hooks.iter().all(|(_, own)| *own == url));
    world.disable();
    assert_eq!(0, world.objects(Kind::Webhook, |_, _| ()).len());
}

#[test]
fn webhooks_follow_the_callback_and_come_back_when_moysklad_has_switched_them_off() {
    let world = World::of(Account::empty());
    world.enable("https://old.example/hooks/1/").unwrap();
    world.enable(CALLBACK).unwrap();
    let urls = |world: &World| world.objects(Kind::Webhook, |_, hook| hook.text("url").to_owned());
    assert_eq!(vec![format!("{CALLBACK}products"); 3], urls(&world));
    world.sim.account(|account| {
        let hooks: Vec<_> = account
            .all(Kind::Webhook)
            .iter()
            .map(|one| one.id)
            .collect();
        for hook in hooks {
            account.change(hook, |hook| {
                hook.set("enabled", tenon_simulators::moysklad::Value::Flag(false));
            });
        }
    });
    world.enable(CALLBACK).unwrap();
    let enabled = world.objects(Kind::Webhook, |_, hook| hook.flag("enabled"));
    assert_eq!(vec![true; 3], enabled);
}

#[test]
fn webhooks_that_moysklad_switched_off_come_back_with_the_daily_pass_and_people_are_told() {
    let world = World::of(Account::empty());
    world.enable(CALLBACK).unwrap();
    world.run("products", json!({})).clean();
    world.sim.account(|account| {
        let hooks = account.all(Kind::Webhook);
        let [first, second] = [hooks[0].id, hooks[1].id];
        account.change(first, |hook| {
            hook.set("enabled", tenon_simulators::moysklad::Value::Flag(false));
        });
        account.delete(second);
    });
    let run = world.run("products", json!({})).clean();
    assert!(
        run.logged(&["2 webhooks were switched off or gone"]),
        "{run:#?}"
    );
    let hooks = world.objects(Kind::Webhook, |_, hook| {
        (hook.flag("enabled"), hook.text("url").to_owned())
    });
    assert_eq!(vec![(true, format!("{CALLBACK}products")); 3], hooks);
    world.sim.reset_counts();
    let run = world.run("products", json!({})).clean();
    assert!(!run.logged(&["webhooks"]), "{run:#?}");
    assert_eq!(0, world.writes());
}

#[test]
fn a_sixth_address_is_told_and_stops_nothing() {
    let world = World::of(Account::empty());
    for number in 0..5 {
        world.sim.account(|account| {
            for action in ["CREATE", "UPDATE", "DELETE"] {
                account.add(Kind::Webhook, |hook| {
                    let text =
                        |text: &str| tenon_simulators::moysklad::Value::Text(text.to_owned());
                    hook.set("url", text(&format!("https://other{number}.example/")));
                    hook.set("action", text(action));
                    hook.set("entityType", text("product"));
                });
            }
        });
    }
    world.enable(CALLBACK).unwrap();
    let run = world.run("products", json!({})).clean();
    assert!(run.logged(&["our webhooks are gone"]), "{run:#?}");
    world.disable();
    assert_eq!(15, world.objects(Kind::Webhook, |_, _| ()).len());
}

#[test]
fn without_webhooks_in_the_tariff_everything_works_by_asking() {
    let mut config = config();
    config.behaviour.webhooks = false;
    let world = World::with(config, Some(Account::empty()));
    world.enable(CALLBACK).unwrap();
    world.disable();
}

/// The bodies of the notices that wait at MoySklad, which are then gone.
fn notices(world: &World) -> Vec<String> {
    world.sim.account(|account| {
        let bodies = account.waiting_webhooks().iter();
        let bodies = bodies.map(|notice| notice.body.clone()).collect();
        account.lose_webhooks();
        bodies
    })
}

#[test]
fn a_webhook_brings_a_change_and_a_deletion_before_the_next_pass() {
    let mut account = Account::empty();
    let changed = account.add_product(part("MAHLE OC90", "OC90"));
    let gone = account.add_product(part("DOLZ C110", "C110"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.enable(CALLBACK).unwrap();
    world.sim.account(|account| {
        account.set_text(changed, "name", "Новое имя");
        account.delete(gone);
    });
    let bodies = notices(&world);
    assert_eq!(2, bodies.len());
    for body in bodies {
        for run in world.receive(&body, json!({})) {
            run.clean();
        }
    }
    assert_eq!("Новое имя", world.record("products", "sku", "OC90")["name"]);
    assert_eq!(true, world.record("products", "sku", "C110")["archived"]);
}

#[test]
fn a_forged_webhook_archives_nothing() {
    let mut account = Account::empty();
    let id = account.add_product(part("MAHLE OC90", "OC90"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    let body = json!({ "events": [{
        "meta": { "type": "product", "href": format!("https://api.moysklad.ru/api/remap/1.2/entity/product/{id}") },
        "action": "DELETE",
    }]});
    for run in world.receive(&body.to_string(), json!({})) {
        run.clean();
    }
    assert_eq!(false, world.record("products", "sku", "OC90")["archived"]);
}

#[test]
fn when_every_webhook_is_lost_the_next_poll_and_the_next_pass_repair_it() {
    let mut account = Account::empty();
    let changed = account.add_product(part("MAHLE OC90", "OC90"));
    let gone = account.add_product(part("DOLZ C110", "C110"));
    let world = World::of(account);
    world.run("products", json!({})).clean();
    world.enable(CALLBACK).unwrap();
    world.sim.account(|account| {
        account.set_text(changed, "name", "Новое имя");
        account.add_product(part("SKF X1", "X1"));
        account.delete(gone);
    });
    assert_eq!(3, notices(&world).len());
    world.run("changes", json!({})).clean();
    assert_eq!("Новое имя", world.record("products", "sku", "OC90")["name"]);
    world.record("products", "sku", "X1");
    world.run("products", json!({})).clean();
    assert_eq!(true, world.record("products", "sku", "C110")["archived"]);
}

#[test]
fn an_article_with_a_space_is_the_card_whose_article_has_none() {
    let mut account = Account::empty();
    account.add_product(part("MAHLE OC 90", "OC 90"));
    let world = World::of(account);
    world.load(
        "products",
        json!([{ "key": "old", "name": "Фильтр", "brand": "MAHLE", "sku": "OC90" }]),
    );
    world.run("products", json!({})).clean();
    let cards = world.records("products");
    assert_eq!(1, cards.len(), "{cards:#?}");
    assert_eq!("old", cards[0]["key"]);
}
