//! Webhooks that a connector has asked a counterpart for: asked for once, looked after, taken away.
//!
//! Counterparts switch those off whose receiver failed for a while, and people take some away. So a job
//! that runs anyway looks after them. Where an account can have none, everything still works, later.

use crate::import::fingerprint;
use crate::model::{Fault, Reason};
use crate::{info, reason, state, warn};

/// A digest of the address that webhooks were asked for at. The address itself has a secret in it: who
/// reads what is stored must not be able to send webhooks.
const CALLBACK: &str = "callback";

/// A webhook that is there.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its id at the counterpart.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// What it tells of, in the counterpart's words.
    pub event: String,
    /// Whether it is switched on.
    pub enabled: bool,
}

/// What is missing for all webhooks to be there.
#[derive(Debug)]
pub enum Missing<'h> {
    /// One that is switched off.
    Off(&'h Hook),
    /// One of this event, that is not there.
    New(&'static str),
}

/// The webhooks of a counterpart.
pub trait Hooks {
    /// What they are to tell of.
    const EVENTS: &'static [&'static str];

    /// What is put behind the callback.
    const TOPIC: &'static str;

    /// All that are there; the inner error is why this account cannot have any.
    ///
    /// # Errors
    /// A fault that has nothing to do with webhooks.
    fn list(&self) -> Result<Result<Vec<Hook>, Reason>, Fault>;

    /// Asks for what is missing at an address; answers with why some cannot be had.
    ///
    /// # Errors
    /// A fault that has nothing to do with webhooks.
    fn ask(&self, missing: &[Missing<'_>], url: &str) -> Result<Vec<Reason>, Fault>;

    /// Takes one away; the inner error is why it stays.
    ///
    /// # Errors
    /// A fault that has nothing to do with webhooks.
    fn remove(&self, hook: &Hook) -> Result<Result<(), Reason>, Fault>;
}

/// Asks for webhooks, unless they are there from before. Those that are switched off are switched on
/// again; those that an earlier callback got are taken away.
///
/// # Errors
/// A fault that has nothing to do with webhooks, such as a wrong credential.
pub fn enable<H: Hooks>(hooks: &H, callback: &str) -> Result<(), Fault> {
    let url = format!("{callback}{}", H::TOPIC);
    let existing = match hooks.list()? {
        Ok(existing) => existing,
        Err(reason) => {
            info!(reason!("sdk.hooks.none").because(&reason));
            return Ok(());
        }
    };
    let own = digest(&url);
    if let Some(earlier) = state::load::<Vec<u8>>(CALLBACK).filter(|earlier| *earlier != own) {
        remove(hooks, &existing, &earlier)?;
    }
    let missing = missing::<H>(&existing, &url);
    ask(hooks, &missing, &url)?;
    state::save(CALLBACK, &own)
}

/// Looks after our webhooks: those that are off or gone are asked for again, and people are told.
///
/// # Errors
/// A fault that has nothing to do with webhooks.
pub fn tend<H: Hooks>(hooks: &H) -> Result<(), Fault> {
    let Some(own) = state::load::<Vec<u8>>(CALLBACK) else {
        return Ok(());
    };
    let existing = hooks.list()?.unwrap_or_default();
    // The address has a secret in it and is not kept; the others of ours have it.
    let mut urls = existing.iter().map(|one| &one.url);
    let Some(url) = urls.find(|url| digest(url) == own) else {
        warn!("sdk.hooks.lost");
        return Ok(());
    };
    let missing = missing::<H>(&existing, url);
    if !missing.is_empty() {
        warn!("sdk.hooks.off", number = missing.len());
        ask(hooks, &missing, url)?;
    }
    Ok(())
}

/// Takes our webhooks away.
///
/// # Errors
/// A fault that has nothing to do with webhooks.
pub fn disable<H: Hooks>(hooks: &H) -> Result<(), Fault> {
    let Some(own) = state::load::<Vec<u8>>(CALLBACK) else {
        return Ok(());
    };
    let existing = hooks.list()?.unwrap_or_default();
    remove(hooks, &existing, &own)?;
    state::forget(CALLBACK);
    Ok(())
}

fn missing<'h, H: Hooks>(existing: &'h [Hook], url: &str) -> Vec<Missing<'h>> {
    let there = |event: &str| {
        let mut ours = existing.iter().filter(|one| one.url == url);
        ours.find(|one| one.event == event)
    };
    let missing = H::EVENTS.iter().filter_map(|event| match there(event) {
        Some(one) if one.enabled => None,
        Some(one) => Some(Missing::Off(one)),
        None => Some(Missing::New(event)),
    });
    missing.collect()
}

fn ask<H: Hooks>(hooks: &H, missing: &[Missing<'_>], url: &str) -> Result<(), Fault> {
    if missing.is_empty() {
        return Ok(());
    }
    for reason in hooks.ask(missing, url)? {
        warn!(reason!("sdk.hooks.none").because(&reason));
    }
    Ok(())
}

fn digest(url: &str) -> Vec<u8> {
    fingerprint(1, &url)
}

/// Takes away the webhooks that go to the address with this digest.
fn remove<H: Hooks>(hooks: &H, existing: &[Hook], own: &[u8]) -> Result<(), Fault> {
    for ours in existing.iter().filter(|one| digest(&one.url) == own) {
        if let Err(reason) = hooks.remove(ours)? {
            warn!(reason!("sdk.hooks.left").because(&reason));
        }
    }
    Ok(())
}
