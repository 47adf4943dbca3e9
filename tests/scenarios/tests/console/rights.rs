//! What people see is what they may see, and what they may press.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::site::{CONNECTION, LEDGER, Site, TENANT, crm, settings};

#[tokio::test]
async fn a_token_of_the_platform_that_only_reads_sees_all_tenants_and_nothing_to_change_them_with()
{
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let token = site
        .token_with("watcher", json!({ "scopes": ["read"] }))
        .await;
    let browser = Browser::open("uk").await;
    browser.sign_in_with(&site, &token).await;
    browser.heading("nav.tenants").await;
    browser.see("Крамниця").await;
    assert!(!browser.offers("tenants.add").await);
    assert!(browser.offers("nav.all_connections").await);
    assert!(!browser.offers("nav.tokens").await);
    browser.press("nav.all_connections").await;
    browser.heading("nav.all_connections").await;
    browser.see("KeyCRM").await;
    browser.press("nav.components").await;
    browser.heading("nav.components").await;
    assert!(!browser.offers("components.add").await);
    browser.visit(&format!("/tenants/{TENANT}")).await;
    browser.heading_of("Крамниця").await;
    assert!(!browser.offers("connections.add").await);
    browser.visit(CONNECTION).await;
    browser.heading_of("KeyCRM").await;
    assert!(!browser.offers("jobs.run").await);
}

#[tokio::test]
async fn a_token_of_the_platform_that_manages_adds_connections_and_no_tenants() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    let token = site
        .token_with("manager", json!({ "scopes": ["manage"] }))
        .await;
    let browser = Browser::open("ru").await;
    browser.sign_in_with(&site, &token).await;
    browser.heading("nav.tenants").await;
    assert!(!browser.offers("tenants.add").await);
    browser.visit(&format!("/tenants/{TENANT}")).await;
    browser.see(&browser.text("connections.add")).await;
}

#[tokio::test]
async fn to_a_token_of_one_tenant_the_page_of_all_tenants_offers_its_own_and_no_button() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    let token = site.token_of(TENANT, "bookkeeper").await;
    let browser = Browser::open("uk").await;
    browser.sign_in_with(&site, &token).await;
    browser.visit("/tenants").await;
    browser.heading("nav.tenants").await;
    browser
        .wait(&format!("//main//a[@href='#/tenants/{TENANT}']"))
        .await;
    assert!(!browser.offers("tenants.add").await);
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_as_the_console_names_it() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    let token = site.token_of(TENANT, "bookkeeper").await;
    let browser = Browser::open("uk").await;
    browser.sign_in_with(&site, &token).await;
    browser.visit("/maintenance").await;
    let right = format!("«{}»", browser.text("scope.platform"));
    browser.see(&right).await;
    assert!(!browser.written().await.contains("`platform`"));
}

#[tokio::test]
async fn who_may_not_answer_is_not_told_that_it_waits_for_them_and_sees_who_said_no() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    site.asking().await;
    let reader = json!({ "tenant": TENANT, "scopes": ["read"] });
    let reader = site.token_with("reader", reader).await;
    let browser = Browser::open("uk").await;
    browser.sign_in_with(&site, &reader).await;
    browser.visit(LEDGER).await;
    browser.see(&browser.text("question.title_other")).await;
    browser.see(&browser.text("question.not_yours")).await;
    let written = browser.written().await;
    assert!(!written.contains(&browser.text("question.title")));
    assert!(!browser.offers("question.yes").await);

    let owner = json!({ "tenant": TENANT, "scopes": ["manage"] });
    let owner = site.token_with("Olena", owner).await;
    let other = Browser::open("uk").await;
    other.sign_in_with(&site, &owner).await;
    other.visit(LEDGER).await;
    other.see(&other.text("question.title")).await;
    other.press("question.no").await;
    other.see(&other.text("question.you_declined")).await;
    browser.visit("/nowhere").await;
    browser.heading("missing.title").await;
    browser.visit(LEDGER).await;
    let declined = browser.text_with("question.declined_by", &[("name", "Olena")]);
    browser.see(&declined).await;
}

#[tokio::test]
async fn a_token_that_has_expired_is_marked_in_the_list() {
    let site = Site::start(&[]);
    // None is made that has expired already.
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    site.token_with("old", json!({ "scopes": ["read"], "expires_at": soon }))
        .await;
    site.token_with(
        "new",
        json!({ "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z" }),
    )
    .await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    browser.visit("/tokens").await;
    browser.heading("nav.tokens").await;
    let expired = browser.text("tokens.expired");
    browser
        .wait(&format!(
            "//tr[td[1][normalize-space(.)='old']]//*[contains(@class, 'badge') and .='{expired}']"
        ))
        .await;
    let marked = browser
        .run(
            "return document.querySelectorAll('tbody .badge.bad').length",
            Vec::new(),
        )
        .await;
    assert_eq!(Value::from(1), marked);
}

#[tokio::test]
async fn the_tenant_of_a_token_and_of_a_maintenance_is_found_by_its_name() {
    let site = Site::start(&[]);
    let tenant = json!({
        "id": TENANT, "name": "Крамниця", "time_zone": "Europe/Kyiv", "language": "uk",
        "currency": "UAH",
    });
    site.post("/tenants", tenant).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    for (page, open) in [
        ("/tokens", "tokens.add"),
        ("/maintenance", "maintenance.begin"),
    ] {
        browser.visit(page).await;
        browser.press(open).await;
        if page == "/maintenance" {
            let scope = browser.control(&browser.text("maintenance.scope")).await;
            browser.choose(&scope, "tenant").await;
        }
        browser.type_into(&browser.text("tenant"), "Крамн").await;
        browser
            .until(&format!(
                "const offered = [...document.querySelectorAll('datalist option')];
                 return offered.length === 1 && offered[0].value === '{TENANT}'"
            ))
            .await;
        browser.type_into(&browser.text("tenant"), TENANT).await;
        browser.see("Крамниця").await;
        if page == "/tokens" {
            browser.type_into(&browser.text("name"), "Каса").await;
        }
        browser.press(open).await;
        if page == "/tokens" {
            browser.see(&browser.text("shown_once")).await;
            browser.press("close").await;
        }
        browser.see("Крамниця").await;
    }
    browser
        .see(&browser.text_with("maintenance.of_tenant", &[("name", "Крамниця")]))
        .await;
}
