//! `#[record]`: a record of the counterpart, read leniently.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Error, Fields, Result, Type, parse_quote};

/// Types that refuse what servers really send, and what to take instead.
const STRICT: [(&[&str], &str); 4] = [
    (&["f32", "f64"], "a float loses kopecks: use `Number`"),
    (
        &[
            "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize",
        ],
        "a number may come in quotes: use `Id` for what identifies, `Number` for amounts",
    ),
    (
        &["String", "str"],
        "a text may come as a number or as `null`: use `Text<'a>`",
    ),
    (&["bool"], "a flag may come as 0 or 1: use `Flag`"),
];

pub fn expand(arguments: TokenStream, input: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[record]` takes nothing"));
    }
    let mut input: DeriveInput = syn::parse2(input)?;
    let Data::Struct(data) = &mut input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "a record is a struct; read a word as `Text` and judge it in the mapping",
        ));
    };
    let Fields::Named(fields) = &mut data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            "a record has named fields",
        ));
    };
    for field in &mut fields.named {
        refuse_strict(&field.ty)?;
        if borrows(field.ty.to_token_stream()) {
            field.attrs.push(parse_quote!(#[serde(borrow)]));
        }
    }
    Ok(quote! {
        #[derive(
            Clone, Debug, Default, PartialEq, Hash, ::tenon_sdk::declare::private::serde::Deserialize,
        )]
        #[serde(default, crate = "::tenon_sdk::declare::private::serde")]
        #input
    })
}

/// Fails for a type that takes one way to write a value only, or an `Option` or a `Vec` of anything.
fn refuse_strict(ty: &Type) -> Result<()> {
    let refuse = |advice: &str| Err(Error::new_spanned(ty, advice));
    match ty {
        Type::Reference(_) => refuse("text may hold escapes, which borrow nothing: use `Text<'a>`"),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return Ok(());
            };
            let name = last.ident.to_string();
            match name.as_str() {
                "Option" => refuse("every field of a record may be absent: take the `Option` away"),
                "Vec" => refuse("a list may come as an object or not at all: use `List`"),
                _ => match STRICT
                    .iter()
                    .find(|(names, _)| names.contains(&name.as_str()))
                {
                    Some((_, advice)) => refuse(advice),
                    None => Ok(()),
                },
            }
        }
        _ => Ok(()),
    }
}

/// Whether a type has a lifetime in it.
fn borrows(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Punct(sign) => sign.as_char() == '\'',
        proc_macro2::TokenTree::Group(group) => borrows(group.stream()),
        _ => false,
    })
}
