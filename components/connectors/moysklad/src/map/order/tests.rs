use std::collections::HashMap;
use std::sync::LazyLock;

use rust_decimal::Decimal;
use tenon_sdk::decimal::{self, round_money};
use tenon_sdk::model::{self, Order, OrderLine, Reason, RecordKind};
use tenon_sdk::push::lines::{self, Found, differ, pair};
use tenon_sdk::reason;
use uuid::Uuid;

use super::{Draft, Flow, Given, Places, birth, draft};
use crate::api::meta::Kind;
use crate::api::records::{List, Position};

type Agreed = lines::Agreed<Uuid>;
type Outcome = lines::Outcome<Uuid>;

static NO_VARIANTS: LazyLock<HashMap<String, Uuid>> = LazyLock::new(HashMap::new);

const BASE: &str = "https://x/api/remap/1.2";

fn money(text: &str) -> model::Decimal {
    let exact = decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"));
    exact.try_into().expect("it fits")
}

fn line(id: &str, product: &str, quantity: &str, price: &str, discount: &str) -> OrderLine {
    OrderLine {
        id: id.to_owned(),
        product: Some(product.to_owned()),
        name: product.to_owned(),
        quantity: money(quantity),
        price: money(price),
        discount: money(discount),
        ..OrderLine::default()
    }
}

fn order(lines: Vec<OrderLine>, discount: &str) -> Order {
    Order {
        key: Some("42".to_owned()),
        currency: "RUB".to_owned(),
        discount: money(discount),
        lines,
        ..Order::default()
    }
}

fn products() -> HashMap<String, (Kind, Uuid)> {
    [
        ("filter".to_owned(), (Kind::Product, Uuid::from_u128(1))),
        ("belt".to_owned(), (Kind::Product, Uuid::from_u128(2))),
    ]
    .into()
}

fn drafted(order: &Order, flow: Flow, reserve: bool) -> Result<Draft, Reason> {
    let places = Places {
        base: BASE,
        agent: Uuid::from_u128(9),
        products: &products(),
        variants: &NO_VARIANTS,
        reserve,
        delivery: None,
        currency: None,
    };
    draft(order, flow, &places)
}

fn json(fields: &crate::api::fields::Fields) -> serde_json::Value {
    let text = serde_json::to_string(fields).expect("JSON");
    serde_json::from_str(&text).expect("JSON")
}

/// What MoySklad makes of positions, in hundredths.
fn vendor_sum(draft: &Draft) -> Decimal {
    let number = |value: &serde_json::Value| {
        decimal::parse(&value.to_string()).unwrap_or_else(|| panic!("{value}"))
    };
    draft
        .lines
        .iter()
        .filter(|line| !line.refused)
        .map(|line| {
            let position = json(&line.fields);
            let sum = number(&position["price"]) * number(&position["quantity"]);
            let left = Decimal::ONE_HUNDRED - number(&position["discount"]);
            round_money(sum * left / Decimal::ONE_HUNDRED).round_dp(0)
        })
        .sum()
}

#[test]
fn discounts_of_lines_and_of_the_order_add_up_to_the_kopeck() {
    for (lines, discount, kopecks) in [
        (vec![line("1", "filter", "2", "450.50", "0")], "0", 90_100),
        (vec![line("1", "filter", "3", "33.33", "10")], "0", 8_999),
        (
            vec![
                line("1", "filter", "3", "33.33", "0.01"),
                line("2", "belt", "7", "1999.99", "0"),
            ],
            "100",
            1_399_991,
        ),
        (
            vec![
                line("1", "filter", "1", "0.01", "0"),
                line("2", "belt", "1", "0.02", "0"),
            ],
            "0.01",
            2,
        ),
    ] {
        let draft = drafted(&order(lines, discount), Flow::Sale, false).expect("a draft");
        assert_eq!(vendor_sum(&draft), Decimal::from(kopecks), "{discount}");
    }
}

#[test]
fn a_position_has_exact_figures_and_its_vat_and_reserve() {
    let mut given = line("1", "filter", "2", "199.90", "0");
    given.vat = Some(money("20"));
    let sale = drafted(&order(vec![given.clone()], "0"), Flow::Sale, true).expect("a draft");
    assert_eq!(
        json(&sale.lines[0].fields),
        serde_json::json!({
            "assortment": { "meta": {
                "href": format!("{BASE}/entity/product/{}", Uuid::from_u128(1)),
                "type": "product",
                "mediaType": "application/json",
            }},
            "quantity": 2, "price": 19990, "discount": 0, "vat": 20, "vatEnabled": true,
            "reserve": 2,
        })
    );
    let purchase = drafted(&order(vec![given], "0"), Flow::Purchase, true).expect("a draft");
    assert!(json(&purchase.lines[0].fields).get("reserve").is_none());
}

#[test]
fn a_line_whose_product_moysklad_does_not_have_keeps_the_order_back() {
    let unknown = line("1", "tyre", "1", "10", "0");
    let reason = drafted(&order(vec![unknown.clone()], "0"), Flow::Sale, false).expect_err("tyre");
    let told = reason!("order.line-product", line = "tyre").record(RecordKind::Product, "tyre");
    assert_eq!(told, reason);
    let refused = OrderLine {
        refused: true,
        ..unknown
    };
    let good = line("2", "belt", "1", "10", "0");
    assert!(drafted(&order(vec![refused, good], "0"), Flow::Sale, false).is_ok());
}

#[test]
fn a_new_document_has_the_settings_and_the_shops_number() {
    let mut order = order(vec![line("1", "belt", "1", "10", "0")], "0");
    order.number = Some("A-17".to_owned());
    order.created_at = tenon_sdk::time::parse("2026-03-01T21:30:00Z").ok();
    let given = Given {
        store: Some(Uuid::from_u128(5)),
        owner: None,
        state: Some(Uuid::from_u128(6)),
    };
    let id = Uuid::from_u128(7);
    let born = json(&birth(
        &order,
        Flow::Sale,
        BASE,
        Uuid::from_u128(8),
        id,
        &given,
    ));
    assert_eq!(born["name"], "A-17");
    assert_eq!(born["externalCode"], "42");
    assert_eq!(born["moment"], "2026-03-02 00:30:00");
    assert_eq!(born["syncId"], id.to_string());
    assert_eq!(born["state"]["meta"]["type"], "state");
    assert!(born.get("owner").is_none());
}

fn rows(rows: &[(u128, u128, &str)]) -> Vec<Position> {
    let rows: Vec<String> = rows
        .iter()
        .map(|(id, product, quantity)| {
            let (id, product) = (Uuid::from_u128(*id), Uuid::from_u128(*product));
            format!(
                r#"{{"id":"{id}","quantity":{quantity},"price":100.0,
                    "assortment":{{"meta":{{"href":"{BASE}/entity/product/{product}"}}}}}}"#
            )
        })
        .collect();
    let text = format!(r#"{{"rows":[{}]}}"#, rows.join(","));
    serde_json::from_str::<List<Position>>(&text)
        .expect("rows")
        .rows
}

/// What a known document should have.
fn positions(
    draft: &Draft,
    agreed: &HashMap<String, Agreed>,
    rows: &[Position],
    delete_refused: bool,
) -> Outcome {
    lines::positions(&draft.lines, agreed, rows, Found::Bound, delete_refused)
}

/// What is agreed once a draft was sent and its positions got these ids.
fn agreed(draft: &Draft, ids: &[u128]) -> HashMap<String, Agreed> {
    let lines = draft.lines.iter().zip(ids);
    lines
        .map(|(line, id)| {
            let agreed = Agreed {
                position: Some(Uuid::from_u128(*id)),
                print: Some(line.fields.print()),
            };
            (line.id.clone(), agreed)
        })
        .collect()
}

/// Numbers of the positions that change and that go, and how many are added.
fn moves(outcome: &Outcome) -> (Vec<u128>, Vec<u128>, usize) {
    let changed = outcome.changed.iter();
    let removed = outcome.removed.iter();
    (
        changed.map(|one| one.position.as_u128()).collect(),
        removed.map(Uuid::as_u128).collect(),
        outcome.added.len(),
    )
}

#[test]
fn two_lines_with_one_product_stay_two_positions() {
    let two = order(
        vec![
            line("a", "filter", "1", "1", "0"),
            line("b", "filter", "5", "1", "0"),
        ],
        "0",
    );
    let draft = drafted(&two, Flow::Sale, false).expect("a draft");
    let present = rows(&[(11, 1, "1"), (12, 1, "5")]);
    let pairs = pair(&draft.lines, &HashMap::new(), &present, Found::Strange);
    assert_eq!(pairs, [Some(0), Some(1)]);

    // The rows of these tests cost 100 kopecks.
    let turned = rows(&[(12, 1, "5"), (11, 1, "1")]);
    let pairs = pair(&draft.lines, &HashMap::new(), &turned, Found::Strange);
    assert_eq!(pairs, [Some(1), Some(0)], "in whatever order they come");

    let known = agreed(&draft, &[12, 11]);
    let pairs = pair(&draft.lines, &known, &present, Found::Bound);
    assert_eq!(pairs, [Some(1), Some(0)], "what is known counts");
}

#[test]
fn only_what_changed_is_written_and_what_people_put_there_stays() {
    let before = order(
        vec![
            line("a", "filter", "1", "1", "0"),
            line("b", "belt", "5", "1", "0"),
        ],
        "0",
    );
    let sent = drafted(&before, Flow::Sale, false).expect("a draft");
    let known = agreed(&sent, &[11, 12]);
    assert!(!differ(&sent.lines, &known, true));

    let mut after = before;
    after.lines[1].quantity = money("6");
    after.lines.push(line("c", "belt", "1", "1", "0"));
    let draft = drafted(&after, Flow::Sale, false).expect("a draft");
    assert!(differ(&draft.lines, &known, true));
    let present = rows(&[(11, 1, "1"), (12, 2, "5"), (99, 2, "7")]);
    let outcome = positions(&draft, &known, &present, true);
    assert_eq!(moves(&outcome), (vec![12], vec![], 1));
    assert_eq!(json(&outcome.changed[0].fields)["quantity"], 6);
}

#[test]
fn a_line_that_was_added_in_a_try_without_an_answer_is_not_added_again() {
    let mut given = order(vec![line("a", "filter", "1", "1", "0")], "0");
    let known = agreed(&drafted(&given, Flow::Sale, false).expect("a draft"), &[11]);
    given.lines.push(line("b", "belt", "5", "1", "0"));
    let draft = drafted(&given, Flow::Sale, false).expect("a draft");
    let present = rows(&[(11, 1, "1"), (12, 2, "5.0")]);
    let outcome = positions(&draft, &known, &present, false);
    assert_eq!(moves(&outcome), (vec![], vec![], 0));
}

#[test]
fn a_refused_line_goes_only_when_that_is_wanted() {
    let mut given = order(
        vec![
            line("a", "filter", "1", "1", "0"),
            line("b", "belt", "5", "1", "0"),
        ],
        "0",
    );
    let known = agreed(
        &drafted(&given, Flow::Sale, false).expect("a draft"),
        &[11, 12],
    );
    given.lines[0].refused = true;
    let draft = drafted(&given, Flow::Sale, false).expect("a draft");
    let present = rows(&[(11, 1, "1"), (12, 2, "5"), (99, 1, "3")]);

    assert!(!differ(&draft.lines, &known, false));
    let kept = positions(&draft, &known, &present, false);
    assert_eq!(moves(&kept), (vec![], vec![], 0));

    assert!(differ(&draft.lines, &known, true));
    let deleted = positions(&draft, &known, &present, true);
    assert_eq!(
        moves(&deleted),
        (vec![], vec![11], 0),
        "a foreign position stays"
    );
    assert_eq!(deleted.gone, ["a"]);
}

#[test]
fn a_position_that_people_took_away_comes_back_only_with_a_change_of_its_line() {
    let mut given = order(vec![line("a", "filter", "1", "1", "0")], "0");
    let sent = drafted(&given, Flow::Sale, false).expect("a draft");
    let known = agreed(&sent, &[11]);
    let untouched = positions(&sent, &known, &[], true);
    assert_eq!(moves(&untouched), (vec![], vec![], 0));
    given.lines[0].quantity = money("2");
    let draft = drafted(&given, Flow::Sale, false).expect("a draft");
    let back = positions(&draft, &known, &[], true);
    assert_eq!(moves(&back), (vec![], vec![], 1));
    // It came back in a try without an answer.
    let there = rows(&[(13, 1, "2")]);
    let again = positions(&draft, &known, &there, true);
    assert_eq!(again.added.len(), 0);
}

#[test]
fn a_line_that_was_refused_before_it_was_sent_claims_no_position_of_another_line() {
    let mut given = order(
        vec![
            line("a", "filter", "1", "1", "0"),
            line("b", "filter", "1", "1", "0"),
        ],
        "0",
    );
    given.lines[0].refused = true;
    let draft = drafted(&given, Flow::Sale, false).expect("a draft");
    let present = rows(&[(11, 1, "3")]);
    let pairs = pair(&draft.lines, &HashMap::new(), &present, Found::Strange);
    assert_eq!(pairs, [None, Some(0)]);
}

#[test]
fn delivery_and_other_charges_are_a_position_of_their_own_while_goods_are_wanted() {
    let mut given = order(vec![line("a", "filter", "1", "1000", "0")], "0");
    given.delivery = Some(model::Delivery {
        cost: Some(money("300")),
        ..model::Delivery::default()
    });
    given.charges = vec![model::Charge {
        origin: None,
        name: "Упаковка".to_owned(),
        amount: money("49.50"),
    }];
    let products = products();
    let places = |delivery| Places {
        base: BASE,
        agent: Uuid::from_u128(9),
        products: &products,
        variants: &NO_VARIANTS,
        reserve: true,
        delivery,
        currency: None,
    };
    let unsent = draft(&given, Flow::Sale, &places(None)).expect("a draft");
    assert_eq!(unsent.lines.len(), 1);
    let told = reason!("order.charges-left").setting("delivery_service");
    assert_eq!([told], unsent.remarks[..]);

    let service = Some(Uuid::from_u128(7));
    let sent = draft(&given, Flow::Sale, &places(service)).expect("a draft");
    assert!(sent.remarks.is_empty());
    assert_eq!(vendor_sum(&sent), Decimal::from(134_950));
    let position = json(&sent.lines[1].fields);
    assert_eq!(position["assortment"]["meta"]["type"], "service");
    assert!(position.get("reserve").is_none(), "nothing to reserve");

    given.lines[0].refused = true;
    let refused = draft(&given, Flow::Sale, &places(service)).expect("a draft");
    assert!(!refused.is_wanted());
    assert!(refused.lines[1].refused);
}

#[test]
fn a_document_names_its_currency_when_it_is_not_that_of_the_books() {
    let given = order(vec![line("a", "filter", "1", "1", "0")], "0");
    let products = products();
    let rate = |currency| {
        let places = Places {
            base: BASE,
            agent: Uuid::from_u128(9),
            products: &products,
            variants: &NO_VARIANTS,
            reserve: false,
            delivery: None,
            currency,
        };
        let draft = draft(&given, Flow::Sale, &places).expect("a draft");
        json(&draft.header)["rate"]["currency"]["meta"]["type"].clone()
    };
    assert_eq!(rate(None), serde_json::Value::Null);
    assert_eq!(rate(Some(Uuid::from_u128(3))), "currency");
}

#[test]
fn a_line_that_is_gone_in_the_shop_goes_in_moysklad() {
    let mut given = order(
        vec![
            line("a", "filter", "1", "1", "0"),
            line("b", "belt", "5", "1", "0"),
        ],
        "0",
    );
    let known = agreed(
        &drafted(&given, Flow::Sale, false).expect("a draft"),
        &[11, 12],
    );
    given.lines.remove(0);
    let draft = drafted(&given, Flow::Sale, false).expect("a draft");
    assert!(differ(&draft.lines, &known, false));
    let outcome = positions(&draft, &known, &rows(&[(11, 1, "1"), (12, 2, "5")]), false);
    assert_eq!(moves(&outcome), (vec![], vec![11], 0));
    assert_eq!(outcome.gone, ["a"]);
}
