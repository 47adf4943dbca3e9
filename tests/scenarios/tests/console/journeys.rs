//! What people do, from the first click to what comes of it.

use fantoccini::Locator;
use fantoccini::key::Key;
use tenon_scenarios::{component, target};
use tenon_simulators::keycrm::{self, Config, NewLine, NewOrder};

use crate::browser::Browser;
use crate::site::{CONNECTION, KEY, Site, TENANT, crm, settings};

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
    partner.select_by_value("walk-in").await.expect("a partner");
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
        last["preview"] == false && last["outcome"] == "done" && connection["running"].is_null()
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
    site.connected(&crm, settings(&crm), false).await;
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
    partner.select_by_value("walk-in").await.expect("a partner");
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

#[tokio::test]
async fn a_connection_goes_to_another_version_and_back() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let before = site.connection().await["version"]["digest"].clone();
    // The same component with a note in it: another version by its digest.
    let mut other = component("keycrm");
    other.extend([0, 5, 4]);
    other.extend(b"note");
    let after = site.install(other).await;

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
        .find_all(Locator::Css("[role=alert] p"))
        .await
        .expect("alerts");
    assert!(!alerts.is_empty());
}
