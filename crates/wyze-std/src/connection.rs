//! One camera, watched over a UDP socket.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use wyze_session::{
    Cause, Client, ClientConfig, Datagram, Event, RepairMemory, Storage, TalkError, TalkFrame,
};

use crate::{CameraUrl, Clock, bind, targets};

/// Largest datagram of the protocol, bytes (`docs/protocol.md` §2.15).
const MAX_DATAGRAM: usize = 2048;
/// Room for datagrams we send, bytes: all of ours fit an Ethernet frame.
const MAX_TRANSMIT: usize = 1500;

/// Memory of a [`Connection`] on a machine that has plenty: a megabyte for video frames in flight (key frames up to
/// about 700 KB), 64 KiB for audio, and what lossless mode takes. The system commits a page only when a frame reaches it.
pub struct Memory {
    video: Vec<u8>,
    audio: Vec<u8>,
    handshake: [u8; 512],
    control: [u8; 2048],
    repair: RepairMemory,
    talk_handshake: [u8; 512],
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
        }
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
    /// It is over, and why.
    Closed(Cause),
}

/// One camera, watched over a UDP socket by the thread that calls [`step`](Self::step).
pub struct Connection<'m> {
    client: Client<'m>,
    socket: UdpSocket,
    clock: Clock,
    receive: Box<[u8; MAX_DATAGRAM]>,
    transmit: Box<[u8; MAX_TRANSMIT]>,
    closed: Option<Cause>,
}

impl fmt::Debug for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("client", &self.client)
            .field("socket", &self.socket)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl<'m> Connection<'m> {
    /// Binds a socket and begins to search for the camera at the URL's address and by broadcast; `config.targets` is
    /// replaced by those addresses.
    ///
    /// # Errors
    /// The host name has no address, or the system refuses a socket.
    pub fn open(
        url: &CameraUrl,
        config: &ClientConfig<'_>,
        memory: &'m mut Memory,
    ) -> io::Result<Self> {
        let hint = url.resolve()?;
        let targets = targets(hint);
        let local = match hint {
            SocketAddr::V4(v4) if v4.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let config = ClientConfig {
            targets: &targets,
            ..*config
        };
        Ok(Self::with_socket(bind(local)?, &config, memory))
    }

    /// The same over a socket that the caller has bound, with `config.targets` as they are.
    pub fn with_socket(
        socket: UdpSocket,
        config: &ClientConfig<'_>,
        memory: &'m mut Memory,
    ) -> Self {
        let mut clock = Clock::new();
        let client = Client::new(config, memory.split(), &mut clock.cx());
        Self {
            client,
            socket,
            clock,
            receive: Box::new([0; MAX_DATAGRAM]),
            transmit: Box::new([0; MAX_TRANSMIT]),
            closed: None,
        }
    }

    /// Sends what is due, waits at most `limit` for one datagram, and tells what came of it. Returns early when
    /// a timer is due. Call in a loop; time spent elsewhere is time in which datagrams pile up in the socket.
    ///
    /// # Errors
    /// The socket failed. What the network does is no error.
    pub fn step(
        &mut self,
        limit: Duration,
        mut on_event: impl FnMut(Event<'_>),
    ) -> io::Result<Status> {
        self.send_due();
        self.tell(&mut on_event);
        if let Some(cause) = self.closed {
            return Ok(Status::Closed(cause));
        }
        if let Some((len, from)) = self.wait(limit)? {
            let bytes = self.receive.get_mut(..len).unwrap_or_default();
            let mut input = Datagram::new(from, bytes);
            while let Some(event) = self
                .client
                .handle_datagram(&mut self.clock.cx(), &mut input)
            {
                on_event(event);
            }
        }
        // Also behind a datagram: where they never cease to come, time would stand still otherwise.
        self.client.handle_timeout(&mut self.clock.cx());
        self.send_due();
        self.tell(&mut on_event);
        Ok(self.closed.map_or(Status::Open, Status::Closed))
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
        send(&self.socket, t.datagram, t.to);
        Ok(())
    }

    /// Ends the session and says goodbye, so that the camera frees the viewer slot at once.
    ///
    /// # Errors
    /// The socket failed.
    pub fn close(&mut self, mut on_event: impl FnMut(Event<'_>)) -> io::Result<Cause> {
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
    pub fn now(&self) -> wyze_session::Instant {
        self.clock.now()
    }

    fn send_due(&mut self) {
        while let Some(t) = self
            .client
            .poll_transmit(&mut self.clock.cx(), &mut self.transmit[..])
        {
            send(&self.socket, t.datagram, t.to);
        }
    }

    fn tell(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        while let Some(event) = self.client.poll_event(&mut self.clock.cx()) {
            if let Event::Closed(cause) = &event {
                self.closed = Some(*cause);
            }
            on_event(event);
        }
    }

    /// Waits for a datagram until `limit` or the session's next timer.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<(usize, SocketAddr)>> {
        let now = self.clock.now();
        let wait = self
            .client
            .poll_timeout()
            .map_or(limit, |at| at.since(now).min(limit));
        receive(&self.socket, &mut self.receive[..], wait)
    }
}

/// Receives one datagram within `wait`; `None` when none came.
pub(crate) fn receive(
    socket: &UdpSocket,
    buf: &mut [u8],
    wait: Duration,
) -> io::Result<Option<(usize, SocketAddr)>> {
    // A zero timeout would mean "for ever".
    socket.set_read_timeout(Some(wait.max(Duration::from_micros(1))))?;
    match socket.recv_from(buf) {
        // Nobody can be answered at port 0, so nobody honest asks from there.
        Ok((_, from)) if from.port() == 0 => Ok(None),
        Ok(received) => Ok(Some(received)),
        Err(e) => match e.kind() {
            io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            // Some systems report here that an earlier datagram reached nobody; the session's timers decide.
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Ok(None),
            _ => Err(e),
        },
    }
}

/// Sends one datagram. One that the system refuses is lost like any other, and the session's timers decide: a search
/// goes to several addresses, not every interface has a route, and a stranger chooses where an answer goes.
pub(crate) fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    if let Err(e) = socket.send_to(datagram, to) {
        log::debug!("a datagram was not sent: {}", e.kind());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_that_the_system_refuses_is_just_lost() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        send(&socket, b"x", "127.0.0.1:0".parse().unwrap()); // EINVAL on Linux
        send(&socket, &[0; 70_000], socket.local_addr().unwrap()); // EMSGSIZE
        let mut buf = [0; 8];
        let wait = Duration::from_millis(1);
        assert_eq!(receive(&socket, &mut buf, wait).unwrap(), None);
    }

    #[test]
    fn debug_shows_no_content() {
        let mut memory = Memory::default();
        memory.handshake[0] = 0xab;
        let debug = format!("{memory:?}");
        assert!(debug.len() < 100, "{debug}");
    }
}
