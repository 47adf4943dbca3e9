//! What people do, from the first click to what comes of it.

use serde_json::{Value, json};
use tenon_scenarios::{component, target};
use tenon_simulators::keycrm::{self, Config, NewLine, NewOrder, Simulator};
use thirtyfour::{By, Key};

use crate::browser::Browser;
use crate::site::{CONNECTION, KEY, LEDGER, Site, TENANT, crm, settings};

#[tokio::test]
async fn adding_keycrm_brings_its_orders_into_the_erp_in_english() {
    add_keycrm("en", "Last days").await;
}

#[tokio::test]
async fn adding_keycrm_brings_its_orders_into_the_erp_in_ukrainian() {
    add_keycrm("uk", "Останні дні").await;
}

#[tokio::test]
async fn adding_keycrm_brings_its_orders_into_the_erp_in_russian() {
    add_keycrm("ru", "Последние дни").await;
}

/// From an empty server to orders in the ERP, with nothing but the console. `last_days` is how the
/// connector names a setting in this language.
async fn add_keycrm(language: &str, last_days: &str) {
    let crm = crm(40);
    let site = Site::start(&[]);
    let browser = Browser::open(language).await;
    browser.sign_in(&site).await;

    browser.press("tenants.add").await;
    browser.type_into(&browser.text("id"), TENANT).await;
    browser.type_into(&browser.text("name"), "Крамниця").await;
    browser.press("tenants.add").await;
    browser.see(&browser.text("connections.none")).await;
    site.load_partner();

    browser.visit("/components").await;
    browser.heading("nav.components").await;
    browser.press("components.add").await;
    let file = target().join("components/connectors/keycrm.wasm");
    let file = file.canonicalize().expect("a built component");
    let field = browser.control(&browser.text("components.file")).await;
    field
        .send_keys(&file.display().to_string())
        .await
        .expect("a chosen file");
    browser.press("components.add").await;
    browser.see(&browser.text("components.what")).await;

    browser.visit(&format!("/tenants/{TENANT}")).await;
    browser.press("connections.add").await;
    // The only connector is chosen, and its name is what the connection is called.
    browser.press("setup.next").await;

    browser
        .see(&browser.text("setup.address"))
        .await
        .click()
        .await
        .expect("opened");
    browser
        .type_into(
            &own(language, "API address", "Адреса API", "Адрес API"),
            crm.url(),
        )
        .await;
    let grant = crm.url().trim_end_matches("/v1");
    browser
        .type_into(&browser.text("frame.grants"), grant)
        .await;
    browser.tick(&browser.text("frame.no_budget")).await;
    browser.press("setup.address_save").await;
    browser.see(&browser.text("saved")).await;
    browser
        .type_into(&own(language, "API key", "Ключ API", "Ключ API"), KEY)
        .await;
    browser.press("save").await;
    browser.see(&browser.text("access.saved")).await;
    browser.press("access.check_now").await;
    let checked = browser.text_with("access.checked", &[("account", "")]);
    browser.see(checked.trim()).await;
    browser.screenshot(&format!("access-{language}")).await;
    browser.press("setup.next").await;

    browser.tick(last_days).await;
    let days = browser
        .wait("//input[@type='number' and @data-path='/last_days']")
        .await;
    days.send_keys("3650").await.expect("a number");
    // Chosen from what the counterpart and the ERP have.
    let status = crm.account(|account| {
        account
            .statuses
            .values()
            .next()
            .expect("a status")
            .name
            .clone()
    });
    browser.see(&status).await;
    let partner = browser
        .wait("//select[@data-path='/default_partner']")
        .await;
    browser.choose(&partner, "walk-in").await;
    browser.screenshot(&format!("settings-{language}")).await;
    browser.press("setup.next").await;

    browser.press("setup.preview_begin").await;
    browser
        .wait("//*[@role='status' and contains(@class, 'good')]")
        .await;
    browser.screenshot(&format!("preview-{language}")).await;
    assert_eq!(0, site.count("orders").await, "a preview writes nothing");
    browser.press("setup.next").await;
    browser.press("setup.switch_on").await;

    let run = own(
        language,
        "Load orders",
        "Отримати замовлення",
        "Получить заказы",
    );
    let run = browser.text_with("jobs.run_label", &[("job", &run)]);
    browser
        .wait(&format!("//button[@aria-label='{run}' and not(@disabled)]"))
        .await
        .click()
        .await
        .expect("a press");
    site.until(CONNECTION, |connection| {
        let last = &connection["last_run"];
        last["mode"] == "live" && last["outcome"] == "done" && connection["running"].is_null()
    })
    .await;
    let done = browser.text("outcome.done");
    browser
        .wait(&format!(
            "//*[contains(@class, 'job')]//*[contains(@class, 'badge') and text()='{done}']"
        ))
        .await;
    browser.screenshot(&format!("overview-{language}")).await;
    assert_eq!(40, site.count("orders").await);

    browser
        .visit(&format!("/tenants/{TENANT}/records/orders"))
        .await;
    browser.heading("nav.records").await;
    browser
        .until("return document.querySelectorAll('tbody tr').length === 40")
        .await;
    let amounts = "return [...document.querySelectorAll('tbody td.number')].filter((cell) => /\\d/.test(cell.innerText)).length === 80";
    browser.until(amounts).await;
    assert_eq!(Vec::<String>::new(), browser.complaints().await);
}

/// A text of the connector's manifest.
fn own(language: &str, english: &str, ukrainian: &str, russian: &str) -> String {
    match language {
        "uk" => ukrainian,
        "ru" => russian,
        _ => english,
    }
    .to_owned()
}

#[tokio::test]
async fn a_connection_is_switched_off_and_on_and_remembers_it() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(CONNECTION).await;
    browser
        .wait("//button[@role='switch' and @aria-checked='true']")
        .await
        .click()
        .await
        .expect("a press");
    browser
        .wait("//button[@role='switch' and @aria-checked='false']")
        .await;
    assert_eq!("off", site.connection().await["state"]);
    let run = browser
        .wait("//button[starts-with(@aria-label, 'Run now')]")
        .await;
    assert!(
        !run.is_enabled().await.expect("a state"),
        "nothing runs while it is off"
    );
    browser
        .wait("//button[@role='switch']")
        .await
        .click()
        .await
        .expect("a press");
    browser
        .wait("//button[@role='switch' and @aria-checked='true']")
        .await;
    assert_eq!("on", site.connection().await["state"]);
}

#[tokio::test]
async fn a_run_shows_how_far_it_is_and_is_stopped() {
    // More pages of orders than the manifest lets a minute have: the run waits in between.
    let crm = keycrm::start(Config {
        orders: 4000,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    });
    let crm = crm.expect("a simulator");
    let site = Site::start(&["--slice", "600"]);
    let mut settings = settings(&crm);
    settings["requests_per_minute"] = 60.into();
    site.connected(&crm, settings, false).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(CONNECTION).await;
    browser
        .wait("//button[starts-with(@aria-label, 'Run now')]")
        .await
        .click()
        .await
        .expect("a press");
    browser
        .until("return document.querySelector('progress')?.value > 0.2")
        .await;
    browser
        .until("return /of 4,000/.test(document.querySelector('.running')?.innerText)")
        .await;
    browser
        .until("return /left/.test(document.querySelector('.running')?.innerText)")
        .await;
    browser.screenshot("progress").await;
    browser.press("progress.stop").await;
    browser.press("tab.queue").await;
    browser.heading("tab.queue").await;
}

#[tokio::test]
async fn failed_records_are_tried_again_once_their_reason_is_mended() {
    let crm = crm(3);
    let order = crm.account(|account| {
        account
            .add_order(NewOrder::new().line(NewLine::named("Чашка").sku("CUP-1").price("120.50")))
    });
    let site = Site::start(&[]);
    // An order without a buyer is refused as long as nobody stands in for one.
    let mut wanted = settings(&crm);
    wanted
        .as_object_mut()
        .expect("an object")
        .remove("default_partner");
    site.connected(&crm, wanted, true).await;
    let run = site.exchange().await;
    assert_eq!(1, run["failed"], "{run}");

    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/failed")).await;
    browser.heading("tab.failed").await;
    browser.see(&format!("order {order}")).await;
    browser.screenshot("failed").await;

    browser.visit(&format!("{CONNECTION}/settings")).await;
    browser.heading("tab.settings").await;
    let partner = browser
        .wait("//select[@data-path='/default_partner']")
        .await;
    browser.choose(&partner, "walk-in").await;
    browser.press("save").await;
    browser.see(&browser.text("saved")).await;

    browser
        .wait("//nav//a[contains(@href, '/failed')]")
        .await
        .click()
        .await
        .expect("a press");
    browser.heading("tab.failed").await;
    browser.press("failed.retry_all").await;
    browser.see(&browser.text("failed.none")).await;
    assert_eq!(4, site.count("orders").await);
}

/// A KeyCRM with orders that are refused as long as nobody stands in for a buyer, and a connection to
/// it whose settings name nobody.
async fn with_refused_orders(site: &Site, count: usize) -> Simulator {
    let crm = crm(3);
    crm.account(|account| {
        for _ in 0..count {
            let cup = NewLine::named("Чашка").sku("CUP-1").price("120.50");
            account.add_order(NewOrder::new().line(cup));
        }
    });
    let mut wanted = settings(&crm);
    let members = wanted.as_object_mut().expect("an object");
    members.remove("default_partner");
    site.connected(&crm, wanted, true).await;
    crm
}

#[tokio::test]
async fn a_list_that_is_read_anew_keeps_the_rows_that_are_shown() {
    let site = Site::start(&[]);
    let _crm = with_refused_orders(&site, 60).await;
    site.exchange().await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/failed")).await;
    let rows = |shown: &str| format!("return document.querySelectorAll('tbody tr').length {shown}");
    browser.until(&rows("=== 50")).await;
    browser.press("more").await;
    browser.until(&rows(">= 60")).await;
    let reads = "performance.getEntriesByType('resource')
        .filter((one) => one.name.includes('/failed?')).length";
    browser
        .run(&format!("window.reads = {reads}"), Vec::new())
        .await;
    // One read ends before the next begins, so the first of these two is shown.
    browser
        .until(&format!("return {reads} >= window.reads + 2"))
        .await;
    assert_eq!(true, browser.run(&rows(">= 60"), Vec::new()).await);
}

#[tokio::test]
async fn a_record_in_the_log_leads_to_all_that_was_logged_about_it() {
    let site = Site::start(&[]);
    let _crm = with_refused_orders(&site, 1).await;
    site.exchange().await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("/tenants/{TENANT}/log")).await;
    let record = browser.wait("//td//a/code").await;
    let name = record.text().await.expect("a text");
    record.click().await.expect("a press");
    browser
        .until(&format!(
            "return document.querySelector('input[type=search]')?.value === '{name}'"
        ))
        .await;
    browser
        .until(&format!(
            "const rows = [...document.querySelectorAll('tbody tr')];
             return rows.length > 0 && rows.every((row) => row.innerText.includes('{name}'))"
        ))
        .await;
}

#[tokio::test]
async fn a_preview_of_a_connection_that_is_on_is_followed_to_what_it_would_do() {
    let site = Site::start(&[]);
    let _crm = with_refused_orders(&site, 1).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/set-up/preview")).await;
    browser.press("setup.preview_begin").await;
    browser
        .wait("//*[@role='status' and contains(@class, 'good')]")
        .await;
    // What it could not take is told with its reason, what it would write record by record, and the
    // run is a click away.
    browser.see(&browser.text("run.rejected")).await;
    browser.see(":order:").await;
    browser.press("progress.run").await;
    browser
        .see(&browser.text("run.wrote_nothing.preview"))
        .await;
    assert!(site.connection().await["last_run"].is_null());
}

#[tokio::test]
async fn an_operator_finds_connections_of_all_tenants_by_name_and_state() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.neighbour("depot", "Склад").await;
    // A key that is refused pauses the connection.
    let credential = format!("{CONNECTION}/credentials/api_key");
    let wrong = json!({ "secret": "another-key-than-the-one" });
    site.api("PUT", &credential, wrong).await;
    let run = format!("{CONNECTION}/jobs/orders/run");
    site.post(&run, json!({})).await;
    site.until(CONNECTION, |connection| connection["state"] == "paused")
        .await;

    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.press("nav.all_connections").await;
    browser.heading("nav.all_connections").await;
    let shows = |tenants: &str| {
        format!(
            "const links = [...document.querySelectorAll('tbody td:nth-child(2) a')];
             return links.map((link) => link.innerText).join(' ') === '{tenants}'"
        )
    };
    browser.until(&shows("depot Крамниця")).await;
    let state = browser.control(&browser.text("state")).await;
    browser.choose(&state, "paused").await;
    browser.until(&shows("Крамниця")).await;
    browser.choose(&state, "").await;
    browser.type_into(&browser.text("search"), "СКЛАД").await;
    browser.until(&shows("depot")).await;
}

#[tokio::test]
async fn a_record_is_found_among_more_than_a_list_holds() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let partners = (0..250)
        .map(|number| json!({ "key": format!("p{number}"), "name": format!("Їжак {number}") }));
    site.load_partners(partners.collect());
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/settings")).await;
    let field = browser
        .wait("//input[@data-path='/default_partner' and @list]")
        .await;
    // The one that is set is named.
    browser.see("Роздрібний покупець").await;
    field.clear().await.expect("an empty field");
    field.send_keys("їЖАК 249").await.expect("a typed text");
    browser
        .until(
            "const offered = [...document.querySelectorAll('datalist option')];
             return offered.length === 1 && offered[0].value === 'p249'",
        )
        .await;
    field.clear().await.expect("an empty field");
    field.send_keys("p249").await.expect("a typed text");
    browser.see("Їжак 249").await;
    browser.press("save").await;
    browser.see(&browser.text("saved")).await;
    let stored = site.get(&format!("{CONNECTION}/settings")).await;
    assert_eq!("p249", stored["default_partner"]);
}

#[tokio::test]
async fn what_somebody_else_changed_is_loaded_and_ones_own_change_is_kept() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/settings")).await;
    let days = browser.wait("//input[@data-path='/last_days']").await;
    days.clear().await.expect("an empty field");
    days.send_keys("30").await.expect("a number");
    let mut others = settings(&crm);
    others["currency"] = json!("EUR");
    site.put_settings(&others).await;

    browser.press("save").await;
    browser.press("settings.load").await;
    browser.see(&browser.text("settings.loaded")).await;
    let shown = "const of = (name) => document.querySelector(`input[data-path='/${name}']`)?.value;
        return of('currency') === 'EUR' && of('last_days') === '30'";
    browser.until(shown).await;
    browser.press("save").await;
    browser.see(&browser.text("saved")).await;
    others["last_days"] = json!(30);
    assert_eq!(others, site.get(&format!("{CONNECTION}/settings")).await);
}

#[tokio::test]
async fn what_goes_wrong_after_a_question_is_said_where_it_was_asked() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/settings")).await;
    browser
        .press_and_confirm(&browser.text("connections.remove"))
        .await;
    // It is on, which the server says is in the way.
    browser
        .wait("//dialog[@open]//*[@role='alert']/p[normalize-space(.)]")
        .await;
    browser.press("cancel").await;
    browser
        .until("return document.querySelector('dialog') === null")
        .await;
    assert_eq!("on", site.connection().await["state"]);
}

#[tokio::test]
async fn chosen_connections_are_moved_to_a_version_and_those_that_stay_are_told() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.neighbour("depot", "Склад").await;
    // Without its key a connection that is on fits no version.
    let credential = format!("{CONNECTION}/credentials/api_key");
    site.api("DELETE", &credential, Value::Null).await;
    let before = site.connection().await["version"]["digest"].clone();
    let after = site.install(noted("keycrm")).await;

    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("/components/{after}")).await;
    browser
        .wait("//input[@type='checkbox' and @aria-label='depot/keycrm']")
        .await
        .click()
        .await
        .expect("a tick");
    let chosen = browser.text_with("components.upgrade_some", &[("count", "1")]);
    browser
        .wait(&format!(
            "//button[normalize-space(.)='{chosen}' and not(@disabled)]"
        ))
        .await
        .click()
        .await
        .expect("a press");
    browser.see("1 connection was switched.").await;
    let depot = site.get("/tenants/depot/connections/keycrm").await;
    assert_eq!(after, depot["version"]["digest"]);
    assert_eq!(before, site.connection().await["version"]["digest"]);

    browser
        .press_and_confirm(&browser.text("components.upgrade_all"))
        .await;
    browser.see("1 stayed on its version.").await;
    browser
        .wait("//li[a[.='shop/keycrm'] and contains(., 'api_key')]")
        .await;
    assert_eq!(before, site.connection().await["version"]["digest"]);
}

/// A component with a note in it: another version by its digest.
fn noted(name: &str) -> Vec<u8> {
    let mut wasm = component(name);
    wasm.extend([0, 5, 4]);
    wasm.extend(b"note");
    wasm
}

#[tokio::test]
async fn a_connection_goes_to_another_version_and_back() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let before = site.connection().await["version"]["digest"].clone();
    let after = site.install(noted("keycrm")).await;

    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/versions")).await;
    browser.heading("tab.versions").await;
    browser
        .press_and_confirm(&browser.text("versions.switch"))
        .await;
    browser.see(&browser.text("versions.changed")).await;
    assert_eq!(after, site.connection().await["version"]["digest"]);

    let version = site.connection().await["previous"]["version"].clone();
    let back = browser.text_with(
        "versions.rollback",
        &[("version", version.as_str().expect("a version"))],
    );
    browser.press_and_confirm(&back).await;
    browser.until(&format!(
        "return [...document.querySelectorAll('.facts code')].some((one) => one.textContent === {before})"
    ))
    .await;
    assert_eq!(before, site.connection().await["version"]["digest"]);
}

#[tokio::test]
async fn a_wrong_setting_is_told_at_its_field() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/settings")).await;
    browser.heading("tab.settings").await;
    let days = browser.wait("//input[@data-path='/last_days']").await;
    days.clear().await.expect("an empty field");
    days.send_keys("99999").await.expect("a number");
    browser.press("save").await;
    let days = browser
        .wait("//input[@data-path='/last_days' and @aria-invalid='true']")
        .await;
    let reason = days
        .attr("aria-describedby")
        .await
        .expect("an answer")
        .expect("a description");
    let reason = reason.split(' ').next_back().expect("an id");
    let reason = browser.wait(&format!("//*[@id='{reason}']")).await;
    assert!(!reason.text().await.expect("a text").is_empty());
    browser
        .until("return document.activeElement.dataset.path === '/last_days'")
        .await;
    browser.screenshot("wrong").await;
}

#[tokio::test]
async fn everything_can_be_done_with_the_keyboard_alone() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("en").await;
    browser
        .client
        .goto(&format!("{}/console/", site.url()))
        .await
        .expect("the console");
    browser.settled().await;

    // The field of the token has the focus from the start.
    browser
        .until("return document.activeElement.type === 'password'")
        .await;
    let field = browser
        .client
        .active_element()
        .await
        .expect("a focused element");
    field.send_keys(site.token()).await.expect("a typed text");
    browser.key(Key::Enter).await;
    browser.heading("nav.tenants").await;
    follow(&browser, "Крамниця").await;
    browser.heading_of("Крамниця").await;
    browser
        .until("return document.activeElement.tagName === 'H1'")
        .await;
    follow(&browser, "KeyCRM").await;
    browser.heading_of("KeyCRM").await;

    tab_to(
        &browser,
        "document.activeElement.getAttribute('role') === 'switch'",
    )
    .await;
    browser.key(Key::Space).await;
    browser
        .wait("//button[@role='switch' and @aria-checked='false']")
        .await;

    follow(&browser, "Access").await;
    browser.heading("tab.access").await;
    tab_to(
        &browser,
        "document.activeElement.textContent.trim() === 'Make a new address'",
    )
    .await;
    browser.key(Key::Enter).await;
    browser
        .until("return document.querySelector('dialog[open]')?.contains(document.activeElement)")
        .await;
    for _ in 0..8 {
        browser.key(Key::Tab).await;
        let script = "const dialog = document.querySelector('dialog');
            return dialog.contains(document.activeElement) || document.activeElement === document.body";
        assert_eq!(
            true,
            browser.run(script, Vec::new()).await,
            "the focus left the dialog"
        );
    }
    tab_to(
        &browser,
        "document.querySelector('dialog').contains(document.activeElement)",
    )
    .await;
    browser.key(Key::Escape).await;
    browser
        .until("return document.querySelector('dialog[open]') === null")
        .await;
    browser
        .until("return document.activeElement.textContent.trim() === 'Make a new address'")
        .await;
}

/// Presses Tab until the focus is where a script wants it.
async fn tab_to(browser: &Browser, wanted: &str) {
    for _ in 0..200 {
        if browser.run(&format!("return {wanted}"), Vec::new()).await == true {
            let seen = "const style = getComputedStyle(document.activeElement);
                return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2";
            assert_eq!(
                true,
                browser.run(seen, Vec::new()).await,
                "the focus is not seen: {wanted}"
            );
            return;
        }
        browser.key(Key::Tab).await;
    }
    panic!("Tab does not reach: {wanted}");
}

async fn follow(browser: &Browser, link: &str) {
    tab_to(
        browser,
        &format!("document.activeElement.tagName === 'A' && document.activeElement.textContent.trim() === '{link}'"),
    )
    .await;
    browser.key(Key::Enter).await;
}

#[tokio::test]
async fn a_token_that_is_not_known_leads_back_to_the_entrance() {
    let site = Site::start(&[]);
    let browser = Browser::open("en").await;
    browser
        .client
        .goto(&format!("{}/console/", site.url()))
        .await
        .expect("the console");
    let wrong = format!("tnn_{}", "A".repeat(43));
    browser
        .type_into(&browser.text("sign_in.token"), &wrong)
        .await;
    browser.press("sign_in.submit").await;
    browser.wait("//*[@role='alert']//p").await;
    browser.heading("sign_in.title").await;
    let kept = browser
        .run("return sessionStorage.length", Vec::new())
        .await;
    assert_eq!(0, kept);
    let alerts = browser
        .client
        .find_all(By::Css("[role=alert] p"))
        .await
        .expect("alerts");
    assert!(!alerts.is_empty());
}

#[tokio::test]
async fn a_question_is_seen_in_the_list_and_a_yes_does_what_it_asks() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    site.asking().await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("/tenants/{TENANT}")).await;
    browser.see(&browser.text("question.waits")).await;
    browser.visit(LEDGER).await;
    browser.see("180 entries of 200 are lost").await;
    browser.press("question.yes").await;
    browser.see(&browser.text("question.agreed")).await;
    let done = format!("{LEDGER}/questions?state=done");
    site.until(&done, |page| page["items"][0]["affected"] == 180)
        .await;
    let title = browser.text("question.title");
    browser
        .until(&format!(
            "return !document.body.innerText.includes({})",
            Value::from(title)
        ))
        .await;
}

#[tokio::test]
async fn what_is_asked_before_switching_on_is_seen_at_once_and_a_yes_switches_on() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    site.ledger("taken-hooks").await;
    site.post(&format!("{LEDGER}/disable"), Value::Null).await;
    let browser = Browser::open("ru").await;
    browser.sign_in(&site).await;
    browser.visit(LEDGER).await;
    browser.press("state.exchange").await;
    browser.see(&browser.text("question.yes_switches_on")).await;
    browser
        .see("20 webhooks of somebody else are replaced")
        .await;
    browser.press("question.yes").await;
    browser.see(&browser.text("question.agreed_on")).await;
    site.until(LEDGER, |connection| connection["state"] == "on")
        .await;
}
