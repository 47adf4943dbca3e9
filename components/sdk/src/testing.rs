//! A host for tests: it runs a connector natively, in memory, against a counterpart that is a function
//! from a request to its answer.
//!
//! It keeps the promises that a connector leans on: what a run writes is there after a checkpoint or not
//! at all; a save with an origin that is known makes no second record; in a preview nothing is sent but
//! what only reads, and nothing is kept. It knows none of a platform's rules beyond the contract. So the
//! tests of a connector's own decisions belong here, and a scenario with the built component beside it.
//!
//! ```
//! # use tenon_sdk::http::Request;
//! # use tenon_sdk::model::{Account, Fault, Outcome};
//! # use tenon_sdk::testing::{Host, json, refused, survives};
//! # use tenon_sdk::{Call, Settings};
//! # #[derive(Settings)]
//! # struct Chosen {
//! #     #[setting(title(en: "Address", uk: "Адреса", ru: "Адрес"), address, default = "https://shop.test")]
//! #     base_url: String,
//! # }
//! # tenon_sdk::connector! {
//! #     struct Mine = "mine", title(en: "Mine", uk: "Мій", ru: "Мой");
//! #     settings Chosen;
//! #     endpoint shop = "{settings.base_url}", budget(60 per 60 s);
//! #     check => check;
//! #     job orders = title(en: "Orders", uk: "Замовлення", ru: "Заказы") => orders;
//! # }
//! # fn check() -> Result<Account, Fault> {
//! #     Ok(Account { id: None, name: String::new(), facts: Vec::new(), notes: Vec::new() })
//! # }
//! # fn orders(_: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
//! #     Mine::shop()?.get("/orders").send()?;
//! #     Ok(Outcome::Done)
//! # }
//! fn shop(request: &Request) -> tenon_sdk::http::Response {
//!     match request.url.strip_prefix("https://shop.test") {
//!         Some("/orders") => json(200, &serde_json::json!({ "data": [] })),
//!         _ => refused(404),
//!     }
//! }
//!
//! let host = || Host::<Mine>::new(serde_json::json!({}), shop);
//! let run = host().run("orders");
//! assert_eq!(run.outcome, Ok(Outcome::Done));
//! assert_eq!(run.sent[0].url, "https://shop.test/orders");
//! survives(host, "orders");
//! ```

mod books;
mod records;
mod run;
mod world;

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;

use crate::Connector;
use crate::http::{Request, Response};
use crate::model::{self, Account, Cause, Choice, Fault, RunMode, Webhook};
use crate::native::with_world;
use crate::texts;

pub use books::Books;
pub use run::Run;

use world::{Killed, World};

/// A host with one connection of a connector.
pub struct Host<C> {
    world: Rc<World>,
    connector: PhantomData<C>,
}

impl<C: Connector> Host<C> {
    /// A host with empty books, whose connection has these settings and this counterpart.
    pub fn new(
        settings: Value,
        counterpart: impl FnMut(&Request) -> Response + 'static,
    ) -> Host<C> {
        let reads = C::describe().endpoints.into_iter();
        let reads = reads.flat_map(|endpoint| endpoint.reads).collect();
        Host {
            world: Rc::new(World::new(
                settings.to_string(),
                reads,
                Box::new(counterpart),
            )),
            connector: PhantomData,
        }
    }

    /// Runs a job as its schedule does.
    pub fn run(&self, job: &str) -> Run {
        self.perform(job, None, &Cause::Scheduled, RunMode::Live)
    }

    /// Runs a job for this cause, such as `Cause::Asked`, with an argument or as a whole.
    pub fn asked(&self, job: &str, argument: Option<&str>, cause: &Cause) -> Run {
        self.perform(job, argument, cause, RunMode::Live)
    }

    /// Runs a job so that neither side changes.
    ///
    /// # Panics
    /// When it sends anything that does not only read.
    pub fn preview(&self, job: &str) -> Run {
        self.perform(job, None, &Cause::Asked, RunMode::Preview)
    }

    /// Runs a job over everything, so that neither side changes.
    ///
    /// # Panics
    /// When it sends anything that does not only read.
    pub fn compare(&self, job: &str) -> Run {
        self.perform(job, None, &Cause::Asked, RunMode::Compare)
    }

    fn perform(&self, job: &str, argument: Option<&str>, cause: &Cause, mode: RunMode) -> Run {
        self.world.begin(mode);
        let call = AssertUnwindSafe(|| self.within(|| C::run(job, argument, cause)));
        let outcome = match catch_unwind(call) {
            Ok(outcome) => Some(outcome),
            Err(thrown) if thrown.is::<Killed>() => None,
            Err(thrown) => resume_unwind(thrown),
        };
        let run = self.world.end(outcome);
        assert!(
            mode == RunMode::Live || run.forbidden.is_empty(),
            "a preview sent {:?}",
            run.forbidden
        );
        run
    }

    /// Tries the credentials.
    ///
    /// # Errors
    /// As the connector's own.
    pub fn check(&self) -> Result<Account, Fault> {
        self.within(C::check)
    }

    /// Values for a setting.
    ///
    /// # Errors
    /// As the connector's own.
    pub fn choices(&self, option: &str) -> Result<Vec<Choice>, Fault> {
        self.within(|| C::choices(option))
    }

    /// Switches the connection on; what it keeps is kept.
    ///
    /// # Errors
    /// As the connector's own.
    pub fn enable(&self, callback: &str) -> Result<(), Fault> {
        self.keeping(|| C::enable(callback))
    }

    /// Switches the connection off.
    ///
    /// # Errors
    /// As the connector's own.
    pub fn disable(&self) -> Result<(), Fault> {
        self.keeping(C::disable)
    }

    /// What a webhook asks for.
    ///
    /// # Errors
    /// As the connector's own.
    pub fn receive(&self, topic: &str, body: &Value) -> Result<Vec<model::Request>, Fault> {
        let webhook = Webhook {
            topic: topic.to_owned(),
            headers: Vec::new(),
            query: String::new(),
            body: body.to_string().into_bytes(),
        };
        self.within(|| C::receive(&webhook))
    }

    /// Does work that calls the host, to try a function by itself.
    pub fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        with_world(self.world.clone(), work)
    }

    /// Looks into the books, or does what people do there.
    pub fn books<R>(&self, work: impl FnOnce(&mut Books) -> R) -> R {
        self.world.with_books(work)
    }

    /// Other settings from now on.
    pub fn set(&self, settings: Value) {
        self.world.set(settings.to_string());
    }

    /// The next run is killed at its `call`-th call of the host, counted from one.
    pub fn kill_at(&self, call: u64) {
        self.world.kill_at(call);
    }

    /// The next run is asked to stop at its `checkpoint`-th checkpoint, counted from one.
    pub fn stop_at(&self, checkpoint: u64) {
        self.world.stop_at(checkpoint);
    }

    pub(crate) fn keeping(&self, work: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        self.world.begin(RunMode::Live);
        let done = self.within(work);
        self.world.keep(done.is_ok());
        done
    }
}

/// Kills a job at each of its calls of the host, once per host that `make` gives, runs it again to its
/// end, and holds the books against those of a host on which nothing was killed. Then the same with a
/// stop at each checkpoint.
///
/// # Panics
/// When a kill loses or doubles anything.
pub fn survives<C: Connector>(make: impl Fn() -> Host<C>, job: &str) {
    let host = make();
    finish(&host, job);
    let expected = host.books(|books| books.shown());
    let mut call = 1;
    loop {
        let host = make();
        host.kill_at(call);
        let was_killed = host.run(job).outcome.is_err();
        finish(&host, job);
        let shown = host.books(|books| books.shown());
        assert_eq!(expected, shown, "after a kill at call {call}");
        if !was_killed || !host.world.was_killed() {
            break;
        }
        call += 1;
    }
    let mut checkpoint = 1;
    loop {
        let host = make();
        host.stop_at(checkpoint);
        let stopped = host.run(job).outcome == Ok(model::Outcome::Suspended);
        finish(&host, job);
        let shown = host.books(|books| books.shown());
        assert_eq!(expected, shown, "after a stop at checkpoint {checkpoint}");
        if !stopped {
            break;
        }
        checkpoint += 1;
    }
}

/// Runs a job until it says that it is done.
fn finish<C: Connector>(host: &Host<C>, job: &str) {
    for _ in 0..10 {
        match host.run(job).outcome {
            Ok(model::Outcome::Done) => return,
            Ok(model::Outcome::Suspended) => {}
            Err(fault) => panic!("{job}: {fault:?}"),
        }
    }
    panic!("{job} is suspended for ever");
}

/// An answer in JSON.
///
/// # Panics
/// When the value cannot be written as JSON.
pub fn json(status: u16, body: &impl Serialize) -> Response {
    Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: serde_json::to_vec(body).expect("JSON"),
    }
}

/// An answer without a body.
pub fn refused(status: u16) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// What is wrong with how a connector describes itself, or nothing: settings that do not agree with their
/// schema, choices that nobody serves, reasons without texts. `folder` is `env!("CARGO_MANIFEST_DIR")`.
pub fn problems<C: Connector>(folder: &str) -> Vec<String> {
    let manifest = C::describe();
    let mut problems = texts::problems(folder);
    let schema = match serde_json::from_str::<Value>(&manifest.settings_schema) {
        Ok(schema) => schema,
        Err(error) => return vec![format!("the settings schema is no JSON: {error}")],
    };
    let mut named = Vec::new();
    options(&schema, &mut named);
    for option in &named {
        if !manifest.options.contains(option) {
            problems.push(format!("no `choice` answers to `options = {option}`"));
        }
    }
    let unused = manifest.options.iter();
    let unused = unused.filter(|option| !named.contains(option));
    problems.extend(unused.map(|option| format!("no setting has `options = {option}`")));
    problems
}

/// The names of all choices that a schema wants.
fn options(schema: &Value, named: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (word, value) in members {
                match value.as_str() {
                    Some(name) if word == "x-options" => named.push(name.to_owned()),
                    _ => options(value, named),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| options(one, named)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
