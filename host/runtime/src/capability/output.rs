//! Standard output and error of a guest: what it prints becomes log lines.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::limits::Limits;
use crate::observe::{Level, LogLine, Observer};

/// Cuts a text at a character boundary.
pub(super) fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
}

#[derive(Clone)]
pub(super) struct GuestOutput {
    observer: Arc<dyn Observer>,
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    unfinished: Vec<u8>,
    left: u64,
    longest: usize,
}

impl GuestOutput {
    pub fn new(observer: Arc<dyn Observer>, limits: &Limits) -> GuestOutput {
        GuestOutput {
            observer,
            lines: Arc::new(Mutex::new(Lines {
                unfinished: Vec::new(),
                left: limits.log_lines,
                longest: limits.log_line,
            })),
        }
    }

    fn print(&self, mut bytes: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(|e| e.into_inner());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            lines.take(&bytes[..end]);
            self.finish(&mut lines);
            bytes = &bytes[end + 1..];
        }
        lines.take(bytes);
    }

    fn finish(&self, lines: &mut Lines) {
        let line = std::mem::take(&mut lines.unfinished);
        if lines.left > 0 {
            lines.left -= 1;
            let mut message = String::from_utf8_lossy(&line).into_owned();
            cut(&mut message, lines.longest);
            self.observer.log(LogLine {
                level: Level::Info,
                message,
                record: None,
            });
        }
    }
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        let room = (self.longest + 1).saturating_sub(self.unfinished.len());
        self.unfinished
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Drop for GuestOutput {
    fn drop(&mut self) {
        if Arc::strong_count(&self.lines) == 1 {
            let lines = Arc::clone(&self.lines);
            let mut lines = lines.lock().unwrap_or_else(|e| e.into_inner());
            if !lines.unfinished.is_empty() {
                self.finish(&mut lines);
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

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line.message);
        }
    }

    #[test]
    fn printed_text_becomes_lines_and_a_flood_is_cut() {
        let heard = Arc::new(Heard::default());
        let limits = Limits {
            log_lines: 3,
            log_line: 5,
            ..Limits::default()
        };
        let output = GuestOutput::new(heard.clone(), &limits);
        output.print(b"on");
        output.print(b"e\ntwo two two\nunfini");
        drop(output.clone());
        output.print(b"shed\nfour\n");
        drop(output);
        assert_eq!(vec!["one", "two t…", "unfin…"], *heard.0.lock().unwrap());
    }
}
