//! Two ends, one virtual clock, and a network that can be told to misbehave.

use core::net::SocketAddr;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tutk_core::wire::Reader;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::message::{Fragment, Kind};
use crate::*;

pub(super) const PSK: [u8; 32] = [0x5a; 32];

/// An event that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Connected(CipherSuite),
    Data(Vec<u8>),
    Closed,
}

/// Which end a datagram goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Client,
    Server,
}

#[derive(Debug, Clone)]
pub(super) struct Net {
    pub(super) latency: Duration,
    /// In percent.
    pub(super) loss: u32,
    pub(super) duplicate: u32,
    pub(super) reorder: u32,
    /// No datagram may be longer.
    pub(super) mtu: usize,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            loss: 0,
            duplicate: 0,
            reorder: 0,
            mtu: 1200,
        }
    }
}

pub(super) struct World {
    pub(super) client: Client<'static>,
    pub(super) server: Server<'static>,
    pub(super) now: Instant,
    pub(super) rng: ChaCha8Rng,
    pub(super) net: Net,
    pub(super) in_flight: Vec<(Instant, To, Vec<u8>)>,
    /// Every datagram that was sent, before the network had its way.
    pub(super) sent: Vec<(To, Vec<u8>)>,
    pub(super) client_seen: Vec<Seen>,
    pub(super) server_seen: Vec<Seen>,
    pub(super) client_error: Option<Error>,
    pub(super) server_error: Option<Error>,
}

pub(super) fn addr() -> SocketAddr {
    "192.0.2.9:40000".parse().unwrap()
}

pub(super) fn client_config() -> ClientConfig<'static> {
    ClientConfig::new(Psk::new(PSK), b"AUTHPWD_admin")
}

pub(super) fn server_config() -> ServerConfig<'static> {
    ServerConfig::new(Psk::new(PSK))
}

/// What `layer` makes of a datagram.
pub(super) fn feed<L>(layer: &mut L, cx: &mut Cx<'_>, bytes: &[u8]) -> Result<Vec<Seen>, Error>
where
    L: for<'p> Layer<Event<'p> = Event<'p>, Error = Error>,
{
    let mut bytes = bytes.to_vec();
    let mut input = Datagram::new(addr(), &mut bytes);
    let mut seen = Vec::new();
    while let Some(event) = layer.handle_datagram(cx, &mut input)? {
        seen.push(match event {
            Event::Connected { suite } => Seen::Connected(suite),
            Event::Data(data) => Seen::Data(data.to_vec()),
            Event::Closed => Seen::Closed,
        });
    }
    assert!(input.is_empty());
    Ok(seen)
}

/// Everything `layer` wants to send.
pub(super) fn drain<L: Layer<Error = Error>>(
    layer: &mut L,
    cx: &mut Cx<'_>,
) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut out = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        match layer.poll_transmit(cx, &mut tx) {
            Ok(true) => out.push(tx.finish().to_vec()),
            Ok(false) => return (out, None),
            Err(error) => return (out, Some(error)),
        }
        assert!(out.len() < 50, "poll_transmit does not end");
    }
}

impl World {
    pub(super) fn new(seed: u64, client: &ClientConfig<'_>, server: &ServerConfig<'_>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let client = Client::new(client, vec![0; RECOMMENDED_REASSEMBLY].leak(), &mut cx);
        let server = Server::new(server, vec![0; RECOMMENDED_REASSEMBLY].leak(), &mut cx);
        Self {
            client,
            server,
            now: Instant::ZERO,
            rng,
            net: Net::default(),
            in_flight: Vec::new(),
            sent: Vec::new(),
            client_seen: Vec::new(),
            server_seen: Vec::new(),
            client_error: None,
            server_error: None,
        }
    }

    /// A connected pair with this suite.
    pub(super) fn connected(suite: CipherSuite) -> Self {
        let mut config = client_config();
        config.suites = Suites::only(suite);
        let mut world = Self::new(1, &config, &server_config());
        world.run();
        world.assert_connected(suite);
        world.sent.clear();
        world
    }

    pub(super) fn assert_connected(&self, suite: CipherSuite) {
        assert_eq!(
            self.client_seen.first(),
            Some(&Seen::Connected(suite)),
            "{:?} {:?}",
            self.client_error,
            self.client
        );
        assert_eq!(
            self.server_seen.first(),
            Some(&Seen::Connected(suite)),
            "{:?} {:?}",
            self.server_error,
            self.server
        );
        assert!(self.client.is_connected() && self.server.is_connected());
    }

    pub(super) fn collect(&mut self) {
        let mut cx = Cx::new(self.now, &mut self.rng);
        if self.client_error.is_none() {
            let (out, error) = drain(&mut self.client, &mut cx);
            self.client_error = error;
            self.post(To::Server, out);
        }
        let mut cx = Cx::new(self.now, &mut self.rng);
        if self.server_error.is_none() {
            let (out, error) = drain(&mut self.server, &mut cx);
            self.server_error = error;
            self.post(To::Client, out);
        }
    }

    fn post(&mut self, to: To, datagrams: Vec<Vec<u8>>) {
        for bytes in datagrams {
            assert!(bytes.len() <= self.net.mtu, "{} bytes", bytes.len());
            self.sent.push((to, bytes.clone()));
            let copies = 1 + u32::from(self.chance(self.net.duplicate));
            for _ in 0..copies {
                if self.chance(self.net.loss) {
                    continue;
                }
                let mut at = self.now + self.net.latency;
                if self.chance(self.net.reorder) {
                    at += self.net.latency * (1 + self.rng.next_u32() % 20);
                }
                self.in_flight.push((at, to, bytes.clone()));
            }
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    pub(super) fn deliver(&mut self, to: To, bytes: &[u8]) {
        let mut cx = Cx::new(self.now, &mut self.rng);
        let (result, seen, error) = match to {
            To::Client => (
                feed(&mut self.client, &mut cx, bytes),
                &mut self.client_seen,
                &mut self.client_error,
            ),
            To::Server => (
                feed(&mut self.server, &mut cx, bytes),
                &mut self.server_seen,
                &mut self.server_error,
            ),
        };
        match result {
            Ok(events) => seen.extend(events),
            Err(e) => *error = Some(e),
        }
    }

    /// Does whatever comes next; `false` when nothing ever will.
    pub(super) fn step(&mut self) -> bool {
        self.collect();
        let arrival = (0..self.in_flight.len()).min_by_key(|i| self.in_flight[*i].0);
        let client_timer = self
            .client
            .poll_timeout()
            .filter(|_| self.client_error.is_none());
        let server_timer = self
            .server
            .poll_timeout()
            .filter(|_| self.server_error.is_none());
        let timer = client_timer.into_iter().chain(server_timer).min();
        match (arrival, timer) {
            (Some(i), timer) if timer.is_none_or(|t| self.in_flight[i].0 <= t) => {
                let (at, to, bytes) = self.in_flight.remove(i);
                self.now = self.now.max(at);
                self.deliver(to, &bytes);
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                let mut cx = Cx::new(self.now, &mut self.rng);
                if self.client_error.is_none() {
                    self.client_error = self.client.handle_timeout(&mut cx).err();
                }
                if self.server_error.is_none() {
                    self.server_error = self.server.handle_timeout(&mut cx).err();
                }
            }
            _ => return false,
        }
        true
    }

    /// Until nothing happens any more.
    pub(super) fn run(&mut self) {
        for _ in 0..20_000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never ends");
    }

    /// A sealed record from one end.
    pub(super) fn sealed(&mut self, to: To, payload: &[u8]) -> Vec<u8> {
        let mut cx = Cx::new(self.now, &mut self.rng);
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
        tx.append(payload).unwrap();
        match to {
            To::Server => self.client.seal(&mut cx, &mut tx).unwrap(),
            To::Client => self.server.seal(&mut cx, &mut tx).unwrap(),
        }
        tx.finish().to_vec()
    }
}

/// The records of a datagram: (type, epoch, number, body).
pub(super) fn records(mut datagram: &[u8]) -> Vec<(u8, u16, u64, Vec<u8>)> {
    let mut out = Vec::new();
    while !datagram.is_empty() {
        let header = crate::record::Header::parse(datagram).unwrap();
        let (record, rest) = datagram.split_at(13 + header.len);
        out.push((
            header.kind.into(),
            header.at.epoch,
            header.at.seq,
            record[13..].to_vec(),
        ));
        datagram = rest;
    }
    out
}

/// What the next `poll_transmit` round puts on the wire, without delivering anything.
pub(super) fn sent_now(world: &mut World, to: To) -> Vec<Vec<u8>> {
    let before = world.sent.len();
    world.collect();
    let out = world.sent[before..]
        .iter()
        .filter(|(t, _)| *t == to)
        .map(|(_, b)| b.clone())
        .collect();
    world.in_flight.clear();
    out
}

/// Takes the client's hello to the server, and answers with the first datagram of its flight, which nobody has got yet.
pub(super) fn server_flight(world: &mut World) -> Vec<u8> {
    let hello = sent_now(world, To::Server).remove(0);
    world.deliver(To::Server, &hello);
    sent_now(world, To::Client).remove(0)
}

pub(super) fn plain_record(kind: u8, version: [u8; 2], seq: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![
        kind,
        version[0],
        version[1],
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        seq,
        0,
        body.len() as u8,
    ];
    out.extend(body);
    out
}

pub(super) fn handshake_record(kind: Kind, seq: u16, body: &[u8]) -> Vec<u8> {
    let fragment = Fragment {
        kind,
        len: body.len(),
        seq,
        offset: 0,
        bytes: body,
    };
    plain_record(22, [0xfe, 0xfd], 0, &[&fragment.header(), body].concat())
}

/// Handshake messages in a list of datagrams, record by record: (kind, number, offset, bytes).
pub(super) fn fragments(datagrams: &[Vec<u8>]) -> Vec<(Kind, u16, usize, Vec<u8>)> {
    let mut out = Vec::new();
    for (_, epoch, _, body) in datagrams
        .iter()
        .flat_map(|d| records(d))
        .filter(|r| r.0 == 22)
    {
        if epoch == 0 {
            let f = Fragment::read(&mut Reader::new(&body)).unwrap();
            out.push((f.kind, f.seq, f.offset, f.bytes.to_vec()));
        }
    }
    out
}
