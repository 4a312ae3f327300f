//! The network: datagrams under way, and what befalls them. Everything follows from the randomness it was given.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// What befalls datagrams. Chances are per mille, each drawn for itself; times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Chance to be lost.
    pub loss: u32,
    /// Chance that a burst of loss begins, which the next 4 to 40 datagrams do not survive but for every fifth.
    pub burst: u32,
    /// Chance to be held back by up to [`hold`](Self::hold), so that later ones overtake it.
    pub reorder: u32,
    /// Chance to arrive twice, the second time up to [`hold`](Self::hold) later.
    pub duplicate: u32,
    /// Chance that up to four bits are flipped.
    pub corrupt: u32,
    /// Chance to be cut off somewhere.
    pub truncate: u32,
    /// Time every datagram takes.
    pub latency: u64,
    /// Longest extra time.
    pub hold: u64,
    /// Longest datagram that gets through, bytes.
    pub mtu: usize,
}

impl Weather {
    /// Every datagram arrives after 20 ms.
    pub const CALM: Self = Self {
        loss: 0,
        burst: 0,
        reorder: 0,
        duplicate: 0,
        corrupt: 0,
        truncate: 0,
        latency: 20_000,
        hold: 30_000,
        mtu: 1500,
    };

    /// Whether it changes what it carries.
    pub fn damages(&self) -> bool {
        self.corrupt > 0 || self.truncate > 0
    }

    /// It no longer does.
    pub fn heal(&mut self) {
        (self.corrupt, self.truncate) = (0, 0);
    }
}

/// How much of a datagram is the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// All of it.
    Genuine,
    /// The network damaged it.
    Damaged,
    /// An attacker sent it.
    Hostile,
}

/// A datagram under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flying {
    /// When it arrives, microseconds.
    pub due: u64,
    order: u64,
    /// Who sent it, or seems to have.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How much of it is the sender's.
    pub origin: Origin,
}

/// What became of a datagram that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, were it late, twice, or damaged.
    Arrives,
    /// It does not.
    Lost,
}

/// The network between any number of addresses.
#[derive(Debug)]
pub struct Wire {
    /// What happens to datagrams sent from now on.
    pub weather: Weather,
    /// Nothing arrives before this moment, microseconds.
    pub stalled_until: u64,
    rng: ChaCha8Rng,
    burst_left: u32,
    queue: BinaryHeap<Reverse<Flying>>,
    order: u64,
}

impl Wire {
    /// An empty network.
    pub fn new(weather: Weather, rng: ChaCha8Rng) -> Self {
        Self {
            weather,
            stalled_until: 0,
            rng,
            burst_left: 0,
            queue: BinaryHeap::new(),
            order: 0,
        }
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng.next_u32() % 1000 < per_mille
    }

    fn is_lost(&mut self, len: usize) -> bool {
        if self.burst_left == 0 && self.chance(self.weather.burst) {
            self.burst_left = 4 + self.rng.next_u32() % 37;
        }
        if self.burst_left > 0 {
            self.burst_left -= 1;
            return !self.chance(200);
        }
        self.chance(self.weather.loss) || len > self.weather.mtu
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) -> Origin {
        let mut origin = Origin::Genuine;
        if !bytes.is_empty() && self.chance(self.weather.corrupt) {
            origin = Origin::Damaged;
            for _ in 0..1 + self.rng.next_u32() % 4 {
                let bit = self.rng.next_u32() as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        if !bytes.is_empty() && self.chance(self.weather.truncate) {
            origin = Origin::Damaged;
            bytes.truncate(self.rng.next_u32() as usize % bytes.len());
        }
        origin
    }

    /// Takes a datagram that its sender sends at `at`.
    pub fn send(&mut self, at: u64, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Fate {
        if self.is_lost(bytes.len()) {
            return Fate::Lost;
        }
        let copies = 1 + u32::from(self.chance(self.weather.duplicate));
        for copy in 0..copies {
            let mut bytes = bytes.to_vec();
            let origin = self.damage(&mut bytes);
            let late = copy > 0 || self.chance(self.weather.reorder);
            let extra = match (late, self.weather.hold) {
                (true, hold @ 1..) => self.rng.next_u64() % hold,
                _ => 0,
            };
            let due = (at + self.weather.latency + extra).max(self.stalled_until);
            self.push(due, from, to, bytes, origin);
        }
        Fate::Arrives
    }

    /// Puts a datagram on the network that arrives at `due`, whatever the weather.
    pub fn push(
        &mut self,
        due: u64,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
        origin: Origin,
    ) {
        self.order += 1;
        self.queue.push(Reverse(Flying {
            due,
            order: self.order,
            from,
            to,
            bytes,
            origin,
        }));
    }

    /// Loses everything that is under way.
    pub fn lose_all(&mut self) {
        self.queue.clear();
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<u64> {
        self.queue
            .peek()
            .map(|Reverse(f)| f.due.max(self.stalled_until))
    }

    /// The next datagram that has arrived by `now`.
    pub fn arrived(&mut self, now: u64) -> Option<Flying> {
        if self.next_arrival()? > now {
            return None;
        }
        self.queue.pop().map(|Reverse(flying)| flying)
    }
}

/// Whether what is sent to `to` ends up at `addr`.
pub fn reaches(to: SocketAddr, addr: SocketAddr) -> bool {
    to == addr || (to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) && to.port() == addr.port())
}
