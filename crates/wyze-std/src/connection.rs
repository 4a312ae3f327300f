//! One camera, watched over a UDP socket.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use wyze_session::{
    Cause, Client, ClientConfig, Datagram, Event, Instant, ParityGroup, Reconnect, RepairMemory,
    Storage, TalkError, TalkFrame,
};

use crate::socket::Socket;
use crate::tap::TapSlot;
use crate::{Broadcast, CameraUrl, Clock, Tap, bind, targets};

/// Room for datagrams we send, bytes: all of ours fit an Ethernet frame.
const MAX_TRANSMIT: usize = 1500;

/// How long datagrams gather by default: not at all where a call brings one of them, however many have come.
const GATHERING: Duration = Duration::from_millis(if quinn_udp::BATCH_SIZE > 1 { 1 } else { 0 });

/// FEC groups that are put together at the same time: the one that comes, and late packets of those before.
const PARITY_GROUPS: usize = 4;

/// Memory of a [`Connection`] on a machine that has plenty: a megabyte for video frames in flight (key frames up to
/// about 700 KB), 64 KiB for audio, and what lossless mode takes. The system commits a page only when a frame reaches it.
pub struct Memory {
    video: Vec<u8>,
    audio: Vec<u8>,
    handshake: [u8; 512],
    control: [u8; 2048],
    repair: RepairMemory,
    talk_handshake: [u8; 512],
    parity: Vec<ParityGroup>,
}

impl Memory {
    /// Memory with `video` and `audio` bytes for frames in flight; 0 selects chunk mode for that stream.
    pub fn new(video: usize, audio: usize) -> Self {
        Self {
            video: vec![0; video],
            audio: vec![0; audio],
            handshake: [0; 512],
            control: [0; 2048],
            repair: RepairMemory::new(),
            talk_handshake: [0; 512],
            parity: Vec::new(),
        }
    }

    /// The same, and memory to compute lost packets from parity in lossless mode, where the camera sends any. What cameras
    /// put into parity packets is inferred (`docs/protocol.md` §2.8), so only those who ask for this get it.
    pub fn with_parity(mut self) -> Self {
        self.parity = vec![ParityGroup::new(); PARITY_GROUPS];
        self
    }

    fn split(&mut self) -> Storage<'_> {
        Storage {
            video: &mut self.video,
            audio: &mut self.audio,
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: Some(&mut self.repair),
            resend: &mut [],
            talk_handshake: &mut self.talk_handshake,
            parity: &mut self.parity,
        }
    }
}

/// Shows sizes: the content was decrypted.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("video", &self.video.len())
            .field("audio", &self.audio.len())
            .finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(1 << 20, 64 << 10)
    }
}

/// Whether a [`Connection`] goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Open,
    /// A session has ended; the next one begins by itself ([`Connection::set_reconnect`]).
    Waiting {
        /// When, by [`Connection::now`].
        until: Instant,
        /// Why the last one ended.
        cause: Cause,
    },
    /// It is over, and why.
    Closed(Cause),
}

/// One camera, watched over a UDP socket by the thread that calls [`step`](Self::step).
///
/// ```text
///   Open ── a session ends ─► reconnect? ── no ─► Closed
///    ▲                           │ yes
///    └──── searches anew ◄─── Waiting ── close() ─► Closed
/// ```
pub struct Connection<'m> {
    client: Client<'m>,
    config: ClientConfig<'m>,
    /// Where the search goes.
    targets: Vec<SocketAddr>,
    /// What 255.255.255.255 stands for; `None` where the caller chose the targets, and it is itself.
    broadcast: Option<Broadcast>,
    socket: Socket,
    clock: Clock,
    transmit: Box<[u8; MAX_TRANSMIT]>,
    reconnect: Option<Reconnect>,
    status: Status,
    tap: TapSlot<'m>,
}

impl fmt::Debug for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("client", &self.client)
            .field("socket", &self.socket)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl<'m> Connection<'m> {
    /// Binds a socket and begins to search for the camera at the URL's address and by broadcast on every interface;
    /// `config.targets` is replaced by those addresses. A host name is looked up here and never again, because that may block
    /// for long; later sessions find a camera that has moved by broadcast.
    ///
    /// # Errors
    /// The host name has no address, or the system refuses a socket.
    pub fn open(
        url: &CameraUrl,
        config: &ClientConfig<'m>,
        memory: &'m mut Memory,
    ) -> io::Result<Self> {
        let hint = url.resolve()?;
        let local = match hint {
            SocketAddr::V4(v4) if v4.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let broadcast = Some(Broadcast::everywhere());
        Self::new(bind(local)?, config, targets(hint), broadcast, memory)
    }

    /// The same over a socket that the caller has bound, with `config.targets` as they are.
    ///
    /// # Errors
    /// The system does not let the socket be set up.
    pub fn with_socket(
        socket: UdpSocket,
        config: &ClientConfig<'m>,
        memory: &'m mut Memory,
    ) -> io::Result<Self> {
        Self::new(socket, config, config.targets.to_vec(), None, memory)
    }

    fn new(
        socket: UdpSocket,
        config: &ClientConfig<'m>,
        targets: Vec<SocketAddr>,
        broadcast: Option<Broadcast>,
        memory: &'m mut Memory,
    ) -> io::Result<Self> {
        let mut socket = Socket::new(socket)?;
        socket.gathering = GATHERING;
        let mut clock = Clock::new();
        let first = ClientConfig {
            targets: &targets,
            ..*config
        };
        Ok(Self {
            client: Client::new(&first, memory.split(), &mut clock.cx()),
            config: *config,
            targets,
            broadcast,
            socket,
            clock,
            transmit: Box::new([0; MAX_TRANSMIT]),
            reconnect: None,
            status: Status::Open,
            tap: TapSlot::default(),
        })
    }

    /// Lets `tap` hear every datagram from now on. Before the first step, that is all of them.
    pub fn set_tap(&mut self, tap: Box<dyn Tap + 'm>) {
        #[cfg(feature = "keylog")]
        self.client.log_keys();
        self.tap.set(tap, self.socket.local_addr());
    }

    /// How long datagrams gather before they are read where they come one by one and fast: more than two in that time, for
    /// eight system calls in a row. Then each wait goes on so long after the first one, and takes all that have come in one
    /// call; a frame is told that much later at most. In the beginning it is a millisecond, where the system can hand over several at once; zero switches it off. Where several
    /// are there at once anyway, as with a frame that comes as a burst, nothing is waited for.
    pub fn set_gathering(&mut self, gathering: Duration) {
        self.socket.gathering = gathering;
    }

    /// From now on a session that ends is followed by another one, as `policy` says; with `None`, as in the beginning, it
    /// is the end of the connection. Each session ends with an [`Event::Closed`] of its own, and
    /// [`Status::Waiting`] is what [`step`](Self::step) answers until the next one begins.
    pub fn set_reconnect(&mut self, policy: Option<Reconnect>) {
        self.reconnect = policy;
    }

    /// Sends what is due, waits at most `limit` for datagrams, and tells what came of those that are there. Returns early
    /// when a timer is due. Call in a loop; time spent elsewhere is time in which datagrams pile up in the socket.
    ///
    /// # Errors
    /// The socket failed. What the network does is no error.
    pub fn step(
        &mut self,
        limit: Duration,
        mut on_event: impl FnMut(Event<'_>),
    ) -> io::Result<Status> {
        if let Status::Waiting { until, .. } = self.status {
            self.wait_out(until, limit)?;
        }
        self.send_due();
        self.tell(&mut on_event);
        if self.status != Status::Open {
            return Ok(self.status);
        }
        let now = self.clock.now();
        let next = self.client.poll_timeout();
        self.socket
            .wait(now, next.map_or(limit, |at| at.since(now).min(limit)))?;
        // They have all arrived by now, so one look at the clock does, until somebody takes his time over an event.
        let mut cx = self.clock.cx();
        while let Some((from, bytes)) = self.socket.next() {
            self.tap.received(from, bytes);
            let mut input = Datagram::new(from, bytes);
            while let Some(event) = self.client.handle_datagram(&mut cx, &mut input) {
                on_event(event);
                cx = self.clock.cx();
            }
        }
        // Also behind a datagram: where they never cease to come, time would stand still otherwise.
        self.client.handle_timeout(&mut self.clock.cx());
        self.send_due();
        self.tell(&mut on_event);
        Ok(self.status)
    }

    /// Sends a frame of audio to be played, once [`Client::start_talk`] has led to [`Event::TalkReady`]. Go on with
    /// [`step`](Self::step).
    ///
    /// # Errors
    /// Nothing was sent, and the session goes on.
    pub fn send_audio(&mut self, frame: &TalkFrame<'_>) -> Result<(), TalkError> {
        let t = self
            .client
            .send_audio(&mut self.clock.cx(), frame, &mut self.transmit[..])?;
        self.tap.sent(t.to, t.datagram);
        self.socket.send(t.datagram, t.to);
        Ok(())
    }

    /// Ends the connection and says goodbye, so that the camera frees the viewer slot at once. Between two sessions there
    /// is nobody to say it to, and no event.
    ///
    /// # Errors
    /// The socket failed.
    pub fn close(&mut self, mut on_event: impl FnMut(Event<'_>)) -> io::Result<Cause> {
        self.reconnect = None;
        if let Status::Waiting { .. } = self.status {
            self.status = Status::Closed(Cause::Local);
        }
        self.client.close();
        loop {
            if let Status::Closed(cause) = self.step(Duration::ZERO, &mut on_event)? {
                return Ok(cause);
            }
        }
    }

    /// The session, to send requests and read counters.
    pub fn client(&mut self) -> (&mut Client<'m>, &mut Clock) {
        (&mut self.client, &mut self.clock)
    }

    /// Microseconds since the connection was opened.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Goes on over another socket, as behind a router that gives the flow another port.
    #[cfg(test)]
    pub(crate) fn move_to(&mut self, socket: UdpSocket) {
        self.socket = Socket::new(socket).unwrap();
    }

    fn send_due(&mut self) {
        #[cfg(feature = "keylog")]
        self.tap.keys(&mut self.client);
        while let Some(t) = self
            .client
            .poll_transmit(&mut self.clock.cx(), &mut self.transmit[..])
        {
            let also = self.broadcast.iter().flat_map(|b| b.networks(t.to));
            for to in std::iter::once(t.to).chain(also) {
                self.tap.sent(to, t.datagram);
                self.socket.send(t.datagram, to);
            }
        }
    }

    fn tell(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        let mut closed = None;
        while let Some(event) = self.client.poll_event(&mut self.clock.cx()) {
            if let Event::Closed(cause) = &event {
                closed = Some(*cause);
            }
            on_event(event);
        }
        if let Some(cause) = closed {
            let healthy = self.client.healthy(self.clock.now());
            let mut cx = self.clock.cx();
            let policy = self.reconnect.as_mut();
            self.status = match policy.and_then(|policy| policy.after(cause, healthy, &mut cx)) {
                Some(until) => Status::Waiting { until, cause },
                None => Status::Closed(cause),
            };
        }
    }

    /// Waits for the time of the next session, at most `limit`, and begins it then.
    fn wait_out(&mut self, until: Instant, limit: Duration) -> io::Result<()> {
        let left = until.since(self.clock.now());
        if !left.is_zero() {
            // What still comes belongs to the session that is over; only the tap hears it.
            self.socket.wait(self.clock.now(), left.min(limit))?;
            while let Some((from, bytes)) = self.socket.next() {
                self.tap.received(from, bytes);
            }
        }
        if self.clock.now() >= until {
            // There may be other interfaces by now.
            if let Some(broadcast) = &mut self.broadcast {
                *broadcast = Broadcast::everywhere();
            }
            let config = ClientConfig {
                targets: &self.targets,
                ..self.config
            };
            self.client.restart(&config, &mut self.clock.cx());
            self.status = Status::Open;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content() {
        let mut memory = Memory::default();
        memory.handshake[0] = 0xab;
        let debug = format!("{memory:?}");
        assert!(debug.len() < 100, "{debug}");
    }
}
