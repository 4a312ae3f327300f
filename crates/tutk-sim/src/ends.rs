//! The two ends of a session, each called as the contract of the run loop says and watched while at it.

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use wyze_session::kauth::Code;
use wyze_session::{
    Camera, CameraEvent, Cause, Client, ClientConfig, Cx, Datagram, Event, Instant, Outgoing,
    Phase, RequestId, Stream, TalkEnd, Transmit,
};

use crate::laws::{Lawful, MAX_BURST, MAX_EVENTS, Violation, frugal, law};
use crate::show::{Id, Kind, Show};

/// Why a datagram was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// For any other reason.
    Any,
    /// A media packet, for the first time.
    Media,
    /// A media packet, again.
    Copy,
    /// To ask for media packets again.
    Request,
}

/// Something that was told, without what it borrowed.
#[derive(Debug, Clone)]
pub enum Told {
    /// The client: how far it has come.
    Phase(Phase),
    /// Both: the challenge was answered.
    Authenticated,
    /// A frame, as it was identified by its bytes.
    Frame(Kind, Option<Id>),
    /// The client: a frame was given up.
    Dropped(Stream),
    /// The client: media did not come, and it asked for them by requests of its own.
    Stalled,
    /// The client: a request was answered.
    Reply(RequestId, Vec<u8>),
    /// The client: a command that nobody asked for.
    Message(Code),
    /// The client: a request was not answered.
    NoReply(RequestId),
    /// The camera: a command to be answered.
    Command(Code, Vec<u8>),
    /// Audio may flow to the camera.
    TalkReady,
    /// It may no longer.
    TalkClosed(TalkEnd),
    /// The last event.
    Closed(Cause),
}

/// A clock of its own: microseconds that it is ahead of the world's, a second to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    ahead: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { ahead: 1_000_000 }
    }
}

impl Clock {
    /// Moves it.
    pub fn jump(&mut self, micros: i64) {
        self.ahead = (self.ahead + micros).max(0);
    }

    /// What it shows.
    pub fn local(self, world: u64) -> Instant {
        Instant::from_micros(world.saturating_add_signed(self.ahead))
    }

    /// When it shows `local`, on the world's clock.
    pub fn world(self, local: Instant) -> u64 {
        local.as_micros().saturating_add_signed(-self.ahead)
    }
}

/// A frame put together from chunks.
#[derive(Debug, Default)]
struct Chunks {
    frame: u32,
    bytes: Vec<u8>,
}

/// What either end is: something to be called at the right moments.
#[derive(Debug)]
pub struct End<S> {
    /// The state machine.
    pub session: S,
    /// Its address.
    pub addr: SocketAddr,
    /// Its clock.
    pub clock: Clock,
    /// What it told since the last look.
    pub inbox: Vec<Told>,
    /// How it ended.
    pub closed: Option<Cause>,
    show: Show,
    chunks: [Chunks; 2],
}

/// The app.
pub type Viewer<'m> = End<Client<'m>>;
/// The camera.
pub type Cam<'m> = End<Camera<'m>>;

/// What both roles have in common.
pub trait Role {
    /// Reads a datagram up to the next event.
    fn read(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'_>,
        note: impl FnOnce(Heard<'_>),
    ) -> Lawful<bool>;
    /// The next event that is in no datagram.
    fn poll(&mut self, cx: &mut Cx<'_>, note: impl FnOnce(Heard<'_>)) -> Lawful<bool>;
    /// Does what is due.
    fn tick(&mut self, cx: &mut Cx<'_>);
    /// The next datagram.
    fn fill<'b>(&mut self, cx: &mut Cx<'_>, buf: &'b mut [u8]) -> Option<Transmit<'b>>;
    /// When to call again.
    fn wake(&self) -> Option<Instant>;
    /// Copies sent, and packets asked for.
    fn repairs(&self) -> (u32, u32);
}

/// An event of either role.
#[derive(Debug)]
pub enum Heard<'e> {
    /// Of the client.
    Client(Event<'e>),
    /// Of the camera.
    Camera(CameraEvent<'e>),
}

macro_rules! role {
    ($ty:ty, $event:ident) => {
        impl Role for $ty {
            fn read(
                &mut self,
                cx: &mut Cx<'_>,
                input: &mut Datagram<'_>,
                note: impl FnOnce(Heard<'_>),
            ) -> Lawful<bool> {
                let event = frugal("handle_datagram", move || self.handle_datagram(cx, input))?;
                let more = event.is_some();
                if let Some(event) = event {
                    note(Heard::$event(event));
                }
                Ok(more)
            }
            fn poll(&mut self, cx: &mut Cx<'_>, note: impl FnOnce(Heard<'_>)) -> Lawful<bool> {
                let event = frugal("poll_event", move || self.poll_event(cx))?;
                let more = event.is_some();
                if let Some(event) = event {
                    note(Heard::$event(event));
                }
                Ok(more)
            }
            fn tick(&mut self, cx: &mut Cx<'_>) {
                self.handle_timeout(cx);
            }
            fn fill<'b>(&mut self, cx: &mut Cx<'_>, buf: &'b mut [u8]) -> Option<Transmit<'b>> {
                self.poll_transmit(cx, buf)
            }
            fn wake(&self) -> Option<Instant> {
                self.poll_timeout()
            }
            fn repairs(&self) -> (u32, u32) {
                let av = self.stats().av;
                (av.tx_resent, av.tx_requests)
            }
        }
    };
}

role!(Client<'_>, Client);
role!(Camera<'_>, Camera);

impl<S: Role> End<S> {
    /// `session` at `addr`.
    pub fn new(session: S, addr: SocketAddr, clock: Clock, show: Show) -> Self {
        Self {
            session,
            addr,
            clock,
            inbox: Vec::new(),
            closed: None,
            show,
            chunks: Default::default(),
        }
    }

    /// A datagram arrived.
    pub fn receive(
        &mut self,
        rng: &mut ChaCha8Rng,
        now: u64,
        from: SocketAddr,
        bytes: &mut [u8],
    ) -> Lawful {
        let mut cx = Cx::new(self.clock.local(now), rng);
        let mut input = Datagram::new(from, bytes);
        for _ in 0..MAX_EVENTS {
            let (mut told, chunks, show) = (None, &mut self.chunks, &self.show);
            let note = |heard: Heard<'_>| told = tell(heard, show, chunks);
            if !self.session.read(&mut cx, &mut input, note)? {
                law(input.is_empty(), || {
                    format!("handle_datagram left {} bytes", input.len())
                })?;
                return self.events(rng, now);
            }
            self.note(told)?;
        }
        Err(Violation(format!("one datagram, {MAX_EVENTS} events")))
    }

    /// The moment of [`deadline`](Self::deadline) has come.
    pub fn timeout(&mut self, rng: &mut ChaCha8Rng, now: u64) -> Lawful {
        let (session, mut cx) = (&mut self.session, Cx::new(self.clock.local(now), rng));
        frugal("handle_timeout", || session.tick(&mut cx))?;
        self.events(rng, now)
    }

    fn events(&mut self, rng: &mut ChaCha8Rng, now: u64) -> Lawful {
        let mut cx = Cx::new(self.clock.local(now), rng);
        for _ in 0..MAX_EVENTS {
            let (mut told, chunks, show) = (None, &mut self.chunks, &self.show);
            let note = |heard: Heard<'_>| told = tell(heard, show, chunks);
            if !self.session.poll(&mut cx, note)? {
                return Ok(());
            }
            self.note(told)?;
        }
        Err(Violation(format!(
            "poll_event gave {MAX_EVENTS} events and did not stop"
        )))
    }

    fn note(&mut self, told: Option<Told>) -> Lawful {
        law(self.closed.is_none(), || format!("{told:?} after Closed"))?;
        if let Some(Told::Closed(cause)) = told {
            self.closed = Some(cause);
        }
        self.inbox.extend(told);
        Ok(())
    }

    /// Takes what the session has to send and hands it to `each`; answers with how many there were.
    pub fn transmit(
        &mut self,
        rng: &mut ChaCha8Rng,
        now: u64,
        mut each: impl FnMut(Why, SocketAddr, &[u8]),
    ) -> Lawful<usize> {
        let mut memory = [0; 1500];
        for sent in 0..MAX_BURST {
            let before = self.session.repairs();
            let session = &mut self.session;
            let (mut cx, buf) = (Cx::new(self.clock.local(now), rng), &mut memory);
            let out = frugal("poll_transmit", move || session.fill(&mut cx, buf))?;
            let Some(Transmit { to, datagram }) = out else {
                self.events(rng, now)?;
                return Ok(sent);
            };
            let after = self.session.repairs();
            let why = if after.0 != before.0 {
                Why::Copy
            } else if after.1 != before.1 {
                Why::Request
            } else {
                Why::Any
            };
            each(why, to, datagram);
        }
        Err(Violation(format!(
            "{MAX_BURST} datagrams in reply to one input"
        )))
    }

    /// When it wants to be called, on the world's clock.
    pub fn deadline(&self) -> Option<u64> {
        self.session.wake().map(|at| self.clock.world(at))
    }
}

impl Viewer<'_> {
    /// Begins the next session in the same memory.
    pub fn restart(&mut self, config: &ClientConfig<'_>, rng: &mut ChaCha8Rng, now: u64) -> Lawful {
        let (session, mut cx) = (&mut self.session, Cx::new(self.clock.local(now), rng));
        frugal("restart", || session.restart(config, &mut cx))?;
        self.closed = None;
        Ok(())
    }

    /// Calls something else of the client's.
    pub fn with<T>(
        &mut self,
        rng: &mut ChaCha8Rng,
        now: u64,
        call: impl FnOnce(&mut Client<'_>, &mut Cx<'_>) -> T,
    ) -> Lawful<T> {
        let (session, mut cx) = (&mut self.session, Cx::new(self.clock.local(now), rng));
        frugal("a call of the client's", || call(session, &mut cx))
    }
}

impl Cam<'_> {
    /// Begins to send a frame, of which `data` are the bytes; `None` when the viewer does not want it.
    pub fn start<'f>(&mut self, now: u64, id: Id, data: &'f [u8]) -> Lawful<Option<Outgoing<'f>>> {
        let micros = self.clock.local(now).as_micros();
        let frame = self.show.frame(id, micros, data);
        let session = &mut self.session;
        frugal("start_frame", move || session.start_frame(&frame).ok())
    }

    /// Hands the next datagram of a frame to `each`; `false` when there was none.
    pub fn packet(
        &mut self,
        rng: &mut ChaCha8Rng,
        now: u64,
        out: &mut Outgoing<'_>,
        each: impl FnOnce(SocketAddr, &[u8]),
    ) -> Lawful<bool> {
        let mut memory = [0; 1500];
        let (session, local) = (&mut self.session, self.clock.local(now));
        let (mut cx, buf) = (Cx::new(local, rng), &mut memory);
        let packet = frugal("poll_frame", move || session.poll_frame(&mut cx, out, buf))?;
        let any = packet.is_some();
        if let Some(Transmit { to, datagram }) = packet {
            each(to, datagram);
        }
        Ok(any)
    }

    /// Whether the viewer wants frames of this kind.
    pub fn wants(&self, kind: Kind) -> bool {
        match kind {
            Kind::Video => self.session.wants(Stream::Video),
            Kind::Audio => self.session.wants(Stream::Audio),
            Kind::Talk => false,
        }
    }

    /// Makes it ready for the next viewer.
    pub fn reset(&mut self, rng: &mut ChaCha8Rng, now: u64) -> Lawful {
        let (session, mut cx) = (&mut self.session, Cx::new(self.clock.local(now), rng));
        frugal("reset", || session.reset(&mut cx))?;
        self.closed = None;
        Ok(())
    }
}

fn tell(heard: Heard<'_>, show: &Show, chunks: &mut [Chunks; 2]) -> Option<Told> {
    Some(match heard {
        Heard::Client(Event::Phase(phase)) => Told::Phase(phase),
        Heard::Client(Event::Authenticated(_)) | Heard::Camera(CameraEvent::Authenticated) => {
            Told::Authenticated
        }
        Heard::Client(Event::Video(frame)) => Told::Frame(Kind::Video, show.identify(frame.data)),
        Heard::Client(Event::Audio(frame)) => Told::Frame(Kind::Audio, show.identify(frame.data)),
        Heard::Client(Event::Chunk(chunk)) => {
            let (kind, part) = match (chunk.stream, chunks) {
                (Stream::Video, [video, _]) => (Kind::Video, video),
                (Stream::Audio, [_, audio]) => (Kind::Audio, audio),
            };
            if chunk.offset == 0 {
                part.frame = chunk.frame;
                part.bytes.clear();
            }
            let follows = part.frame == chunk.frame && part.bytes.len() == chunk.offset as usize;
            if !follows {
                return Some(Told::Frame(kind, None));
            }
            part.bytes.extend_from_slice(chunk.bytes);
            if !chunk.last {
                return None;
            }
            Told::Frame(kind, show.identify(&part.bytes))
        }
        Heard::Client(Event::Dropped { stream, .. }) => Told::Dropped(stream),
        Heard::Client(Event::Stalled { .. }) => Told::Stalled,
        Heard::Client(Event::Reply { id, payload, .. }) => Told::Reply(id, payload.to_vec()),
        Heard::Client(Event::Message { code, .. }) => Told::Message(code),
        Heard::Client(Event::NoReply { id, .. }) => Told::NoReply(id),
        Heard::Client(Event::TalkReady) => Told::TalkReady,
        Heard::Client(Event::TalkClosed(end)) | Heard::Camera(CameraEvent::TalkClosed(end)) => {
            Told::TalkClosed(end)
        }
        Heard::Client(Event::Closed(cause)) | Heard::Camera(CameraEvent::Closed(cause)) => {
            Told::Closed(cause)
        }
        Heard::Camera(CameraEvent::Command { code, payload }) => {
            Told::Command(code, payload.to_vec())
        }
        Heard::Camera(CameraEvent::Audio(frame)) => {
            Told::Frame(Kind::Talk, show.identify(frame.data))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
