//! How the host signs requests, and how it keeps a signature out of what a guest gets to see.
//!
//! The threat: a credential reaches a connector, or stays behind in memory. The value of a header
//! here lies in a buffer that is wiped when the last request that carries it is gone. A counterpart
//! that repeats what it was sent, as debugging pages do, would hand the credential to the guest, so
//! an answer that holds it word for word is withheld.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use memchr::memmem;
use url::Url;
use zeroize::Zeroizing;

use super::EgressError;
use crate::manifest::{AuthScheme, Credential, TokenExchange};
use crate::secret::Secret;

/// Shorter secrets would be found in answers by chance.
const SHORTEST_WITHHELD: usize = 8;

/// A header that signs requests, and what of it must not come back.
#[derive(Clone)]
pub(super) struct Signature {
    pub name: HeaderName,
    value: HeaderValue,
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", self.name)
    }
}

/// How requests to an endpoint are signed.
#[derive(Clone, Debug)]
pub(super) enum Signer {
    /// With the credential itself.
    Credential(Signature),
    /// With a token that is got for the credential.
    Token {
        /// Signs the request for a token.
        login: Signature,
        /// Where to ask.
        url: Url,
        /// Member of the answer that holds it.
        member: String,
    },
}

impl Signer {
    /// The signer of an endpoint at this origin.
    pub fn new(
        credential: &Credential,
        secret: &Secret,
        origin: &url::Origin,
    ) -> Result<Signer, EgressError> {
        let unsendable = || EgressError::UnsendableCredential(credential.name.clone());
        Ok(match &credential.scheme {
            AuthScheme::Bearer => {
                Signer::Credential(Signature::bearer(secret.clone()).ok_or_else(unsendable)?)
            }
            AuthScheme::Basic => {
                Signer::Credential(Signature::basic(secret).ok_or_else(unsendable)?)
            }
            AuthScheme::Header(name) => {
                let name = (name.parse())
                    .map_err(|_| EgressError::BadHeaderName(credential.name.clone()))?;
                let signature = Signature::new(name, "", secret, vec![secret.clone()]);
                Signer::Credential(signature.ok_or_else(unsendable)?)
            }
            AuthScheme::Webhook => return Err(unsendable()),
            AuthScheme::Token(TokenExchange { path, member }) => Signer::Token {
                login: Signature::basic(secret).ok_or_else(unsendable)?,
                url: Url::parse(&origin.ascii_serialization())
                    .and_then(|origin| origin.join(path))
                    .map_err(|_| EgressError::BadTokenPath(path.clone()))?,
                member: member.clone(),
            },
        })
    }

    /// The header that the guest must leave to the host.
    pub fn header(&self) -> &HeaderName {
        match self {
            Signer::Credential(signature) => &signature.name,
            Signer::Token { login, .. } => &login.name,
        }
    }
}

impl Signature {
    pub fn bearer(token: Secret) -> Option<Signature> {
        Signature::new(AUTHORIZATION, "Bearer ", &token, vec![token.clone()])
    }

    /// From `login:password`.
    fn basic(secret: &Secret) -> Option<Signature> {
        let encoded = Secret::new(BASE64.encode(secret.expose()));
        let password = secret
            .expose()
            .split_once(':')
            .map(|(_, password)| password);
        let password = Secret::new(password.unwrap_or(secret.expose()).to_owned());
        Signature::new(
            AUTHORIZATION,
            "Basic ",
            &encoded,
            vec![encoded.clone(), password],
        )
    }

    fn new(
        name: HeaderName,
        scheme: &str,
        secret: &Secret,
        secrets: Vec<Secret>,
    ) -> Option<Signature> {
        let value = Zeroizing::new([scheme.as_bytes(), secret.expose().as_bytes()].concat());
        // The header borrows the buffer, which wipes itself.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).ok()?;
        value.set_sensitive(true);
        Some(Signature {
            name,
            value,
            secrets,
        })
    }

    /// Puts the header into a request.
    pub fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }

    /// Whether two signatures sign with the same value.
    pub fn is(&self, other: &Signature) -> bool {
        self.value == other.value
    }

    /// Whether an answer repeats the credential word for word.
    pub fn is_repeated_in(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let worth_it = |secret: &&Secret| secret.expose().len() >= SHORTEST_WITHHELD;
        self.secrets.iter().filter(worth_it).any(|secret| {
            let finder = memmem::Finder::new(secret.expose());
            let found = |bytes: &[u8]| finder.find(bytes).is_some();
            found(body) || headers.values().any(|value| found(value.as_bytes()))
        })
    }
}

/// The token in the answer to a login.
pub(super) fn token(body: &[u8], member: &str) -> Option<Secret> {
    let mut answer: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).ok()?;
    match answer.remove(member)? {
        serde_json::Value::String(token) if !token.is_empty() => Some(Secret::new(token)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Text;

    fn signer(scheme: AuthScheme, secret: &str) -> Result<Signer, EgressError> {
        let credential = Credential {
            name: "key".to_owned(),
            title: Text::default(),
            scheme,
        };
        let origin = Url::parse("https://api.example").unwrap().origin();
        Signer::new(&credential, &Secret::new(secret.to_owned()), &origin)
    }

    fn signed(scheme: AuthScheme, secret: &str) -> (String, String) {
        let (Signer::Credential(signature)
        | Signer::Token {
            login: signature, ..
        }) = signer(scheme, secret).unwrap();
        let mut headers = HeaderMap::new();
        signature.sign(&mut headers);
        let (name, value) = headers.iter().next().unwrap();
        assert!(value.is_sensitive());
        (name.to_string(), value.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_scheme_signs_in_its_own_way() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let api_key = AuthScheme::Header("X-Api-Key".to_owned());
        let exchange = AuthScheme::Token(TokenExchange {
            path: "/token".to_owned(),
            member: "token".to_owned(),
        });
        assert_eq!(
            header("authorization", "Bearer k3y"),
            signed(AuthScheme::Bearer, "k3y")
        );
        assert_eq!(
            header("authorization", "Basic YTpi"),
            signed(AuthScheme::Basic, "a:b")
        );
        assert_eq!(
            header("authorization", "Basic YTpi"),
            signed(exchange, "a:b")
        );
        assert_eq!(header("x-api-key", "k3y"), signed(api_key, "k3y"));
    }

    #[test]
    fn a_secret_that_no_header_can_hold_is_an_error_that_does_not_tell_it() {
        let error = signer(AuthScheme::Bearer, "s3cret\nX-Evil: 1").unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("key") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn an_answer_that_repeats_the_credential_is_recognised() {
        let basic = Signature::basic(&Secret::new("user@shop:correct-horse".to_owned())).unwrap();
        let none = HeaderMap::new();
        assert!(basic.is_repeated_in(&none, b"{\"password\":\"correct-horse\"}"));
        let encoded = BASE64.encode("user@shop:correct-horse");
        assert!(basic.is_repeated_in(&none, format!("Basic {encoded}").as_bytes()));
        let headers = [("x-echo".parse().unwrap(), encoded.parse().unwrap())]
            .into_iter()
            .collect();
        assert!(basic.is_repeated_in(&headers, b""));
        assert!(!basic.is_repeated_in(&none, b"user@shop has a horse, correct"));
        let short = Signature::bearer(Secret::new("1234567".to_owned())).unwrap();
        assert!(!short.is_repeated_in(&none, b"1234567"));
    }

    #[test]
    fn a_token_is_a_text_under_its_name() {
        let token = |body: &str| token(body.as_bytes(), "access_token").is_some();
        assert!(token(r#"{"access_token":"abc"}"#));
        for bad in [
            r#"{"access_token":""}"#,
            r#"{"access_token":1}"#,
            r#"{"token":"abc"}"#,
            "<html>",
            "",
        ] {
            assert!(!token(bad), "{bad}");
        }
    }

    #[test]
    fn debug_text_tells_no_secret() {
        let text = format!("{:?}", signer(AuthScheme::Bearer, "correct-horse").unwrap());
        assert!(!text.contains("correct-horse"), "{text}");
    }
}
