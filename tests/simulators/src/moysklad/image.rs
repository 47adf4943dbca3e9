//! Pictures: their lists, and the file storage that hands them out.
//!
//! The storage is another server than the API. It knows who may have a file by the signature in
//! the address, and a request that brings credentials as well is refused, as such storages do.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use jiff::SignedDuration;
use serde_json::Value as Json;

use super::account::Account;
use super::config::Files;
use super::endpoints::{Answer, Call, Reply};
use super::id::Id;
use super::input;
use super::kind::Kind;
use super::query::{Page, envelope};
use super::record::Record;
use super::refusal::Refusal;
use super::save;
use super::value::{Image, Value};
use super::wire::Wire;
use crate::{Shared, json, lock};

/// How long an address of the storage is good, unless the client asks for another time.
const USUAL_EXPIRY: i64 = 60;

const LONGEST_EXPIRY: i64 = 86_400;

const MOST_IMAGES: usize = 10;

impl Account {
    /// A picture; the same name and content make the same key.
    pub(super) fn new_image(&mut self, filename: &str, content: Vec<u8>) -> Image {
        let mut half = [DefaultHasher::new(), DefaultHasher::new()];
        filename.hash(&mut half[0]);
        content.hash(&mut half[0]);
        (&content, filename).hash(&mut half[1]);
        let [high, low] = half.map(|hasher| hasher.finish());
        Image {
            id: Id::new(u128::from(high) << 64 | u128::from(low)),
            filename: filename.to_owned(),
            content,
            updated: self.stamp(),
        }
    }

    /// The picture with a key, on whatever it hangs.
    fn find_image(&self, id: Id) -> Option<&Image> {
        Kind::ALL
            .iter()
            .filter(|kind| kind.has_images())
            .flat_map(|kind| self.ids(*kind))
            .filter_map(|record| self.peek(record))
            .flat_map(Record::images)
            .find(|image| image.id == id)
    }
}

fn owner(account: &Account, kind: Kind, call: &Call<'_>) -> Result<Record, Refusal> {
    let id = call.id()?;
    let known = account.peek(id).filter(|record| record.kind == kind);
    known
        .cloned()
        .ok_or_else(|| Refusal::about(1021, id.to_string()))
}

fn store(account: &mut Account, before: &Record, images: Vec<Image>) -> Result<(), Refusal> {
    if images.len() > MOST_IMAGES {
        return Err(Refusal::code(51006));
    }
    let mut record = before.clone();
    record.set("images", Value::Images(images));
    account.replace(record, before)
}

/// `GET /entity/{type}/{id}/images`.
pub fn list(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let owner = owner(account, kind, call)?;
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let wire = Wire::new(account, call.precise, super::query::extra(call)?);
    let images = owner.images();
    let body = envelope(&wire, call, &page, images.len(), "image", |out| {
        out.objects("rows", page.of(images), |out, image| {
            wire.image(out, owner.reference(), image);
        });
    });
    Ok(Reply::json(body))
}

/// `POST /entity/{type}/{id}/images`: an object adds a picture, an array is the whole list.
pub fn post(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let owner = owner(account, kind, call)?;
    let before = owner.images();
    let images = match &input::body(call.body)? {
        Json::Array(elements) => {
            let images = elements.iter().map(|one| account.image(one, before));
            images.collect::<Result<Vec<_>, Refusal>>()?
        }
        single => {
            let image = account.image(single, before)?;
            before.iter().cloned().chain([image]).collect()
        }
    };
    store(account, &owner, images)?;
    let wire = Wire::new(account, call.precise, None);
    let mut out = String::new();
    json::objects(&mut out, account.get(owner.id).images(), |out, image| {
        wire.image(out, owner.reference(), image);
    });
    Ok(Reply::json(out))
}

/// `DELETE /entity/{type}/{id}/images/{imageId}`.
pub fn delete(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let owner = owner(account, kind, call)?;
    let id = call.sub_id()?;
    let images = owner.images().iter();
    let left: Vec<Image> = images.filter(|image| image.id != id).cloned().collect();
    if left.len() == owner.images().len() {
        return Err(Refusal::bare(StatusCode::NOT_FOUND));
    }
    store(account, &owner, left)?;
    Ok(Reply::empty())
}

/// `POST /entity/{type}/{id}/images/delete`.
pub fn delete_many(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let owner = owner(account, kind, call)?;
    let body = input::body(call.body)?;
    let elements = body.as_array().ok_or_else(|| Refusal::code(2001))?;
    let mut left = owner.images().to_vec();
    let results: Vec<Result<Id, Refusal>> = elements
        .iter()
        .map(|json| {
            let known = account.image(json, &left)?.id;
            left.retain(|image| image.id != known);
            Ok(known)
        })
        .collect();
    store(account, &owner, left)?;
    Ok(save::deletions(account, &results))
}

/// `GET /download/{id}`: the address at the file storage, good for a while.
pub fn download(account: &mut Account, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    if account.find_image(id).is_none() {
        return Err(Refusal::about(1021, id.to_string()));
    }
    let seconds = match call.header("x-lognex-download-expiration-seconds") {
        None => USUAL_EXPIRY,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (1..=LONGEST_EXPIRY).contains(seconds))
            .ok_or_else(|| Refusal::about(1040, "X-Lognex-Download-Expiration-Seconds"))?,
    };
    let expires = account
        .now()
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or_else(|_| account.now());
    let signature = account.allot_code();
    account.links.insert(signature.clone(), (id, expires));
    let storage = &account.storage[account.links.len() % 2];
    let href = format!("{storage}/file/{id}?X-Amz-Expires={seconds}&X-Amz-Signature={signature}");
    Ok(Reply::redirect(StatusCode::FOUND, href))
}

/// The routes of the file storage.
pub fn storage(shared: Arc<Shared<Account>>) -> Router {
    Router::new()
        .route("/file/{id}", get(signed))
        .route("/permanent/{id}", get(lasting))
        .route("/miniature/{id}", get(lasting))
        .route("/tiny/{id}", get(lasting))
        .with_state(shared)
}

async fn signed(
    State(shared): State<Arc<Shared<Account>>>,
    OriginalUri(uri): OriginalUri,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let account = lock(&shared.account);
    let query = uri.query().unwrap_or_default();
    let signature = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("X-Amz-Signature="))
        .unwrap_or_default();
    if headers.contains_key(AUTHORIZATION) && account.behaviour.storage_refuses_credentials {
        return refused(StatusCode::BAD_REQUEST, "InvalidArgument");
    }
    match account.links.get(signature) {
        None => refused(StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        Some((_, expires)) if *expires < account.now() => {
            refused(StatusCode::FORBIDDEN, "AccessDenied")
        }
        Some((image, _)) if image.to_string() == id => file(&account, *image),
        Some(_) => refused(StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
    }
}

async fn lasting(State(shared): State<Arc<Shared<Account>>>, Path(id): Path<String>) -> Response {
    let account = lock(&shared.account);
    match id.parse() {
        Ok(id) => file(&account, id),
        Err(_) => refused(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

fn file(account: &Account, id: Id) -> Response {
    let Some(image) = account.find_image(id) else {
        return refused(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    let kind = Image::media_type(&image.content).unwrap_or("application/octet-stream");
    let content = match account.behaviour.files {
        Files::Whole => image.content.clone(),
        Files::Error => b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>".to_vec(),
        Files::Empty => Vec::new(),
        Files::Half => image.content[..image.content.len() / 2].to_vec(),
    };
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An error as such storages write it.
fn refused(status: StatusCode, code: &str) -> Response {
    let text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
