//! What several of the macros read: texts in all languages, and names.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Result, Token, parenthesized};

/// The languages of the project.
pub const LANGUAGES: [&str; 3] = ["en", "uk", "ru"];

/// A text for people in all languages: `(en: "…", uk: "…", ru: "…")`.
pub struct Text([LitStr; 3]);

impl Parse for Text {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let inside;
        let span = parenthesized!(inside in input).span.join();
        let mut texts: [Option<LitStr>; 3] = Default::default();
        while !inside.is_empty() {
            let language: Ident = inside.parse()?;
            let Some(place) = LANGUAGES.iter().position(|known| language == known) else {
                return Err(Error::new(
                    language.span(),
                    "the languages are `en`, `uk` and `ru`",
                ));
            };
            inside.parse::<Token![:]>()?;
            let text: LitStr = inside.parse()?;
            if text.value().trim().is_empty() {
                return Err(Error::new(text.span(), "people cannot read an empty text"));
            }
            if texts[place].replace(text).is_some() {
                return Err(Error::new(language.span(), "this language is there twice"));
            }
            if !inside.is_empty() {
                inside.parse::<Token![,]>()?;
            }
        }
        match texts {
            [Some(en), Some(uk), Some(ru)] => Ok(Text([en, uk, ru])),
            texts => {
                let missing = LANGUAGES.iter().zip(&texts);
                let missing: Vec<&str> = missing
                    .filter_map(|(language, text)| text.is_none().then_some(*language))
                    .collect();
                let missing = missing.join("`, `");
                Err(Error::new(span, format!("the text has no `{missing}`")))
            }
        }
    }
}

impl Text {
    /// A list of pairs, as manifests have it.
    pub fn pairs(&self) -> TokenStream {
        let Text([en, uk, ru]) = self;
        quote!(::tenon_sdk::text!(en: #en, uk: #uk, ru: #ru))
    }

    /// A constant of all three, in the order of the languages.
    pub fn constant(&self) -> TokenStream {
        let Text([en, uk, ru]) = self;
        quote!([#en, #uk, #ru])
    }
}

/// `OrderStages` as it stands in a schema: `order-stages`; with another sign between the words.
pub fn dashed(name: &str, sign: char) -> String {
    let mut dashed = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !dashed.is_empty() {
            dashed.push(sign);
        }
        dashed.extend(letter.to_lowercase());
    }
    dashed
}

/// The name of an identifier without `r#`.
pub fn name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

/// Puts a value into its place, once.
pub fn once<T>(place: &mut Option<T>, value: T, word: &str, span: Span) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(span, format!("`{word}` is there twice"))),
    }
}
