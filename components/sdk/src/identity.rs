//! Who is who: what tells a person, a firm or a good from others in what people type.
//!
//! A platform compares names and phones in its own look-ups, see `tenon:erp`. What is here is what a
//! connector decides before it asks one, and what it compares itself: which phones stand in a field,
//! what is no phone and no address but stands in for one, and whether an article forbids that two
//! goods of one name are one. All of it is pure.

pub mod index;
pub mod letters;
mod name;
pub mod who;

use phonelib::extract_phone_numbers_from_text as numbers_in;

use crate::model::Product;

pub use name::name;

/// Fewer digits than a local number has are an extension or a room.
const SHORTEST: usize = 7;

/// So many last digits are the same however a number is written, with or without its country.
const NATIONAL: usize = 9;

/// Names before the `@` of addresses that belong to nobody.
const NOBODY: [&str; 16] = [
    "-", "0", "1", "x", "abc", "asd", "email", "mail", "net", "no", "noemail", "nomail", "none",
    "qwe", "test", "нет",
];

/// The phones in a text, each as it is written and without what stands around it: several numbers,
/// extensions, and words such as the name of a messenger. Numbers that only fill a field are left out.
pub fn phones(text: &str) -> Vec<String> {
    // Numbers may stand side by side without a space.
    let apart = text.replace([',', ';', '|'], "\n").replace('.', " ");
    numbers_in(&apart)
        .into_iter()
        .filter(|number| tells_somebody(&digits(&number.raw)))
        .map(|number| number.raw)
        .collect()
}

/// What two writings of one phone have in common, whether or not its country stands before it.
pub fn phone_key(phone: &str) -> String {
    let mut digits = digits(phone);
    digits.split_off(digits.len().saturating_sub(NATIONAL))
}

/// An e-mail address in the form in which addresses are compared: without outer spaces and without
/// case. None for what is no address, and for one that only fills a field.
pub fn email(text: &str) -> Option<String> {
    let address = text.trim().to_lowercase();
    let (name, host) = address.split_once('@')?;
    let is_written = !name.is_empty()
        && host.contains('.')
        && !host.contains('@')
        && !address.contains(char::is_whitespace);
    (is_written && !NOBODY.contains(&name)).then_some(address)
}

/// Whether a good that is called like `product`, and has this article, may be it: articles on both
/// sides that differ say that it is another one.
pub fn may_be(product: &Product, article: Option<&str>) -> bool {
    let article = article.map(str::trim).filter(|article| !article.is_empty());
    let known = product.sku.as_deref().map(str::trim);
    match (article, known.filter(|known| !known.is_empty())) {
        (Some(article), Some(known)) => article == known,
        _ => true,
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether a number may be somebody's: it is long enough, and not one figure over and over behind the
/// code of a country.
fn tells_somebody(digits: &str) -> bool {
    if digits.len() < SHORTEST {
        return false;
    }
    let same = |digits: &str| {
        let first = digits.chars().next();
        digits.chars().all(|digit| Some(digit) == first)
    };
    let national = &digits[digits.len().saturating_sub(NATIONAL)..];
    let local = &digits[digits.len() - SHORTEST..];
    !same(national) && local.bytes().any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::{email, may_be, phone_key, phones};
    use crate::model::Product;

    #[test]
    fn each_phone_of_a_text_stands_alone() {
        for (text, expected) in [
            ("+38 (067) 111-22-33", &["+38 (067) 111-22-33"][..]),
            (
                "+380671112233, 0501112233",
                &["+380671112233", "0501112233"],
            ),
            ("0671112233,0501112233", &["0671112233", "0501112233"]),
            ("0671112233 0501112233", &["0671112233", "0501112233"]),
            (
                "067-111-22-33/050-111-22-33",
                &["067-111-22-33", "050-111-22-33"],
            ),
            ("067 111 22 33 доб. 5", &["067 111 22 33"]),
            ("0671112233 (Viber)", &["0671112233"]),
            ("тел. 067.111.22.33", &["067 111 22 33"]),
            (
                "8-912-345-67-89, доб. 12; 2-34-56-78",
                &["8-912-345-67-89", "2-34-56-78"],
            ),
            ("80671112233", &["80671112233"]),
            ("12", &[]),
            ("немає", &[]),
            ("", &[]),
        ] {
            assert_eq!(phones(text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_fills_a_field_is_nobodys() {
        for text in [
            "0000000000",
            "+380000000000",
            "+38 (000) 000-00-00",
            "9999999999",
            "0670000000",
        ] {
            assert_eq!(phones(text), Vec::<String>::new(), "{text}");
        }
        for text in [
            "no@mail.ru",
            " Test@Gmail.com",
            "0@a.ua",
            "none",
            "@",
            "x@y",
            "",
        ] {
            assert_eq!(email(text), None, "{text}");
        }
        assert_eq!(email(" Olena@Ukr.NET ").as_deref(), Some("olena@ukr.net"));
        assert_eq!(email("noa@mail.ru").as_deref(), Some("noa@mail.ru"));
    }

    #[test]
    fn one_phone_has_one_key_with_and_without_its_country() {
        for written in [
            "+38 (067) 111-22-33",
            "0671112233",
            "80671112233",
            "67 111 22 33",
        ] {
            assert_eq!(phone_key(written), "671112233", "{written}");
        }
        assert_ne!(phone_key("0671112233"), phone_key("0671112234"));
    }

    #[test]
    fn another_article_says_that_it_is_another_good() {
        let product = |sku: Option<&str>| Product {
            sku: sku.map(str::to_owned),
            ..Product::default()
        };
        assert!(may_be(&product(Some("X-1")), Some(" X-1 ")));
        assert!(may_be(&product(Some("X-1")), None));
        assert!(may_be(&product(Some("")), Some("X-1")));
        assert!(may_be(&product(None), Some("X-1")));
        assert!(!may_be(&product(Some("X-1")), Some("Y-9")));
    }
}
