//! Holds the simulated KeyCRM against the vendor's own description of the API.
//!
//! The description is not part of this repository: name its file in `KEYCRM_OPENAPI`. Without it
//! there is nothing to check. Every documented property has to occur in the answers, with the
//! documented type, but for the [`EXCEPTIONS`].

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use tenon_simulators::description::Description;
use tenon_simulators::keycrm::{self, Config, Simulator};

/// Where live answers are known to differ from the description: the property (a path without array
/// indices, any path that ends so), what comes instead, and why.
const EXCEPTIONS: &[(&str, Instead, &str)] = &[
    (
        ".next_page_url",
        Instead::Null,
        "the last page has no next one",
    ),
    (".sku", Instead::Null, "many products have no article"),
    (".barcode", Instead::Null, "many products have no barcode"),
    (
        ".thumbnail_url",
        Instead::Null,
        "many products have no picture",
    ),
    (
        ".description",
        Instead::Null,
        "many products have no description",
    ),
    (".weight", Instead::Null, "many products were never weighed"),
    (
        ".length",
        Instead::Null,
        "many products were never measured",
    ),
    (".width", Instead::Null, "many products were never measured"),
    (
        ".height",
        Instead::Null,
        "many products were never measured",
    ),
    (".parent_id", Instead::Null, "a root category has no parent"),
    (
        ".properties_agg",
        Instead::Array,
        "PHP writes an empty map as an array",
    ),
    (
        ".properties_agg.Назва властивості",
        Instead::Nothing,
        "the description's placeholder for any attribute's name",
    ),
    (".buyer", Instead::Null, "an order may have no buyer"),
    (
        ".manager",
        Instead::Null,
        "an order, buyer or company may have no manager",
    ),
    (".company", Instead::Null, "a buyer may have no company"),
    (
        ".marketing",
        Instead::Null,
        "most orders come without campaign marks",
    ),
    (".shipping", Instead::Null, "an order may have no delivery"),
    (
        ".products.offer",
        Instead::Null,
        "a one-off line is not in the catalogue",
    ),
    (
        ".products.warehouse",
        Instead::Null,
        "what is made to order has no warehouse",
    ),
    (
        ".products.comment",
        Instead::Null,
        "most lines have no comment",
    ),
    (
        ".products.product_status_id",
        Instead::Null,
        "a line need not have a status",
    ),
    (
        ".picture",
        Instead::Array,
        "live answers have an empty array for no picture",
    ),
    (
        ".picture",
        Instead::Object,
        "live answers have the thumbnail in an object",
    ),
    (
        ".promocode",
        Instead::Null,
        "most orders come without a code",
    ),
    (".closed_at", Instead::Null, "an open order is not closed"),
    (
        ".shipping_date_actual",
        Instead::Null,
        "an order may not be shipped yet",
    ),
    (
        ".shipping_secondary_line",
        Instead::Null,
        "a branch has no second address line",
    ),
    (
        ".last_logged_at",
        Instead::Null,
        "a user may never have signed in",
    ),
    (
        ".shipping_price",
        Instead::Null,
        "nothing may be charged for delivery",
    ),
    (
        ".shipping_price",
        Instead::NumericString,
        "seen quoted in live answers",
    ),
    (
        ".wrap_price",
        Instead::Null,
        "nothing may be charged for gift wrap",
    ),
    (
        ".wrap_price",
        Instead::NumericString,
        "seen quoted in live answers",
    ),
    (".taxes", Instead::Null, "nothing may be charged as taxes"),
    (
        ".taxes",
        Instead::NumericString,
        "quoted in the vendor's own webhook sample",
    ),
    (
        ".custom_fields.value",
        Instead::Array,
        "the choices of a list come as an array",
    ),
    (
        ".fiscal_result",
        Instead::Array,
        "PHP writes an empty object as an array",
    ),
    (
        "/order/product-status.data.group_id",
        Instead::Nothing,
        "described with the schema of order statuses, which have groups",
    ),
    (
        "/order/product-status.data.is_closing_order",
        Instead::Nothing,
        "described with the schema of order statuses, which close orders",
    ),
    (
        "/order/product-status.data.expiration_period",
        Instead::Nothing,
        "described with the schema of order statuses, which expire",
    ),
    (
        "/order/product-status.data.deleted_at",
        Instead::Nothing,
        "described with the schema of order statuses",
    ),
];

/// What comes instead of the documented type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Instead {
    /// Null as well.
    Null,
    /// A number as a string as well.
    NumericString,
    /// An array as well.
    Array,
    /// An object as well.
    Object,
    /// Nothing: the property never comes.
    Nothing,
}

/// What is asked at each documented path.
const REQUESTS: &[(&str, &str)] = &[
    (
        "/order",
        "/order?limit=50&include=buyer,products.offer,manager,tags,status,marketing,payments,\
         shipping.lastHistory,shipping.deliveryService,expenses,custom_fields,assigned",
    ),
    (
        "/order/{orderId}",
        "/order/ORDER?include=buyer,products.offer,manager,tags,status,marketing,payments,\
         shipping.lastHistory,shipping.deliveryService,expenses,custom_fields,assigned",
    ),
    ("/order/tag", "/order/tag"),
    ("/order/source", "/order/source"),
    ("/order/status", "/order/status"),
    ("/order/payment-method", "/order/payment-method"),
    ("/order/expense-type", "/order/expense-type"),
    ("/order/delivery-service", "/order/delivery-service"),
    ("/order/product-status", "/order/product-status"),
    ("/custom-fields", "/custom-fields?include=options"),
    ("/offers", "/offers?limit=50&include=product"),
    (
        "/offers/stocks",
        "/offers/stocks?limit=50&filter[details]=true",
    ),
    (
        "/buyer",
        "/buyer?limit=50&include=manager,shipping,company,loyalty,custom_fields",
    ),
    (
        "/buyer/{buyerId}",
        "/buyer/BUYER?include=manager,shipping,company,loyalty,custom_fields",
    ),
    (
        "/companies",
        "/companies?include=manager,buyer,custom_fields",
    ),
    (
        "/companies/{companyId}",
        "/companies/1?include=manager,buyer,custom_fields",
    ),
    ("/products", "/products?limit=50&include=custom_fields"),
    ("/products/{productId}", "/products/1?include=custom_fields"),
    ("/products/categories", "/products/categories"),
    ("/users", "/users"),
];

/// A property of the description and what was found in the answers.
#[derive(Default)]
struct Findings {
    /// How often a property occurred.
    occurred: BTreeMap<String, usize>,
    /// Differences not among the exceptions.
    differences: BTreeMap<String, String>,
}

fn compare(
    description: &Description,
    path: &str,
    schema: &Value,
    value: &Value,
    findings: &mut Findings,
) -> Result<()> {
    *findings.occurred.entry(path.to_owned()).or_default() += 1;
    let schema = description.resolve(schema)?;
    if value.is_null() {
        if schema["nullable"] != true && !is_exception(path, Instead::Null) {
            let what = "is null without being nullable".to_owned();
            findings.differences.insert(path.to_owned(), what);
        }
        return Ok(());
    }
    let kind = schema["type"].as_str().unwrap_or("object");
    let fits = match kind {
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !fits {
        let number = value.as_str().and_then(|text| text.parse::<f64>().ok());
        let instead = match value {
            Value::Array(_) => Some(Instead::Array),
            Value::Object(_) => Some(Instead::Object),
            Value::String(_) if number.is_some() => Some(Instead::NumericString),
            _ => None,
        };
        if !instead.is_some_and(|instead| is_exception(path, instead)) {
            let what = format!("is {value} instead of {kind}");
            findings.differences.insert(path.to_owned(), what);
        }
        return Ok(());
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        let what = format!("{value} is none of {words:?}");
        findings.differences.insert(path.to_owned(), what);
    }
    for element in value.as_array().into_iter().flatten() {
        compare(description, path, &schema["items"], element, findings)?;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let inner = format!("{path}.{name}");
        findings.occurred.entry(inner.clone()).or_default();
        if let Some(value) = value.get(name) {
            compare(description, &inner, property, value, findings)?;
        }
    }
    Ok(())
}

fn is_exception(path: &str, instead: Instead) -> bool {
    EXCEPTIONS
        .iter()
        .any(|(property, known, _)| *known == instead && path.ends_with(property))
}

fn ask(sim: &Simulator, key: &str, path: &str) -> Result<Value> {
    let text = ureq::get(format!("{}{path}", sim.url()))
        .header("Authorization", format!("Bearer {key}"))
        .call()
        .with_context(|| path.to_owned())?
        .body_mut()
        .read_to_string()?;
    Ok(serde_json::from_str(&text)?)
}

#[test]
fn every_documented_property_comes_as_documented() -> Result<()> {
    let Some(file) = std::env::var_os("KEYCRM_OPENAPI") else {
        println!("KEYCRM_OPENAPI names no description, so there is nothing to check");
        return Ok(());
    };
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let description = Description(serde_saphyr::from_str(&text)?);
    let config = Config {
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse()?,
        ..Config::default()
    };
    let key = config.api_key.clone();
    let sim = keycrm::start(config)?;
    // One order and one buyer with as much on them as possible.
    let (order, buyer) = sim.account(|account| {
        let richest = |order: &&keycrm::Order| {
            usize::from(order.shipping.is_some())
                + usize::from(order.buyer_id.is_some())
                + usize::from(order.manager_id.is_some())
                + order.lines.len()
                + order.payments.len() * 2
                + order.custom_values.len()
        };
        let order = account.orders.values().max_by_key(richest);
        let buyer = account
            .buyers
            .values()
            .find(|buyer| buyer.company_id.is_some());
        (
            order.map_or(0, |order| order.id),
            buyer.map_or(0, |buyer| buyer.id),
        )
    });
    let mut findings = Findings::default();
    for (documented, request) in REQUESTS {
        let pointer = format!(
            "/paths/{}/get/responses/200/content/application~1json/schema",
            documented.replace('/', "~1")
        );
        let schema = description.0.pointer(&pointer).context(pointer)?;
        let request = request
            .replace("ORDER", &order.to_string())
            .replace("BUYER", &buyer.to_string());
        let answer = ask(&sim, &key, &request)?;
        compare(&description, documented, schema, &answer, &mut findings)?;
    }
    for (property, times) in &findings.occurred {
        // One record need not have everything; a list of them has to.
        let single = property.contains('{');
        if *times == 0 && !single && !is_exception(property, Instead::Nothing) {
            let what = "never comes".to_owned();
            findings.differences.insert(property.clone(), what);
        }
    }
    let report: Vec<_> = findings
        .differences
        .iter()
        .map(|(property, what)| format!("{property} {what}"))
        .collect();
    assert!(
        findings.occurred.len() > 300,
        "the description was not read"
    );
    assert!(report.is_empty(), "{}", report.join("\n"));
    Ok(())
}
