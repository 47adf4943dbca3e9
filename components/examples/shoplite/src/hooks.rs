//! Webhooks make changes of orders come sooner. They are no more than a hint: what changed is read.

use serde_json::json;
use tenon_sdk::http::Method;
use tenon_sdk::model::Fault;
use tenon_sdk::state;

use crate::{Shoplite, api};

/// The webhook that was asked for last.
const KEPT: &str = "webhook";

/// Asks for webhooks at the topic `orders`. One that was asked for before goes once the new one is there.
pub fn enable(callback: &str) -> Result<(), Fault> {
    let body = json!({ "url": format!("{callback}orders") });
    let shop = Shoplite::shop()?;
    let answer = shop.call(Method::Post, "/webhooks").json(&body)?.send()?;
    let made: api::Webhook<'_> = answer.json()?;
    disable()?;
    state::save(KEPT, &made.id.get())
}

/// Takes the webhook away.
pub fn disable() -> Result<(), Fault> {
    if let Some(id) = state::load::<String>(KEPT) {
        let path = format!("/webhooks/{id}");
        Shoplite::shop()?.call(Method::Delete, &path).find()?;
        state::forget(KEPT);
    }
    Ok(())
}
