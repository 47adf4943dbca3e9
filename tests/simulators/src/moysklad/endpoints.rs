//! Every path that is served, with what serves it.

use axum::body::Bytes;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::access::Caller;
use super::account::Account;
use super::id::Id;
use super::kind::Kind;
use super::refusal::{self, Refusal};
use super::{audit, image, lists, metadata, report, rows, save, settings, stock};

/// A request as the endpoints see it.
pub struct Call<'a> {
    /// Address of the API.
    pub base: &'a str,
    /// Path below it.
    pub path: &'a str,
    /// Decoded parameters of the query.
    pub query: &'a [(String, String)],
    /// What stood in the places of the path's template.
    pub places: &'a [String],
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a Bytes,
    /// Who asks.
    pub caller: Caller,
    /// Whether prices are wanted as they are.
    pub precise: bool,
}

impl Call<'_> {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that may come several times.
    pub fn parameters<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        let all = self.query.iter().filter(move |(key, _)| key == name);
        all.map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The key of the object in the path.
    pub fn id(&self) -> Result<Id, Refusal> {
        self.place(0)
    }

    /// The key of what belongs to the object in the path.
    pub fn sub_id(&self) -> Result<Id, Refusal> {
        self.place(1)
    }

    fn place(&self, place: usize) -> Result<Id, Refusal> {
        let text = self.places.get(place).map_or("", String::as_str);
        text.parse().map_err(|_| Refusal::about(1000, text))
    }
}

/// What is answered to a request that is carried out.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: String,
    location: Option<String>,
}

impl Reply {
    /// JSON text.
    pub fn json(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            location: None,
        }
    }

    /// No text.
    pub fn empty() -> Self {
        Self::json(String::new())
    }

    /// The address of what was asked for.
    pub fn redirect(status: StatusCode, location: String) -> Self {
        Self {
            status,
            location: Some(location),
            ..Self::empty()
        }
    }

    /// Another status.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = if self.body.is_empty() {
            StatusCode::OK.into_response()
        } else {
            refusal::json(self.body)
        };
        *response.status_mut() = self.status;
        if let Some(location) = self.location.and_then(|text| text.parse().ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// What is answered, or why it is not.
pub type Answer = Result<Reply, Refusal>;

/// An endpoint's function. Those that serve no kind are given any.
pub type Endpoint = fn(&mut Account, Kind, &Call<'_>) -> Answer;

/// A path with what serves it by method.
pub struct Route {
    /// Template of the path.
    pub path: String,
    /// The kind that is served.
    pub kind: Kind,
    /// What serves each method.
    pub methods: Vec<(Method, Endpoint)>,
}

/// Where tokens are given, to those who come with a password.
pub const TOKEN_PATH: &str = "/security/token";

/// All paths.
pub fn routes() -> Vec<Route> {
    let mut table = Table(Vec::new());
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.is_entity()) {
        table.kind(kind);
    }
    let variant = Kind::Variant;
    let characteristics = "/entity/variant/metadata/characteristics";
    table
        .at(characteristics, variant)
        .get(metadata::characteristics)
        .post(metadata::create_characteristic);
    table
        .at(&format!("{characteristics}/{{id}}"), variant)
        .get(metadata::characteristic);
    let any = Kind::Product;
    table
        .at(TOKEN_PATH, any)
        .post(|account, _, _| settings::token(account));
    table.at("/entity/assortment", any).get(lists::assortment);
    table
        .at("/entity/assortment/delete", any)
        .post(save::delete_assortment);
    table
        .at("/entity/assortment/settings", any)
        .get(settings::assortment)
        .put(settings::change_assortment);
    table
        .at("/entity/counterparty/settings", any)
        .get(settings::counterparty)
        .put(settings::change_counterparty);
    table
        .at("/context/employee", any)
        .get(|account, _, call| settings::employee(account, call));
    table
        .at("/context/application", any)
        .get(|account, _, call| settings::application(account, call));
    table
        .at("/context/companysettings", any)
        .get(|account, _, call| settings::company(account, call));
    let price_types = "/context/companysettings/pricetype";
    table
        .at(price_types, Kind::PriceType)
        .get(settings::price_types)
        .post(settings::replace_price_types);
    table
        .at(&format!("{price_types}/default"), Kind::PriceType)
        .get(settings::default_price_type);
    table
        .at(&format!("{price_types}/{{id}}"), Kind::PriceType)
        .get(settings::price_type);
    table
        .at("/report/stock/all", any)
        .get(|account, _, call| stock::extended(account, call));
    table
        .at("/report/stock/bystore", any)
        .get(|account, _, call| stock::extended_by_store(account, call));
    table
        .at("/report/stock/all/current", any)
        .get(|account, _, call| stock::short(account, call));
    table
        .at("/report/stock/bystore/current", any)
        .get(|account, _, call| stock::short_by_store(account, call));
    table
        .at("/report/counterparty", any)
        .get(|account, _, call| report::counterparties(account, call))
        .post(|account, _, call| report::some_counterparties(account, call));
    table
        .at("/report/counterparty/{id}", any)
        .get(|account, _, call| report::counterparty(account, call));
    table
        .at("/audit", any)
        .get(|account, _, call| audit::entries(account, call));
    table
        .at("/audit/{id}", any)
        .get(|account, _, call| audit::entry(account, call));
    table
        .at("/audit/{id}/events", any)
        .get(|account, _, call| audit::events(account, call));
    table
        .at("/download/{id}", any)
        .get(|account, _, call| image::download(account, call));
    table.0
}

struct Table(Vec<Route>);

impl Table {
    fn at(&mut self, path: &str, kind: Kind) -> &mut Route {
        self.0.push(Route {
            path: path.to_owned(),
            kind,
            methods: Vec::new(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    fn kind(&mut self, kind: Kind) {
        let root = format!("/entity/{}", kind.word());
        self.at(&root, kind)
            .get(lists::list)
            .post(save::post)
            .put(|_, _, _| Err(Refusal::code(1012)));
        self.at(&format!("{root}/batch"), kind).post(save::post);
        self.at(&format!("{root}/delete"), kind)
            .post(save::delete_many);
        self.at(&format!("{root}/{{id}}"), kind)
            .get(lists::one)
            .put(save::put)
            .post(|_, _, _| Err(Refusal::code(1006)))
            .delete(save::delete);
        self.at(&format!("{root}/{{id}}/audit"), kind)
            .get(audit::of_object);
        self.at(&format!("{root}/syncid/{{syncId}}"), kind)
            .delete(save::delete_by_sync_id);
        self.at(&format!("{root}/{{id}}/trash"), kind)
            .post(save::trash);
        if kind.has_metadata() {
            self.at(&format!("{root}/metadata"), kind)
                .get(metadata::of_kind);
        }
        if kind.attributes() == Some(kind) {
            let root = format!("{root}/metadata/attributes");
            self.at(&root, kind)
                .get(metadata::attributes)
                .post(metadata::post_attributes);
            self.at(&format!("{root}/delete"), kind)
                .post(metadata::delete_attributes);
            self.at(&format!("{root}/{{id}}"), kind)
                .get(metadata::attribute)
                .put(metadata::put_attribute)
                .delete(metadata::delete_attribute);
        }
        if kind.has_states() {
            let root = format!("{root}/metadata/states");
            self.at(&root, kind).post(metadata::post_states);
            self.at(&format!("{root}/batch"), kind)
                .post(metadata::post_states);
            self.at(&format!("{root}/{{id}}"), kind)
                .get(metadata::state)
                .put(metadata::put_state)
                .delete(metadata::delete_state);
        }
        if kind.has_images() {
            let root = format!("{root}/{{id}}/images");
            self.at(&root, kind).get(image::list).post(image::post);
            self.at(&format!("{root}/delete"), kind)
                .post(image::delete_many);
            self.at(&format!("{root}/{{imageId}}"), kind)
                .delete(image::delete);
        }
        for (collection, _) in kind.collections() {
            let root = format!("{root}/{{id}}/{collection}");
            self.at(&root, kind).get(rows::list).post(rows::post);
            self.at(&format!("{root}/batch"), kind).post(rows::post);
            self.at(&format!("{root}/delete"), kind)
                .post(rows::delete_many);
            self.at(&format!("{root}/{{rowId}}"), kind)
                .get(rows::one)
                .put(rows::put)
                .delete(rows::delete);
        }
    }
}

impl Route {
    fn with(&mut self, method: Method, endpoint: Endpoint) -> &mut Self {
        self.methods.push((method, endpoint));
        self
    }

    fn get(&mut self, endpoint: Endpoint) -> &mut Self {
        self.with(Method::GET, endpoint)
    }

    fn post(&mut self, endpoint: Endpoint) -> &mut Self {
        self.with(Method::POST, endpoint)
    }

    fn put(&mut self, endpoint: Endpoint) -> &mut Self {
        self.with(Method::PUT, endpoint)
    }

    fn delete(&mut self, endpoint: Endpoint) -> &mut Self {
        self.with(Method::DELETE, endpoint)
    }

    /// Answers a request to the path.
    pub fn answer(&self, account: &mut Account, method: &Method, call: &Call<'_>) -> Answer {
        let known = self.methods.iter().find(|(known, _)| known == method);
        match known {
            Some((_, endpoint)) => endpoint(account, self.kind, call),
            None => {
                let allowed: Vec<&str> = self.methods.iter().map(|(one, _)| one.as_str()).collect();
                Err(Refusal::about(1039, method).header("allow", allowed.join(", ")))
            }
        }
    }
}
