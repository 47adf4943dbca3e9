//! The macros of `tenon-sdk`, which re-exports them; what they write uses nothing but that crate.

mod connector;
mod record;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use proc_macro::TokenStream;

/// What an admin chooses, as a struct: its JSON Schema with titles in all languages, the reading of it,
/// and the check that the platform has the records that it names. An enum becomes a choice of words.
///
/// Each field says what people read of it, and what JSON Schema cannot know of it by its type:
///
/// | word | meaning |
/// |---|---|
/// | `title(en: "…", uk: "…", ru: "…")` | its name in the form; every field and every word of an enum has one |
/// | `hint(en: "…", uk: "…", ru: "…")` | a sentence below it |
/// | `default = 15` | what it is unless an admin says otherwise |
/// | `options = statuses` | its values come from this choice of the connector |
/// | `directory = Warehouses` | it is a key of this directory of the platform |
/// | `record = Partner` | it is the key of such a record of the platform |
/// | `address` | it is the address of a counterpart |
/// | `pattern = "^[A-Z]{3}$"` | its text looks like that |
/// | `min = 1`, `max = 3650` | its limits |
/// | `among(20, 60)` | it is one of these numbers |
/// | `needed_when(all_refused = "state")` | an admin has to choose it when another setting has this value |
///
/// In a list they say it of each of its values; in a map `options` and `pattern` speak of the names and
/// `directory` and `record` of the values. `bool` is off, and an `Option`, a list or a map is empty, unless
/// an admin says otherwise; an enum is its word with `#[setting(default)]`. All else has to be given.
/// On a struct, `#[setting(one_of(period, last_days))]` asks for exactly one of the fields.
#[proc_macro_derive(Settings, attributes(setting))]
pub fn settings(input: TokenStream) -> TokenStream {
    answer(syn::parse(input).and_then(|input| settings::derive(&input)))
}

/// Declares a connector: its manifest, and which function does what.
///
/// Each line is a word, its name, what is to be said of it, and the function that does it:
///
/// ```text
/// connector! {
///     pub struct Shoplite = "shoplite", title(en: "Shoplite", uk: "Shoplite", ru: "Shoplite");
///     settings Shop;
///     state 1;
///     credential api_key = bearer, title(en: "API key", uk: "Ключ API", ru: "Ключ API");
///     endpoint shop = "{settings.base_url}", credentials(api_key), budget(60 per 60 s), errors("error");
///     check => account::check;
///     choice statuses => statuses;
///     job orders = every("*/10 * * * *"), title(en: "Orders", uk: "Замовлення", ru: "Заказы") => orders::run;
///     job stock = changed(Stock), title(en: "Stock", uk: "Залишки", ru: "Остатки") => stock::run;
///     webhooks unsigned;
///     hook orders => job orders;
/// }
/// ```
///
/// | line | what is said | function |
/// |---|---|---|
/// | `struct` | name in origins, title | |
/// | `settings` | a type with `#[derive(Settings)]` | |
/// | `state` | version of what is in storage | |
/// | `migrate 1` | | `fn() -> Result<(), Fault>`: from this version to the next |
/// | `credential` | `bearer`, `basic`, `header("X-Key")`, `token("/path", "member")` or `webhook`; title | |
/// | `endpoint` | address; `credentials(…)`, `budget(60 per 60 s)`, `budget(11 per 3100 ms of token)` or `budget(60 per 60 s by per_minute)`, `parallel(2)`, `cost("/report" = 5)`, `reads(POST "/search")`, `errors("error")` | gives `Shoplite::shop()`, its `Api` |
/// | `check` | | `fn() -> Result<Account, Fault>` |
/// | `choice` | | `fn() -> Result<Vec<Choice>, Fault>` |
/// | `job` | `every("cron")`, `changed(Order)`, `visited(Partner)`; title | `fn(&Call<Settings>) -> Result<Outcome, Fault>` |
/// | `action` | `on(Warehouse)`; title | the job of its name |
/// | `webhooks` | `unsigned`, or `signed(credential, "X-Signature", hmac_sha256_hex)` | |
/// | `hook` | topic behind the callback's address | `job NAME`, or `fn(&Webhook) -> Result<Vec<Request>, Fault>` |
/// | `enable`, `disable` | | `fn(&str) -> Result<(), Fault>` with the callback, `fn() -> Result<(), Fault>` |
///
/// A job begins with its settings read and the records that they name checked. `errors` are the members
/// of a refusal that hold the counterpart's own words. A name with dashes, or that is a word of Rust, stands in quotes.
/// The texts of reasons are `texts/en.json`,
/// `texts/uk.json` and `texts/ru.json` of the crate.
#[proc_macro]
pub fn connector(input: TokenStream) -> TokenStream {
    answer(syn::parse(input).and_then(connector::expand))
}

/// Makes a struct a record of the counterpart, read leniently: each field may be absent or `null`, and
/// borrows from the answer. Its fields are the types of `tenon_sdk::lenient`. Its hash is its fingerprint,
/// in which an `Aside` does not count.
#[proc_macro_attribute]
pub fn record(arguments: TokenStream, input: TokenStream) -> TokenStream {
    answer(record::expand(arguments.into(), input.into()))
}

fn answer(written: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    written
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
