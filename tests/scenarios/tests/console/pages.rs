//! Every page, wide and narrow, light and dark: it fits, it has no barriers, and the browser has
//! nothing to complain about.

use serde_json::{Value, json};
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

#[tokio::test]
async fn every_dialog_shows_all_that_it_says_in_english() {
    every_dialog("en", 1280).await;
}

#[tokio::test]
async fn every_dialog_shows_all_that_it_says_in_ukrainian() {
    every_dialog("uk", 1280).await;
}

#[tokio::test]
async fn every_dialog_shows_all_that_it_says_in_russian_on_a_narrow_screen() {
    every_dialog("ru", 360).await;
}

/// Opens one dialog after the other, as people do; each fits, and its lines end in it.
async fn every_dialog(language: &str, width: u32) {
    let crm = crm(3);
    crm.account(|account| {
        account.add_order(NewOrder::new().line(NewLine::named("Чашка").price("120.50")));
    });
    let site = Site::start(&[]);
    let mut wanted = settings(&crm);
    let members = wanted.as_object_mut().expect("an object");
    members.remove("default_partner");
    site.connected(&crm, wanted, true).await;
    site.exchange().await;
    let token =
        json!({ "name": "Помічник бухгалтера магазину «Квітка» на Подолі", "scopes": ["read"] });
    site.post("/tokens", token).await;
    let browser = Browser::open(language).await;
    browser.look(width, "light").await;
    browser.sign_in(&site).await;
    let mut faults = Vec::new();
    let mut seen = 0;
    for place in [
        "/tenants".to_owned(),
        "/components".to_owned(),
        "/tokens".to_owned(),
        "/maintenance".to_owned(),
        format!("/tenants/{TENANT}/settings"),
        format!("{CONNECTION}/failed"),
        format!("{CONNECTION}/bindings"),
        format!("{CONNECTION}/access"),
        format!("{CONNECTION}/settings"),
    ] {
        browser.visit("/nowhere").await;
        browser.heading("missing.title").await;
        browser.visit(&place).await;
        browser
            .wait("//main//button[@aria-haspopup='dialog']")
            .await;
        browser.settled().await;
        let count = "return document.querySelectorAll('main button[aria-haspopup=dialog]').length";
        let count = browser.run(count, Vec::new()).await;
        for index in 0..count.as_u64().expect("a number").min(4) {
            let open = "document.querySelectorAll('main button[aria-haspopup=dialog]')[arguments[0]].click()";
            browser.run(open, vec![index.into()]).await;
            browser.wait("//dialog[@open]").await;
            let cut = "const dialog = document.querySelector('dialog[open]');
                const { left, right } = dialog.getBoundingClientRect();
                const out = [...dialog.querySelectorAll('*')].filter((one) => {
                    const box = one.getBoundingClientRect();
                    return !one.closest('.unseen') && box.width > 0 && (box.left < left || box.right > right);
                });
                const wide = dialog.scrollWidth > dialog.clientWidth;
                return wide || out.length || left < 0 || right > innerWidth ? dialog.innerText : null";
            let cut = browser.run(cut, Vec::new()).await;
            seen += 1;
            if !cut.is_null() {
                browser.screenshot(&format!("cut-{language}-{seen}")).await;
                faults.push(format!("{place}: {cut}"));
            }
            let close = "document.querySelector('dialog[open] .headline button').click()";
            browser.run(close, Vec::new()).await;
            browser
                .until("return document.querySelector('dialog') === null")
                .await;
        }
    }
    assert!(seen > 9, "{seen}");
    assert_eq!(Vec::<String>::new(), faults);
    assert_eq!(Value::Null, browser.sticks_out().await);
}
