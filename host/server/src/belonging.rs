//! Where a stored credential may be sent.
//!
//! The threat: the address of a counterpart may stand in a setting, and who may change settings is not
//! therefore somebody to whom the stored credential may go. So a credential is kept together with the
//! places to which the settings led when it was given, and stays unused while they lead elsewhere: the
//! changed address needs it again. Where the manifest itself says where to go, the platform has agreed
//! by installing it.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenon_host::manifest::Manifest;
use tenon_host::{CredentialPlace, Secret};
use url::Url;

use crate::control::{connections, credentials, versions};
use crate::service::Error;
use crate::vault::Kept;

/// Stands for an address of the manifest's own.
const OF_MANIFEST: &str = "";

/// The places that a credential may be sent to: origins, and [`OF_MANIFEST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Belongs(BTreeSet<String>);

impl Belongs {
    /// Only where manifests themselves say.
    pub fn to_manifest() -> Belongs {
        Belongs([OF_MANIFEST.to_owned()].into())
    }

    /// Where a credential goes by the settings.
    pub fn of(manifest: &Manifest, settings: &Value, credential: &str) -> Belongs {
        let endpoints = manifest.endpoints.iter();
        let signed = endpoints.filter(|one| one.credentials.iter().any(|name| name == credential));
        let places = signed.map(|one| place(one.setting(), settings, &manifest.settings_schema));
        Belongs(places.collect())
    }

    /// The same, by a manifest as it is stored.
    pub fn by_stored(manifest: &Value, settings: &Value, credential: &str) -> Belongs {
        let endpoints = manifest["endpoints"].as_array().into_iter().flatten();
        let signed = endpoints.filter(|one| {
            let mut names = one["credentials"].as_array().into_iter().flatten();
            names.any(|name| name == credential)
        });
        let places = signed.map(|one| {
            let setting = (one["origin"].as_str()).and_then(|origin| {
                origin
                    .strip_prefix("{settings.")
                    .and_then(|rest| rest.strip_suffix('}'))
            });
            place(setting, settings, &manifest["settings_schema"])
        });
        Belongs(places.collect())
    }

    /// Whether a credential that belongs here may go to all those places.
    pub fn covers(&self, wanted: &Belongs) -> bool {
        wanted.0.is_subset(&self.0)
    }
}

fn place(setting: Option<&str>, settings: &Value, schema: &Value) -> String {
    let Some(setting) = setting else {
        return OF_MANIFEST.to_owned();
    };
    let default = schema["properties"][setting]["default"]
        .as_str()
        .map(origin);
    match settings[setting].as_str().map(origin) {
        Some(chosen) if Some(&chosen) != default.as_ref() => chosen,
        _ => OF_MANIFEST.to_owned(),
    }
}

/// A text that is no address leads nowhere, and is not the same as any other.
fn origin(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => text.to_owned(),
    }
}

/// The secrets, unless one of them would go where it does not belong.
///
/// # Errors
/// [`Error::CredentialAgain`] for that one.
pub fn at_home(
    manifest: &Manifest,
    settings: &Value,
    kept: HashMap<String, Kept>,
) -> Result<HashMap<String, Secret>, Error> {
    let strays = |(name, kept): &(&String, &Kept)| {
        let wanted = || Belongs::of(manifest, settings, name);
        (kept.belongs.as_ref()).is_some_and(|belongs| !belongs.covers(&wanted()))
    };
    // The same one each time.
    match kept.iter().filter(strays).map(|(name, _)| name).min() {
        Some(name) => Err(Error::CredentialAgain(name.clone())),
        None => Ok((kept.into_iter())
            .map(|(name, kept)| (name, kept.secret))
            .collect()),
    }
}

/// Where a credential belongs that is stored now; none where there is no connection yet.
pub fn now(db: &Connection, at: CredentialPlace<'_>) -> rusqlite::Result<Option<Belongs>> {
    let Some(connection) = connections::get(db, at.tenant, at.connection)? else {
        return Ok(None);
    };
    let version = versions::get(db, &connection.digest)?;
    Ok(version.map(|version| Belongs::by_stored(&version.manifest, &connection.settings, at.name)))
}

/// Takes down where those credentials of connections belong of which that was not kept yet.
pub fn settle(db: &Connection) -> anyhow::Result<()> {
    for stored in credentials::all(db)? {
        if stored.belongs.is_none()
            && let Some(belongs) = now(db, stored.place())?
        {
            credentials::set_belongs(db, stored.place(), &belongs)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(origin: &str, default: Value) -> Value {
        json!({
            "endpoints": [
                { "origin": origin, "credentials": ["key"] },
                { "origin": "{settings.files_url}", "credentials": [] },
            ],
            "settings_schema": { "properties": { "base_url": default, "files_url": {} } },
        })
    }

    fn belongs(manifest: &Value, base_url: Option<&str>) -> Belongs {
        let settings = base_url.map_or(json!({}), |url| json!({ "base_url": url }));
        Belongs::by_stored(manifest, &settings, "key")
    }

    #[test]
    fn a_credential_belongs_to_the_origin_that_the_settings_lead_to_whatever_the_path() {
        let m = manifest(
            "{settings.base_url}",
            json!({ "default": "https://api.example/v1" }),
        );
        let own = belongs(&m, None);
        assert_eq!(Belongs::to_manifest(), own);
        assert!(own.covers(&belongs(&m, Some("https://api.example/v2"))));
        assert!(own.covers(&belongs(&m, Some("https://API.example:443"))));
        for elsewhere in [
            "https://evil.example",
            "http://api.example/v1",
            "https://api.example:8443",
            "no address",
            "data:,x",
        ] {
            let wanted = belongs(&m, Some(elsewhere));
            assert!(!own.covers(&wanted), "{elsewhere}");
            assert!(wanted.covers(&wanted), "{elsewhere}");
            assert!(!wanted.covers(&own), "{elsewhere}");
        }
    }

    #[test]
    fn a_version_that_reads_its_address_from_a_setting_gets_no_key_for_what_was_put_there_before() {
        let fixed = manifest("https://api.example", json!({}));
        let free = manifest("{settings.base_url}", json!({}));
        let given = belongs(&fixed, Some("https://evil.example"));
        assert!(!given.covers(&belongs(&free, Some("https://evil.example"))));
        // The platform has installed the version and what it says by itself.
        assert!(given.covers(&belongs(&free, None)));
    }

    #[test]
    fn what_signs_no_endpoint_is_sent_nowhere_and_is_good_everywhere() {
        let m = manifest("{settings.base_url}", json!({}));
        let wanted = Belongs::by_stored(&m, &json!({ "base_url": "https://a.example" }), "other");
        assert!(Belongs::default().covers(&wanted));
    }
}
