//! Every page, wide and narrow, light and dark: it fits, it has no barriers, and the browser has
//! nothing to complain about.

use serde_json::json;
use tenon_simulators::keycrm::{NewLine, NewOrder};

use crate::browser::Browser;
use crate::site::{CONNECTION, LEDGER, Site, TENANT, crm, settings};

#[tokio::test]
async fn every_page_fits_and_has_no_barriers_in_english_light_and_wide() {
    every_page("en", 1280, "light").await;
}

#[tokio::test]
async fn every_page_fits_and_has_no_barriers_in_ukrainian_dark_and_narrow() {
    every_page("uk", 360, "dark").await;
}

#[tokio::test]
async fn every_page_fits_and_has_no_barriers_in_russian_light_and_narrow() {
    every_page("ru", 360, "light").await;
}

async fn every_page(language: &str, width: u32, scheme: &str) {
    let crm = crm(30);
    // One that is refused, so that there is something to see on the pages about failures.
    crm.account(|account| {
        account.add_order(NewOrder::new().line(NewLine::named("Чашка").price("120.50")));
    });
    let site = Site::start(&[]);
    let mut wanted = settings(&crm);
    wanted
        .as_object_mut()
        .expect("an object")
        .remove("default_partner");
    site.connected(&crm, wanted, true).await;
    let run = site.exchange().await;
    let asking = site.asking().await;
    let digest = site.connection().await["version"]["digest"].clone();
    let orders = site.get(&format!("/tenants/{TENANT}/records/orders")).await;
    let token = json!({ "name": "bookkeeper", "tenant": TENANT, "scopes": ["read"] });
    site.post("/tokens", token).await;
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();

    let tenant = format!("/tenants/{TENANT}");
    let places = [
        ("tenants", "/tenants".to_owned()),
        ("connections", "/connections".to_owned()),
        ("components", "/components".to_owned()),
        ("component", format!("/components/{}", text(&digest))),
        ("tokens", "/tokens".to_owned()),
        ("audit", "/audit".to_owned()),
        ("tenant", tenant.clone()),
        ("tenant-settings", format!("{tenant}/settings")),
        ("tenant-log", format!("{tenant}/log")),
        ("tenant-audit", format!("{tenant}/audit")),
        ("records", format!("{tenant}/records/orders")),
        (
            "record",
            format!(
                "{tenant}/records/orders/{}",
                text(&orders["items"][0]["key"])
            ),
        ),
        ("add", format!("{tenant}/add")),
        ("set-up-access", format!("{CONNECTION}/set-up/access")),
        ("set-up-settings", format!("{CONNECTION}/set-up/settings")),
        ("set-up-preview", format!("{CONNECTION}/set-up/preview")),
        ("set-up-on", format!("{CONNECTION}/set-up/on")),
        ("overview", CONNECTION.to_owned()),
        ("runs", format!("{CONNECTION}/runs")),
        ("run", format!("{CONNECTION}/runs/{}", text(&run["id"]))),
        ("queue", format!("{CONNECTION}/queue")),
        ("failed-records", format!("{CONNECTION}/failed")),
        ("log", format!("{CONNECTION}/log")),
        ("bindings", format!("{CONNECTION}/bindings")),
        ("settings", format!("{CONNECTION}/settings")),
        ("access", format!("{CONNECTION}/access")),
        ("schedule", format!("{CONNECTION}/schedule")),
        ("versions", format!("{CONNECTION}/versions")),
        ("question", LEDGER.to_owned()),
        ("run-with-question", format!("{LEDGER}/runs/{asking}")),
    ];
    let browser = Browser::open(language).await;
    browser.look(width, scheme).await;
    browser.sign_in(&site).await;
    let missing = serde_json::Value::from(browser.text("missing.title"));
    let mut faults = Vec::new();
    for (name, place) in places {
        // By way of nowhere, so that the page before is not taken for this one.
        browser.visit("/nowhere").await;
        browser.heading("missing.title").await;
        browser.visit(&place).await;
        browser
            .until(&format!(
                "return document.querySelector('h1')?.innerText !== {missing}"
            ))
            .await;
        browser.settled().await;
        browser
            .screenshot(&format!("{name}-{language}-{width}-{scheme}"))
            .await;
        let wide = browser.sticks_out().await;
        if !wide.is_null() {
            faults.push(format!("{name} sticks out: {wide}"));
        }
        let problems = "return [...document.querySelectorAll('.note.bad[role=alert]')].map((one) => one.innerText).join(' ')";
        let problems = browser.run(problems, Vec::new()).await;
        if problems != "" {
            faults.push(format!("{name} shows a problem: {problems}"));
        }
        let barriers = browser.barriers().await;
        faults.extend(
            barriers
                .iter()
                .map(|barrier| format!("{name} has a barrier: {barrier}")),
        );
    }
    faults.extend(browser.complaints().await);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
