//! MoySklad's JSON API remap 1.2 over an account in memory.
//!
//! ```no_run
//! use tenon_simulators::moysklad::{self, Config};
//!
//! # fn main() -> std::io::Result<()> {
//! let sim = moysklad::start(Config { products: 10_000, ..Config::default() })?;
//! println!("{} and its files at {:?}", sim.url(), sim.storage_urls());
//! # Ok(())
//! # }
//! ```
//!
//! It follows the vendor's API documentation of August 2026 and OpenAPI 0.16.0 and, where those are
//! silent, what live accounts were seen to answer. What neither settles is a switch in
//! [`Behaviour`].

mod access;
mod account;
mod audit;
mod builders;
mod config;
mod endpoints;
mod filter;
mod home;
mod id;
mod image;
mod input;
pub mod journal;
mod kind;
mod lists;
mod metadata;
mod moscow;
mod query;
mod record;
mod refusal;
mod report;
mod rows;
mod rules;
mod save;
mod schema;
mod seed;
mod serve;
mod settings;
mod stock;
mod value;
mod webhook;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub use access::{Access, Caller};
pub use account::{Account, Home, Settings};
pub use builders::{NewCounterparty, NewOrder, NewProduct};
pub use config::{
    Archived, BalanceSign, Behaviour, Config, DeletedDocuments, Files, KnownSyncId, LimitHeaders,
    LimitOverMax, Limits, UnknownFields,
};
pub use id::{Id, NoId};
pub use kind::Kind;
pub use record::Record;
pub use report::Figures;
pub use stock::Level;
pub use value::{Barcode, Image, Pack, Price, Rate, Ref, Value};
pub use webhook::{Delivery, Notice};

use tenon_simulator::bind;

use crate::{Counterpart, Shared, lock};
use refusal::Refusal;
use serve::Api;

/// A running MoySklad.
pub type Simulator = crate::Simulator<Account>;

impl Counterpart for Account {
    const BASE_PATH: &'static str = "/api/remap/1.2";

    fn refusal(status: StatusCode, retry_after: Option<u64>) -> Response {
        let refusal = match (status, retry_after) {
            (StatusCode::TOO_MANY_REQUESTS, Some(wait)) => {
                Refusal::over_rate(Duration::from_millis(wait))
            }
            (StatusCode::TOO_MANY_REQUESTS, None) => Refusal::over_parallel(),
            (StatusCode::UNAUTHORIZED, _) => Refusal::about(1056, "неправильный токен"),
            (StatusCode::FORBIDDEN, _) => Refusal::code(1016),
            (StatusCode::NOT_FOUND, _) => Refusal::code(1021),
            (StatusCode::SERVICE_UNAVAILABLE, _) => Refusal::code(1074),
            (status, _) => Refusal::failure(status),
        };
        refusal.into_response()
    }

    fn coded(code: u32) -> Response {
        match code {
            1049 => Refusal::over_rate(Duration::from_millis(500)),
            1073 => Refusal::over_parallel(),
            code => Refusal::code(code),
        }
        .into_response()
    }

    fn changed(&mut self) {
        self.forget();
        self.settle();
    }
}

impl Account {
    /// The account that a configuration describes: always the same for the same seed, numbers and
    /// time.
    pub fn seeded(config: &Config) -> Self {
        seed::account(config)
    }
}

impl Simulator {
    /// The addresses of the file storage, other origins than the API's.
    pub fn storage_urls(&self) -> [String; 2] {
        self.account(|account| account.storage.clone())
    }

    /// Sends the webhooks that wait, one after another, and tells what became of each.
    pub fn deliver_webhooks(&self) -> Vec<Delivery> {
        let (notices, patience, late_again) = self.account(|account| {
            let late_again = account.behaviour.late_webhooks_repeated;
            (account.take_notices(), account.patience, late_again)
        });
        let deliveries = notices.into_iter();
        deliveries
            .map(|notice| notice.send(patience, late_again))
            .collect()
    }

    /// The webhooks that wait are lost. Answers how many there were.
    pub fn lose_webhooks(&self) -> usize {
        self.account(Account::lose_webhooks)
    }

    /// Puts another account where this one was, whose application has this token.
    pub fn replace(&self, mut other: Account, token: &str) {
        self.account(|account| {
            other.base.clone_from(&account.base);
            other.storage.clone_from(&account.storage);
            other.access = account.access.clone();
            other.access.application_token = Some(token.to_owned());
            other.behaviour = account.behaviour.clone();
            other.patience = account.patience;
            *account = other;
        });
    }

    /// How many requests were turned away for their number: within a time, and at once.
    pub fn turned_away(&self) -> (u64, u64) {
        self.account(|account| (account.access.over_rate, account.access.over_parallel))
    }
}

/// Serves a seeded account.
pub fn start(config: Config) -> io::Result<Simulator> {
    let account = Account::seeded(&config);
    start_with(config, account)
}

/// Serves a hand-made account. It gets the configuration's credentials and behaviour, and keeps its
/// own clock.
pub fn start_with(config: Config, mut account: Account) -> io::Result<Simulator> {
    account.access.login = config.login;
    account.access.password = config.password;
    account.access.application_token = Some(config.token);
    account.access.published = config.published;
    account.behaviour = config.behaviour;
    account.patience = config.webhook_patience;
    if config.clock_runs {
        account.run_clock();
    }
    account.changed();
    let anywhere = SocketAddr::new(config.listen.ip(), 0);
    let storage = [bind(anywhere)?, bind(anywhere)?];
    account.storage = [&storage[0], &storage[1]].map(|one| format!("http://{}", one.address()));
    let shared = Shared::new(account);
    let mut sim = Simulator::start(config.listen, shared.clone(), |url| {
        lock(&shared.account).base = url.to_owned();
        let api = Api::new(shared.clone(), url, config.limits)
            .latency(config.latency)
            .webhooks_at_once(config.webhooks_at_once);
        api.router(config.compression)
    })?;
    for one in storage {
        sim.serve_beside(one, image::storage(shared.clone()))?;
    }
    Ok(sim)
}
