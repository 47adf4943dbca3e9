//! A web server on its own thread that can also break a connection on purpose.
//!
//! Tests are synchronous or bring a runtime of their own, so the server never borrows theirs: it
//! has a thread and a runtime, and both end with the handle.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A socket that is bound and not yet served, so that the routes may know their own address.
pub struct Bound {
    listener: StdListener,
    address: SocketAddr,
}

/// Binds `listen`; port 0 takes a free one.
///
/// # Errors
/// When the address is taken.
pub fn bind(listen: SocketAddr) -> io::Result<Bound> {
    let listener = StdListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` until the answered handle is dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn serve(self, routes: Router) -> io::Result<Server> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("simulator")
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = {
            let _context = runtime.enter();
            Connections(TcpListener::from_std(self.listener)?)
        };
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || {
                let service = routes.into_make_service_with_connect_info::<Severing>();
                runtime.block_on(async move {
                    tokio::select! {
                        _ = axum::serve(listener, service) => {}
                        _ = stopped => {}
                    }
                });
                // Open connections are cut: a stopped server does not finish its answers.
                runtime.shutdown_background();
            })?;
        Ok(Server {
            address: self.address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report: a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

/// Lets a request break the connection it came over.
#[derive(Clone, Default)]
pub struct Severing(Arc<AtomicBool>);

impl Severing {
    /// The next write on the connection resets it instead.
    pub fn sever(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_severed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Connected<IncomingStream<'_, Connections>> for Severing {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().severing.clone()
    }
}

/// Accepts sockets that can be severed.
pub struct Connections(TcpListener);

impl Listener for Connections {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    // Small answers must not wait for the peer's delayed acknowledgement. A socket
                    // that refuses the option is as good, only slower.
                    let _ = stream.set_nodelay(true);
                    let severing = Severing::default();
                    return (Socket { stream, severing }, address);
                }
                // Out of descriptors, or the peer left before it was accepted: both pass.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that a request may sever.
pub struct Socket {
    stream: TcpStream,
    severing: Severing,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.severing.is_severed() {
            // Without lingering the kernel sends a reset rather than an orderly end.
            let _ = self.stream.set_zero_linger();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.severing.is_severed() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
