//! Orders of customers and to suppliers, shop → MoySklad.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_host::{Cause, RecordRef};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{Account, DeletedDocuments, Id, Kind, NewOrder};

use crate::world::{Ask, World};

/// A shop with one customer, one supplier and two synchronised parts.
pub struct Shop {
    pub world: World,
    pub parts: [Id; 2],
    pub keys: [String; 2],
}

pub fn shop() -> Shop {
    let world = World::of(Account::empty());
    world.load(
        "partners",
        json!([
            { "key": "ivanov", "name": "Иванов", "phones": ["+79123456789"] },
            { "key": "supplier", "role": "supplier", "name": "Поставщик", "tax_id": "7701234567" },
        ]),
    );
    let (first, a) = world.product("MAHLE A1");
    let (second, b) = world.product("DOLZ B2");
    world.sim.reset_counts();
    Shop {
        world,
        parts: [first, second],
        keys: [a, b],
    }
}

pub fn line(id: &str, product: &str, quantity: &str, price: &str) -> Value {
    json!({ "id": id, "product": product, "name": "Деталь", "quantity": quantity, "price": price })
}

impl Shop {
    pub fn order(&self, key: &str, lines: Value) {
        self.world.load(
            "orders",
            json!([{
                "key": key, "number": format!("N-{key}"), "partner": "ivanov", "currency": "RUB",
                "created_at": "2026-03-01T21:30:00Z", "comment": "Позвонить", "lines": lines,
            }]),
        );
    }

    /// Quantity, price in roubles and key of the part of each position of the only order.
    pub fn positions(&self) -> Vec<(String, String, Id)> {
        let mut orders = self.world.objects(Kind::CustomerOrder, |_, order| {
            let rows = order.rows("positions").iter();
            rows.map(|row| {
                let number = |name: &str| row.number(name).normalize().to_string();
                let roubles = (row.number("price") / Decimal::ONE_HUNDRED).normalize();
                let item = row.refers("assortment").expect("an item").id;
                (number("quantity"), roubles.to_string(), item)
            })
            .collect()
        });
        assert_eq!(1, orders.len());
        orders.remove(0)
    }
}

fn position(quantity: &str, price: &str, item: Id) -> (String, String, Id) {
    (quantity.to_owned(), price.to_owned(), item)
}

#[test]
fn orders_of_two_tenants_with_one_key_are_two_documents_of_one_account() {
    let mut shop = shop();
    let lines = json!([line("1", &shop.keys[0], "2", "450.50")]);
    shop.order("42", lines);
    shop.world.run("orders", json!({})).clean();

    // Another shop, or the same one made anew, that books into the same legal entity.
    shop.world.switch_to("other");
    let petrov = json!([{ "key": "ivanov", "name": "Петров", "phones": ["+79990001122"] }]);
    shop.world.load("partners", petrov);
    let (_, part) = shop.world.product("DOLZ C3");
    shop.order("42", json!([line("1", &part, "1", "10")]));
    let run = shop.world.run("orders", json!({})).clean();
    assert!(run.logged(&["number N-42 is taken"]), "{run:#?}");
    let mut made = shop.world.objects(Kind::CustomerOrder, |account, order| {
        let agent = account.get(order.refers("agent").expect("an agent").id);
        let sum = order.number("sum").normalize().to_string();
        (order.name().to_owned(), agent.name().to_owned(), sum)
    });
    made.sort_by_key(|(_, agent, _)| agent.clone());
    let [(number, ivanov, first), (another, petrov, second)] = made.as_slice() else {
        panic!("not two documents: {made:?}");
    };
    assert_eq!(("Иванов", "Петров"), (ivanov.as_str(), petrov.as_str()));
    assert_eq!(("90100", "1000"), (first.as_str(), second.as_str()));
    assert_eq!("N-42", number);
    assert_ne!("N-42", another);
}

#[test]
fn an_order_is_made_once_with_what_the_settings_say() {
    let shop = shop();
    let (store, state, owner) = shop.world.sim.account(|account| {
        let state = account.add_state(Kind::CustomerOrder, "С сайта");
        let owner = account.add_employee("Орлов", "Павел");
        (account.home.store, state, owner)
    });
    let settings = json!({
        "store": store.to_string(), "state": state.to_string(), "owner": owner.to_string(),
        "reserve": true,
    });
    let mut taxed = line("2", &shop.keys[1], "1", "99.90");
    taxed["vat"] = json!("20");
    shop.order(
        "42",
        json!([line("1", &shop.keys[0], "2", "450.50"), taxed]),
    );
    let run = shop.world.run("orders", settings.clone()).clean();
    assert_eq!((3, 0, 0, 0), run.counts(), "two partners and the order");
    let [a, b] = shop.parts;
    assert_eq!(
        vec![position("2", "450.5", a), position("1", "99.9", b)],
        shop.positions()
    );
    shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0];
        assert_eq!("N-42", order.name());
        assert_eq!("42", order.text("externalCode"));
        assert_eq!("Позвонить", order.text("description"));
        assert_eq!(
            "2026-03-01T21:30:00Z",
            order.moment("moment").unwrap().to_string()
        );
        assert_eq!("100090", order.number("sum").normalize().to_string());
        assert_eq!(
            account.home.organization,
            order.refers("organization").unwrap().id
        );
        assert_eq!(store, order.refers("store").unwrap().id);
        assert_eq!(state, order.refers("state").unwrap().id);
        assert_eq!(owner, order.refers("owner").unwrap().id);
        let rows = order.rows("positions");
        assert_eq!("2", rows[0].number("reserve").to_string());
        assert_eq!((0, 20), (rows[0].int("vat"), rows[1].int("vat")));
        let agent = account.get(order.refers("agent").unwrap().id);
        assert_eq!("Иванов", agent.name());
    });
    let order = shop.world.record("orders", "key", "42");
    let document = &order["documents"][0];
    assert_eq!("N-42", document["number"]);
    let made = shop.world.objects(Kind::CustomerOrder, |_, order| order.id);
    assert_eq!(
        shop.world.origin("customerorder", made[0]),
        document["origin"]
    );

    shop.world.sim.reset_counts();
    let run = shop.world.run("orders", settings).clean();
    assert_eq!(
        (0, 0, 1, 0),
        run.counts(),
        "our own note on the order is no change of it"
    );
    assert_eq!(0, shop.world.sim.total_requests());
}

#[test]
fn two_lines_with_one_product_stay_two() {
    let shop = shop();
    let [a, _] = shop.parts;
    let lines = |second: &str| {
        json!([
            line("1", &shop.keys[0], "1", "100"),
            line("2", &shop.keys[0], second, "90"),
        ])
    };
    shop.order("42", lines("5"));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(
        vec![position("1", "100", a), position("5", "90", a)],
        shop.positions()
    );
    shop.order("42", lines("6"));
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(
        vec![position("1", "100", a), position("6", "90", a)],
        shop.positions()
    );
    let changes: Vec<&str> = run.written[0]
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    assert_eq!(vec!["line 2"], changes);
}

#[test]
fn a_changed_order_is_changed_in_place_and_what_people_added_in_moysklad_stays() {
    let shop = shop();
    let [a, b] = shop.parts;
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    // A manager adds a position and moves the order on.
    let state = shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0].id;
        let agent = account.get(order).refers("agent").unwrap().id;
        let sample = account.add_order(NewOrder::of(agent).line(b, "3", "55"));
        let row = account.get(sample).rows("positions")[0].clone();
        account.delete(sample);
        account.change(order, |record| {
            let mut rows = record.rows("positions").to_vec();
            rows.push(row);
            record.set("positions", tenon_simulators::moysklad::Value::Rows(rows));
        });
        let state = account.states(Kind::CustomerOrder)[2].id;
        account.set_state(order, state);
        state
    });
    shop.order(
        "42",
        json!([
            line("1", &shop.keys[0], "2", "100"),
            line("2", &shop.keys[1], "1", "60")
        ]),
    );
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    let mut positions = shop.positions();
    positions.sort();
    let mut expected = vec![
        position("2", "100", a),
        position("1", "60", b),
        position("3", "55", b),
    ];
    expected.sort();
    assert_eq!(expected, positions);
    shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0];
        assert_eq!(
            state,
            order.refers("state").unwrap().id,
            "people move orders on"
        );
    });
    // Only the comment changes: positions are not touched at all.
    shop.world
        .edit("orders", "42", json!({ "comment": "Срочно" }));
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(1, run.written[0].changes.len(), "{:#?}", run.written);
    assert_eq!(3, shop.positions().len());
}

#[test]
fn discounts_add_up_to_the_kopeck() {
    let shop = shop();
    let mut first = line("1", &shop.keys[0], "3", "33.33");
    first["discount"] = json!("10");
    shop.order(
        "42",
        json!([first, line("2", &shop.keys[1], "7", "1999.99")]),
    );
    shop.world
        .edit("orders", "42", json!({ "discount": "99.99" }));
    shop.world.run("orders", json!({})).clean();
    let order = shop.world.record("orders", "key", "42");
    let total: Decimal = order["total"].as_str().unwrap().parse().unwrap();
    let sum = shop
        .world
        .objects(Kind::CustomerOrder, |_, order| order.number("sum"))[0];
    assert_eq!(total * Decimal::ONE_HUNDRED, sum);
}

#[test]
fn an_order_with_an_unknown_part_says_so_on_itself_and_is_sent_when_the_part_is_known() {
    let shop = shop();
    shop.world.load(
        "products",
        json!([{ "key": "tyre", "name": "Шина", "brand": "NOKIAN", "sku": "R16" }]),
    );
    shop.order("42", json!([line("1", "tyre", "4", "5000")]));
    let run = shop.world.run("orders", json!({}));
    let reason = run.reason("42");
    assert!(
        reason.contains("not synchronised with MoySklad"),
        "{reason}"
    );
    let order = shop.world.record("orders", "key", "42");
    assert_eq!(reason, order["error"]);
    assert_eq!(json!(run.rejected("42").why), order["why"]);
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());

    shop.world.product("NOKIAN R16");
    shop.world.run("orders", json!({})).clean();
    assert_eq!(1, shop.positions().len());
    let order = shop.world.record("orders", "key", "42");
    assert!(order.get("error").is_none_or(Value::is_null), "{order}");
}

#[test]
fn people_who_ask_get_all_rejected_orders_tried_again_however_many_there_are() {
    let shop = shop();
    shop.world.load(
        "products",
        json!([{ "key": "tyre", "name": "Шина", "brand": "NOKIAN", "sku": "R16" }]),
    );
    for number in 0..230 {
        shop.order(&number.to_string(), json!([line("1", "tyre", "4", "5000")]));
    }
    let run = shop.world.run("orders", json!({}));
    assert_eq!(230, run.report.failed, "{:?}", run.report);
    shop.world.product("NOKIAN R16");
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(100, run.report.created, "the schedule takes turns");
    let run = shop.world.asked("orders", json!({})).clean();
    assert_eq!(130, run.report.created, "{:?}", run.report);
}

#[test]
fn a_number_that_is_taken_in_moysklad_keeps_no_order_back() {
    let shop = shop();
    shop.world.sim.account(|account| {
        let agent = account.add_counterparty(Default::default());
        account.add_order(NewOrder::of(agent).name("N-42"));
    });
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    let run = shop.world.run("orders", json!({})).clean();
    assert!(run.logged(&["the number N-42 is taken"]), "{run:#?}");
    let codes = shop.world.objects(Kind::CustomerOrder, |_, order| {
        (order.text("externalCode") == "42").then(|| order.name().to_owned())
    });
    let name = codes.into_iter().flatten().next().expect("the order");
    assert_ne!("N-42", name);
    let shown = shop.world.record("orders", "key", "42");
    assert_eq!(name, shown["documents"][0]["number"]);
}

#[test]
fn an_order_whose_creation_was_not_answered_is_not_made_twice() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    for endpoint in ["POST /entity/counterparty", "POST /entity/customerorder"] {
        shop.world
            .sim
            .faults()
            .add(Rule::new(Fault::LostAnswer).on(endpoint));
    }
    shop.world.run("orders", json!({})).clean();
    assert_eq!(1, shop.positions().len());
    assert_eq!(2, shop.world.objects(Kind::Counterparty, |_, _| ()).len());
}

#[test]
fn a_connection_that_is_made_anew_finds_the_orders_of_the_old_one() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    let anew = Ask {
        connection: "moysklad-2",
        ..Ask::default()
    };
    shop.world.ask("products", json!({}), &anew).clean();
    let run = shop.world.ask("orders", json!({}), &anew).clean();
    assert!(run.logged(&["found in MoySklad as N-42"]), "{run:#?}");
    assert_eq!(1, shop.positions().len());
    assert_eq!(2, shop.world.objects(Kind::Counterparty, |_, _| ()).len());
}

/// The document of the only order is deleted by people.
fn deleted(shop: &Shop) {
    shop.world.sim.account(|account| {
        let id = account.all(Kind::CustomerOrder)[0].id;
        account.delete(id);
    });
}

/// The button on the order.
fn press_again() -> Ask {
    Ask {
        cause: Cause::Action {
            action: "order-again".to_owned(),
            target: RecordRef {
                kind: tenon_host::model::RecordKind::Order,
                key: "42".to_owned(),
            },
        },
        ..Ask::default()
    }
}

#[test]
fn an_order_that_was_deleted_in_moysklad_is_reported_once_and_made_again_when_people_want_it() {
    for only_comment in [false, true] {
        let shop = shop();
        shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
        shop.world.run("orders", json!({})).clean();
        deleted(&shop);
        match only_comment {
            true => (shop.world).edit("orders", "42", json!({ "comment": "Срочно" })),
            false => shop.order("42", json!([line("1", &shop.keys[0], "2", "100")])),
        }
        let run = shop.world.run("orders", json!({}));
        assert!(
            run.reason("42").contains("deleted it in MoySklad"),
            "{run:#?}"
        );
        assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
        // The schedule does not repeat that; whoever asks is told again.
        shop.world.run("orders", json!({})).clean();
        let run = shop.world.asked("orders", json!({}));
        assert!(
            run.reason("42").contains("deleted it in MoySklad"),
            "{run:#?}"
        );
        let run = shop
            .world
            .ask("order-again", json!({}), &press_again())
            .clean();
        assert_eq!(1, run.report.created, "{run:#?}");
        let quantity = if only_comment { "1" } else { "2" };
        assert_eq!(
            vec![position(quantity, "100", shop.parts[0])],
            shop.positions()
        );
        // And it is an order as any other from then on.
        shop.order("42", json!([line("1", &shop.keys[0], "3", "100")]));
        shop.world.run("orders", json!({})).clean();
        assert_eq!(vec![position("3", "100", shop.parts[0])], shop.positions());
    }
}

#[test]
fn an_order_in_the_bin_of_moysklad_waits_there_for_people() {
    let shop = shop();
    shop.world.sim.account(|account| {
        account.behaviour.deleted_documents = DeletedDocuments::Binned;
    });
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    let id = shop.world.sim.account(|account| {
        let id = account.all(Kind::CustomerOrder)[0].id;
        account.delete_to_bin(id);
        id
    });
    for (changes, asked) in [("comment", false), ("lines", false), ("comment", true)] {
        match changes {
            "comment" => {
                (shop.world).edit("orders", "42", json!({ "comment": format!("{asked}") }))
            }
            _ => shop.order("42", json!([line("1", &shop.keys[0], "2", "100")])),
        }
        let run = match asked {
            false => shop.world.run("orders", json!({})),
            true => shop.world.asked("orders", json!({})),
        };
        assert!(run.reason("42").contains("into the bin"), "{run:#?}");
    }
    let run = shop.world.ask("order-again", json!({}), &press_again());
    assert!(run.report.error.expect("a reason").contains("into the bin"));
    // They take it out, and it goes on.
    shop.world
        .sim
        .account(|account| account.take_out_of_bin(id));
    shop.world.asked("orders", json!({})).clean();
    assert_eq!(vec![position("2", "100", shop.parts[0])], shop.positions());
}

#[test]
fn the_button_makes_no_order_again_that_is_there() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    let run = shop.world.ask("order-again", json!({}), &press_again());
    assert!(run.report.error.expect("a reason").contains("N-42"));
    assert_eq!(1, shop.positions().len());
}

#[test]
fn an_order_of_another_partner_loses_the_account_of_the_first_with_him() {
    let shop = shop();
    let petrov = json!([{ "key": "petrov", "name": "Петров", "phones": ["+79990001122"] }]);
    shop.world.load("partners", petrov);
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    // People choose the account of the customer.
    shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0].id;
        let agent = account.get(order).refers("agent").expect("an agent").id;
        let bank = account.add_bank_account(agent, "40702810000000000001");
        account.change(order, |record| record.set("agentAccount", bank));
    });
    shop.order("42", json!([line("1", &shop.keys[0], "5", "100")]));
    shop.world
        .edit("orders", "42", json!({ "partner": "petrov" }));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(vec![position("5", "100", shop.parts[0])], shop.positions());
    let agents = shop.world.objects(Kind::CustomerOrder, |account, order| {
        let agent = account.get(order.refers("agent").expect("an agent").id);
        (agent.name().to_owned(), order.refers("agentAccount"))
    });
    assert_eq!(vec![("Петров".to_owned(), None)], agents);
}

#[test]
fn an_order_that_shrinks_after_a_creation_without_an_answer_keeps_no_line_of_it() {
    let shop = shop();
    shop.order(
        "42",
        json!([
            line("1", &shop.keys[0], "1", "100"),
            line("2", &shop.keys[1], "3", "60"),
        ]),
    );
    let lost = Rule::new(Fault::LostAnswer).on("POST /entity/customerorder");
    shop.world.sim.faults().add(lost.times(20));
    let run = shop.world.run("orders", json!({}));
    assert_eq!(Outcome::Transient, run.report.outcome, "{run:#?}");
    assert_eq!(2, shop.positions().len());
    shop.world.sim.faults().clear();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(vec![position("1", "100", shop.parts[0])], shop.positions());
}

#[test]
fn a_preview_tells_what_would_be_written_and_writes_nothing() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    let preview = Ask {
        preview: true,
        ..Ask::default()
    };
    let run = shop.world.ask("orders", json!({}), &preview).clean();
    assert_eq!((3, 0, 0, 0), run.counts());
    let kinds: Vec<&str> = run
        .written
        .iter()
        .map(|written| written.record_kind.as_str())
        .collect();
    assert_eq!(vec!["partner", "partner", "order"], kinds);
    let fields: Vec<&str> = run.written[2]
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    assert!(
        fields.contains(&"positions") && fields.contains(&"name"),
        "{fields:?}"
    );
    assert_eq!(0, shop.world.writes());
    shop.world.run("orders", json!({})).clean();
    assert_eq!(1, shop.positions().len());
}

#[test]
fn orders_to_suppliers_are_sent_when_that_is_switched_on() {
    let shop = shop();
    let mut order = json!([{
        "key": "7", "direction": "purchase", "number": "P-7", "partner": "supplier",
        "currency": "RUB", "lines": [line("1", &shop.keys[0], "10", "60")],
    }]);
    shop.world.load("orders", order.clone());
    shop.world.run("orders", json!({})).clean();
    assert_eq!(0, shop.world.objects(Kind::PurchaseOrder, |_, _| ()).len());

    let state = shop
        .world
        .sim
        .account(|account| account.states(Kind::PurchaseOrder)[1].id);
    let on = json!({ "supplier_orders": true, "supplier_state": state.to_string() });
    shop.world.run("orders", on.clone()).clean();
    let made = shop.world.objects(Kind::PurchaseOrder, |account, order| {
        let agent = account.get(order.refers("agent").unwrap().id);
        let state = order.refers("state").unwrap().id;
        (
            order.name().to_owned(),
            agent.name().to_owned(),
            state,
            order.number("sum").to_string(),
        )
    });
    let expected = (
        "P-7".to_owned(),
        "Поставщик".to_owned(),
        state,
        "60000".to_owned(),
    );
    assert_eq!(vec![expected], made);
    order[0]["lines"][0]["quantity"] = json!("20");
    shop.world.load("orders", order);
    let run = shop.world.run("orders", on).clean();
    assert_eq!((0, 1), (run.report.created, run.report.updated));
    let sums = shop.world.objects(Kind::PurchaseOrder, |_, order| {
        order.number("sum").to_string()
    });
    assert_eq!(vec!["120000".to_owned()], sums);
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
}

#[test]
fn each_region_has_its_own_organization_and_sends_its_own_orders() {
    let shop = shop();
    shop.world.load(
        "organizations",
        json!([{ "key": "msk", "name": "Москва" }, { "key": "spb", "name": "Петербург" }]),
    );
    let second = shop
        .world
        .sim
        .account(|account| account.add_named(Kind::Organization, "ООО Нева"));
    for (key, region) in [("1", "msk"), ("2", "spb")] {
        shop.order(key, json!([line("1", &shop.keys[0], "1", "100")]));
        shop.world
            .edit("orders", key, json!({ "organization": region }));
    }
    let first = json!({ "region": "msk" });
    let other = json!({ "region": "spb", "organization": second.to_string() });
    let branch = Ask {
        connection: "branch",
        ..Ask::default()
    };
    shop.world.run("orders", first).clean();
    shop.world.ask("products", other.clone(), &branch).clean();
    shop.world.ask("orders", other, &branch).clean();
    let made = shop.world.objects(Kind::CustomerOrder, |account, order| {
        let organization = account.get(order.refers("organization").unwrap().id);
        (order.name().to_owned(), organization.name().to_owned())
    });
    let home = "ООО \"Автозапчасти\"".to_owned();
    assert_eq!(
        vec![
            ("N-1".to_owned(), home),
            ("N-2".to_owned(), "ООО Нева".to_owned())
        ],
        made
    );
    assert_eq!(
        2,
        shop.world.objects(Kind::Counterparty, |_, _| ()).len(),
        "nobody twice"
    );
    assert_eq!(2, shop.world.records("products").len(), "nor any part");
}

#[test]
fn an_order_that_is_moved_to_another_region_is_one_document_that_counts() {
    let shop = shop();
    shop.world.load(
        "organizations",
        json!([{ "key": "msk", "name": "Москва" }, { "key": "spb", "name": "Петербург" }]),
    );
    let second = shop
        .world
        .sim
        .account(|account| account.add_named(Kind::Organization, "ООО Нева"));
    let branch = Ask {
        connection: "branch",
        ..Ask::default()
    };
    let first = json!({ "region": "msk", "reserve": true });
    let other = json!({ "region": "spb", "organization": second.to_string(), "reserve": true });
    shop.order("42", json!([line("1", &shop.keys[0], "2", "100")]));
    let run = shop.world.run("orders", first.clone()).clean();
    assert!(run.logged(&["has no region"]), "{run:#?}");
    shop.world
        .edit("orders", "42", json!({ "organization": "msk" }));
    shop.world.run("orders", first.clone()).clean();
    let reserves = || {
        let mut all = shop.world.objects(Kind::CustomerOrder, |_, order| {
            let rows = order.rows("positions").iter();
            rows.map(|row| row.number("reserve").normalize().to_string())
                .collect::<String>()
        });
        all.sort();
        all
    };
    assert_eq!(vec!["2"], reserves());

    shop.world
        .edit("orders", "42", json!({ "organization": "spb" }));
    let run = shop.world.run("orders", first.clone()).clean();
    assert!(run.logged(&["moved to another region"]), "{run:#?}");
    shop.world.ask("products", other.clone(), &branch).clean();
    shop.world.ask("orders", other.clone(), &branch).clean();
    assert_eq!(vec!["0", "2"], reserves());
    let run = shop.world.run("orders", first.clone()).clean();
    assert!(!run.logged(&["moved to another region"]), "told once");

    // And back again.
    shop.world
        .edit("orders", "42", json!({ "organization": "msk" }));
    shop.world.run("orders", first).clean();
    shop.world.ask("orders", other, &branch).clean();
    assert_eq!(vec!["0", "2"], reserves());
}

#[test]
fn orders_that_were_left_aside_are_sent_once_the_settings_want_them() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    let later = json!({ "orders_from": "2026-04-01" });
    shop.world.run("orders", later.clone()).clean();
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
    shop.world
        .run("orders", json!({ "orders_from": "2026-02-01" }))
        .clean();
    assert_eq!(1, shop.positions().len());
    // What is there stays there, and is still kept up, when the first day is moved.
    shop.order("42", json!([line("1", &shop.keys[0], "2", "100")]));
    shop.world.run("orders", later).clean();
    assert_eq!(vec![position("2", "100", shop.parts[0])], shop.positions());
}

#[test]
fn orders_placed_before_the_first_day_are_not_sent() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    let run = shop
        .world
        .run("orders", json!({ "orders_from": "2026-04-01" }))
        .clean();
    assert_eq!(2, run.report.created, "the partners alone");
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
}

#[test]
fn an_order_that_is_deleted_in_the_shop_stays_in_moysklad_and_the_log_says_so() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    shop.world.remove("orders", "42");
    let run = shop.world.run("orders", json!({})).clean();
    let mut lines = run.log.iter();
    let line = lines.find(|line| line.message.contains("deleted in the shop"));
    assert_eq!(Some("42"), line.and_then(|line| line.record.as_deref()));
    assert_eq!(1, shop.positions().len());
}

#[test]
fn a_line_that_two_connections_add_at_the_same_moment_stands_there_once() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    shop.order(
        "42",
        json!([
            line("1", &shop.keys[0], "1", "100"),
            line("2", &shop.keys[1], "3", "60"),
        ]),
    );
    let reports = shop
        .world
        .run_together(&["moysklad", "second"], "orders", json!({}));
    for report in &reports {
        assert_eq!(Outcome::Done, report.outcome, "{report:#?}");
    }
    let expected = vec![
        position("1", "100", shop.parts[0]),
        position("3", "60", shop.parts[1]),
    ];
    assert_eq!(expected, shop.positions());
    // Both know the one that is left.
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world
        .run_together(&["moysklad", "second"], "orders", json!({}));
    assert_eq!(expected[..1], shop.positions()[..]);
}
