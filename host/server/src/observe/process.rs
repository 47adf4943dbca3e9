//! What the system knows about this process.

/// Bytes that this process has in RAM; none where the system does not tell.
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    resident_of(&status)
}

/// From the text of `/proc/PID/status`, proc(5).
fn resident_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_status_and_absent_when_it_is_not_there() {
        let status = "Name:\ttenon\nVmHWM:\t  999 kB\nVmRSS:\t   12 kB\nThreads:\t1\n";
        assert_eq!(Some(12 * 1024), resident_of(status));
        assert_eq!(None, resident_of("Name:\ttenon\n"));
        assert_eq!(None, resident_of("VmRSS:\tmany kB\n"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
