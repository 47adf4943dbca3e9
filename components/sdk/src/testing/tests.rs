use std::cell::RefCell;
use std::rc::Rc;

use serde_json::json as value;

use super::{Host, json, refused, survives};
use crate::http::{Method, Request, Response};
use crate::import::{Tally, bound, fingerprint, pair};
use crate::model::{
    Account, Binding, Change, Directive, Fault, Order, OrderFields, Outcome, RunMode, Written,
};
use crate::origin::origin;
use crate::runtime::{bindings, run};
use crate::{Call, Settings, erp, state};

#[derive(Settings)]
struct Chosen {
    #[setting(title(en: "Address", uk: "Адреса", ru: "Адрес"), address, default = "https://shop.test")]
    base_url: String,
    #[setting(title(en: "Partner", uk: "Партнер", ru: "Партнёр"), record = Partner)]
    partner: Option<String>,
}

crate::connector! {
    struct Counting = "counting", title(en: "Counting", uk: "Лічба", ru: "Счёт");
    settings Chosen;
    endpoint shop = "{settings.base_url}", budget(60 per 60 s), reads(POST "/*/search");
    check => check;
    job orders = title(en: "Orders", uk: "Замовлення", ru: "Заказы") => orders;
    job push = title(en: "Push", uk: "Надіслати", ru: "Отправить") => push;
    job carelessly = title(en: "Carelessly", uk: "Недбало", ru: "Небрежно") => carelessly;
}

fn check() -> Result<Account, Fault> {
    Counting::shop()?.get("/me").send()?;
    Ok(Account {
        id: Some("me".to_owned()),
        name: "Me".to_owned(),
        facts: Vec::new(),
        notes: Vec::new(),
    })
}

/// Three orders, each with a checkpoint of its own.
fn orders(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    let from: u64 = state::load("next").unwrap_or(0);
    let mut tally = Tally::after(from);
    for id in from..3 {
        let origin = origin("counting", "order", id);
        let known = bound("order", std::slice::from_ref(&origin));
        if known.is_empty() {
            let order = Order {
                origin: Some(origin.clone()),
                number: Some(id.to_string()),
                partner: call.settings.partner.clone(),
                ..Order::default()
            };
            for saved in erp::orders::save(&[order], OrderFields::all())? {
                let saved = saved?;
                tally.count(saved.effect);
                bindings::bind(&[Binding {
                    fingerprint: Some(fingerprint(1, &id)),
                    ..pair("order", &saved.key, &origin)
                }]);
            }
        }
        state::save("next", &(id + 1))?;
        if tally.checkpoint() == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
    state::forget("next");
    Ok(Outcome::Done)
}

fn push(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    let shop = Counting::shop()?;
    shop.call(Method::Post, "/orders/search").send()?;
    if run::mode() == RunMode::Live {
        shop.call(Method::Put, "/orders/1").send()?;
    }
    run::wrote(&[Written {
        record_kind: "order".to_owned(),
        origin: origin("counting", "order", 1),
        key: None,
        label: Some(call.settings.base_url.clone()),
        change: Change::Updated,
        fields: Vec::new(),
    }]);
    Ok(Outcome::Done)
}

fn carelessly(_: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    // What the host refuses in a preview it does not notice.
    let _refused = Counting::shop()?.call(Method::Put, "/orders/1").send();
    Ok(Outcome::Done)
}

fn counterpart(request: &Request) -> Response {
    match request.url.strip_prefix("https://shop.test") {
        Some("/me" | "/orders/1" | "/orders/search") => json(200, &value!({})),
        _ => refused(404),
    }
}

fn host() -> Host<Counting> {
    Host::new(value!({}), counterpart)
}

#[test]
fn what_a_run_writes_is_there_after_it_and_not_written_twice() {
    let host = host();
    assert_eq!(host.run("orders").counts(), (3, 0, 0, 0));
    assert_eq!(host.run("orders").counts(), (0, 0, 0, 0));
    assert_eq!(host.books(|books| books.orders.len()), 3);
    host.check().expect("a counterpart that answers");
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_run_is_killed() {
    survives(host, "orders");
}

#[test]
#[should_panic(expected = "after a kill at call")]
fn a_job_that_forgets_what_it_did_is_found_out() {
    let sent = Rc::new(RefCell::new(0));
    // The counterpart counts what it gets, and the books show what it says.
    survives(
        move || {
            let sent = Rc::clone(&sent);
            *sent.borrow_mut() += 1;
            let host = host();
            let number = sent.borrow().to_string();
            host.books(|books| {
                books.put_order(Order {
                    number: Some(number),
                    ..Order::default()
                })
            });
            host
        },
        "orders",
    );
}

#[test]
fn a_preview_sends_nothing_that_writes_and_keeps_nothing() {
    let host = host();
    let run = host.preview("push");
    assert_eq!((run.sent.len(), run.written.len()), (1, 1));
    assert_eq!(host.preview("orders").counts(), (3, 0, 0, 0));
    assert!(host.books(|books| books.orders.is_empty()));
    assert_eq!(host.run("push").sent.len(), 2);
}

#[test]
#[should_panic(expected = "a preview sent")]
fn a_preview_that_writes_is_found_out() {
    host().preview("carelessly");
}

#[test]
fn a_record_that_a_setting_names_has_to_be_there() {
    let host = Host::<Counting>::new(value!({ "partner": "walk-in" }), counterpart);
    let Err(Fault::Configuration(reason)) = host.run("orders").outcome else {
        panic!("there is no such partner");
    };
    assert_eq!(reason.code, "sdk.setting-gone");
    host.books(|books| {
        books.put_partner(crate::model::Partner {
            key: Some("walk-in".to_owned()),
            ..crate::model::Partner::default()
        })
    });
    assert_eq!(host.run("orders").counts(), (3, 0, 0, 0));
}
