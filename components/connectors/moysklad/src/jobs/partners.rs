//! Customers and suppliers of the shop as counterparties. Those that are there already are found by
//! what identifies them and bound; from then on the binding alone counts. Counterparties that were
//! born in MoySklad do not come into the shop.

use tenon_sdk::erp::partners;
use tenon_sdk::flow::send::{self, Page};
use tenon_sdk::identity::index;
use tenon_sdk::identity::who::{Candidate, Decision, Tags, Word, words};
use tenon_sdk::import::{Tally, bound, pair, split_rivals};
use tenon_sdk::model::{
    Binding, Change, Directive, Effect, Fault, Key, Outcome, Partner, PartnerLookup, PartnerRole,
    Reason, Subject, Written,
};
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::runtime::{bindings, run};
use tenon_sdk::{info, warn};
use uuid::Uuid;

use super::{Context, PARTNER, who};
use crate::api::Written as Made;
use crate::api::fields::{Fields, changes};
use crate::api::meta::{self, Kind, origin};
use crate::map::partner::{birth, card, matched, other_role, several};

/// Partners that could not be sent.
const REJECTED: &str = "failed/partner/";

/// Counterparties in origins.
const PARTNER_WORD: &str = "counterparty";

/// Runs the job.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    let mut tally = Tally::default();
    if send(context, retry, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    rejected(retry).name_untried();
    // There is nothing left that a stop could cut.
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// Partners that could not be sent.
pub fn rejected(retry: &Retry) -> Rejected {
    Rejected::load(PARTNER, REJECTED, retry)
}

/// The groups of the settings.
pub fn tags(context: &Context) -> Tags {
    Tags {
        customer: context.settings.customer_tag.clone(),
        supplier: context.settings.supplier_tag.clone(),
    }
}

/// Sends what changed in the shop, and what could not be sent before.
pub fn send(context: &Context, retry: &Retry, tally: &mut Tally) -> Result<Directive, Fault> {
    let mut sender = Sender {
        context,
        tags: tags(context),
        is_informed: false,
        rejected: rejected(retry),
    };
    send::run(&mut sender, tally)
}

/// The `syncId` of the counterparty that is made for a partner.
pub fn sync_id(context: &Context, partner: &Partner, key: &str) -> Uuid {
    let role = match partner.role {
        PartnerRole::Customer => "customer",
        PartnerRole::Supplier => "supplier",
    };
    meta::sync_id(&[&context.books, "counterparty", role, key])
}

struct Sender<'c> {
    context: &'c Context,
    tags: Tags,
    /// Whether the index of counterparties is up to date.
    is_informed: bool,
    rejected: Rejected,
}

/// A counterparty that is about to be written.
struct Draft {
    partner: Partner,
    key: Key,
    /// None for a new one.
    origin: Option<String>,
    /// What is agreed once it is written.
    print: Vec<u8>,
    /// What is written.
    fields: Fields,
    before: Option<Vec<u8>>,
    sync_id: Uuid,
}

impl send::Sender for Sender<'_> {
    type Record = Partner;

    const TOGETHER: usize = 300;

    fn cursor(&self) -> String {
        "partners".to_owned()
    }

    fn changed(&self, after: Option<&str>, limit: u32) -> Result<Page<Partner>, Fault> {
        let page = partners::changed(after, limit)?;
        Ok(Page {
            records: page.partners,
            // A counterparty has a life of its own.
            removed: Vec::new(),
            next: page.next,
            more: page.more,
        })
    }

    fn find(&self, keys: &[Key]) -> Result<Vec<Partner>, Fault> {
        let lookups: Vec<PartnerLookup> = keys.iter().cloned().map(PartnerLookup::Key).collect();
        Ok(partners::find(&lookups)?.into_iter().flatten().collect())
    }

    fn key(partner: &Partner) -> Option<&Key> {
        partner.key.as_ref()
    }

    fn rejected(&mut self) -> Vec<&mut Rejected> {
        vec![&mut self.rejected]
    }

    fn send(&mut self, partners: Vec<Partner>, tally: &mut Tally) -> Result<Directive, Fault> {
        let keys: Vec<Key> = partners
            .iter()
            .filter_map(|partner| partner.key.clone())
            .collect();
        let known = bindings::by_key(PARTNER, &keys);
        let mut changed = Vec::new();
        let mut open = Vec::new();
        let with_keys = partners.into_iter().filter(|partner| partner.key.is_some());
        for ((partner, key), binding) in with_keys.zip(keys).zip(known) {
            match binding {
                Some(binding) => changed.extend(self.changed(partner, key, binding, tally)),
                None => open.push((partner, key)),
            }
        }
        if !open.is_empty() && !self.is_informed {
            if who::refresh(self.context, tally)? == Directive::Stop {
                return Ok(Directive::Stop);
            }
            self.is_informed = true;
        }
        self.write(changed, tally)?;
        // Of two new partners who may be one, the second is looked up when the first is there.
        while !open.is_empty() {
            let (now, later) = split_rivals(open, |(partner, _)| words(partner));
            let drafts = self.decide(now, tally)?;
            self.write(drafts, tally)?;
            open = later;
        }
        Ok(Directive::Proceed)
    }
}

impl Sender<'_> {
    fn reject(&mut self, partner: &Partner, key: &Key, reason: Reason, tally: &mut Tally) {
        let subject = Subject::Key(key.clone());
        (self.rejected).reject(key, subject, &partner.name, reason, tally);
    }

    /// What differs on the card of a partner that is bound.
    fn changed(
        &self,
        partner: Partner,
        key: Key,
        binding: Binding,
        tally: &mut Tally,
    ) -> Option<Draft> {
        let card = card(&partner);
        let before = binding.fingerprint;
        let fields = card.since(before.as_deref());
        let id = meta::id_of(&binding.origin)?;
        // Of several partners who are one counterparty, the first one's card counts.
        if fields.is_empty() || binding.origin.contains('/') {
            tally.count(Effect::Unchanged);
            return None;
        }
        Some(Draft {
            fields: self.context.api.of(Kind::Counterparty, id, fields),
            print: card.print(),
            origin: Some(binding.origin),
            sync_id: id,
            partner,
            key,
            before,
        })
    }

    /// Finds those that are there already, and draws the others.
    fn decide(
        &mut self,
        partners: Vec<(Partner, Key)>,
        tally: &mut Tally,
    ) -> Result<Vec<Draft>, Fault> {
        let ids: Vec<Uuid> = (partners.iter())
            .map(|(partner, key)| sync_id(self.context, partner, key))
            .collect();
        let all = (partners.iter().flat_map(|(partner, _)| words(partner)))
            .chain(ids.iter().copied().map(Word::SyncId));
        let index = who::find(self.context, all)?;
        let mut drafts = Vec::new();
        let mut pairs = Vec::new();
        for ((partner, key), sync_id) in partners.into_iter().zip(ids) {
            match index.decide(&partner, sync_id, &self.tags) {
                Decision::Own(found) => drafts.push(self.own(partner, key, found)),
                Decision::Is(found, rule) => {
                    let own = origin(PARTNER_WORD, found.id);
                    let taken = bound(PARTNER, std::slice::from_ref(&own)).remove(&own);
                    let taken = taken.map(|binding| binding.key).or_else(|| {
                        let mut pairs = pairs.iter();
                        let same = pairs.find(|pair: &&Binding| pair.origin == own);
                        same.map(|pair| pair.key.clone())
                    });
                    let origin = match taken {
                        Some(other) => {
                            warn!(
                                record = key,
                                "partner.shared",
                                name = found.name,
                                other = other
                            );
                            format!("{own}/{key}")
                        }
                        None => own,
                    };
                    info!(record = key, matched(rule, &partner, found));
                    if found.archived {
                        warn!(record = key, "partner.archived", name = found.name);
                    }
                    let print = card(&partner).print();
                    if found.has(self.tags.of(partner.role)) {
                        tally.count(Effect::Unchanged);
                        pairs.push(Binding {
                            fingerprint: Some(print),
                            ..pair(PARTNER, &key, &origin)
                        });
                    } else {
                        drafts.push(self.marked(partner, key, origin, found, print));
                    }
                }
                Decision::New => drafts.push(newcomer(partner, key, sync_id, &self.tags)),
                Decision::OtherRole(found) => {
                    let reason = other_role(&partner, found, &self.tags);
                    self.reject(&partner, &key, reason, tally);
                }
                Decision::Several(rule, found) => {
                    self.reject(&partner, &key, several(rule, &found), tally);
                }
            }
        }
        bindings::bind(&pairs);
        Ok(drafts)
    }

    /// One that is there, and gets its group.
    fn marked(
        &self,
        partner: Partner,
        key: Key,
        origin: String,
        found: &Candidate,
        print: Vec<u8>,
    ) -> Draft {
        let mut groups = found.tags.clone();
        groups.push(self.tags.of(partner.role).to_owned());
        let before = Fields::default().with("tags", &found.tags).print();
        let fields = Fields::default().with("tags", groups);
        Draft {
            fields: self.context.api.of(Kind::Counterparty, found.id, fields),
            origin: Some(origin),
            before: Some(before),
            sync_id: found.id,
            partner,
            key,
            print,
        }
    }

    /// One that was made in a try whose outcome was lost, and may be out of date already.
    fn own(&self, partner: Partner, key: Key, found: &Candidate) -> Draft {
        let card = card(&partner);
        Draft {
            print: card.print(),
            fields: self.context.api.of(Kind::Counterparty, found.id, card),
            origin: Some(origin(PARTNER_WORD, found.id)),
            before: None,
            sync_id: found.id,
            partner,
            key,
        }
    }

    fn write(&mut self, drafts: Vec<Draft>, tally: &mut Tally) -> Result<(), Fault> {
        if drafts.is_empty() {
            return Ok(());
        }
        let fields: Vec<Fields> = drafts.iter().map(|draft| draft.fields.clone()).collect();
        let api = &self.context.api;
        let outcomes = api.write::<Made>(Kind::Counterparty.path(), None, &fields)?;
        let mut pairs = Vec::new();
        let mut told = Vec::new();
        let mut made = Vec::new();
        for (draft, outcome) in drafts.into_iter().zip(outcomes) {
            match outcome {
                Ok(written) => {
                    let id = written.map_or(draft.sync_id, |written| written.id);
                    let effect = if draft.origin.is_some() {
                        Effect::Updated
                    } else {
                        info!(record = draft.key, "partner.made");
                        Effect::Created
                    };
                    tally.count(effect);
                    let origin = match draft.origin {
                        Some(origin) => origin,
                        None => {
                            made.push((id, words(&draft.partner)));
                            origin(PARTNER_WORD, id)
                        }
                    };
                    told.push(Written {
                        record_kind: PARTNER.to_owned(),
                        origin: origin.clone(),
                        key: Some(draft.key.clone()),
                        label: Some(draft.partner.name.clone()),
                        change: if effect == Effect::Created {
                            Change::Created
                        } else {
                            Change::Updated
                        },
                        fields: changes(&draft.fields, draft.before.as_deref()),
                    });
                    pairs.push(Binding {
                        fingerprint: Some(draft.print),
                        ..pair(PARTNER, &draft.key, &origin)
                    });
                }
                Err(refusal) => {
                    self.reject(&draft.partner, &draft.key, *refusal.reason, tally);
                }
            }
        }
        run::wrote(&told);
        bindings::bind(&pairs);
        index::remember(made)
    }
}

/// One that is not there yet.
fn newcomer(partner: Partner, key: Key, sync_id: Uuid, tags: &Tags) -> Draft {
    let card = card(&partner);
    let print = card.print();
    let mut fields = card;
    fields.extend(birth(&partner, sync_id, tags));
    Draft {
        origin: None,
        before: None,
        partner,
        key,
        print,
        fields,
        sync_id,
    }
}
