//! Pictures, and the storage that hands them out at another address.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{Account, Id, Kind, NewProduct, Simulator};

use crate::client::{delete, get, good, json, of, over, path, post, request, rows, text};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nonly the beginning counts";

fn shop() -> Result<(Simulator, Id)> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    Ok((over(account)?, product))
}

fn upload(name: &str, content: &[u8]) -> Value {
    json!({ "filename": name, "content": STANDARD.encode(content) })
}

fn location(sim: &Simulator, image: &Value, seconds: Option<&str>) -> Result<String> {
    let mut asked = request("GET", &text(&image["meta"]["downloadHref"]));
    if let Some(seconds) = seconds {
        asked = asked.header("X-Lognex-Download-Expiration-Seconds", seconds);
    }
    let answer = asked.send("")?;
    anyhow::ensure!(answer.status == 302, "{}: {}", answer.status, answer.text);
    let location = answer.header("location").unwrap_or_default().to_owned();
    let places = sim.storage_urls();
    let is_there = |place: &String| location.starts_with(place);
    anyhow::ensure!(places.iter().any(is_there), "{location}");
    Ok(location)
}

#[test]
fn an_object_adds_a_picture_and_an_array_is_the_whole_list() -> Result<()> {
    let (sim, product) = shop()?;
    let at = format!("{}/images", path(Kind::Product, product));
    let first = good(post(&sim, &at, &upload("a.png", PNG))?)?;
    assert_eq!(first[0]["filename"], "a.png");
    assert_eq!(first[0]["title"], "a");
    assert_eq!(first[0]["size"], PNG.len());
    let second = good(post(&sim, &at, &upload("b.png", PNG))?)?;
    assert_eq!(second.as_array().map(Vec::len), Some(2));
    let whole = json!([of(&second[1]), upload("c.png", PNG)]);
    let third = good(post(&sim, &at, &whole)?)?;
    let names: Vec<String> = third
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| text(&one["filename"]))
        .collect();
    assert_eq!(names, ["b.png", "c.png"]);
    assert_eq!(third[0]["meta"]["href"], second[1]["meta"]["href"]);
    assert_eq!(rows(&sim, &at)?.len(), 2);
    let shown = json(&sim, &path(Kind::Product, product))?;
    assert_eq!(shown["images"]["meta"]["size"], 2);
    let expanded = json(
        &sim,
        &format!("{}?expand=images", path(Kind::Product, product)),
    )?;
    assert_eq!(expanded["images"]["rows"][0]["filename"], "b.png");
    let one = text(&third[0]["meta"]["href"]).replace(sim.url(), "");
    assert_eq!(delete(&sim, &one)?.status, 200);
    assert_eq!(rows(&sim, &at)?.len(), 1);
    Ok(())
}

#[test]
fn one_picture_has_one_key_wherever_it_hangs() -> Result<()> {
    let (sim, product) = shop()?;
    let other = sim.account(|account| account.add_product(NewProduct::new("B")));
    let key = |product: Id, name: &str| -> Result<String> {
        let at = format!("{}/images", path(Kind::Product, product));
        let all = good(post(&sim, &at, &upload(name, PNG))?)?;
        let href = text(&all[0]["meta"]["href"]);
        Ok(href.rsplit('/').next().unwrap_or_default().to_owned())
    };
    assert_eq!(key(product, "a.png")?, key(other, "a.png")?);
    let third = sim.account(|account| account.add_product(NewProduct::new("C")));
    assert_ne!(key(product, "a.png")?, key(third, "b.png")?);
    Ok(())
}

#[test]
fn a_download_leads_to_a_storage_that_takes_no_credentials() -> Result<()> {
    let (sim, product) = shop()?;
    let at = format!("{}/images", path(Kind::Product, product));
    let image = good(post(&sim, &at, &upload("a.png", PNG))?)?[0].clone();
    let there = location(&sim, &image, None)?;
    let with = request("GET", &there).send("")?;
    assert_eq!(with.status, 400);
    assert!(with.text.contains("<Error>"), "{}", with.text);
    let without = request("GET", &there).anonymous().send("")?;
    assert_eq!(without.status, 200);
    assert_eq!(without.header("content-type"), Some("image/png"));
    assert_eq!(
        without.text.as_bytes(),
        String::from_utf8_lossy(PNG).as_bytes()
    );
    assert_eq!(sim.requests_to("GET /file/{id}"), 2);
    assert_eq!(
        request("GET", &text(&image["meta"]["downloadHref"]))
            .anonymous()
            .send("")?
            .status,
        401
    );
    sim.account(|account| account.behaviour.storage_refuses_credentials = false);
    assert_eq!(request("GET", &there).send("")?.status, 200);
    Ok(())
}

#[test]
fn an_address_of_the_storage_is_good_for_a_minute_or_as_long_as_asked() -> Result<()> {
    let (sim, product) = shop()?;
    let at = format!("{}/images", path(Kind::Product, product));
    let image = good(post(&sim, &at, &upload("a.png", PNG))?)?[0].clone();
    let usual = location(&sim, &image, None)?;
    let long = location(&sim, &image, Some("3600"))?;
    let status =
        |url: &str| -> Result<u16> { Ok(request("GET", url).anonymous().send("")?.status) };
    sim.account(|account| account.wait(SignedDuration::from_secs(59)));
    assert_eq!((status(&usual)?, status(&long)?), (200, 200));
    sim.account(|account| account.wait(SignedDuration::from_secs(2)));
    assert_eq!((status(&usual)?, status(&long)?), (403, 200));
    let forged = long.replace("Signature=", "Signature=x");
    assert_eq!(status(&forged)?, 403);
    let too_long = request("GET", &text(&image["meta"]["downloadHref"]))
        .header("X-Lognex-Download-Expiration-Seconds", "86401");
    assert_eq!(too_long.send("")?.code(), 1040);
    Ok(())
}

#[test]
fn a_lasting_address_comes_only_when_asked_for() -> Result<()> {
    let (sim, product) = shop()?;
    let at = format!("{}/images", path(Kind::Product, product));
    good(post(&sim, &at, &upload("a.png", PNG))?)?;
    let plain = &rows(&sim, &at)?[0];
    assert_eq!(plain["meta"]["downloadPermanentHref"], Value::Null);
    let asked = json(&sim, &format!("{at}?fields=downloadPermanentHref"))?;
    let there = text(&asked["rows"][0]["meta"]["downloadPermanentHref"]);
    assert_eq!(request("GET", &there).anonymous().send("")?.status, 200);
    let small = text(&plain["miniature"]["downloadHref"]);
    assert_eq!(request("GET", &small).anonymous().send("")?.status, 200);
    Ok(())
}

#[test]
fn what_is_no_picture_is_refused() -> Result<()> {
    let (sim, product) = shop()?;
    let at = format!("{}/images", path(Kind::Product, product));
    assert_eq!(post(&sim, &at, &upload("a.png", b"text"))?.code(), 51002);
    assert_eq!(
        post(&sim, &at, &json!({ "filename": "a.png", "content": "?" }))?.code(),
        51002
    );
    assert_eq!(
        post(&sim, &at, &json!({ "filename": "a.png" }))?.code(),
        51001
    );
    assert_eq!(post(&sim, &at, &json!({ "content": "" }))?.code(), 51005);
    let many: Vec<Value> = (0..11)
        .map(|one| upload(&format!("{one}.png"), PNG))
        .collect();
    assert_eq!(post(&sim, &at, &Value::Array(many))?.code(), 51006);
    assert_eq!(get(&sim, &format!("/download/{product}"))?.status, 404);
    sim.account(|account| {
        account.add_image(product, "x.png", PNG);
        account.remove_images(product);
    });
    assert!(rows(&sim, &at)?.is_empty());
    Ok(())
}
