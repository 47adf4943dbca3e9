//! The forms in which what identifies a person or a firm is compared.

use tenon_sdk::model::Partner;

/// Digits of a phone that tell numbers apart; before them stand a country code or a trunk prefix.
const PHONE: usize = 10;

/// Fewer digits than a local number has are no phone.
const SHORTEST: usize = 7;

/// An ИНН or another tax number.
pub fn tax_id(text: &str) -> Option<String> {
    let number: String = text.split_whitespace().collect();
    (!number.is_empty()).then_some(number)
}

/// An e-mail.
pub fn email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    email.contains('@').then_some(email)
}

/// The phones in a text, which may hold several.
pub fn phones(text: &str) -> impl Iterator<Item = String> {
    text.split([',', ';', '/', '\n']).filter_map(|phone| {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let from = digits.len().saturating_sub(PHONE);
        (digits.len() >= SHORTEST).then(|| digits[from..].to_owned())
    })
}

/// The tax number of a partner of the shop.
pub fn tax_id_of(partner: &Partner) -> Option<String> {
    partner.tax_id.as_deref().and_then(tax_id)
}

/// The e-mails of a partner of the shop.
pub fn emails_of(partner: &Partner) -> impl Iterator<Item = String> {
    partner.emails.iter().filter_map(|text| email(text))
}

/// The phones of a partner of the shop.
pub fn phones_of(partner: &Partner) -> impl Iterator<Item = String> {
    partner.phones.iter().flat_map(|text| phones(text))
}

#[cfg(test)]
mod tests {
    use super::{email, phones, tax_id};

    #[test]
    fn one_phone_written_in_many_ways_is_one() {
        for written in [
            "+7 (912) 345-67-89",
            "8 912 345 67 89",
            "79123456789",
            "9123456789",
        ] {
            let read: Vec<String> = phones(written).collect();
            assert_eq!(read, ["9123456789"], "{written}");
        }
        let two: Vec<String> = phones("8-912-345-67-89, доб. 12; 2-34-56-78").collect();
        assert_eq!(two, ["9123456789", "2345678"]);
    }

    #[test]
    fn e_mails_differ_neither_in_case_nor_in_spaces() {
        assert_eq!(email(" Ivan@Example.RU "), email("ivan@example.ru"));
        assert_eq!(email("none"), None);
    }

    #[test]
    fn a_tax_number_has_no_spaces() {
        assert_eq!(tax_id(" 7701 234567 ").as_deref(), Some("7701234567"));
        assert_eq!(tax_id("  "), None);
    }
}
