//! A virtual clock that drives nodes over a [`Net`], hours in milliseconds, and checks the laws of the run loop.
//!
//! The laws, each a panic when broken:
//! - a datagram is never longer than the link's MTU (checked by [`Net::send`]);
//! - `poll_transmit` says `false` in the end: at most [`MAX_BURST`] datagrams between two inputs;
//! - `handle_timeout` at its own deadline moves that deadline: no busy loop (at most [`MAX_STALL`] steps at one moment);
//! - `handle_datagram` uses its input up: no more events than bytes.
//!
//! ```text
//!            ┌───────────────── step ─────────────────┐
//!  drain ──► earliest of arrival and deadlines ──► clock jumps there ──► one input ──► drain that node
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::net::Net;

/// Most datagrams a node may send between two inputs.
pub const MAX_BURST: usize = 10_000;
/// Most inputs at one moment of virtual time.
pub const MAX_STALL: usize = 10_000;
/// Bytes of the buffer that nodes write a datagram into.
const TX_BUFFER: usize = 2048;

/// Something with an address that follows the contract of the run loop. Implemented for a [`Layer`] by [`LayerNode`];
/// composed endpoints implement it in a few lines.
pub trait Node {
    /// Where datagrams for this node are sent.
    fn addr(&self) -> SocketAddr;
    /// Whether a datagram `from` → `to` reaches this node. A node that listens on more than one port says so here.
    fn hears(&self, from: SocketAddr, to: SocketAddr) -> bool {
        reaches(from, to, self.addr())
    }
    /// A datagram arrived.
    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]);
    /// The moment of [`deadline`](Self::deadline) has come.
    fn timeout(&mut self, cx: &mut Cx<'_>);
    /// The next datagram to send and its destination, written into `buf`; `None` when there is none.
    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])>;
    /// When [`timeout`](Self::timeout) wants to be called.
    fn deadline(&self) -> Option<Instant>;
}

/// A layer of the stack as a [`Node`]: what it needs besides itself to live on a [`Net`].
///
/// `on_event` gets every event with the layer that produced it. After a fatal error the node is silent and
/// [`error`](Self::error) says why.
pub struct LayerNode<L: Layer, F> {
    /// The layer, free to be looked at and called between steps.
    pub layer: L,
    /// Its address.
    pub addr: SocketAddr,
    /// Where its datagrams go unless the layer itself says so.
    pub peer: SocketAddr,
    /// Why it died, if it did.
    pub error: Option<L::Error>,
    on_event: F,
}

impl<L, F> LayerNode<L, F>
where
    L: Layer,
    F: for<'p> FnMut(&mut L, &mut Cx<'_>, L::Event<'p>),
{
    /// A layer at `addr` that talks to `peer`.
    pub fn new(layer: L, addr: SocketAddr, peer: SocketAddr, on_event: F) -> Self {
        Self {
            layer,
            addr,
            peer,
            error: None,
            on_event,
        }
    }

    /// Sends what `write` puts into the buffer with one of the layer's own verbs (`seal`, `wrap`, …).
    ///
    /// The buffer arrives with the layer's room reserved.
    ///
    /// # Panics
    /// When the buffer is too small for the layer's head- and tailroom.
    pub fn send<R>(
        &mut self,
        world: &mut World,
        write: impl FnOnce(&mut L, &mut Cx<'_>, &mut TxBuf<'_>) -> R,
    ) -> R {
        let mut memory = [0u8; TX_BUFFER];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(L::HEADROOM, L::TAILROOM)
            .expect("the pump's buffer holds every layer's room");
        let answer = write(
            &mut self.layer,
            &mut Cx::new(world.now, &mut world.rng),
            &mut tx,
        );
        let to = tx.destination().unwrap_or(self.peer);
        if !tx.is_empty() {
            world.net.send(world.now, self.addr, to, tx.finish());
        }
        answer
    }

    fn settle(&mut self, outcome: Result<(), L::Error>) {
        if let Err(error) = outcome {
            self.error.get_or_insert(error);
        }
    }
}

impl<L: Layer + fmt::Debug, F> fmt::Debug for LayerNode<L, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerNode")
            .field("addr", &self.addr)
            .field("layer", &self.layer)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<L, F> Node for LayerNode<L, F>
where
    L: Layer,
    F: for<'p> FnMut(&mut L, &mut Cx<'_>, L::Event<'p>),
{
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        if self.error.is_some() {
            return;
        }
        let most = bytes.len() + 1;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            match self.layer.handle_datagram(cx, &mut input) {
                Ok(Some(event)) => (self.on_event)(&mut self.layer, cx, event),
                Ok(None) => return,
                Err(error) => return self.settle(Err(error)),
            }
        }
        panic!(
            "{}: handle_datagram gave {most} events for {} bytes",
            self.addr,
            most - 1
        );
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        let outcome = self.layer.handle_timeout(cx);
        self.settle(outcome);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        if self.error.is_some() {
            return None;
        }
        let mut tx = TxBuf::new(buf);
        match self.layer.poll_transmit(cx, &mut tx) {
            Ok(true) => {
                let to = tx.destination().unwrap_or(self.peer);
                Some((to, tx.finish()))
            }
            Ok(false) => None,
            Err(error) => {
                self.settle(Err(error));
                None
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.error {
            Some(_) => None,
            None => self.layer.poll_timeout(),
        }
    }
}

/// Clock, network and randomness of one run.
#[derive(Debug)]
pub struct World {
    /// The network between the nodes.
    pub net: Net,
    /// The virtual clock.
    pub now: Instant,
    /// The randomness lent to every call.
    pub rng: ChaCha8Rng,
    inputs_at_now: usize,
}

impl World {
    /// A run at time zero; all randomness of the nodes follows from `seed`.
    pub fn new(seed: u64, net: Net) -> Self {
        Self {
            net,
            now: Instant::ZERO,
            rng: crate::rng(seed ^ 0x5eed),
            inputs_at_now: 0,
        }
    }

    /// Lets every node send what it has, jumps to the next thing that happens, and lets it happen: one arrival or one
    /// timer. `false` when nothing will ever happen again.
    ///
    /// A datagram to an address that no node has is gone; one to 255.255.255.255 reaches every other node that listens
    /// on that port.
    ///
    /// # Panics
    /// When a node breaks one of the laws.
    pub fn step(&mut self, nodes: &mut [&mut dyn Node]) -> bool {
        self.step_before(Instant::from_micros(u64::MAX), nodes)
    }

    /// Steps until nothing will happen before `end` any more, then puts the clock there.
    ///
    /// # Panics
    /// When a node breaks one of the laws.
    pub fn run_until(&mut self, end: Instant, nodes: &mut [&mut dyn Node]) {
        while self.step_before(end, nodes) {}
        self.advance(end);
    }

    fn step_before(&mut self, end: Instant, nodes: &mut [&mut dyn Node]) -> bool {
        for node in nodes.iter_mut() {
            self.drain(&mut **node);
        }
        let timer = nodes
            .iter()
            .enumerate()
            .filter_map(|(i, node)| Some((node.deadline()?, i)))
            .min();
        let arrival = self.net.next_arrival();
        let Some(next) = arrival.into_iter().chain(timer.map(|(at, _)| at)).min() else {
            return false;
        };
        if next > end {
            return false;
        }
        self.advance(next);
        self.inputs_at_now += 1;
        if let Some((from, to, bytes)) = self.net.deliver(self.now) {
            for node in nodes.iter_mut().filter(|node| node.hears(from, to)) {
                let mut cx = Cx::new(self.now, &mut self.rng);
                node.receive(&mut cx, from, &mut bytes.clone());
                self.drain(&mut **node);
            }
        } else if let Some((_, i)) = timer {
            let mut cx = Cx::new(self.now, &mut self.rng);
            nodes[i].timeout(&mut cx);
            self.drain(&mut *nodes[i]);
        }
        assert!(
            self.inputs_at_now < MAX_STALL,
            "busy loop: {MAX_STALL} inputs at {:?}; timers {:?}",
            self.now,
            nodes
                .iter()
                .map(|n| (n.addr(), n.deadline()))
                .collect::<Vec<_>>()
        );
        true
    }

    fn advance(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.inputs_at_now = 0;
        }
    }

    fn drain(&mut self, node: &mut dyn Node) {
        let from = node.addr();
        let mut memory = [0u8; TX_BUFFER];
        for _ in 0..MAX_BURST {
            let mut cx = Cx::new(self.now, &mut self.rng);
            match node.transmit(&mut cx, &mut memory) {
                Some((to, bytes)) => self.net.send(self.now, from, to, bytes),
                None => return,
            }
        }
        panic!("{from}: poll_transmit gave {MAX_BURST} datagrams and did not stop");
    }
}

/// Whether a datagram `from` → `to` ends up at `addr`.
pub fn reaches(from: SocketAddr, to: SocketAddr, addr: SocketAddr) -> bool {
    let broadcast = to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
    addr == to || (broadcast && addr != from && addr.port() == to.port())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tutk_core::Full;

    use super::*;
    use crate::net::Faults;

    /// Repeats a number until it is echoed, then goes on to the next; the echoing side has `resend: None`.
    #[derive(Debug)]
    struct Counter {
        next: u8,
        last: u8,
        resend: Option<Instant>,
        pending: Option<u8>,
        stuck_timer: bool,
    }

    impl Counter {
        fn new(last: u8, resend: Option<Instant>) -> Self {
            Self {
                next: 0,
                last,
                resend,
                pending: None,
                stuck_timer: false,
            }
        }
    }

    impl Layer for Counter {
        const HEADROOM: usize = 0;
        const TAILROOM: usize = 0;
        type Event<'p> = &'p [u8];
        type Error = Full;

        fn handle_datagram<'p>(
            &mut self,
            cx: &mut Cx<'_>,
            input: &mut Datagram<'p>,
        ) -> Result<Option<&'p [u8]>, Full> {
            let Some(unit) = input.take(1) else {
                return Ok(None);
            };
            if self.resend.is_none() {
                self.pending = Some(unit[0]);
            } else if unit[0] == self.next && self.next < self.last {
                self.next += 1;
                self.pending = Some(self.next);
                self.resend = Some(cx.now + Duration::from_millis(50));
            }
            Ok(Some(unit))
        }

        fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Full> {
            if self.resend.is_some_and(|at| at <= cx.now) && !self.stuck_timer {
                self.pending = Some(self.next);
                self.resend = Some(cx.now + Duration::from_millis(50));
            }
            Ok(())
        }

        fn poll_transmit(&mut self, _: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
            let Some(number) = self.pending.take() else {
                return Ok(false);
            };
            tx.append(&[number])?;
            Ok(true)
        }

        fn poll_timeout(&self) -> Option<Instant> {
            self.resend
        }
    }

    fn addresses() -> (SocketAddr, SocketAddr) {
        ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap())
    }

    #[test]
    fn two_layers_finish_over_a_lossy_network() {
        let (a, b) = addresses();
        for seed in 0..50 {
            let mut world = World::new(seed, Net::new(seed, Faults::BAD_WIFI));
            let heard = Cell::new(0u32);
            let counter = Counter::new(20, Some(Instant::ZERO));
            let mut asks = LayerNode::new(
                counter,
                a,
                b,
                |_: &mut Counter, _: &mut Cx<'_>, _: &[u8]| {},
            );
            let mut echo = LayerNode::new(
                Counter::new(0, None),
                b,
                a,
                |_: &mut Counter, _: &mut Cx<'_>, unit: &[u8]| {
                    heard.set(heard.get() + unit.len() as u32);
                },
            );
            while asks.layer.next < 20 {
                assert!(
                    world.step(&mut [&mut asks, &mut echo]),
                    "seed {seed}: nothing left to do"
                );
            }
            assert!(heard.get() >= 20, "seed {seed}");
            assert!(
                world.now < Instant::from_millis(20_000),
                "seed {seed}: {:?}",
                world.now
            );
        }
    }

    #[test]
    fn a_layers_own_verb_sends_and_the_clock_stops_at_the_end() {
        let (a, b) = addresses();
        let mut world = World::new(1, Net::new(1, Faults::NONE));
        let heard = Cell::new(0);
        let mut silent = LayerNode::new(
            Counter::new(0, None),
            a,
            b,
            |_: &mut Counter, _: &mut Cx<'_>, _: &[u8]| {},
        );
        let mut echo = LayerNode::new(
            Counter::new(0, None),
            b,
            a,
            |_: &mut Counter, _: &mut Cx<'_>, _: &[u8]| heard.set(heard.get() + 1),
        );
        silent
            .send(&mut world, |_, _, tx| tx.append(b"abc"))
            .unwrap();
        world.run_until(Instant::from_millis(1), &mut [&mut echo]);
        assert_eq!(heard.get(), 3, "three units in one datagram");
        assert_eq!(world.now, Instant::from_millis(1));
    }

    #[test]
    fn a_broadcast_reaches_every_other_node_on_the_port() {
        let addrs: [SocketAddr; 4] =
            ["10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7", "10.0.0.4:8"].map(|a| a.parse().unwrap());
        let to = "255.255.255.255:7".parse().unwrap();
        let reached = addrs.map(|addr| reaches(addrs[0], to, addr));
        assert_eq!(reached, [false, true, true, false]);
    }

    #[test]
    #[should_panic(expected = "busy loop")]
    fn a_deadline_that_stays_in_the_past_is_a_busy_loop() {
        let (a, b) = addresses();
        let mut world = World::new(1, Net::new(1, Faults::NONE));
        let mut counter = Counter::new(1, Some(Instant::ZERO));
        counter.stuck_timer = true;
        let mut node = LayerNode::new(
            counter,
            a,
            b,
            |_: &mut Counter, _: &mut Cx<'_>, _: &[u8]| {},
        );
        while world.step(&mut [&mut node]) {}
    }
}
