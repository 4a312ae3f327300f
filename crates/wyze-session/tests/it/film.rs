//! A viewer that goes on after the end of a session, and a camera with an endless film, for tests that last.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World, reaches};
use wyze_session::{
    Camera, CameraConfig, CameraEvent, CameraState, Cause, Client, ClientConfig, Cx, Datagram, Enr,
    Event, Instant, LAN_PORT, Mac, OutFrame, Outgoing, Reconnect, Stream, TalkEnd, Transmit,
};

use crate::common::{APP, DEVICE, Heard, Queue, Room, addr, enr, info, mac, put, uid};

pub(crate) const BROADCAST: &str = "255.255.255.255:32761";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SILENCE: Faults = Faults {
    loss: 100,
    ..Faults::NONE
};

/// What a viewer was told, over all its sessions.
#[derive(Default)]
pub(crate) struct Told {
    /// What frames say is in them, in the order of their arrival, and when they came.
    pub(crate) frames: Vec<(u64, Instant)>,
    pub(crate) audio: Vec<u64>,
    pub(crate) let_in: usize,
    pub(crate) stalls: Vec<(Stream, Duration)>,
    /// Talks that became ready, and how talks ended.
    pub(crate) talks: usize,
    pub(crate) talk_ends: Vec<TalkEnd>,
    /// Replies, missing replies and messages that the application has seen.
    pub(crate) answers: usize,
    pub(crate) ends: Vec<Cause>,
}

impl Told {
    fn note(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Authenticated(_) => self.let_in += 1,
            Event::Video(frame) => self.frames.push((content(frame.data), now)),
            Event::Audio(frame) => self.audio.push(content(frame.data)),
            Event::Stalled { stream, silence } => self.stalls.push((stream, silence)),
            Event::Reply { .. } | Event::NoReply { .. } | Event::Message { .. } => {
                self.answers += 1;
            }
            Event::TalkReady => self.talks += 1,
            Event::TalkClosed(end) => self.talk_ends.push(end),
            Event::Closed(cause) => self.ends.push(cause),
            _ => {}
        }
    }
}

/// A viewer that goes on after the end of a session.
pub(crate) struct Viewer<'m> {
    pub(crate) client: Client<'m>,
    pub(crate) config: ClientConfig<'m>,
    pub(crate) addr: SocketAddr,
    pub(crate) reconnect: Reconnect,
    /// When the next session begins, between two.
    pub(crate) wake: Option<Instant>,
    pub(crate) told: Told,
    /// How long each wait between two sessions was.
    pub(crate) waits: Vec<Duration>,
    pub(crate) wakeups: usize,
}

impl<'m> Viewer<'m> {
    pub(crate) fn new(config: ClientConfig<'m>, room: &'m mut Room, cx: &mut Cx<'_>) -> Self {
        Self {
            client: Client::new(&config, room.storage(), cx),
            config,
            addr: addr(APP),
            reconnect: Reconnect::new(),
            wake: None,
            told: Told::default(),
            waits: Vec::new(),
            wakeups: 0,
        }
    }

    pub(crate) fn last_frame(&self) -> Instant {
        self.told.frames.last().map_or(Instant::ZERO, |(_, at)| *at)
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        let ends = self.told.ends.len();
        while let Some(event) = self.client.poll_event(cx) {
            self.told.note(cx.now, event);
        }
        if let Some(cause) = self.told.ends.get(ends) {
            let healthy = self.client.healthy(cx.now);
            self.wake = self.reconnect.after(*cause, healthy, cx);
            self.waits.extend(self.wake.map(|at| at - cx.now));
        }
    }
}

impl Node for Viewer<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.client.handle_datagram(cx, &mut input) {
            self.told.note(cx.now, event);
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.wakeups += 1;
        if self.wake.is_some_and(|at| at <= cx.now) {
            self.wake = None;
            self.client.restart(&self.config, cx);
        }
        self.client.handle_timeout(cx);
        self.drain_events(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        match self.client.poll_transmit(cx, buf) {
            Some(Transmit { to, datagram }) => Some((to, datagram)),
            None => {
                self.drain_events(cx);
                None
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.wake.or_else(|| self.client.poll_timeout())
    }
}

/// What becomes of a camera that sends no media for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mute {
    No,
    /// K10010 helps.
    UntilAsked,
    /// Only a new session helps.
    UntilClosed,
}

/// A camera with one slot and an endless film. A frame says which it is.
pub(crate) struct Film<'m> {
    pub(crate) camera: Camera<'m>,
    pub(crate) addr: SocketAddr,
    pub(crate) every: Duration,
    pub(crate) picture: Picture,
    /// The viewer has got a key frame to begin with.
    keyed: bool,
    /// The frame that comes next, seen or not.
    pub(crate) next: u64,
    pub(crate) next_at: Instant,
    pub(crate) mute: Mute,
    /// It is off until then.
    pub(crate) booting: Option<Instant>,
    pub(crate) state: CameraState,
    pub(crate) queue: Queue,
    /// What was sent, and when.
    pub(crate) sent: Vec<(u64, Instant)>,
    pub(crate) sent_audio: Vec<(u64, Instant)>,
    pub(crate) heard: Heard,
    /// K-commands that came, K10010 aside, and what that left switched on.
    pub(crate) commands: Vec<u16>,
    pub(crate) wanted: Vec<(bool, bool)>,
    pub(crate) ends: Vec<Cause>,
}

/// How large pictures are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// Every one a key frame, in one datagram.
    Small,
    /// As of a camera: each fortieth a key frame of 20 datagrams, the others of one to three.
    Real,
}

impl Picture {
    fn is_key(self, index: u64) -> bool {
        self == Self::Small || index.is_multiple_of(40)
    }

    fn len(self, index: u64, key: bool) -> usize {
        match (self, key) {
            (Self::Small, _) => 60,
            (Self::Real, true) => 20_000,
            (Self::Real, false) => 800 + (index % 17) as usize * 100,
        }
    }
}

/// A frame that says which it is.
fn frame(index: u64, len: usize) -> Vec<u8> {
    let mut data: Vec<u8> = (0..len).map(|i| (i * 7) as u8 ^ index as u8).collect();
    data[..8].copy_from_slice(&index.to_le_bytes());
    data
}

/// Which frame it is; every byte of it must be right.
fn content(data: &[u8]) -> u64 {
    let index = u64::from_le_bytes(data[..8].try_into().unwrap());
    assert_eq!(data, frame(index, data.len()));
    index
}

impl<'m> Film<'m> {
    fn new(
        config: &CameraConfig<'_>,
        room: &'m mut Room,
        every: Duration,
        cx: &mut Cx<'_>,
    ) -> Self {
        Self {
            camera: Camera::new(config, room.storage(), cx),
            addr: addr(DEVICE),
            every,
            picture: Picture::Small,
            keyed: false,
            next: 0,
            next_at: Instant::ZERO,
            mute: Mute::No,
            booting: None,
            state: CameraState::new(),
            queue: Queue::new(),
            sent: Vec::new(),
            sent_audio: Vec::new(),
            heard: Heard::default(),
            commands: Vec::new(),
            wanted: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Loses power, comes back at `at`, where it finds itself at another address.
    pub(crate) fn reboot(&mut self, at: Instant, address: SocketAddr, cx: &mut Cx<'_>) {
        self.camera.reset(cx);
        self.keyed = false;
        self.queue.clear();
        self.booting = Some(at);
        self.mute = Mute::No;
        self.addr = address;
    }

    fn is_off(&self, now: Instant) -> bool {
        self.booting.is_some_and(|at| at > now)
    }

    fn play(&mut self, cx: &mut Cx<'_>) {
        while self.next_at <= cx.now {
            let index = self.next;
            let due = self.next_at;
            self.next += 1;
            self.next_at += self.every;
            if due < cx.now || self.mute != Mute::No {
                continue; // nobody watched
            }
            for stream in [Stream::Video, Stream::Audio] {
                self.send(cx, stream, index);
            }
        }
    }

    fn send(&mut self, cx: &mut Cx<'_>, stream: Stream, index: u64) {
        let key = stream == Stream::Video && (self.picture.is_key(index) || !self.keyed);
        let data = match stream {
            Stream::Video => frame(index, self.picture.len(index, key)),
            Stream::Audio => frame(index, 160),
        };
        let frame = OutFrame {
            stream,
            key,
            info: info(stream, cx.now),
            data: &data,
        };
        let Ok(mut out): Result<Outgoing<'_>, _> = self.camera.start_frame(&frame) else {
            return;
        };
        self.keyed |= key;
        let mut buf = [0u8; 1500];
        while let Some(t) = self.camera.poll_frame(cx, &mut out, &mut buf) {
            self.queue.push_back((t.to, t.datagram.to_vec()));
        }
        match stream {
            Stream::Video => self.sent.push((index, cx.now)),
            Stream::Audio => self.sent_audio.push((index, cx.now)),
        }
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        let mut closed = false;
        while let Some(event) = self.camera.poll_event(cx) {
            match event {
                CameraEvent::Closed(cause) => {
                    self.ends.push(cause);
                    closed = true;
                }
                event => self.heard.note(event),
            }
        }
        if closed {
            self.mute = Mute::No;
            self.keyed = false;
            self.camera.reset(cx);
        }
    }
}

impl Node for Film<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Searches come to the LAN port, whatever port the sessions are at.
    fn hears(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let search = SocketAddr::new(self.addr.ip(), LAN_PORT);
        reaches(from, to, self.addr) || reaches(from, to, search)
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        if self.is_off(cx.now) {
            return;
        }
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.camera.handle_datagram(cx, &mut input) {
            match event {
                CameraEvent::Command { code, payload } => {
                    self.commands.push(code.0);
                    self.camera.answer(&mut self.state, code, payload);
                }
                CameraEvent::Wanted { video, audio } => {
                    self.wanted.push((video, audio));
                    if self.mute == Mute::UntilAsked {
                        self.mute = Mute::No;
                    }
                }
                event => self.heard.note(event),
            }
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        if self.is_off(cx.now) {
            return;
        }
        self.booting = None;
        self.camera.handle_timeout(cx);
        self.play(cx);
        self.drain_events(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        if self.is_off(cx.now) {
            return None;
        }
        if let Some((to, datagram)) = self.queue.pop_front() {
            return Some((to, put(buf, &datagram)));
        }
        match self.camera.poll_transmit(cx, buf) {
            Some(Transmit { to, datagram }) => Some((to, datagram)),
            None => {
                self.drain_events(cx);
                None
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.booting.is_some() {
            return self.booting;
        }
        let film = [Stream::Video, Stream::Audio]
            .into_iter()
            .any(|s| self.camera.wants(s))
            .then_some(self.next_at);
        [self.camera.poll_timeout(), film]
            .into_iter()
            .flatten()
            .min()
    }
}

/// World, viewer and camera.
pub(crate) struct Stage<'m> {
    pub(crate) world: World,
    pub(crate) viewer: Viewer<'m>,
    pub(crate) film: Film<'m>,
    /// When frames may get lost.
    pub(crate) excused: Vec<(Instant, Instant)>,
}

pub(crate) struct Rooms {
    pub(crate) enr: Enr,
    pub(crate) mac: Mac,
    pub(crate) targets: [SocketAddr; 2],
    pub(crate) rooms: [Room; 2],
}

impl Rooms {
    pub(crate) fn new() -> Self {
        Self {
            enr: enr("sim-enr-16byte!!"),
            mac: mac(),
            targets: [addr(DEVICE), addr(BROADCAST)],
            rooms: [Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14)],
        }
    }

    pub(crate) fn stage(
        &mut self,
        seed: u64,
        every: Duration,
        change: impl FnOnce(&mut ClientConfig<'_>),
    ) -> Stage<'_> {
        self.stage_with(seed, every, change, |_| {})
    }

    pub(crate) fn stage_with(
        &mut self,
        seed: u64,
        every: Duration,
        change: impl FnOnce(&mut ClientConfig<'_>),
        camera: impl FnOnce(&mut CameraConfig<'_>),
    ) -> Stage<'_> {
        let mut world = World::new(seed, Net::new(seed, Faults::NONE));
        let [room1, room2] = &mut self.rooms;
        let mut config = ClientConfig::new(uid(), &self.enr, &self.mac, &self.targets);
        config.audio = false;
        config.resend = false;
        change(&mut config);
        let cx = &mut Cx::new(world.now, &mut world.rng);
        let viewer = Viewer::new(config, room1, cx);
        let mut config = CameraConfig::new(uid(), &self.enr, &self.mac);
        camera(&mut config);
        let film = Film::new(&config, room2, every, cx);
        Stage {
            world,
            viewer,
            film,
            excused: Vec::new(),
        }
    }
}

impl Stage<'_> {
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.world.now + time;
        self.world
            .run_until(end, &mut [&mut self.viewer, &mut self.film]);
        for node in [&self.viewer as &dyn Node, &self.film] {
            let deadline = node.deadline();
            assert!(
                deadline.is_none_or(|at| at >= end),
                "{}: a timer in the past: {deadline:?} at {end:?}",
                node.addr()
            );
        }
    }

    pub(crate) fn run_until_let_in(&mut self, times: usize) {
        while self.viewer.told.let_in < times {
            assert!(self.world.step(&mut [&mut self.viewer, &mut self.film]));
        }
    }

    /// Frames may be lost from now for `time`.
    pub(crate) fn excuse(&mut self, time: Duration) {
        // One that is under way at this moment belongs to it.
        let start = Instant::from_micros(self.world.now.as_micros().saturating_sub(1000));
        self.excused.push((start, self.world.now + time));
    }

    pub(crate) fn outage(&mut self, time: Duration) {
        self.excuse(time);
        self.world.net.set_faults(SILENCE);
        self.run(time);
        self.world.net.set_faults(Faults::NONE);
    }

    /// Every frame came once and in order, or was sent while frames may get lost.
    pub(crate) fn assert_every_frame_is_accounted_for(&self) {
        let video = self.viewer.told.frames.iter().map(|(index, _)| *index);
        self.assert_accounted_for("picture", video, &self.film.sent);
        if !self.film.sent_audio.is_empty() {
            let audio = self.viewer.told.audio.iter().copied();
            self.assert_accounted_for("sound", audio, &self.film.sent_audio);
        }
    }

    fn assert_accounted_for(
        &self,
        what: &str,
        came: impl Iterator<Item = u64>,
        sent: &[(u64, Instant)],
    ) {
        let mut came = came.peekable();
        for (index, at) in sent {
            if came.next_if_eq(index).is_none() {
                let under_way = self.world.now - *at <= Duration::from_millis(1);
                let mut excused = self.excused.iter();
                let excused = under_way || excused.any(|(from, to)| from <= at && at <= to);
                assert!(excused, "{what} {index}, sent at {at:?}, is lost");
            }
        }
        assert_eq!(
            came.next(),
            None,
            "{what}: repeated, invented or out of order"
        );
    }
}
