//! The language of `filter`, `order` and `search`, and which objects they choose.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::Account;
use super::config::Archived;
use super::endpoints::Call;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::refusal::Refusal;
use super::schema::{self, Field, Shape};
use super::value::{Ref, Value};

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    NotLess,
    /// `<=`
    NotGreater,
    /// `~`
    Contains,
    /// `~=`
    Begins,
    /// `=~`
    Ends,
}

impl Operator {
    /// Longer ones first, because they begin like shorter ones.
    const SIGNS: [(&'static str, Self); 9] = [
        ("!=", Self::NotEqual),
        (">=", Self::NotLess),
        ("<=", Self::NotGreater),
        ("~=", Self::Begins),
        ("=~", Self::Ends),
        ("=", Self::Equal),
        (">", Self::Greater),
        ("<", Self::Less),
        ("~", Self::Contains),
    ];

    const fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::Less | Self::NotLess | Self::NotGreater
        )
    }

    const fn is_likeness(self) -> bool {
        matches!(self, Self::Contains | Self::Begins | Self::Ends)
    }
}

/// One condition of a filter, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Name of a field, or address of the definition of an additional one.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

impl Condition {
    /// Reads `name=a;sum>100`. A semicolon behind a backslash belongs to a value.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Refusal> {
        let mut parts = vec![String::new()];
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let last = parts.len() - 1;
            match letter {
                '\\' if letters.peek() == Some(&';') => {
                    parts[last].push(';');
                    letters.next();
                }
                ';' => parts.push(String::new()),
                other => parts[last].push(other),
            }
        }
        let conditions = parts.iter().filter(|part| !part.trim().is_empty());
        conditions.map(|part| Self::parse(part)).collect()
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let place = text
            .find(['=', '!', '<', '>', '~'])
            .ok_or_else(|| Refusal::about(1034, text))?;
        let (field, rest) = text.split_at(place);
        let (sign, operator) = Operator::SIGNS
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(|| Refusal::about(1034, text))?;
        Ok(Self {
            field: field.trim().to_owned(),
            operator,
            value: rest[sign.len()..].to_owned(),
        })
    }

    /// The object that the value is the address of.
    pub fn reference(&self, account: &Account) -> Result<Ref, Refusal> {
        account.parse_href(&self.value, &self.field)
    }
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Field(&'static str),
    Id,
    AccountId,
    Kind,
    Barcode,
    Attribute(Id),
    StateName,
    Assortment,
    Product,
    Deleted,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Nothing,
    Text(String),
    Flag(bool),
    Number(Decimal),
    Moment(Timestamp),
    Id(Id),
}

/// Conditions on one target: equalities are alternatives, everything else has to hold.
#[derive(Debug, Default)]
struct Term {
    equal: Vec<Wanted>,
    other: BTreeMap<Operator, Vec<Wanted>>,
}

impl Term {
    fn holds(&self, value: Option<&Value>) -> bool {
        let equal = self.equal.is_empty() || self.equal.iter().any(|one| equals(value, one));
        equal
            && self.other.iter().all(|(operator, wanted)| match operator {
                Operator::NotEqual => wanted.iter().all(|one| !equals(value, one)),
                // Of several comparisons of one sort the first counts.
                operator => wanted
                    .first()
                    .is_none_or(|one| compares(value, *operator, one)),
            })
    }
}

fn equals(value: Option<&Value>, wanted: &Wanted) -> bool {
    match (value, wanted) {
        (None, Wanted::Nothing) => true,
        (Some(Value::Text(text)), Wanted::Nothing) => text.is_empty(),
        (Some(Value::Words(words)), Wanted::Nothing) => words.is_empty(),
        (Some(Value::Words(words)), Wanted::Text(text)) => words.contains(text),
        (Some(Value::Barcodes(codes)), Wanted::Text(text)) => {
            codes.iter().any(|one| one.code == *text)
        }
        (Some(Value::Barcodes(codes)), Wanted::Nothing) => codes.is_empty(),
        (Some(Value::Text(have)), Wanted::Text(text)) => have == text,
        (Some(Value::Flag(have)), Wanted::Flag(flag)) => have == flag,
        (Some(Value::Ref(have)), Wanted::Id(id)) => have.id == *id,
        (Some(Value::Id(have)), Wanted::Id(id)) => have == id,
        (Some(have), wanted) => ordering(have, wanted) == Some(Ordering::Equal),
        _ => false,
    }
}

fn compares(value: Option<&Value>, operator: Operator, wanted: &Wanted) -> bool {
    let Some(value) = value else { return false };
    if operator.is_likeness() {
        let Wanted::Text(text) = wanted else {
            return false;
        };
        let like = |have: &str| {
            let have = have.to_lowercase();
            let text = text.to_lowercase();
            match operator {
                Operator::Begins => have.starts_with(&text),
                Operator::Ends => have.ends_with(&text),
                _ => have.contains(&text),
            }
        };
        return match value {
            Value::Text(have) => like(have),
            Value::Words(words) => words.iter().any(|word| like(word)),
            Value::Barcodes(codes) => codes.iter().any(|one| like(&one.code)),
            _ => false,
        };
    }
    let Some(ordering) = ordering(value, wanted) else {
        return false;
    };
    match operator {
        Operator::Greater => ordering.is_gt(),
        Operator::Less => ordering.is_lt(),
        Operator::NotLess => ordering.is_ge(),
        Operator::NotGreater => ordering.is_le(),
        _ => false,
    }
}

fn ordering(value: &Value, wanted: &Wanted) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Moment(have), Wanted::Moment(moment)) => Some(have.cmp(moment)),
        (Value::Number(have) | Value::Money(have), Wanted::Number(number)) => {
            Some(have.cmp(number))
        }
        (Value::Int(have), Wanted::Number(number)) => Some(Decimal::from(*have).cmp(number)),
        _ => None,
    }
}

/// The conditions of a list's filter, understood.
#[derive(Debug, Default)]
struct Filter {
    terms: BTreeMap<Target, Term>,
    folders: BTreeSet<Id>,
    sub_folders: bool,
}

impl Filter {
    fn new(account: &Account, kinds: &[Kind], conditions: Vec<Condition>) -> Result<Self, Refusal> {
        let mut filter = Self {
            sub_folders: true,
            ..Self::default()
        };
        for condition in conditions {
            filter.add(account, kinds, &condition)?;
        }
        filter.leave_out(account, kinds);
        Ok(filter)
    }

    fn add(
        &mut self,
        account: &Account,
        kinds: &[Kind],
        condition: &Condition,
    ) -> Result<(), Refusal> {
        let unknown = || Refusal::about(1034, format!("неизвестное поле '{}'", condition.field));
        let documents = kinds.iter().all(|kind| kind.is_document());
        let several = kinds.len() > 1;
        let (target, shape) = match condition.field.as_str() {
            "id" => (Target::Id, Shape::Uuid),
            "accountId" => (Target::AccountId, Shape::Uuid),
            "type" if several => (Target::Kind, Shape::Text(0)),
            "barcode" if kinds.iter().any(|kind| kind.is_assortment()) => {
                (Target::Barcode, Shape::Barcodes)
            }
            "isDeleted" if documents => (Target::Deleted, Shape::Flag),
            "state.name" if kinds.iter().all(|kind| kind.has_states()) => {
                (Target::StateName, Shape::Text(0))
            }
            "assortment" if documents => (Target::Assortment, Shape::Ref(&[])),
            "productid" if kinds.contains(&Kind::Variant) => (Target::Product, Shape::Uuid),
            "productFolder" if several => {
                if !condition.value.is_empty() {
                    self.folders.insert(condition.reference(account)?.id);
                    return Ok(());
                }
                (Target::Field("productFolder"), Shape::Ref(&[]))
            }
            "withSubFolders" if several => {
                self.sub_folders = condition.value == "true";
                return Ok(());
            }
            href if href.contains("/metadata/attributes/") => {
                let definition = account.parse_href(href, "filter")?;
                let definition = account.resolve(definition).ok_or_else(unknown)?;
                let shape = attribute_shape(definition);
                (Target::Attribute(definition.id), shape)
            }
            name => {
                let mut fields = kinds.iter().filter_map(|kind| schema::find(*kind, name));
                let field = fields.find(|field| field.filtered).ok_or_else(unknown)?;
                (Target::Field(field.name), field.shape)
            }
        };
        let wanted = wanted(account, condition, shape)?;
        let term = self.terms.entry(target).or_default();
        let ordered = condition.operator.is_ordering() && !term.equal.is_empty();
        let mixed = term.other.keys().any(|one| one.is_ordering());
        if ordered || condition.operator == Operator::Equal && mixed {
            let why = format!("поле '{}' сравнивается двояко", condition.field);
            return Err(Refusal::about(1034, why));
        }
        if condition.operator == Operator::Equal {
            term.equal.push(wanted);
        } else {
            term.other
                .entry(condition.operator)
                .or_default()
                .push(wanted);
        }
        Ok(())
    }

    /// Leaves out what lists do not show unless they are asked to.
    fn leave_out(&mut self, account: &Account, kinds: &[Kind]) {
        let no = || Term {
            equal: vec![Wanted::Flag(false)],
            ..Term::default()
        };
        let archivable = kinds
            .iter()
            .any(|kind| schema::find(*kind, "archived").is_some());
        let left_out = match account.behaviour.archived {
            Archived::LeftOut => true,
            Archived::LeftOutOfAssortment => kinds.len() > 1,
        };
        if archivable && left_out {
            self.terms
                .entry(Target::Field("archived"))
                .or_insert_with(no);
        }
        if kinds.iter().any(|kind| kind.is_document()) {
            self.terms.entry(Target::Deleted).or_insert_with(no);
        }
    }

    fn holds(&self, account: &Account, record: &Record) -> bool {
        let folders = self.folders.is_empty()
            || account.lies_in(account.card(record), &self.folders, self.sub_folders);
        folders
            && self.terms.iter().all(|(target, term)| match target {
                Target::Field(name) => {
                    let field = schema::find(record.kind, name);
                    let value = field.and_then(|field| account.shown(record, field));
                    term.holds(value.as_deref())
                }
                Target::Id => term.holds(Some(&Value::Id(record.id))),
                Target::AccountId => term.holds(Some(&Value::Id(account.id))),
                Target::Kind => term.holds(Some(&Value::Text(record.kind.word().to_owned()))),
                Target::Barcode => term.holds(record.get("barcodes")),
                Target::Attribute(definition) => term.holds(record.attribute(*definition)),
                Target::StateName => {
                    let state = record.refers("state").and_then(|one| account.peek(one.id));
                    term.holds(state.and_then(|state| state.get("name")))
                }
                Target::Assortment => record
                    .rows("positions")
                    .iter()
                    .any(|row| term.holds(row.get("assortment"))),
                Target::Product => {
                    let product = record.refers("product");
                    term.holds(product.map(|one| Value::Id(one.id)).as_ref())
                }
                Target::Deleted => {
                    term.holds(Some(&Value::Flag(record.moment("deleted").is_some())))
                }
            })
    }

    /// Keys among which all chosen ones are, found without looking at every object.
    fn candidates(&self, account: &Account, kind: Kind) -> Option<BTreeSet<Id>> {
        self.terms.iter().find_map(|(target, term)| {
            let keys = |wanted: &Wanted| match (target, wanted) {
                (Target::Id, Wanted::Id(id)) => Some(BTreeSet::from([*id])),
                (Target::Field(field), Wanted::Text(text)) => {
                    account.indexed(kind, field, text).cloned()
                }
                (Target::Field("syncId"), Wanted::Id(id)) => {
                    account.indexed(kind, "syncId", &id.to_string()).cloned()
                }
                _ => None,
            };
            if term.equal.is_empty() {
                return None;
            }
            let found: Option<Vec<_>> = term.equal.iter().map(keys).collect();
            Some(found?.into_iter().flatten().collect())
        })
    }
}

/// The shape of an additional field's value.
fn attribute_shape(definition: &Record) -> Shape {
    match definition.text("type") {
        "long" => Shape::Int,
        "double" => Shape::Number,
        "boolean" => Shape::Flag,
        "time" => Shape::Minute,
        "string" | "text" | "link" => Shape::Text(0),
        _ => Shape::Ref(&[]),
    }
}

fn wanted(account: &Account, condition: &Condition, shape: Shape) -> Result<Wanted, Refusal> {
    let text = condition.value.as_str();
    let operator = condition.operator;
    let refused = |code| Refusal::about(code, &condition.field);
    let fits = match shape {
        Shape::Int | Shape::Number | Shape::Money | Shape::Moment | Shape::Minute => {
            !operator.is_likeness()
        }
        Shape::Flag | Shape::Ref(_) | Shape::RowOf(_) | Shape::Uuid => {
            matches!(operator, Operator::Equal | Operator::NotEqual)
        }
        _ => !operator.is_ordering(),
    };
    if !fits {
        return Err(refused(1034));
    }
    if text.is_empty() {
        return match operator {
            Operator::Equal | Operator::NotEqual => Ok(Wanted::Nothing),
            _ => Err(refused(1014)),
        };
    }
    Ok(match shape {
        Shape::Flag => match text {
            "true" => Wanted::Flag(true),
            "false" => Wanted::Flag(false),
            _ => return Err(refused(1014)),
        },
        Shape::Int | Shape::Number | Shape::Money => {
            Wanted::Number(text.parse().map_err(|_| refused(1014))?)
        }
        Shape::Moment | Shape::Minute => {
            let moment = moscow::read_filter(text);
            Wanted::Moment(moment.ok_or_else(|| Refusal::about(1035, text))?)
        }
        Shape::Uuid => Wanted::Id(text.parse().map_err(|_| refused(1014))?),
        Shape::Ref(_) | Shape::RowOf(_) => Wanted::Id(condition.reference(account)?.id),
        _ => Wanted::Text(text.to_owned()),
    })
}

/// One step of an order.
struct Sort {
    field: &'static Field,
    descending: bool,
}

fn sorts(kinds: &[Kind], text: &str) -> Result<Vec<Sort>, Refusal> {
    let steps = text.split(';').filter(|step| !step.trim().is_empty());
    steps
        .map(|step| {
            let (name, direction) = step.split_once(',').unwrap_or((step, "asc"));
            let mut fields = kinds
                .iter()
                .filter_map(|kind| schema::find(*kind, name.trim()));
            let field = match name.trim() {
                "id" => &BY_ID,
                _ => fields
                    .find(|field| field.filtered)
                    .ok_or_else(|| Refusal::about(1063, name))?,
            };
            let descending = match direction.trim() {
                "asc" => false,
                "desc" => true,
                _ => return Err(Refusal::about(1063, step)),
            };
            Ok(Sort { field, descending })
        })
        .collect()
}

const BY_ID: Field = Field {
    name: "id",
    shape: Shape::Uuid,
    access: schema::Access::Shown,
    filtered: true,
};

/// The order of two values; nothing comes first.
fn rank(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Some(Value::Moment(a)), Some(Value::Moment(b))) => a.cmp(b),
        (Some(Value::Number(a) | Value::Money(a)), Some(Value::Number(b) | Value::Money(b))) => {
            a.cmp(b)
        }
        (Some(Value::Int(a)), Some(Value::Int(b))) => a.cmp(b),
        (Some(Value::Flag(a)), Some(Value::Flag(b))) => a.cmp(b),
        (Some(Value::Ref(a)), Some(Value::Ref(b))) => a.cmp(b),
        (Some(Value::Id(a)), Some(Value::Id(b))) => a.cmp(b),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

/// Whether every word of a search is in an object: at the beginning of one of its words, or
/// anywhere in them for the kinds that are searched so.
fn found(record: &Record, search: &[String]) -> bool {
    const FIELDS: &[&str] = &[
        "name",
        "code",
        "article",
        "description",
        "legalTitle",
        "discountCardNumber",
        "email",
        "phone",
    ];
    let mut texts: Vec<String> = FIELDS
        .iter()
        .map(|field| record.text(field).to_lowercase())
        .collect();
    if let Some(Value::Barcodes(codes)) = record.get("barcodes") {
        texts.extend(codes.iter().map(|one| one.code.clone()));
    }
    let persons = record.rows("contactpersons").iter();
    texts.extend(persons.map(|person| person.name().to_lowercase()));
    let anywhere = !matches!(record.kind, Kind::Product | Kind::Service | Kind::Bundle);
    search.iter().all(|word| {
        texts.iter().any(|text| {
            anywhere && text.contains(word)
                || text.starts_with(word.as_str())
                || text
                    .split([' ', '/', ','])
                    .any(|part| part.starts_with(word.as_str()))
        })
    })
}

/// The keys of the objects that a list's filter, search and order choose.
pub fn choose(
    account: &mut Account,
    kinds: &[Kind],
    call: &Call<'_>,
) -> Result<Arc<[Id]>, Refusal> {
    let text = call.parameter("filter").unwrap_or_default();
    let order = call.parameter("order").unwrap_or_default();
    let search = call.parameter("search").unwrap_or_default();
    let choice = (kinds.to_vec(), format!("{text}\n{order}\n{search}"));
    if let Some(chosen) = account.choices.get(&choice) {
        return Ok(chosen.clone());
    }
    let filter = Filter::new(account, kinds, Condition::parse_all(text)?)?;
    let sorts = sorts(kinds, order)?;
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    let mut chosen = filtered(account, kinds, &filter);
    chosen.retain(|record| found(record, &words) && !account.hidden.contains(&record.id));
    if !sorts.is_empty() {
        chosen = sorted(account, chosen, &sorts);
    }
    let chosen: Arc<[Id]> = chosen.iter().map(|record| record.id).collect();
    account.keep_choice(choice, chosen.clone());
    Ok(chosen)
}

/// The keys of the objects for which conditions hold.
pub fn choose_by(
    account: &Account,
    kinds: &[Kind],
    conditions: Vec<Condition>,
) -> Result<Vec<Id>, Refusal> {
    let filter = Filter::new(account, kinds, conditions)?;
    let chosen = filtered(account, kinds, &filter).into_iter();
    Ok(chosen.map(|record| record.id).collect())
}

fn filtered<'a>(account: &'a Account, kinds: &[Kind], filter: &Filter) -> Vec<&'a Record> {
    let mut chosen = Vec::new();
    for kind in kinds {
        let suits = |record: &&Record| record.kind == *kind && filter.holds(account, record);
        match filter.candidates(account, *kind) {
            Some(ids) => {
                let records = ids.iter().filter_map(|id| account.peek(*id));
                chosen.extend(records.filter(suits));
            }
            None => {
                let records = account.ids(*kind).filter_map(|id| account.peek(id));
                chosen.extend(records.filter(suits));
            }
        }
    }
    chosen
}

fn sorted<'a>(account: &Account, chosen: Vec<&'a Record>, sorts: &[Sort]) -> Vec<&'a Record> {
    let value = |record: &Record, sort: &Sort| match sort.field.name {
        "id" => Some(Value::Id(record.id)),
        _ => account.shown(record, sort.field).map(Cow::into_owned),
    };
    let mut keyed: Vec<(Vec<Option<Value>>, &Record)> = chosen
        .into_iter()
        .map(|record| {
            (
                sorts.iter().map(|sort| value(record, sort)).collect(),
                record,
            )
        })
        .collect();
    keyed.sort_by(|(one, first), (other, second)| {
        let steps = sorts.iter().zip(one.iter().zip(other));
        let mut ranks = steps.map(|(sort, (one, other))| {
            let ascending = rank(one.as_ref(), other.as_ref());
            if sort.descending {
                ascending.reverse()
            } else {
                ascending
            }
        });
        ranks
            .find(|rank| rank.is_ne())
            .unwrap_or_else(|| first.id.cmp(&second.id))
    });
    keyed.into_iter().map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_operator_is_read_and_an_escaped_semicolon_belongs_to_the_value() {
        let read = Condition::parse_all(r"name~=a\;b;code=~c;sum>=1;updated<=2;x!=;y~z;w=v=u");
        let read = read.expect("a filter");
        let parts: Vec<_> = read
            .iter()
            .map(|one| (one.field.as_str(), one.operator, one.value.as_str()))
            .collect();
        assert_eq!(
            parts,
            [
                ("name", Operator::Begins, "a;b"),
                ("code", Operator::Ends, "c"),
                ("sum", Operator::NotLess, "1"),
                ("updated", Operator::NotGreater, "2"),
                ("x", Operator::NotEqual, ""),
                ("y", Operator::Contains, "z"),
                ("w", Operator::Equal, "v=u"),
            ]
        );
        let refusal = Condition::parse_all("nonsense").expect_err("no operator");
        assert_eq!(refusal.says(), Some(1034));
    }
}
