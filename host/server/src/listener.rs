//! The entrance from the network: strangers come in here, and none of them keeps others out.
//!
//! The threat: connections cost a stranger nothing and a server an open file and memory each. So there
//! are only so many, of one address and in all, and a new one takes the place of the one that has
//! waited longest without a request; a head and a body come within a time, and an answer is taken
//! within one. What is under way is never ended for a newcomer: when everything is, the newcomer goes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// How long a head may take, and how long a connection may wait for the next one.
const HEAD: Duration = Duration::from_secs(20);
/// Longest pause within a body.
const BODY: Duration = Duration::from_secs(20);
/// Longest time in which nothing of an answer is taken.
const TAKING: Duration = Duration::from_secs(30);
/// Most bytes of a head.
const HEAD_BYTES: usize = 64 << 10;
/// Until the next try where the system has no open file left.
const BREATH: Duration = Duration::from_millis(50);

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub all: usize,
    /// From one address. Behind a proxy all come from the proxy's.
    pub of_address: usize,
}

/// Answers who comes, until `stop`; then until what is under way is answered.
pub async fn open(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let app = app.layer(RequestBodyTimeoutLayer::new(BODY));
    let entrance = Arc::new(Entrance {
        limits,
        clock: AtomicU64::new(1),
        guests: Mutex::default(),
    });
    let (closing, closed) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let came = tokio::select! {
            came = listener.accept() => came,
            () = &mut stop => break,
        };
        let (stream, address) = match came {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            // The newcomer is gone already, or there is no open file for it.
            Err(error) => {
                tracing::debug!("nobody came in: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        if let Some(guest) = entrance.admit(address) {
            let (app, closed) = (app.clone(), closed.clone());
            tokio::spawn(serve(stream, guest, app, closed));
        }
    }
    drop(closed);
    drop(listener);
    closing.send_replace(());
    closing.closed().await;
}

async fn serve(stream: TcpStream, guest: Admitted, app: Router, mut closed: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKING));
    let here = Arc::clone(&guest.guest);
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let (app, at_work) = (app.clone(), AtWork::new(&guest));
        async move {
            let response = app.oneshot(request.map(Body::new) as Request).await;
            let response = response.unwrap_or_else(|never| match never {});
            Ok::<_, Infallible>(response.map(|body| Answer {
                body,
                _at_work: at_work,
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        // A stranger that breaks off is nothing to talk about.
        _ = connection.as_mut() => {}
        () = here.leave.notified() => {}
        _ = closed.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Who is in.
struct Entrance {
    limits: Limits,
    /// Moments, in the order in which connections began to wait.
    clock: AtomicU64,
    guests: Mutex<HashMap<u64, Arc<Guest>>>,
}

/// A connection.
struct Guest {
    address: IpAddr,
    /// Since when it waits for a request; 0 while one is at work.
    waits_since: AtomicU64,
    leave: Notify,
}

/// A connection for as long as it lasts.
struct Admitted {
    entrance: Arc<Entrance>,
    number: u64,
    guest: Arc<Guest>,
}

/// A request of a connection that is at work.
struct AtWork {
    entrance: Arc<Entrance>,
    guest: Arc<Guest>,
}

/// The body of an answer. Its connection is at work until the last of it is handed over.
struct Answer {
    body: Body,
    _at_work: AtWork,
}

impl hyper::body::Body for Answer {
    type Data = <Body as hyper::body::Body>::Data;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Entrance {
    /// Lets somebody in, in the place of another one where there is no room; none when all that are in
    /// are at work.
    fn admit(self: &Arc<Entrance>, address: IpAddr) -> Option<Admitted> {
        let number = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut guests = self.guests();
        let of_address = |guest: &Arc<Guest>| guest.address == address;
        let crowded = guests.values().filter(|guest| of_address(guest)).count();
        if crowded >= self.limits.of_address {
            longest_waiting(&mut guests, of_address)?.leave.notify_one();
        } else if guests.len() >= self.limits.all {
            longest_waiting(&mut guests, |_| true)?.leave.notify_one();
        }
        let guest = Arc::new(Guest {
            address,
            waits_since: AtomicU64::new(number),
            leave: Notify::new(),
        });
        guests.insert(number, Arc::clone(&guest));
        Some(Admitted {
            entrance: Arc::clone(self),
            number,
            guest,
        })
    }

    fn guests(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn longest_waiting(
    guests: &mut HashMap<u64, Arc<Guest>>,
    wanted: impl Fn(&Arc<Guest>) -> bool,
) -> Option<Arc<Guest>> {
    let waits = guests.iter().filter_map(|(number, guest)| {
        let since = guest.waits_since.load(Ordering::Relaxed);
        (since > 0 && wanted(guest)).then_some((since, *number))
    });
    let (_, number) = waits.min()?;
    guests.remove(&number)
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.entrance.guests().remove(&self.number);
    }
}

impl AtWork {
    fn new(admitted: &Admitted) -> AtWork {
        admitted.guest.waits_since.store(0, Ordering::Relaxed);
        AtWork {
            entrance: Arc::clone(&admitted.entrance),
            guest: Arc::clone(&admitted.guest),
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let now = self.entrance.clock.fetch_add(1, Ordering::Relaxed);
        self.guest.waits_since.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(all: usize, of_address: usize) -> Arc<Entrance> {
        Arc::new(Entrance {
            limits: Limits { all, of_address },
            clock: AtomicU64::new(1),
            guests: Mutex::default(),
        })
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// Whether it still has its place.
    fn stays(one: &Admitted) -> bool {
        one.entrance.guests().contains_key(&one.number)
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_one_that_has_waited_longest() {
        let entrance = entrance(3, 3);
        let [first, second, third] = [1, 2, 3].map(|last| entrance.admit(ip(last)).unwrap());
        // It has asked for something since, so the second one waits longest.
        drop(AtWork::new(&first));
        let fourth = entrance.admit(ip(4)).unwrap();
        assert_eq!(
            [true, false, true, true],
            [&first, &second, &third, &fourth].map(stays)
        );
        drop(second);
        assert_eq!(3, entrance.guests().len());
    }

    #[test]
    fn what_is_at_work_is_left_alone_and_then_the_newcomer_goes() {
        let entrance = entrance(2, 2);
        let [first, second] = [1, 2].map(|last| entrance.admit(ip(last)).unwrap());
        let work = [&first, &second].map(AtWork::new);
        assert!(entrance.admit(ip(3)).is_none());
        drop(work);
        assert!(entrance.admit(ip(3)).is_some());
        assert!(!stays(&first) && stays(&second));
    }

    #[test]
    fn many_of_one_address_take_places_from_each_other_alone() {
        let entrance = entrance(10, 2);
        let quiet = entrance.admit(ip(1)).unwrap();
        let crowd: Vec<_> = (0..50).filter_map(|_| entrance.admit(ip(2))).collect();
        assert!(stays(&quiet));
        assert_eq!(2, crowd.iter().filter(|one| stays(one)).count());
        assert_eq!(3, entrance.guests().len());
    }
}
