//! The threads that guests compute on.
//!
//! A guest that computes holds its thread for a tick at a time, and dozens may compute at once. On the
//! platform's own threads that would keep requests of the platform waiting, and webhooks their answer;
//! so guests have threads of their own, and the system shares the cores out between them and the rest.

use std::io;
use std::panic::resume_unwind;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// As many threads as there are cores.
pub struct Threads(Option<Runtime>);

impl Threads {
    pub fn new() -> io::Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .thread_name("tenon-guest")
            .enable_all()
            .build()?;
        Ok(Threads(Some(runtime)))
    }

    /// Does something on these threads. It is given up when nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let Some(runtime) = &self.0 else {
            unreachable!("the threads are there until they are dropped");
        };
        let mut alone = JoinSet::new();
        alone.spawn_on(work.in_current_span(), runtime.handle());
        match alone.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) => resume_unwind(error.into_panic()),
            None => unreachable!("one piece of work was given"),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A host may be dropped by a thread that must not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
