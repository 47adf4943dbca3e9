//! Backups of a data folder, which are made while a server works on it, and what puts them back.
//!
//! A backup is a folder: `control.sqlite`, a file for each tenant, the components, and `backup.json`,
//! which names them all with their SHA-256 and is written last, so one that broke off has none. The
//! control database is copied before the files of tenants. So of what went on meanwhile it knows less
//! than they do, and what it has on its list still is done once more; the other way round it would
//! believe done what the files know nothing of. The key of the credentials is left out unless it is
//! asked for: who finds a backup then finds no credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use tenon_erp::EmbeddedErp;
use tenon_erp::sqlite_file::{self, Unsound, beside, make_private};
use tenon_host::ids::TenantId;
use tenon_host::reason::Reason;

use crate::control::audit::{self, COMMAND_LINE, Note};
use crate::control::{self, Control, tenants, versions};
use crate::key::{self, KeySource};
use crate::told::refusal;

const MANIFEST: &str = "backup.json";
const TENANTS: &str = "tenants";
const COMPONENTS: &str = "components";
/// Where a folder is put together before anything of it is in its place.
const DRAFT: &str = "restoring";
/// Where the file of a tenant goes that another one takes the place of.
const REPLACED: &str = "replaced";

/// How long a copy waits for who writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    made_at: Timestamp,
    /// The version of this program.
    version: String,
    /// The one tenant whose file it is of; none of a whole folder.
    tenant: Option<TenantId>,
    /// SHA-256 by name, hexadecimal.
    files: BTreeMap<String, String>,
    /// The files that were left out.
    #[serde(default)]
    left_out: Vec<String>,
}

/// What was copied, and what was not.
#[derive(Debug, Default, Serialize)]
pub struct Done {
    /// The tenants whose files were copied and found sound.
    pub tenants: Vec<TenantId>,
    /// Other files that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Whether the key of the credentials is among what was copied.
    pub key: bool,
}

/// A file that was not copied.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// Its name in the folder.
    pub file: String,
    /// What is wrong with it.
    #[serde(serialize_with = "in_one_line")]
    pub why: anyhow::Error,
}

fn in_one_line<S: Serializer>(error: &anyhow::Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{error:#}"))
}

/// What is wrong with a file, for people; none where only SQLite can say.
pub fn reason(unsound: &Unsound) -> Option<Reason> {
    match unsound {
        Unsound::Sqlite(_) => None,
        Unsound::Empty => Some(Reason::new("server.file-missing")),
        Unsound::Damaged(what) => Some(Reason::new("server.file-damaged").detail(what)),
        Unsound::Newer => Some(Reason::new("server.file-newer")),
    }
}

/// Copies a data folder, or the file of one tenant of it, into a new folder.
pub fn make(
    data: &Path,
    to: &Path,
    tenant: Option<&TenantId>,
    with_key: bool,
) -> anyhow::Result<Done> {
    anyhow::ensure!(
        data.is_dir(),
        refusal("server.no-data-folder").arg("data", data.display())
    );
    if with_key && !data.join(key::FILE).exists() && KeySource::is_variable() {
        anyhow::bail!(refusal("server.key-in-variable"));
    }
    refuse_within(data, to)?;
    make_empty(to)?;
    let mut backup = Copying::new(data, to);
    let erp = EmbeddedErp::open_to_read(data);
    let mut installed = BTreeSet::new();
    let mut names = match tenant {
        Some(tenant) => vec![tenant.clone()],
        None => Vec::new(),
    };
    if tenant.is_none() {
        if data.join(control::FILE).exists() {
            backup.database(control::FILE, Control::check_file)?;
            let read = |db: &rusqlite::Transaction<'_>| {
                let tenants = tenants::list(db, None, None, u32::MAX)?;
                Ok((tenants, versions::list(db, None, u32::MAX)?))
            };
            let (known, versions) = Control::open_to_read(to)?
                .context("it was copied")?
                .alone(read)?;
            names.extend(known.into_iter().map(|tenant| tenant.id));
            installed.extend(versions.into_iter().map(|one| one.digest));
        }
        if data.join(TENANTS).exists() {
            names.extend(erp.tenants()?);
        }
        names.sort();
        names.dedup();
        installed.extend(components(data)?);
        for digest in installed {
            backup.component(&digest);
        }
        if with_key && data.join(key::FILE).exists() {
            backup.plain(key::FILE)?;
        }
    }
    for name in names {
        backup.tenant(&name)?;
    }
    // Who has it can open what is sealed. A copy in which nothing can be written has no audit.
    if backup.done.key
        && let Ok(Some(mut control)) = Control::open_existing(data)
    {
        note(&mut control, None, "backup.with_key", serde_json::json!({}))?;
    }
    let nothing = backup.files.is_empty() && backup.done.left_out.is_empty();
    anyhow::ensure!(
        !nothing,
        refusal("server.nothing-in-folder").arg("data", data.display())
    );
    backup.finish(tenant)
}

/// Refuses to write a backup into the folder that it is of: the next one would hold it as well.
fn refuse_within(data: &Path, to: &Path) -> anyhow::Result<()> {
    let data = data.canonicalize()?;
    let mut above = std::path::absolute(to)?;
    while !above.exists() && above.pop() {}
    anyhow::ensure!(
        !above.canonicalize()?.starts_with(&data),
        refusal("server.backup-within").arg("data", data.display())
    );
    Ok(())
}

/// Refuses a folder that has lost its control database: a server would take it for a new one, and what
/// its connections, tokens and addresses of webhooks were would be forgotten.
///
/// # Errors
/// What to do.
pub fn refuse_lost(data: &Path) -> anyhow::Result<()> {
    if data.join(control::FILE).exists() {
        return Ok(());
    }
    let served = || -> anyhow::Result<bool> {
        let fences = data.join(TENANTS).exists();
        Ok(!components(data)?.is_empty()
            || (fences && EmbeddedErp::open_to_read(data).highest_fence()? > 0))
    };
    anyhow::ensure!(
        !served()?,
        refusal("server.control-lost").arg("file", data.join(control::FILE).display())
    );
    Ok(())
}

/// Refuses a folder into which a restore broke off: a server would take it for a new one.
///
/// # Errors
/// What to do.
pub fn refuse_unfinished(data: &Path) -> anyhow::Result<()> {
    let is_unfinished = data.join(DRAFT).exists() && !data.join(control::FILE).exists();
    anyhow::ensure!(
        !is_unfinished,
        refusal("server.restore-broke-off").arg("data", data.display())
    );
    Ok(())
}

/// Puts a whole backup into a data folder in which nothing is yet. What is not sound in it is left out.
///
/// The caller holds the lock of the data folder.
pub fn restore(data: &Path, from: &Path) -> anyhow::Result<Done> {
    let manifest = read_manifest(from)?;
    if let Some(tenant) = &manifest.tenant {
        let why = refusal("server.backup-of-tenant").arg("from", from.display());
        anyhow::bail!(why.arg("tenant", tenant));
    }
    anyhow::ensure!(
        is_new(data)?,
        refusal("server.folder-not-new").arg("data", data.display())
    );
    let draft = data.join(DRAFT);
    if draft.exists() {
        fs::remove_dir_all(&draft).with_context(|| draft.display().to_string())?;
    }
    make_empty(&draft)?;
    let mut copying = Copying::new(from, &draft);
    for (name, digest) in &manifest.files {
        match Kind::of(name)? {
            // Without it nothing is worth anything.
            Kind::Control => copying.checked(name, digest, Control::check_file)?,
            Kind::Tenant(tenant) => {
                let checked = copying.checked(name, digest, EmbeddedErp::check_file);
                copying.note_tenant(&tenant, name, checked);
            }
            Kind::Plain => {
                let checked = copying.checked(name, digest, |_| Ok(()));
                copying.note(name, checked);
            }
        }
    }
    for name in &manifest.left_out {
        let why = refusal("server.left-out-before").into();
        copying.note(name, Err(why));
    }
    copying.done.key = manifest.files.contains_key(key::FILE);
    // The control database goes last: without it no server takes the folder for a whole one.
    for name in [TENANTS, COMPONENTS, key::FILE, control::FILE] {
        let (drafted, place) = (draft.join(name), data.join(name));
        if !drafted.exists() {
            continue;
        }
        if place.is_dir() {
            fs::remove_dir(&place).with_context(|| place.display().to_string())?;
        }
        fs::rename(&drafted, &place).with_context(|| place.display().to_string())?;
    }
    sync_folder(data)?;
    fs::remove_dir(&draft).with_context(|| draft.display().to_string())?;
    Ok(copying.done)
}

/// Puts the file of one tenant back. The one that is there goes into the folder `replaced`.
///
/// The caller holds the lock of the data folder.
pub fn restore_tenant(data: &Path, from: &Path, tenant: &TenantId) -> anyhow::Result<Done> {
    let manifest = read_manifest(from)?;
    let name = tenant_file(tenant);
    let Some(digest) = manifest.files.get(&name) else {
        let why = refusal("server.backup-without-tenant").arg("from", from.display());
        anyhow::bail!(why.arg("tenant", tenant));
    };
    let mut control = Control::open_existing(data)?;
    if let Some(control) = &mut control {
        let known = control.alone(|db| Ok(tenants::get(db, tenant)?))?;
        anyhow::ensure!(
            known.is_some(),
            refusal("server.restore-unknown-tenant").arg("tenant", tenant)
        );
    }
    let draft = data.join(DRAFT);
    if draft.exists() {
        fs::remove_dir_all(&draft).with_context(|| draft.display().to_string())?;
    }
    make_empty(&draft)?;
    let mut copying = Copying::new(from, &draft);
    copying.checked(&name, digest, EmbeddedErp::check_file)?;
    let place = data.join(&name);
    make_folder(&data.join(TENANTS))?;
    // The file goes before its log: a log without its file is nothing that a server takes up.
    for ending in ["", "-wal"] {
        let old = beside(&place, ending);
        if old.exists() {
            let replaced = data.join(REPLACED);
            make_folder(&replaced)?;
            let now = Timestamp::now().as_millisecond();
            let kept = replaced.join(format!("{tenant}.{now}.sqlite{ending}"));
            fs::rename(&old, &kept).with_context(|| old.display().to_string())?;
        }
    }
    let index = beside(&place, "-shm");
    if index.exists() {
        fs::remove_file(&index).with_context(|| index.display().to_string())?;
    }
    fs::rename(draft.join(&name), &place).with_context(|| place.display().to_string())?;
    sync_folder(&data.join(TENANTS))?;
    fs::remove_dir_all(&draft).with_context(|| draft.display().to_string())?;
    copying.done.tenants.push(tenant.clone());
    if let Some(control) = &mut control {
        let detail = serde_json::json!({ "made_at": manifest.made_at });
        note(control, Some(tenant), "tenant.restore", detail)?;
    }
    Ok(copying.done)
}

/// Notes in the audit what was done on the command line.
fn note(
    control: &mut Control,
    tenant: Option<&TenantId>,
    action: &'static str,
    detail: serde_json::Value,
) -> anyhow::Result<()> {
    let note = Note {
        actor: COMMAND_LINE.to_owned(),
        tenant: tenant.cloned(),
        connection: None,
        action,
        detail,
    };
    control.alone(|db| Ok(audit::note(db, &note, Timestamp::now())?))
}

/// A copy that is under way.
struct Copying {
    from: PathBuf,
    to: PathBuf,
    files: BTreeMap<String, String>,
    done: Done,
}

impl Copying {
    fn new(from: &Path, to: &Path) -> Copying {
        Copying {
            from: from.to_owned(),
            to: to.to_owned(),
            files: BTreeMap::new(),
            done: Done::default(),
        }
    }

    /// Copies a database that others may use meanwhile.
    fn database(&mut self, name: &str, check: Check) -> anyhow::Result<()> {
        let (from, to) = (self.from.join(name), self.place(name)?);
        let copied = sqlite_file::copy(&from, &to, PATIENCE).map_err(anyhow::Error::from);
        let copied = copied.and_then(|()| Ok(check(&to)?));
        if let Err(error) = copied {
            let _ = fs::remove_file(&to);
            return Err(error.context(from.display().to_string()));
        }
        self.files.insert(name.to_owned(), digest(&to)?);
        Ok(())
    }

    /// Copies the file of a tenant; one that is not sound is left out.
    fn tenant(&mut self, tenant: &TenantId) -> anyhow::Result<()> {
        let name = tenant_file(tenant);
        let from = self.from.join(&name);
        let copied = match from.metadata() {
            Ok(file) if file.len() > 0 => self.database(&name, EmbeddedErp::check_file),
            _ => Err(refusal("server.file-missing").into()),
        };
        self.note_tenant(tenant, &name, copied);
        Ok(())
    }

    fn note_tenant(&mut self, tenant: &TenantId, name: &str, copied: anyhow::Result<()>) {
        if copied.is_ok() {
            self.done.tenants.push(tenant.clone());
        }
        self.note(name, copied);
    }

    fn note(&mut self, name: &str, copied: anyhow::Result<()>) {
        if let Err(error) = copied {
            self.done.left_out.push(LeftOut {
                file: name.to_owned(),
                why: error,
            });
        }
    }

    /// Copies a component; one that is not there, or not what its digest says, is left out.
    fn component(&mut self, digest: &str) {
        let name = format!("{COMPONENTS}/{digest}.wasm");
        let copied = match self.from.join(&name).exists() {
            true => self.checked(&name, digest, |_| Ok(())),
            false => Err(refusal("server.file-missing").into()),
        };
        if copied.is_ok() {
            self.files.insert(name.clone(), digest.to_owned());
        }
        self.note(&name, copied);
    }

    /// Copies a file that never changes, or as a whole.
    fn plain(&mut self, name: &str) -> anyhow::Result<()> {
        let to = self.copied(name)?;
        self.files.insert(name.to_owned(), digest(&to)?);
        if name == key::FILE {
            self.done.key = true;
        }
        Ok(())
    }

    fn copied(&mut self, name: &str) -> anyhow::Result<PathBuf> {
        let (from, to) = (self.from.join(name), self.place(name)?);
        let copy = || -> io::Result<()> {
            make_private(&to)?;
            io::copy(&mut File::open(&from)?, &mut File::create(&to)?)?;
            File::open(&to)?.sync_all()
        };
        copy().with_context(|| from.display().to_string())?;
        Ok(to)
    }

    /// Copies a file that has to have a digest, and be sound.
    fn checked(&mut self, name: &str, expected: &str, check: Check) -> anyhow::Result<()> {
        let to = self.copied(name)?;
        let checked = match digest(&to)? == expected {
            true => check(&to).map_err(anyhow::Error::from),
            false => Err(refusal("server.backup-altered").into()),
        };
        if let Err(error) = checked {
            let _ = fs::remove_file(&to);
            return Err(error.context(self.from.join(name).display().to_string()));
        }
        Ok(())
    }

    /// Where a file goes, in a folder that is there.
    fn place(&self, name: &str) -> anyhow::Result<PathBuf> {
        let place = self.to.join(name);
        if let Some(folder) = place.parent() {
            make_folder(folder)?;
        }
        Ok(place)
    }

    /// Writes what makes it a backup.
    fn finish(self, tenant: Option<&TenantId>) -> anyhow::Result<Done> {
        let manifest = Manifest {
            made_at: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tenant: tenant.cloned(),
            files: self.files,
            left_out: (self.done.left_out.iter())
                .map(|one| one.file.clone())
                .collect(),
        };
        for folder in [TENANTS, COMPONENTS] {
            let folder = self.to.join(folder);
            if folder.exists() {
                sync_folder(&folder)?;
            }
        }
        let path = self.to.join(MANIFEST);
        let write = || -> anyhow::Result<()> {
            make_private(&path)?;
            let mut draft = File::create(&path)?;
            serde_json::to_writer_pretty(&mut draft, &manifest)?;
            Ok(draft.sync_all()?)
        };
        write().with_context(|| path.display().to_string())?;
        sync_folder(&self.to)?;
        Ok(self.done)
    }
}

/// What tells whether a database is sound.
type Check = fn(&Path) -> Result<(), Unsound>;

/// What a file of a backup is. Its name comes from outside.
enum Kind {
    Control,
    Tenant(TenantId),
    Plain,
}

impl Kind {
    fn of(name: &str) -> anyhow::Result<Kind> {
        if name == control::FILE {
            return Ok(Kind::Control);
        }
        if name == key::FILE {
            return Ok(Kind::Plain);
        }
        let tenant = name.strip_prefix("tenants/");
        if let Some(tenant) = tenant.and_then(|name| name.strip_suffix(".sqlite"))
            && let Ok(tenant) = tenant.parse()
        {
            return Ok(Kind::Tenant(tenant));
        }
        let component = name.strip_prefix("components/");
        if let Some(digest) = component.and_then(|name| name.strip_suffix(".wasm"))
            && digest.chars().all(|c| c.is_ascii_hexdigit())
        {
            return Ok(Kind::Plain);
        }
        anyhow::bail!(refusal("server.backup-strange-file").arg("name", name))
    }
}

fn tenant_file(tenant: &TenantId) -> String {
    format!("{TENANTS}/{tenant}.sqlite")
}

/// The components in a data folder, by their digests.
fn components(data: &Path) -> anyhow::Result<Vec<String>> {
    let folder = data.join(COMPONENTS);
    let mut names = Vec::new();
    if !folder.exists() {
        return Ok(names);
    }
    for file in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = file?.file_name();
        // What is being written has another name.
        names.extend(
            (name.to_str())
                .and_then(|name| name.strip_suffix(".wasm"))
                .map(str::to_owned),
        );
    }
    names.sort();
    Ok(names)
}

fn read_manifest(from: &Path) -> anyhow::Result<Manifest> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| {
        let why = refusal("server.not-a-backup").arg("file", path.display());
        why.because(error)
    })?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Whether nothing of a data folder is there, but for empty folders.
fn is_new(data: &Path) -> anyhow::Result<bool> {
    for folder in [TENANTS, COMPONENTS] {
        let folder = data.join(folder);
        if folder.exists() && fs::read_dir(&folder)?.next().is_some() {
            return Ok(false);
        }
    }
    Ok(!data.join(control::FILE).exists())
}

/// Makes a folder for its owner alone, which must not have anything in it.
fn make_empty(folder: &Path) -> anyhow::Result<()> {
    make_folder(folder)?;
    let mut inside = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    anyhow::ensure!(
        inside.next().is_none(),
        refusal("server.folder-not-empty").arg("folder", folder.display())
    );
    Ok(())
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .with_context(|| folder.display().to_string())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| folder.display().to_string())?;
    Ok(())
}

/// SHA-256 of a file, hexadecimal.
fn digest(path: &Path) -> anyhow::Result<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut part)? {
                0 => break,
                length => hash.update(&part[..length]),
            }
        }
        Ok(hex::encode(hash.finalize()))
    };
    read().with_context(|| path.display().to_string())
}
