//! The form in which names are compared. The embedded ERP takes this very file.

use unicode_normalization::UnicodeNormalization as _;

/// Signs that people and keyboards write for an apostrophe.
const APOSTROPHES: [char; 7] = ['’', 'ʼ', '‘', '`', '´', '′', '‛'];

/// Names are compared without case and without outer or repeated spaces, in any alphabet; whichever
/// apostrophe stands in them, whether a letter is one sign or composed, and whether signs are written
/// as entities of HTML.
pub fn name(text: &str) -> String {
    let text = html_escape::decode_html_entities(text);
    let plain = text.chars().map(|letter| match letter {
        // Before signs are taken apart: some of these would become a space and an accent.
        letter if APOSTROPHES.contains(&letter) => '\'',
        letter => letter,
    });
    let folded: String = plain.nfkc().collect::<String>().to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn one_name_written_with_other_signs_is_one_name() {
        for written in [
            "М'яч",
            "М’яч",
            "Мʼяч",
            "М`яч",
            "М´яч",
            "М&#39;яч",
            "М&rsquo;яч",
        ] {
            assert_eq!(name(written), "м'яч", "{written}");
        }
        // One sign, or a letter and its breve.
        assert_eq!(name("Чайник"), name("Чаи\u{306}ник"));
        assert_eq!(name("Болт &amp; гайка"), "болт & гайка");
        assert_eq!(name("Болт\u{a0}М8"), "болт м8");
        assert_ne!(
            name("Болт М8"),
            name("Болт M8"),
            "look-alikes of another alphabet"
        );
    }
}
