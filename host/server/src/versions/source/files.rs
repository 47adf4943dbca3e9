//! Components on this machine's disks: a file, a directory that has one, or an OCI image layout.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use super::artifact::{
    self, Digest, MOST_INDEXES, MOST_MANIFEST_BYTES, Manifest, Part, Unsuitable,
};
use super::{Found, SourceError};
use crate::versions::signature::{MOST_SIGNATURE_BYTES, SignatureError};

/// What makes a directory an OCI image layout.
const LAYOUT: &str = "index.json";
const COMPONENT: &str = "wasm";
/// What the name of a signature has after the name of the file that it signs.
const SIGNATURE: &str = ".minisig";

/// Components that are named where there are too many.
const NAMED: usize = 3;

/// The path in the folder of components. Who asks learns nothing of what is elsewhere, not even whether
/// it is there.
pub fn inside(root: Option<&Path>, path: &Path) -> Result<PathBuf, SourceError> {
    let root = root.ok_or(SourceError::NoRoot)?;
    let outside = || SourceError::Outside {
        path: path.to_owned(),
    };
    let whole = fs::canonicalize(root).map_err(unreadable(root))?;
    let joined = root.join(path);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if climbs || !(joined.starts_with(root) || joined.starts_with(&whole)) {
        return Err(outside());
    }
    // What links lead to counts, not where they are.
    let found = fs::canonicalize(&joined).map_err(unreadable(path))?;
    (found.starts_with(&whole).then_some(joined)).ok_or_else(outside)
}

pub fn read(path: &Path, most: u64) -> Result<Found, SourceError> {
    let kind = fs::metadata(path).map_err(unreadable(path))?;
    if kind.is_file() {
        return component(path, most);
    }
    if !kind.is_dir() {
        return Err(unsuitable(path, Unsuitable::NoFile));
    }
    if path.join(LAYOUT).exists() {
        layout(path, most)
    } else {
        component(&the_component_in(path)?, most)
    }
}

fn component(path: &Path, most: u64) -> Result<Found, SourceError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(SIGNATURE);
    let beside = PathBuf::from(beside);
    let signature = match bounded(&beside, MOST_SIGNATURE_BYTES) {
        Err(SourceError::Unreadable { error, .. }) if error.kind() == ErrorKind::NotFound => None,
        signature => Some(text(signature?)?),
    };
    Ok(Found {
        bytes: bounded(path, most)?,
        source: from_the_root(path)?,
        signature,
    })
}

fn the_component_in(folder: &Path) -> Result<PathBuf, SourceError> {
    let mut components = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|end| end == COMPONENT) && path.is_file() {
            components.push(path);
        }
    }
    components.sort();
    match components.as_slice() {
        [] => Err(unsuitable(folder, Unsuitable::NoComponent)),
        [only] => Ok(only.clone()),
        several => {
            let names = several.iter().filter_map(|path| path.file_name());
            let mut named: Vec<_> = (names.take(NAMED))
                .map(|name| name.to_string_lossy().into_owned())
                .collect();
            if several.len() > NAMED {
                named.push("…".to_owned());
            }
            let named = Unsuitable::ManyComponents(named.join(", "));
            Err(unsuitable(folder, named))
        }
    }
}

fn layout(folder: &Path, most: u64) -> Result<Found, SourceError> {
    let mut path = folder.join(LAYOUT);
    let mut manifest = bounded(&path, MOST_MANIFEST_BYTES)?;
    // The layout's own index stands before the others.
    for _ in 0..=MOST_INDEXES + 1 {
        match artifact::manifest(&manifest).map_err(|reason| unsuitable(&path, reason))? {
            Manifest::Index(digest) => {
                path = blob_path(folder, &digest);
                manifest = named_by(&digest, &path, bounded(&path, MOST_MANIFEST_BYTES)?)?;
            }
            Manifest::Component {
                component,
                signature,
            } => {
                let signature = signature
                    .map(|part| text(blob(folder, &part, MOST_SIGNATURE_BYTES)?))
                    .transpose()?;
                return Ok(Found {
                    bytes: blob(folder, &component, most)?,
                    source: from_the_root(folder)?,
                    signature,
                });
            }
        }
    }
    Err(unsuitable(&path, Unsuitable::ManyIndexes))
}

fn blob(folder: &Path, part: &Part, most: u64) -> Result<Vec<u8>, SourceError> {
    let path = blob_path(folder, &part.digest);
    let bytes = bounded(&path, most)?;
    named_by(&part.digest, &path, bytes)
}

fn blob_path(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs").join("sha256").join(digest.hex())
}

fn named_by(digest: &Digest, path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    if Digest::of(&bytes) == *digest {
        return Ok(bytes);
    }
    Err(SourceError::Damaged {
        place: path.display().to_string(),
        expected: digest.to_string(),
    })
}

/// The whole file, unless it is longer.
pub fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, SourceError> {
    // Opening something else, such as a pipe, may wait for ever.
    let kind = fs::metadata(path).map_err(unreadable(path))?;
    if !kind.is_file() {
        return Err(unsuitable(path, Unsuitable::NoFile));
    }
    let file = File::open(path).map_err(unreadable(path))?;
    let mut bytes = Vec::new();
    // It may have grown since its length was told.
    let mut limited = file.take(most.saturating_add(1));
    limited.read_to_end(&mut bytes).map_err(unreadable(path))?;
    if bytes.len() as u64 > most {
        return Err(SourceError::TooLarge {
            place: path.display().to_string(),
            most,
        });
    }
    Ok(bytes)
}

pub fn text(signature: Vec<u8>) -> Result<String, SourceError> {
    let text = String::from_utf8(signature);
    text.map_err(|_| SourceError::Signature(SignatureError::Malformed))
}

/// The source stays the same wherever this program is started next.
fn from_the_root(path: &Path) -> Result<String, SourceError> {
    let path = fs::canonicalize(path).map_err(unreadable(path))?;
    Ok(path.display().to_string())
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> SourceError + '_ {
    move |error| SourceError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

fn unsuitable(path: &Path, reason: Unsuitable) -> SourceError {
    SourceError::Unsuitable {
        place: path.display().to_string(),
        reason,
    }
}
