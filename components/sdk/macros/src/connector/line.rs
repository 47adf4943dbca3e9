//! The lines of a declaration.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Ident, LitInt, LitStr, Path, Result, Token, Visibility, parenthesized,
};

use crate::words::{Text, once};

const LINES: &str = "a line begins with `pub struct`, `settings`, `state`, `migrate`, `credential`, \
    `endpoint`, `check`, `choice`, `job`, `action`, `webhooks`, `hook`, `enable` or `disable`";

/// One line.
pub enum Line {
    Head(Head),
    Settings(Path),
    State(u32),
    Migrate(u32, Path),
    Credential(Credential),
    Endpoint(Endpoint),
    Check(Path),
    Choice(String, Path),
    Job(Job),
    Action(Action),
    Webhooks(Option<Signature>),
    Hook(Hook),
    Enable(Path),
    Disable(Path),
}

impl Parse for Line {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![#]) || input.peek(Token![pub]) || input.peek(Token![struct]) {
            return input.parse().map(Line::Head);
        }
        let word = input.call(Ident::parse_any)?;
        Ok(match word.to_string().as_str() {
            "settings" => Line::Settings(path(input)?),
            "state" => Line::State(input.parse::<LitInt>()?.base10_parse()?),
            "migrate" => Line::Migrate(input.parse::<LitInt>()?.base10_parse()?, function(input)?),
            "credential" => Line::Credential(input.parse()?),
            "endpoint" => Line::Endpoint(input.parse()?),
            "check" => Line::Check(function(input)?),
            "choice" => Line::Choice(listed(input)?.value(), function(input)?),
            "job" => Line::Job(input.parse()?),
            "action" => Line::Action(input.parse()?),
            "webhooks" => Line::Webhooks(signature(input)?),
            "hook" => Line::Hook(input.parse()?),
            "enable" => Line::Enable(function(input)?),
            "disable" => Line::Disable(function(input)?),
            _ => return Err(Error::new(word.span(), LINES)),
        })
    }
}

fn path(input: ParseStream<'_>) -> Result<Path> {
    input.call(Path::parse_mod_style)
}

/// `=> module::function`.
fn function(input: ParseStream<'_>) -> Result<Path> {
    if !input.peek(Token![=>]) {
        return Err(input.error("the function that does it stands behind `=>`"));
    }
    input.parse::<Token![=>]>()?;
    path(input)
}

/// A name that may have dashes in it, or be a word of Rust, and then stands in quotes.
fn listed(input: ParseStream<'_>) -> Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    let name: Ident = input.parse()?;
    Ok(LitStr::new(&name.to_string(), name.span()))
}

/// What stands in parentheses.
fn inside<T>(input: ParseStream<'_>, read: impl FnOnce(ParseStream<'_>) -> Result<T>) -> Result<T> {
    let inside;
    parenthesized!(inside in input);
    let read = read(&inside)?;
    match inside.is_empty() {
        true => Ok(read),
        false => Err(inside.error("nothing more belongs here")),
    }
}

/// The clauses of a line, each a word with what it takes.
fn clauses(
    input: ParseStream<'_>,
    mut read: impl FnMut(&Ident, &str, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    while input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        if !input.peek(Ident::peek_any) {
            break;
        }
        let word = input.call(Ident::parse_any)?;
        read(&word, &word.to_string(), input)?;
    }
    Ok(())
}

fn need<T>(value: Option<T>, name: &Ident, missing: &str) -> Result<T> {
    need_of(value, &LitStr::new(&name.to_string(), name.span()), missing)
}

fn need_of<T>(value: Option<T>, name: &LitStr, missing: &str) -> Result<T> {
    let told = || format!("`{}` has no `{missing}`", name.value());
    value.ok_or_else(|| Error::new(name.span(), told()))
}

const TITLE: &str = "title(en: \"…\", uk: \"…\", ru: \"…\")";

/// The type, its name in origins, its title.
pub struct Head {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub ident: Ident,
    pub name: LitStr,
    pub title: Text,
}

impl Parse for Head {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let ident: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let name: LitStr = input.parse()?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.value().is_empty() || !name.value().chars().all(is_plain) {
            let advice =
                "the name is the first part of all origins: lower case letters, digits, `-`";
            return Err(Error::new(name.span(), advice));
        }
        let mut title = None;
        clauses(input, |word, written, input| match written {
            "title" => once(&mut title, input.parse()?, written, word.span()),
            _ => Err(Error::new(word.span(), "a connector says `title(…)`")),
        })?;
        let title = need(title, &ident, TITLE)?;
        Ok(Head {
            attributes,
            visibility,
            ident,
            name,
            title,
        })
    }
}

/// A secret that an admin gives.
pub struct Credential {
    pub name: Ident,
    pub scheme: TokenStream,
    pub title: Text,
}

const SCHEMES: &str = "a credential is `bearer`, `basic`, `header(\"X-Key\")`, \
    `token(\"/path\", \"member\")` or `webhook`";

impl Parse for Credential {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let word: Ident = input.parse()?;
        let scheme = match word.to_string().as_str() {
            "bearer" => quote!(Bearer),
            "basic" => quote!(Basic),
            "webhook" => quote!(Webhook),
            "header" => {
                let header: LitStr = inside(input, |input| input.parse())?;
                quote!(Header(::std::borrow::ToOwned::to_owned(#header)))
            }
            "token" => {
                let (path, member) = inside(input, |input| {
                    let path: LitStr = input.parse()?;
                    input.parse::<Token![,]>()?;
                    Ok((path, input.parse::<LitStr>()?))
                })?;
                quote! {
                    Token(::tenon_sdk::model::TokenExchange {
                        path: ::std::borrow::ToOwned::to_owned(#path),
                        member: ::std::borrow::ToOwned::to_owned(#member),
                    })
                }
            }
            _ => return Err(Error::new(word.span(), SCHEMES)),
        };
        let mut title = None;
        clauses(input, |word, written, input| match written {
            "title" => once(&mut title, input.parse()?, written, word.span()),
            _ => Err(Error::new(word.span(), "a credential says `title(…)`")),
        })?;
        let title = need(title, &name, TITLE)?;
        Ok(Credential {
            name,
            scheme,
            title,
        })
    }
}

/// A place that the connector talks to.
pub struct Endpoint {
    pub name: Ident,
    pub origin: LitStr,
    pub credentials: Vec<Ident>,
    pub budgets: Vec<Budget>,
    pub parallel: Option<u32>,
    pub costs: Vec<(LitStr, u32)>,
    pub reads: Vec<(Ident, LitStr)>,
    pub redirects: Option<()>,
    pub errors: Vec<LitStr>,
}

/// So many units in any window of this length.
pub struct Budget {
    pub units: u32,
    /// The setting that says how many units there are.
    pub setting: Option<Ident>,
    pub window_ms: u64,
    pub credential: Option<Ident>,
}

const ENDPOINT_WORDS: &str = "an endpoint says `credentials(…)`, `budget(60 per 60 s)`, \
    `parallel(2)`, `cost(\"/report\" = 5)`, `reads(POST \"/search\")`, `redirects` or \
    `errors(\"error\")`";

impl Endpoint {
    /// The credentials that it names.
    pub fn named(&self) -> impl Iterator<Item = &Ident> {
        let budgets = self.budgets.iter();
        let of_budgets = budgets.filter_map(|budget| budget.credential.as_ref());
        self.credentials.iter().chain(of_budgets)
    }
}

impl Parse for Endpoint {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let mut endpoint = Endpoint {
            name: name.clone(),
            origin: input.parse()?,
            credentials: Vec::new(),
            budgets: Vec::new(),
            parallel: None,
            costs: Vec::new(),
            reads: Vec::new(),
            redirects: None,
            errors: Vec::new(),
        };
        clauses(input, |word, written, input| {
            match written {
                "credentials" => {
                    let named = inside(input, Punctuated::<Ident, Token![,]>::parse_terminated)?;
                    endpoint.credentials.extend(named);
                }
                "budget" => endpoint.budgets.push(inside(input, |input| input.parse())?),
                "parallel" => {
                    let most: LitInt = inside(input, |input| input.parse())?;
                    once(
                        &mut endpoint.parallel,
                        most.base10_parse()?,
                        written,
                        word.span(),
                    )?;
                }
                "cost" => endpoint.costs.push(inside(input, |input| {
                    let path = input.parse()?;
                    input.parse::<Token![=]>()?;
                    Ok((path, input.parse::<LitInt>()?.base10_parse()?))
                })?),
                "reads" => {
                    let read = inside(input, |input| Ok((input.parse()?, input.parse()?)))?;
                    endpoint.reads.push(read);
                }
                "redirects" => once(&mut endpoint.redirects, (), written, word.span())?,
                "errors" => {
                    let named = inside(input, Punctuated::<LitStr, Token![,]>::parse_terminated)?;
                    endpoint.errors.extend(named);
                }
                _ => return Err(Error::new(word.span(), ENDPOINT_WORDS)),
            }
            Ok(())
        })?;
        if endpoint.budgets.is_empty() {
            let advice = "say what the counterpart allows, as `budget(60 per 60 s)`, or what is \
                polite where it tells nothing";
            return Err(Error::new(name.span(), advice));
        }
        Ok(endpoint)
    }
}

impl Parse for Budget {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let number = |input: ParseStream<'_>| input.parse::<LitInt>();
        let units = number(input)?.base10_parse()?;
        let per: Ident = input.parse()?;
        let window: u64 = number(input)?.base10_parse()?;
        let unit: Ident = input.parse()?;
        let factor = match (per.to_string().as_str(), unit.to_string().as_str()) {
            ("per", "ms") => 1,
            ("per", "s") => 1_000,
            ("per", "min") => 60_000,
            ("per", "h") => 3_600_000,
            _ => {
                let advice = "a budget is `60 per 60 s`; the units are `ms`, `s`, `min` and `h`";
                return Err(Error::new(per.span(), advice));
            }
        };
        let mut credential = None;
        let mut setting = None;
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "of" => once(&mut credential, input.parse()?, "of", word.span())?,
                "by" => once(&mut setting, input.parse()?, "by", word.span())?,
                _ => {
                    let known = "a budget ends with `of` the credential that it counts, or `by` the \
                        setting that says how many there are";
                    return Err(Error::new(word.span(), known));
                }
            }
        }
        Ok(Budget {
            units,
            setting,
            window_ms: window * factor,
            credential,
        })
    }
}

/// Work on a schedule, or when something happens.
pub struct Job {
    pub name: LitStr,
    pub title: Text,
    pub schedule: Option<LitStr>,
    pub listens: Vec<TokenStream>,
    pub function: Path,
}

impl Parse for Job {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = listed(input)?;
        // Nothing need be said of when it runs, so the title may be the first.
        let _: Token![=] = input.parse()?;
        let (mut title, mut schedule, mut listens) = (None, None, Vec::new());
        let mut clause = |word: &Ident, written: &str, input: ParseStream<'_>| {
            match written {
                "title" => once(&mut title, input.parse()?, written, word.span())?,
                "every" => {
                    let cron: LitStr = inside(input, |input| input.parse())?;
                    if !(5..=6).contains(&cron.value().split_whitespace().count()) {
                        let advice = "when it runs is a cron expression such as `*/10 * * * *`";
                        return Err(Error::new(cron.span(), advice));
                    }
                    once(&mut schedule, cron, written, word.span())?;
                }
                "changed" | "visited" => {
                    let kind: Ident = inside(input, |input| input.parse())?;
                    let hears = match written {
                        "changed" => quote!(Changed),
                        _ => quote!(Visited),
                    };
                    listens.push(quote! {
                        ::tenon_sdk::model::Subscription::#hears(
                            ::tenon_sdk::model::RecordKind::#kind,
                        )
                    });
                }
                _ => {
                    let known = "a job says `every(\"cron\")`, `changed(Order)`, \
                        `visited(Partner)` and `title(…)`";
                    return Err(Error::new(word.span(), known));
                }
            }
            Ok(())
        };
        let first = input.call(Ident::parse_any)?;
        clause(&first, &first.to_string(), input)?;
        clauses(input, clause)?;
        let title = need_of(title, &name, TITLE)?;
        Ok(Job {
            title,
            schedule,
            listens,
            function: function(input)?,
            name,
        })
    }
}

/// A button on a record, which asks for the job of its name.
pub struct Action {
    pub name: LitStr,
    pub kind: Ident,
    pub title: Text,
}

impl Parse for Action {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = listed(input)?;
        input.parse::<Token![=]>()?;
        let on: Ident = input.parse()?;
        if on != "on" {
            let known = "an action says which records have the button: `on(Warehouse)`";
            return Err(Error::new(on.span(), known));
        }
        let kind = inside(input, |input| input.parse())?;
        let mut title = None;
        clauses(input, |word, written, input| match written {
            "title" => once(&mut title, input.parse()?, written, word.span()),
            _ => Err(Error::new(
                word.span(),
                "an action says `on(…)` and `title(…)`",
            )),
        })?;
        let title = need_of(title, &name, TITLE)?;
        Ok(Action { name, kind, title })
    }
}

/// How webhooks are signed.
pub struct Signature {
    pub credential: Ident,
    pub header: LitStr,
    pub scheme: TokenStream,
}

/// `unsigned`, or `signed(credential, "X-Signature", hmac_sha256_hex)`.
fn signature(input: ParseStream<'_>) -> Result<Option<Signature>> {
    let word: Ident = input.parse()?;
    match word.to_string().as_str() {
        "unsigned" => Ok(None),
        "signed" => inside(input, |input| {
            let credential = input.parse()?;
            input.parse::<Token![,]>()?;
            let header = input.parse()?;
            input.parse::<Token![,]>()?;
            let scheme: Ident = input.parse()?;
            let scheme = match scheme.to_string().as_str() {
                "hmac_sha256_hex" => quote!(HmacSha256Hex),
                "hmac_sha256_base64" => quote!(HmacSha256Base64),
                "secret" => quote!(Secret),
                _ => {
                    let known = "a signature is `hmac_sha256_hex`, `hmac_sha256_base64` or \
                        `secret`, the credential itself";
                    return Err(Error::new(scheme.span(), known));
                }
            };
            Ok(Some(Signature {
                credential,
                header,
                scheme,
            }))
        }),
        _ => Err(Error::new(
            word.span(),
            "webhooks are `unsigned` or `signed(credential, \"X-Signature\", hmac_sha256_hex)`",
        )),
    }
}

/// What a webhook of a topic asks for.
pub struct Hook {
    pub topic: Ident,
    pub asks: Asks,
}

/// A job as a whole, or what a function makes of it.
pub enum Asks {
    Job(Ident),
    Function(Path),
}

impl Parse for Hook {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let topic = input.parse()?;
        let ahead = input.fork();
        let is_job = ahead.parse::<Token![=>]>().is_ok() && ahead.peek(Ident) && ahead.peek2(Ident);
        if is_job {
            input.parse::<Token![=>]>()?;
            let word: Ident = input.parse()?;
            if word != "job" {
                let advice = "a webhook asks for `job NAME`, or for what a function makes of it";
                return Err(Error::new(word.span(), advice));
            }
            let asks = Asks::Job(input.parse()?);
            return Ok(Hook { topic, asks });
        }
        let asks = Asks::Function(function(input)?);
        Ok(Hook { topic, asks })
    }
}
