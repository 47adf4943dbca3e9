//! `#[derive(Settings)]`: the schema of settings, the reading of them, and the keys in them.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Fields, FieldsNamed, Ident, Lit, LitInt, LitStr,
    Result, Token, Type, parenthesized,
};

use crate::words::{Text, dashed, name, once};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "settings outlive the text that they are read from: they own all they hold",
        ));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => of_struct(input, fields),
            _ => Err(Error::new_spanned(
                &input.ident,
                "settings have named fields",
            )),
        },
        Data::Enum(data) => of_enum(input, data),
        Data::Union(_) => Err(Error::new_spanned(
            &input.ident,
            "settings are a struct; a choice of words is an enum",
        )),
    }
}

// ---- structs

/// What is said of one field.
#[derive(Default)]
struct Said {
    title: Option<Text>,
    hint: Option<Text>,
    default: Option<Lit>,
    options: Option<String>,
    source: Option<TokenStream>,
    pattern: Option<TokenStream>,
    min: Option<LitInt>,
    max: Option<LitInt>,
    among: Option<Vec<LitInt>>,
    needed: Option<Needed>,
}

/// Another setting, and the value by which this one is needed.
struct Needed {
    setting: Ident,
    value: Lit,
}

impl Parse for Needed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let setting = input.parse()?;
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        Ok(Needed { setting, value })
    }
}

const FIELD_WORDS: &str = "a setting says `title(…)`, `hint(…)`, `default = …`, `options = …`, \
    `directory = …`, `record = …`, `address`, `pattern = \"…\"`, `min = …`, `max = …`, \
    `among(…)` or `needed_when(other = …)`";

impl Said {
    fn of(field: &Ident, attributes: &[Attribute]) -> Result<Said> {
        let mut said = Said::default();
        for attribute in own(attributes) {
            attribute.parse_args_with(|input: ParseStream<'_>| said.read(input))?;
        }
        if said.title.is_none() {
            return Err(Error::new_spanned(
                field,
                format!(
                    "people do not know what `{field}` is: say \
                     `#[setting(title(en: \"…\", uk: \"…\", ru: \"…\"))]`"
                ),
            ));
        }
        Ok(said)
    }

    fn read(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            let span = word.span();
            let written = word.to_string();
            match written.as_str() {
                "title" => once(&mut self.title, input.parse()?, &written, span)?,
                "hint" => once(&mut self.hint, input.parse()?, &written, span)?,
                "default" => once(&mut self.default, value(input)?, &written, span)?,
                "options" => once(&mut self.options, choice(input)?, &written, span)?,
                "directory" => self.come_from(directory(input)?, span)?,
                "record" => self.come_from(record(input)?, span)?,
                "address" => {
                    let pattern = quote!(::tenon_sdk::declare::ADDRESS);
                    once(&mut self.pattern, pattern, "pattern", span)?;
                }
                "pattern" => {
                    let pattern: LitStr = value(input)?;
                    once(&mut self.pattern, quote!(#pattern), "pattern", span)?;
                }
                "min" => once(&mut self.min, value(input)?, &written, span)?,
                "max" => once(&mut self.max, value(input)?, &written, span)?,
                "among" => {
                    let inside;
                    parenthesized!(inside in input);
                    let listed = Punctuated::<LitInt, Token![,]>::parse_terminated(&inside)?;
                    let listed = listed.into_iter().collect();
                    once(&mut self.among, listed, &written, span)?;
                }
                "needed_when" => {
                    let inside;
                    parenthesized!(inside in input);
                    once(&mut self.needed, inside.parse()?, &written, span)?;
                }
                _ => return Err(Error::new(span, FIELD_WORDS)),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn come_from(&mut self, source: TokenStream, span: Span) -> Result<()> {
        match self.source.replace(source) {
            None => Ok(()),
            Some(_) => Err(Error::new(
                span,
                "the values come from one place: a directory or a kind of record",
            )),
        }
    }

    /// What a type makes its schema of.
    fn words(&self) -> TokenStream {
        let option = |value: Option<TokenStream>| match value {
            Some(value) => quote!(::core::option::Option::Some(#value)),
            None => quote!(::core::option::Option::None),
        };
        let options = option(self.options.as_ref().map(|name| quote!(#name)));
        let source = option(self.source.clone());
        let pattern = option(self.pattern.clone());
        let min = option(self.min.as_ref().map(|min| quote!(#min)));
        let max = option(self.max.as_ref().map(|max| quote!(#max)));
        let among = self.among.iter().flatten();
        quote! {
            ::tenon_sdk::declare::Words {
                options: #options,
                source: #source,
                pattern: #pattern,
                min: #min,
                max: #max,
                among: &[#(#among),*],
            }
        }
    }
}

/// The attributes that are this macro's.
fn own(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("setting"))
}

/// The value behind a word: `= 15`.
fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// The name of a choice: `= statuses`, or `= "order-statuses"`.
fn choice(input: ParseStream<'_>) -> Result<String> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        return Ok(input.parse::<LitStr>()?.value());
    }
    Ok(name(&input.parse()?))
}

fn directory(input: ParseStream<'_>) -> Result<TokenStream> {
    let directory: Ident = value(input)?;
    let text = dashed(&directory.to_string(), '-');
    Ok(quote! {
        ::tenon_sdk::declare::Source::Directory(
            ::tenon_sdk::model::Directory::#directory,
            #text,
        )
    })
}

fn record(input: ParseStream<'_>) -> Result<TokenStream> {
    let kind: Ident = value(input)?;
    if kind == "Stock" {
        return Err(Error::new(
            kind.span(),
            "a level of stock has no name to be chosen by",
        ));
    }
    let text = dashed(&kind.to_string(), '-');
    Ok(quote! {
        ::tenon_sdk::declare::Source::Record(::tenon_sdk::model::RecordKind::#kind, #text)
    })
}

/// The fields of which exactly one is given.
fn alternatives(input: &DeriveInput, fields: &FieldsNamed) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for attribute in own(&input.attrs) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            let word: Ident = input.parse()?;
            if word != "one_of" {
                let known = "settings as a whole say `one_of(field, other)`";
                return Err(Error::new(word.span(), known));
            }
            let inside;
            parenthesized!(inside in input);
            let listed = Punctuated::<Ident, Token![,]>::parse_terminated(&inside)?;
            for field in listed {
                known(&field, fields)?;
                names.push(name(&field));
            }
            Ok(())
        })?;
    }
    Ok(names)
}

/// Fails for what is none of the fields.
fn known(field: &Ident, fields: &FieldsNamed) -> Result<()> {
    let mut all = fields.named.iter().filter_map(|field| field.ident.as_ref());
    if all.any(|known| known == field) {
        return Ok(());
    }
    Err(Error::new_spanned(
        field,
        format!("there is no setting `{field}` here"),
    ))
}

fn of_struct(input: &DeriveInput, fields: &FieldsNamed) -> Result<TokenStream> {
    let ident = &input.ident;
    let alternatives = alternatives(input, fields)?;
    let mut members = Vec::new();
    let mut reads = Vec::new();
    let mut takes = Vec::new();
    let mut schemas = Vec::new();
    let mut keys = Vec::new();
    let mut needs = Vec::new();
    for field in &fields.named {
        let Some(member) = &field.ident else { continue };
        let said = Said::of(member, &field.attrs)?;
        let ty = &field.ty;
        let key = name(member);
        members.push(member);
        reads.push(quote! {
            #[serde(default, deserialize_with = "::tenon_sdk::declare::private::given")]
            #member: ::core::option::Option<#ty>
        });
        takes.push(take(member, &key, ty, said.default.as_ref()));
        schemas.push(schema(&key, ty, &said));
        let source = match &said.source {
            Some(source) => quote!(::core::option::Option::Some(#source)),
            None => quote!(::core::option::Option::None),
        };
        keys.push(quote! {
            ::tenon_sdk::declare::Setting::keys(
                &self.#member,
                &::tenon_sdk::declare::private::member(path, #key),
                #source,
                found,
            );
        });
        if let Some(Needed { setting, value }) = &said.needed {
            known(setting, fields)?;
            let other = name(setting);
            needs.push(quote!(schema.need(#key, #other, #value);));
        }
    }
    let alternatives = match alternatives.as_slice() {
        [] => quote!(),
        names => quote!(schema.one_of(&[#(#names),*]);),
    };
    Ok(quote! {
        const _: () = {
            use ::tenon_sdk::declare::private::serde;

            #[derive(serde::Deserialize)]
            #[serde(crate = "::tenon_sdk::declare::private::serde", deny_unknown_fields)]
            struct Read { #(#reads),* }

            impl<'de> serde::Deserialize<'de> for #ident {
                fn deserialize<D: serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    let read = <Read as serde::Deserialize>::deserialize(deserializer)?;
                    ::core::result::Result::Ok(#ident { #(#members: #takes),* })
                }
            }

            impl ::tenon_sdk::declare::Setting for #ident {
                fn schema(_: &::tenon_sdk::declare::Words) -> ::tenon_sdk::declare::Schema {
                    let mut schema = ::tenon_sdk::declare::private::Members::new();
                    #(#schemas)*
                    #alternatives
                    #(#needs)*
                    schema.done()
                }

                fn keys<'a>(
                    &'a self,
                    path: &str,
                    _: ::core::option::Option<::tenon_sdk::declare::Source>,
                    found: &mut ::std::vec::Vec<::tenon_sdk::declare::Named<'a>>,
                ) {
                    let _ = (path, &found);
                    #(#keys)*
                }
            }

            impl ::tenon_sdk::declare::Settings for #ident {}
        };
    })
}

/// The value of a field: as it was read, else as it is unless an admin says otherwise.
fn take(member: &Ident, key: &str, ty: &Type, default: Option<&Lit>) -> TokenStream {
    match default {
        Some(default) => {
            let default = match default {
                Lit::Str(text) => quote!(<#ty as ::core::convert::From<&str>>::from(#text)),
                other => quote!(#other),
            };
            quote! {
                match read.#member {
                    ::core::option::Option::Some(given) => given,
                    ::core::option::Option::None => #default,
                }
            }
        }
        None => quote!(::tenon_sdk::declare::private::or_absent(read.#member, #key)?),
    }
}

/// Puts a field into the schema.
fn schema(key: &str, ty: &Type, said: &Said) -> TokenStream {
    let words = said.words();
    let Some(title) = said.title.as_ref().map(Text::constant) else {
        return quote!();
    };
    let hint = match said.hint.as_ref().map(Text::constant) {
        Some(hint) => quote!(::core::option::Option::Some(#hint)),
        None => quote!(::core::option::Option::None),
    };
    let default = match &said.default {
        Some(default) => quote! {
            ::core::option::Option::Some(
                ::tenon_sdk::declare::private::serde_json::Value::from(#default),
            )
        },
        None => quote!(::core::option::Option::None),
    };
    quote!(schema.add::<#ty>(#key, &#words, #title, #hint, #default);)
}

// ---- enums

/// What is said of a word of an enum.
struct Word {
    name: String,
    title: Text,
}

fn of_enum(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let ident = &input.ident;
    let mut words = Vec::new();
    let mut variants = Vec::new();
    let mut default = None;
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(
                variant,
                "a word to be chosen holds nothing; what belongs to it is a setting of its own with \
                 `needed_when(…)`",
            ));
        }
        let mut title = None;
        for attribute in own(&variant.attrs) {
            attribute.parse_args_with(|input: ParseStream<'_>| {
                while !input.is_empty() {
                    let word = input.call(<Ident as syn::ext::IdentExt>::parse_any)?;
                    match word.to_string().as_str() {
                        "title" => once(&mut title, input.parse()?, "title", word.span())?,
                        "default" => once(&mut default, &variant.ident, "default", word.span())?,
                        _ => {
                            let known = "a word says `title(…)` or `default`";
                            return Err(Error::new(word.span(), known));
                        }
                    }
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        let Some(title) = title else {
            return Err(Error::new_spanned(
                variant,
                format!(
                    "people do not know what `{}` is: say \
                     `#[setting(title(en: \"…\", uk: \"…\", ru: \"…\"))]`",
                    variant.ident
                ),
            ));
        };
        let name = dashed(&name(&variant.ident), '_');
        words.push(Word { name, title });
        variants.push(&variant.ident);
    }
    let names: Vec<&str> = words.iter().map(|word| word.name.as_str()).collect();
    let titles = words.iter().map(|word| word.title.constant());
    let absent = match default {
        Some(variant) => {
            let text = dashed(&name(variant), '_');
            quote! {
                fn absent() -> ::core::option::Option<Self> {
                    ::core::option::Option::Some(#ident::#variant)
                }

                fn absent_json() -> ::core::option::Option<
                    ::tenon_sdk::declare::private::serde_json::Value,
                > {
                    ::core::option::Option::Some(#text.into())
                }
            }
        }
        None => quote!(),
    };
    Ok(quote! {
        const _: () = {
            use ::tenon_sdk::declare::private::serde;

            impl<'de> serde::Deserialize<'de> for #ident {
                fn deserialize<D: serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    let word = <::std::string::String as serde::Deserialize>::deserialize(deserializer)?;
                    match word.as_str() {
                        #(#names => ::core::result::Result::Ok(#ident::#variants),)*
                        _ => ::core::result::Result::Err(
                            <D::Error as serde::de::Error>::unknown_variant(&word, &[#(#names),*]),
                        ),
                    }
                }
            }

            impl ::tenon_sdk::declare::Setting for #ident {
                fn schema(_: &::tenon_sdk::declare::Words) -> ::tenon_sdk::declare::Schema {
                    ::tenon_sdk::declare::private::words(&[#((#names, #titles)),*])
                }

                #absent
            }
        };
    })
}
