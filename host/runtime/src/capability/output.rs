//! Standard output and error of a guest: what it prints becomes log lines, and what it printed last
//! on standard error tells why it ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::manifest::one_line;
use crate::observe::RunLog;

/// Lines that are remembered: a message with its place and a hint, and then some.
const LAST_LINES: usize = 16;

#[derive(Clone)]
pub(crate) struct GuestOutput {
    log: RunLog,
    printed: Arc<Mutex<Printed>>,
}

#[derive(Default)]
struct Printed {
    unfinished: Vec<u8>,
    /// The last lines that have an end, the oldest first.
    last: VecDeque<String>,
}

impl GuestOutput {
    pub fn new(log: RunLog) -> GuestOutput {
        GuestOutput {
            log,
            printed: Arc::default(),
        }
    }

    /// Why the guest ended, as far as it said so: a panic with its message and place, else the last
    /// line. None when it printed nothing.
    pub fn last_words(&self) -> Option<String> {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<&str> = printed.last.iter().map(String::as_str).collect();
        let unfinished = String::from_utf8_lossy(&printed.unfinished);
        lines.push(&unfinished);
        last_words(&lines)
    }

    fn print(&self, mut bytes: &[u8]) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.take(&mut printed.unfinished, &bytes[..end]);
            self.finish(&mut printed);
            bytes = &bytes[end + 1..];
        }
        self.take(&mut printed.unfinished, bytes);
    }

    /// Keeps no more of a line than the log does.
    fn take(&self, line: &mut Vec<u8>, bytes: &[u8]) {
        let room = (self.log.longest() + 1).saturating_sub(line.len());
        line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&self, printed: &mut Printed) {
        let line = std::mem::take(&mut printed.unfinished);
        let message = String::from_utf8_lossy(&line).into_owned();
        if printed.last.len() == LAST_LINES {
            printed.last.pop_front();
        }
        printed.last.push_back(message.clone());
        self.log.debug(message);
    }
}

/// What the last lines of a guest's standard error say of its end:
///
/// - Rust prints `thread 'main' panicked at src/lib.rs:7:5:`, the message from the next line on, and a
///   note;
/// - JavaScript prints the message, `Stack:` and a line for each call, the innermost first, those of the
///   generated `initializer.js` among them;
/// - Python, and most others, print the message last.
fn last_words(lines: &[&str]) -> Option<String> {
    const PANIC: &str = " panicked at ";
    if let Some(panic) = lines.iter().rposition(|line| line.contains(PANIC)) {
        let (_, place) = lines[panic].split_once(PANIC)?;
        let message = lines[panic + 1..].iter();
        let message = message.take_while(|line| !line.starts_with("note: "));
        let message = message.copied().collect::<Vec<_>>().join(" ");
        let place = place.trim().trim_end_matches(':');
        return Some(format!("{}, {}", one_line(&message), one_line(place)));
    }
    if let Some(stack) = lines.iter().rposition(|line| line.trim() == "Stack:") {
        let message = one_line(lines.get(stack.checked_sub(1)?)?);
        let mut calls = lines[stack + 1..]
            .iter()
            .take_while(|line| line.contains('@'));
        let place = calls.find(|line| !line.contains("/initializer.js:"));
        return Some(match place {
            Some(place) => format!("{message}, {}", one_line(place)),
            None => message,
        });
    }
    let last = lines.iter().rfind(|line| !line.trim().is_empty());
    last.map(|line| one_line(line))
}

impl Drop for GuestOutput {
    fn drop(&mut self) {
        if Arc::strong_count(&self.printed) == 1 {
            let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
            if !printed.unfinished.is_empty() {
                self.finish(&mut printed);
            }
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only hosts of later WASI versions ask for this form.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::observe::{LogLine, Observer};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line.message);
        }
    }

    #[test]
    fn printed_text_becomes_lines_however_it_is_cut_into_writes() {
        let heard = Arc::new(Heard::default());
        let limits = Limits {
            log_line: 5,
            ..Limits::default()
        };
        let output = GuestOutput::new(RunLog::new(heard.clone(), &limits, Arc::default()));
        output.print(b"on");
        output.print(b"e\ntwo two two\nunfini");
        drop(output.clone());
        output.print(b"shed");
        drop(output);
        assert_eq!(vec!["one", "two t…", "unfin…"], *heard.0.lock().unwrap());
    }

    #[test]
    fn the_last_words_are_those_of_a_panic_or_the_last_line() {
        let panic = [
            "",
            "thread 'main' (1) panicked at src/lib.rs:7:5:",
            "the marble fell",
            "off the table",
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            "",
        ];
        let words = |lines: &[&str]| last_words(lines);
        assert_eq!(
            Some("the marble fell off the table, src/lib.rs:7:5".to_owned()),
            words(&panic)
        );
        let stack = [
            "can't convert undefined to BigInt",
            "Stack:",
            "  toInt64@sources/initializer.js:60:27",
            "  run@connector.js:51:25",
            "  export_sync$run@sources/initializer.js:15927:29",
            "",
            "Redirecting call to abort() to mozalloc_abort",
            "",
        ];
        assert_eq!(
            Some("can't convert undefined to BigInt, run@connector.js:51:25".to_owned()),
            words(&stack)
        );
        let traceback = ["Traceback (most recent call last):", "ValueError: 7", ""];
        assert_eq!(Some("ValueError: 7".to_owned()), words(&traceback));
        assert_eq!(None, words(&["", " "]));
    }

    #[test]
    fn no_more_is_remembered_than_the_last_lines() {
        let limits = Limits::default();
        let log = RunLog::new(Arc::new(Heard::default()), &limits, Arc::default());
        let output = GuestOutput::new(log);
        assert_eq!(None, output.last_words());
        output.print("line\n".repeat(1_000).as_bytes());
        output.print(b"the end");
        assert_eq!(LAST_LINES, output.printed.lock().unwrap().last.len());
        assert_eq!(Some("the end".to_owned()), output.last_words());
    }
}
