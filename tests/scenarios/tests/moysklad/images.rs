//! Pictures, MoySklad → shop.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{Account, Files, Id, NewProduct};

use crate::world::{Ask, World};

fn photos() -> Value {
    json!({ "photos": true })
}

/// The content of a picture.
fn png(content: &[u8]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n", content].concat()
}

fn with_pictures(pictures: &[(&str, &[u8])]) -> (World, Id) {
    let mut account = Account::empty();
    let id = account.add_product(NewProduct::new("Фильтр").code("MAHLE OC90").article("OC90"));
    for (name, content) in pictures {
        account.add_image(id, name, &png(content));
    }
    let world = World::of(account);
    world.run("products", json!({})).clean();
    (world, id)
}

fn shown(world: &World) -> Vec<String> {
    let card = world.record("products", "sku", "OC90");
    let images = card["images"].as_array().expect("pictures").iter();
    images
        .map(|image| image["file_name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Downloads from the file storage.
fn fetched(world: &World) -> usize {
    let seen = world.sim.recent_requests().into_iter();
    let files =
        seen.filter(|seen| !seen.path.starts_with("/api/") && !seen.endpoint.contains("/entity/"));
    let files: Vec<_> = files
        .filter(|seen| !seen.endpoint.contains("/download"))
        .collect();
    for file in &files {
        assert_eq!(None, file.header("authorization"), "{file:?}");
    }
    files.len()
}

#[test]
fn pictures_are_fetched_without_the_credential_and_only_when_they_changed() {
    let (world, id) = with_pictures(&[("a.png", b"one"), ("b.png", b"two")]);
    assert!(shown(&world).is_empty(), "they are switched off");
    world.run("images", json!({})).clean();
    assert!(shown(&world).is_empty());

    world.sim.reset_counts();
    let run = world.run("images", photos()).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    assert_eq!(vec!["a.png", "b.png"], shown(&world));
    assert_eq!(2, world.sim.requests_to("GET /download/{id}"));

    world.sim.reset_counts();
    world.run("products", json!({}));
    let run = world.run("images", photos()).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
    assert_eq!(0, world.sim.requests_to("GET /download/{id}"));

    world
        .sim
        .account(|account| account.add_image(id, "c.png", &png(b"three")));
    world.sim.reset_counts();
    world.run("images", photos()).clean();
    assert_eq!(vec!["a.png", "b.png", "c.png"], shown(&world));
    assert_eq!(1, world.sim.requests_to("GET /download/{id}"));
    assert_eq!(1, fetched(&world));
}

#[test]
fn pictures_taken_away_go_and_those_of_the_shops_people_stay() {
    let (world, id) = with_pictures(&[("a.png", b"one")]);
    world.run("images", photos()).clean();
    let card = world.record("products", "sku", "OC90");
    let mut images = card["images"].as_array().unwrap().clone();
    images.push(json!({ "file_name": "own.png", "digest": "people" }));
    world.edit(
        "products",
        card["key"].as_str().unwrap(),
        json!({ "images": images }),
    );
    world.sim.account(|account| account.remove_images(id));
    world.run("images", photos()).clean();
    assert_eq!(vec!["own.png"], shown(&world));
}

#[test]
fn a_picture_that_cannot_be_fetched_is_listed_and_tried_again_after_the_next_pass() {
    let (world, _) = with_pictures(&[("a.png", b"one"), ("b.png", b"two")]);
    world
        .sim
        .faults()
        .add(Rule::new(Fault::Status(404)).on("GET /download/{id}"));
    let run = world.run("images", photos());
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
    assert_eq!(1, run.report.failed, "{:#?}", run.report.records);
    assert!(run.report.records[0].id.ends_with("/a.png"));
    assert_eq!(vec!["b.png"], shown(&world));
    world.run("products", json!({})).clean();
    world.run("images", photos()).clean();
    assert_eq!(vec!["a.png", "b.png"], shown(&world));
}

#[test]
fn a_picture_that_can_be_fetched_again_is_shown_when_people_ask() {
    let (world, _) = with_pictures(&[("a.png", b"one"), ("b.png", b"two")]);
    let fail = || {
        let rule = Rule::new(Fault::Status(404)).on("GET /download/{id}");
        world.sim.faults().add(rule);
    };
    fail();
    assert_eq!(1, world.run("images", photos()).report.failed);
    // A later change: from now on no look at changes goes back to this product.
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        account.add_product(NewProduct::new("Свеча").code("NGK B1").article("B1"));
    });
    fail();
    assert_eq!(1, world.run("images", photos()).report.failed);
    world.sim.reset_counts();
    world.run("images", photos()).clean();
    assert_eq!(vec!["b.png"], shown(&world));
    assert_eq!(1, world.sim.requests_to("GET /entity/product"));

    let run = world.asked("images", photos()).clean();
    assert_eq!(1, run.report.updated, "{:?}", run.report);
    assert_eq!(vec!["a.png", "b.png"], shown(&world));
    world.sim.reset_counts();
    world.asked("images", photos()).clean();
    assert_eq!(1, world.sim.requests_to("GET /entity/product"));
}

#[test]
fn pictures_are_had_from_every_host_that_is_named_and_one_that_is_closed_keeps_no_other() {
    let pictures: [(&str, &[u8]); 4] = [
        ("a.png", b"one"),
        ("b.png", b"two"),
        ("c.png", b"three"),
        ("d.png", b"four"),
    ];
    let (world, _) = with_pictures(&pictures);
    world.sim.reset_counts();
    world.run("images", photos()).clean();
    assert_eq!(vec!["a.png", "b.png", "c.png", "d.png"], shown(&world));
    assert_eq!(4, fetched(&world));

    let (mut world, _) = with_pictures(&pictures);
    let [open, closed] = world.sim.storage_urls();
    world.files = vec![open];
    let run = world.run("images", photos());
    assert_eq!(2, run.report.failed, "{run:#?}");
    assert_eq!(2, shown(&world).len());
    for record in &run.report.records {
        let why = format!("{:?}", record.why);
        assert!(why.contains(&closed), "{why}");
        assert!(!why.contains('?'), "the address is signed: {why}");
    }
}

#[test]
fn a_preview_fetches_nothing() {
    let (world, _) = with_pictures(&[("a.png", b"one")]);
    world.sim.reset_counts();
    let preview = Ask {
        preview: true,
        ..Ask::default()
    };
    let run = world.ask("images", photos(), &preview);
    assert!(run.logged(&["1 photos would be shown"]), "{run:#?}");
    assert_eq!(0, world.sim.requests_to("GET /download/{id}"));
    assert!(shown(&world).is_empty());
}

#[test]
fn what_is_no_picture_or_half_of_one_takes_the_place_of_none_and_is_tried_again() {
    for files in [Files::Error, Files::Empty, Files::Half] {
        let (world, id) = with_pictures(&[("a.png", b"one")]);
        world.run("images", photos()).clean();
        let before = world.record("products", "sku", "OC90")["images"].clone();
        world.sim.account(|account| {
            account.wait(SignedDuration::from_hours(1));
            account.remove_images(id);
            account.add_image(id, "a.png", &png(b"another"));
            account.behaviour.files = files;
        });
        let run = world.run("images", photos());
        assert_eq!((0, 0, 0, 1), run.counts(), "failed, once: {run:#?}");
        let shown = world.record("products", "sku", "OC90")["images"].clone();
        assert_eq!(before, shown, "{files:?}");
        world
            .sim
            .account(|account| account.behaviour.files = Files::Whole);
        let run = world.asked("images", photos()).clean();
        assert_eq!(1, run.report.updated, "{run:#?}");
        assert_ne!(before, world.record("products", "sku", "OC90")["images"]);
    }
}
