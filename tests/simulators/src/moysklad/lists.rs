//! Reading objects: one of them, or a list.

use axum::http::StatusCode;

use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::filter::choose;
use super::id::Id;
use super::kind::{ASSORTMENT, Kind};
use super::query::{Page, envelope, extra};
use super::refusal::Refusal;
use super::stock;
use super::wire::{Expand, Wire};
use crate::json;

/// `GET /entity/{type}`.
pub fn list(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    if matches!(kind, Kind::Webhook | Kind::WebhookStock) && !account.behaviour.webhooks {
        return Err(Refusal::code(1070));
    }
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let extra = page.extra(call)?;
    let expand = page.expand(call);
    let chosen = choose(account, &[kind], call)?;
    let wire = Wire::new(account, call.precise, extra);
    let rows = |out: &mut json::Object<'_>| {
        let shown = page.of(&chosen).iter().filter_map(|id| account.peek(*id));
        json::elements(out.key("rows"), shown, |out, record| {
            wire.record(out, record, &expand);
        });
    };
    let total = chosen.len();
    Ok(Reply::json(envelope(
        &wire,
        call,
        &page,
        total,
        kind.word(),
        rows,
    )))
}

/// `GET /entity/assortment`.
pub fn assortment(account: &mut Account, _: Kind, call: &Call<'_>) -> Answer {
    let kinds = match call.parameter("groupBy") {
        None | Some("variant" | "consignment") => ASSORTMENT,
        Some("product") => &[Kind::Product, Kind::Service, Kind::Bundle],
        Some(_) => return Err(Refusal::about(1040, "groupBy")),
    };
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let expand = page.expand(call);
    let without_stock =
        call.header("x-lognex-remap-beta-feature") == Some("assortmentWithoutStock");
    let chosen = choose(account, kinds, call)?;
    let wire = Wire::new(account, call.precise, None);
    let rows = |out: &mut json::Object<'_>| {
        let shown = page.of(&chosen).iter().filter_map(|id| account.peek(*id));
        json::elements(out.key("rows"), shown, |out, record| {
            if without_stock {
                wire.record(out, record, &expand);
                return;
            }
            json::object(out, |out| {
                wire.fields(out, record, &expand);
                if record.kind.is_stored() {
                    stock::beside(out, account, record.id);
                }
            });
        });
    };
    let total = chosen.len();
    Ok(Reply::json(envelope(
        &wire,
        call,
        &page,
        total,
        "assortment",
        rows,
    )))
}

/// `GET /entity/{type}/{id}`.
pub fn one(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    let extra = extra(call)?;
    if account.hidden.contains(&id) {
        return Err(Refusal::code(1016));
    }
    let known = |id: Id| account.peek(id).filter(|record| record.kind == kind);
    if known(id).is_none() && kind == Kind::Product {
        // The web interface has keys of its own for goods.
        if let Some(product) = known(id.in_interface()) {
            let href = account.href(product.reference());
            return Ok(Reply::redirect(StatusCode::PERMANENT_REDIRECT, href));
        }
    }
    let record = known(id).ok_or_else(|| Refusal::about(1021, id.to_string()))?;
    let expand = Expand::parse(call.parameter("expand").unwrap_or_default());
    let mut out = String::new();
    Wire::new(account, call.precise, extra).record(&mut out, record, &expand);
    Ok(Reply::json(out))
}
