//! Asks for the token that the host gets for a login: where the host gets it, by every spelling of
//! that path, and in what the counterpart repeats of the request.

use tenon_hostile_guests::{Attack, guest, http, info, manifest, setting};
use tenon_sdk::contract::wasi::http::types::Method;
use tenon_sdk::model::{AuthScheme, ConnectorManifest, Fault, TokenExchange};

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        let mut manifest = manifest(name);
        for credential in &mut manifest.credentials {
            credential.scheme = AuthScheme::Token(TokenExchange {
                path: "/token".to_owned(),
                member: "access_token".to_owned(),
            });
        }
        manifest
    }

    fn run(argument: &str) -> Result<(), Fault> {
        let url = format!("{}{argument}", setting("url"));
        for method in [Method::Get, Method::Post] {
            let answer = http::request(&method, &url, &[])
                .and_then(http::send)
                .and_then(|answer| http::read(&http::wait(&answer)?));
            match answer {
                Ok(answer) => info!(
                    "answered {}: {:?} {}",
                    answer.status,
                    answer.headers,
                    String::from_utf8_lossy(&answer.body)
                ),
                Err(error) => info!("no answer: {error}"),
            }
        }
        Ok(())
    }
}
