//! Which of a counterpart's people and firms a partner of the platform is.
//!
//! A partner is looked for by the tax number, then by e-mail, then by phone. One with another tax
//! number is another firm, whatever else they share; one of the other role is never taken, because on
//! the platform a supplier is no customer. One in the archive is taken where no other fits.

use std::collections::HashMap;

use uuid::Uuid;

use super::phone_key;
use crate::model::{Partner, PartnerRole};

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
    /// The id that we made it with, while nobody changed it since.
    pub own: Option<Uuid>,
    /// Its tax number, as [`tax_id`] reads it.
    pub tax_id: Option<String>,
}

/// What identifies a counterparty, in the form in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The tax number.
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
    let emails = partner.emails.iter().filter_map(|text| super::email(text));
    let phones = partner.phones.iter().flat_map(|text| phones(text));
    (tax_id.map(Word::TaxId).into_iter())
        .chain(emails.map(Word::Email))
        .chain(phones.map(Word::Phone))
        .collect()
}

/// A tax number in the form in which it is compared. One figure over and over fills a field.
pub fn tax_id(text: &str) -> Option<String> {
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
    let phones = super::phones(text).into_iter();
    phones.map(|phone| phone_key(&phone))
}

/// What identifies somebody whose card says this.
pub fn words_of(tax: Option<&str>, email: Option<&str>, phone: Option<&str>) -> Vec<Word> {
    let tax_id = tax.and_then(tax_id);
    let email = email.and_then(super::email);
    (tax_id.map(Word::TaxId).into_iter())
        .chain(email.map(Word::Email))
        .chain(phones(phone.unwrap_or_default()).map(Word::Phone))
        .collect()
}

impl Candidate {
    /// Whether it is in a group, in whatever letters.
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

/// What a partner is at the counterpart.
#[derive(Debug)]
pub enum Decision<'i> {
    /// This counterparty, by this rule.
    Is(&'i Candidate, Rule),
    /// This counterparty, which was made for the partner in a try whose outcome was lost.
    Own(&'i Candidate),
    /// Nobody there yet.
    New,
    /// All whom a rule finds are of the other role: this one, for example.
    OtherRole(&'i Candidate),
    /// A rule finds several, and nothing says which of them it is.
    Several(Rule, Vec<&'i Candidate>),
}

/// What a partner and a counterparty have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The tax number.
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
}

impl Index {
    /// Adds one, with what identifies it.
    pub fn add(&mut self, candidate: Candidate, words: Vec<Word>) {
        let place = self.candidates.len();
        for word in words {
            let known = self.by_word.entry(word).or_default();
            if known.last() != Some(&place) {
                known.push(place);
            }
        }
        self.candidates.push(candidate);
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
        return foreign.first().map(|one| Decision::OtherRole(one));
    }
    let live: Vec<&Candidate> = fit.iter().copied().filter(|one| !one.archived).collect();
    let fit = if live.is_empty() { fit } else { live };
    let marked: Vec<&Candidate> = fit.iter().copied().filter(|one| one.has(own)).collect();
    match (&fit[..], &marked[..]) {
        ([only], _) | (_, [only]) => Some(Decision::Is(only, rule)),
        _ => Some(Decision::Several(rule, fit)),
    }
}
