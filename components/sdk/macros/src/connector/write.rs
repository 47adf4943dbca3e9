//! What a declaration comes to.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Result};

use super::line::{Asks, Endpoint, Head, Job};
use super::{Declared, line};
use crate::words;

pub fn write(declared: &Declared) -> Result<TokenStream> {
    let Some(head) = &declared.head else {
        let advice = "it begins with `pub struct Mine = \"mine\", title(…);`";
        return Err(Error::new(Span::call_site(), advice));
    };
    let missing = |line: &str| Error::new(head.ident.span(), format!("there is no `{line}`"));
    let settings = declared.settings.as_ref();
    let settings = settings.ok_or_else(|| missing("settings MySettings;"))?;
    let check = declared.check.as_ref();
    let check = check.ok_or_else(|| missing("check => my_check;"))?;
    if declared.jobs.is_empty() {
        return Err(missing("job NAME = …;"));
    }
    let Head {
        attributes,
        visibility,
        ident,
        name,
        ..
    } = head;
    let describe = describe(declared, head, settings);
    let accessors = declared.endpoints.iter();
    let accessors = accessors.map(|endpoint| accessor(endpoint, settings));
    let first = match declared.endpoints.first() {
        Some(line::Endpoint { name, .. }) => quote!(Self::#name()),
        None => quote!(::core::result::Result::Err(
            ::tenon_sdk::declare::private::no_endpoint(),
        )),
    };
    let choices = declared.choices.iter();
    let choices = choices.map(|(name, function)| quote!(#name => #function(),));
    let jobs = declared.jobs.iter().map(|job| dispatch(job, settings));
    let others = others(declared);
    Ok(quote! {
        #(#attributes)*
        #visibility struct #ident;

        impl #ident {
            /// What a record of the counterpart is called everywhere else.
            pub fn origin(
                kind: &str,
                id: impl ::core::fmt::Display,
            ) -> ::tenon_sdk::model::Origin {
                ::tenon_sdk::origin::origin(#name, kind, id)
            }

            #(#accessors)*
        }

        impl ::tenon_sdk::declare::Declared for #ident {
            const NAME: &'static str = #name;

            fn api() -> ::core::result::Result<
                ::tenon_sdk::http::Api,
                ::tenon_sdk::model::Fault,
            > {
                #first
            }
        }

        impl ::tenon_sdk::Connector for #ident {
            #describe

            fn choices(
                option: &str,
            ) -> ::core::result::Result<
                ::std::vec::Vec<::tenon_sdk::model::Choice>,
                ::tenon_sdk::model::Fault,
            > {
                match option {
                    #(#choices)*
                    other => ::core::result::Result::Err(::tenon_sdk::unknown_option(other)),
                }
            }

            fn check() -> ::core::result::Result<
                ::tenon_sdk::model::Account,
                ::tenon_sdk::model::Fault,
            > {
                #check()
            }

            fn run(
                job: &str,
                argument: ::core::option::Option<&str>,
                cause: &::tenon_sdk::model::Cause,
            ) -> ::core::result::Result<
                ::tenon_sdk::model::Outcome,
                ::tenon_sdk::model::Fault,
            > {
                match job {
                    #(#jobs)*
                    other => ::core::result::Result::Err(::tenon_sdk::unknown_job(other)),
                }
            }

            #others
        }

        ::tenon_sdk::export!(#ident);
    })
}

fn dispatch(job: &Job, settings: &syn::Path) -> TokenStream {
    let name = &job.name;
    let function = &job.function;
    quote! {
        #name => ::tenon_sdk::declare::private::call::<#settings>(job, argument, cause, #function),
    }
}

/// Gives the API of an endpoint.
fn accessor(endpoint: &Endpoint, settings: &syn::Path) -> TokenStream {
    let Endpoint {
        name,
        origin,
        errors,
        ..
    } = endpoint;
    let credential = match endpoint.credentials.first() {
        Some(first) => {
            let first = first.to_string();
            quote!(::core::option::Option::Some(#first))
        }
        None => quote!(::core::option::Option::None),
    };
    let doc = format!("The API at the endpoint `{name}`.");
    quote! {
        #[doc = #doc]
        ///
        /// # Errors
        /// `configuration` when the settings hold no address.
        pub fn #name() -> ::core::result::Result<::tenon_sdk::http::Api, ::tenon_sdk::model::Fault> {
            ::tenon_sdk::declare::private::api::<#settings>(#origin, #credential, &[#(#errors),*])
        }
    }
}

fn describe(declared: &Declared, head: &Head, settings: &syn::Path) -> TokenStream {
    let name = &head.name;
    let title = head.title.pairs();
    let options = declared.choices.iter().map(|(name, _)| name);
    let credentials = declared.credentials.iter().map(credential);
    let endpoints = declared.endpoints.iter().map(endpoint);
    let jobs = declared.jobs.iter().map(job);
    let actions = declared.actions.iter().map(action);
    let state = declared.state.unwrap_or(1);
    let webhooks = match &declared.webhooks {
        None => quote!(::core::option::Option::None),
        Some(signature) => webhooks(signature.as_ref()),
    };
    quote! {
        fn describe() -> ::tenon_sdk::model::ConnectorManifest {
            use ::std::borrow::ToOwned as _;

            ::tenon_sdk::model::ConnectorManifest {
                name: #name.to_owned(),
                version: ::core::env!("CARGO_PKG_VERSION").to_owned(),
                title: #title,
                settings_schema: <#settings as ::tenon_sdk::declare::Settings>::json_schema(),
                options: ::std::vec![#(#options.to_owned()),*],
                credentials: ::std::vec![#(#credentials),*],
                endpoints: ::std::vec![#(#endpoints),*],
                webhooks: #webhooks,
                jobs: ::std::vec![#(#jobs),*],
                actions: ::std::vec![#(#actions),*],
                state_version: #state,
                reasons: ::tenon_sdk::reasons!(),
            }
        }
    }
}

fn credential(credential: &line::Credential) -> TokenStream {
    let name = credential.name.to_string();
    let title = credential.title.pairs();
    let scheme = &credential.scheme;
    quote! {
        ::tenon_sdk::model::Credential {
            name: #name.to_owned(),
            title: #title,
            scheme: ::tenon_sdk::model::AuthScheme::#scheme,
        }
    }
}

fn endpoint(endpoint: &Endpoint) -> TokenStream {
    let origin = &endpoint.origin;
    let credentials = endpoint.credentials.iter().map(ToString::to_string);
    let budgets = endpoint.budgets.iter().map(|budget| {
        let (units, window_ms) = (budget.units, budget.window_ms);
        let name = |ident: &Option<syn::Ident>| match ident.as_ref().map(words::name) {
            Some(name) => quote!(::core::option::Option::Some(#name.to_owned())),
            None => quote!(::core::option::Option::None),
        };
        let (setting, credential) = (name(&budget.setting), name(&budget.credential));
        quote! {
            ::tenon_sdk::model::Budget {
                units: #units,
                setting: #setting,
                window_ms: #window_ms,
                credential: #credential,
            }
        }
    });
    let parallel = endpoint.parallel.unwrap_or(1);
    let costs = endpoint.costs.iter();
    let costs = costs.map(|(path, cost)| quote!((#path.to_owned(), #cost)));
    let reads = endpoint.reads.iter().map(|(method, path)| {
        let method = method.to_string();
        quote! {
            ::tenon_sdk::model::Read {
                method: #method.to_owned(),
                path: #path.to_owned(),
            }
        }
    });
    let redirects = endpoint.redirects.is_some();
    quote! {
        ::tenon_sdk::model::Endpoint {
            origin: #origin.to_owned(),
            credentials: ::std::vec![#(#credentials.to_owned()),*],
            budgets: ::std::vec![#(#budgets),*],
            parallel: #parallel,
            costs: ::std::vec![#(#costs),*],
            reads: ::std::vec![#(#reads),*],
            redirects: #redirects,
        }
    }
}

fn job(job: &Job) -> TokenStream {
    let id = &job.name;
    let title = job.title.pairs();
    let schedule = match &job.schedule {
        Some(cron) => quote!(::core::option::Option::Some(#cron.to_owned())),
        None => quote!(::core::option::Option::None),
    };
    let listens = &job.listens;
    quote! {
        ::tenon_sdk::model::Job {
            id: #id.to_owned(),
            title: #title,
            schedule: #schedule,
            listens_to: ::std::vec![#(#listens),*],
        }
    }
}

fn action(action: &line::Action) -> TokenStream {
    let id = &action.name;
    let title = action.title.pairs();
    let kind = &action.kind;
    quote! {
        ::tenon_sdk::model::Action {
            id: #id.to_owned(),
            title: #title,
            record_kind: ::tenon_sdk::model::RecordKind::#kind,
        }
    }
}

fn webhooks(signature: Option<&line::Signature>) -> TokenStream {
    let signature = match signature {
        Some(line::Signature {
            credential,
            header,
            scheme,
        }) => {
            let credential = credential.to_string();
            quote! {
                ::core::option::Option::Some(::tenon_sdk::model::WebhookSignature {
                    credential: #credential.to_owned(),
                    header: #header.to_owned(),
                    scheme: ::tenon_sdk::model::WebhookScheme::#scheme,
                })
            }
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::core::option::Option::Some(::tenon_sdk::model::Webhooks { signature: #signature })
    }
}

/// What a connector may have or not.
fn others(declared: &Declared) -> TokenStream {
    let done = quote! {
        ::core::result::Result<(), ::tenon_sdk::model::Fault>
    };
    let enable = declared.enable.as_ref().map(|function| {
        quote! { fn enable(callback: &str) -> #done { #function(callback) } }
    });
    let disable = declared.disable.as_ref().map(|function| {
        quote! { fn disable() -> #done { #function() } }
    });
    let migrate = (!declared.migrations.is_empty()).then(|| {
        let state = declared.state.unwrap_or(1);
        let steps = declared.migrations.iter();
        let steps = steps.map(|(from, _, function)| {
            quote! {
                if version == #from {
                    #function()?;
                    version += 1;
                }
            }
        });
        quote! {
            fn migrate(from_version: u32) -> #done {
                let mut version = from_version;
                #(#steps)*
                ::tenon_sdk::declare::private::migrated(from_version, version, #state)
            }
        }
    });
    let receive = (!declared.hooks.is_empty()).then(|| {
        let topics = declared.hooks.iter().map(|hook| {
            let topic = hook.topic.to_string();
            match &hook.asks {
                Asks::Function(function) => quote!(#topic => #function(webhook),),
                Asks::Job(job) => {
                    let job = job.to_string();
                    quote! {
                        #topic => ::core::result::Result::Ok(
                            ::std::vec![::tenon_sdk::declare::private::whole(#job)],
                        ),
                    }
                }
            }
        });
        quote! {
            fn receive(
                webhook: &::tenon_sdk::model::Webhook,
            ) -> ::core::result::Result<
                ::std::vec::Vec<::tenon_sdk::model::Request>,
                ::tenon_sdk::model::Fault,
            > {
                match webhook.topic.as_str() {
                    #(#topics)*
                    other => ::core::result::Result::Err(
                        ::tenon_sdk::declare::private::unknown_topic(other),
                    ),
                }
            }
        }
    });
    quote! { #enable #disable #migrate #receive }
}
