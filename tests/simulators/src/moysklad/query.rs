//! Reads what a list is asked for, and writes the envelope around its rows.

use super::config::LimitOverMax;
use super::endpoints::Call;
use super::refusal::Refusal;
use super::wire::{Expand, Extra, Wire};
use crate::json::{self, Object, object};

/// The largest page, and the usual one.
pub const MAX_LIMIT: usize = 1000;

/// The largest page on which references are followed.
const MAX_EXPANDED: usize = 100;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many rows.
    pub limit: usize,
    /// After so many rows.
    pub offset: usize,
}

impl Page {
    /// Reads `limit` and `offset` of a list of objects.
    pub fn usual(call: &Call<'_>, over_max: LimitOverMax) -> Result<Self, Refusal> {
        Self::parse(call, MAX_LIMIT, MAX_LIMIT, over_max)
    }

    /// Reads `limit` and `offset` where other sizes are usual.
    pub fn parse(
        call: &Call<'_>,
        usual: usize,
        max: usize,
        over_max: LimitOverMax,
    ) -> Result<Self, Refusal> {
        let number = |name: &str, usual: usize| match call.parameter(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| Refusal::about(1040, name)),
        };
        let (limit, offset): (usize, usize) = (number("limit", usual)?, number("offset", 0)?);
        match limit {
            0 => Err(Refusal::about(1040, "limit")),
            limit if limit <= max => Ok(Self { limit, offset }),
            _ => match over_max {
                LimitOverMax::Clamp => Ok(Self { limit: max, offset }),
                LimitOverMax::Refuse => Err(Refusal::about(1040, "limit")),
            },
        }
    }

    /// The rows of the page.
    pub fn of<'a, T>(&self, rows: &'a [T]) -> &'a [T] {
        let from = self.offset.min(rows.len());
        let to = from.saturating_add(self.limit).min(rows.len());
        &rows[from..to]
    }

    /// What is to be followed on a page of this size: nothing on a large one.
    pub fn expand(&self, call: &Call<'_>) -> Expand {
        match call.parameter("expand") {
            Some(text) if self.limit <= MAX_EXPANDED => Expand::parse(text),
            _ => Expand::default(),
        }
    }

    /// What comes only when asked for, on a page of this size.
    pub fn extra(&self, call: &Call<'_>) -> Result<Option<Extra>, Refusal> {
        let extra = extra(call)?;
        Ok(extra.filter(|_| self.limit <= MAX_EXPANDED))
    }

    /// Writes the `meta` of a list.
    pub fn meta(&self, out: &mut Object<'_>, call: &Call<'_>, total: usize, kind: &str) {
        out.object("meta", |meta| {
            meta.put("href", format!("{}{}", call.base, call.path));
            meta.put("type", kind);
            meta.put("mediaType", "application/json");
            meta.put("size", total);
            meta.put("limit", self.limit);
            meta.put("offset", self.offset);
            let next = self.offset.saturating_add(self.limit);
            if next < total {
                meta.put("nextHref", self.href(call, next));
            }
            if self.offset > 0 {
                let previous = self.offset.saturating_sub(self.limit);
                meta.put("previousHref", self.href(call, previous));
            }
        });
    }

    fn href(&self, call: &Call<'_>, offset: usize) -> String {
        let mut href = format!(
            "{}{}?limit={}&offset={offset}",
            call.base, call.path, self.limit
        );
        for (name, value) in call.query {
            if name != "limit" && name != "offset" {
                href.push('&');
                encode(&mut href, name);
                href.push('=');
                encode(&mut href, value);
            }
        }
        href
    }
}

/// What comes only when asked for.
pub fn extra(call: &Call<'_>) -> Result<Option<Extra>, Refusal> {
    match call.parameter("fields") {
        None => Ok(None),
        Some("stock") => Ok(Some(Extra::Stock)),
        Some("downloadPermanentHref") => Ok(Some(Extra::PermanentHref)),
        Some("minimumStock" | "declaration") => Ok(Some(Extra::Other)),
        Some(several) if several.contains(',') => Err(Refusal::code(3042)),
        Some(other) => Err(Refusal::about(3043, other)),
    }
}

/// Writes a list: who asked, which part of how much, and the rows.
pub fn envelope(
    wire: &Wire<'_>,
    call: &Call<'_>,
    page: &Page,
    total: usize,
    kind: &str,
    rows: impl FnOnce(&mut Object<'_>),
) -> String {
    let mut out = String::new();
    object(&mut out, |out| {
        wire.context(out);
        page.meta(out, call, total, kind);
        rows(out);
    });
    out
}

/// Encodes what may not stand in a query.
fn encode(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            _ => json::append(url, format_args!("%{byte:02X}")),
        }
    }
}
