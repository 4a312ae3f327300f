//! A seeded network inside the process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use tutk_core::Instant;

/// What happens to datagrams on their way. Chances are in percent, each drawn for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Chance that a datagram never arrives.
    pub loss: u8,
    /// Chance that a datagram is held back by up to [`hold`](Self::hold), so that later ones overtake it.
    pub reorder: u8,
    /// Chance that a datagram arrives twice, the second time up to [`hold`](Self::hold) later.
    pub duplicate: u8,
    /// Chance that one bit of a datagram is flipped.
    pub corrupt: u8,
    /// Time every datagram takes.
    pub latency: Duration,
    /// Longest extra time of a datagram held back, or of a second copy.
    pub hold: Duration,
    /// Longest datagram in bytes. A longer one is a bug of the sender and panics.
    pub mtu: usize,
}

impl Faults {
    /// A perfect link: 1 ms, 1400 bytes.
    pub const NONE: Self = Self {
        loss: 0,
        reorder: 0,
        duplicate: 0,
        corrupt: 0,
        latency: Duration::from_millis(1),
        hold: Duration::from_millis(20),
        mtu: 1400,
    };

    /// The Wi-Fi that the acceptance tests of this workspace assume: 10 % loss, 10 % reordering, 5 % duplication.
    pub const BAD_WIFI: Self = Self {
        loss: 10,
        reorder: 10,
        duplicate: 5,
        ..Self::NONE
    };
}

/// The fate of one datagram, drawn by [`Dice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Delay of each copy that arrives; empty when it is lost.
    pub(crate) delays: Vec<Duration>,
    /// Which bit to flip.
    pub(crate) flip: Option<u32>,
}

/// Faults with the randomness that decides them: one draw per datagram.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    pub(crate) faults: Faults,
    rng: ChaCha8Rng,
}

impl Dice {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            faults,
            rng: crate::rng(seed),
        }
    }

    fn chance(&mut self, percent: u8) -> bool {
        // Drawn even when the answer is known, so that one changed chance leaves the other draws as they were.
        self.rng.next_u32() % 100 < u32::from(percent)
    }

    fn extra(&mut self) -> Duration {
        let most = u64::try_from(self.faults.hold.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(1 + self.rng.next_u64() % most.max(1))
    }

    pub(crate) fn throw(&mut self) -> Fate {
        let Faults {
            loss,
            reorder,
            duplicate,
            corrupt,
            latency,
            ..
        } = self.faults;
        let (lost, held) = (self.chance(loss), self.chance(reorder));
        let (doubled, flipped) = (self.chance(duplicate), self.chance(corrupt));
        let (hold, second, bit) = (self.extra(), self.extra(), self.rng.next_u32());
        let mut delays = Vec::new();
        if !lost {
            delays.push(if held { latency + hold } else { latency });
            if doubled {
                delays.push(latency + second);
            }
        }
        Fate {
            delays,
            flip: flipped.then_some(bit),
        }
    }

    pub(crate) fn flip(bytes: &mut [u8], bit: u32) {
        if !bytes.is_empty() {
            let bit = bit as usize % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// What a [`Net`] did so far, in datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to [`Net::send`].
    pub sent: u32,
    /// Handed out by [`Net::deliver`], second copies included.
    pub delivered: u32,
    /// Never arrived.
    pub lost: u32,
    /// Arrived, or will arrive, twice.
    pub duplicated: u32,
    /// Had a bit flipped.
    pub corrupted: u32,
}

#[derive(Debug, Clone)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// Datagrams in flight between any number of addresses. Sans-IO: it is told the time and owns no clock.
///
/// ```
/// use tutk_testkit::net::{Faults, Net};
/// use tutk_core::Instant;
/// let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
/// let mut net = Net::new(7, Faults::NONE);
/// net.send(Instant::ZERO, a, b, b"hello");
/// assert_eq!(net.deliver(Instant::ZERO), None); // still under way
/// let arrival = net.next_arrival().unwrap();
/// assert_eq!(net.deliver(arrival), Some((a, b, b"hello".to_vec())));
/// ```
#[derive(Debug, Clone)]
pub struct Net {
    dice: Dice,
    /// By arrival, then by order of sending.
    in_flight: BTreeMap<(Instant, u64), Packet>,
    next_id: u64,
    counts: Counts,
}

impl Net {
    /// An empty network whose every decision follows from `seed`.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            dice: Dice::new(seed, faults),
            in_flight: BTreeMap::new(),
            next_id: 0,
            counts: Counts::default(),
        }
    }

    /// Changes what happens to datagrams sent from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.dice.faults = faults;
    }

    /// Takes a datagram.
    ///
    /// # Panics
    /// When it is longer than the MTU.
    pub fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mtu = self.dice.faults.mtu;
        assert!(
            bytes.len() <= mtu,
            "{from} sent a datagram of {} bytes over a link of {mtu}",
            bytes.len()
        );
        let fate = self.dice.throw();
        self.counts.sent += 1;
        self.counts.lost += u32::from(fate.delays.is_empty());
        self.counts.duplicated += u32::from(fate.delays.len() > 1);
        let mut bytes = bytes.to_vec();
        if let Some(bit) = fate.flip {
            self.counts.corrupted += 1;
            Dice::flip(&mut bytes, bit);
        }
        for delay in fate.delays {
            let packet = Packet {
                from,
                to,
                bytes: bytes.clone(),
            };
            self.in_flight.insert((now + delay, self.next_id), packet);
            self.next_id += 1;
        }
    }

    /// When the next datagram arrives; `None` when nothing is under way.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|&(at, _)| at)
    }

    /// The next datagram that has arrived by `now`: who sent it, to whom, and its bytes.
    pub fn deliver(&mut self, now: Instant) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
        let entry = self.in_flight.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let Packet { from, to, bytes } = entry.remove();
        self.counts.delivered += 1;
        Some((from, to, bytes))
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SocketAddr = SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        1,
    );
    const B: SocketAddr = SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
        2,
    );

    /// Sends `n` numbered datagrams, 1 ms apart, and collects what arrives in order of arrival.
    fn run(seed: u64, faults: Faults, n: u16) -> (Vec<Vec<u8>>, Counts) {
        let mut net = Net::new(seed, faults);
        for i in 0..n {
            let at = Instant::from_millis(i.into());
            net.send(at, A, B, &i.to_be_bytes());
        }
        let end = Instant::from_millis(1_000_000);
        let arrived = std::iter::from_fn(|| net.deliver(end).map(|(_, _, bytes)| bytes)).collect();
        (arrived, net.counts())
    }

    #[test]
    fn perfect_link_delivers_everything_once_and_in_order() {
        let (arrived, counts) = run(1, Faults::NONE, 500);
        let sent: Vec<_> = (0..500u16).map(|i| i.to_be_bytes().to_vec()).collect();
        assert_eq!(arrived, sent);
        assert_eq!(
            (counts.lost, counts.duplicated, counts.corrupted),
            (0, 0, 0)
        );
    }

    #[test]
    fn same_seed_gives_the_same_run_and_another_seed_another() {
        assert_eq!(run(3, Faults::BAD_WIFI, 500), run(3, Faults::BAD_WIFI, 500));
        assert_ne!(
            run(3, Faults::BAD_WIFI, 500).0,
            run(4, Faults::BAD_WIFI, 500).0
        );
    }

    #[test]
    fn chances_come_out_as_asked() {
        let (arrived, counts) = run(5, Faults::BAD_WIFI, 10_000);
        assert!((900..1100).contains(&counts.lost), "{counts:?}");
        assert!(
            (390..510).contains(&counts.duplicated),
            "5 % of the 90 % that arrive: {counts:?}"
        );
        assert_eq!(
            arrived.len() as u32,
            counts.sent - counts.lost + counts.duplicated
        );
    }

    #[test]
    fn reordering_alone_loses_nothing() {
        let faults = Faults {
            reorder: 30,
            ..Faults::NONE
        };
        let (mut arrived, _) = run(6, faults, 1000);
        assert!(!arrived.is_sorted());
        arrived.sort();
        let sent: Vec<_> = (0..1000u16).map(|i| i.to_be_bytes().to_vec()).collect();
        assert_eq!(arrived, sent);
    }

    #[test]
    fn corruption_flips_exactly_one_bit() {
        let faults = Faults {
            corrupt: 100,
            ..Faults::NONE
        };
        let (arrived, counts) = run(8, faults, 200);
        assert_eq!(counts.corrupted, 200);
        for (i, bytes) in arrived.iter().enumerate() {
            let got = u16::from_be_bytes([bytes[0], bytes[1]]);
            assert_eq!((got ^ i as u16).count_ones(), 1);
        }
    }

    #[test]
    #[should_panic(expected = "1401 bytes over a link of 1400")]
    fn an_oversize_datagram_is_the_senders_bug() {
        Net::new(0, Faults::NONE).send(Instant::ZERO, A, B, &[0; 1401]);
    }
}
