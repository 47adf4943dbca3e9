//! How things stand is said where people look: in lists, in badges, and after a press.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::site::{CONNECTION, LEDGER, Site, TENANT, crm, settings};

#[tokio::test]
async fn what_is_held_for_maintenance_says_so_in_the_list_in_the_badge_and_after_a_press() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.api(
        "PUT",
        "/maintenance",
        json!({ "scope": "all", "note": "new disks" }),
    )
    .await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    let held = browser.text("state.held");
    for place in ["/connections".to_owned(), format!("/tenants/{TENANT}")] {
        browser.visit(&place).await;
        browser
            .wait(&format!(
                "//td//*[contains(@class, 'badge') and normalize-space(.)='{held}']"
            ))
            .await;
    }
    for place in [CONNECTION.to_owned(), format!("{CONNECTION}/runs")] {
        browser.visit(&place).await;
        browser
            .wait(&format!(
                "//*[h1]/*[contains(@class, 'badge') and normalize-space(.)='{held}']"
            ))
            .await;
    }
    browser.visit(CONNECTION).await;
    let job = "Отримати замовлення";
    let run = browser.text_with("jobs.run_label", &[("job", job)]);
    let run = browser
        .wait(&format!("//button[@aria-label='{run}' and not(@disabled)]"))
        .await;
    run.click().await.expect("a press");
    browser
        .see(&browser.text_with("jobs.held", &[("job", job)]))
        .await;
}

#[tokio::test]
async fn the_set_up_ticks_what_is_done_and_is_found_again() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.neighbour("depot", "Склад").await;
    let browser = Browser::open("ru").await;
    browser.sign_in(&site).await;
    let depot = "/tenants/depot/connections/keycrm";
    browser.visit(&format!("{depot}/set-up/on")).await;
    let ticked = |steps: &str| {
        format!(
            "return [...document.querySelectorAll('.steps li')].map((one) => one.className === 'done' ? 1 : 0).join('') === '{steps}'"
        )
    };
    browser.until(&ticked("10000")).await;
    browser.visit(depot).await;
    browser.press("setup.go_on").await;
    browser.see(&browser.text("access.credentials")).await;
    browser.until(&ticked("10000")).await;
    let credential = format!("{depot}/credentials/api_key");
    site.api("PUT", &credential, json!({ "secret": "some-key" }))
        .await;
    browser.visit(depot).await;
    browser.press("setup.go_on").await;
    browser.see(&browser.text("settings.title")).await;
    browser.until(&ticked("11000")).await;
    // One that has been on is set up.
    browser.visit(&format!("{CONNECTION}/set-up/preview")).await;
    browser.until(&ticked("11101")).await;
    browser.visit(CONNECTION).await;
    browser.heading_of("KeyCRM").await;
    browser.see(&browser.text("state.exchange")).await;
    assert!(!browser.offers("setup.go_on").await);
}

#[tokio::test]
async fn what_went_wrong_stays_on_its_page_and_goes_when_it_is_over() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.neighbour("depot", "Склад").await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit("/tenants/depot/connections/keycrm").await;
    let shown = "return document.querySelector('.notice.bad') !== null";
    let hidden = "return document.querySelector('.notice.bad') === null";
    browser.press("state.exchange").await;
    browser.until(shown).await;
    browser.visit(CONNECTION).await;
    browser.heading_of("KeyCRM").await;
    browser.until(hidden).await;

    // The server is away for a moment.
    let away =
        "window.reach = window.fetch; window.fetch = () => Promise.reject(new TypeError('away'))";
    browser.run(away, Vec::new()).await;
    browser.press("state.exchange").await;
    browser.until(shown).await;
    browser.run("window.fetch = window.reach", Vec::new()).await;
    browser.until(hidden).await;
}

#[tokio::test]
async fn a_question_before_switching_on_is_no_error() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    site.ledger("taken-hooks").await;
    site.post(&format!("{LEDGER}/disable"), Value::Null).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit(LEDGER).await;
    browser.press("state.exchange").await;
    browser.see(&browser.text("question.asked_first")).await;
    browser.see(&browser.text("question.yes_switches_on")).await;
    let bad = "return document.querySelectorAll('.notice.bad').length";
    assert_eq!(Value::from(0), browser.run(bad, Vec::new()).await);
}

#[tokio::test]
async fn webhooks_that_were_given_up_are_seen_in_the_lists_of_connections() {
    let site = Site::start(&[]);
    site.tenant(TENANT).await;
    site.unread_webhooks(2).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    for place in ["/connections".to_owned(), format!("/tenants/{TENANT}")] {
        browser.visit(&place).await;
        browser.see("2 покинуті вебхуки").await;
    }
    browser
        .see("2 покинуті вебхуки")
        .await
        .click()
        .await
        .expect("a press");
    browser.heading("tab.queue").await;
    browser.see(&browser.text("webhooks.title")).await;
}

#[tokio::test]
async fn a_key_that_was_stored_for_another_address_is_not_said_to_be_missing() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    site.post(&format!("{CONNECTION}/disable"), Value::Null)
        .await;
    let mut other = settings(&crm);
    other["base_url"] = json!("https://other.example.com/v1");
    site.put_settings(&other).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit(CONNECTION).await;
    browser
        .see(&browser.text_with("state.again", &[("names", "Ключ API")]))
        .await;
    let missing = browser.text("state.missing");
    let missing = missing.split('{').next().expect("its beginning");
    assert!(!browser.written().await.contains(missing));
    browser.visit(&format!("{CONNECTION}/access")).await;
    browser.press("access.check_now").await;
    browser
        .see(&browser.text_with("problem.credential_again", &[("name", "Ключ API")]))
        .await;
}
