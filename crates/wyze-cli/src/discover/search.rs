//! Several searches over one socket. They stop at the answer: no session is opened and no viewer slot is taken.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tutk_iotc::{AuthKey, Client, ClientConfig, Event};
use wyze_std::session::{Cx, Datagram, Framing, Framings, Uid};
use wyze_std::{Broadcast, Clock, bind};

/// The longest sleep: how soon ctrl-C is noticed.
const TICK: Duration = Duration::from_millis(50);

/// Whom to search for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What to call it.
    pub(super) label: String,
    pub(super) uid: Uid,
    /// What 0xCC51 cameras want to see; without it they are silent.
    pub(super) key: Option<AuthKey>,
    pub(super) targets: Vec<SocketAddr>,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) from: SocketAddr,
    pub(super) framing: Framing,
    /// Since the search began.
    pub(super) after: Duration,
}

/// One camera's search; no client once it has come to its end.
struct Search {
    client: Option<Client>,
    found: Option<Found>,
}

/// Searches for all of them at once, until each has answered, `timeout` has passed, or `stop` is set. The answers stand
/// where the wanted ones stand.
///
/// # Errors
/// The system refuses a socket.
pub(super) fn search(
    wanted: &[Wanted],
    timeout: Duration,
    stop: &AtomicBool,
) -> io::Result<Vec<Option<Found>>> {
    let socket = socket(wanted)?;
    let broadcast = Broadcast::everywhere();
    let start = Instant::now();
    let mut clock = Clock::new();
    let mut searches: Vec<Search> = wanted
        .iter()
        .map(|w| Search {
            client: Some(client(w, timeout, &mut clock.cx())),
            found: None,
        })
        .collect();
    let mut buf = [0; 2048];
    while searches.iter().any(|s| s.client.is_some())
        && start.elapsed() < timeout
        && !stop.load(Ordering::Relaxed)
    {
        for search in &mut searches {
            search.send(&mut clock.cx(), &socket, &broadcast);
        }
        match socket.recv_from(&mut buf) {
            Ok((len, from)) => {
                for search in &mut searches {
                    // Reading decodes in place.
                    let mut copy = buf;
                    let bytes = copy.get_mut(..len).unwrap_or_default();
                    search.read(&mut clock.cx(), from, bytes, start.elapsed());
                }
            }
            // Nothing came, or an earlier probe reached nobody.
            Err(e) => log::trace!("nothing received: {}", e.kind()),
        }
    }
    Ok(searches.into_iter().map(|s| s.found).collect())
}

/// A socket that reaches all targets. One for loopback alone does not show itself to the network.
fn socket(wanted: &[Wanted]) -> io::Result<UdpSocket> {
    let mut targets = wanted.iter().flat_map(|w| &w.targets);
    let local = if targets.all(|t| t.ip().is_loopback()) {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    let socket = bind((local, 0).into())?;
    socket.set_read_timeout(Some(TICK))?;
    Ok(socket)
}

fn client(wanted: &Wanted, limit: Duration, cx: &mut Cx<'_>) -> Client {
    let (key, framings) = match &wanted.key {
        Some(key) => (key.clone(), Framings::BOTH),
        None => (AuthKey::new([0; 8]), Framings::TRANSCODE),
    };
    let config = ClientConfig {
        framings,
        limit,
        ..ClientConfig::new(wanted.uid, key, &wanted.targets)
    };
    Client::new(&config, cx)
}

impl Search {
    /// Sends the probes that are due.
    fn send(&mut self, cx: &mut Cx<'_>, socket: &UdpSocket, broadcast: &Broadcast) {
        use tutk_core::Layer as _;
        let Some(client) = &mut self.client else {
            return;
        };
        if client.handle_timeout(cx).is_err() {
            self.client = None;
            return;
        }
        let mut buf = [0; 1500];
        loop {
            let mut tx = tutk_core::TxBuf::new(&mut buf);
            if !matches!(client.poll_transmit(cx, &mut tx), Ok(true)) {
                return;
            }
            let Some(to) = tx.destination() else { return };
            let probe = tx.finish();
            for to in std::iter::once(to).chain(broadcast.networks(to)) {
                // Not every interface has a route.
                if let Err(e) = socket.send_to(probe, to) {
                    log::debug!("a probe was not sent: {}", e.kind());
                }
            }
        }
    }

    fn read(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8], after: Duration) {
        use tutk_core::Layer as _;
        let Some(client) = &mut self.client else {
            return;
        };
        let mut input = Datagram::new(from, bytes);
        match client.handle_datagram(cx, &mut input) {
            Ok(Some(Event::Found { from, framing })) => {
                self.found = Some(Found {
                    from,
                    framing,
                    after,
                });
                // Anything more would ask for a session.
                self.client = None;
            }
            Ok(_) => {}
            Err(_) => self.client = None,
        }
    }
}
