//! Brand and article. MoySklad has no field for the maker of a part, so by agreement Code is
//! `BRAND ARTICLE` and Article is `ARTICLE`, spelled the same. A product that does not keep to that
//! has no brand, is not synchronised, and its keeper is told why.

use tenon_sdk::identity::letters::{latin, strangers};
use tenon_sdk::model::Reason;
use tenon_sdk::reason;

/// The maker and the number of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// Brand; it may be of several words.
    pub brand: String,
    /// Article; it may hold spaces and dashes.
    pub sku: String,
}

/// Splits Code by Article.
///
/// # Errors
/// Why they do not agree.
pub fn part(code: Option<&str>, article: Option<&str>) -> Result<Part, Reason> {
    let code = spaced(code.unwrap_or_default());
    let article = spaced(article.unwrap_or_default());
    if code.is_empty() {
        return Err(reason!("brand.no-code"));
    }
    if article.is_empty() {
        return Err(reason!("brand.no-article", code = code));
    }
    if code == article {
        return Err(reason!("brand.none", code = code));
    }
    let brand = code
        .strip_suffix(article.as_str())
        .and_then(|before| before.strip_suffix(' '));
    match brand {
        Some(brand) if !brand.is_empty() => Ok(Part {
            brand: brand.to_owned(),
            sku: article,
        }),
        _ => Err(mismatch(&code, &article)),
    }
}

/// With single spaces between words and none around.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An article without spaces: `OC 90` and `OC90` are one number.
pub fn glued(article: &str) -> String {
    article.split_whitespace().collect()
}

/// That they do not agree, and what probably went wrong.
fn mismatch(code: &str, article: &str) -> Reason {
    let ends = |form: fn(&str) -> String| form(code).ends_with(&form(article));
    let glued = code.ends_with(article);
    if !glued && ends(latin) {
        let [in_code, in_article] = strangers(code, article);
        return reason!(
            "brand.cyrillic",
            code = code,
            article = article,
            in_code = in_code,
            in_article = in_article
        );
    }
    if !glued && ends(str::to_lowercase) {
        return reason!("brand.case", code = code, article = article);
    }
    if glued || ends(bare) {
        return reason!("brand.spaces", code = code, article = article);
    }
    reason!("brand.mismatch", code = code, article = article)
}

fn bare(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Part, part};
    use tenon_sdk::model::Reason;

    fn split(code: &str, article: &str) -> Result<(String, String), Reason> {
        part(Some(code), Some(article)).map(|Part { brand, sku }| (brand, sku))
    }

    fn is(brand: &str, sku: &str) -> Result<(String, String), Reason> {
        Ok((brand.to_owned(), sku.to_owned()))
    }

    #[test]
    fn code_is_the_brand_and_the_article() {
        assert_eq!(split("MAHLE OC90", "OC90"), is("MAHLE", "OC90"));
        assert_eq!(split(" DOLZ  C110 ", "C110"), is("DOLZ", "C110"));
    }

    #[test]
    fn brands_have_several_words_and_articles_spaces_and_dashes() {
        assert_eq!(
            split("MEAT & DORIA 82-001 A", "82-001 A"),
            is("MEAT & DORIA", "82-001 A")
        );
        assert_eq!(
            split("VAG 06A 115 561 B", "06A 115 561 B"),
            is("VAG", "06A 115 561 B")
        );
        assert_eq!(split("A B B", "B"), is("A B", "B"));
    }

    #[test]
    fn where_they_do_not_agree_there_is_no_brand_and_a_reason() {
        for (code, article, told) in [
            ("", "OC90", "brand.no-code"),
            ("MAHLE OC90", "", "brand.no-article"),
            ("OC90", "OC90", "brand.none"),
            ("MAHLEOC90", "OC90", "brand.spaces"),
            ("MAHLE OC90", "OC91", "brand.mismatch"),
            ("MAHLE OC90", "oc90", "brand.case"),
            ("MAHLE OC-90", "OC 90", "brand.spaces"),
        ] {
            assert_eq!(split(code, article).expect_err(code).code, told);
        }
        assert!(part(None, None).is_err());
    }

    #[test]
    fn a_look_alike_letter_is_named_with_the_field_it_is_in() {
        for (code, article, letters) in [
            ("MAHLE OC90", "ОС90", ["–", "О, С"]),
            ("MAHLE ОC90", "OC90", ["О", "–"]),
        ] {
            let reason = split(code, article).expect_err("Cyrillic letters");
            assert_eq!(reason.code, "brand.cyrillic");
            let named: Vec<&str> = (reason.args.iter().skip(2))
                .map(|(_, letters)| letters.as_str())
                .collect();
            assert_eq!(named, letters);
        }
    }

    #[test]
    fn an_article_in_cyrillic_is_one_when_both_fields_spell_it_so() {
        assert_eq!(split("ВАЗ 2101-КПП", "2101-КПП"), is("ВАЗ", "2101-КПП"));
    }
}
