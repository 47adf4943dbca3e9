//! Finding by a part of a name, in capitals or not.
//!
//! SQLite knows capitals of Latin letters alone, and names are Cyrillic as often. So rows are looked
//! at here, one after the other, until there are enough.

/// What is searched for; without a text everything is found.
#[derive(Clone, Debug)]
pub struct Sought(Option<String>);

impl Sought {
    /// This text.
    pub fn new(text: Option<&str>) -> Sought {
        Sought(text.map(str::to_lowercase))
    }

    /// Whether one of these names holds it.
    pub fn is_in(&self, names: &[&str]) -> bool {
        match &self.0 {
            None => true,
            Some(text) => (names.iter()).any(|name| name.to_lowercase().contains(text.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_any_name_is_found_in_capitals_or_not() {
        let names = ["shop-1", "Крамниця «Їжак»"];
        for text in ["SHOP", "крам", "ЇЖА", "»"] {
            assert!(Sought::new(Some(text)).is_in(&names), "{text}");
        }
        assert!(Sought::new(None).is_in(&[]));
        assert!(!Sought::new(Some("їжаки")).is_in(&names));
    }
}
