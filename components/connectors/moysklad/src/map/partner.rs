//! Partners of the shop and counterparties of MoySklad: who is who, and what a card looks like.
//!
//! A partner is looked for by ИНН, then by e-mail, then by phone. A counterparty with another ИНН
//! is another firm, whatever else they share; one of the other role is never taken, because in the
//! shop a supplier is no customer. One in the archive is taken where no other fits.

use std::collections::HashMap;

use tenon_sdk::identity::{self, phone_key};
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Partner, PartnerRole, Reason};
use tenon_sdk::reason;
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::records;

/// Longest name, phone or address that MoySklad takes, in characters.
const LONGEST: usize = 255;

/// The groups that tell customers and suppliers apart.
#[derive(Clone, Debug)]
pub struct Tags {
    /// Of customers.
    pub customer: String,
    /// Of suppliers.
    pub supplier: String,
}

impl Tags {
    /// The group of a role.
    pub fn of(&self, role: PartnerRole) -> &str {
        match role {
            PartnerRole::Customer => &self.customer,
            PartnerRole::Supplier => &self.supplier,
        }
    }

    fn of_the_other(&self, role: PartnerRole) -> &str {
        match role {
            PartnerRole::Customer => &self.supplier,
            PartnerRole::Supplier => &self.customer,
        }
    }
}

/// A counterparty that partners are compared with.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its groups.
    pub tags: Vec<String>,
    /// Whether it lies in the archive.
    pub archived: bool,
    /// The id that it was made with, while nobody changed it since.
    own: Option<Uuid>,
    tax_id: Option<String>,
}

/// What identifies a counterparty, in the form in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The ИНН.
    TaxId(String),
    /// An e-mail address.
    Email(String),
    /// What all writings of a phone have in common.
    Phone(String),
    /// The id that we made it with.
    SyncId(Uuid),
}

/// What identifies a partner of the shop.
pub fn words(partner: &Partner) -> Vec<Word> {
    let tax_id = partner.tax_id.as_deref().and_then(tax_id);
    let emails = partner
        .emails
        .iter()
        .filter_map(|text| identity::email(text));
    let phones = partner.phones.iter().flat_map(|text| phones(text));
    (tax_id.map(Word::TaxId).into_iter())
        .chain(emails.map(Word::Email))
        .chain(phones.map(Word::Phone))
        .collect()
}

/// An ИНН or another tax number. One figure over and over fills a field.
fn tax_id(text: &str) -> Option<String> {
    let number: String = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let first = number.chars().next()?;
    number
        .chars()
        .any(|letter| letter != first)
        .then_some(number)
}

fn phones(text: &str) -> impl Iterator<Item = String> {
    let phones = identity::phones(text).into_iter();
    phones.map(|phone| phone_key(&phone))
}

impl records::Counterparty<'_> {
    /// What identifies it.
    pub fn words(&self) -> Vec<Word> {
        let tax_id = self.inn.get().and_then(tax_id);
        let email = self.email.get().and_then(identity::email);
        (tax_id.map(Word::TaxId).into_iter())
            .chain(email.map(Word::Email))
            .chain(phones(self.phone.get().unwrap_or_default()).map(Word::Phone))
            .chain(self.sync_id.map(Word::SyncId))
            .collect()
    }
}

impl Candidate {
    /// Whether it is in a group. MoySklad writes groups in small letters.
    pub fn has(&self, tag: &str) -> bool {
        let tag = tag.to_lowercase();
        self.tags.iter().any(|own| own.to_lowercase() == tag)
    }
}

/// Counterparties by what identifies them.
#[derive(Debug, Default)]
pub struct Index {
    candidates: Vec<Candidate>,
    by_word: HashMap<Word, Vec<usize>>,
}

/// What a partner is at MoySklad.
#[derive(Debug)]
pub enum Decision<'i> {
    /// This counterparty, by this rule.
    Is(&'i Candidate, Rule),
    /// This counterparty, which was made for the partner in a try whose outcome was lost.
    Own(&'i Candidate),
    /// Nobody there yet.
    New,
    /// It cannot be decided, for this reason.
    Open(Reason),
}

/// What a partner and a counterparty have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The ИНН.
    TaxId,
    /// An e-mail address.
    Email,
    /// A phone.
    Phone,
}

impl Rule {
    fn is_of(self, word: &Word) -> bool {
        matches!(
            (self, word),
            (Rule::TaxId, Word::TaxId(_))
                | (Rule::Email, Word::Email(_))
                | (Rule::Phone, Word::Phone(_))
        )
    }

    /// What people are told of a match.
    pub fn matched(self, partner: &Partner, found: &Candidate) -> Reason {
        let (partner, found) = (&partner.name, &found.name);
        match self {
            Rule::TaxId => reason!("partner.matched-tax-id", partner = partner, found = found),
            Rule::Email => reason!("partner.matched-email", partner = partner, found = found),
            Rule::Phone => reason!("partner.matched-phone", partner = partner, found = found),
        }
    }

    /// What they are told where there are several.
    fn several(self, names: &str) -> Reason {
        match self {
            Rule::TaxId => reason!("partner.several-tax-id", names = names),
            Rule::Email => reason!("partner.several-email", names = names),
            Rule::Phone => reason!("partner.several-phone", names = names),
        }
    }
}

impl Index {
    /// Adds a counterparty.
    pub fn add(&mut self, id: Uuid, read: &records::Counterparty<'_>) {
        let place = self.candidates.len();
        for word in read.words() {
            let known = self.by_word.entry(word).or_default();
            if known.last() != Some(&place) {
                known.push(place);
            }
        }
        self.candidates.push(Candidate {
            id,
            name: read.name.owned().unwrap_or_default(),
            tags: read.tags.iter().filter_map(Text::owned).collect(),
            archived: read.archived.is_set(),
            own: read.sync_id.filter(|_| read.is_untouched()),
            tax_id: read.inn.get().and_then(tax_id),
        });
    }

    /// Decides what a partner is, whose counterparty would be made with this `syncId`.
    pub fn decide(&self, partner: &Partner, sync_id: Uuid, tags: &Tags) -> Decision<'_> {
        let mut all = self.candidates.iter();
        if let Some(own) = all.find(|candidate| candidate.own == Some(sync_id)) {
            return Decision::Own(own);
        }
        let tax_id = partner.tax_id.as_deref().and_then(tax_id);
        let words = words(partner);
        for rule in [Rule::TaxId, Rule::Email, Rule::Phone] {
            let own = words.iter().filter(|word| rule.is_of(word));
            let mut hits: Vec<usize> = own
                .filter_map(|word| self.by_word.get(word))
                .flatten()
                .copied()
                .collect();
            hits.sort_unstable();
            hits.dedup();
            let others = |candidate: &&Candidate| match (&candidate.tax_id, &tax_id) {
                (Some(theirs), Some(ours)) => theirs == ours,
                _ => true,
            };
            let found = hits.iter().map(|place| &self.candidates[*place]);
            let found: Vec<&Candidate> = found.filter(others).collect();
            if let Some(decision) = choose(rule, found, partner.role, tags) {
                return decision;
            }
        }
        Decision::New
    }
}

/// None when a rule finds nobody.
fn choose<'i>(
    rule: Rule,
    found: Vec<&'i Candidate>,
    role: PartnerRole,
    tags: &Tags,
) -> Option<Decision<'i>> {
    let (own, other) = (tags.of(role), tags.of_the_other(role));
    let (fit, foreign): (Vec<&Candidate>, Vec<&Candidate>) = found
        .into_iter()
        .partition(|candidate| candidate.has(own) || !candidate.has(other));
    if fit.is_empty() {
        let name = &foreign.first()?.name;
        return Some(Decision::Open(match role {
            PartnerRole::Customer => reason!("partner.is-supplier", name = name, group = own),
            PartnerRole::Supplier => reason!("partner.is-customer", name = name, group = own),
        }));
    }
    let live: Vec<&Candidate> = fit.iter().copied().filter(|one| !one.archived).collect();
    let fit = if live.is_empty() { fit } else { live };
    let marked: Vec<&Candidate> = fit.iter().copied().filter(|one| one.has(own)).collect();
    match (&fit[..], &marked[..]) {
        ([only], _) | (_, [only]) => Some(Decision::Is(only, rule)),
        _ => {
            let names: Vec<String> = fit.iter().map(|one| format!("“{}”", one.name)).collect();
            Some(Decision::Open(rule.several(&names.join(", "))))
        }
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
    use super::{Decision, Index, Tags, card};
    use crate::api::records::Counterparty;
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
            index.add(Uuid::from_u128(number), &read);
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
            Decision::Is(found, rule) => {
                (found.id.as_u128(), rule.matched(partner, found).to_string())
            }
            Decision::Own(found) => (found.id.as_u128(), "own".to_owned()),
            Decision::New => (0, "new".to_owned()),
            Decision::Open(reason) => (u128::MAX, reason.to_string()),
        }
    }

    #[test]
    fn the_tax_number_counts_before_the_e_mail_and_that_before_the_phone() {
        let index = index(&[
            r#"{"name":"A","inn":"7701234567"}"#,
            r#"{"name":"B","email":"Ivan@example.ru"}"#,
            r#"{"name":"C","phone":"8 (912) 345-67-89"}"#,
        ]);
        let matched = |rule: &str, name: &str| {
            format!("partner.matched-{rule} partner: Иванов found: {name}")
        };
        let all = partner("7701234567", "ivan@example.ru", "+79123456789");
        assert_eq!(decided(&index, &all), (1, matched("tax-id", "A")));
        let two = partner("", "ivan@example.ru", "+79123456789");
        assert_eq!(decided(&index, &two), (2, matched("email", "B")));
        let one = partner("", "", "+79123456789");
        assert_eq!(decided(&index, &one), (3, matched("phone", "C")));
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
