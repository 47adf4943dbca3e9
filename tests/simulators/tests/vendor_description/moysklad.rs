//! Holds the simulated MoySklad against the vendor's own description of the API.
//!
//! The description is not part of this repository: name its file in `MOYSKLAD_OPENAPI`. Without it
//! there is nothing to check. Every value in the answers has to be documented and of the documented
//! type, what is documented for the simulated objects has to be served, and both but for what is
//! named here.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_simulators::description::{Description, Findings};
use tenon_simulators::moysklad::{self, Account, Behaviour, Config, Kind, Limits, Simulator};

/// Properties in answers that the description does not have, and why they come all the same: the
/// end of the property's path.
const UNDOCUMENTED: &[(&str, &str)] = &[
    (
        ".context",
        "lists of pictures tell who asked as all lists do",
    ),
    (
        "/metadata/characteristics.meta.size",
        "it is a list like any other",
    ),
    (
        "/metadata/characteristics.meta.limit",
        "it is a list like any other",
    ),
    (
        "/metadata/characteristics.meta.offset",
        "it is a list like any other",
    ),
    (
        "/components.meta.size",
        "described with the schema of one part, but a list",
    ),
    (
        "/components.meta.limit",
        "described with the schema of one part, but a list",
    ),
    (
        "/components.meta.offset",
        "described with the schema of one part, but a list",
    ),
    (
        "/components.rows",
        "described with the schema of one part, but a list",
    ),
];

/// Operations on simulated objects that the simulator does not serve: the end of the path.
const NOT_SERVED: &[&str] = &[
    "/files",
    "/files/{fileId}",
    "/notes",
    "/notes/{noteId}",
    "/storebalances",
    "/storebalances/{storeBalanceId}",
    "/storebalances/delete",
    "/zones",
    "/zones/{id}",
    "/zones/delete",
    "/slots",
    "/slots/{id}",
    "/slots/delete",
    "/security",
    "/access/activate",
    "/access/deactivate",
    "/access/resetpassword",
    "/new",
];

/// Operations that other kinds' paths have but the simulated kinds serve differently.
const CHANGES_OF_SETTINGS: &[(&str, &str)] = &[("/context/companysettings", "put")];

/// What is asked of each documented list, so that as much as possible is in the answer.
const EXPANDED: &str = "limit=100&expand=productFolder,uom,owner,group,supplier,country,images,\
     components.assortment,product,agent,organization,store,state,accounts,contactpersons,\
     positions.assortment,parent";

fn description() -> Result<Option<Description>> {
    let Some(file) = std::env::var_os("MOYSKLAD_OPENAPI") else {
        println!("MOYSKLAD_OPENAPI names no description, so there is nothing to check");
        return Ok(None);
    };
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    Ok(Some(Description(serde_json::from_str(&text)?)))
}

fn config() -> Result<Config> {
    Ok(Config {
        limits: Limits::none(),
        now: "2026-03-31T12:00:00Z".parse()?,
        behaviour: Behaviour {
            unknown_keys: false,
            ..Behaviour::default()
        },
        ..Config::default()
    })
}

/// An answer's status and body.
fn ask(sim: &Simulator, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", sim.url()))
        .header(
            "Authorization",
            format!("Bearer {}", Config::default().token),
        )
        .header("Content-Type", "application/json")
        .body(body.map_or_else(String::new, Value::to_string))?;
    let mut answer = agent.run(request)?;
    let text = answer.body_mut().read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok((answer.status().as_u16(), body))
}

/// Documented paths with their operations.
fn operations(description: &Description) -> Vec<(String, String)> {
    let paths = description.0["paths"].as_object();
    let methods = ["get", "post", "put", "delete"];
    paths
        .into_iter()
        .flatten()
        .flat_map(|(path, operations)| {
            let known = methods
                .into_iter()
                .filter(move |method| operations.get(*method).is_some());
            known.map(move |method| (path.clone(), method.to_owned()))
        })
        .collect()
}

/// The kind that a path is about, when it is simulated.
fn simulated(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("entity"), Some("assortment")) => true,
        (Some("entity"), Some(word)) => Kind::of_word(word).is_some_and(Kind::is_entity),
        (Some("context"), Some(word)) => word == "companysettings" && !path.ends_with("metadata"),
        _ => false,
    }
}

/// An account with as much on its objects as possible.
fn rich() -> Result<Simulator> {
    let sim = moysklad::start(config()?)?;
    sim.account(fill);
    Ok(sim)
}

fn fill(account: &mut Account) {
    use tenon_simulators::moysklad::Value;
    for (name, kind) in [
        ("Строка", "string"),
        ("Число", "double"),
        ("Склад", "store"),
    ] {
        account.add_attribute(Kind::Product, name, kind);
    }
    for kind in [Kind::Project, Kind::SalesChannel] {
        account.add_named(kind, "Магазин");
    }
    let partner = account.all(Kind::Counterparty)[0].id;
    account.change(partner, |record| {
        let address = [
            ("city", "Москва".to_owned()),
            ("street", "Мясницкая".to_owned()),
        ];
        record.set("actualAddressFull", Value::Address(address.into()));
    });
}

#[test]
fn every_answer_is_as_documented() -> Result<()> {
    let Some(description) = description()? else {
        return Ok(());
    };
    let sim = rich()?;
    let hook =
        json!({ "url": "https://shop.example/a", "entityType": "product", "action": "UPDATE" });
    let stock =
        json!({ "url": "https://shop.example/b", "reportType": "all", "stockType": "stock" });
    let partner = sim.account(|account| account.all(Kind::Counterparty)[0].id);
    let more = json!({
        "accounts": [{ "accountNumber": "1", "bic": "044525225", "bankName": "Банк" }],
        "contactpersons": [{ "name": "Анна", "phone": "1", "email": "a@b.example" }],
    });
    for (method, path, body) in [
        ("POST", "/entity/webhook".to_owned(), &hook),
        ("POST", "/entity/webhookstock".to_owned(), &stock),
        ("PUT", format!("/entity/counterparty/{partner}"), &more),
    ] {
        let (status, answer) = ask(&sim, method, &path, Some(body))?;
        anyhow::ensure!(status == 200, "{path}: {answer}");
    }
    let mut findings = Findings::new();
    let mut checked = 0;
    for (path, method) in operations(&description) {
        if method != "get" || !simulated(&path) || NOT_SERVED.iter().any(|end| path.ends_with(end))
        {
            continue;
        }
        let pointer = format!(
            "/paths/{}/get/responses/200/content/application~1json/schema",
            path.replace('/', "~1")
        );
        let Some(schema) = description.0.pointer(&pointer) else {
            continue;
        };
        let Some(asked) = filled_in(&sim, &path)? else {
            continue;
        };
        let (status, answer) = ask(&sim, "GET", &asked, None)?;
        anyhow::ensure!(status == 200, "{asked}: {status} {answer}");
        findings.extend(description.differences(&path, schema, &answer)?);
        checked += 1;
    }
    assert!(checked > 40, "the description was not read: {checked}");
    let tolerated = |property: &str| {
        let mut ends = UNDOCUMENTED.iter().map(|(end, _)| *end);
        ends.find(|end| property.ends_with(end))
    };
    let used: BTreeSet<_> = findings.keys().filter_map(|path| tolerated(path)).collect();
    let report: Vec<_> = findings
        .iter()
        .filter(|(property, _)| tolerated(property).is_none())
        .map(|(property, what)| format!("{property} {what}"))
        .collect();
    assert!(report.is_empty(), "{}", report.join("\n"));
    let unused: Vec<_> = UNDOCUMENTED
        .iter()
        .filter(|(end, _)| !used.contains(end))
        .collect();
    assert!(unused.is_empty(), "no longer needed: {unused:?}");
    Ok(())
}

/// A path with keys of objects that are there in the places of its template; none when the account
/// has no such object.
fn filled_in(sim: &Simulator, path: &str) -> Result<Option<String>> {
    let Some((list, rest)) = path.split_once("/{") else {
        return Ok(Some(format!("{path}?{EXPANDED}")));
    };
    let (_, answer) = ask(sim, "GET", &format!("{list}?{EXPANDED}"), None)?;
    let rows = answer["rows"].as_array().or_else(|| answer.as_array());
    let Some(id) = rows.and_then(|rows| best(rows, rest)) else {
        return Ok(None);
    };
    let (_, tail) = rest.split_once('}').unwrap_or(("", ""));
    match tail.split_once("/{") {
        None => Ok(Some(format!("{list}/{id}{tail}?{EXPANDED}"))),
        Some((inner, _)) => {
            let (_, answer) = ask(sim, "GET", &format!("{list}/{id}{inner}"), None)?;
            let row = answer["rows"][0]["id"].as_str();
            Ok(row.map(|row| format!("{list}/{id}{inner}/{row}")))
        }
    }
}

/// The key of the row with the most in the collection that is asked for next.
fn best(rows: &[Value], rest: &str) -> Option<String> {
    let collection = rest.split('/').nth(1).unwrap_or_default();
    let size = |row: &&Value| row[collection]["meta"]["size"].as_u64().unwrap_or(0);
    let row = rows.iter().max_by_key(size)?;
    Some(row["id"].as_str()?.to_owned())
}

#[test]
fn every_documented_operation_on_the_simulated_objects_is_served() -> Result<()> {
    let Some(description) = description()? else {
        return Ok(());
    };
    let sim = moysklad::start_with(config()?, Account::empty())?;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let mut missing = Vec::new();
    for (path, method) in operations(&description) {
        let template = path.split('/').skip(3).collect::<Vec<_>>().join("/");
        let known_gap = NOT_SERVED
            .iter()
            .any(|end| format!("/{template}").ends_with(end))
            || CHANGES_OF_SETTINGS.contains(&(path.as_str(), method.as_str()));
        if !simulated(&path) || known_gap {
            continue;
        }
        let mut asked = String::new();
        for part in path.split('/').skip(1) {
            asked.push('/');
            asked.push_str(if part.starts_with('{') { nobody } else { part });
        }
        let (_, answer) = ask(&sim, &method.to_uppercase(), &asked, Some(&json!({})))?;
        // An unknown path, type or method.
        if matches!(
            answer["errors"][0]["code"].as_u64(),
            Some(1002 | 1005 | 1039)
        ) {
            missing.push(format!("{method} {path}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}
