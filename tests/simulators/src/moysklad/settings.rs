//! Who asks, and what holds for the whole account: types of price, rules of codes.

use serde_json::Value as Json;

use super::access::Caller;
use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::input;
use super::kind::Kind;
use super::refusal::Refusal;
use super::value::Ref;
use super::wire::{Expand, Wire};
use crate::json::{self, object};

/// `POST /security/token`. The token before it is good no more.
pub fn token(account: &mut Account) -> Answer {
    let (high, low) = (account.allot_id().number(), account.allot_id().number());
    let token = format!("{high:032x}{:08x}", low & 0xffff_ffff);
    account.access.user_token = Some(token.clone());
    let mut out = String::new();
    object(&mut out, |out| out.put("access_token", token));
    Ok(Reply::json(out))
}

/// `GET /context/employee`.
pub fn employee(account: &mut Account, call: &Call<'_>) -> Answer {
    if call.caller != Caller::User {
        return Err(Refusal::code(55006));
    }
    let mut out = String::new();
    let employee = account.get(account.home.employee);
    Wire::new(account, false, None).record(&mut out, employee, &Expand::default());
    Ok(Reply::json(out))
}

/// `GET /context/application`.
pub fn application(account: &mut Account, call: &Call<'_>) -> Answer {
    if call.caller == Caller::User {
        return Err(Refusal::code(55005));
    }
    let mut out = String::new();
    object(&mut out, |out| {
        out.object("meta", |meta| {
            meta.put("href", format!("{}/context/application", account.base));
            meta.put("type", "application");
            meta.put("mediaType", "application/json");
        });
        out.put("id", account.id.in_interface().to_string());
        out.put("appUid", account.access.application_uid());
    });
    Ok(Reply::json(out))
}

/// `GET /context/companysettings`.
pub fn company(account: &mut Account, _: &Call<'_>) -> Answer {
    let wire = Wire::new(account, false, None);
    let mut out = String::new();
    object(&mut out, |out| {
        out.object("meta", |meta| {
            meta.put("href", format!("{}/context/companysettings", account.base));
            meta.put("type", "companysettings");
            meta.put("mediaType", "application/json");
        });
        let currency = Ref {
            kind: Kind::Currency,
            id: account.home.currency,
        };
        out.object("currency", |out| wire.referred(out, currency, None));
        let types = account.price_types();
        json::elements(out.key("priceTypes"), types, |out, id| {
            wire.record(out, account.get(*id), &Expand::default());
        });
        out.put("discountStrategy", "bySum");
        out.put("globalOperationNumbering", false);
        out.put("checkShippingStock", true);
        out.put("checkMinPrice", false);
        out.put("useRecycleBin", account.settings.recycle_bin);
        out.put("useCompanyAddress", false);
        out.put("accountCountry", "RU");
    });
    Ok(Reply::json(out))
}

/// `GET /context/companysettings/pricetype`: an array without an envelope.
pub fn price_types(account: &mut Account, _: Kind, _: &Call<'_>) -> Answer {
    let wire = Wire::new(account, false, None);
    let mut out = String::new();
    json::elements(&mut out, account.price_types(), |out, id| {
        wire.record(out, account.get(*id), &Expand::default());
    });
    Ok(Reply::json(out))
}

/// `GET /context/companysettings/pricetype/default`.
pub fn default_price_type(account: &mut Account, _: Kind, _: &Call<'_>) -> Answer {
    let mut out = String::new();
    if let Some(first) = account.price_types().first() {
        let wire = Wire::new(account, false, None);
        wire.record(&mut out, account.get(*first), &Expand::default());
    }
    Ok(Reply::json(out))
}

/// `GET /context/companysettings/pricetype/{id}`.
pub fn price_type(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    let known = account.peek(id).filter(|record| record.kind == kind);
    let known = known.ok_or_else(|| Refusal::about(1021, id.to_string()))?;
    let mut out = String::new();
    Wire::new(account, false, None).record(&mut out, known, &Expand::default());
    Ok(Reply::json(out))
}

/// `POST /context/companysettings/pricetype`: replaces the whole list.
pub fn replace_price_types(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    const MOST: usize = 100;
    let body = input::body(call.body)?;
    let elements = body.as_array().ok_or_else(|| Refusal::code(2001))?;
    if elements.is_empty() || elements.len() > MOST {
        return Err(Refusal::field(3005, "priceTypes"));
    }
    let before = account.price_types().to_vec();
    let mut after = Vec::new();
    for json in elements {
        let fields = input::object(json)?;
        after.push(if fields.contains_key("meta") {
            let known = account.reference(json, "meta")?;
            account.update(known.id, fields)?
        } else {
            account.create(kind, fields, None)?
        });
    }
    for gone in before.iter().filter(|id| !after.contains(id)) {
        account.take(*gone);
    }
    account.set_price_types(after);
    price_types(account, kind, call)
}

/// `GET /entity/assortment/settings`.
pub fn assortment(account: &mut Account, _: Kind, _: &Call<'_>) -> Answer {
    let (unique, filled) = (account.settings.unique_codes, account.settings.filled_codes);
    Ok(Reply::json(code_rules(
        account,
        "assortment",
        unique,
        filled,
    )))
}

/// `PUT /entity/assortment/settings`.
pub fn change_assortment(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let body = input::body(call.body)?;
    let rules = rules_of(&body)?;
    let settings = &mut account.settings;
    set(rules, "checkUniqueCode", &mut settings.unique_codes);
    set(rules, "fillUniqueCode", &mut settings.filled_codes);
    assortment(account, kind, call)
}

/// `GET /entity/counterparty/settings`.
pub fn counterparty(account: &mut Account, _: Kind, _: &Call<'_>) -> Answer {
    let unique = account.settings.unique_counterparty_codes;
    Ok(Reply::json(code_rules(
        account,
        "counterparty",
        unique,
        false,
    )))
}

/// `PUT /entity/counterparty/settings`.
pub fn change_counterparty(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let body = input::body(call.body)?;
    let rules = rules_of(&body)?;
    let unique = &mut account.settings.unique_counterparty_codes;
    set(rules, "checkUniqueCode", unique);
    counterparty(account, kind, call)
}

fn rules_of(body: &Json) -> Result<&Json, Refusal> {
    let rules = body.get("uniqueCodeRules");
    rules.ok_or_else(|| Refusal::field(3000, "uniqueCodeRules"))
}

fn set(rules: &Json, name: &str, setting: &mut bool) {
    if let Some(flag) = rules.get(name).and_then(Json::as_bool) {
        *setting = flag;
    }
}

fn code_rules(account: &Account, word: &str, unique: bool, filled: bool) -> String {
    let mut out = String::new();
    object(&mut out, |out| {
        out.object("meta", |meta| {
            let base = &account.base;
            meta.put("href", format!("{base}/entity/{word}/settings"));
            meta.put("type", format!("{word}settings"));
            meta.put("mediaType", "application/json");
        });
        out.object("uniqueCodeRules", |out| {
            out.put("checkUniqueCode", unique);
            out.put("fillUniqueCode", filled);
        });
    });
    out
}
