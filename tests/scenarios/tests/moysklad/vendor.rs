//! Holds what the connector really sends against the vendor's own description of the API.
//!
//! The description is not part of this repository: name its file in `MOYSKLAD_OPENAPI`. Without it
//! there is nothing to check. Every request of a whole exchange has to be to a documented operation,
//! with documented parameters and a body that fits, but for the gaps of the description that are
//! named here.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_host::Cause;
use tenon_simulators::description::Description;
use tenon_simulators::moysklad::journal::Entry;
use tenon_simulators::moysklad::{Config, Kind, NewCounterparty, Value as Field};

use crate::orders::line;
use crate::world::{Ask, World, config};

/// Operations that the description does not have: it is one of entities. The vendor's documentation
/// of remap 1.2 has all of them.
const UNDOCUMENTED: &[(&str, &str)] = &[
    ("GET", "/context/employee"),
    ("GET", "/report/stock/bystore/current"),
    ("POST", "/report/counterparty"),
    ("GET", "/download/"),
];

/// Parameters that lists have by the vendor's documentation and the description leaves out.
const UNDOCUMENTED_PARAMETERS: &[(&str, &str)] = &[
    ("/entity/customerorder", "filter"),
    ("/entity/purchaseorder", "filter"),
];

/// The operations that a whole exchange needs. A check of none would find nothing.
const NEEDED: &[&str] = &[
    "DELETE /entity/customerorder/{id}",
    "DELETE /entity/webhook/{id}",
    "GET /context/employee",
    "GET /download/",
    "GET /entity/bundle",
    "GET /entity/counterparty",
    "GET /entity/currency",
    "GET /entity/customerorder",
    "GET /entity/customerorder/metadata",
    "GET /entity/customerorder/{id}/positions",
    "GET /entity/employee",
    "GET /entity/organization",
    "GET /entity/product",
    "GET /entity/productfolder",
    "GET /entity/purchaseorder",
    "GET /entity/purchaseorder/metadata",
    "GET /entity/service",
    "GET /entity/store",
    "GET /entity/uom",
    "GET /entity/variant",
    "GET /entity/webhook",
    "GET /report/stock/bystore/current",
    "POST /entity/counterparty",
    "POST /entity/customerorder",
    "POST /entity/customerorder/{id}/positions",
    "POST /entity/customerorder/{id}/positions/delete",
    "POST /entity/purchaseorder",
    "POST /entity/purchaseorder/{id}/positions/delete",
    "POST /entity/webhook",
    "POST /report/counterparty",
    "PUT /entity/customerorder/{id}/positions/{positionId}",
    "PUT /entity/purchaseorder/{id}/positions/{positionId}",
];

fn description() -> Result<Option<Description>> {
    let Some(file) = std::env::var_os("MOYSKLAD_OPENAPI") else {
        println!("MOYSKLAD_OPENAPI names no description, so there is nothing to check");
        return Ok(None);
    };
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    Ok(Some(Description(serde_json::from_str(&text)?)))
}

/// The operation of a request; one that is no documented operation is named as it is.
fn operation(description: &Description, request: &Entry) -> String {
    let method = &request.method;
    let gap = UNDOCUMENTED
        .iter()
        .find(|(known, path)| known == method && request.path.starts_with(path));
    match (gap, description.template(&request.path)) {
        (Some((_, path)), _) => format!("{method} {path}"),
        (None, Some(template)) => format!("{method} {template}"),
        (None, None) => format!("{method} {}", request.path),
    }
}

/// What of a request is not as the vendor describes it.
fn differences(description: &Description, request: &Entry) -> Result<Vec<String>> {
    let method = request.method.to_lowercase();
    let named = operation(description, request);
    let known = |(method, path): &(&str, &str)| named == format!("{method} {path}");
    if UNDOCUMENTED.iter().any(known) {
        return Ok(Vec::new());
    }
    let template = description.template(&request.path);
    let template = template.filter(|path| description.0["paths"][path].get(&method).is_some());
    let Some(template) = template else {
        return Ok(vec![format!("{named} is no documented operation")]);
    };
    let mut found = Vec::new();
    let parameters = description.parameters(template, &method)?;
    for (name, value) in &request.query {
        if UNDOCUMENTED_PARAMETERS.contains(&(template, name)) {
            continue;
        }
        let Some(schema) = parameters.get(name) else {
            found.push(format!("{named} has no parameter {name}"));
            continue;
        };
        if schema["type"] == "integer" {
            let number: Option<i64> = value.parse().ok();
            let bounds = schema["minimum"].as_i64().unwrap_or(i64::MIN)
                ..=schema["maximum"].as_i64().unwrap_or(i64::MAX);
            if !number.is_some_and(|number| bounds.contains(&number)) {
                found.push(format!("{named}: {name} is {value}"));
            }
        }
    }
    let Some(body) = &request.body else {
        return Ok(found);
    };
    let Some(schema) = description.body(template, &method)? else {
        found.push(format!("{named} takes no body"));
        return Ok(found);
    };
    let elements = match (body, schema["type"] == "array") {
        (Value::Array(elements), true) => {
            let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
            if elements.len() as u64 > most {
                found.push(format!("{named}: more than {most} elements"));
            }
            elements.as_slice()
        }
        // Arrays are described apart; the vendor's documentation has them at the same address.
        (Value::Array(elements), false) => {
            if description
                .body(&format!("{template}/batch"), "post")?
                .is_none()
            {
                found.push(format!("{named} takes no array"));
            }
            elements.as_slice()
        }
        (single, _) => std::slice::from_ref(single),
    };
    let schema = match schema["type"] == "array" {
        true => description.resolve(&schema["items"])?,
        false => schema,
    };
    for element in elements {
        found.extend(element_differences(description, &named, &schema, element)?);
    }
    Ok(found)
}

/// What of one object that is written is not as described.
fn element_differences(
    description: &Description,
    named: &str,
    schema: &Value,
    element: &Value,
) -> Result<Vec<String>> {
    let mut element = element.clone();
    let mut found = Vec::new();
    // Described as the list that answers have; what is sent is its rows.
    if let Some(positions) = element.get_mut("positions").map(Value::take) {
        let list = description.resolve(&schema["properties"]["positions"])?;
        let rows = description.resolve(&list["properties"]["rows"])?;
        let row = description.resolve(&rows["items"])?;
        for position in positions.as_array().context("positions are an array")? {
            found.extend(element_differences(description, named, &row, position)?);
        }
        element
            .as_object_mut()
            .context("an object")?
            .remove("positions");
    }
    for name in element
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        let property = &schema["properties"][name];
        if property["readOnly"] == true {
            found.push(format!("{named}: {name} is not to be written"));
        }
    }
    let wrong = description.differences(named, schema, &element)?;
    found.extend(
        wrong
            .into_iter()
            .map(|(path, what)| format!("{path} {what}")),
    );
    Ok(found)
}

/// Everything that the connector does, once.
fn exchange() -> Vec<Entry> {
    let world = World::seeded(Config {
        products: 30,
        counterparties: 12,
        orders: 3,
        ..config()
    });
    let (store, service, dollar) = world.sim.account(|account| {
        account.keep_journal();
        let service = account.add_named(Kind::Service, "Доставка");
        account.add_counterparty(NewCounterparty::new("Без группы").phone("+7 999 000-00-02"));
        let text = |text: &str| Field::Text(text.to_owned());
        let dollar = account.add(Kind::Currency, |record| {
            record.set("name", text("доллар"));
            record.set("code", text("840"));
            record.set("isoCode", text("USD"));
        });
        (account.home.store, service, dollar)
    });
    assert_ne!(service, dollar);
    let (state, supplier_state, owner) = world.sim.account(|account| {
        let state = account.states(Kind::CustomerOrder)[0].id;
        let supplier_state = account.states(Kind::PurchaseOrder)[0].id;
        (state, supplier_state, account.home.employee)
    });
    let settings = json!({
        "photos": true, "categories": true, "reserve": true, "balance": true,
        "delete_refused": true, "all_refused": "delete", "supplier_orders": true,
        "delivery_service": service.to_string(), "store": store.to_string(),
        "state": state.to_string(), "supplier_state": supplier_state.to_string(),
        "owner": owner.to_string(),
        "price_lists": [{ "price_list": "main", "store": store.to_string() }],
    });
    world.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }]),
    );
    world.load(
        "partners",
        json!([
            {
                "key": "k1", "name": "ООО Новый", "tax_id": "7701234567",
                "emails": ["new@example.ru"], "phones": ["+79990000001"], "address": "Москва",
            },
            { "key": "k2", "name": "Известный", "phones": ["+79990000002"] },
            { "key": "s1", "role": "supplier", "name": "Поставщик", "tax_id": "770112345678" },
        ]),
    );
    world.check().expect("a good credential");
    for option in [
        "organizations",
        "stores",
        "employees",
        "states",
        "supplier-states",
        "services",
        "product-folders",
    ] {
        world.choices(option);
    }
    let run = |job: &str| {
        let asked = Ask {
            cause: Cause::Asked,
            ..Ask::default()
        };
        world.ask(job, settings.clone(), &asked)
    };
    run("match");
    for callback in [
        "https://shop.example/hooks/1/",
        "https://shop.example/hooks/2/",
    ] {
        world.enable(callback).expect("webhooks");
    }
    for job in ["categories", "products", "images", "stock"] {
        run(job);
    }
    let cards = world.records("products");
    let key = |place: usize| cards[place]["key"].as_str().expect("a key").to_owned();
    let gone = world.sim.account(|account| {
        let product = account.all(Kind::Product)[0].id;
        account.wait(SignedDuration::from_mins(30));
        account.set_stock(product, store, "77");
        product
    });
    run("stock");
    run("changes");
    let event = json!({ "events": [{
        "meta": { "type": "product", "href": format!("{}/entity/product/{gone}", world.sim.url()) },
        "action": "DELETE",
    }]});
    world.receive(&event.to_string(), settings.clone());

    let order = |number: &str, partner: &str, lines: Value| {
        let mut lines = lines;
        for line in lines.as_array_mut().expect("lines") {
            line["vat"] = json!("20");
        }
        let direction = if partner == "s1" { "purchase" } else { "sale" };
        world.load(
            "orders",
            json!([{
                "key": number, "number": format!("N-{number}"), "partner": partner,
                "direction": direction, "currency": if number == "3" { "USD" } else { "RUB" },
                "created_at": "2026-03-01T21:30:00Z", "comment": "Позвонить", "discount": "3.33",
                "delivery": { "cost": "300", "address": "Москва, Тверская, 1" }, "lines": lines,
            }]),
        );
    };
    let two = json!([
        line("1", &key(0), "2", "450.50"),
        line("2", &key(1), "1.5", "99.99")
    ]);
    for (number, partner) in [
        ("1", "k1"),
        ("2", "k2"),
        ("3", "k1"),
        ("4", "s1"),
        ("6", "k1"),
    ] {
        order(number, partner, two.clone());
    }
    let mut long: Vec<Value> = (0..1_001)
        .map(|number| line(&number.to_string(), &key(number % 3), "1", "10"))
        .collect();
    order("5", "k2", json!(long));
    run("orders");
    // More positions than an answer shows within their document.
    long[0] = line("0", &key(0), "2", "10");
    order("5", "k2", json!(long));
    let refused = |mut lines: Value| {
        for line in lines.as_array_mut().expect("lines") {
            line["refused"] = json!(true);
        }
        lines
    };
    let mut less = two.clone();
    less[1]["refused"] = json!(true);
    order("1", "k1", less);
    let more = line("3", &key(2), "4", "10");
    order(
        "2",
        "k2",
        json!([line("1", &key(0), "5", "450.50"), two[1], more]),
    );
    order("4", "s1", json!([line("1", &key(0), "5", "450.50")]));
    order("6", "k1", refused(two));
    world.edit("partners", "k1", json!({ "address": "Казань" }));
    run("orders");
    run("balance");
    world.disable();
    world.sim.account(|account| account.journal().to_vec())
}

#[test]
fn every_request_is_as_the_vendor_describes_it() -> Result<()> {
    let Some(description) = description()? else {
        return Ok(());
    };
    let journal = exchange();
    let mut found = BTreeSet::new();
    for request in &journal {
        found.extend(differences(&description, request)?);
    }
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let sent: BTreeSet<String> = journal
        .iter()
        .map(|request| operation(&description, request))
        .collect();
    let missing: Vec<_> = NEEDED.iter().filter(|one| !sent.contains(**one)).collect();
    assert!(missing.is_empty(), "never sent: {missing:#?}\nof {sent:#?}");
    let new: Vec<_> = sent
        .iter()
        .filter(|one| !NEEDED.contains(&one.as_str()))
        .collect();
    assert!(new.is_empty(), "add to what is needed: {new:#?}");
    Ok(())
}

/// Spoils a request of an operation.
fn spoiled(journal: &[Entry], operation: &str, spoil: impl FnOnce(&mut Entry)) -> Entry {
    let (method, path) = operation.split_once(' ').expect("a method and a path");
    let mut requests = journal.iter();
    let request = requests.find(|one| one.method == method && one.path.starts_with(path));
    let mut request = request.expect("a request").clone();
    spoil(&mut request);
    request
}

#[test]
fn a_request_that_is_not_as_described_is_found() -> Result<()> {
    let Some(description) = description()? else {
        return Ok(());
    };
    let journal = exchange();
    let order = "POST /entity/customerorder";
    let first = |entry: &mut Entry, name: &str, value: Value| {
        entry.body.as_mut().expect("a body")[0][name] = value;
    };
    for (request, words) in [
        (
            spoiled(&journal, "GET /entity/product", |one| {
                one.query.push(("updatedFrom".to_owned(), "x".to_owned()));
            }),
            "has no parameter updatedFrom",
        ),
        (
            spoiled(&journal, "GET /entity/product", |one| {
                one.query.push(("limit".to_owned(), "1001".to_owned()));
            }),
            "limit is 1001",
        ),
        (
            spoiled(&journal, "GET /entity/product", |one| one.path.push('s')),
            "is no documented operation",
        ),
        (
            spoiled(&journal, order, |one| first(one, "custumer", json!("x"))),
            "custumer is not documented",
        ),
        (
            spoiled(&journal, order, |one| {
                first(one, "vatEnabled", json!("yes"))
            }),
            "vatEnabled is \"yes\" instead of boolean",
        ),
        (
            spoiled(&journal, order, |one| first(one, "sum", json!(5))),
            "sum is not to be written",
        ),
        (
            spoiled(&journal, order, |one| {
                first(one, "positions", json!([{ "quantity": "2" }]));
            }),
            "quantity is \"2\" instead of number",
        ),
        (
            spoiled(&journal, "GET /entity/store", |one| {
                one.body = Some(json!({}))
            }),
            "takes no body",
        ),
    ] {
        let found = differences(&description, &request)?;
        assert!(
            found.iter().any(|what| what.contains(words)),
            "{words}: {found:#?}"
        );
    }
    Ok(())
}
