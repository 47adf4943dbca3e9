//! How a connector describes itself.
//!
//! The parts of a manifest are the plain records of [`model`](crate::model). The settings schema
//! is a JSON Schema (draft 2020-12) that a connector keeps as a file beside its code, with these
//! words on top of the standard ones; the console draws its form from them:
//!
//! | word | meaning |
//! |---|---|
//! | `x-titles`, `x-descriptions` | texts for people: `{"en": …, "uk": …, "ru": …}` |
//! | `x-options` | the values come from `choices` of this name |
//! | `x-directory` | the value is a key of this ERP directory, e.g. `order-stages` |
//! | `x-record` | the value is the key of an ERP record of this kind, e.g. `partner` |
//!
//! A host checks the schema before it installs the connector: references stay within it (`#/…`) and
//! do not recurse, patterns are regular expressions without look-around or back-references,
//! `$id`, `$dynamicRef` and `unevaluated…` are not for it, and it has an end: 256 KiB, and 20,000
//! parts with all references written out.
//!
//! For an object whose keys are chosen, `x-options` stands in its `propertyNames` and
//! `x-directory` in its `additionalProperties`.

/// Text for people in all languages of the project: `text!(en: "Orders", uk: "Замовлення", ru: "Заказы")`.
#[macro_export]
macro_rules! text {
    (en: $en:expr, uk: $uk:expr, ru: $ru:expr $(,)?) => {
        ::std::vec![
            ("en".to_owned(), ($en).to_owned()),
            ("uk".to_owned(), ($uk).to_owned()),
            ("ru".to_owned(), ($ru).to_owned()),
        ]
    };
}
