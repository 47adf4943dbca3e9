//! Brand and article. MoySklad has no field for the maker of a part, so by agreement Code is
//! `BRAND ARTICLE` and Article is `ARTICLE`, spelled the same. A product that does not keep to that
//! has no brand, is not synchronised, and its keeper is told why.

/// The maker and the number of a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
pub fn part(code: Option<&str>, article: Option<&str>) -> Result<Part, String> {
    let code = spaced(code.unwrap_or_default());
    let article = spaced(article.unwrap_or_default());
    if code.is_empty() {
        return Err("Code is empty; it has to be brand and article, such as `MAHLE OC90`".into());
    }
    if article.is_empty() {
        return Err(format!(
            "Article is empty; it has to repeat the end of Code `{code}`"
        ));
    }
    if code == article {
        return Err(format!("Code `{code}` has no brand before the article"));
    }
    let brand = code
        .strip_suffix(article.as_str())
        .and_then(|before| before.strip_suffix(' '));
    match brand {
        Some(brand) if !brand.is_empty() => Ok(Part {
            brand: brand.to_owned(),
            sku: article,
        }),
        _ => {
            let hint = hint(&code, &article);
            Err(format!(
                "Code `{code}` does not end with Article `{article}`{hint}"
            ))
        }
    }
}

/// With single spaces between words and none around.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What probably went wrong.
fn hint(code: &str, article: &str) -> String {
    let ends = |form: fn(&str) -> String| form(code).ends_with(&form(article));
    if ends(latin) {
        let letters = strangers(code, article);
        return format!("; look-alike Cyrillic letters: {letters}");
    }
    if ends(str::to_lowercase) {
        return "; capital and small letters differ".to_owned();
    }
    if ends(bare) {
        return "; spaces or dashes differ".to_owned();
    }
    String::new()
}

/// Letters of the two alphabets that look the same.
const TWINS: [(char, char); 18] = [
    ('А', 'A'),
    ('В', 'B'),
    ('Е', 'E'),
    ('К', 'K'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('У', 'Y'),
    ('Х', 'X'),
    ('а', 'a'),
    ('е', 'e'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('х', 'x'),
];

fn latin(text: &str) -> String {
    let twin = |letter: char| TWINS.iter().find(|(cyrillic, _)| *cyrillic == letter);
    text.chars()
        .map(|letter| twin(letter).map_or(letter, |(_, latin)| *latin))
        .collect()
}

fn bare(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect()
}

/// The Cyrillic letters at the places where Article and the end of Code differ, with the field that
/// they are in.
fn strangers(code: &str, article: &str) -> String {
    let end: Vec<char> = code.chars().rev().collect();
    let mut named = Vec::new();
    for (own, other) in article.chars().rev().zip(end) {
        if own == other {
            continue;
        }
        let (letter, field) = if own.is_ascii() {
            (other, "Code")
        } else {
            (own, "Article")
        };
        let name = format!("`{letter}` in {field}");
        if !named.contains(&name) {
            named.push(name);
        }
    }
    named.reverse();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Part, part};

    fn split(code: &str, article: &str) -> Result<(String, String), String> {
        part(Some(code), Some(article)).map(|Part { brand, sku }| (brand, sku))
    }

    fn is(brand: &str, sku: &str) -> Result<(String, String), String> {
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
        for (code, article, words) in [
            ("", "OC90", "Code is empty"),
            ("MAHLE OC90", "", "Article is empty"),
            ("OC90", "OC90", "no brand"),
            ("MAHLEOC90", "OC90", "does not end with"),
            ("MAHLE OC90", "OC91", "does not end with"),
            ("MAHLE OC90", "oc90", "capital and small letters differ"),
            ("MAHLE OC-90", "OC 90", "spaces or dashes differ"),
        ] {
            let reason = split(code, article).expect_err(code);
            assert!(reason.contains(words), "{reason}");
        }
        assert!(part(None, None).is_err());
    }

    #[test]
    fn a_look_alike_letter_is_named_with_the_field_it_is_in() {
        let reason = split("MAHLE OC90", "ОС90").expect_err("Cyrillic О and С");
        assert!(
            reason.ends_with("look-alike Cyrillic letters: `О` in Article, `С` in Article"),
            "{reason}"
        );
        let reason = split("MAHLE ОC90", "OC90").expect_err("Cyrillic О");
        assert!(reason.ends_with("`О` in Code"), "{reason}");
    }

    #[test]
    fn an_article_in_cyrillic_is_one_when_both_fields_spell_it_so() {
        assert_eq!(split("ВАЗ 2101-КПП", "2101-КПП"), is("ВАЗ", "2101-КПП"));
    }
}
