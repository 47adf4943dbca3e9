//! The forms in which phones, e-mails and names are compared. Pure.

use std::borrow::Cow;

use phonenumber::country::Id as Country;

// Platform and connectors compare names alike: this is the SDK's own file.
#[path = "../../../components/sdk/src/identity/name.rs"]
mod folded;
pub(crate) use folded::name;

/// E-mail addresses are compared without outer spaces and without case.
pub(crate) fn email(text: &str) -> String {
    text.trim().to_lowercase()
}

/// SKUs, tax and order numbers are compared without outer spaces: case may tell two articles
/// apart. None when nothing is left.
pub(crate) fn code(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A phone as E.164, read as a person in `country` dials it; its digits when it is no phone number
/// there; none without digits.
pub(crate) fn phone(text: &str, country: Country) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_e164(text) {
        return Some(Cow::Borrowed(text));
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    // Dialled in Ukraine for decades, and still written so: the country's code without its 3.
    if country == Country::UA && digits.len() == 11 && digits.starts_with("80") {
        return Some(Cow::Owned(format!("+3{digits}")));
    }
    if let Ok(number) = phonenumber::parse(Some(country), text)
        && number.code().value() != 0
    {
        // The crate's own formatter fails for country codes that it has no rules for.
        let (code, national) = (number.code().value(), number.national());
        return Some(Cow::Owned(format!("+{code}{national}")));
    }
    (!digits.is_empty()).then_some(Cow::Owned(digits))
}

/// Most connectors send phones in this form; parsing costs a hundred times more than this.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use phonenumber::country::Id as Country;

    use super::{code, email, name, phone};

    #[test]
    fn one_phone_written_in_many_ways_is_one_number() {
        for written in [
            "+380671234567",
            "+38 (067) 123-45-67",
            "+38 067 123 45 67",
            "380671234567",
            "0671234567",
            "067 123-45-67",
            "(067)1234567",
            "00380671234567",
            "tel:+380671234567",
            " +380 67 123 45 67 ",
            "80671234567",
            "8 (067) 123-45-67",
        ] {
            assert_eq!(
                phone(written, Country::UA).as_deref(),
                Some("+380671234567"),
                "{written}"
            );
        }
    }

    #[test]
    fn the_country_of_the_tenant_decides_what_a_local_number_means() {
        assert_eq!(
            phone("0301234567", Country::DE).as_deref(),
            Some("+49301234567")
        );
        assert_eq!(
            phone("8 (912) 345-67-89", Country::RU).as_deref(),
            Some("+79123456789")
        );
    }

    #[test]
    fn what_is_no_phone_number_is_compared_by_its_digits() {
        assert_eq!(phone("1", Country::UA).as_deref(), Some("1"));
        assert_eq!(phone("no phone", Country::UA), None);
        assert_eq!(phone("", Country::UA), None);
    }

    #[test]
    fn neither_case_nor_spaces_tell_names_apart_beyond_ascii_either() {
        assert_eq!(name("  Футболка  ЧЕРВОНА "), "футболка червона");
        assert_eq!(email(" Olena@Example.COM "), "olena@example.com");
    }

    #[test]
    fn a_code_of_spaces_is_none() {
        assert_eq!(code(Some("  ")), None);
        assert_eq!(code(Some(" A-1 ")), Some("A-1"));
    }
}
