//! Pictures of cards: which of them a card shows, by what a changed one is known, and only those that
//! changed are fetched. What came instead of a picture is never shown: the old one stays, and it is tried
//! again. Pictures that people put on a card stay.

use crate::erp::catalog;
use crate::flow::cards::PRODUCT;
use crate::flow::moving::Row;
use crate::import::{Tally, bound, fingerprint};
use crate::model::{
    Directive, Effect, Fault, Image, Key, Product, ProductFields, ProductLookup, Reason, RunMode,
    Subject,
};
use crate::origin::origin;
use crate::rejected::{Rejected, Retry};
use crate::runtime::run;
use crate::{info, reason};

/// Kind of the records, as people see it in lists.
const IMAGE: &str = "image";

/// Where pictures come from.
pub trait Source {
    /// The counterpart's name in origins.
    const SYSTEM: &'static str;

    /// The pictures of a product that the platform has; none when the row cannot be read.
    ///
    /// # Errors
    /// The fault of a request.
    fn wanted(&self, row: &Row<'_>) -> Result<Option<Vec<Wanted>>, Fault>;

    /// The content of a picture; the inner error is why it cannot be had.
    ///
    /// # Errors
    /// A fault that has nothing to do with the picture.
    fn fetch(&self, href: &str) -> Result<Result<Vec<u8>, Reason>, Fault>;
}

/// A picture that a card should show, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Name and digest.
    pub image: Image,
    /// Address.
    pub href: String,
    /// Bytes of its file, where the counterpart tells.
    pub size: Option<usize>,
}

/// How files begin that are pictures.
const SIGNATURES: [&[u8]; 7] = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
];

impl Wanted {
    /// Why what came instead of the picture is none: storages answer with a page about an error, with
    /// nothing, or with a part, and say that all is well.
    pub fn problem(&self, content: &[u8]) -> Option<Reason> {
        if self.size.is_some_and(|size| size != content.len()) {
            let size = self.size.unwrap_or_default();
            return Some(reason!(
                "sdk.pictures.cut",
                bytes = content.len(),
                size = size
            ));
        }
        let is_one = SIGNATURES.iter().any(|start| content.starts_with(start));
        (!is_one).then(|| reason!("sdk.pictures.none"))
    }
}

/// A picture as a counterpart tells of it.
#[derive(Clone, Debug)]
pub struct Told<'t> {
    /// Name of its file.
    pub name: &'t str,
    /// Where it is.
    pub href: &'t str,
    /// Bytes of its file, where that is told.
    pub size: Option<usize>,
    /// What changes with the picture, such as a time.
    pub print: &'t str,
}

/// The pictures of a product, each under a name of its own. Their digests begin with the system's name.
pub fn wanted<'t>(system: &str, told: impl Iterator<Item = Told<'t>>) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for one in told {
        let digest = hex::encode(fingerprint(1, &(one.name, one.size, one.print)));
        let taken = |name: &str| wanted.iter().any(|other| other.image.file_name == name);
        let mut file_name = one.name.to_owned();
        let mut number = 2;
        while taken(&file_name) {
            file_name = numbered(one.name, number);
            number += 1;
        }
        wanted.push(Wanted {
            image: Image {
                origin: None,
                file_name,
                digest: format!("{system}-{digest}"),
            },
            href: one.href.to_owned(),
            size: one.size,
        });
    }
    wanted
}

/// `part.png` as `part (2).png`.
fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem} ({number}).{ending}"),
        None => format!("{name} ({number})"),
    }
}

/// What a card shows once `shown` has what a system has, in its order. Pictures that people put there
/// stay behind them; of those that could not be fetched the old ones stay.
pub fn settled(system: &str, shown: &[Image], wanted: &[Wanted], failed: &[String]) -> Vec<Image> {
    let own = |image: &&Image| {
        let rest = image.digest.strip_prefix(system);
        rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let named = |name: &str| shown.iter().find(|image| image.file_name == name);
    let mut settled: Vec<Image> = Vec::new();
    for Wanted { image, .. } in wanted {
        if failed.contains(&image.file_name) {
            settled.extend(named(&image.file_name).cloned());
        } else {
            settled.push(image.clone());
        }
    }
    let theirs = shown.iter().filter(|image| !own(image));
    for image in theirs {
        if !settled.iter().any(|one| one.file_name == image.file_name) {
            settled.push(image.clone());
        }
    }
    settled
}

/// The pictures of the platform's cards.
#[derive(Debug)]
pub struct Gallery {
    /// By product; what is rejected of it are its pictures.
    pub rejected: Rejected,
}

/// A card whose pictures are to be shown.
struct Wall<'p> {
    /// The product at the counterpart.
    product: &'p str,
    /// Its origin, which its pictures have, too.
    origin: &'p str,
    key: &'p Key,
    card: &'p Product,
    wanted: &'p [Wanted],
}

impl Gallery {
    /// Knows those of which a picture could not be had, so many at most.
    pub fn open(retry: &Retry, most: usize) -> Gallery {
        Gallery {
            rejected: Rejected::load(IMAGE, "failed/image/", retry).at_most(most),
        }
    }

    /// Shows the pictures of products on their cards. Each card is committed by itself.
    ///
    /// # Errors
    /// The fault of a call or a request.
    pub fn show<S: Source>(
        &mut self,
        source: &S,
        rows: &[Row<'_>],
        tally: &mut Tally,
    ) -> Result<Directive, Fault> {
        let origins: Vec<String> = rows
            .iter()
            .filter_map(|row| Some(origin(S::SYSTEM, PRODUCT, row.id?)))
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
            let origin = origin(S::SYSTEM, PRODUCT, id);
            let Some(binding) = known.get(&origin) else {
                continue;
            };
            let key = &binding.key;
            let Some(card) = cards.iter().find(|card| card.key.as_ref() == Some(key)) else {
                continue;
            };
            let Some(mut wanted) = source.wanted(row)? else {
                let subject = Subject::Origin(origin.clone());
                let reason = reason!("sdk.pictures.unreadable");
                (self.rejected).reject(&product, subject, &card.name, reason, tally);
                continue;
            };
            for Wanted { image, .. } in &mut wanted {
                // One that is there keeps its owner.
                let shown = (card.images.iter()).find(|one| one.file_name == image.file_name);
                image.origin = match shown {
                    Some(shown) => shown.origin.clone(),
                    None => Some(origin.clone()),
                };
            }
            let settled = settled(S::SYSTEM, &card.images, &wanted, &[]);
            if settled == card.images {
                tally.count(Effect::Unchanged);
                continue;
            }
            if run::mode() != RunMode::Live {
                info!(record = key, "sdk.pictures.preview", number = wanted.len());
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
            self.renew(source, &wall, tally)?;
            self.rejected.save()?;
            if tally.checkpoint() == Directive::Stop {
                return Ok(Directive::Stop);
            }
        }
        Ok(Directive::Proceed)
    }

    /// Fetches what is new and brings the card in line.
    fn renew<S: Source>(
        &mut self,
        source: &S,
        wall: &Wall<'_>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
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
            let content = source.fetch(&picture.href)?;
            let content = content.and_then(|content| match picture.problem(&content) {
                Some(reason) => Err(reason),
                None => Ok(content),
            });
            match content {
                Ok(content) => fetched.push((&picture.image, content)),
                Err(reason) => {
                    let file = &picture.image.file_name;
                    let subject =
                        Subject::Origin(format!("{}:{IMAGE}:{product}/{file}", S::SYSTEM));
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
        let settled = settled(S::SYSTEM, &card.images, wanted, &failed);
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

#[cfg(test)]
mod tests {
    use super::{Told, Wanted, settled, wanted};
    use crate::model;

    fn images(told: &[(&str, usize)]) -> Vec<Wanted> {
        let told = told.iter().map(|(name, size)| Told {
            name,
            href: "https://x/download/1",
            size: Some(*size),
            print: "2026-03-01 10:00:00",
        });
        wanted("shop", told)
    }

    #[test]
    fn a_picture_has_changed_when_its_name_size_or_time_has() {
        let one = images(&[("a.png", 10)]);
        assert_eq!(one, images(&[("a.png", 10)]));
        assert_ne!(
            one[0].image.digest,
            images(&[("a.png", 11)])[0].image.digest
        );
    }

    #[test]
    fn each_has_a_name_of_its_own() {
        let wanted = images(&[("a.png", 1), ("a.png", 2), ("a.png", 3)]);
        assert_eq!(wanted[0].image.file_name, "a.png");
        assert_eq!(wanted[2].image.file_name, "a (3).png");
    }

    #[test]
    fn pictures_gone_at_the_counterpart_go_and_those_of_people_stay() {
        let new = images(&[("a.png", 10)]);
        let image = |name: &str, digest: &str| model::Image {
            origin: None,
            file_name: name.to_owned(),
            digest: digest.to_owned(),
        };
        let shown = [
            image("own.png", "people"),
            image("gone.png", "shop-1"),
            image("a.png", "shop-2"),
        ];
        let names = |images: Vec<model::Image>| -> Vec<String> {
            images.into_iter().map(|image| image.file_name).collect()
        };
        assert_eq!(
            names(settled("shop", &shown, &new, &[])),
            ["a.png", "own.png"]
        );
        let kept = settled("shop", &shown, &new, &["a.png".to_owned()]);
        assert_eq!(kept[0].digest, "shop-2", "the old one stays");
    }
}
