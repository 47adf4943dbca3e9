use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::{List, Source};
use crate::flow::needs::Needs;
use crate::http::{Request, Response};
use crate::lenient::Text;
use crate::model::{Account, Fault, Outcome, Partner, PartnerFields, Reason};
use crate::testing::{self, Host, survives};
use crate::{Call, Settings, reason, record, time};

#[derive(Settings)]
struct Chosen {
    #[setting(title(en: "Address", uk: "Адреса", ru: "Адрес"), address, default = "https://crm.test")]
    base_url: String,
}

crate::connector! {
    struct Crm = "crm", title(en: "CRM", uk: "CRM", ru: "CRM");
    settings Chosen;
    endpoint crm = "{settings.base_url}", budget(60 per 60 s);
    check => check;
    job changed = title(en: "Changed", uk: "Зміни", ru: "Изменения") => changed;
    job whole = title(en: "Whole", uk: "Усе", ru: "Всё") => whole;
}

fn check() -> Result<Account, Fault> {
    Crm::crm()?.get("/").send()?;
    Ok(Account {
        id: None,
        name: String::new(),
        facts: Vec::new(),
        notes: Vec::new(),
    })
}

fn changed(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    assert!(call.settings.base_url.ends_with("crm.test"));
    super::run(&Changed, &call.retry)
}

fn whole(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    super::run(&Whole, &call.retry)
}

#[record]
struct Card<'a> {
    name: Text<'a>,
}

fn map(card: &Card<'_>) -> Result<Partner, Reason> {
    let name = card.name.owned();
    Ok(Partner {
        name: name.ok_or_else(|| reason!("sdk.pull.no-id"))?,
        ..Partner::default()
    })
}

macro_rules! sources {
    ($($source:ident, $list:expr;)*) => { $(
        struct $source;

        impl Source for $source {
            type Row<'a> = Card<'a>;
            type Connector = Crm;
            type Record = Partner;

            const KIND: &'static str = "partner";
            const LIST: List = $list.rows("data").pages("page", 3);

            fn owned(&self) -> PartnerFields {
                PartnerFields::NAME
            }

            fn map(&self, card: &Card<'_>, _: &Needs) -> Result<Partner, Reason> {
                map(card)
            }
        }
    )* };
}

sources! {
    Changed, List::changed_since("/changed", "since", "at");
    Whole, List::whole("/whole");
}

/// Cards by id, name and when they changed.
type Cards = Vec<(u32, String, String)>;

fn card(id: u32, at: &str) -> (u32, String, String) {
    (id, format!("Card {id}"), at.to_owned())
}

/// A page of the cards. What changed is sorted by when.
fn page(cards: &Cards, request: &Request) -> Response {
    let parameter = |name: &str| {
        let value = request
            .url
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix(name));
        value.unwrap_or_default().replace("%3A", ":")
    };
    let since = parameter("since=");
    let mut cards = cards.clone();
    if request.url.contains("/changed") {
        cards.sort_by_key(|(id, _, at)| (at.clone(), *id));
    }
    let number: usize = parameter("page=").parse().unwrap_or(1);
    let mut rows: Vec<Value> = cards
        .iter()
        .filter(|(.., at)| *at >= since)
        .map(|(id, name, at)| json!({ "id": id, "name": name, "at": at }))
        .collect();
    let total = rows.len();
    rows = rows.into_iter().skip(3 * (number - 1)).take(3).collect();
    testing::json(200, &json!({ "data": rows, "total": total }))
}

/// A CRM with these cards, which `meanwhile` changes after each request.
fn host(cards: Cards, mut meanwhile: impl FnMut(usize, &mut Cards) + 'static) -> Host<Crm> {
    let cards = Rc::new(RefCell::new(cards));
    let mut requests = 0;
    Host::new(json!({}), move |request| {
        let answer = page(&cards.borrow(), request);
        requests += 1;
        meanwhile(requests, &mut cards.borrow_mut());
        answer
    })
}

fn names(host: &Host<Crm>) -> Vec<String> {
    let names = host.books(|books| books.partners.iter().map(|one| one.name.clone()).collect());
    let mut names: Vec<String> = names;
    names.sort_unstable();
    names
}

fn cards(ids: impl IntoIterator<Item = u32>) -> Cards {
    let at = |id| format!("2026-03-01T10:00:{id:02}Z");
    ids.into_iter().map(|id| card(id, &at(id))).collect()
}

#[test]
fn more_than_a_page_that_changed_at_one_moment_is_read_to_its_end() {
    let same = (1..=8).map(|id| card(id, "2026-03-01T10:00:00Z")).collect();
    let host = host(same, |_, _| {});
    let run = host.run("changed");
    assert_eq!(run.counts(), (8, 0, 0, 0), "{run:#?}");
}

#[test]
fn what_moves_to_the_end_while_the_list_is_read_hides_nothing() {
    for moved in 1..=9 {
        for after in 1..=4 {
            let host = host(cards(1..=9), move |requests, cards| {
                if requests == after {
                    let place = cards.iter().position(|(id, ..)| *id == moved);
                    cards[place.expect("a card")].2 = "2026-03-02T10:00:00Z".to_owned();
                }
            });
            host.run("changed");
            host.run("changed");
            assert_eq!(names(&host).len(), 9, "card {moved} after request {after}");
        }
    }
}

#[test]
fn one_that_is_dated_ahead_blinds_no_later_run() {
    let ahead = || {
        let mut ahead = cards([1]);
        ahead.push(card(2, "2099-01-01T00:00:00Z"));
        ahead
    };
    let host = host(ahead(), |requests, cards| {
        if requests == 1 {
            let now = time::utc_text(time::now()).replace(' ', "T");
            cards.push(card(3, &format!("{now}Z")));
        }
    });
    host.run("changed");
    host.run("changed");
    assert_eq!(names(&host), ["Card 1", "Card 2", "Card 3"]);
}

#[test]
fn a_list_that_is_read_as_a_whole_and_shrinks_is_read_again_where_rows_moved() {
    for gone in 0..3 {
        let host = host(cards(1..=7), move |requests, cards| {
            if requests == 1 {
                cards.remove(gone);
            }
        });
        host.run("whole");
        let names = names(&host);
        assert!(
            (4..=7).all(|id| names.contains(&format!("Card {id}"))),
            "{names:?}"
        );
    }
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_run_is_killed() {
    survives(|| host(cards(1..=7), |_, _| {}), "changed");
    survives(|| host(cards(1..=7), |_, _| {}), "whole");
}

#[test]
fn a_run_with_nothing_new_asks_once_and_writes_nothing() {
    let host = host(cards(1..=2), |_, _| {});
    host.run("changed");
    for _ in 0..3 {
        let run = host.run("changed");
        assert_eq!((run.counts(), run.sent.len()), ((0, 0, 2, 0), 1));
    }
}
