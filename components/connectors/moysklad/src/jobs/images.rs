//! Pictures, when they are switched on: only those that changed are fetched, from where MoySklad
//! redirects to. That place gets no credential: the address itself is signed, for a minute.

use serde::{Deserialize, Serialize};
use tenon_sdk::erp::catalog;
use tenon_sdk::http::{Api, Error};
use tenon_sdk::import::{Tally, bound};
use tenon_sdk::model::{
    Directive, Effect, Fault, Image, Key, Outcome, Product, ProductFields, ProductLookup, Reason,
    Subject,
};
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::{info, reason, state};
use uuid::Uuid;

use super::{Context, MOST_REJECTED, PRODUCT, REST};
use crate::api::EXPANDED_PAGE;
use crate::api::meta::origin;
use crate::api::moscow;
use crate::api::records::{self, List, PICTURED, Pictured};
use crate::api::walk::{Place, Row};
use crate::map::picture::{self, Wanted};

const IMAGE: &str = "image";
/// Up to where pictures were looked at.
const CURSOR: &str = "images";
/// Products that have a picture which could not be had.
const REJECTED: &str = "failed/image/";

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
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    if !context.settings.photos {
        info!(reason!("images.off").setting("photos"));
        return Ok(Outcome::Done);
    }
    let mut tally = Tally::default();
    let mut gallery = Gallery {
        context,
        rejected: Rejected::load(IMAGE, REJECTED, retry).at_most(MOST_REJECTED),
    };
    if gallery.try_again(&mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let mut cursor: Cursor = state::load(CURSOR).unwrap_or_default();
    let from = cursor.seen.as_deref().and_then(moscow::before);
    let first = cursor.under_way.take();
    let mut next = Some(first.unwrap_or_else(|| from.map(Place::since).unwrap_or_default()));
    while let Some(place) = next {
        let answer = context.api.page(&PICTURED, &place)?;
        let page = context.api.rows(&PICTURED, &place, &answer)?;
        if gallery.show(&page.rows, &mut tally)? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
        cursor.seen = cursor.seen.max(page.newest);
        next = page.next;
        cursor.under_way.clone_from(&next);
        gallery.rejected.save()?;
        state::save(CURSOR, &cursor)?;
        if tally.checkpoint() == Directive::Stop && next.is_some() {
            return Ok(Outcome::Suspended);
        }
    }
    gallery.rejected.name_untried();
    Ok(Outcome::Done)
}

/// The pictures of the shop's cards.
struct Gallery<'c> {
    context: &'c Context,
    /// By product; what is rejected of it are its pictures.
    rejected: Rejected,
}

/// A card whose pictures are to be shown.
struct Wall<'p> {
    /// The product in MoySklad.
    product: &'p str,
    /// Its origin, which its pictures have, too.
    origin: &'p str,
    key: &'p Key,
    card: &'p Product,
    wanted: &'p [Wanted],
}

impl Gallery<'_> {
    /// Tries products again of which a picture could not be had: some, or all when people asked for
    /// it. A picture that cannot be fetched for a while does not change for that.
    fn try_again(&mut self, tally: &mut Tally) -> Result<Directive, Fault> {
        let due = self.rejected.due(EXPANDED_PAGE, REST);
        let due: Vec<Uuid> = due.iter().filter_map(|id| id.parse().ok()).collect();
        for some in due.chunks(EXPANDED_PAGE) {
            let api = &self.context.api;
            let answer = api.named(&PICTURED, some)?;
            let page = api.rows(&PICTURED, &Place::default(), &answer)?;
            for id in some {
                // One that is gone or out of sale shows nothing.
                if !page.rows.iter().any(|row| row.id == Some(*id)) {
                    self.rejected.settle(&id.to_string());
                }
            }
            if self.show(&page.rows, tally)? == Directive::Stop {
                return Ok(Directive::Stop);
            }
            self.rejected.save()?;
            // In a run of the schedule there is one such page, which goes along with the next.
            if self.rejected.is_of_all() && tally.checkpoint() == Directive::Stop {
                return Ok(Directive::Stop);
            }
        }
        Ok(Directive::Proceed)
    }

    /// Shows the pictures of products on their cards. Each card is committed by itself.
    fn show(&mut self, rows: &[Row<'_>], tally: &mut Tally) -> Result<Directive, Fault> {
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
        let cards: Vec<Product> = if lookups.is_empty() {
            Vec::new()
        } else {
            catalog::find(&lookups)?.into_iter().flatten().collect()
        };
        for row in rows {
            let Some(id) = row.id else { continue };
            let product = id.to_string();
            self.rejected.settle(&product);
            let origin = origin(PRODUCT, id);
            let Some(binding) = known.get(&origin) else {
                continue;
            };
            let key = &binding.key;
            let Some(card) = cards.iter().find(|card| card.key.as_ref() == Some(key)) else {
                continue;
            };
            let Ok(read) = serde_json::from_str::<Pictured<'_>>(row.json.get()) else {
                let subject = Subject::Origin(origin.clone());
                let reason = reason!("image.unreadable");
                (self.rejected).reject(&product, subject, &card.name, reason, tally);
                continue;
            };
            let mut wanted = self.wanted(id, &read)?;
            for Wanted { image, .. } in &mut wanted {
                // One that is there keeps its owner.
                let shown = (card.images.iter()).find(|one| one.file_name == image.file_name);
                image.origin = match shown {
                    Some(shown) => shown.origin.clone(),
                    None => Some(origin.clone()),
                };
            }
            let settled = picture::settled(&card.images, &wanted, &[]);
            if settled == card.images {
                tally.count(Effect::Unchanged);
                continue;
            }
            if self.context.api.is_preview() {
                info!(record = key, "images.preview", number = wanted.len());
                tally.count(Effect::Updated);
                continue;
            }
            let wall = Wall {
                product: &product,
                origin: &origin,
                key,
                card,
                wanted: &wanted,
            };
            self.renew(&wall, tally)?;
            self.rejected.save()?;
            if tally.checkpoint() == Directive::Stop {
                return Ok(Directive::Stop);
            }
        }
        Ok(Directive::Proceed)
    }

    /// The pictures of a product, read by themselves where the list did not bring them.
    fn wanted(&self, id: Uuid, read: &Pictured<'_>) -> Result<Vec<Wanted>, Fault> {
        let Some(images) = read.images.get() else {
            return Ok(Vec::new());
        };
        if images.is_whole() {
            return Ok(picture::wanted(&images.rows));
        }
        let path = format!("/entity/product/{id}/images");
        let answer = self.context.api.get(&path, &[])?;
        Ok(picture::wanted(
            &answer.json::<List<records::Image<'_>>>()?.rows,
        ))
    }

    /// Fetches what is new and brings the card in line.
    fn renew(&mut self, wall: &Wall<'_>, tally: &mut Tally) -> Result<(), Fault> {
        let &Wall {
            product,
            origin,
            key,
            card,
            wanted,
        } = wall;
        let mut fetched: Vec<(&Image, Vec<u8>)> = Vec::new();
        let mut failed = Vec::new();
        for picture in wanted
            .iter()
            .filter(|one| !card.images.contains(&one.image))
        {
            let content = fetch(self.context, &picture.href)?;
            let content = content.and_then(|content| match picture.problem(&content) {
                Some(reason) => Err(reason),
                None => Ok(content),
            });
            match content {
                Ok(content) => fetched.push((&picture.image, content)),
                Err(reason) => {
                    let file = &picture.image.file_name;
                    let subject = Subject::Origin(format!("moysklad:{IMAGE}:{product}/{file}"));
                    let label = format!("{}/{file}", card.name);
                    (self.rejected).reject(product, subject, &label, reason, tally);
                    failed.push(file.clone());
                }
            }
        }
        let mut shown = card.images.clone();
        let mut effect = Effect::Unchanged;
        for (image, content) in fetched {
            catalog::save_image(key, image, &content)?;
            effect = Effect::Updated;
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
                origin: Some(origin.to_owned()),
                images: settled,
                ..Product::default()
            };
            for outcome in catalog::save(&[card], ProductFields::IMAGES)? {
                outcome?;
            }
            effect = Effect::Updated;
        }
        // What is no more than rejected is counted as that.
        if failed.is_empty() || effect == Effect::Updated {
            tally.count(effect);
        }
        Ok(())
    }
}

/// The content of a picture; the inner error is why it cannot be had.
fn fetch(context: &Context, href: &str) -> Result<Result<Vec<u8>, Reason>, Fault> {
    let Some(path) = context.api.path_of(href) else {
        return Ok(Err(reason!("image.foreign", address = place(href))));
    };
    let mut attempt = 1;
    loop {
        let location = match context.api.location(path) {
            Ok(location) => location,
            Err(Error::Status(status)) => return Ok(Err(status.reason())),
            Err(Error::Fault(fault)) => return Err(fault),
        };
        let place = place(&location);
        let api = Api::new(place, None).accepting("*/*");
        match api.get(&location[place.len()..]).send() {
            Ok(answer) => return Ok(Ok(answer.bytes().to_vec())),
            // Where one picture lies may be closed; the others do not lie there.
            Err(Error::Fault(Fault::Transient(reason) | Fault::Configuration(reason))) => {
                return Ok(Err(reason));
            }
            Err(Error::Fault(fault)) => return Err(fault),
            Err(Error::Status(status)) if attempt == ATTEMPTS => return Ok(Err(status.reason())),
            Err(Error::Status(_)) => attempt += 1,
        }
    }
}

/// Scheme, host and port of an address.
fn place(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..]
        .find(['/', '?', '#'])
        .map_or(url, |end| &url[..host + end])
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_place_is_an_address_without_its_path() {
        assert_eq!(
            place("https://files.example:8080/a?b"),
            "https://files.example:8080"
        );
        assert_eq!(place("https://files.example"), "https://files.example");
    }
}
