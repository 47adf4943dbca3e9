//! Partners of the shop and counterparties of MoySklad: who is who, and what a card looks like.
//!

use tenon_sdk::identity::who::{Candidate, Rule, Tags, Word, tax_id, words_of};
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Partner, PartnerRole, Reason};
use tenon_sdk::reason;
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::records;

/// Longest name, phone or address that MoySklad takes, in characters.
const LONGEST: usize = 255;

impl records::Counterparty<'_> {
    /// What identifies it.
    pub fn words(&self) -> Vec<Word> {
        let mut words = words_of(self.inn.get(), self.email.get(), self.phone.get());
        words.extend(self.sync_id.get().map(Word::SyncId));
        words
    }

    /// What partners are compared with.
    pub fn candidate(&self, id: Uuid) -> Candidate {
        Candidate {
            id,
            name: self.name.owned().unwrap_or_default(),
            tags: self.tags.iter().filter_map(Text::owned).collect(),
            archived: self.archived.is_set(),
            own: self.sync_id.get().filter(|_| self.is_untouched()),
            tax_id: self.inn.get().and_then(tax_id),
        }
    }
}

/// What people are told of a match.
pub fn matched(rule: Rule, partner: &Partner, found: &Candidate) -> Reason {
    let (partner, found) = (&partner.name, &found.name);
    match rule {
        Rule::TaxId => reason!("partner.matched-tax-id", partner = partner, found = found),
        Rule::Email => reason!("partner.matched-email", partner = partner, found = found),
        Rule::Phone => reason!("partner.matched-phone", partner = partner, found = found),
    }
}

/// What they are told where all who fit are of the other role.
pub fn other_role(partner: &Partner, found: &Candidate, tags: &Tags) -> Reason {
    let (name, group) = (&found.name, tags.of(partner.role));
    match partner.role {
        PartnerRole::Customer => reason!("partner.is-supplier", name = name, group = group),
        PartnerRole::Supplier => reason!("partner.is-customer", name = name, group = group),
    }
}

/// What they are told where several fit.
pub fn several(rule: Rule, found: &[&Candidate]) -> Reason {
    let names: Vec<String> = found.iter().map(|one| format!("“{}”", one.name)).collect();
    let names = names.join(", ");
    match rule {
        Rule::TaxId => reason!("partner.several-tax-id", names = names),
        Rule::Email => reason!("partner.several-email", names = names),
        Rule::Phone => reason!("partner.several-phone", names = names),
    }
}

/// What of a partner's card is kept up in MoySklad.
pub fn card(partner: &Partner) -> Fields {
    let mut card = Fields::default().with("name", short(&partner.name));
    let tax_id = partner.tax_id.as_deref().and_then(tax_id);
    card.set("inn", tax_id.unwrap_or_default());
    let emails = partner.emails.iter().map(|email| email.trim());
    let email = emails.filter(|email| email.contains('@')).map(short).next();
    card.set("email", email.unwrap_or_default());
    let phone = partner.phones.iter().map(|phone| phone.trim());
    let phone = phone.filter(|phone| !phone.is_empty()).map(short).next();
    card.set("phone", phone.unwrap_or_default());
    let address = partner.address.as_deref().map(short);
    card.set("actualAddress", address.unwrap_or_default());
    card
}

/// What a new counterparty has on top of its card.
pub fn birth(partner: &Partner, sync_id: Uuid, tags: &Tags) -> Fields {
    Fields::default()
        .with("syncId", sync_id)
        .with("companyType", company_type(partner))
        .with("tags", [tags.of(partner.role)])
}

/// A firm's ИНН has ten digits, a person's twelve; who trades under one's own name has one, too.
fn company_type(partner: &Partner) -> &'static str {
    match partner.tax_id.as_deref().and_then(tax_id) {
        None => "individual",
        Some(number) if number.len() == 12 => "entrepreneur",
        Some(_) => "legal",
    }
}

/// The text as long as MoySklad takes it.
pub fn short(text: &str) -> String {
    text.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::{card, matched, other_role, several};
    use crate::api::records::Counterparty;
    use tenon_sdk::identity::who::{Decision, Index, Tags};
    use tenon_sdk::model::{Partner, PartnerRole};
    use uuid::Uuid;

    fn tags() -> Tags {
        Tags {
            customer: "покупатели".to_owned(),
            supplier: "поставщики".to_owned(),
        }
    }

    fn index(counterparties: &[&str]) -> Index {
        let mut index = Index::default();
        for (number, json) in (1..).zip(counterparties) {
            let read: Counterparty = serde_json::from_str(json).expect("a counterparty");
            index.add(read.candidate(Uuid::from_u128(number)), read.words());
        }
        index
    }

    fn partner(tax_id: &str, email: &str, phone: &str) -> Partner {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Partner {
            name: "Иванов".to_owned(),
            tax_id: given(tax_id),
            emails: given(email).into_iter().collect(),
            phones: given(phone).into_iter().collect(),
            ..Partner::default()
        }
    }

    /// Number of the counterparty, 0 for a new one, and what people are told of it.
    fn decided(index: &Index, partner: &Partner) -> (u128, String) {
        match index.decide(partner, Uuid::nil(), &tags()) {
            Decision::Is(found, rule) => (
                found.id.as_u128(),
                matched(rule, partner, found).to_string(),
            ),
            Decision::Own(found) => (found.id.as_u128(), "own".to_owned()),
            Decision::New => (0, "new".to_owned()),
            Decision::OtherRole(found) => {
                let reason = other_role(partner, found, &tags());
                (u128::MAX, reason.to_string())
            }
            Decision::Several(rule, found) => (u128::MAX, several(rule, &found).to_string()),
        }
    }

    #[test]
    fn the_tax_number_counts_before_the_e_mail_and_that_before_the_phone() {
        let index = index(&[
            r#"{"name":"A","inn":"7701234567"}"#,
            r#"{"name":"B","email":"Ivan@example.ru"}"#,
            r#"{"name":"C","phone":"8 (912) 345-67-89"}"#,
        ]);
        let told = |rule: &str, name: &str| {
            format!("partner.matched-{rule} partner: Иванов found: {name}")
        };
        let all = partner("7701234567", "ivan@example.ru", "+79123456789");
        assert_eq!(decided(&index, &all), (1, told("tax-id", "A")));
        let two = partner("", "ivan@example.ru", "+79123456789");
        assert_eq!(decided(&index, &two), (2, told("email", "B")));
        let one = partner("", "", "+79123456789");
        assert_eq!(decided(&index, &one), (3, told("phone", "C")));
        assert_eq!(decided(&index, &partner("", "", "+79000000000")).0, 0);
    }

    #[test]
    fn another_tax_number_is_another_firm() {
        let index = index(&[r#"{"name":"A","inn":"7701234567","phone":"9123456789"}"#]);
        assert_eq!(
            decided(&index, &partner("5001234567", "", "9123456789")).0,
            0
        );
        assert_eq!(decided(&index, &partner("", "", "9123456789")).0, 1);
    }

    #[test]
    fn a_supplier_is_never_a_customer() {
        let index = index(&[r#"{"name":"A","inn":"7701234567","tags":["поставщики"]}"#]);
        let mut firm = partner("7701234567", "", "");
        let (number, reason) = decided(&index, &firm);
        assert_eq!(number, u128::MAX);
        assert!(
            reason.starts_with("partner.is-supplier name: A"),
            "{reason}"
        );
        firm.role = PartnerRole::Supplier;
        assert_eq!(decided(&index, &firm).0, 1);
    }

    #[test]
    fn of_several_the_one_in_the_right_group_is_meant_and_else_nobody_is() {
        let marked = index(&[
            r#"{"name":"A","phone":"9123456789"}"#,
            r#"{"name":"B","phone":"9123456789","tags":["Покупатели"]}"#,
        ]);
        assert_eq!(decided(&marked, &partner("", "", "9123456789")).0, 2);
        let plain = index(&[
            r#"{"name":"A","phone":"9123456789"}"#,
            r#"{"name":"B","phone":"9123456789"}"#,
        ]);
        let (number, reason) = decided(&plain, &partner("", "", "9123456789"));
        assert_eq!(number, u128::MAX);
        assert!(
            reason.starts_with("partner.several-phone names: “A”, “B”"),
            "{reason}"
        );
    }

    #[test]
    fn one_in_the_archive_is_taken_only_where_no_other_fits() {
        let archived = r#"{"name":"A","inn":"7701234567","archived":true}"#;
        let firm = partner("7701234567", "", "");
        assert_eq!(decided(&index(&[archived]), &firm).0, 1);
        let both = index(&[archived, r#"{"name":"B","inn":"7701234567"}"#]);
        assert_eq!(decided(&both, &firm).0, 2);
    }

    #[test]
    fn what_only_fills_a_field_is_nobody() {
        let index = index(&[
            r#"{"name":"A","inn":"0000000000","email":"no@mail.ru","phone":"+7 000 000-00-00"}"#,
        ]);
        let nobody = partner("0000000000", "no@mail.ru", "+70000000000");
        assert_eq!(decided(&index, &nobody).0, 0);
    }

    #[test]
    fn a_card_clears_what_the_partner_has_no_more() {
        let json = serde_json::to_string(&card(&partner("", "none", "1"))).expect("JSON");
        assert_eq!(
            json,
            r#"{"actualAddress":"","email":"","inn":"","name":"Иванов","phone":"1"}"#
        );
    }
}
