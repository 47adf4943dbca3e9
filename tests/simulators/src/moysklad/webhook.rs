//! Webhooks: who is told of what, and the telling.
//!
//! MoySklad neither signs a webhook nor waits long for its receiver: after three more attempts it
//! is dropped for good. Notices wait in the account until they are sent or lost, so that a test
//! decides when, and whether, a connector hears of a change.

use std::time::Duration;

use super::account::Account;
use super::audit::{Entry, Event};
use super::endpoints::Call;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::refusal::Refusal;
use super::value::Value;
use crate::json::object;

/// Attempts to send one notice.
const ATTEMPTS: usize = 4;

/// Webhooks of one sort that a user may have.
const MOST_ALIKE: usize = 5;

const ACTIONS: &[&str] = &["CREATE", "UPDATE", "DELETE"];

/// A notice that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The webhook it belongs to.
    pub webhook: Id,
    /// The same in every attempt.
    pub request_id: Id,
    /// Where it goes, without the request's key.
    pub url: String,
    /// The JSON text.
    pub body: String,
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What was sent.
    pub notice: Notice,
    /// The receiver's statuses in turn; none where it was not reached, or was too slow.
    pub attempts: Vec<Option<u16>>,
}

impl Delivery {
    /// Whether the receiver has it.
    pub fn succeeded(&self) -> bool {
        matches!(self.attempts.last(), Some(Some(200 | 204)))
    }
}

impl Notice {
    /// The address with the request's key.
    pub fn target(&self) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}requestId={}", self.url, self.request_id)
    }

    /// Sends it, at once again after each failure, and gives it up after the fourth attempt. With
    /// `late_again` a receiver that is too slow counts as one that fails; otherwise it ends the
    /// attempts.
    pub fn send(self, patience: Duration, late_again: bool) -> Delivery {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(patience))
            .user_agent("MoySklad webhook touch agent 2.0 (/https://www.moysklad.ru)")
            .build()
            .into();
        let mut delivery = Delivery {
            attempts: Vec::new(),
            notice: self,
        };
        while delivery.attempts.len() < ATTEMPTS && !delivery.succeeded() {
            let answer = agent
                .post(delivery.notice.target())
                .header("Content-Type", "application/json")
                .send(&delivery.notice.body);
            let late = matches!(answer, Err(ureq::Error::Timeout(_)));
            let status = answer.ok().map(|answer| answer.status().as_u16());
            delivery.attempts.push(status);
            if late && !late_again {
                break;
            }
        }
        delivery
    }
}

/// The notices that changes cause.
pub fn notices(account: &mut Account, entry: &Entry) -> Vec<Notice> {
    let mut bodies = Vec::new();
    for webhook in account.all(Kind::Webhook) {
        let url = webhook.text("url");
        if !webhook.flag("enabled") || entry.act.muted.iter().any(|one| url.starts_with(one)) {
            continue;
        }
        let concerns = |event: &&Event| {
            event.object.kind.word() == webhook.text("entityType")
                && event.action.webhook_word() == webhook.text("action")
        };
        let events: Vec<&Event> = entry.events.iter().filter(concerns).collect();
        if !events.is_empty() {
            let fields = webhook.text("diffType") == "FIELDS";
            let body = body(account, entry, &events, fields);
            bodies.push((webhook.id, url.to_owned(), body));
        }
    }
    let notices = bodies.into_iter().map(|(webhook, url, body)| Notice {
        webhook,
        url,
        body,
        request_id: account.allot_id(),
    });
    notices.collect()
}

fn body(account: &Account, entry: &Entry, events: &[&Event], fields: bool) -> String {
    let mut out = String::new();
    object(&mut out, |out| {
        out.object("auditContext", |out| {
            out.object("meta", |meta| {
                meta.put("type", "audit");
                meta.put("href", format!("{}/audit/{}", account.base, entry.id));
            });
            out.put("uid", &entry.act.uid);
            out.put("moment", moscow::to_the_second(entry.moment));
        });
        out.objects("events", events, |out, event| {
            out.object("meta", |meta| {
                meta.put("type", event.object.kind.word());
                meta.put("href", account.href(event.object));
            });
            if fields {
                out.put("updatedFields", event.action.fields());
            }
            out.put("action", event.action.webhook_word());
            out.put("accountId", account.id.to_string());
        });
    });
    out
}

impl Account {
    /// Tells the webhooks on stock, if stock changed since they were last told. The vendor does it
    /// every few minutes.
    pub fn tell_stock(&mut self) {
        let now = self.now();
        let before = self.stock.told.replace(now);
        let since = before.unwrap_or_else(|| {
            let hour = jiff::SignedDuration::from_hours(1);
            now.saturating_sub(hour).unwrap_or(now)
        });
        if !self.stock.changed_after(since) {
            return;
        }
        let webhooks: Vec<Record> = self.all(Kind::WebhookStock).into_iter().cloned().collect();
        for webhook in webhooks.into_iter().filter(|one| one.flag("enabled")) {
            let report = webhook.text("reportType");
            let url = format!(
                "{}/report/stock/{report}/current?changedSince={}",
                self.base,
                moscow::to_the_second(since)
            );
            let mut body = String::new();
            object(&mut body, |out| {
                out.put("accountId", self.id.to_string());
                out.put("stockType", webhook.text("stockType"));
                out.put("reportType", report);
                out.put("reportUrl", url);
            });
            let notice = Notice {
                webhook: webhook.id,
                request_id: self.allot_id(),
                url: webhook.text("url").to_owned(),
                body,
            };
            self.notices.push(notice);
        }
    }

    /// The notices that wait to be sent.
    pub fn waiting_webhooks(&self) -> &[Notice] {
        &self.notices
    }

    /// The notices that wait are lost, as when the receiver was down too long. Answers how many.
    pub fn lose_webhooks(&mut self) -> usize {
        std::mem::take(&mut self.notices).len()
    }

    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// Checks a webhook, and fills in what follows from its other fields.
pub fn complete(account: &Account, record: &mut Record) -> Result<(), Refusal> {
    if !account.behaviour.webhooks {
        return Err(Refusal::code(30006));
    }
    let same: &[&str] = if record.kind == Kind::Webhook {
        let kind = Kind::of_word(record.text("entityType"));
        if !kind.is_some_and(Kind::is_watched) {
            return Err(Refusal::about(30000, record.text("entityType")));
        }
        let action = record.text("action");
        if !ACTIONS.contains(&action) {
            return Err(Refusal::about(30002, action));
        }
        if record.text("method") != "POST" {
            return Err(Refusal::about(30001, record.text("method")));
        }
        match (action, record.text("diffType")) {
            ("UPDATE", "") => record.set("diffType", Value::Text("NONE".to_owned())),
            ("UPDATE", "NONE" | "FIELDS") | (_, "") => {}
            _ => return Err(Refusal::about(30009, action)),
        }
        &["entityType", "action"]
    } else {
        &["reportType", "stockType"]
    };
    let alike: Vec<&Record> = account
        .all(record.kind)
        .into_iter()
        .filter(|one| one.id != record.id)
        .filter(|one| {
            same.iter()
                .all(|field| one.text(field) == record.text(field))
        })
        .collect();
    if alike
        .iter()
        .any(|one| one.text("url") == record.text("url"))
    {
        return Err(Refusal::code(30003));
    }
    if alike.len() >= MOST_ALIKE {
        return Err(Refusal::code(30007));
    }
    Ok(())
}

/// The beginnings of addresses that a request does not want to be told.
pub fn muted(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let mut prefixes = Vec::new();
    for value in call.headers.get_all("x-lognex-webhook-disablebyprefix") {
        let text = value.to_str().unwrap_or_default();
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .map(|rest| rest.split('/').next().unwrap_or_default());
        // A whole name, or a test's own machine.
        let whole = host.is_some_and(|host| host.contains('.') || host.starts_with("localhost"));
        if !whole || text.contains(',') {
            return Err(Refusal::about(3030, text));
        }
        prefixes.push(text.to_owned());
    }
    if call.header("x-lognex-webhook-disable") == Some("true") {
        // Every address begins so.
        prefixes.push("http".to_owned());
    }
    Ok(prefixes)
}
