//! How much memory this process took, for attacks on the host's.
//!
//! An attack that succeeds takes gigabytes, one that fails a few mebibytes, so a bound between the
//! two may be generous: it holds whatever else the process does.

/// The most physical memory that the process ever had, in bytes. None where the system does not
/// tell, and such a test proves nothing there.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Does `work`, which must not raise the peak by more than `most` bytes.
///
/// # Panics
/// When it does.
pub fn bounded<T>(most: u64, work: impl FnOnce() -> T) -> T {
    let before = peak();
    let done = work();
    if let (Some(before), Some(after)) = (before, peak()) {
        let grown = (after - before) >> 20;
        assert!(grown <= most >> 20, "the host grew by {grown} MiB");
    }
    done
}
