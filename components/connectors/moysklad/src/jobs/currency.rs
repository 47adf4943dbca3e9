//! Currencies: the one that MoySklad's books are kept in, and those that documents may be in.

use tenon_sdk::model::{Fault, Reason};
use tenon_sdk::{reason, state};
use uuid::Uuid;

use super::Context;
use crate::api::meta::Kind;
use crate::api::records::Currency;

/// The currency that books are kept in.
const BOOKS: &str = "currency";

/// The code of the currency that books are kept in. It never changes, so it is asked for once.
///
/// # Errors
/// The fault of a request; `configuration` when there is no such currency.
pub fn of_books(context: &Context) -> Result<String, Fault> {
    if let Some(known) = state::load::<String>(BOOKS) {
        return Ok(known);
    }
    let all: Vec<Currency> = context.api.all(Kind::Currency.path(), "")?;
    let own = all.into_iter().find(|currency| currency.default);
    let code = own
        .map(|currency| currency.iso_code)
        .ok_or_else(|| Fault::Configuration(reason!("currency.none")))?;
    state::save(BOOKS, &code)?;
    Ok(code)
}

/// What the orders of a batch may be in.
#[derive(Debug, Default)]
pub struct Currencies {
    books: String,
    others: Vec<Currency>,
}

impl Currencies {
    /// Learns of these currencies as much as is needed.
    pub fn learn<'o>(
        context: &Context,
        mut codes: impl Iterator<Item = &'o str>,
    ) -> Result<Currencies, Fault> {
        let mut known = Currencies {
            books: of_books(context)?,
            others: Vec::new(),
        };
        if codes.any(|code| !known.is_of_books(code)) {
            known.others = context.api.all(Kind::Currency.path(), "")?;
        }
        Ok(known)
    }

    fn is_of_books(&self, code: &str) -> bool {
        code.is_empty() || code.eq_ignore_ascii_case(&self.books)
    }

    /// The currency that a document has to name; none when it is that of the books.
    ///
    /// # Errors
    /// Why it cannot be named.
    pub fn named(&self, code: &str) -> Result<Option<Uuid>, Reason> {
        if self.is_of_books(code) {
            return Ok(None);
        }
        let mut others = self.others.iter();
        let found = others.find(|one| one.iso_code.eq_ignore_ascii_case(code));
        found
            .map(|one| Some(one.id))
            .ok_or_else(|| reason!("order.currency", currency = code))
    }
}
