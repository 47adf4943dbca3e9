//! Where the keys are that seal stored credentials: in the variable `TENON_KEY`, else in the file
//! `key` of the data folder, which is made when the first credential is stored.
//!
//! The file protects a copy of the database and a row moved by somebody who has only the database.
//! A copy of the whole folder has the key in it: whoever wants to be safe from that sets the variable
//! from elsewhere. A key that others on the machine can read is no key and is refused; a key that is
//! lost is never replaced silently, because that would look as if the credentials were lost.
//!
//! The file is written only while the control database is locked, so nobody sees two different ones.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use anyhow::Context as _;
use rusqlite::Connection;
use tempfile::NamedTempFile;
use tenon_host::SealingKeys;
use tenon_host::reason::{LANGUAGES, Reason};
use zeroize::Zeroizing;

use crate::told::{self, TEXTS};

/// The keys, or what is sealed with them, cannot be used, and what to do about it. It names files, so it
/// is for who runs the host.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", told::whole(&TEXTS, .0, LANGUAGES[0]))]
pub struct KeyTrouble(Box<Reason>);

impl KeyTrouble {
    /// For a reason.
    pub fn new(why: Reason) -> KeyTrouble {
        KeyTrouble(Box::new(why))
    }

    /// Why, for who runs the host.
    pub fn reason(&self) -> &Reason {
        &self.0
    }

    /// What is at this place is no key, or cannot be read.
    fn unreadable(place: impl fmt::Display, detail: impl fmt::Display) -> KeyTrouble {
        let why = Reason::new("server.key-unreadable").arg("place", place);
        KeyTrouble::new(why.detail(detail))
    }
}

const VARIABLE: &str = "TENON_KEY";
/// Its name in the data folder.
pub const FILE: &str = "key";
/// A key file before it is in its place. One that a dead process left holds keys, so its name is
/// fixed and the next writer finds and removes it.
const DRAFT: &str = "key.new";

/// Where the keys of a data folder are.
pub enum KeySource {
    /// In the environment: whoever starts this program changes them.
    Variable,
    /// In a file: this program makes and changes it.
    File(KeyFile),
}

/// The key file of a data folder.
pub struct KeyFile {
    folder: PathBuf,
}

impl KeySource {
    /// Of a data folder and this process.
    pub fn of(data: &Path) -> KeySource {
        match KeySource::is_variable() {
            true => KeySource::Variable,
            false => KeySource::File(KeyFile::of(data)),
        }
    }

    /// Whether the environment holds the keys.
    pub fn is_variable() -> bool {
        env::var_os(VARIABLE).is_some()
    }

    /// The keys that there are.
    pub fn keys(&self) -> Result<SealingKeys, KeyTrouble> {
        match self {
            KeySource::Variable => variable(),
            KeySource::File(file) => file.keys(),
        }
    }

    /// The keys, unless none were made yet.
    pub fn keys_if_any(&self) -> Result<Option<SealingKeys>, KeyTrouble> {
        match self {
            KeySource::Variable => variable().map(Some),
            KeySource::File(file) => file.read(),
        }
    }

    /// The keys that there are; where nothing is sealed yet, a first key is made.
    pub fn keys_or_first(
        &self,
        alone: &Connection,
        nothing_is_sealed: bool,
    ) -> anyhow::Result<SealingKeys> {
        if nothing_is_sealed
            && let KeySource::File(file) = self
            && file.read()?.is_none()
        {
            file.make(alone)?;
        }
        Ok(self.keys()?)
    }
}

fn variable() -> Result<SealingKeys, KeyTrouble> {
    let text = Zeroizing::new(env::var(VARIABLE).unwrap_or_default());
    SealingKeys::parse(&text).map_err(|error| KeyTrouble::unreadable(VARIABLE, error))
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::Variable => f.write_str(VARIABLE),
            KeySource::File(file) => write!(f, "{}", file.path().display()),
        }
    }
}

impl KeyFile {
    /// Of a data folder.
    pub fn of(data: &Path) -> KeyFile {
        KeyFile {
            folder: data.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// The keys in the file.
    pub fn keys(&self) -> Result<SealingKeys, KeyTrouble> {
        self.read()?.ok_or_else(|| {
            let why = Reason::new("server.key-missing");
            KeyTrouble::new(why.arg("file", self.path().display()))
        })
    }

    fn read(&self) -> Result<Option<SealingKeys>, KeyTrouble> {
        let path = self.path();
        let unreadable = |error: std::io::Error| KeyTrouble::unreadable(path.display(), error);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unreadable)?,
        };
        let metadata = file.metadata().map_err(unreadable)?;
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            let why = Reason::new("server.key-open-to-others");
            return Err(KeyTrouble::new(why.arg("file", path.display())));
        }
        // One allocation: a text that grows leaves pieces of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
        file.read_to_string(&mut text).map_err(unreadable)?;
        let keys = SealingKeys::parse(&text);
        keys.map(Some)
            .map_err(|error| KeyTrouble::unreadable(path.display(), error))
    }

    fn make(&self, _alone: &Connection) -> anyhow::Result<()> {
        let draft = self.draft(&SealingKeys::generate())?;
        // A file that somebody put there meanwhile stays.
        let made = draft.persist_noclobber(self.path()).map_err(|e| e.error);
        made.and_then(|_| self.settle())
            .with_context(|| self.path().display().to_string())
    }

    /// Puts these keys in the place of those that the file holds.
    ///
    /// `_alone` is the transaction that locks the control database.
    pub fn replace(&self, _alone: &Connection, keys: &SealingKeys) -> anyhow::Result<()> {
        let replaced = self.draft(keys)?.persist(self.path()).map_err(|e| e.error);
        replaced
            .and_then(|_| self.settle())
            .with_context(|| self.path().display().to_string())
    }

    /// A file with these keys that is on the disk, but not in its place yet.
    fn draft(&self, keys: &SealingKeys) -> anyhow::Result<NamedTempFile> {
        let path = self.folder.join(DRAFT);
        let draft = || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // It is made anew, for its owner alone.
            let mut draft = tempfile::Builder::new()
                .prefix(DRAFT)
                .rand_bytes(0)
                .tempfile_in(&self.folder)?;
            draft.write_all(keys.expose().as_bytes())?;
            draft.as_file().sync_all()?;
            Ok(draft)
        };
        draft().with_context(|| path.display().to_string())
    }

    /// Makes the new name durable, before anything is sealed with what is behind it.
    fn settle(&self) -> std::io::Result<()> {
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}
