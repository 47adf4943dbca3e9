//! What a data folder takes of its disk.

use std::fs;
use std::io;
use std::path::Path;

/// Bytes of a data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The control database with its log.
    pub control: u64,
    /// The databases with the records of all tenants, with their logs.
    pub records: u64,
    /// The ledger of request budgets with its log.
    pub budgets: u64,
    /// The disk; none where the system does not tell.
    pub disk: Option<Disk>,
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Free for this process.
    pub free: u64,
    /// In all.
    pub size: u64,
}

impl Sizes {
    /// Those of a data folder now. Waits for the disk.
    pub fn of(data: &Path) -> io::Result<Sizes> {
        let of_database = |name: &str| {
            let endings = ["", "-wal", "-shm"];
            let files = endings.map(|ending| data.join(format!("{name}.sqlite{ending}")));
            let bytes = files.map(|file| fs::metadata(file).map_or(0, |file| file.len()));
            bytes.iter().sum()
        };
        Ok(Sizes {
            control: of_database("control"),
            records: of_folder(&data.join("tenants"))?,
            budgets: of_database("budgets"),
            disk: disk(data),
        })
    }
}

/// The files of a folder; nothing where it is not there.
fn of_folder(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        // A file may go meanwhile.
        bytes += entry?.metadata().map_or(0, |file| file.len());
    }
    Ok(bytes)
}

#[cfg(unix)]
fn disk(data: &Path) -> Option<Disk> {
    let told = rustix::fs::statvfs(data).ok()?;
    Some(Disk {
        free: told.f_bavail.saturating_mul(told.f_frsize),
        size: told.f_blocks.saturating_mul(told.f_frsize),
    })
}

#[cfg(not(unix))]
fn disk(_: &Path) -> Option<Disk> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_databases_of_a_folder_are_added_up_and_its_disk_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(0, Sizes::of(data).unwrap().records);
        fs::create_dir(data.join("tenants")).unwrap();
        for (file, bytes) in [
            ("control.sqlite", 100),
            ("control.sqlite-wal", 20),
            ("budgets.sqlite", 3),
            ("tenants/a.sqlite", 1000),
            ("tenants/b.sqlite-wal", 4),
            ("key", 50),
        ] {
            fs::write(data.join(file), vec![0; bytes]).unwrap();
        }
        let Sizes {
            control,
            records,
            budgets,
            disk,
        } = Sizes::of(data).unwrap();
        assert_eq!((120, 1004, 3), (control, records, budgets));
        assert!(disk.is_none_or(|disk| disk.free <= disk.size && disk.size > 0));
    }
}
