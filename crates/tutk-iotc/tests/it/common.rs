//! What the tests share: a generator of fixed bytes, and a network of two with a virtual clock.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tutk_core::rand_core::{TryCryptoRng, TryRng};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_iotc::{
    AuthKey, Client, ClientConfig, Device, DeviceConfig, Error, Event, Framing, Framings, Uid,
};

pub(crate) const UID: &str = "SIMCAMSIMCAMSIMCAM11";
pub(crate) const KEY: [u8; 8] = *b"vW28cYGv";

pub(crate) fn uid() -> Uid {
    UID.parse().unwrap()
}

pub(crate) fn key() -> AuthKey {
    AuthKey::new(KEY)
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn testdata(name: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/");
    std::fs::read_to_string(format!("{root}{name}")).unwrap()
}

/// Gives out fixed bytes, then zeros: session ids and tickets of a recording.
pub(crate) struct FixedRng(Vec<u8>);

impl FixedRng {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl TryRng for FixedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let n = out.len().min(self.0.len());
        out.fill(0);
        out[..n].copy_from_slice(&self.0[..n]);
        self.0.drain(..n);
        Ok(())
    }
}

impl TryCryptoRng for FixedRng {}

/// An event without its borrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Found(SocketAddr, Framing),
    Open(Framing),
    Data(u8, Vec<u8>),
    Closed,
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Found { from, framing } => Self::Found(from, framing),
            Event::Open { framing } => Self::Open(framing),
            Event::Data { channel, payload } => Self::Data(channel, payload.to_vec()),
            Event::Closed => Self::Closed,
        }
    }
}

/// A layer of this crate, either role.
pub(crate) trait Role: for<'p> Layer<Event<'p> = Event<'p>, Error = Error> {}
impl<T: for<'p> Layer<Event<'p> = Event<'p>, Error = Error>> Role for T {}

/// Gives `layer` a datagram and says what it brought about.
pub(crate) fn give(
    layer: &mut impl Role,
    cx: &mut Cx<'_>,
    from: SocketAddr,
    bytes: &[u8],
) -> Result<Option<Seen>, Error> {
    let mut bytes = bytes.to_vec();
    let mut input = Datagram::new(from, &mut bytes);
    let event = layer.handle_datagram(cx, &mut input)?.map(Seen::from);
    assert!(input.is_empty(), "IOTC has one packet a datagram");
    Ok(event)
}

/// All that `layer` wants to send now.
pub(crate) fn drain(layer: &mut impl Role, cx: &mut Cx<'_>) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut memory = [0; 256];
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx).unwrap() {
            return all;
        }
        let to = tx.destination().expect("every packet has a destination");
        all.push((to, tx.finish().to_vec()));
        assert!(all.len() < 50, "poll_transmit never ends");
    }
}

/// Unscrambles a TransCode packet.
pub(crate) fn plain(wire: &[u8]) -> Vec<u8> {
    let mut plain = wire.to_vec();
    tutk_transcode::decode(&mut plain);
    plain
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Device,
}

#[derive(Debug)]
struct InFlight {
    at: Instant,
    order: u64,
    to: Side,
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// A client and a camera, a network between them, and the time.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) client: Client,
    pub(crate) device: Device,
    pub(crate) client_at: SocketAddr,
    /// Where the camera answers from; searches reach it at the LAN port.
    pub(crate) device_at: SocketAddr,
    /// In percent.
    pub(crate) loss: u32,
    pub(crate) duplicates: u32,
    /// Added to 1 ms, at random, up to this.
    pub(crate) jitter: Duration,
    pub(crate) seen: Vec<(Side, Seen)>,
    pub(crate) failed: Vec<(Instant, Side, Error)>,
    /// Datagrams that reached nobody.
    pub(crate) astray: usize,
    /// Every datagram sent, lost or not.
    pub(crate) sent: Vec<(Side, Vec<u8>)>,
    in_flight: Vec<InFlight>,
    order: u64,
}

pub(crate) const BROADCAST: &str = "192.0.2.255:32761";
pub(crate) const HINT: &str = "192.0.2.50:32761";

impl Net {
    pub(crate) fn new(seed: u64, client: Framings, device: Framings) -> Self {
        let mut config = DeviceConfig::new(uid(), key());
        config.framings = device;
        Self::with(seed, client, &config)
    }

    pub(crate) fn with(seed: u64, client: Framings, device: &DeviceConfig) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let targets = [addr(HINT), addr(BROADCAST)];
        let mut config = ClientConfig::new(uid(), key(), &targets);
        config.framings = client;
        let client = Client::new(&config, &mut cx);
        let device = Device::new(device, &mut cx);
        Self {
            now: Instant::ZERO,
            rng,
            client,
            device,
            client_at: addr("192.0.2.1:50000"),
            device_at: addr("192.0.2.77:39099"),
            loss: 0,
            duplicates: 0,
            jitter: Duration::ZERO,
            seen: Vec::new(),
            failed: Vec::new(),
            astray: 0,
            sent: Vec::new(),
            in_flight: Vec::new(),
            order: 0,
        }
    }

    /// One with an open session.
    pub(crate) fn open(seed: u64, framing: Framings) -> Self {
        let mut net = Self::new(seed, framing, framing);
        net.run(Duration::from_secs(1));
        assert!(net.client.is_open() && net.device.is_bound());
        net.seen.clear();
        net.sent.clear();
        net
    }

    pub(crate) fn send(&mut self, side: Side, to: SocketAddr, bytes: Vec<u8>) {
        self.sent.push((side, bytes.clone()));
        let (from, target) = match side {
            Side::Client => {
                let reaches = to == self.device_at || to == addr(BROADCAST);
                (self.client_at, reaches.then_some(Side::Device))
            }
            Side::Device => {
                let reaches = to == self.client_at;
                (self.device_at, reaches.then_some(Side::Client))
            }
        };
        let Some(target) = target else {
            self.astray += 1;
            return;
        };
        let copies = 1 + u32::from(self.rng.next_u32() % 100 < self.duplicates);
        for _ in 0..copies {
            if self.rng.next_u32() % 100 < self.loss {
                continue;
            }
            let jitter = u64::from(self.rng.next_u32()) % (self.jitter.as_micros() as u64 + 1);
            let at = self.now + Duration::from_micros(1000 + jitter);
            self.order += 1;
            self.in_flight.push(InFlight {
                at,
                order: self.order,
                to: target,
                from,
                bytes: bytes.clone(),
            });
        }
    }

    /// Wraps a payload and sends it.
    pub(crate) fn payload(&mut self, side: Side, channel: u8, payload: &[u8]) {
        let mut memory = [0; 2000];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
        tx.append(payload).unwrap();
        match side {
            Side::Client => self.client.wrap(channel, &mut tx),
            Side::Device => self.device.wrap(channel, &mut tx),
        }
        .unwrap();
        let to = tx.destination().unwrap();
        self.send(side, to, tx.finish().to_vec());
    }

    fn note(&mut self, side: Side, result: Result<Option<Seen>, Error>) {
        match result {
            Ok(Some(event)) => self.seen.push((side, event)),
            Ok(None) => {}
            Err(e) => self.failed.push((self.now, side, e)),
        }
    }

    /// A datagram arrives at one side right now.
    pub(crate) fn deliver(&mut self, to: Side, from: SocketAddr, bytes: &[u8]) {
        let mut cx = Cx::new(self.now, &mut self.rng);
        let result = match to {
            Side::Client => give(&mut self.client, &mut cx, from, bytes),
            Side::Device => give(&mut self.device, &mut cx, from, bytes),
        };
        self.note(to, result);
        self.flush();
    }

    /// Sends what both sides want to send.
    pub(crate) fn flush(&mut self) {
        let mut cx = Cx::new(self.now, &mut self.rng);
        let client = drain(&mut self.client, &mut cx);
        let device = drain(&mut self.device, &mut cx);
        for (to, bytes) in client {
            self.send(Side::Client, to, bytes);
        }
        for (to, bytes) in device {
            self.send(Side::Device, to, bytes);
        }
    }

    /// Lets `span` pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.flush();
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.arrive();
            let mut cx = Cx::new(self.now, &mut self.rng);
            let client = self.client.handle_timeout(&mut cx).map(|()| None);
            let device = self.device.handle_timeout(&mut cx).map(|()| None);
            self.note(Side::Client, client);
            self.note(Side::Device, device);
            if let Some(event) = self.client.poll_event() {
                self.seen.push((Side::Client, event.into()));
            }
            self.flush();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Instant> {
        let timers = [self.client.poll_timeout(), self.device.poll_timeout()];
        let flights = self.in_flight.iter().map(|f| f.at);
        timers.into_iter().flatten().chain(flights).min()
    }

    fn arrive(&mut self) {
        self.in_flight.sort_by_key(|f| (f.at, f.order));
        while self.in_flight.first().is_some_and(|f| f.at <= self.now) {
            let f = self.in_flight.remove(0);
            self.deliver(f.to, f.from, &f.bytes);
        }
    }

    pub(crate) fn seen_by(&self, side: Side) -> Vec<Seen> {
        let mine = self.seen.iter().filter(|(s, _)| *s == side);
        mine.map(|(_, event)| event.clone()).collect()
    }
}
