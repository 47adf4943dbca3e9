//! Partners of the shop and counterparties of MoySklad: who is who, and what a card looks like.
//!
//! A partner is looked for by ИНН, then by e-mail, then by phone. A counterparty with another ИНН
//! is another firm, whatever else they share; one of the other role is never taken, because in the
//! shop a supplier is no customer.

use std::collections::HashMap;

use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Partner, PartnerRole, Reason};
use tenon_sdk::reason;
use uuid::Uuid;

use super::contact;
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
    tax_id: Option<String>,
}

impl Candidate {
    /// Whether it is in a group. MoySklad writes groups in small letters.
    pub fn has(&self, tag: &str) -> bool {
        let tag = tag.to_lowercase();
        self.tags.iter().any(|own| own.to_lowercase() == tag)
    }
}

/// All counterparties, by what identifies them.
#[derive(Debug, Default)]
pub struct Index {
    candidates: Vec<Candidate>,
    by_tax_id: HashMap<String, Vec<usize>>,
    by_email: HashMap<String, Vec<usize>>,
    by_phone: HashMap<String, Vec<usize>>,
}

/// What a partner is at MoySklad.
#[derive(Debug)]
pub enum Decision<'i> {
    /// This counterparty, by this rule.
    Is(&'i Candidate, Rule),
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
        let candidate = Candidate {
            id,
            name: read.name.owned().unwrap_or_default(),
            tags: read.tags.iter().filter_map(Text::owned).collect(),
            tax_id: read.inn.get().and_then(contact::tax_id),
        };
        let email = read.email.get().and_then(contact::email);
        let phones = contact::phones(read.phone.get().unwrap_or_default());
        self.put(candidate, email, phones);
    }

    /// Adds a counterparty that was just made for a partner.
    pub fn add_partner(&mut self, id: Uuid, partner: &Partner, tags: &Tags) {
        let candidate = Candidate {
            id,
            name: partner.name.clone(),
            tags: vec![tags.of(partner.role).to_owned()],
            tax_id: contact::tax_id_of(partner),
        };
        self.put(
            candidate,
            contact::emails_of(partner),
            contact::phones_of(partner),
        );
    }

    fn put(
        &mut self,
        candidate: Candidate,
        emails: impl IntoIterator<Item = String>,
        phones: impl IntoIterator<Item = String>,
    ) {
        let place = self.candidates.len();
        let file = |index: &mut HashMap<String, Vec<usize>>, value: String| {
            let known = index.entry(value).or_default();
            if known.last() != Some(&place) {
                known.push(place);
            }
        };
        if let Some(tax_id) = &candidate.tax_id {
            file(&mut self.by_tax_id, tax_id.clone());
        }
        for email in emails {
            file(&mut self.by_email, email);
        }
        for phone in phones {
            file(&mut self.by_phone, phone);
        }
        self.candidates.push(candidate);
    }

    /// Decides what a partner is.
    pub fn decide(&self, partner: &Partner, tags: &Tags) -> Decision<'_> {
        let tax_id = contact::tax_id_of(partner);
        let rules: [(Rule, Vec<usize>); 3] = [
            (Rule::TaxId, hits(&self.by_tax_id, tax_id.iter().cloned())),
            (
                Rule::Email,
                hits(&self.by_email, contact::emails_of(partner)),
            ),
            (
                Rule::Phone,
                hits(&self.by_phone, contact::phones_of(partner)),
            ),
        ];
        for (rule, hits) in rules {
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

fn hits(index: &HashMap<String, Vec<usize>>, values: impl Iterator<Item = String>) -> Vec<usize> {
    let mut places: Vec<usize> = values
        .filter_map(|value| index.get(&value))
        .flatten()
        .copied()
        .collect();
    places.sort_unstable();
    places.dedup();
    places
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
    let tax_id = contact::tax_id_of(partner);
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
    let tax_id = contact::tax_id_of(partner);
    match tax_id {
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
        match index.decide(partner, &tags()) {
            Decision::Is(found, rule) => {
                (found.id.as_u128(), rule.matched(partner, found).to_string())
            }
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
    fn a_card_clears_what_the_partner_has_no_more() {
        let json = serde_json::to_string(&card(&partner("", "none", "1"))).expect("JSON");
        assert_eq!(
            json,
            r#"{"actualAddress":"","email":"","inn":"","name":"Иванов","phone":"1"}"#
        );
    }
}
