//! The faults of [`net`](crate::net) between real UDP sockets, for peers that are processes of their own.
//!
//! ```text
//! client ──► proxy's front port ──► server        every datagram, both ways, gets its own fate
//!        ◄──                    ◄──
//! ```
//! Loopback only, one client (the last one heard), and bounded: it stops at its deadline or when dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::net::{Dice, Faults};

/// How long a pass waits for a datagram before it looks at the clock again.
const TICK: Duration = Duration::from_millis(1);

/// Datagrams that a [`Proxy`] has thrown away, by where they were going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// From the client.
    pub to_server: u32,
    /// From the server.
    pub to_client: u32,
}

#[derive(Debug, Default)]
struct Counters {
    forwarded: AtomicU32,
    lost_to_server: AtomicU32,
    lost_to_client: AtomicU32,
}

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy on a free loopback port in front of `server`. It runs for `limit` at most.
    ///
    /// # Errors
    /// When a socket can't be had.
    pub fn start(
        server: SocketAddr,
        seed: u64,
        faults: Faults,
        limit: Duration,
    ) -> io::Result<Self> {
        let socket = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(TICK))?;
            Ok(socket)
        };
        let (front, back) = (socket()?, socket()?);
        back.connect(server)?;
        let addr = front.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(Counters::default());
        let mut relay = Relay {
            front,
            back,
            client: None,
            dice: Dice::new(seed, faults),
            waiting: BTreeMap::new(),
            next_id: 0,
            counters: Arc::clone(&counters),
        };
        let stopped = Arc::clone(&stop);
        let end = Instant::now() + limit;
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) && Instant::now() < end {
                relay.pass();
            }
        });
        Ok(Self {
            addr,
            stop,
            counters,
            thread: Some(thread),
        })
    }

    /// Where the client must send.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Datagrams passed on so far, both ways, second copies included.
    pub fn forwarded(&self) -> u32 {
        self.counters.forwarded.load(Ordering::Relaxed)
    }

    /// Datagrams thrown away so far.
    pub fn lost(&self) -> Lost {
        Lost {
            to_server: self.counters.lost_to_server.load(Ordering::Relaxed),
            to_client: self.counters.lost_to_client.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    ToServer,
    ToClient,
}

struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
    dice: Dice,
    waiting: BTreeMap<(Instant, u64), (Way, Vec<u8>)>,
    next_id: u64,
    counters: Arc<Counters>,
}

impl Relay {
    fn pass(&mut self) {
        let mut buf = [0u8; 2048];
        if let Ok((n, from)) = self.front.recv_from(&mut buf) {
            self.client = Some(from);
            self.accept(Way::ToServer, &buf[..n]);
        }
        // An error here is the server's port being closed (ICMP), which is the client's to find out.
        if let Ok(n) = self.back.recv(&mut buf) {
            self.accept(Way::ToClient, &buf[..n]);
        }
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > Instant::now() {
                return;
            }
            let (way, bytes) = entry.remove();
            let sent = match (way, self.client) {
                (Way::ToServer, _) => self.back.send(&bytes),
                (Way::ToClient, Some(client)) => self.front.send_to(&bytes, client),
                (Way::ToClient, None) => continue,
            };
            self.counters
                .forwarded
                .fetch_add(u32::from(sent.is_ok()), Ordering::Relaxed);
        }
    }

    fn accept(&mut self, way: Way, bytes: &[u8]) {
        let now = Instant::now();
        let fate = self.dice.throw();
        if fate.delays.is_empty() {
            let lost = match way {
                Way::ToServer => &self.counters.lost_to_server,
                Way::ToClient => &self.counters.lost_to_client,
            };
            lost.fetch_add(1, Ordering::Relaxed);
        }
        let mut bytes = bytes.to_vec();
        if let Some(bit) = fate.flip {
            Dice::flip(&mut bytes, bit);
        }
        for delay in fate.delays {
            self.waiting
                .insert((now + delay, self.next_id), (way, bytes.clone()));
            self.next_id += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `n` datagrams through a proxy to an echoing socket; how many came back.
    fn echo(n: u8, faults: Faults) -> usize {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        server
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let proxy = Proxy::start(
            server.local_addr().unwrap(),
            1,
            faults,
            Duration::from_secs(10),
        )
        .unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut buf = [0u8; 16];
        for i in 0..n {
            client.send_to(&[i], proxy.addr()).unwrap();
        }
        while let Ok((len, from)) = server.recv_from(&mut buf) {
            server.send_to(&buf[..len], from).unwrap();
        }
        std::iter::from_fn(|| client.recv_from(&mut buf).ok()).count()
    }

    #[test]
    fn perfect_proxy_passes_everything_both_ways() {
        assert_eq!(echo(50, Faults::NONE), 50);
    }

    #[test]
    fn total_loss_passes_nothing() {
        let faults = Faults {
            loss: 100,
            ..Faults::NONE
        };
        assert_eq!(echo(5, faults), 0);
    }
}
