//! Webhooks make changes of products come sooner. They carry no signature, so they are no more than
//! a hint: what changed is read, and what is said to be gone is looked for, before anything is done.

use serde::Deserialize;
use tenon_sdk::hooks::{self, Hook, Hooks, Missing};
use tenon_sdk::http::Error;
use tenon_sdk::lenient::{List, Text};
use tenon_sdk::model::{Fault, Reason, Request, Webhook};
use tenon_sdk::{reason, record};
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::meta::{self, Kind};
use crate::api::{MoySklad, Refusal, Written, records};

/// Products in one request; more make another.
const NAMED: usize = 100;

#[derive(Deserialize)]
struct Existing {
    id: Uuid,
    #[serde(default)]
    url: String,
    #[serde(default, rename = "entityType")]
    entity: String,
    #[serde(default)]
    action: String,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// Those for products. MoySklad takes five addresses for one kind of change, and none without a tariff.
struct OfProducts<'a>(&'a MoySklad);

impl Hooks for OfProducts<'_> {
    const EVENTS: &'static [&'static str] = &["CREATE", "UPDATE", "DELETE"];
    const TOPIC: &'static str = "products";

    fn list(&self) -> Result<Result<Vec<Hook>, Reason>, Fault> {
        let existing = match self.0.try_get(Kind::Webhook.path(), &[("limit", "1000")]) {
            Ok(answer) => answer.json::<records::List<Existing>>()?.rows,
            Err(Error::Status(status)) => return Ok(Err(*Refusal::of(&status).reason)),
            Err(Error::Fault(fault)) => return Err(fault),
        };
        let ours = existing.into_iter().filter(|one| one.entity == "product");
        let hook = |one: Existing| Hook {
            id: one.id.to_string(),
            url: one.url,
            event: one.action,
            enabled: one.enabled,
        };
        Ok(Ok(ours.map(hook).collect()))
    }

    fn ask(&self, missing: &[Missing<'_>], url: &str) -> Result<Vec<Reason>, Fault> {
        let wanted = missing.iter().map(|one| match one {
            Missing::Off(hook) => {
                let id = hook.id.parse().unwrap_or_default();
                let fields = Fields::default().with("enabled", true);
                self.0.of(Kind::Webhook, id, fields)
            }
            Missing::New(action) => Fields::default()
                .with("url", url)
                .with("action", action)
                .with("entityType", "product"),
        });
        let wanted: Vec<Fields> = wanted.collect();
        let outcomes = (self.0).write::<Written>(Kind::Webhook.path(), None, &wanted)?;
        let refused = outcomes.into_iter().filter_map(Result::err);
        Ok(refused.map(|refusal| *refusal.reason).collect())
    }

    fn remove(&self, hook: &Hook) -> Result<Result<(), Reason>, Fault> {
        let path = format!("{}/{}", Kind::Webhook.path(), hook.id);
        Ok(self.0.delete(&path)?.map_err(|refusal| *refusal.reason))
    }
}

/// Asks for webhooks.
pub fn enable(callback: &str) -> Result<(), Fault> {
    hooks::enable(&OfProducts(&MoySklad::open()?), callback)
}

/// Takes them away.
pub fn disable() -> Result<(), Fault> {
    hooks::disable(&OfProducts(&MoySklad::open()?))
}

/// Looks after them.
pub fn tend(api: &MoySklad) -> Result<(), Fault> {
    hooks::tend(&OfProducts(api))
}

#[record]
struct Notice<'a> {
    events: List<Event<'a>>,
}

#[record]
struct Event<'a> {
    meta: EventMeta<'a>,
    action: Text<'a>,
}

#[record]
struct EventMeta<'a> {
    #[serde(rename = "type")]
    kind: Text<'a>,
    href: Text<'a>,
}

/// Turns a webhook into work.
///
/// # Errors
/// `rejected` when it is none of MoySklad's.
pub fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
    let notice: Notice<'_> = serde_json::from_slice(&webhook.body)
        .map_err(|error| Fault::Rejected(reason!("webhooks.unreadable").detail(error)))?;
    let products = notice.events.iter();
    let products = products.filter(|event| event.meta.kind.get() == Some("product"));
    let (gone, changed): (Vec<_>, Vec<_>) =
        products.partition(|event| event.action.get() == Some("DELETE"));
    let mut requests = Vec::new();
    if !changed.is_empty() {
        requests.push(request(None));
    }
    let gone: Vec<String> = gone
        .into_iter()
        .filter_map(|event| Some(meta::id_in(event.meta.href.get()?)?.to_string()))
        .collect();
    requests.extend(gone.chunks(NAMED).map(|some| request(Some(some.join(",")))));
    Ok(requests)
}

fn request(argument: Option<String>) -> Request {
    Request {
        job: "changes".to_owned(),
        argument,
    }
}

#[cfg(test)]
mod tests {
    use super::{Webhook, receive};

    fn received(topic: &str, body: &str) -> Result<Vec<(String, Option<String>)>, String> {
        let webhook = Webhook {
            topic: topic.to_owned(),
            headers: Vec::new(),
            query: "requestId=1".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let requests = receive(&webhook).map_err(|fault| fault.to_string())?;
        Ok(requests
            .into_iter()
            .map(|request| (request.job, request.argument))
            .collect())
    }

    fn event(kind: &str, action: &str, id: u8) -> String {
        format!(
            r#"{{"meta":{{"type":"{kind}","href":"https://x/entity/{kind}/7d6f8c02-1f4c-4a4b-9d0e-00000000000{id}"}},"action":"{action}"}}"#
        )
    }

    #[test]
    fn changes_are_read_and_deletions_are_named() {
        let body = format!(
            r#"{{"auditContext":{{"uid":"a"}},"events":[{},{},{},{}]}}"#,
            event("product", "UPDATE", 1),
            event("product", "DELETE", 2),
            event("product", "DELETE", 3),
            event("demand", "DELETE", 4),
        );
        let ids = "7d6f8c02-1f4c-4a4b-9d0e-000000000002,7d6f8c02-1f4c-4a4b-9d0e-000000000003";
        assert_eq!(
            received("products", &body),
            Ok(vec![
                ("changes".to_owned(), None),
                ("changes".to_owned(), Some(ids.to_owned())),
            ])
        );
        assert_eq!(received("products", r#"{"events":[]}"#), Ok(vec![]));
    }

    #[test]
    fn what_is_no_notice_is_refused() {
        assert!(received("products", "<html>").is_err());
    }
}
