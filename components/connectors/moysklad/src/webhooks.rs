//! Webhooks make changes of products come sooner. They carry no signature, so they are no more than
//! a hint: what changed is read, and what is said to be gone is looked for, before anything is done.
//! Where the tariff or the rights allow none, everything still works, later.

use serde::Deserialize;
use tenon_sdk::http::Error;
use tenon_sdk::import::fingerprint;
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Fault, Request, Webhook};
use tenon_sdk::{info, reason, state, warn};
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::meta::{self, Kind};
use crate::api::{MoySklad, Refusal, Written};

/// What is put behind the callback.
const TOPIC: &str = "products";

/// A digest of the address that webhooks were asked for at. The address itself has a secret in it: who
/// reads what is stored must not be able to send webhooks.
const CALLBACK: &str = "callback";

const ACTIONS: [&str; 3] = ["CREATE", "UPDATE", "DELETE"];

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

/// Asks for webhooks, unless they are there from before. Those that MoySklad has switched off are
/// switched on again; those that an earlier callback got are taken away.
///
/// # Errors
/// A fault that has nothing to do with webhooks, such as a wrong credential.
pub fn enable(callback: &str) -> Result<(), Fault> {
    let api = MoySklad::open()?;
    let url = format!("{callback}{TOPIC}");
    let existing = match read(&api)? {
        Some(existing) => existing,
        None => return Ok(()),
    };
    let own = digest(&url);
    if let Some(earlier) = state::load::<Vec<u8>>(CALLBACK).filter(|earlier| *earlier != own) {
        remove(&api, &existing, &earlier)?;
    }
    ask(&api, &wanted(&api, &existing, &url))?;
    state::save(CALLBACK, &own)
}

/// What is to be written so that all webhooks that go to an address are there and switched on.
fn wanted(api: &MoySklad, existing: &[Existing], url: &str) -> Vec<Fields> {
    let there = |action: &str| {
        let mut ours = existing.iter().filter(|one| one.url == url);
        ours.find(|one| one.entity == "product" && one.action == action)
    };
    let wanted = ACTIONS
        .into_iter()
        .filter_map(|action| match there(action) {
            Some(one) if one.enabled => None,
            Some(one) => {
                let fields = Fields::default().with("enabled", true);
                Some(api.of(Kind::Webhook, one.id, fields))
            }
            None => Some(
                Fields::default()
                    .with("url", url)
                    .with("action", action)
                    .with("entityType", "product"),
            ),
        });
    wanted.collect()
}

/// Asks for webhooks. MoySklad takes five addresses for one kind of change, and none without a tariff.
fn ask(api: &MoySklad, wanted: &[Fields]) -> Result<(), Fault> {
    for outcome in api.write::<Written>(Kind::Webhook.path(), None, wanted)? {
        if let Err(refusal) = outcome {
            warn!(reason!("webhooks.none").because(&refusal.reason));
        }
    }
    Ok(())
}

/// Looks after our webhooks: MoySklad switches those off whose receiver failed for days, and people
/// take some away. Those are switched on and asked for again, and people are told.
pub fn tend(api: &MoySklad) -> Result<(), Fault> {
    let Some(own) = state::load::<Vec<u8>>(CALLBACK) else {
        return Ok(());
    };
    let existing = read(api)?.unwrap_or_default();
    // The address has a secret in it and is not kept; the others of ours have it.
    let Some(url) = existing
        .iter()
        .map(|one| &one.url)
        .find(|url| digest(url) == own)
    else {
        warn!("webhooks.lost");
        return Ok(());
    };
    let wanted = wanted(api, &existing, url);
    if !wanted.is_empty() {
        warn!("webhooks.off", number = wanted.len());
        ask(api, &wanted)?;
    }
    Ok(())
}

/// Takes our webhooks away.
pub fn disable() -> Result<(), Fault> {
    let Some(own) = state::load::<Vec<u8>>(CALLBACK) else {
        return Ok(());
    };
    let api = MoySklad::open()?;
    let existing = read(&api)?.unwrap_or_default();
    remove(&api, &existing, &own)?;
    state::forget(CALLBACK);
    Ok(())
}

fn digest(url: &str) -> Vec<u8> {
    fingerprint(1, &url)
}

/// Takes away the webhooks that go to the address with this digest.
fn remove(api: &MoySklad, existing: &[Existing], own: &[u8]) -> Result<(), Fault> {
    for ours in existing.iter().filter(|one| digest(&one.url) == own) {
        if let Err(refusal) = api.delete(&format!("{}/{}", Kind::Webhook.path(), ours.id))? {
            warn!(reason!("webhooks.left").because(&refusal.reason));
        }
    }
    Ok(())
}

/// All webhooks; none when this account cannot have any.
fn read(api: &MoySklad) -> Result<Option<Vec<Existing>>, Fault> {
    #[derive(Deserialize)]
    struct List {
        rows: Vec<Existing>,
    }

    match api.try_get(Kind::Webhook.path(), &[("limit", "1000")]) {
        Ok(answer) => Ok(Some(answer.json::<List>()?.rows)),
        Err(Error::Status(status)) => {
            info!(reason!("webhooks.none").because(&Refusal::of(&status).reason));
            Ok(None)
        }
        Err(Error::Fault(fault)) => Err(fault),
    }
}

#[derive(Deserialize)]
struct Notice<'a> {
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    meta: EventMeta<'a>,
    #[serde(borrow, default)]
    action: Text<'a>,
}

#[derive(Deserialize)]
struct EventMeta<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
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
