//! Components are fetched from real files and, over real HTTP, from a registry; and nothing that
//! either of them does gets past the checks.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tenon::versions::signature::{SignatureError, SignaturePolicy};
use tenon::versions::source::{Fetched, Source, SourceError, SourceOptions, Unsuitable};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::registry::{
    self, Access, Config, INDEX, Login, MANIFEST, Part, Simulator, WASM, WASM_CONFIG,
};

/// The smallest component there is, which the signatures are of.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// Another one, with a custom section.
const ANOTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01x";

const FIRST_KEY: &str = include_str!("signatures/first.pub");
const SECOND_KEY: &str = include_str!("signatures/second.pub");
const BY_FIRST: &str = include_str!("signatures/by_first.minisig");
const OF_ANOTHER: &str = include_str!("signatures/of_another.minisig");

const SIGNATURE: &str = "application/vnd.tenon.minisig";

/// Components below a folder.
fn on_disk(root: &Path) -> SourceOptions {
    SourceOptions {
        root: Some(root.to_owned()),
        ..SourceOptions::default()
    }
}

async fn fetch(source: &str, options: &SourceOptions) -> Result<Fetched, SourceError> {
    source.parse::<Source>()?.fetch(options).await
}

/// The error, which is one line without anything that a registry said.
async fn refused(source: &str, options: &SourceOptions) -> SourceError {
    let error = fetch(source, options).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(1, text.lines().count(), "{text}");
    assert!(!text.contains("own words"), "{text}");
    error
}

/// Only components that one of these keys signed.
fn signed_by(keys: &[&str]) -> SignaturePolicy {
    SignaturePolicy {
        trusted_keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        required: true,
    }
}

/// A registry with `ns/keycrm:1` in it, and options with which it can be asked.
struct Site {
    sim: Simulator,
    options: SourceOptions,
    folder: TempDir,
}

impl Site {
    fn new(access: Access) -> Site {
        Site::with_layers(access, &[(WASM, COMPONENT)])
    }

    fn with_layers(access: Access, layers: &[(&str, &[u8])]) -> Site {
        let config = Config {
            access,
            ..Config::default()
        };
        let sim = registry::start(config).unwrap();
        sim.account(|registry| registry.push("ns/keycrm", "1", layers));
        let hosts = [sim.address(), sim.token_service(), sim.storage()];
        Site {
            options: SourceOptions {
                plain_http: hosts.map(|host| host.to_string()).to_vec(),
                ..SourceOptions::default()
            },
            sim,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn source(&self, which: &str) -> String {
        format!("oci://{}/ns/keycrm{which}", self.sim.address())
    }

    fn log_in(&mut self, user: &str, password: &str) {
        let path = self.folder.path().join("config.json");
        let registry = self.sim.address().to_string();
        let logins = json!({ "auths": { registry: { "username": user, "password": password } } });
        fs::write(&path, logins.to_string()).unwrap();
        self.options.logins = Some(path);
    }

    async fn fetch(&self, which: &str) -> Result<Fetched, SourceError> {
        fetch(&self.source(which), &self.options).await
    }

    async fn refused(&self, which: &str) -> SourceError {
        refused(&self.source(which), &self.options).await
    }

    /// The paths that were asked for while a login or a token was shown.
    fn shown_to(&self) -> Vec<String> {
        let requests = self.sim.recent_requests().into_iter();
        let shown = requests.filter(|seen| seen.header("authorization").is_some());
        shown.map(|seen| seen.path).collect()
    }
}

fn ci() -> Login {
    Login {
        user: "ci".to_owned(),
        password: "s3cret".to_owned(),
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[tokio::test]
async fn an_artifact_is_pulled_by_its_tag_and_answers_with_a_source_that_stays() {
    let site = Site::new(Access::Open);
    let fetched = site.fetch(":1").await.unwrap();
    assert_eq!(COMPONENT, fetched.bytes);
    assert_eq!(None, fetched.signed_by);

    let moved = (site.sim).account(|registry| registry.push("ns/keycrm", "1", &[(WASM, ANOTHER)]));
    let now = site.fetch(":1").await.unwrap();
    assert_eq!(ANOTHER, now.bytes);
    assert_eq!(site.source(&format!(":1@{moved}")), now.source);
    let then = fetch(&fetched.source, &site.options).await.unwrap();
    assert_eq!((COMPONENT, fetched.source), (&*then.bytes, then.source));
    let by_digest = format!("@{moved}");
    let named = site.fetch(&by_digest).await.unwrap();
    assert_eq!(
        (ANOTHER, site.source(&by_digest)),
        (&*named.bytes, named.source)
    );
}

#[tokio::test]
async fn a_login_is_shown_to_the_registry_that_wants_it() {
    let mut site = Site::new(Access::Basic(ci()));
    let error = site.refused(":1").await;
    assert!(matches!(error, SourceError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("docker login"), "{error}");

    site.log_in("ci", "wrong");
    let error = site.refused(":1").await.to_string();
    assert!(
        error.contains("\"ci\"") && !error.contains("wrong"),
        "{error}"
    );

    site.log_in("ci", "s3cret");
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
}

#[tokio::test]
async fn a_token_is_got_without_a_login_where_everybody_gets_one() {
    let site = Site::new(Access::Token(None));
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
    let token = site.sim.recent_requests().into_iter();
    let asked: Vec<_> = token.filter(|seen| seen.path == "/token").collect();
    assert_eq!(1, asked.len());
    assert_eq!(
        Some("repository:ns/keycrm:pull"),
        asked[0].parameter("scope")
    );
}

#[tokio::test]
async fn a_token_is_got_with_the_login_and_neither_is_shown_to_the_storage() {
    let mut site = Site::new(Access::Token(Some(ci())));
    site.sim
        .account(|registry| registry.behaviour.blobs_redirected = true);
    assert!(matches!(
        site.refused(":1").await,
        SourceError::Refused { .. }
    ));
    site.log_in("ci", "wrong");
    assert!(matches!(
        site.refused(":1").await,
        SourceError::Refused { .. }
    ));

    site.log_in("ci", "s3cret");
    site.sim.reset_counts();
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
    let shown = site.shown_to();
    assert!(shown.contains(&"/token".to_owned()), "{shown:?}");
    assert!(
        !shown.iter().any(|path| path.starts_with("/stored")),
        "{shown:?}"
    );
    assert_eq!(
        1,
        site.sim.requests_to("GET /stored/{digest}/{*repository}")
    );
}

#[tokio::test]
async fn a_login_for_another_registry_is_not_shown() {
    let mut site = Site::new(Access::Basic(ci()));
    let path = site.folder.path().join("config.json");
    let logins = json!({ "auths": { "127.0.0.1": { "username": "ci", "password": "s3cret" } } });
    fs::write(&path, logins.to_string()).unwrap();
    site.options.logins = Some(path);
    assert!(matches!(
        site.refused(":1").await,
        SourceError::Refused { .. }
    ));
    assert_eq!(Vec::<String>::new(), site.shown_to());
}

#[tokio::test]
async fn plain_http_is_spoken_only_with_those_who_are_named_for_it() {
    let mut site = Site::new(Access::Token(Some(ci())));
    site.log_in("ci", "s3cret");
    site.sim
        .account(|registry| registry.behaviour.blobs_redirected = true);
    let [registry, tokens, storage] = [
        site.sim.address(),
        site.sim.token_service(),
        site.sim.storage(),
    ]
    .map(|h| h.to_string());
    for (named, advice, unasked) in [
        (vec![], "named with `--plain-registry`".to_owned(), "/"),
        (
            vec![registry.clone()],
            format!("`--plain-registry {tokens}`"),
            "/token",
        ),
        (
            vec![registry, tokens],
            format!("`--plain-registry {storage}`"),
            "/stored",
        ),
    ] {
        site.options.plain_http = named;
        site.options.registries = vec![site.sim.address().to_string()];
        site.sim.reset_counts();
        let error = site.refused(":1").await;
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&advice), "{error}");
        let asked = site.sim.recent_requests();
        assert!(
            !asked.iter().any(|seen| seen.path.starts_with(unasked)),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn other_bytes_than_the_digest_names_are_refused() {
    let site = Site::new(Access::Open);
    let component = digest_of(COMPONENT);
    for bytes in [
        &ANOTHER[..COMPONENT.len() - 1],
        b"\0asm\x0d\0\x01\x01",
        ANOTHER,
    ] {
        site.sim
            .account(|registry| registry.corrupt("ns/keycrm", &component, bytes));
        let error = site.refused(":1").await;
        assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(&component), "{error}");
    }
}

#[tokio::test]
async fn another_manifest_than_the_digest_names_is_refused() {
    let site = Site::new(Access::Open);
    let (good, other) = site.sim.account(|registry| {
        let good = registry.push("ns/keycrm", "1", &[(WASM, COMPONENT)]);
        registry.push("ns/keycrm", "2", &[(WASM, ANOTHER)]);
        (
            good,
            manifest_of(registry.push_blob("ns/keycrm", WASM, ANOTHER), 12),
        )
    });
    site.sim.account(|registry| {
        registry.corrupt("ns/keycrm", &good, other.to_string().as_bytes());
    });
    for told in [true, false] {
        site.sim
            .account(|registry| registry.behaviour.digests_untold = !told);
        let error = site.refused(&format!("@{good}")).await;
        assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
    }
    // By the tag, the registry's own word is all there is.
    assert_eq!(ANOTHER, site.fetch(":1").await.unwrap().bytes);
    site.sim
        .account(|registry| registry.behaviour.digests_untold = false);
    assert!(matches!(
        site.refused(":1").await,
        SourceError::Damaged { .. }
    ));
}

/// A manifest of one component, whose length is as told here.
fn manifest_of(mut layer: Json, size: u64) -> Json {
    layer["size"] = size.into();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": WASM_CONFIG, "digest": digest_of(b"{}"), "size": 2 },
        "layers": [layer],
    })
}

#[tokio::test]
async fn a_component_over_the_limit_is_not_asked_for() {
    let mut site = Site::new(Access::Open);
    site.options.max_bytes = COMPONENT.len() as u64;
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
    site.options.max_bytes -= 1;
    site.sim.reset_counts();
    let error = site.refused(":1").await;
    assert!(
        matches!(error, SourceError::TooLarge { most: 7, .. }),
        "{error}"
    );
    assert_eq!(1, site.sim.total_requests());
}

/// The answers never end, so that a fetch which read them whole would not either.
#[tokio::test]
async fn an_answer_without_an_end_is_read_up_to_its_limit() {
    let site = Site::new(Access::Token(None));
    for (part, expected) in [
        (Part::Manifests, "larger than 4194304 bytes"),
        (Part::Blobs, "is damaged"),
        (Part::Tokens, "gives no token"),
    ] {
        site.sim
            .account(|registry| registry.behaviour.endless = Some(part));
        let error = site.refused(":1").await.to_string();
        assert!(error.contains(expected), "{part:?}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_wasm_artifact_is_told_from_one() {
    let site = Site::new(Access::Open);
    let layer = |media_type: &str| {
        let media_type = media_type.to_owned();
        (site.sim).account(|registry| registry.push_blob("ns/keycrm", &media_type, COMPONENT))
    };
    let manifest = |config: &str, layers: Vec<Json>| {
        let config = json!({ "mediaType": config, "digest": digest_of(b"{}"), "size": 2 });
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers })
    };
    let index = |digests: &[&str]| {
        let entry = |digest: &&str| json!({ "mediaType": MANIFEST, "digest": digest, "size": 2 });
        let entries: Vec<_> = digests.iter().map(entry).collect();
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries })
    };
    let image = "application/vnd.oci.image.config.v1+json";
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let mut negative = layer(WASM);
    negative["size"] = (-1).into();
    let mut elsewhere = layer(WASM);
    elsewhere["digest"] = format!("sha256:{}", "../".repeat(21) + "x").into();
    for (manifest, expected) in [
        (manifest(image, vec![layer(WASM)]), image),
        (manifest(WASM_CONFIG, vec![layer(tar)]), tar),
        (manifest(WASM_CONFIG, vec![]), "0 components"),
        (
            manifest(WASM_CONFIG, vec![layer(WASM), layer(WASM)]),
            "2 components",
        ),
        (
            manifest(WASM_CONFIG, vec![negative]),
            "sha256 digest or a length",
        ),
        (
            manifest(WASM_CONFIG, vec![elsewhere]),
            "sha256 digest or a length",
        ),
        (index(&[]), "index of 0 artifacts"),
        (
            index(&[&digest_of(b"1"), &digest_of(b"2")]),
            "index of 2 artifacts",
        ),
        (
            json!({ "schemaVersion": 1, "history": [] }),
            "no OCI manifest",
        ),
    ] {
        site.sim
            .account(|registry| registry.push_manifest("ns/keycrm", "odd", &manifest));
        let error = site.refused(":odd").await;
        assert!(matches!(error, SourceError::Unsuitable { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    for which in [":absent", &format!("@{}", digest_of(b"absent"))] {
        let error = site.refused(which).await;
        assert!(matches!(error, SourceError::Absent { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_index_with_one_artifact_is_that_artifact_and_indexes_end_somewhere() {
    let site = Site::new(Access::Open);
    let mut digest =
        (site.sim).account(|registry| registry.push("ns/keycrm", "1", &[(WASM, COMPONENT)]));
    for depth in 1..=3 {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{ "mediaType": MANIFEST, "digest": digest, "size": 2 }],
        });
        digest = (site.sim).account(|registry| registry.push_manifest("ns/keycrm", "all", &index));
        if depth < 3 {
            let fetched = site.fetch(":all").await.unwrap();
            assert_eq!(COMPONENT, fetched.bytes);
            assert_eq!(site.source(&format!(":all@{digest}")), fetched.source);
        } else {
            let error = site.refused(":all").await;
            let reason = Unsuitable::ManyIndexes;
            assert!(
                matches!(&error, SourceError::Unsuitable { reason: r, .. } if *r == reason),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_registry_that_fails_is_told_in_one_line() {
    let site = Site::new(Access::Open);
    for (fault, expected) in [
        (Fault::Status(500), "status 500"),
        (Fault::HtmlBadGateway, "status 502"),
        (Fault::HtmlOk, "no OCI manifest"),
        (Fault::CutBody, "try again"),
        (Fault::ConnectionReset, "try again"),
    ] {
        site.sim.faults().add(Rule::new(fault).times(1));
        let error = site.refused(":1").await.to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
    let nobody = "oci://127.0.0.1:1/ns/keycrm:1";
    let error = refused(nobody, &SourceOptions::default()).await;
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_artifact_brings_its_signature_in_a_second_layer() {
    let layers = [(WASM, COMPONENT), (SIGNATURE, BY_FIRST.as_bytes())];
    let mut site = Site::with_layers(Access::Open, &layers);
    site.options.signatures = signed_by(&[SECOND_KEY, FIRST_KEY]);
    let fetched = site.fetch(":1").await.unwrap();
    assert_eq!("5BFE0E5FFF3FE720", fetched.signed_by.unwrap().to_string());

    site.options.signatures = signed_by(&[SECOND_KEY]);
    let error = site.refused(":1").await;
    assert!(
        matches!(
            error,
            SourceError::Signature(SignatureError::Untrusted { .. })
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_registry_that_was_broken_into_cannot_replace_a_signed_component() {
    let mut site = Site::new(Access::Open);
    site.options.signatures = signed_by(&[FIRST_KEY]);
    let long = vec![b'x'; 4097];
    // The component, its signature, and what is said of them.
    type Case<'a> = (&'a [u8], Option<&'a [u8]>, fn(&SourceError) -> bool);
    let cases: [Case<'_>; 5] = [
        (ANOTHER, Some(BY_FIRST.as_bytes()), |error| {
            matches!(
                error,
                SourceError::Signature(SignatureError::Mismatch { .. })
            )
        }),
        (COMPONENT, Some(OF_ANOTHER.as_bytes()), |error| {
            matches!(
                error,
                SourceError::Signature(SignatureError::Mismatch { .. })
            )
        }),
        (ANOTHER, None, |error| {
            matches!(error, SourceError::Signature(SignatureError::Missing))
        }),
        (COMPONENT, Some(b"\xff\xfe"), |error| {
            matches!(error, SourceError::Signature(SignatureError::Malformed))
        }),
        (COMPONENT, Some(&long), |error| {
            matches!(error, SourceError::TooLarge { most: 4096, .. })
        }),
    ];
    for (component, signature, expected) in cases {
        let signature = signature.map(|signature| (SIGNATURE, signature));
        let layers: Vec<_> = [(WASM, component)].into_iter().chain(signature).collect();
        site.sim
            .account(|registry| registry.push("ns/keycrm", "1", &layers));
        let error = site.refused(":1").await;
        assert!(expected(&error), "{error}");
    }
}

/// A folder with files in it.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_is_read_with_the_signature_beside_it() {
    let folder = folder(&[
        ("keycrm.wasm", COMPONENT),
        ("keycrm.wasm.minisig", BY_FIRST.as_bytes()),
        ("bare.component", ANOTHER),
    ]);
    let options = SourceOptions {
        signatures: signed_by(&[FIRST_KEY]),
        ..on_disk(Path::new("/"))
    };
    let path = fs::canonicalize(folder.path()).unwrap().join("keycrm.wasm");
    // By itself, by a way round, and as the only component of its directory.
    let round = folder.path().join(".").join("keycrm.wasm");
    for place in [path.clone(), round, folder.path().to_owned()] {
        let fetched = fetch(&text(&place), &options).await.unwrap();
        assert_eq!(COMPONENT, fetched.bytes);
        assert_eq!(text(&path), fetched.source);
        assert_eq!("5BFE0E5FFF3FE720", fetched.signed_by.unwrap().to_string());
    }
    let bare = text(&folder.path().join("bare.component"));
    assert!(matches!(
        refused(&bare, &options).await,
        SourceError::Signature(SignatureError::Missing)
    ));
    let fetched = fetch(&bare, &on_disk(Path::new("/"))).await.unwrap();
    assert_eq!((ANOTHER, None), (&*fetched.bytes, fetched.signed_by));
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused() {
    let folder = folder(&[("keycrm.wasm", COMPONENT)]);
    let path = text(&folder.path().join("keycrm.wasm"));
    for (max_bytes, fits) in [(8, true), (7, false), (0, false)] {
        let options = SourceOptions {
            max_bytes,
            ..on_disk(Path::new("/"))
        };
        let fetched = fetch(&path, &options).await;
        assert_eq!(fits, fetched.is_ok());
        if let Err(error) = fetched {
            assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_place_without_just_one_component_says_what_to_do() {
    let two = folder(&[("b.wasm", COMPONENT), ("a.wasm", ANOTHER), ("c.txt", b"")]);
    let none = folder(&[("c.txt", b""), ("deeper/a.wasm", COMPONENT)]);
    let many = folder(&["a", "b", "c", "d"].map(|name| (name, &b""[..])));
    for name in ["a", "b", "c", "d"] {
        let from = many.path().join(name);
        fs::rename(&from, from.with_extension("wasm")).unwrap();
    }
    let options = on_disk(Path::new("/"));
    for (place, expected) in [
        (two.path().to_owned(), "(a.wasm, b.wasm); name one"),
        (many.path().to_owned(), "(a.wasm, b.wasm, c.wasm, …)"),
        (none.path().to_owned(), "holds no component"),
        (none.path().join("absent.wasm"), "check the path"),
        (PathBuf::from("/dev/zero"), "neither a file nor a directory"),
    ] {
        let error = refused(&text(&place), &options).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// An image layout, as tools for OCI artifacts write it, and the digest of its component.
fn layout(layers: &[(&str, &[u8])]) -> TempDir {
    let folder = folder(&[("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#)]);
    let blob = |media_type: &str, bytes: &[u8]| {
        let digest = digest_of(bytes);
        let path = folder.path().join("blobs/sha256");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(&digest["sha256:".len()..]), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    };
    let layers: Vec<_> = layers
        .iter()
        .map(|(kind, bytes)| blob(kind, bytes))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(WASM_CONFIG, b"{}"),
        "layers": layers,
    });
    let manifest = blob(MANIFEST, manifest.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn an_image_layout_is_read_as_a_registry_is() {
    let folder = layout(&[(WASM, COMPONENT), (SIGNATURE, BY_FIRST.as_bytes())]);
    let place = text(&fs::canonicalize(folder.path()).unwrap());
    let mut options = SourceOptions {
        signatures: signed_by(&[FIRST_KEY]),
        ..on_disk(Path::new("/"))
    };
    let fetched = fetch(&place, &options).await.unwrap();
    assert_eq!((COMPONENT, &place), (&*fetched.bytes, &fetched.source));
    assert_eq!("5BFE0E5FFF3FE720", fetched.signed_by.unwrap().to_string());

    options.max_bytes = 7;
    let error = refused(&place, &options).await;
    assert!(
        matches!(error, SourceError::TooLarge { most: 7, .. }),
        "{error}"
    );
    options.max_bytes = 8;
    let digest = digest_of(COMPONENT);
    let blob = folder
        .path()
        .join("blobs/sha256")
        .join(&digest["sha256:".len()..]);
    fs::write(blob, b"\0asm\x0d\0\x01\x01").unwrap();
    let error = refused(&place, &options).await;
    assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn an_image_layout_reads_nothing_outside_of_itself() {
    let folder = layout(&[(WASM, COMPONENT)]);
    fs::write(folder.path().join("secret"), b"{}").unwrap();
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": MANIFEST, "digest": "sha256:../../secret", "size": 2 }],
    });
    fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    let error = refused(&text(folder.path()), &on_disk(Path::new("/"))).await;
    assert!(
        matches!(&error, SourceError::Unsuitable { reason, .. } if *reason == Unsuitable::NoDigest),
        "{error}"
    );
}

#[tokio::test]
async fn a_path_leads_nowhere_but_into_the_folder_of_components() {
    let elsewhere = folder(&[
        ("secret.wasm", COMPONENT),
        ("components/keycrm.wasm", COMPONENT),
    ]);
    let root = elsewhere.path().join("components");
    let link = root.join("link.wasm");
    std::os::unix::fs::symlink(elsewhere.path().join("secret.wasm"), &link).unwrap();
    let options = on_disk(&root);
    for place in [
        text(&elsewhere.path().join("secret.wasm")),
        text(&elsewhere.path().join("absent.wasm")),
        "../secret.wasm".to_owned(),
        "../components/keycrm.wasm".to_owned(),
        "link.wasm".to_owned(),
    ] {
        let error = refused(&place, &options).await;
        assert!(
            matches!(error, SourceError::Outside { .. }),
            "{place}: {error}"
        );
    }
    assert_eq!(
        COMPONENT,
        fetch("keycrm.wasm", &options).await.unwrap().bytes
    );
    let error = refused("keycrm.wasm", &SourceOptions::default()).await;
    assert!(matches!(error, SourceError::NoRoot), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_component_are_in_no_error() {
    let folder = folder(&[("notes.wasm", b"own words of a file")]);
    let error = refused("notes.wasm", &on_disk(folder.path())).await;
    assert!(error.to_string().contains("is no WebAssembly"), "{error}");
}

#[tokio::test]
async fn a_registry_that_nobody_named_is_asked_at_public_addresses_alone() {
    let site = Site::new(Access::Open);
    let port = site.sim.address().port();
    let unnamed = SourceOptions::default();
    for host in ["127.0.0.1", "localhost"] {
        let source = format!("oci://{host}:{port}/ns/keycrm:1");
        let error = refused(&source, &unnamed).await.to_string();
        assert!(error.contains("an address of this machine"), "{error}");
    }
    let metadata = "169.254.169.254".to_owned();
    let source = format!("oci://{metadata}/ns/keycrm:1");
    let named = SourceOptions {
        plain_http: vec![metadata],
        ..SourceOptions::default()
    };
    let error = refused(&source, &named).await.to_string();
    assert!(error.contains("metadata service"), "{error}");
    assert!(site.sim.recent_requests().is_empty());
}

#[tokio::test]
async fn of_named_registries_no_other_is_asked() {
    let mut site = Site::new(Access::Open);
    site.options.registries = vec!["registry.example".to_owned()];
    assert_eq!(COMPONENT, site.fetch(":1").await.unwrap().bytes);
    let error = refused("oci://other.example/ns/keycrm:1", &site.options).await;
    assert!(matches!(error, SourceError::NotListed { .. }), "{error}");
}
