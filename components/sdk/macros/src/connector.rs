//! `connector!`: a manifest, and which function does what.

mod line;
mod write;

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Result, Token};

use line::Line;

/// All lines of a declaration, sorted by what they say.
#[derive(Default)]
pub struct Declared {
    head: Option<line::Head>,
    settings: Option<syn::Path>,
    state: Option<u32>,
    migrations: Vec<(u32, Span, syn::Path)>,
    credentials: Vec<line::Credential>,
    endpoints: Vec<line::Endpoint>,
    check: Option<syn::Path>,
    choices: Vec<(String, syn::Path)>,
    jobs: Vec<line::Job>,
    actions: Vec<line::Action>,
    webhooks: Option<Option<line::Signature>>,
    hooks: Vec<line::Hook>,
    enable: Option<syn::Path>,
    disable: Option<syn::Path>,
}

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut declared = Declared::default();
        while !input.is_empty() {
            let span = input.span();
            declared.take(input.parse()?, span)?;
            input.parse::<Token![;]>()?;
        }
        Ok(declared)
    }
}

impl Declared {
    fn take(&mut self, line: Line, span: Span) -> Result<()> {
        let once = |was: bool, word: &str| match was {
            false => Ok(()),
            true => Err(Error::new(span, format!("`{word}` is there twice"))),
        };
        match line {
            Line::Head(head) => once(self.head.replace(head).is_some(), "struct"),
            Line::Settings(path) => once(self.settings.replace(path).is_some(), "settings"),
            Line::State(version) => once(self.state.replace(version).is_some(), "state"),
            Line::Check(path) => once(self.check.replace(path).is_some(), "check"),
            Line::Enable(path) => once(self.enable.replace(path).is_some(), "enable"),
            Line::Disable(path) => once(self.disable.replace(path).is_some(), "disable"),
            Line::Webhooks(signed) => once(self.webhooks.replace(signed).is_some(), "webhooks"),
            Line::Migrate(version, path) => {
                self.migrations.push((version, span, path));
                Ok(())
            }
            Line::Credential(credential) => {
                self.credentials.push(credential);
                Ok(())
            }
            Line::Endpoint(endpoint) => {
                self.endpoints.push(endpoint);
                Ok(())
            }
            Line::Choice(name, path) => {
                self.choices.push((name, path));
                Ok(())
            }
            Line::Job(job) => {
                self.jobs.push(job);
                Ok(())
            }
            Line::Action(action) => {
                self.actions.push(action);
                Ok(())
            }
            Line::Hook(hook) => {
                self.hooks.push(hook);
                Ok(())
            }
        }
    }

    /// What no single line can be wrong about.
    fn judge(&self) -> Result<()> {
        for endpoint in &self.endpoints {
            for name in endpoint.named() {
                self.know_credential(name)?;
            }
        }
        if let Some(Some(signature)) = &self.webhooks {
            self.know_credential(&signature.credential)?;
        }
        for action in &self.actions {
            self.know_job(&action.name.value(), action.name.span())?;
        }
        for hook in &self.hooks {
            if let line::Asks::Job(job) = &hook.asks {
                self.know_job(&job.to_string(), job.span())?;
            }
        }
        if let (None, Some(hook)) = (&self.webhooks, self.hooks.first()) {
            let advice = "the host gives no address for webhooks: say `webhooks unsigned;`, or \
                `webhooks signed(…);` where the counterpart signs them";
            return Err(Error::new(hook.topic.span(), advice));
        }
        self.judge_migrations()
    }

    /// Migrations lead from the first of them to the version of today.
    fn judge_migrations(&self) -> Result<()> {
        let state = self.state.unwrap_or_default();
        for (place, (from, span, _)) in self.migrations.iter().enumerate() {
            let next = self.migrations.get(place + 1);
            let next = next.map_or(state, |(version, ..)| *version);
            if from + 1 != next {
                let told = format!("from {from} it goes to {}, and not to {next}", from + 1);
                return Err(Error::new(*span, told));
            }
        }
        Ok(())
    }

    fn know_credential(&self, name: &Ident) -> Result<()> {
        let mut all = self.credentials.iter();
        if all.any(|credential| credential.name == *name) {
            return Ok(());
        }
        let told = format!("there is no `credential {name} = …;`");
        Err(Error::new(name.span(), told))
    }

    fn know_job(&self, name: &str, span: Span) -> Result<()> {
        if self.jobs.iter().any(|job| job.name.value() == name) {
            return Ok(());
        }
        let told = format!("there is no `job {name} = …;`");
        Err(Error::new(span, told))
    }
}

pub fn expand(declared: Declared) -> Result<TokenStream> {
    declared.judge()?;
    write::write(&declared)
}
