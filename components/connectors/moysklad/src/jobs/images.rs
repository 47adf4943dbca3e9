//! Pictures, when they are switched on: only those that changed are fetched, from where MoySklad
//! redirects to. That place gets no credential: the address itself is signed, for a minute.

use serde::{Deserialize, Serialize};
use tenon_sdk::erp::catalog;
use tenon_sdk::http::{Api, Error};
use tenon_sdk::import::{Tally, bound};
use tenon_sdk::model::{
    Directive, Effect, Fault, Image, Key, Outcome, Product, ProductFields, ProductLookup,
};
use tenon_sdk::{info, state};

use super::{Context, PRODUCT};
use crate::api::meta::origin;
use crate::api::moscow;
use crate::api::records::{self, List, PICTURED, Pictured};
use crate::api::walk::{Place, Row};
use crate::map::picture::{self, Wanted};

const IMAGE: &str = "image";
/// Up to where pictures were looked at.
const CURSOR: &str = "images";

/// A signed address may run out while it waits for its turn; then another is asked for.
const ATTEMPTS: usize = 2;

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    seen: Option<String>,
    under_way: Option<Place>,
}

/// Lets the next run look at the pictures of all products.
pub fn start_over() {
    state::forget(CURSOR);
}

/// Runs the job, or goes on with it.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(context: &Context) -> Result<Outcome, Fault> {
    if !context.settings.photos {
        info!("photos are not received; settings.photos is off");
        return Ok(Outcome::Done);
    }
    let mut cursor: Cursor = state::load(CURSOR).unwrap_or_default();
    let from = cursor.seen.as_deref().and_then(moscow::before);
    let first = cursor.under_way.take();
    let mut next = Some(first.unwrap_or_else(|| from.map(Place::since).unwrap_or_default()));
    let mut tally = Tally::default();
    while let Some(place) = next {
        let answer = context.api.page(&PICTURED, &place)?;
        let page = context.api.rows(&PICTURED, &place, &answer)?;
        if show(context, &page.rows, &mut tally)? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
        cursor.seen = cursor.seen.max(page.newest);
        next = page.next;
        cursor.under_way.clone_from(&next);
        state::save(CURSOR, &cursor)?;
        if tally.checkpoint() == Directive::Stop && next.is_some() {
            return Ok(Outcome::Suspended);
        }
    }
    Ok(Outcome::Done)
}

/// Shows the pictures of products on their cards. Each card is committed by itself.
fn show(context: &Context, rows: &[Row<'_>], tally: &mut Tally) -> Result<Directive, Fault> {
    let origins: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(origin(PRODUCT, row.id?)))
        .collect();
    let known = bound(PRODUCT, &origins);
    let lookups: Vec<ProductLookup> = origins
        .iter()
        .filter_map(|origin| known.get(origin))
        .map(|binding| ProductLookup::Key(binding.key.clone()))
        .collect();
    if lookups.is_empty() {
        return Ok(Directive::Proceed);
    }
    let cards: Vec<Product> = catalog::find(&lookups)?.into_iter().flatten().collect();
    for row in rows {
        let Some(binding) = row.id.and_then(|id| known.get(&origin(PRODUCT, id))) else {
            continue;
        };
        let card = cards
            .iter()
            .find(|card| card.key.as_ref() == Some(&binding.key));
        let Some(card) = card else { continue };
        let Ok(read) = serde_json::from_str::<Pictured<'_>>(row.json.get()) else {
            tally.reject(
                IMAGE,
                &binding.key,
                "the list of its pictures cannot be read",
            );
            continue;
        };
        let wanted = wanted(context, row, &read)?;
        let settled = picture::settled(&card.images, &wanted, &[]);
        if settled == card.images {
            tally.count(Effect::Unchanged);
            continue;
        }
        if context.api.is_preview() {
            info!(
                record = binding.key,
                "{} pictures would be shown",
                wanted.len()
            );
            tally.count(Effect::Updated);
            continue;
        }
        renew(context, &binding.key, card, &wanted, tally)?;
        if tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// The pictures of a product, read by themselves where the list did not bring them.
fn wanted(context: &Context, row: &Row<'_>, read: &Pictured<'_>) -> Result<Vec<Wanted>, Fault> {
    let Some(images) = read.images.get() else {
        return Ok(Vec::new());
    };
    match row.id {
        Some(id) if !images.is_whole() => {
            let path = format!("/entity/product/{id}/images");
            let answer = context.api.get(&path, &[])?;
            Ok(picture::wanted(
                &answer.json::<List<records::Image<'_>>>()?.rows,
            ))
        }
        _ => Ok(picture::wanted(&images.rows)),
    }
}

/// Fetches what is new and brings the card in line.
fn renew(
    context: &Context,
    key: &Key,
    card: &Product,
    wanted: &[Wanted],
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut fetched: Vec<(&Image, Vec<u8>)> = Vec::new();
    let mut failed = Vec::new();
    for picture in wanted
        .iter()
        .filter(|one| !card.images.contains(&one.image))
    {
        match fetch(context, &picture.href)? {
            Ok(content) => fetched.push((&picture.image, content)),
            Err(reason) => {
                let file = &picture.image.file_name;
                tally.reject(IMAGE, &format!("{key}/{file}"), &reason);
                failed.push(file.clone());
            }
        }
    }
    let mut shown = card.images.clone();
    for (image, content) in fetched {
        catalog::save_image(key, image, &content)?;
        match shown
            .iter_mut()
            .find(|one| one.file_name == image.file_name)
        {
            Some(known) => *known = image.clone(),
            None => shown.push(image.clone()),
        }
    }
    let settled = picture::settled(&card.images, wanted, &failed);
    if settled != shown {
        let card = Product {
            key: Some(key.clone()),
            images: settled,
            ..Product::default()
        };
        for outcome in catalog::save(&[card], ProductFields::IMAGES)? {
            outcome?;
        }
    }
    tally.count(Effect::Updated);
    Ok(())
}

/// The content of a picture; the inner error is why it cannot be had.
fn fetch(context: &Context, href: &str) -> Result<Result<Vec<u8>, String>, Fault> {
    let Some(path) = context.api.path_of(href) else {
        return Ok(Err(format!(
            "its address {} is not MoySklad's",
            place(href)
        )));
    };
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        let location = match context.api.location(path) {
            Ok(location) => location,
            Err(Error::Status(status)) => return Ok(Err(status.to_string())),
            Err(Error::Fault(fault)) => return Err(fault),
        };
        if place(&location) != place(&context.settings.files_url) {
            return Ok(Err(format!(
                "it lies at {}; put that into settings.files_url",
                place(&location)
            )));
        }
        let api = Api::new(place(&location), "none").accepting("*/*");
        match api.get(&location[place(&location).len()..]).send() {
            Ok(answer) => return Ok(Ok(answer.bytes().to_vec())),
            Err(Error::Fault(Fault::Transient(failure))) => return Ok(Err(hidden(&failure))),
            Err(Error::Fault(fault)) => return Err(fault),
            Err(Error::Status(status)) => {
                reason = format!("{} answered {}", place(&location), status.code);
            }
        }
    }
    Ok(Err(reason))
}

/// Scheme, host and port of an address.
fn place(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..]
        .find(['/', '?', '#'])
        .map_or(url, |end| &url[..host + end])
}

/// A failure without the query, which is signed and lets anybody in.
fn hidden(failure: &str) -> String {
    let words = failure.split(' ').map(|word| match word.split_once('?') {
        Some((before, _)) if word.contains("://") => before,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{hidden, place};

    #[test]
    fn a_signed_address_is_told_without_its_signature() {
        assert_eq!(
            hidden("GET https://files.example/a?sig=secret: reset by peer"),
            "GET https://files.example/a reset by peer"
        );
        assert_eq!(
            place("https://files.example:8080/a?b"),
            "https://files.example:8080"
        );
        assert_eq!(place("https://files.example"), "https://files.example");
    }
}
