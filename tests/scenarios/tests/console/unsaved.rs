//! What is typed is not lost without a word.

use serde_json::json;

use crate::browser::Browser;
use crate::site::{CONNECTION, KEY, Site, crm, settings};

#[tokio::test]
async fn settings_that_are_not_saved_are_asked_about_before_the_page_is_left() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("uk").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/settings")).await;
    let days = browser.wait("//input[@data-path='/last_days']").await;
    days.clear().await.expect("an empty field");
    days.send_keys("30").await.expect("a number");
    browser.press("tab.access").await;
    browser.see(&browser.text("unsaved.title")).await;
    browser.press("unsaved.stay").await;
    browser
        .until("return document.querySelector('dialog') === null")
        .await;
    browser.heading("tab.settings").await;
    browser
        .until("return document.querySelector('input[data-path=\"/last_days\"]').value === '30' && location.hash.endsWith('/settings')")
        .await;

    browser.press("tab.access").await;
    browser.press("unsaved.leave").await;
    browser.heading("tab.access").await;
    let stored = site.get(&format!("{CONNECTION}/settings")).await;
    assert_eq!(json!(3650), stored["last_days"]);

    // What is saved, or typed back, is nothing to ask about.
    browser.visit(&format!("{CONNECTION}/settings")).await;
    let days = browser.wait("//input[@data-path='/last_days']").await;
    days.clear().await.expect("an empty field");
    days.send_keys("40").await.expect("a number");
    browser.press("save").await;
    browser.see(&browser.text("saved")).await;
    let days = browser.wait("//input[@data-path='/last_days']").await;
    days.clear().await.expect("an empty field");
    days.send_keys("40").await.expect("a number");
    browser.press("tab.access").await;
    browser.heading("tab.access").await;
}

#[tokio::test]
async fn a_key_that_is_typed_in_the_set_up_is_stored_by_the_check_and_by_going_on() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let credential = format!("{CONNECTION}/credentials/api_key");
    let credentials = format!("{CONNECTION}/credentials");
    let browser = Browser::open("en").await;
    browser.sign_in(&site).await;

    site.api("DELETE", &credential, serde_json::Value::Null)
        .await;
    browser.visit(&format!("{CONNECTION}/set-up/access")).await;
    browser.press("access.check_now").await;
    let missing = browser.text_with("problem.credential_missing", &[("names", "API key")]);
    browser.see(&missing).await;
    browser.type_into("API key", KEY).await;
    browser.press("access.check_now").await;
    let checked = browser.text_with("access.checked", &[("account", "")]);
    browser.see(checked.trim()).await;
    assert_eq!("api_key", site.get(&credentials).await["items"][0]["name"]);

    site.api("DELETE", &credential, serde_json::Value::Null)
        .await;
    browser.type_into("API key", KEY).await;
    browser.press("setup.next").await;
    browser.see(&browser.text("settings.title")).await;
    assert_eq!("api_key", site.get(&credentials).await["items"][0]["name"]);
}

#[tokio::test]
async fn an_address_that_is_typed_in_the_set_up_is_asked_about_before_another_step() {
    let crm = crm(3);
    let site = Site::start(&[]);
    site.connected(&crm, settings(&crm), true).await;
    let browser = Browser::open("ru").await;
    browser.sign_in(&site).await;
    browser.visit(&format!("{CONNECTION}/set-up/access")).await;
    let opened = browser.see(&browser.text("setup.address")).await;
    opened.click().await.expect("opened");
    browser
        .type_into("Адрес API", "https://other.example.com/v1")
        .await;
    browser.press("setup.next").await;
    browser.see(&browser.text("unsaved.title")).await;
    browser.press("unsaved.stay").await;
    let kept = "return document.querySelector('input[data-path=\"/base_url\"]').value === 'https://other.example.com/v1'";
    browser.until(kept).await;
}
