//! Letters of two alphabets that look the same: who types an article does not see which one it is.

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

/// The text with Latin letters in place of Cyrillic ones that look like them.
pub fn latin(text: &str) -> String {
    let twin = |letter: char| TWINS.iter().find(|(cyrillic, _)| *cyrillic == letter);
    text.chars()
        .map(|letter| twin(letter).map_or(letter, |(_, latin)| *latin))
        .collect()
}

/// The Cyrillic letters of a text and of its supposed ending at the places where the two differ; a dash
/// where there are none.
pub fn strangers(text: &str, ending: &str) -> [String; 2] {
    let end: Vec<char> = text.chars().rev().collect();
    let mut found: [Vec<String>; 2] = Default::default();
    let places = ending.chars().rev().zip(end);
    for (own, other) in places.filter(|(own, other)| own != other) {
        let (letter, field) = if own.is_ascii() { (other, 0) } else { (own, 1) };
        let letter = letter.to_string();
        if !found[field].contains(&letter) {
            found[field].insert(0, letter);
        }
    }
    found.map(|letters| match letters.is_empty() {
        true => "–".to_owned(),
        false => letters.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::{latin, strangers};

    #[test]
    fn a_look_alike_letter_is_named_by_the_text_that_it_is_in() {
        assert_eq!(latin("ОС90"), "OC90");
        assert_eq!(strangers("MAHLE OC90", "ОС90"), ["–", "О, С"]);
        assert_eq!(strangers("MAHLE ОC90", "OC90"), ["О", "–"]);
    }
}
