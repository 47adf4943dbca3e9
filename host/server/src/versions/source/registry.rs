//! Components from an OCI registry: the pull half of the OCI Distribution Specification 1.1, with the
//! token service of Docker's registries.
//!
//! The client of the crate `oci-client` reads manifests, tokens and errors whole, however long they
//! are, and follows a registry from https to plain http; so its names and manifests are used here,
//! and the requests are made here. What a registry says about its refusals is not repeated: it may be
//! long, a page of HTML, or the words of whoever it sent the request on to.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use oci_client::Reference;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tenon_host::{Forbidden, GuardedResolver, NetworkError, check_literal};

use super::artifact::{
    self, BadDigest, Digest, MOST_INDEXES, MOST_MANIFEST_BYTES, Manifest, Part, Unsuitable,
};
use super::login::{self, Login};
use super::{Found, REGISTRY, SourceError, SourceOptions, files};
use crate::versions::signature::MOST_SIGNATURE_BYTES;

/// Longest wait for a TCP and TLS connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the next bytes of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer of a token service.
const MOST_TOKEN_BYTES: u64 = 64 << 10;
/// How often one request may be sent on.
const MOST_REDIRECTS: usize = 5;

const MANIFESTS: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];
const DIGEST_HEADER: &str = "docker-content-digest";

pub async fn pull(artifact: &Reference, options: &SourceOptions) -> Result<Found, SourceError> {
    let mut registry = Registry::of(artifact, options)?;
    let (mut bytes, resolved) = registry.named_manifest().await?;
    for _ in 0..=MOST_INDEXES {
        match artifact::manifest(&bytes).map_err(|reason| registry.unsuitable(reason))? {
            Manifest::Index(digest) => bytes = registry.manifest(&digest).await?,
            Manifest::Component {
                component,
                signature,
            } => {
                let signature = match signature {
                    Some(part) => {
                        let most = MOST_SIGNATURE_BYTES;
                        let bytes = registry.blob("the signature of ", &part, most).await?;
                        Some(files::text(bytes)?)
                    }
                    None => None,
                };
                return Ok(Found {
                    bytes: registry.blob("", &component, options.max_bytes).await?,
                    source: format!("{REGISTRY}{}", pinned(artifact, &resolved)),
                    signature,
                });
            }
        }
    }
    Err(registry.unsuitable(Unsuitable::ManyIndexes))
}

/// The name of an artifact that stays with these bytes. The tag is kept for people.
fn pinned(artifact: &Reference, digest: &Digest) -> Reference {
    let (registry, repository) = (artifact.registry(), artifact.repository());
    let (registry, repository) = (registry.to_owned(), repository.to_owned());
    let digest = digest.to_string();
    match artifact.tag() {
        Some(tag) => Reference::with_tag_and_digest(registry, repository, tag.to_owned(), digest),
        None => Reference::with_digest(registry, repository, digest),
    }
}

/// A registry while one artifact is pulled from it.
struct Registry<'a> {
    http: Client,
    artifact: &'a Reference,
    /// Where its API is, with the repository.
    repository: Url,
    reach: Reach,
    login: Login,
    /// What it wants to see with each request.
    authorization: Option<HeaderValue>,
}

impl<'a> Registry<'a> {
    fn of(artifact: &'a Reference, options: &SourceOptions) -> Result<Registry<'a>, SourceError> {
        let reach = Reach::of(options);
        let place = || format!("{REGISTRY}{artifact}");
        let named = [&options.registries, &options.plain_http];
        let is_named = |known: &String| known.eq_ignore_ascii_case(artifact.registry());
        if !options.registries.is_empty() && !named.into_iter().flatten().any(is_named) {
            return Err(SourceError::NotListed { place: place() });
        }
        let address = |scheme| {
            let (host, repository) = (artifact.resolve_registry(), artifact.repository());
            Url::parse(&format!("{scheme}://{host}/v2/{repository}/"))
                .map_err(|error| unreachable(place(), format!("its registry is no host: {error}")))
        };
        let mut repository = address("http")?;
        if !reach.may_be_asked(&repository) {
            repository = address("https")?;
        }
        (reach.check_literal(&repository))
            .map_err(|error| unreachable(place(), error.to_string()))?;
        let unusable = |error: reqwest::Error| unreachable(place(), cause(&error));
        Ok(Registry {
            http: client(reach.clone())
                .map_err(|error| unreachable(place(), error.to_string()))?
                .build()
                .map_err(unusable)?,
            artifact,
            repository,
            reach,
            login: login::of(options.logins.as_deref(), artifact)?,
            authorization: None,
        })
    }

    /// The manifest that the artifact is named by, and its digest.
    async fn named_manifest(&mut self) -> Result<(Vec<u8>, Digest), SourceError> {
        let artifact = self.artifact;
        if let Some(text) = artifact.digest() {
            let digest: Digest = text
                .parse()
                .map_err(|BadDigest| self.unsuitable(Unsuitable::NoDigest))?;
            return Ok((self.manifest(&digest).await?, digest));
        }
        let tag = artifact.tag().unwrap_or_default();
        let response = self.get(&format!("manifests/{tag}")).await?;
        // It is the registry's own word, and finds only damage.
        let told = response.headers().get(DIGEST_HEADER);
        let told: Option<Digest> = told.and_then(|told| told.to_str().ok()?.parse().ok());
        let bytes = self.whole_manifest(response).await?;
        let digest = Digest::of(&bytes);
        match told {
            Some(told) if told != digest => Err(self.damaged(&told)),
            _ => Ok((bytes, digest)),
        }
    }

    async fn manifest(&mut self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let response = self.get(&format!("manifests/{digest}")).await?;
        let bytes = self.whole_manifest(response).await?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.damaged(digest))
        }
    }

    async fn whole_manifest(&self, response: Response) -> Result<Vec<u8>, SourceError> {
        let most = MOST_MANIFEST_BYTES;
        let too_large = SourceError::TooLarge {
            place: format!("the manifest of {}", self.place()),
            most,
        };
        self.at_most(response, most).await?.ok_or(too_large)
    }

    /// `of` is what the part is to the artifact, in front of the artifact's name.
    async fn blob(&mut self, of: &str, part: &Part, most: u64) -> Result<Vec<u8>, SourceError> {
        if part.size > most {
            let place = format!("{of}{}", self.place());
            return Err(SourceError::TooLarge { place, most });
        }
        let response = self.get(&format!("blobs/{}", part.digest)).await?;
        // What is longer than announced cannot have the digest.
        match self.at_most(response, part.size).await? {
            Some(bytes) if Digest::of(&bytes) == part.digest => Ok(bytes),
            _ => Err(self.damaged(&part.digest)),
        }
    }

    /// The whole answer, unless it is longer.
    async fn at_most(
        &self,
        mut response: Response,
        most: u64,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if (bytes.len() + piece.len()) as u64 > most {
                return Ok(None);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }

    /// Asks for something in the repository; a login is shown when the registry wants one.
    async fn get(&mut self, path: &str) -> Result<Response, SourceError> {
        let mut response = self.send(path).await?;
        // Whoever requests are sent on to has no business with the login.
        let own = response.url().origin() == self.repository.origin();
        if response.status() == StatusCode::UNAUTHORIZED && own {
            self.authorization = Some(self.authorize(response.headers()).await?);
            response = self.send(path).await?;
        }
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused()),
            StatusCode::NOT_FOUND => Err(SourceError::Absent {
                place: self.place(),
            }),
            status => Err(self.unexpected("the registry", status)),
        }
    }

    async fn send(&self, path: &str) -> Result<Response, SourceError> {
        let url = format!("{}{path}", self.repository);
        let mut request = self.http.get(url).header(ACCEPT, MANIFESTS.join(", "));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.send().await.map_err(|error| self.lost(&error))
    }

    /// What the registry wants to see, after it has said so.
    async fn authorize(&self, headers: &HeaderMap) -> Result<HeaderValue, SourceError> {
        match (challenge(headers), &self.login) {
            (Some(Challenge::Bearer { realm, service }), _) => self.token(&realm, service).await,
            (Some(Challenge::Basic), Login::Of { header, .. }) => Ok(header.clone()),
            _ => Err(self.refused()),
        }
    }

    /// A token to pull from the repository.
    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
    ) -> Result<HeaderValue, SourceError> {
        let strange = |reason: &str| unreachable(self.place(), reason.to_owned());
        let mut url = Url::parse(realm).map_err(|_| {
            strange("its registry names no address for tokens; ask those who run it")
        })?;
        if !self.reach.may_be_asked(&url) {
            let reason = format!("its registry wants {}", self.reach.advice(&url));
            return Err(unreachable(self.place(), reason));
        }
        (self.reach.check_literal(&url)).map_err(|error| strange(&error.to_string()))?;
        let scope = format!("repository:{}:pull", self.artifact.repository());
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", &service);
        }
        let mut request = self.http.get(url);
        if let Login::Of { header, .. } = &self.login {
            request = request.header(AUTHORIZATION, header.clone());
        }
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(self.refused());
            }
            status => return Err(self.unexpected("the token service of its registry", status)),
        }
        let answer = self.at_most(response, MOST_TOKEN_BYTES).await?;
        answer.and_then(|answer| bearer(&answer)).ok_or_else(|| {
            strange("its registry's token service gives no token; ask those who run it")
        })
    }

    fn place(&self) -> String {
        format!("{REGISTRY}{}", self.artifact)
    }

    fn refused(&self) -> SourceError {
        let reason = match &self.login {
            Login::None => "the registry wants a login; name a file with logins, such as \
                            `docker login` writes, with `--registry-logins`"
                .to_owned(),
            Login::Elsewhere => "its login is in a credential helper or is an identity token, and \
                                 neither is used; write name and password into the file of \
                                 `--registry-logins`"
                .to_owned(),
            Login::Of { user, .. } => format!(
                "the registry does not let the user {user:?} pull it; check the password in the \
                 file of `--registry-logins`, and the user's rights"
            ),
        };
        SourceError::Refused {
            place: self.place(),
            reason,
        }
    }

    fn unsuitable(&self, reason: Unsuitable) -> SourceError {
        SourceError::Unsuitable {
            place: self.place(),
            reason,
        }
    }

    fn damaged(&self, expected: &Digest) -> SourceError {
        SourceError::Damaged {
            place: self.place(),
            expected: expected.to_string(),
        }
    }

    fn unexpected(&self, who: &str, status: StatusCode) -> SourceError {
        let reason = format!(
            "{who} answers with status {}; try again later",
            status.as_u16()
        );
        unreachable(self.place(), reason)
    }

    fn lost(&self, error: &reqwest::Error) -> SourceError {
        let advice = if error.is_redirect() {
            ""
        } else if error.is_connect() && self.repository.scheme() == "https" {
            "; check the registry's name and certificate; one without https is named with \
             `--plain-registry`"
        } else {
            "; check the registry and try again"
        };
        unreachable(self.place(), format!("{}{advice}", cause(error)))
    }
}

fn unreachable(place: String, reason: String) -> SourceError {
    SourceError::Unreachable { place, reason }
}

/// What lies at the bottom of an error. What is above it repeats addresses, and those that storages
/// are asked by are secrets.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "the request failed".to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn client(reach: Reach) -> Result<ClientBuilder, NetworkError> {
    let resolver = GuardedResolver::new(reach.open.clone())?;
    // Fails only when a provider is in place already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = Policy::custom(move |attempt| {
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("the registry sends the request on and on; ask those who run it")
        } else if !reach.may_be_asked(attempt.url()) {
            let advice = reach.advice(attempt.url());
            attempt.error(format!("the registry wants {advice}"))
        } else if let Err(forbidden) = reach.check_literal(attempt.url()) {
            attempt.error(forbidden)
        } else {
            attempt.follow()
        }
    });
    Ok(Client::builder()
        .dns_resolver(Arc::new(resolver))
        .user_agent(concat!("tenon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(redirects)
        // Digests are of what is stored, and sizes too.
        .no_gzip()
        .no_brotli())
}

/// Where requests may go.
#[derive(Clone)]
struct Reach {
    /// May be asked over plain http.
    plain: Vec<Url>,
    /// Names and addresses that the operators named: they may be private.
    open: Vec<String>,
}

impl Reach {
    fn of(options: &SourceOptions) -> Reach {
        let urls = |hosts: &[String]| {
            let urls = hosts.iter();
            let urls = urls.map(|host| Url::parse(&format!("http://{host}")));
            urls.filter_map(Result::ok).collect::<Vec<_>>()
        };
        let (plain, named) = (urls(&options.plain_http), urls(&options.registries));
        let open = plain.iter().chain(&named).filter_map(Url::host_str);
        Reach {
            open: open.map(str::to_owned).collect(),
            plain,
        }
    }

    /// Passes what has no address in it, and an address that may be dialled.
    fn check_literal(&self, url: &Url) -> Result<(), Forbidden> {
        let named = |host: &str| self.open.iter().any(|open| open == host);
        check_literal(url, url.host_str().is_some_and(named))
    }

    fn may_be_asked(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => self
                .plain
                .iter()
                .any(|plain| plain.origin() == url.origin()),
            _ => false,
        }
    }

    /// What to do about an address that may not be asked.
    fn advice(&self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        format!(
            "{host}{port} to be asked without https; let it use https, or name it with \
             `--plain-registry {host}{port}`"
        )
    }
}

/// What a registry wants to see.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// A token of this service.
    Bearer {
        realm: String,
        service: Option<String>,
    },
    /// Name and password.
    Basic,
}

fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for header in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(challenges) = http_auth::parse_challenges(header.to_str().unwrap_or_default())
        else {
            continue;
        };
        for challenge in challenges {
            let parameter = |name: &str| {
                let mut parameters = challenge.params.iter();
                let found = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("Bearer")
                && let Some(realm) = parameter("realm")
            {
                let service = parameter("service");
                return Some(Challenge::Bearer { realm, service });
            }
            if challenge.scheme.eq_ignore_ascii_case("Basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

/// The header with the token of a token service's answer.
fn bearer(answer: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        /// The name that OAuth has for it.
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let token = answer.token.or(answer.access_token)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let values = values.iter().copied().map(HeaderValue::from_static);
        values.map(|value| (WWW_AUTHENTICATE, value)).collect()
    }

    #[test]
    fn a_token_is_preferred_to_showing_the_password_each_time() {
        let token = Some(Challenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("registry, \"the\" one".to_owned()),
        });
        let bearer = r#"bearer Realm="https://auth.example/token",service="registry, \"the\" one""#;
        assert_eq!(token, challenge(&headers(&["Basic realm=\"x\"", bearer])));
        assert_eq!(token, challenge(&headers(&[bearer, "Basic realm=\"x\""])));
        let basic = challenge(&headers(&["Negotiate", "Basic realm=\"x\""]));
        assert_eq!(Some(Challenge::Basic), basic);
        for none in ["", "Bearer service=\"x\"", "Bearer realm=\"", "Digest"] {
            assert_eq!(None, challenge(&headers(&[none])), "{none}");
        }
    }

    #[test]
    fn a_token_is_taken_under_both_names_and_only_where_it_fits_a_header() {
        for (answer, header) in [
            (r#"{"token": "t0"}"#, Some("Bearer t0")),
            (
                r#"{"access_token": "t1", "expires_in": 60}"#,
                Some("Bearer t1"),
            ),
            (r#"{"token": "t0\r\nHost: x"}"#, None),
            ("{}", None),
            ("t0", None),
        ] {
            let bearer = bearer(answer.as_bytes());
            assert_eq!(header, bearer.as_ref().map(|h| h.to_str().unwrap()));
            assert!(bearer.is_none_or(|header| header.is_sensitive()));
        }
    }

    #[test]
    fn plain_http_is_for_the_named_hosts_with_their_ports() {
        let plain = Reach::of(&SourceOptions {
            plain_http: vec!["Local.Example".to_owned(), "10.0.0.5:5000".to_owned()],
            ..SourceOptions::default()
        });
        for (url, expected) in [
            ("https://anywhere.example/v2/", true),
            ("http://local.example/v2/", true),
            ("http://local.example:80/v2/", true),
            ("http://10.0.0.5:5000/v2/", true),
            ("http://10.0.0.5/v2/", false),
            ("http://local.example:5000/v2/", false),
            ("http://10.0.0.5:5000@evil.example/", false),
            ("ftp://local.example/", false),
        ] {
            assert_eq!(expected, plain.may_be_asked(&url.parse().unwrap()), "{url}");
        }
    }
}
