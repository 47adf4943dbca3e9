//! Pictures: which of them a card shows, and by what a changed one is known.

use tenon_sdk::import::fingerprint;
use tenon_sdk::model::{Image, Reason};
use tenon_sdk::reason;

use crate::api::records;

/// As many as MoySklad keeps for a product.
const MOST: usize = 10;

/// Digests of pictures that came from MoySklad begin so.
const OURS: &str = "moysklad-";

/// A picture that a card should show, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Name and digest.
    pub image: Image,
    /// Address.
    pub href: String,
    /// Bytes of its file, where MoySklad tells.
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
            return Some(reason!("image.cut", bytes = content.len(), size = size));
        }
        let is_one = SIGNATURES.iter().any(|start| content.starts_with(start));
        (!is_one).then(|| reason!("image.none"))
    }
}

/// The pictures of a product, each under a name of its own.
pub fn wanted(images: &[records::Image<'_>]) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for image in images.iter().take(MOST) {
        let Some(href) = image.meta.get().and_then(|meta| meta.download_href.get()) else {
            continue;
        };
        let name = image.filename.get().unwrap_or("image");
        let digest = hex::encode(fingerprint(1, &(name, image.size, image.updated.get())));
        let taken = |name: &str| wanted.iter().any(|other| other.image.file_name == name);
        let mut file_name = name.to_owned();
        let mut number = 2;
        while taken(&file_name) {
            file_name = numbered(name, number);
            number += 1;
        }
        wanted.push(Wanted {
            image: Image {
                origin: None,
                file_name,
                digest: format!("{OURS}{digest}"),
            },
            href: href.to_owned(),
            size: image.size.get().and_then(|size| size.try_into().ok()),
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

/// What a card shows once `shown` has what MoySklad has, in MoySklad's order. Pictures that people
/// put into the shop stay behind them; of those that could not be fetched the old ones stay.
pub fn settled(shown: &[Image], wanted: &[Wanted], failed: &[String]) -> Vec<Image> {
    let own = |image: &&Image| image.digest.starts_with(OURS);
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

#[cfg(test)]
mod tests {
    use super::{settled, wanted};
    use crate::api::records::{Image, List};
    use tenon_sdk::model;

    fn images(json: &str) -> Vec<super::Wanted> {
        let list: List<Image> = serde_json::from_str(json).expect("images");
        wanted(&list.rows)
    }

    fn picture(name: &str, size: u32) -> String {
        format!(
            r#"{{"filename":"{name}","size":{size},"updated":"2026-03-01 10:00:00",
                "meta":{{"downloadHref":"https://x/download/{size}"}}}}"#
        )
    }

    #[test]
    fn a_picture_has_changed_when_its_name_size_or_time_has() {
        let one = images(&format!(r#"{{"rows":[{}]}}"#, picture("a.png", 10)));
        let same = images(&format!(r#"{{"rows":[{}]}}"#, picture("a.png", 10)));
        let other = images(&format!(r#"{{"rows":[{}]}}"#, picture("a.png", 11)));
        assert_eq!(one, same);
        assert_ne!(one[0].image.digest, other[0].image.digest);
    }

    #[test]
    fn at_most_ten_are_taken_and_each_has_a_name_of_its_own() {
        let rows: Vec<String> = (0..12).map(|size| picture("a.png", size)).collect();
        let wanted = images(&format!(r#"{{"rows":[{}]}}"#, rows.join(",")));
        assert_eq!(wanted.len(), 10);
        assert_eq!(wanted[0].image.file_name, "a.png");
        assert_eq!(wanted[2].image.file_name, "a (3).png");
    }

    #[test]
    fn pictures_gone_in_moysklad_go_and_those_of_people_stay() {
        let new = images(&format!(r#"{{"rows":[{}]}}"#, picture("a.png", 10)));
        let image = |name: &str, digest: &str| model::Image {
            origin: None,
            file_name: name.to_owned(),
            digest: digest.to_owned(),
        };
        let shown = [
            image("own.png", "people"),
            image("gone.png", "moysklad-1"),
            image("a.png", "moysklad-2"),
        ];
        let names = |images: Vec<model::Image>| -> Vec<String> {
            images.into_iter().map(|image| image.file_name).collect()
        };
        assert_eq!(names(settled(&shown, &new, &[])), ["a.png", "own.png"]);
        let kept = settled(&shown, &new, &["a.png".to_owned()]);
        assert_eq!(kept[0].digest, "moysklad-2", "the old one stays");
    }
}
