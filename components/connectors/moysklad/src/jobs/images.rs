//! Pictures, when they are switched on: only those that changed are fetched, from where MoySklad
//! redirects to. That place gets no credential: the address itself is signed, for a minute.

use serde::{Deserialize, Serialize};
use tenon_sdk::flow::pictures::{self, Gallery, Told, Wanted};
use tenon_sdk::http::{Api, Error};
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Directive, Fault, Outcome, Reason};
use tenon_sdk::rejected::Retry;
use tenon_sdk::{info, reason, state};
use uuid::Uuid;

use super::{Context, MOST_REJECTED, REST};
use crate::api::EXPANDED_PAGE;
use crate::api::meta::SYSTEM;
use crate::api::moscow;
use crate::api::records::{Image, List, PICTURED, Pictured};
use crate::api::walk::{Place, Row};

/// Up to where pictures were looked at.
const CURSOR: &str = "images";

/// As many as MoySklad keeps for a product.
const MOST: usize = 10;

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
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    if !context.settings.photos {
        info!(reason!("images.off").setting("photos"));
        return Ok(Outcome::Done);
    }
    let mut tally = Tally::default();
    let mut gallery = Gallery::open(retry, MOST_REJECTED);
    if try_again(context, &mut gallery, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let mut cursor: Cursor = state::load(CURSOR).unwrap_or_default();
    let from = cursor.seen.as_deref().and_then(moscow::before);
    let first = cursor.under_way.take();
    let mut next = Some(first.unwrap_or_else(|| from.map(Place::since).unwrap_or_default()));
    while let Some(place) = next {
        let answer = context.api.page(&PICTURED, &place)?;
        let page = context.api.rows(&PICTURED, &place, &answer)?;
        if gallery.show(&Pictures(context), &page.rows, &mut tally)? == Directive::Stop {
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

/// Tries products again of which a picture could not be had: some, or all when people asked for
/// it. A picture that cannot be fetched for a while does not change for that.
fn try_again(
    context: &Context,
    gallery: &mut Gallery,
    tally: &mut Tally,
) -> Result<Directive, Fault> {
    let due = gallery.rejected.due(EXPANDED_PAGE, REST);
    let due: Vec<Uuid> = due.iter().filter_map(|id| id.parse().ok()).collect();
    for some in due.chunks(EXPANDED_PAGE) {
        let api = &context.api;
        let answer = api.named(&PICTURED, some)?;
        let page = api.rows(&PICTURED, &Place::default(), &answer)?;
        for id in some {
            // One that is gone or out of sale shows nothing.
            if !page.rows.iter().any(|row| row.id == Some(*id)) {
                gallery.rejected.settle(&id.to_string());
            }
        }
        if gallery.show(&Pictures(context), &page.rows, tally)? == Directive::Stop {
            return Ok(Directive::Stop);
        }
        gallery.rejected.save()?;
        // In a run of the schedule there is one such page, which goes along with the next.
        if gallery.rejected.is_of_all() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// The pictures of products.
struct Pictures<'c>(&'c Context);

impl pictures::Source for Pictures<'_> {
    const SYSTEM: &'static str = SYSTEM;

    /// Read by themselves where the list did not bring them.
    fn wanted(&self, row: &Row<'_>) -> Result<Option<Vec<Wanted>>, Fault> {
        let (Some(id), Ok(read)) = (row.id, serde_json::from_str::<Pictured<'_>>(row.json.get()))
        else {
            return Ok(None);
        };
        let Some(images) = read.images.get() else {
            return Ok(Some(Vec::new()));
        };
        if images.is_whole() {
            return Ok(Some(wanted(&images.rows)));
        }
        let path = format!("/entity/product/{id}/images");
        let answer = self.0.api.get(&path, &[])?;
        Ok(Some(wanted(&answer.json::<List<Image<'_>>>()?.rows)))
    }

    fn fetch(&self, href: &str) -> Result<Result<Vec<u8>, Reason>, Fault> {
        let Some(path) = self.0.api.path_of(href) else {
            return Ok(Err(reason!("image.foreign", address = place(href))));
        };
        let mut attempt = 1;
        loop {
            let location = match self.0.api.location(path) {
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
                Err(Error::Status(status)) if attempt == ATTEMPTS => {
                    return Ok(Err(status.reason()));
                }
                Err(Error::Status(_)) => attempt += 1,
            }
        }
    }
}

fn wanted(images: &[Image<'_>]) -> Vec<Wanted> {
    let told = images.iter().take(MOST).filter_map(|image| {
        Some(Told {
            name: image.filename.get().unwrap_or("image"),
            href: image.meta.get()?.download_href.get()?,
            size: image.size.get().and_then(|size| size.try_into().ok()),
            print: image.updated.get().unwrap_or_default(),
        })
    });
    pictures::wanted(SYSTEM, told)
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
