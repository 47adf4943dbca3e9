//! A run knows where and for whom it works, and never works with another account under it.

use serde_json::{Value, json};
use tenon_conformance::{Guest, Run, Sandbox};
use tenon_host::report::{Outcome, Question};
use tenon_host::{CallError, Mend, Place};

const GUEST: &str = "belong_to_somebody";

/// The guest with a credential of this account.
fn of<'a>(sandbox: &'a Sandbox, account: &Value) -> Guest<'a> {
    let guest = sandbox.guest(GUEST).key(&account.to_string());
    guest.settings(json!({ "account": account }))
}

fn told(id: &str) -> Value {
    json!({ "id": id, "name": format!("Shop {id}") })
}

fn untold(facts: Value) -> Value {
    json!({ "name": "CRM", "facts": facts })
}

/// What a run was told of where and for whom it works.
fn context(run: &Run) -> Value {
    run.assert_done();
    let mut lines = run.heard.log.iter();
    let line = lines.find(|line| line.message.starts_with('{'));
    serde_json::from_str(&line.expect("a context").message).expect("JSON")
}

fn identity(run: &Run) -> String {
    context(run)["account"]
        .as_str()
        .expect("an account")
        .to_owned()
}

/// The question of a run that did not begin.
fn asked(run: &Run) -> Question {
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:?}");
    assert!(run.heard.log.is_empty(), "{run:?}");
    let [question] = run.report.questions.as_slice() else {
        panic!("not one question: {run:?}");
    };
    assert_eq!(Some(&question.why), run.report.why.as_ref());
    question.clone()
}

#[test]
fn belong_to_somebody_is_told_the_tenants_place_and_the_identity_of_its_books() {
    let sandbox = Sandbox::new();
    let place = Place {
        time_zone: "Europe/Kyiv".to_owned(),
        language: "uk".to_owned(),
        currency: "EUR".to_owned(),
    };
    let run = of(&sandbox, &told("a")).place(place.clone()).run();
    let books = sandbox.contents("shop")["settings"].concat();
    let books = books.strip_prefix("books|").expect("one setting");
    assert_eq!(
        json!({
            "time_zone": place.time_zone, "language": place.language, "currency": place.currency,
            "books": books.trim_end_matches('|'), "account": "a",
        }),
        context(&run)
    );
    let elsewhere = of(&sandbox, &told("a")).tenant("other").run();
    assert_ne!(context(&run)["books"], context(&elsewhere)["books"]);
}

#[test]
fn belong_to_somebody_else_ends_the_run_before_it_begins_until_people_have_agreed() {
    let sandbox = Sandbox::new();
    of(&sandbox, &told("a"))
        .argument("order-1")
        .run()
        .assert_done();
    let before = sandbox.contents("shop");

    let other = of(&sandbox, &told("b")).argument("order-1");
    let question = asked(&other.run());
    assert_eq!("host.other-account", question.why.code);
    assert_eq!(
        Some(Mend::Credential("api_key".to_owned())),
        question.why.mend
    );
    for name in ["Shop a", "Shop b"] {
        assert!(question.text.contains(name), "{}", question.text);
    }
    let mut after = sandbox.contents("shop");
    let mut expected = before.clone();
    // But for the report of the run.
    after.remove("runs");
    expected.remove("runs");
    assert_eq!(expected, after);
    assert_eq!(question, asked(&other.run()), "the question stays the same");
    // The right credential puts it right.
    let right = of(&sandbox, &told("a")).argument("order-1").run();
    assert!(right.logged(&["order-1 was bound: true"]), "{right:?}");

    // An answer counts for these two accounts alone.
    let third = asked(&of(&sandbox, &told("c")).confirmed(&question.id).run());
    assert_ne!(question.id, third.id);
    let agreed = other.confirmed(&question.id).run();
    assert_eq!("b", identity(&agreed));
    assert!(agreed.logged(&["order-1 was bound: false"]), "{agreed:?}");
    assert!(agreed.report.questions.is_empty());
    of(&sandbox, &told("b")).run().assert_done();

    // Back again, it goes on with what it had.
    let back = of(&sandbox, &told("a")).argument("order-1");
    let back = back
        .confirmed(&asked(&of(&sandbox, &told("a")).run()).id)
        .run();
    assert_eq!("a", identity(&back));
    assert!(back.logged(&["order-1 was bound: true"]), "{back:?}");
}

#[test]
fn belong_to_somebody_else_at_another_path_of_one_server_is_noticed() {
    let sandbox = Sandbox::new();
    of(&sandbox, &told("a")).run().assert_done();
    // The credential is the same, so only the address can tell.
    let other = of(&sandbox, &told("b")).key(&told("a").to_string());
    other.run().assert_done();
    let other = other.at("https://counterpart.invalid/other");
    let question = asked(&other.run());
    assert_eq!("host.other-account", question.why.code);
    // Whoever only tries the credential is told, too.
    assert_eq!(vec![question.why], other.check().unwrap().notes);
    assert!(of(&sandbox, &told("a")).check().unwrap().notes.is_empty());
}

#[test]
fn belong_to_somebody_without_an_id_is_known_again_by_facts() {
    let sandbox = Sandbox::new();
    let facts = json!({ "user 1": "2020", "source 1": "2021", "source 2": "2022" });
    let first = identity(&of(&sandbox, &untold(facts.clone())).run());
    assert!(first.len() >= 16, "{first}");

    // Another key of the same account, of which one source was removed since.
    let same = untold(json!({ "user 1": "2020", "source 2": "2022" }));
    assert_eq!(first, identity(&of(&sandbox, &same).run()));
    // A second connection of the account.
    let second = of(&sandbox, &untold(facts)).connection("second").run();
    assert_eq!(first, identity(&second));

    let half = untold(json!({ "user 1": "2020", "source 1": "x" }));
    let unsure = asked(&of(&sandbox, &half).run());
    assert_eq!("host.unsure-account", unsure.why.code);
    assert_eq!(
        first,
        identity(&of(&sandbox, &half).confirmed(&unsure.id).run())
    );
    assert_eq!(first, identity(&of(&sandbox, &half).run()));

    let strange = untold(json!({ "user 1": "y", "source 1": "y" }));
    let other = asked(&of(&sandbox, &strange).run());
    assert_eq!("host.other-account", other.why.code);
    assert_ne!(
        first,
        identity(&of(&sandbox, &strange).confirmed(&other.id).run())
    );
}

#[test]
fn belong_to_somebody_else_is_asked_for_when_switching_on_too() {
    let sandbox = Sandbox::new();
    of(&sandbox, &told("a")).enable().unwrap();
    assert!(!sandbox.tables_with("shop", "hook").is_empty());
    let other = of(&sandbox, &told("b"));
    let Err(CallError::Question(question)) = other.enable() else {
        panic!("it is switched on with another account");
    };
    assert_eq!(*question, asked(&other.run()));
    other.clone().confirmed(&question.id).enable().unwrap();
    assert_eq!("b", identity(&other.run()));
}

#[test]
fn belong_to_somebody_else_in_a_preview_changes_nothing() {
    let sandbox = Sandbox::new();
    let preview = of(&sandbox, &told("a")).preview().run();
    assert_eq!("a", identity(&preview));
    assert!(sandbox.contents("shop")["accounts"].is_empty());
    of(&sandbox, &told("a"))
        .argument("order-1")
        .run()
        .assert_done();
    let before = sandbox.contents("shop");
    let other = of(&sandbox, &told("b")).argument("order-1").preview();
    let question = asked(&other.run());
    let seen = other.confirmed(&question.id).run();
    assert!(seen.logged(&["order-1 was bound: false"]), "{seen:?}");
    assert_eq!(before, sandbox.contents("shop"));
}

#[test]
fn belong_to_somebody_whose_id_or_facts_do_no_good_is_no_account() {
    let sandbox = Sandbox::new();
    for id in ["", "a:b", "a/b", "a b", "Київ", &"a".repeat(101)] {
        let run = of(&sandbox, &told(id)).run();
        run.assert_crashed(&["id of its account"]);
    }
    let facts: serde_json::Map<_, _> = (0..51).map(|one| (one.to_string(), json!("x"))).collect();
    let run = of(&sandbox, &untold(facts.into())).run();
    run.assert_crashed(&["more than 50 facts"]);
    assert!(sandbox.contents("shop")["accounts"].is_empty());
}

#[test]
fn belong_to_somebody_keeps_no_secret_and_no_fact_in_clear() {
    let sandbox = Sandbox::new();
    let secret = "s3cret-of-the-account";
    let account = untold(json!({ "owner": "olena@example.test" }));
    let guest = sandbox.guest(GUEST).settings(json!({ "account": account }));
    guest.key(secret).run().assert_done();
    for text in [secret, "olena"] {
        assert_eq!(Vec::<String>::new(), sandbox.tables_with("shop", text));
    }
}
