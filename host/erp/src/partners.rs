//! Customers and suppliers, found by what people know them by.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use tenon_host::model::{
    Effect, FieldChange, Money, Partner, PartnerFields, PartnerLookup, RecordKind, Saved,
};

use crate::book::{Halt, Target, Writer};
use crate::feed::Stream;
use crate::record::{self, Filed, Head, Identity, Lookups, Record};
use crate::{check, normal, settings, sql, stock};

const EMAIL: &str = "email";
const PHONE: &str = "phone";

impl Record for Partner {
    const KIND: RecordKind = RecordKind::Partner;
    const LOOKUPS: Lookups = Lookups {
        row: sql::PARTNER_ROW,
        by_id: sql::PARTNER_BY_ID,
        by_key: sql::PARTNER_BY_KEY,
        by_origin: sql::PARTNER_BY_ORIGIN,
        page: sql::PARTNERS_PAGE,
    };
    const HEAR: &'static str = sql::HEAR_PARTNER;

    fn every_field() -> PartnerFields {
        PartnerFields::all()
    }

    fn identity(&mut self) -> Identity<'_> {
        Identity {
            key: &mut self.key,
            origin: &mut self.origin,
            stamp: Some((&mut self.version, &mut self.changed_at)),
        }
    }

    fn adopt_fixed(&mut self, given: &Partner) -> Result<Vec<FieldChange>, Halt> {
        let mut changes = Vec::new();
        if self.role != given.role {
            changes.push(FieldChange::of("role", &self.role, &given.role));
            self.role = given.role;
        }
        Ok(changes)
    }

    fn check(&self, _owned: PartnerFields, _writer: &mut Writer<'_>) -> Result<(), Halt> {
        check::name(&self.name)
    }

    fn stream(&self) -> Option<Stream> {
        Some(Stream::Partners)
    }

    fn write(&self, db: &Connection, head: &Head, doc: &str) -> rusqlite::Result<()> {
        db.prepare_cached(sql::WRITE_PARTNER)?
            .execute(params![
                head.id,
                head.key,
                head.origin,
                head.version,
                head.changed_at,
                head.position,
                head.said,
                doc,
                normal::code(self.tax_id.as_deref()),
            ])
            .map(drop)
    }

    fn index(&self, id: i64, new: bool, writer: &mut Writer<'_>) -> Result<(), Halt> {
        let country = writer.country()?;
        let emails = self.emails.iter().map(|email| normal::email(email).into());
        let phones = self
            .phones
            .iter()
            .flat_map(|phone| normal::phone(phone, country));
        let emails = emails.filter(|email: &std::borrow::Cow<'_, str>| !email.is_empty());
        let contacts = emails
            .map(|email| (EMAIL, email))
            .chain(phones.map(|phone| (PHONE, phone)));
        let mut filed = if new {
            HashSet::new()
        } else {
            filed_contacts(writer.db, id)?
        };
        for (kind, value) in contacts {
            if !filed.remove(&(kind.to_owned(), value.clone().into_owned())) {
                writer
                    .db
                    .prepare_cached(sql::ADD_CONTACT)?
                    .execute(params![kind, value, id])?;
            }
        }
        for (kind, value) in filed {
            writer
                .db
                .prepare_cached(sql::REMOVE_CONTACT)?
                .execute(params![kind, value, id])?;
        }
        Ok(())
    }
}

fn filed_contacts(db: &Connection, partner: i64) -> rusqlite::Result<HashSet<(String, String)>> {
    db.prepare_cached(sql::CONTACTS)?
        .query_map([partner], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Finds one partner for each look-up.
pub(crate) fn find(
    db: &Connection,
    lookups: &[PartnerLookup],
) -> Result<Vec<Option<Partner>>, Halt> {
    let country = settings::country(db)?;
    let by_contact = |kind: &str, value: &str| -> Result<Option<Filed<Partner>>, Halt> {
        record::one(db, sql::PARTNER_BY_CONTACT, &[&kind, &value])
    };
    lookups
        .iter()
        .map(|lookup| {
            let found = match lookup {
                PartnerLookup::Key(key) => record::by_key(db, key)?,
                PartnerLookup::Origin(origin) => record::by_origin(db, origin)?,
                PartnerLookup::TaxId(id) => record::one(db, sql::PARTNER_BY_TAX_ID, &[&id.trim()])?,
                PartnerLookup::Email(email) => by_contact(EMAIL, &normal::email(email))?,
                PartnerLookup::Phone(phone) => match normal::phone(phone, country) {
                    Some(phone) => by_contact(PHONE, &phone)?,
                    None => None,
                },
            };
            Ok(found.map(Filed::whole))
        })
        .collect()
}

/// Sets what a partner owes or has paid ahead.
pub(crate) fn set_balance(
    writer: &mut Writer<'_>,
    partner: &str,
    balance: &Money,
) -> Result<Saved, Halt> {
    let key = partner.to_owned();
    let partner = writer.require(Target::Partner, partner, "partner")?;
    check::money(balance, "balance")?;
    let known = balance_of(writer.db, partner)?;
    if known.as_ref() == Some(balance) {
        return Ok(Saved {
            key,
            effect: Effect::Unchanged,
            ..Saved::default()
        });
    }
    writer
        .db
        .prepare_cached(sql::SET_BALANCE)?
        .execute(params![
            partner,
            balance.amount.to_string(),
            balance.currency
        ])?;
    let after = Some(balance.clone());
    Ok(Saved {
        key,
        effect: Effect::Updated,
        changes: vec![FieldChange::of("balance", &known, &after)],
        ..Saved::default()
    })
}

/// What a partner owes or has paid ahead, where that is known.
pub(crate) fn balance_of(db: &Connection, partner: i64) -> rusqlite::Result<Option<Money>> {
    db.prepare_cached(sql::BALANCE)?
        .query_row([partner], |row| {
            Ok(Money {
                amount: stock::decimal(row, 0)?,
                currency: row.get(1)?,
            })
        })
        .optional()
}

/// Files all phones anew, after the country that they are read in has changed.
pub(crate) fn reindex(writer: &mut Writer<'_>) -> Result<(), Halt> {
    const PAGE: i64 = 500;
    let mut after = 0;
    loop {
        let page: Vec<Filed<Partner>> =
            record::many(writer.db, sql::PARTNERS_PAGE, &[&after, &PAGE])?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.id;
        for filed in &page {
            filed.record.index(filed.id, false, writer)?;
        }
    }
}
