//! A camera with an endless film, and a stage for it and a viewer: for tests that last.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World, reaches};
use wyze_session::kauth::command::{Decode, FrameSize, Request, SetResolvingBit};
use wyze_session::{
    Camera, CameraConfig, CameraEvent, CameraState, Cause, ClientConfig, Cx, Datagram, Enr,
    FrameInfo, Instant, LAN_PORT, Mac, OutFrame, Outgoing, Stream, Transmit,
};

use crate::common::{DEVICE, Heard, Queue, Room, addr, enr, info, mac, put, uid};
use crate::over::Over;
use crate::viewer::Viewer;

pub(crate) const BROADCAST: &str = "255.255.255.255:32761";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SILENCE: Faults = Faults {
    loss: 100,
    ..Faults::NONE
};

/// What becomes of a camera that sends no media for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mute {
    No,
    /// K10010 helps.
    UntilAsked,
    /// Only a new session helps.
    UntilClosed,
}

/// A camera with one slot and an endless film, in each size that K10056 can ask for: other frames, which a viewer tells
/// apart. Each viewer begins with the largest.
pub(crate) struct Film<'m> {
    pub(crate) camera: Camera<'m>,
    pub(crate) addr: SocketAddr,
    pub(crate) every: Duration,
    pub(crate) picture: Picture,
    /// As FRAMEINFO says it.
    size: u8,
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

    fn len(self, index: u64, key: bool, size: u8) -> usize {
        let len = match (self, key) {
            (Self::Small, _) => 60,
            (Self::Real, true) => 20_000,
            (Self::Real, false) => 800 + (index % 17) as usize * 100,
        };
        if size == LARGEST { len } else { len / 4 }
    }
}

/// What a viewer gets who has not asked for another.
const LARGEST: u8 = 0;

/// Name of a frame: which of the film, and in which size.
fn name(index: u64, size: u8) -> u64 {
    index | u64::from(size) << 56
}

/// The size of the frame of this name.
pub(crate) fn size_of(name: u64) -> u8 {
    (name >> 56) as u8
}

/// A frame that says its name.
fn frame(name: u64, len: usize) -> Vec<u8> {
    let salt = name as u8 ^ size_of(name);
    let mut data: Vec<u8> = (0..len).map(|i| (i * 7) as u8 ^ salt).collect();
    data[..8].copy_from_slice(&name.to_le_bytes());
    data
}

/// The name of a frame; every byte of it must be right.
pub(crate) fn content(data: &[u8]) -> u64 {
    let name = u64::from_le_bytes(data[..8].try_into().unwrap());
    assert_eq!(data, frame(name, data.len()));
    name
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
            size: LARGEST,
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
        self.next_viewer();
        self.queue.clear();
        self.booting = Some(at);
        self.addr = address;
    }

    fn next_viewer(&mut self) {
        self.mute = Mute::No;
        self.size = LARGEST;
        self.keyed = false;
    }

    /// From now on in another size.
    fn show(&mut self, size: FrameSize) {
        let size = size.frame_size().unwrap_or(self.size);
        self.keyed &= size == self.size;
        self.size = size;
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
        let (name, len) = match stream {
            Stream::Video => {
                let len = self.picture.len(index, key, self.size);
                (name(index, self.size), len)
            }
            Stream::Audio => (index, 160),
        };
        let data = frame(name, len);
        let info = info(stream, cx.now);
        let frame = OutFrame {
            stream,
            key,
            info: FrameInfo {
                frame_size: size_of(name),
                ..info
            },
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
            Stream::Video => self.sent.push((name, cx.now)),
            Stream::Audio => self.sent_audio.push((name, cx.now)),
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
            self.next_viewer();
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
                    if code == SetResolvingBit::CODE {
                        self.show(SetResolvingBit::decode(payload).unwrap().size);
                    }
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
        over: Over,
        seed: u64,
        every: Duration,
        change: impl FnOnce(&mut ClientConfig<'_>),
    ) -> Stage<'_> {
        self.stage_with(over, seed, every, change, |_| {})
    }

    pub(crate) fn stage_with(
        &mut self,
        over: Over,
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
        over.apply(&mut config);
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

    /// All pictures that came later than a second after `since` are of this size, and some did.
    pub(crate) fn assert_sees(&self, size: FrameSize, since: Instant) {
        let frames = self.viewer.told.frames.iter();
        let mut later = frames.filter(|(_, at)| *at > since + SECOND).peekable();
        assert!(later.peek().is_some(), "no picture since {since:?}");
        for (name, at) in later {
            assert_eq!(Some(size_of(*name)), size.frame_size(), "at {at:?}");
        }
    }

    /// Every frame came once and in order, or was sent while frames may get lost.
    pub(crate) fn assert_every_frame_is_accounted_for(&self) {
        let video = self.viewer.told.frames.iter().map(|(name, _)| *name);
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
        for (name, at) in sent {
            if came.next_if_eq(name).is_none() {
                let under_way = self.world.now - *at <= Duration::from_millis(1);
                let mut excused = self.excused.iter();
                let excused = under_way || excused.any(|(from, to)| from <= at && at <= to);
                assert!(excused, "{what} {name:x}, sent at {at:?}, is lost");
            }
        }
        assert_eq!(
            came.next(),
            None,
            "{what}: repeated, invented or out of order"
        );
    }
}
