//! MoySklad's JSON API remap 1.2, as far as this connector needs it: lists that are walked, arrays
//! that are written, and what refusals mean.
//!
//! The vendor bans accounts that repeat failing requests, so nothing is repeated here but what was
//! refused for a change at the same moment (code 1065); all other waiting and repeating is the
//! host's.

pub mod fields;
pub mod meta;
pub mod moscow;
pub mod records;
pub mod walk;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tenon_sdk::flow::tree::Folder;
use tenon_sdk::http::{Answer, Api, Call, Error, Method, Status};
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{Fault, Mend, Reason, RunMode};
use tenon_sdk::push::{again, bisected, portions};
use tenon_sdk::reason;
use tenon_sdk::runtime::run;
use uuid::Uuid;

use fields::Fields;
use meta::Kind;
use records::{Doc, Listed, Position};
use walk::{Place, Walked};

/// Credential: the token of an application or a user.
pub const TOKEN: &str = "token";

/// The largest page.
pub const PAGE: usize = 1_000;
/// The largest page whose references are expanded.
pub const EXPANDED_PAGE: usize = 100;
/// As many objects as a filter can name: the address of a request has at most 8 KB.
pub const NAMED: usize = 150;

/// Bytes of objects in one request: far below the 20 MB that MoySklad takes, and little enough to
/// be worked through within its five minutes.
const HEAVIEST: usize = 4 << 20;

/// Somebody changed the object at the same moment (Remap 1.2, "Errors").
const CHANGED_MEANWHILE: u32 = 1065;
/// There is no such object, or a reference to one leads nowhere (Remap 1.2, "Errors").
const NOT_FOUND: [u32; 2] = [1021, 2013];
/// How often a request is sent at most when that happens.
const ATTEMPTS: usize = 3;

/// The kinds of answer that the API gives; it takes no other value of the header.
const ACCEPT: &str = "application/json;charset=utf-8";

/// The API of one account.
#[derive(Clone, Debug)]
pub struct MoySklad {
    api: Api,
    preview: bool,
}

/// Why MoySklad does not take one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Number in the vendor's table of errors.
    pub code: Option<u32>,
    /// The field that is to blame.
    pub field: Option<String>,
    /// What people are told, in MoySklad's own words.
    pub reason: Box<Reason>,
}

#[derive(Deserialize)]
struct Errors<'a> {
    #[serde(borrow)]
    errors: Vec<Problem<'a>>,
}

#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow, default)]
    error: Text<'a>,
    code: Option<u32>,
    #[serde(borrow, default)]
    parameter: Text<'a>,
}

impl Refusal {
    /// The first problem that a body tells of; none when it is no refusal.
    fn read(body: &str) -> Option<Refusal> {
        let Errors { errors } = serde_json::from_str(body).ok()?;
        let first = errors.into_iter().next()?;
        let words = first.error.get().unwrap_or("?");
        Some(Refusal {
            code: first.code,
            field: first.parameter.owned(),
            reason: Box::new(match first.code {
                Some(code) => reason!("refused", words = words, code = code),
                None => reason!("refused-uncoded", words = words),
            }),
        })
    }

    /// What a status comes to.
    pub fn of(status: &Status) -> Refusal {
        let body = std::str::from_utf8(&status.body).unwrap_or_default();
        let Some(mut refusal) = Refusal::read(body) else {
            return Refusal {
                code: None,
                field: None,
                reason: Box::new(status.reason()),
            };
        };
        refusal.reason.detail = Some(status.place.clone());
        if status.code == 403 {
            refusal.reason.mend = Some(Mend::Credential(TOKEN.to_owned()));
        }
        refusal
    }

    fn is_haste(&self) -> bool {
        self.code == Some(CHANGED_MEANWHILE)
    }

    /// Whether an object is not there, be it the one that is written or one that it refers to.
    pub fn is_not_found(&self) -> bool {
        self.code.is_some_and(|code| NOT_FOUND.contains(&code))
    }
}

/// What an unexpected refusal means: an admin has to look at it.
fn fault(error: Error) -> Fault {
    match error {
        Error::Fault(fault) => fault,
        Error::Status(status) => {
            let refusal = Refusal::of(&status);
            if refusal.is_haste() {
                Fault::Transient(*refusal.reason)
            } else {
                Fault::Configuration(*refusal.reason)
            }
        }
    }
}

/// An object that was written.
#[derive(Debug, Deserialize)]
pub struct Written {
    /// Its id.
    pub id: Uuid,
}

impl MoySklad {
    /// The account behind the credential.
    pub fn open() -> Result<MoySklad, Fault> {
        Ok(MoySklad {
            api: crate::MoySklad::remap()?.accepting(ACCEPT),
            preview: run::mode() != RunMode::Live,
        })
    }

    /// What all paths are put behind.
    pub fn base(&self) -> &str {
        self.api.base()
    }

    /// Whether nothing may be written.
    pub fn is_preview(&self) -> bool {
        self.preview
    }

    /// `{"meta":…}` of an object.
    pub fn meta(&self, kind: Kind, id: Uuid) -> Box<RawValue> {
        meta::meta(self.api.base(), kind, id)
    }

    /// An object that is changed, instead of one that is made.
    pub fn of(&self, kind: Kind, id: Uuid, fields: Fields) -> Fields {
        match fields::inner(&self.meta(kind, id)) {
            Some(meta) => fields.with_raw("meta", meta.to_owned()),
            None => fields,
        }
    }

    /// The part of an address behind this API's own; none when it leads elsewhere.
    pub fn path_of<'a>(&self, href: &'a str) -> Option<&'a str> {
        let start = href.find(meta::ROOT)? + meta::ROOT.len();
        let host = &href[..start];
        let ours = host == self.api.base() || host.ends_with("moysklad.ru/api/remap/1.2");
        ours.then(|| &href[start..])
    }

    /// Sends what `call` writes, again when the object was changed at the same moment.
    fn send(&self, call: impl Fn(&Api) -> Result<Call<'_>, Fault>) -> Result<Answer, Error> {
        let mut attempt = 1;
        loop {
            match call(&self.api)?.send() {
                Err(Error::Status(status))
                    if attempt < ATTEMPTS && Refusal::of(&status).is_haste() =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Error::Status`] for a refusal of the request itself, [`Error::Fault`] for all else.
    pub fn try_get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Error> {
        self.send(|api| {
            let call = api.get(path);
            Ok(query
                .iter()
                .fold(call, |call, (name, value)| call.query(name, value)))
        })
    }

    /// Reads.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        self.try_get(path, query).map_err(fault)
    }

    /// Reads a list that may be very long, row by row.
    pub fn each<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        mut take: impl FnMut(T),
    ) -> Result<Answer, Fault> {
        let mut attempt = 1;
        loop {
            let call = self.api.get(path);
            let call = (query.iter()).fold(call, |call, (name, value)| call.query(name, value));
            match call.each(&mut take) {
                // No row was given of what was refused.
                Err(Error::Status(status))
                    if attempt < ATTEMPTS && Refusal::of(&status).is_haste() =>
                {
                    attempt += 1;
                }
                outcome => return outcome.map_err(fault),
            }
        }
    }

    /// Where a file really lies.
    ///
    /// # Errors
    /// [`Error::Status`] when it is gone.
    pub fn location(&self, path: &str) -> Result<String, Error> {
        let mut attempt = 1;
        loop {
            match self.api.get(path).location() {
                Err(Error::Status(status))
                    if attempt < ATTEMPTS && Refusal::of(&status).is_haste() =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// A POST that only reads.
    ///
    /// # Errors
    /// A fault; the inner error says that an object is not there that the body refers to.
    pub fn ask(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Result<Answer, Refusal>, Fault> {
        match self.send(|api| api.call(Method::Post, path).repeatable().json(body)) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Error::Status(status)) if Refusal::of(&status).is_not_found() => {
                Ok(Err(Refusal::of(&status)))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// All entries of a short list.
    pub fn all<T: DeserializeOwned>(&self, path: &str, filter: &str) -> Result<Vec<T>, Fault> {
        #[derive(Deserialize)]
        struct List<T> {
            rows: Vec<T>,
        }

        let mut all = Vec::new();
        loop {
            let (limit, offset) = (PAGE.to_string(), all.len().to_string());
            let mut query = vec![("limit", limit.as_str()), ("offset", offset.as_str())];
            if !filter.is_empty() {
                query.push(("filter", filter));
            }
            let answer = self.get(path, &query)?;
            let List { rows } = answer.json::<List<T>>()?;
            let last = rows.len() < PAGE;
            all.extend(rows);
            if last {
                return Ok(all);
            }
        }
    }

    /// The folders of products that pass a filter.
    pub fn folders(&self, filter: &str) -> Result<Vec<Folder<Uuid>>, Fault> {
        let folders: Vec<records::Folder> = self.all(Kind::ProductFolder.path(), filter)?;
        Ok(folders.into_iter().map(Folder::from).collect())
    }

    /// A page of a list, oldest change first, archived objects included.
    pub fn page(&self, list: &Listed<'_>, place: &Place) -> Result<Answer, Fault> {
        self.try_page(list, place).map_err(fault)
    }

    /// A page of a list that this account or right may not show, except for products: then there is
    /// none.
    ///
    /// # Errors
    /// A fault that has nothing to do with the list.
    pub fn page_if_shown(&self, list: &Listed<'_>, place: &Place) -> Result<Option<Answer>, Fault> {
        match self.try_page(list, place) {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Status(status)) if status.code == 403 && list.kind != Kind::Product => {
                Ok(None)
            }
            Err(error) => Err(fault(error)),
        }
    }

    fn try_page(&self, list: &Listed<'_>, place: &Place) -> Result<Answer, Error> {
        let limit = list.limit.to_string();
        let offset = place.offset().to_string();
        let mut filter = list.filter.to_owned();
        if let Some(updated) = &place.updated {
            filter = format!("{filter};updated>={updated}");
        }
        let mut query = vec![
            ("limit", limit.as_str()),
            ("order", "updated,asc;id,asc"),
            ("filter", filter.trim_start_matches(';')),
        ];
        query.retain(|(_, value)| !value.is_empty());
        if place.offset() > 0 {
            query.push(("offset", &offset));
        }
        if let Some(expand) = list.expand {
            query.push(("expand", expand));
        }
        self.try_get(list.kind.path(), &query)
    }

    /// Those objects of a list that have these ids, [`NAMED`] at most.
    pub fn named(&self, list: &Listed<'_>, ids: &[Uuid]) -> Result<Answer, Fault> {
        let limit = list.limit.to_string();
        let filter = format!("{};{}", any_of("id", ids), list.filter);
        let mut query = vec![("limit", limit.as_str()), ("filter", filter.as_str())];
        if let Some(expand) = list.expand {
            query.push(("expand", expand));
        }
        self.get(list.kind.path(), &query)
    }

    /// The rows of a page, and where the next one begins.
    ///
    /// # Errors
    /// `transient` when the answer is no list.
    pub fn rows<'a>(
        &self,
        list: &Listed<'_>,
        place: &Place,
        answer: &'a Answer,
    ) -> Result<Walked<'a>, Fault> {
        walk::read(answer.text()?, place, list.limit).map_err(|error| answer.misread(&error))
    }

    /// Those of the given objects that are still there.
    pub fn alive(&self, kind: Kind, ids: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        let mut alive = Vec::new();
        for some in ids.chunks(NAMED) {
            let named = any_of("id", some);
            let filter = format!("{named};archived=true;archived=false");
            let found: Vec<Written> = self.all(kind.path(), &filter)?;
            alive.extend(found.into_iter().map(|one| one.id));
        }
        Ok(alive)
    }

    /// The objects that have one of these values in a field.
    pub fn named_by<T: DeserializeOwned>(
        &self,
        kind: Kind,
        field: &str,
        values: &[Uuid],
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::new();
        for some in values.chunks(NAMED) {
            found.extend(self.all(kind.path(), &any_of(field, some))?);
        }
        Ok(found)
    }

    /// Whether an object is really gone: it is asked for by itself, because a list leaves out, too,
    /// what the credential may not see.
    pub fn is_gone(&self, kind: Kind, id: Uuid) -> Result<bool, Fault> {
        match self.try_get(&format!("{}/{id}", kind.path()), &[]) {
            Ok(_) => Ok(false),
            Err(Error::Status(status)) => Ok(status.code == 404),
            Err(Error::Fault(fault)) => Err(fault),
        }
    }

    /// Documents with all of their positions, those in the bin included.
    pub fn documents(&self, kind: Kind, ids: &[Uuid]) -> Result<Vec<Doc>, Fault> {
        let mut documents: Vec<Doc> = Vec::new();
        let limit = EXPANDED_PAGE.to_string();
        for some in ids.chunks(EXPANDED_PAGE) {
            let filter = format!("{};isDeleted=true;isDeleted=false", any_of("id", some));
            let answer = self.get(
                kind.path(),
                &[
                    ("filter", filter.as_str()),
                    ("limit", limit.as_str()),
                    ("expand", "positions"),
                ],
            )?;
            documents.extend(answer.json::<records::List<Doc>>()?.rows);
        }
        for document in &mut documents {
            if !document.positions.is_whole() {
                document.positions.rows = self.positions(kind, document.id)?;
            }
        }
        Ok(documents)
    }

    /// All positions of a document.
    pub fn positions(&self, kind: Kind, document: Uuid) -> Result<Vec<Position>, Fault> {
        self.all(&format!("{}/{document}/positions", kind.path()), "")
    }

    /// Changes a position of a document.
    ///
    /// # Errors
    /// A fault; the inner error is why MoySklad does not take it.
    pub fn change_position(
        &self,
        kind: Kind,
        document: Uuid,
        position: Uuid,
        fields: &Fields,
    ) -> Result<Result<(), Refusal>, Fault> {
        let path = format!("{}/{document}/positions/{position}", kind.path());
        let sent = taken(self.send(|api| api.call(Method::Put, &path).json(fields)))?;
        Ok(sent.map(drop))
    }

    /// Adds positions to a document, and answers with them. MoySklad would add them again with a second request, so one
    /// whose outcome is unknown is not repeated: it is a `transient` fault, and whoever wants to go
    /// on has to look first.
    ///
    /// # Errors
    /// A fault; the inner error is why MoySklad does not take them.
    pub fn add_positions(
        &self,
        kind: Kind,
        document: Uuid,
        positions: &[Fields],
    ) -> Result<Result<Vec<Position>, Refusal>, Fault> {
        let path = format!("{}/{document}/positions", kind.path());
        let mut added = Vec::with_capacity(positions.len());
        for some in positions.chunks(PAGE) {
            match taken(self.send(|api| api.call(Method::Post, &path).json(&some)))? {
                Ok(answer) => added.extend(answer.json::<Vec<Position>>()?),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(added))
    }

    /// Deletes positions of a document. Those that are gone already are no error.
    ///
    /// # Errors
    /// A fault; the inner error is why one of them cannot be deleted.
    pub fn delete_positions(
        &self,
        kind: Kind,
        document: Uuid,
        positions: &[Uuid],
    ) -> Result<Result<(), Refusal>, Fault> {
        let path = format!("{}/{document}/positions/delete", kind.path());
        let name = |id: &Uuid| meta::position(self.api.base(), kind, document, *id);
        for some in positions.chunks(PAGE) {
            let named: Vec<Box<RawValue>> = some.iter().map(name).collect();
            let sent = self.send(|api| api.call(Method::Post, &path).repeatable().json(&named));
            let text = match sent {
                Ok(answer) => answer.text()?.to_owned(),
                Err(Error::Fault(fault)) => return Err(fault),
                // Of an array of which some could not be deleted, the others are gone nevertheless.
                Err(Error::Status(status)) => match String::from_utf8(status.body.clone()) {
                    Ok(text) if text.trim_start().starts_with('[') => text,
                    _ => return Ok(taken(Err(status.into()))?.map(drop)),
                },
            };
            let elements: Vec<&RawValue> = serde_json::from_str(&text).unwrap_or_default();
            let mut refusals = elements
                .into_iter()
                .filter_map(|element| Refusal::read(element.get()));
            if let Some(refusal) = refusals.find(|refusal| !refusal.is_not_found()) {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }

    /// Makes or changes objects: those that carry a `meta` are changed. Each has its outcome, at
    /// its place: the object as it is now, with the references that `expand` names. In a preview
    /// nothing is sent, and there are no objects.
    pub fn write<T: DeserializeOwned>(
        &self,
        path: &str,
        expand: Option<&str>,
        objects: &[Fields],
    ) -> Result<Vec<Result<Option<T>, Refusal>>, Fault> {
        if self.preview {
            return Ok(objects.iter().map(|_| Ok(None)).collect());
        }
        let mut send = |some: &[Fields]| self.write_some(path, expand, some);
        let mut outcomes = Vec::with_capacity(objects.len());
        for some in portions(objects, PAGE, HEAVIEST, Fields::size) {
            outcomes.extend(bisected(some, &mut send)?);
        }
        let haste = Refusal::is_haste;
        again(objects, &mut outcomes, ATTEMPTS - 1, haste, |some| {
            bisected(some, &mut send)
        })?;
        Ok(outcomes)
    }

    /// Sends one array. The inner error is the refusal of all of it: one of the objects spoils the
    /// request for the others.
    #[expect(
        clippy::type_complexity,
        reason = "an outcome for each, or one for all"
    )]
    fn write_some<T: DeserializeOwned>(
        &self,
        path: &str,
        expand: Option<&str>,
        objects: &[Fields],
    ) -> Result<Result<Vec<Result<Option<T>, Refusal>>, Refusal>, Fault> {
        let sent = self.send(|api| {
            let call = api.call(Method::Post, path).repeatable();
            let call = expand
                .iter()
                .fold(call, |call, value| call.query("expand", value));
            call.json(&objects)
        });
        let refused = match sent {
            Ok(answer) => {
                let outcomes = read_outcomes(answer.text()?, objects.len());
                return outcomes.map(Ok).map_err(|error| answer.misread(&error));
            }
            Err(Error::Fault(fault)) => return Err(fault),
            Err(Error::Status(status)) => status,
        };
        // Of an array in which some objects were refused, the others are saved nevertheless.
        let text = std::str::from_utf8(&refused.body).unwrap_or_default();
        if let Ok(outcomes) = read_outcomes(text, objects.len()) {
            return Ok(Ok(outcomes));
        }
        match refused.code {
            // The rights or the address are wrong, whatever the objects are.
            403..=405 => Err(fault(refused.into())),
            _ => Ok(Err(Refusal::of(&refused))),
        }
    }

    /// Deletes an object. One that is gone already is no error.
    ///
    /// # Errors
    /// A fault; the inner error is why this object cannot be deleted.
    pub fn delete(&self, path: &str) -> Result<Result<(), Refusal>, Fault> {
        if self.preview {
            return Ok(Ok(()));
        }
        match self.send(|api| Ok(api.call(Method::Delete, path))) {
            Ok(_) => Ok(Ok(())),
            Err(Error::Status(status)) if status.code == 404 => Ok(Ok(())),
            Err(Error::Status(status)) if status.code == 403 => Err(fault(status.into())),
            Err(Error::Status(status)) => Ok(Err(Refusal::of(&status))),
            Err(Error::Fault(fault)) => Err(fault),
        }
    }
}

/// What became of a request about one object.
fn taken(sent: Result<Answer, Error>) -> Result<Result<Answer, Refusal>, Fault> {
    match sent {
        Ok(answer) => Ok(Ok(answer)),
        Err(Error::Status(status)) if matches!(status.code, 403 | 405) => Err(fault(status.into())),
        Err(Error::Status(status)) => Ok(Err(Refusal::of(&status))),
        Err(Error::Fault(fault)) => Err(fault),
    }
}

/// A filter that any of these values of a field passes.
pub fn any_of(field: &str, values: &[Uuid]) -> String {
    let conditions: Vec<String> = values
        .iter()
        .map(|value| format!("{field}={value}"))
        .collect();
    conditions.join(";")
}

/// Reads the answer to an array: an object or its problems at each place.
fn read_outcomes<T: DeserializeOwned>(
    text: &str,
    asked: usize,
) -> Result<Vec<Result<Option<T>, Refusal>>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    if elements.len() != asked {
        return Err(serde::de::Error::custom(format_args!(
            "{} outcomes for {asked} objects",
            elements.len()
        )));
    }
    elements
        .into_iter()
        .map(|element| match Refusal::read(element.get()) {
            Some(refusal) => Ok(Err(refusal)),
            None => serde_json::from_str(element.get()).map(|object| Ok(Some(object))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Written, any_of, read_outcomes};
    use tenon_sdk::reason;
    use uuid::Uuid;

    #[test]
    fn of_a_mixed_answer_each_object_has_its_own_outcome() {
        let text = r#"[{"id":"7d6f8c02-1f4c-4a4b-9d0e-000000000001","name":"1"},
            {"errors":[{"error":"Ошибка: значение не уникально","code":3006,"parameter":"name"}]}]"#;
        let read = |text: &str, asked| read_outcomes::<Written>(text, asked);
        let outcomes = read(text, 2).expect("two outcomes");
        assert!(outcomes[0].is_ok());
        let refusal = outcomes[1].as_ref().expect_err("the second was refused");
        assert_eq!(refusal.code, Some(3006));
        assert_eq!(refusal.field.as_deref(), Some("name"));
        let words = "Ошибка: значение не уникально";
        assert_eq!(
            *refusal.reason,
            reason!("refused", words = words, code = 3006)
        );
        assert!(read(text, 3).is_err());
        assert!(read(r#"{"errors":[]}"#, 1).is_err());
    }

    #[test]
    fn a_refusal_without_a_code_still_has_words() {
        let refusal = Refusal::read(r#"{"errors":[{"error":"Доступ\nзапрещён"}]}"#);
        assert_eq!(
            refusal.map(|refusal| *refusal.reason),
            Some(reason!("refused-uncoded", words = "Доступ запрещён"))
        );
        assert_eq!(Refusal::read("<html>"), None);
    }

    #[test]
    fn several_values_of_one_field_are_alternatives() {
        assert_eq!(
            any_of("id", &[Uuid::nil(), Uuid::max()]),
            "id=00000000-0000-0000-0000-000000000000;id=ffffffff-ffff-ffff-ffff-ffffffffffff"
        );
    }
}
