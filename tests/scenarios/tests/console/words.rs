//! People read words: names instead of identifiers, rules instead of patterns, and in their language.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::site::{CONNECTION, Site, TENANT, crm, settings};

#[tokio::test]
async fn rules_that_are_broken_are_said_in_words() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.press("tenants.add").await;
    browser.type_into(&browser.text("id"), "Моя крамниця").await;
    browser.press("tenants.add").await;
    browser.see("має складатися з малих латинських літер").await;
    browser.see(&browser.text("problem.required")).await;
    let written = browser.written().await;
    for raw in ["^[", "символ", "/id", "/name"] {
        assert!(!written.contains(raw), "{raw}: {written}");
    }
    browser.press("cancel").await;

    browser.visit(&format!("{CONNECTION}/settings")).await;
    let opened = browser.see(&browser.text("setup.address")).await;
    opened.click().await.expect("opened");
    browser.type_into("Адреса API", "ftp://crm").await;
    browser.press("save").await;
    browser
        .see("має бути адреса, що починається з https://")
        .await;
    assert!(!browser.written().await.contains("^http"));
}

#[tokio::test]
async fn settings_of_which_one_is_needed_are_called_by_their_titles() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.post(&format!("{CONNECTION}/disable"), Value::Null)
        .await;
    site.put_settings(&json!({ "base_url": crm.url() })).await;
    let browser = Browser::open("ru").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/set-up/preview")).await;
    browser.press("setup.preview_begin").await;
    browser
        .see("Нужно одно из этого: Период или Последние дни.")
        .await;
    assert!(!browser.written().await.contains("last_days"));
}

#[tokio::test]
async fn tenants_connections_and_records_are_called_by_their_names() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.exchange().await;
    site.token_of(TENANT, "Каса").await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    for place in [
        format!("{CONNECTION}/runs"),
        format!("{CONNECTION}/set-up/access"),
        CONNECTION.to_owned(),
        format!("/tenants/{TENANT}/records/orders"),
        format!("/tenants/{TENANT}/log"),
        format!("/tenants/{TENANT}/audit"),
        format!("/tenants/{TENANT}/settings"),
    ] {
        browser.visit("/nowhere").await;
        browser.heading("missing.title").await;
        browser.visit(&place).await;
        browser
            .wait("//nav[contains(@class, 'crumbs')]//a[normalize-space(.)='Крамниця']")
            .await;
        browser
            .wait("//*[contains(@class, 'second')]//*[contains(@class, 'tenant') and normalize-space(.)='Крамниця']")
            .await;
    }
    browser.visit(&format!("/tenants/{TENANT}/log")).await;
    browser.wait("//td//a[normalize-space(.)='KeyCRM']").await;
    for place in ["/connections", "/tokens", "/audit"] {
        browser.visit(place).await;
        browser.wait("//td//a[normalize-space(.)='Крамниця']").await;
    }
    // An order names its stage and its partner.
    let orders = site.get(&format!("/tenants/{TENANT}/records/orders")).await;
    let order = &orders["items"][0];
    for (kind, field) in [("order-stages", "stage"), ("partners", "partner")] {
        let key = order[field].as_str().expect("a key");
        let of_kind = format!("/tenants/{TENANT}/records/{kind}?key={key}");
        let record = site.get(&of_kind).await["items"][0].clone();
        let name = record["name"].as_str().expect("a name");
        browser
            .visit(&format!("/tenants/{TENANT}/records/orders"))
            .await;
        browser
            .wait(&format!(
                "//td//a[contains(@href, '/records/{kind}/') and normalize-space(.)='{name}']"
            ))
            .await;
    }
}

#[tokio::test]
async fn the_audit_says_what_was_done_in_the_language_of_who_reads_it() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.token_of(TENANT, "Каса").await;
    let mut other = settings(&crm);
    other["currency"] = json!("EUR");
    site.put_settings(&other).await;
    // A key that is refused pauses the connection.
    let credential = format!("{CONNECTION}/credentials/api_key");
    let wrong = json!({ "secret": "another-key-than-the-one" });
    site.api("PUT", &credential, wrong).await;
    site.post(&format!("{CONNECTION}/jobs/orders/run"), json!({}))
        .await;
    site.until(CONNECTION, |connection| connection["state"] == "paused")
        .await;
    let change = json!({ "window": { "from": "08:00", "to": "20:00" } });
    site.api("PATCH", CONNECTION, change).await;
    let held = json!({ "scope": "tenant", "name": TENANT });
    site.api("PUT", "/maintenance", held).await;

    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit("/audit").await;
    browser.heading("nav.audit").await;
    browser.see("Валюта джерел, де її не вказано").await;
    browser.see("Ключ API").await;
    browser.see("читання").await;
    browser.see(&browser.text("did.connection.pause")).await;
    let page = browser
        .run(
            "return document.querySelector('tbody').innerText",
            Vec::new(),
        )
        .await;
    let page = page.as_str().expect("a text").to_owned();
    for raw in [
        "{\"",
        "[\"",
        "api_key",
        "reason",
        "why",
        "scopes",
        "read\"",
        "changed",
        "host",
        "connector",
        "window",
        "was refused",
        "upload",
    ] {
        assert!(!page.contains(raw), "{raw}: {page}");
    }
    browser.screenshot("audit-uk").await;
}

#[tokio::test]
async fn a_job_says_in_words_when_it_runs_also_while_the_connection_is_off() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.post(&format!("{CONNECTION}/disable"), Value::Null)
        .await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    for (cron, words) in [
        ("*/10 * * * *", "Кожні 10 хвилин"),
        ("*/7 * * * *", "Кожні 7 хвилин"),
        ("0 */3 * * *", "Кожні 3 години"),
        ("30 6 * * *", "Щодня о 6:30"),
    ] {
        let schedules = format!("{CONNECTION}/schedules");
        site.api("PUT", &schedules, json!({ "orders": cron })).await;
        browser.visit("/nowhere").await;
        browser.heading("missing.title").await;
        browser.visit(CONNECTION).await;
        browser.see(words).await;
        assert!(!browser.written().await.contains(cron));
    }
}

#[tokio::test]
async fn a_component_says_where_it_goes_and_where_it_came_from() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let digest = site.connection().await["version"]["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    let browser = Browser::open("ru").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("/components/{digest}")).await;
    browser.see("https://openapi.keycrm.app").await;
    browser.see("Адрес API").await;
    browser.see(&browser.text("components.uploaded")).await;
    assert!(!browser.written().await.contains("{settings"));
}

#[tokio::test]
async fn what_is_kept_and_where_a_connector_may_go_is_changed_by_admins() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let digest = site.connection().await["version"]["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    for language in ["en", "uk", "ru"] {
        let browser = Browser::open(language).await;
        browser.sign_in(&site).await;
        browser.visit(&format!("/tenants/{TENANT}/settings")).await;
        browser
            .type_into(&browser.text("tenants.keep_days"), "0")
            .await;
        browser.press("save").await;
        browser
            .wait("//input[@data-path='/keep_days' and @aria-invalid='true']")
            .await;
        browser
            .type_into(&browser.text("tenants.keep_days"), "30")
            .await;
        browser
            .type_into(&browser.text("tenants.keep_log_lines"), "5000")
            .await;
        browser.press("save").await;
        browser.see(&browser.text("saved")).await;
        browser.screenshot(&format!("keep-{language}")).await;
        let tenant = site.get(&format!("/tenants/{TENANT}")).await;
        assert_eq!(json!(30), tenant["keep_days"]);
        assert_eq!(json!(5000), tenant["keep_log_lines"]);

        browser.visit(&format!("/components/{digest}")).await;
        browser
            .type_into(&browser.text("components.hosts_allowed"), "no host")
            .await;
        let save = browser.text("save");
        let save = format!("//section[.//textarea[@data-path='/hosts']]//button[.='{save}']");
        browser.wait(&save).await.click().await.expect("a press");
        browser.wait("//form//*[@role='alert']").await;
        browser
            .type_into(&browser.text("components.hosts_allowed"), "*.keycrm.app")
            .await;
        browser.wait(&save).await.click().await.expect("a press");
        browser.see(&browser.text("saved")).await;
        browser.screenshot(&format!("hosts-{language}")).await;
        let connectors = site.get("/connectors").await;
        assert_eq!(json!(["*.keycrm.app"]), connectors["items"][0]["hosts"]);
        site.api("PUT", "/connectors/keycrm/hosts", json!({ "hosts": null }))
            .await;
        let keep = json!({ "keep_days": 90, "keep_log_lines": 1_000_000 });
        site.api("PATCH", &format!("/tenants/{TENANT}"), keep).await;
        assert_eq!(Vec::<String>::new(), browser.complaints().await);
    }
}
