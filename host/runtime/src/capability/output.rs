//! Standard output and error of a guest: what it prints becomes log lines.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::observe::RunLog;

#[derive(Clone)]
pub(super) struct GuestOutput {
    log: RunLog,
    unfinished: Arc<Mutex<Vec<u8>>>,
}

impl GuestOutput {
    pub fn new(log: RunLog) -> GuestOutput {
        GuestOutput {
            log,
            unfinished: Arc::default(),
        }
    }

    fn print(&self, mut bytes: &[u8]) {
        let mut line = (self.unfinished.lock()).unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.take(&mut line, &bytes[..end]);
            self.finish(&mut line);
            bytes = &bytes[end + 1..];
        }
        self.take(&mut line, bytes);
    }

    /// Keeps no more of a line than the log does.
    fn take(&self, line: &mut Vec<u8>, bytes: &[u8]) {
        let room = (self.log.longest() + 1).saturating_sub(line.len());
        line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&self, line: &mut Vec<u8>) {
        let line = std::mem::take(line);
        let message = String::from_utf8_lossy(&line).into_owned();
        self.log.debug(message);
    }
}

impl Drop for GuestOutput {
    fn drop(&mut self) {
        if Arc::strong_count(&self.unfinished) == 1 {
            let mut line = (self.unfinished.lock()).unwrap_or_else(PoisonError::into_inner);
            if !line.is_empty() {
                self.finish(&mut line);
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
}
