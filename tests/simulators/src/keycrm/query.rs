//! Reads the query of a list: page, includes, sort and filters, as strictly as the real API does.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::config::{Behaviour, DateOnlyEnd, LimitOverMax, UnknownFilter};
use super::refusal::Refusal;

const DEFAULT_LIMIT: usize = 15;
const MAX_LIMIT: usize = 50;

/// What one resource takes.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Names that may be included; none when the parameter is not looked at.
    pub includes: Option<&'static [&'static str]>,
    /// Filters; none when unknown ones are never refused.
    pub filters: &'static [&'static str],
    /// Whether unknown filters may be refused at all.
    pub strict_filters: bool,
    /// Fields to sort by; empty when the parameter is not looked at.
    pub sorts: &'static [&'static str],
    /// The order without a sort.
    pub default_sort: Sort<'static>,
}

/// One field of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort<'a> {
    /// Field.
    pub field: &'a str,
    /// Greatest first.
    pub descending: bool,
}

impl<'a> Sort<'a> {
    fn parse(text: &'a str) -> Self {
        match text.strip_prefix('-') {
            Some(field) => Self {
                field,
                descending: true,
            },
            None => Self {
                field: text,
                descending: false,
            },
        }
    }
}

/// A query that keeps the rules.
#[derive(Debug)]
pub struct ListQuery<'a> {
    /// Page, from 1.
    pub page: usize,
    /// Page size.
    pub limit: usize,
    /// Relations to show.
    pub includes: Includes<'a>,
    /// Sort, most important field first.
    pub sort: Vec<Sort<'a>>,
    /// Filters by name.
    pub filters: Vec<(&'a str, &'a str)>,
}

impl<'a> ListQuery<'a> {
    /// Reads decoded parameters.
    pub fn parse(
        parameters: &'a [(String, String)],
        rules: Rules,
        behaviour: &Behaviour,
    ) -> Result<Self, Refusal> {
        let mut query = Self {
            page: 1,
            limit: DEFAULT_LIMIT,
            includes: Includes::default(),
            sort: vec![rules.default_sort],
            filters: Vec::new(),
        };
        for (name, value) in parameters {
            match name.as_str() {
                "page" => query.page = value.trim().parse().unwrap_or(1).max(1),
                "limit" => query.limit = limit(value, behaviour)?,
                "include" => query.includes = Includes::parse(value, rules.includes)?,
                "sort" => {
                    if let Some(sort) = sort(value, rules.sorts)? {
                        query.sort = sort;
                    }
                }
                name => {
                    if let Some(filter) = name
                        .strip_prefix("filter[")
                        .and_then(|rest| rest.strip_suffix(']'))
                    {
                        query.filters.push((filter, value.as_str()));
                    }
                }
            }
        }
        if rules.strict_filters && behaviour.unknown_filter == UnknownFilter::Refuse {
            refuse_unknown(
                "filter(s)",
                query.filters.iter().map(|(name, _)| *name),
                rules.filters,
            )?;
        }
        Ok(query)
    }

    /// The value of a filter.
    pub fn filter(&self, name: &str) -> Option<&'a str> {
        self.filters
            .iter()
            .find(|(filter, _)| *filter == name)
            .map(|(_, value)| *value)
    }

    /// The keys of a filter that takes a list of them.
    pub fn ids(&self, name: &str) -> Option<Vec<i64>> {
        self.filter(name).map(ids)
    }

    /// The values of a filter that takes a list of words.
    pub fn words(&self, name: &str) -> Option<Vec<&'a str>> {
        self.filter(name).map(|value| words(value).collect())
    }

    /// The value of a filter that takes a yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.filter(name).map(flag)
    }

    /// The period of a filter that takes one.
    pub fn period(&self, name: &str, behaviour: &Behaviour) -> Result<Option<Period>, Refusal> {
        self.filter(name)
            .map(|value| Period::parse(name, value, behaviour))
            .transpose()
    }

    /// Whether the first field of the sort is wanted greatest first.
    pub fn descending(&self) -> bool {
        self.sort.first().is_some_and(|sort| sort.descending)
    }
}

fn limit(value: &str, behaviour: &Behaviour) -> Result<usize, Refusal> {
    match value.trim().parse::<usize>() {
        Ok(limit) if limit > MAX_LIMIT => match behaviour.limit_over_max {
            LimitOverMax::Clamp => Ok(MAX_LIMIT),
            LimitOverMax::Refuse => Err(Refusal::invalid(
                "limit",
                "The limit may not be greater than 50.",
            )),
        },
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Ok(DEFAULT_LIMIT),
    }
}

fn sort<'a>(value: &'a str, allowed: &[&str]) -> Result<Option<Vec<Sort<'a>>>, Refusal> {
    if allowed.is_empty() {
        return Ok(None);
    }
    let sort: Vec<_> = words(value).map(Sort::parse).collect();
    refuse_unknown("sort(s)", sort.iter().map(|sort| sort.field), allowed)?;
    Ok((!sort.is_empty()).then_some(sort))
}

fn refuse_unknown<'a>(
    what: &str,
    asked: impl Iterator<Item = &'a str>,
    allowed: &[&str],
) -> Result<(), Refusal> {
    let unknown: Vec<_> = asked.filter(|name| !allowed.contains(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::BadRequest(format!(
        "Requested {what} `{}` are not allowed. Allowed {what} are `{}`.",
        unknown.join(", "),
        allowed.join(", ")
    )))
}

/// The relations a query asks for.
#[derive(Debug, Default)]
pub struct Includes<'a>(Vec<&'a str>);

impl<'a> Includes<'a> {
    /// Reads a comma list, spaces tolerated, against the names that are allowed.
    pub fn parse(value: &'a str, allowed: Option<&[&str]>) -> Result<Self, Refusal> {
        let Some(allowed) = allowed else {
            return Ok(Self::default());
        };
        let names: Vec<_> = words(value).collect();
        refuse_unknown("include(s)", names.iter().copied(), allowed)?;
        Ok(Self(names))
    }

    /// Whether a relation is asked for, by itself or on the way to one below it.
    pub fn has(&self, relation: &str) -> bool {
        self.0.iter().any(|name| {
            name.strip_prefix(relation)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// All names as asked for.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().copied()
    }
}

/// The non-empty parts of a comma list.
pub fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// The keys in a comma list. What is no number is a key that nothing has, as in PHP.
pub fn ids(value: &str) -> Vec<i64> {
    words(value).map(|word| word.parse().unwrap_or(0)).collect()
}

/// A yes or no as PHP reads it.
pub fn flag(value: &str) -> bool {
    matches!(value.trim(), "1" | "true" | "on" | "yes")
}

/// A period of a `*_between` filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Timestamp,
    to: Timestamp,
    inclusive: bool,
}

impl Period {
    /// Reads `from,to`.
    pub fn parse(filter: &str, value: &str, behaviour: &Behaviour) -> Result<Self, Refusal> {
        let ends: Vec<_> = words(value).collect();
        let [from, to] = ends[..] else {
            return Err(Refusal::invalid(
                filter,
                "The period must have a beginning and an end.",
            ));
        };
        let read = |text: &str| {
            moment(text, behaviour).ok_or_else(|| {
                Refusal::invalid(filter, &format!("`{text}` does not match the format."))
            })
        };
        let mut end = read(to)?;
        let date_only = to.len() == "2026-03-01".len();
        if date_only && behaviour.date_only_end == DateOnlyEnd::EndOfDay {
            end = end
                .saturating_add(SignedDuration::from_secs(24 * 3600 - 1))
                .unwrap_or(Timestamp::MAX);
        }
        Ok(Self {
            from: read(from)?,
            to: end,
            inclusive: behaviour.inclusive_between,
        })
    }

    /// Whether a moment lies within.
    pub fn contains(&self, moment: Timestamp) -> bool {
        if self.inclusive {
            self.from <= moment && moment <= self.to
        } else {
            self.from < moment && moment < self.to
        }
    }
}

/// Reads a moment with or without time, `T`, fraction and zone.
fn moment(text: &str, behaviour: &Behaviour) -> Option<Timestamp> {
    if let Ok(zoned) = text.parse::<Timestamp>() {
        return Some(zoned);
    }
    let local: DateTime = text.parse().ok()?;
    let zone = Offset::from_hours(behaviour.filter_hours_ahead).ok()?;
    zone.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_in_every_form_clients_send() {
        let behaviour = Behaviour::default();
        let plain = Period::parse(
            "created_between",
            "2026-03-01 00:00:00,2026-03-02 00:00:00",
            &behaviour,
        );
        for form in [
            "2026-03-01 00:00:00, 2026-03-02 00:00:00",
            "2026-03-01,2026-03-02",
            "2026-03-01T00:00:00Z,2026-03-02T00:00:00.000000Z",
            "2026-03-01T02:00:00+02:00,2026-03-02T00:00:00",
        ] {
            assert_eq!(
                Period::parse("created_between", form, &behaviour),
                plain,
                "{form}"
            );
        }
        for broken in ["2026-03-01", "yesterday,today", ""] {
            assert!(Period::parse("created_between", broken, &behaviour).is_err());
        }
    }

    #[test]
    fn the_ends_and_the_zone_of_a_period_follow_the_behaviour() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let mut behaviour = Behaviour::default();
        let read = |behaviour: &Behaviour| {
            Period::parse("created_between", "2026-03-01,2026-03-02", behaviour).expect("a period")
        };
        assert!(read(&behaviour).contains(at("2026-03-02T00:00:00Z")));
        assert!(!read(&behaviour).contains(at("2026-03-02T00:00:01Z")));
        behaviour.date_only_end = DateOnlyEnd::EndOfDay;
        assert!(read(&behaviour).contains(at("2026-03-02T23:59:59Z")));
        behaviour.inclusive_between = false;
        assert!(!read(&behaviour).contains(at("2026-03-01T00:00:00Z")));
        behaviour.filter_hours_ahead = 2;
        assert!(read(&behaviour).contains(at("2026-02-28T22:00:01Z")));
    }

    #[test]
    fn an_include_brings_its_parent_but_not_its_namesakes() {
        let allowed = ["products", "products.offer", "productsCount"];
        let includes = Includes::parse("products.offer, productsCount", Some(&allowed));
        let includes = includes.expect("allowed");
        assert!(includes.has("products") && includes.has("products.offer"));
        let count_only = Includes::parse("productsCount", Some(&allowed)).expect("allowed");
        assert!(!count_only.has("products"));
        assert!(Includes::parse("source", Some(&allowed)).is_err());
    }
}
