//! A name server on loopback whose answers a test writes: one that lies, or changes its mind.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record, RecordType};

/// How often the server looks whether it is to stop.
const TICK: Duration = Duration::from_millis(20);

/// A name server that runs until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    questions: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts one that answers every question for addresses. `answer` is told how often addresses
    /// of that family have been asked for before, and gives those of both families. Nobody may
    /// remember an answer: it lives for no time.
    ///
    /// # Panics
    /// When there is no port or no thread.
    pub fn start(answer: impl Fn(usize) -> Vec<IpAddr> + Send + 'static) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(TICK)).expect("a socket");
        let address = socket.local_addr().expect("an address");
        let questions = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, stopped) = (Arc::clone(&questions), Arc::clone(&stop));
        let serve = move || {
            let mut before = [0, 0];
            let mut packet = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, peer)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                let Ok(question) = Message::from_vec(&packet[..length]) else {
                    continue;
                };
                asked.fetch_add(1, Ordering::Relaxed);
                let reply = reply(&question, &answer, &mut before).to_vec();
                // A resolver that is gone does not wait for the answer.
                let _ = socket.send_to(&reply.expect("a short message"), peer);
            }
        };
        let thread = std::thread::Builder::new()
            .name("names".to_owned())
            .spawn(serve)
            .expect("a thread");
        NameServer {
            address,
            questions,
            stop,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions it was asked.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report: a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

fn reply(
    question: &Message,
    answer: impl Fn(usize) -> Vec<IpAddr>,
    before: &mut [usize; 2],
) -> Message {
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.recursion_available = true;
    for query in &question.queries {
        reply.add_query(query.clone());
        let family = match query.query_type() {
            RecordType::A => 0,
            RecordType::AAAA => 1,
            _ => continue,
        };
        let addresses = answer(before[family]);
        before[family] += 1;
        for address in addresses {
            let data = match (address, family) {
                (IpAddr::V4(address), 0) => RData::A(A(address)),
                (IpAddr::V6(address), 1) => RData::AAAA(AAAA(address)),
                _ => continue,
            };
            reply.add_answer(Record::from_rdata(query.name().clone(), 0, data));
        }
    }
    reply
}
