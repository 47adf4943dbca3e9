//! Buyers as partners. A partner is made from an order when nobody in the ERP is the buyer; from
//! then on its card belongs to people, and orders never change it.

use std::collections::{HashMap, HashSet};

use tenon_sdk::erp::partners;
use tenon_sdk::import::{bound_and_there, match_by, pair, saved, split_rivals};
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{
    Binding, Fault, Key, Partner, PartnerFields, PartnerLookup, PartnerRole, Reason,
};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{identity, info, reason};

use crate::api::{Buyer, Order};
use crate::map::origin;

const PARTNER: &str = "partner";

/// Partners that this run knows, by the buyer's origin, or why the ERP does not take one.
#[derive(Debug, Default)]
pub struct Partners(HashMap<String, Result<Key, Reason>>);

impl Partners {
    /// Recalls the partners of orders by their pairs. One that was removed or merged in the ERP is not
    /// recalled: it is looked for again.
    ///
    /// # Errors
    /// The fault of the look-up as a whole.
    pub fn recall(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
        let origins: Vec<String> = self.unknown(orders).map(|wanted| wanted.origin).collect();
        let known = bound_and_there(PARTNER, &origins, |keys| {
            let lookups: Vec<_> = keys.iter().cloned().map(PartnerLookup::Key).collect();
            partners::find(&lookups)
        })?;
        let known = known.into_iter();
        self.0
            .extend(known.map(|(origin, binding)| (origin, Ok(binding.key))));
        Ok(())
    }

    /// The buyers of orders who are not known yet, each once.
    fn unknown<'o>(&self, orders: &[&'o Order<'o>]) -> impl Iterator<Item = Wanted<'o>> {
        let mut asked = HashSet::new();
        let wanted = orders.iter().filter_map(|order| Wanted::of(order));
        wanted.filter(move |wanted| {
            !self.0.contains_key(&wanted.origin) && asked.insert(wanted.origin.clone())
        })
    }

    /// Finds or makes the partner of each order that was not recalled: by phone, by e-mail, else new.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn ensure(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
        let mut open: Vec<Wanted<'_>> = self.unknown(orders).collect();
        let mut pairs = Vec::new();
        // Of two new buyers who may be one person, the second is looked up again once the first
        // is saved: only the ERP knows when two phones are the same.
        while !open.is_empty() {
            open = self.match_known(open, &mut pairs)?;
            let (now, later) = split_rivals(open, Wanted::claims);
            self.make(now, &mut pairs)?;
            open = later;
        }
        if !pairs.is_empty() {
            bindings::bind(&pairs);
        }
        Ok(())
    }

    /// The partner of an order; the given one where it has no buyer.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn of(&self, order: &Order<'_>, default: Option<&Key>) -> Result<Key, Reason> {
        match Wanted::of(order) {
            Some(wanted) => match self.0.get(&wanted.origin) {
                Some(Ok(key)) => Ok(key.clone()),
                Some(Err(reason)) => {
                    let name = wanted.name().unwrap_or_default();
                    Err(reason!("order.partner-refused", name = name).because(reason))
                }
                None => Err(reason!("order.partner-missing")),
            },
            None => default
                .cloned()
                .ok_or_else(|| reason!("order.no-buyer").setting("default_partner")),
        }
    }

    fn match_known<'o>(
        &mut self,
        open: Vec<Wanted<'o>>,
        pairs: &mut Vec<Binding>,
    ) -> Result<Vec<Wanted<'o>>, Fault> {
        let mut matched = |told: fn(&str) -> Reason, wanted: Wanted<'_>, partner: Partner| {
            if let Some(key) = partner.key {
                info!(record = key, told(wanted.name().unwrap_or_default()));
                pairs.push(pair(PARTNER, &key, &wanted.origin));
                self.0.insert(wanted.origin, Ok(key));
            }
        };
        let open = match_by(
            open,
            |wanted| wanted.phones().map(PartnerLookup::Phone).collect(),
            partners::find,
            is_customer,
            |wanted, partner| {
                let told = |name: &str| reason!("partner.matched-phone", name = name);
                matched(told, wanted, partner);
            },
        )?;
        match_by(
            open,
            |wanted| wanted.emails().map(PartnerLookup::Email).collect(),
            partners::find,
            is_customer,
            |wanted, partner| {
                let told = |name: &str| reason!("partner.matched-email", name = name);
                matched(told, wanted, partner);
            },
        )
    }

    fn make(&mut self, new: Vec<Wanted<'_>>, pairs: &mut Vec<Binding>) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        let cards: Vec<Partner> = new.iter().map(Wanted::card).collect();
        // Nothing is owned: a card that stands there already keeps what people have written.
        let outcomes = partners::save(&cards, PartnerFields::empty())?;
        for (wanted, outcome) in new.into_iter().zip(outcomes) {
            let key = saved(outcome)?.map(|saved| saved.key);
            if let Ok(key) = &key {
                pairs.push(pair(PARTNER, key, &wanted.origin));
            }
            self.0.insert(wanted.origin, key);
        }
        Ok(())
    }
}

/// A buyer who is looked for.
struct Wanted<'o> {
    origin: String,
    buyer: &'o Buyer<'o>,
}

impl<'o> Wanted<'o> {
    /// The buyer of an order, where there is anything to know about one.
    fn of(order: &'o Order<'o>) -> Option<Wanted<'o>> {
        let buyer = order.buyer.get()?;
        let origin = match buyer.id.get() {
            Some(id) => origin::buyer(id),
            None => origin::of("buyer-of-order", order.id.get()?),
        };
        let wanted = Wanted { origin, buyer };
        wanted.name().is_some().then_some(wanted)
    }

    /// The phones that may tell who it is.
    fn phones(&self) -> impl Iterator<Item = String> {
        let written = self.buyer.phone.iter().filter_map(Text::get);
        written.flat_map(identity::phones)
    }

    /// The addresses that may tell who it is.
    fn emails(&self) -> impl Iterator<Item = String> {
        let written = self.buyer.email.iter().filter_map(Text::get);
        written.filter_map(identity::email)
    }

    fn name(&self) -> Option<&'o str> {
        let buyer = self.buyer;
        let written = || buyer.phone.iter().chain(buyer.email.iter());
        let name = buyer.full_name.get();
        name.or_else(|| written().find_map(Text::get))
    }

    /// What the CRM tells of the buyer, each phone by itself.
    fn card(&self) -> Partner {
        let phones = self.buyer.phone.iter().filter_map(Text::get);
        let emails = self.buyer.email.iter().filter_map(Text::get);
        let apart = |text: &str| match identity::phones(text) {
            none if none.is_empty() => vec![text.to_owned()],
            phones => phones,
        };
        Partner {
            origin: Some(self.origin.clone()),
            role: PartnerRole::Customer,
            name: self.name().unwrap_or_default().to_owned(),
            phones: phones.flat_map(apart).collect(),
            emails: emails.map(str::to_owned).collect(),
            ..Partner::default()
        }
    }

    /// What another new buyer must not share to be certainly another person.
    fn claims(&self) -> Vec<String> {
        let phones = self.phones().map(|phone| identity::phone_key(&phone));
        phones.chain(self.emails()).collect()
    }
}

/// A supplier's phone may be the buyer's, too, who is somebody else in the books.
fn is_customer(_: &Wanted<'_>, partner: &Partner) -> bool {
    partner.role == PartnerRole::Customer
}

#[cfg(test)]
mod tests {
    use super::{Partners, Wanted};
    use crate::api::Order;
    use tenon_sdk::reason;

    fn order(json: &str) -> Order<'_> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn a_buyer_without_a_name_is_called_by_phone_or_e_mail() {
        for (json, name) in [
            (
                r#"{"id":1,"buyer":{"id":7,"full_name":" Olena ","phone":"1"}}"#,
                Some("Olena"),
            ),
            (
                r#"{"id":1,"buyer":{"id":7,"phone":["","+380501112233"]}}"#,
                Some("+380501112233"),
            ),
            (r#"{"id":1,"buyer":{"email":"a@b.test"}}"#, Some("a@b.test")),
            (r#"{"id":1,"buyer":{"id":7,"full_name":""}}"#, None),
            (r#"{"id":1,"buyer":null}"#, None),
            (r#"{"id":1,"buyer":[]}"#, None),
        ] {
            let order = order(json);
            let card = Wanted::of(&order).map(|wanted| wanted.card());
            assert_eq!(card.map(|card| card.name).as_deref(), name, "{json}");
        }
    }

    #[test]
    fn one_phone_written_in_two_ways_is_never_made_into_two_partners_at_once() {
        let one = order(r#"{"id":1,"buyer":{"id":1,"phone":"+38 (050) 111-22-33"}}"#);
        let other = order(r#"{"id":2,"buyer":{"id":2,"phone":"0501112233"}}"#);
        let claims = |order| Wanted::of(order).map(|wanted| wanted.claims());
        assert_eq!(claims(&one), claims(&other));
    }

    #[test]
    fn an_order_without_a_buyer_needs_a_default_partner() {
        let order = order(r#"{"id":1,"buyer":null}"#);
        let partners = Partners::default();
        let default = "anybody".to_owned();
        assert_eq!(partners.of(&order, Some(&default)), Ok(default));
        assert_eq!(
            partners.of(&order, None),
            Err(reason!("order.no-buyer").setting("default_partner"))
        );
    }
}
