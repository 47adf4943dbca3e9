//! Stored credentials with the keys that seal them, as one thing that is whole at any moment.
//!
//! A rotation changes two places, the key file and the database, and must lose nothing wherever it is
//! killed. So the new key is in the file before anything is sealed with it, and the old one leaves
//! the file after nothing is sealed with it any more; in between the file has both. Reading and
//! storing take the lock of the control database before they look at the keys, so they see the keys
//! from before or from after, with the rows that belong to them.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use serde_json::json;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use tenon_host::{CredentialPlace, SealingKeys, Secret};

use crate::belonging::{self, Belongs};
use crate::control::audit::{self, COMMAND_LINE};
use crate::control::credentials::{self, Named, Stored};
use crate::control::{Control, Failure, SharedControl};
use crate::key::{KeyFile, KeySource, KeyTrouble};
use crate::told::refusal;

/// Stored credentials and their keys.
pub struct Vault {
    control: Control,
    source: KeySource,
}

/// An opened credential.
pub struct Kept {
    /// What it is.
    pub secret: Secret,
    /// Where it may be sent; anywhere when none.
    pub belongs: Option<Belongs>,
}

/// The stored ones among these credentials of a connection.
pub fn stored(
    data: &Path,
    tenant: &TenantId,
    connection: &ConnectionId,
    names: &[&str],
) -> anyhow::Result<HashMap<String, Kept>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    match Vault::open_existing(data)? {
        Some(mut vault) => vault.secrets(tenant, connection, names),
        None => Ok(HashMap::new()),
    }
}

/// Stores a credential in place of the one that is there. The caller has the lock of the database.
pub fn put(
    db: &Connection,
    data: &Path,
    place: CredentialPlace<'_>,
    secret: &Secret,
) -> Result<(), Trouble> {
    Ok(seal(db, &KeySource::of(data), place, secret)?)
}

/// Why credentials are not to be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The keys, or what they seal.
    #[error(transparent)]
    Key(#[from] KeyTrouble),
    /// The database.
    #[error(transparent)]
    Database(#[from] Failure),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Trouble::Database(error.into())
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<KeyTrouble>() {
            Some(trouble) => Trouble::Key(trouble.clone()),
            None => Trouble::Database(Failure::new(format!("{error:#}"))),
        }
    }
}

/// Whether what is stored can be opened, and more be stored.
pub fn check(db: &Connection, data: &Path) -> Result<(), Trouble> {
    let source = KeySource::of(data);
    let keys = source.keys_if_any()?;
    let Some(latest) = credentials::latest(db)? else {
        return Ok(());
    };
    let keys = match keys {
        Some(keys) => keys,
        None => source.keys()?,
    };
    open(&keys, &source, latest.place(), &latest.sealed)?;
    Ok(())
}

/// The stored ones among these credentials of a connection, for a server.
pub async fn shared(
    control: &SharedControl,
    data: &Path,
    tenant: TenantId,
    connection: ConnectionId,
    names: Vec<String>,
) -> Result<HashMap<String, Kept>, Trouble> {
    let look = {
        let data = data.to_owned();
        move |db: &Connection| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let secrets = unseal(db, &KeySource::of(&data), &tenant, &connection, &names);
            secrets.map_err(Trouble::from)
        }
    };
    // Without the lock a rotation may come between the rows and the keys, so a failure is looked at
    // again with it.
    match control.read(look.clone()).await {
        Err(_) => control.write(look).await,
        secrets => secrets,
    }
}

/// All stored credentials of a connection, in a read of the caller's.
///
/// Without the lock a rotation may come between the rows and the keys: who gets an error looks again
/// by [`shared`].
pub fn all_of(
    db: &Connection,
    data: &Path,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> anyhow::Result<HashMap<String, Kept>> {
    let sealed = credentials::of_connection(db, tenant, connection)?;
    unseal_all(&KeySource::of(data), tenant, connection, sealed)
}

fn seal(
    db: &Connection,
    source: &KeySource,
    place: CredentialPlace<'_>,
    secret: &Secret,
) -> anyhow::Result<()> {
    let keys = source.keys_or_first(db, credentials::is_empty(db)?)?;
    let sealed = keys.seal(place, secret);
    let belongs = belonging::now(db, place)?;
    let now = Timestamp::now();
    Ok(credentials::put(db, place, &sealed, belongs.as_ref(), now)?)
}

fn unseal(
    db: &Connection,
    source: &KeySource,
    tenant: &TenantId,
    connection: &ConnectionId,
    names: &[&str],
) -> anyhow::Result<HashMap<String, Kept>> {
    let mut sealed = Vec::new();
    for &name in names {
        let place = CredentialPlace {
            tenant,
            connection,
            name,
        };
        sealed.extend(credentials::get(db, place)?);
    }
    unseal_all(source, tenant, connection, sealed)
}

fn unseal_all(
    source: &KeySource,
    tenant: &TenantId,
    connection: &ConnectionId,
    sealed: Vec<Named>,
) -> anyhow::Result<HashMap<String, Kept>> {
    if sealed.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = source.keys()?;
    let open = |one: Named| {
        let place = CredentialPlace {
            tenant,
            connection,
            name: &one.name,
        };
        let kept = Kept {
            secret: open(&keys, source, place, &one.sealed)?,
            belongs: one.belongs,
        };
        Ok((one.name, kept))
    };
    sealed.into_iter().map(open).collect()
}

impl Vault {
    /// The vault of a data folder; an empty one is made when there is none.
    pub fn open(data: &Path) -> anyhow::Result<Vault> {
        Ok(Vault {
            control: Control::open(data)?,
            source: KeySource::of(data),
        })
    }

    /// The vault of a data folder that has one.
    pub fn open_existing(data: &Path) -> anyhow::Result<Option<Vault>> {
        let vault = |control| Vault {
            control,
            source: KeySource::of(data),
        };
        Ok(Control::open_existing(data)?.map(vault))
    }

    /// Stores a credential in place of the one that is there.
    pub fn set(&mut self, place: CredentialPlace<'_>, secret: &Secret) -> anyhow::Result<()> {
        self.control.alone(|db| {
            seal(db, &self.source, place, secret)?;
            note(db, place, "credential.put")
        })
    }

    /// Removes a credential; tells whether there was one.
    pub fn remove(&mut self, place: CredentialPlace<'_>) -> anyhow::Result<bool> {
        let removed = self.control.alone(|db| {
            let removed = credentials::remove(db, place)?;
            if removed {
                note(db, place, "credential.remove")?;
            }
            Ok(removed)
        })?;
        self.control.empty_journal()?;
        Ok(removed)
    }

    fn secrets(
        &mut self,
        tenant: &TenantId,
        connection: &ConnectionId,
        names: &[&str],
    ) -> anyhow::Result<HashMap<String, Kept>> {
        (self.control).alone(|db| unseal(db, &self.source, tenant, connection, names))
    }

    /// Whether no credential is stored.
    pub fn is_empty(&mut self) -> anyhow::Result<bool> {
        self.control.alone(|db| Ok(credentials::is_empty(db)?))
    }

    /// Seals everything with the first key, which is a new one where the keys are in a file, and
    /// takes the other keys out of the file. Tells how many credentials it sealed.
    ///
    /// One that broke off is finished by the next one.
    pub fn rotate(&mut self) -> anyhow::Result<usize> {
        let resealed = self.control.alone(|db| {
            let resealed = reseal(db, &self.source)?;
            let note = audit::Note {
                actor: COMMAND_LINE.to_owned(),
                tenant: None,
                connection: None,
                action: "key.rotate",
                detail: serde_json::json!({ "resealed": resealed }),
            };
            audit::note(db, &note, Timestamp::now())?;
            Ok(resealed)
        })?;
        if let KeySource::File(file) = &self.source {
            self.control.alone(|db| drop_others(db, file))?;
        }
        // Else what the old key opens would still be there.
        self.control.empty_journal()?;
        Ok(resealed)
    }
}

/// Takes note of what was done on the command line.
fn note(db: &Connection, place: CredentialPlace<'_>, action: &'static str) -> anyhow::Result<()> {
    let note = audit::Note {
        actor: COMMAND_LINE.to_owned(),
        tenant: Some(place.tenant.clone()),
        connection: Some(place.connection.clone()),
        action,
        detail: json!({ "name": place.name }),
    };
    Ok(audit::note(db, &note, Timestamp::now())?)
}

/// The first half of a rotation, after which the first key opens everything.
fn reseal(db: &Transaction<'_>, source: &KeySource) -> anyhow::Result<usize> {
    let mut keys = source.keys()?;
    let new_in = match source {
        // With several keys in it, an earlier rotation broke off, and the first is the new one.
        KeySource::File(file) if !keys.has_others() => {
            keys = keys.with_new_first();
            Some(file)
        }
        _ => None,
    };
    let mut stored = credentials::all(db)?;
    stored.retain(|stored| keys.needs_resealing(&stored.sealed));
    // Before anything is changed: one that does not open leaves all as it was.
    for credential in &mut stored {
        let secret = open(&keys, source, credential.place(), &credential.sealed)?;
        credential.sealed = keys.seal(credential.place(), &secret);
    }
    if let Some(file) = new_in {
        file.replace(db, &keys)?;
    }
    for credential in &stored {
        credentials::replace(db, credential.place(), &credential.sealed)?;
    }
    Ok(stored.len())
}

/// The second half, once the first one is committed.
fn drop_others(db: &Transaction<'_>, file: &KeyFile) -> anyhow::Result<()> {
    let keys = file.keys()?;
    let waits = |stored: &Stored| keys.needs_resealing(&stored.sealed);
    anyhow::ensure!(
        !credentials::all(db)?.iter().any(waits),
        refusal("server.rotation-again")
    );
    file.replace(db, &keys.first_alone())
}

fn open(
    keys: &SealingKeys,
    source: &KeySource,
    place: CredentialPlace<'_>,
    sealed: &[u8],
) -> Result<Secret, KeyTrouble> {
    keys.open(place, sealed).map_err(|error| {
        let CredentialPlace {
            tenant,
            connection,
            name,
        } = place;
        let why = Reason::new("server.sealed-otherwise")
            .arg("name", name)
            .arg("connection", connection)
            .arg("tenant", tenant)
            .arg("place", source);
        KeyTrouble::new(why.detail(error))
    })
}

/// Whether a text stands for a secret in instructions, as `…` and `***` do, and is none.
pub fn is_placeholder(secret: &str) -> bool {
    (secret.trim().chars()).all(|letter| matches!(letter, '…' | '.' | '*'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const NAMES: [&str; 3] = ["login", "token", "api_key"];

    /// A data folder whose keys are in a file, whatever this process's environment says.
    struct Site(TempDir);

    impl Site {
        fn new() -> Site {
            let site = Site(tempfile::tempdir().unwrap());
            let (tenant, connection) = names();
            for name in NAMES {
                let place = CredentialPlace {
                    tenant: &tenant,
                    connection: &connection,
                    name,
                };
                let secret = Secret::new(format!("secret of {name}"));
                site.vault().set(place, &secret).unwrap();
            }
            site
        }

        fn vault(&self) -> Vault {
            Vault {
                control: Control::open(self.0.path()).unwrap(),
                source: KeySource::File(KeyFile::of(self.0.path())),
            }
        }

        /// How many keys the file has.
        fn keys(&self) -> usize {
            self.key_file().lines().count()
        }

        fn key_file(&self) -> String {
            fs::read_to_string(self.0.path().join("key")).unwrap()
        }

        fn all_open(&self) -> bool {
            let (tenant, connection) = names();
            let secrets = self.vault().secrets(&tenant, &connection, &NAMES);
            secrets.is_ok_and(|secrets| secrets.len() == NAMES.len())
        }
    }

    fn names() -> (TenantId, ConnectionId) {
        ("shop".parse().unwrap(), "keycrm".parse().unwrap())
    }

    /// The first half of a rotation, killed before it is committed.
    fn break_off(vault: &mut Vault) {
        let broken = vault.control.alone(|db| {
            reseal(db, &vault.source)?;
            anyhow::bail!("killed") as anyhow::Result<()>
        });
        assert_eq!("killed", broken.unwrap_err().to_string());
    }

    #[test]
    fn a_rotation_that_broke_off_anywhere_loses_nothing_and_the_next_one_finishes_it() {
        // How many keys the file then has, and how many credentials are left to seal anew.
        type Step = (fn(&Site), usize, usize);
        let steps: [Step; 3] = [
            // The new key file is written, but not in its place.
            (
                |site| fs::write(site.0.path().join("key.new"), "half a k").unwrap(),
                1,
                NAMES.len(),
            ),
            // The new key is there, and nothing is sealed with it.
            (|site| break_off(&mut site.vault()), 2, NAMES.len()),
            // Everything is sealed with the new key, and the old one is still there.
            (
                |site| {
                    let mut vault = site.vault();
                    let resealed = vault.control.alone(|db| reseal(db, &vault.source));
                    assert_eq!(NAMES.len(), resealed.unwrap());
                },
                2,
                0,
            ),
        ];
        for (step, keys, left) in steps {
            let site = Site::new();
            let old = site.key_file();
            step(&site);
            assert!(site.all_open());
            assert_eq!(keys, site.keys());
            assert_eq!(left, site.vault().rotate().unwrap());
            assert!(site.all_open());
            assert_eq!(1, site.keys());
            assert_ne!(old, site.key_file());
            assert!(!site.0.path().join("key.new").exists());
        }
    }

    #[test]
    fn the_key_of_a_rotation_that_began_meanwhile_and_broke_off_is_kept() {
        let site = Site::new();
        let mut first = site.vault();
        (first.control.alone(|db| reseal(db, &first.source))).unwrap();
        site.vault().rotate().unwrap();
        break_off(&mut site.vault());
        let file = KeyFile::of(site.0.path());
        let error = first
            .control
            .alone(|db| drop_others(db, &file))
            .unwrap_err();
        assert!(error.to_string().contains("tenon key rotate"), "{error}");
        assert!(site.all_open());
    }

    #[test]
    fn a_rotation_that_meets_what_does_not_open_changes_nothing() {
        let site = Site::new();
        let before = site.key_file();
        let moved = site.vault().control.alone(|db| {
            Ok(db.execute(
                "UPDATE credentials SET tenant = 'other' WHERE name = 'token'",
                [],
            )?)
        });
        assert_eq!(1, moved.unwrap());
        let error = site.vault().rotate().unwrap_err().to_string();
        assert!(
            error.contains("`token`") && error.contains("`other`"),
            "{error}"
        );
        assert_eq!(before, site.key_file());
    }
}
