//! What every SQLite file of a data folder has in common, whoever's it is: only its owner reads it,
//! and people read while somebody writes.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// What is wrong with a file that was read from its beginning to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// SQLite cannot read it.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Its pages or rows contradict each other.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A later version of this program has written it.
    #[error("a newer version of this program wrote it; update this one")]
    Newer,
}

/// Whether no later try can go better: what is in the file is wrong.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseCorrupt | NotADatabase)
    )
}

/// Makes a file for its owner alone, unless it is there. SQLite gives the files beside it the same
/// mode, so this comes before SQLite sees it.
pub fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Sets write-ahead logging. The file keeps it, so this waits only while several processes make one
/// file; SQLite itself does not wait for them here.
pub fn log_ahead(db: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match db.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            outcome => return outcome,
        }
    }
}

/// Opens a file that is there, to read from it alone. It may lie where nothing can be written, such as
/// on a copy that was made read-only, as long as the copy is whole or no log lies beside it.
pub fn open_to_read(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    // SQLite reads nothing before it is asked something.
    match db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        // Readers tell writers where they are by files beside it, which cannot be made here. So nobody
        // can write, and without a log all is in the file.
        Err(error) if is_about_files_beside(&error) && !has_log(path) => {
            let place = format!("file:{}?immutable=1", escaped(path));
            Connection::open_with_flags(place, flags | OpenFlags::SQLITE_OPEN_URI)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(db),
    }
}

fn is_about_files_beside(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly))
}

fn has_log(path: &Path) -> bool {
    beside(path, "-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0)
}

/// A file that SQLite keeps beside a file.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

/// A path as it stands in a URI.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let escape = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
            char::from(*byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    bytes.map(escape).collect()
}

/// Copies a file as it stands at one moment, while others read and write it, into a new one for its
/// owner alone. When this answers, the copy is on the disk, as one file.
pub fn copy(from: &Path, to: &Path, patience: Duration) -> std::io::Result<()> {
    let copied = || -> rusqlite::Result<()> {
        let source = open_to_read(from, patience)?;
        let mut target = Connection::open(to)?;
        let deadline = Instant::now() + patience;
        // All pages in one step are those of one moment.
        while Backup::new(&source, &mut target)?.step(-1)? != StepResult::Done {
            if Instant::now() >= deadline {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // Without a log beside it, it can be moved and read anywhere.
        target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        target.close().map_err(|(_, error)| error)
    };
    make_private(to)?;
    copied().map_err(std::io::Error::other)?;
    File::open(to)?.sync_all()
}

/// Looks through the pages of a file, without comparing what its tables and indexes hold.
pub fn check_pages(db: &Connection) -> Result<(), Unsound> {
    sound(db, "PRAGMA quick_check(1)")
}

fn sound(db: &Connection, check: &str) -> Result<(), Unsound> {
    let found: String = db.query_row(check, [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(Unsound::Damaged(found.replace('\n', " "))),
    }
}

/// Reads a file from its beginning to its end and tells what is wrong with it. `steps` is how many
/// steps of its tables this program knows.
pub fn check(path: &Path, steps: usize, patience: Duration) -> Result<(), Unsound> {
    let db = open_to_read(path, patience)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(0) => return Err(Unsound::Empty),
        Ok(version) if version <= steps => {}
        _ => return Err(Unsound::Newer),
    }
    sound(&db, "PRAGMA integrity_check(1)")?;
    let mut dangling = db.prepare("PRAGMA foreign_key_check")?;
    let mut dangling = dangling.query([])?;
    match dangling.next()? {
        Some(row) => {
            let table: String = row.get(0)?;
            let what = format!("a row of `{table}` points at one that is not there");
            Err(Unsound::Damaged(what))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn database(path: &Path) -> Connection {
        let db = Connection::open(path).unwrap();
        log_ahead(&db, PATIENCE).unwrap();
        db.execute_batch(
            "PRAGMA user_version = 1;
             CREATE TABLE parents (id INTEGER PRIMARY KEY);
             CREATE TABLE children (parent INTEGER REFERENCES parents (id));",
        )
        .unwrap();
        db
    }

    #[test]
    fn a_copy_is_one_sound_file_of_one_moment_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let db = database(&from);
        db.execute_batch("INSERT INTO parents VALUES (1); BEGIN; INSERT INTO parents VALUES (2);")
            .unwrap();
        copy(&from, &to, PATIENCE).unwrap();
        db.execute_batch("COMMIT").unwrap();
        check(&to, 1, PATIENCE).unwrap();
        assert!(!beside(&to, "-wal").exists());
        let copied = open_to_read(&to, PATIENCE).unwrap();
        let count = "SELECT count(*) FROM parents";
        let counted = |db: &Connection| db.query_row(count, [], |row| row.get::<_, i64>(0));
        assert_eq!((Ok(1), Ok(2)), (counted(&copied), counted(&db)));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(check(&path, 1, PATIENCE), Err(Unsound::Empty)));
        let db = database(&path);
        check(&path, 1, PATIENCE).unwrap();
        db.execute_batch("PRAGMA user_version = 2").unwrap();
        assert!(matches!(check(&path, 1, PATIENCE), Err(Unsound::Newer)));
        db.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO children VALUES (7)")
            .unwrap();
        let dangling = check(&path, 2, PATIENCE).unwrap_err().to_string();
        assert!(dangling.contains("`children`"), "{dangling}");
        drop(db);
        std::fs::write(
            &path,
            "no database at all, but as long as the header of one would be, and \
             longer than that: a hundred bytes.",
        )
        .unwrap();
        assert!(matches!(check(&path, 2, PATIENCE), Err(Unsound::Sqlite(_))));
    }
}
