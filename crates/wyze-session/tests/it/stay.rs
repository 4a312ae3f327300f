//! Staying connected: alives, media that stall, reboots, changed addresses and ports, outages, over virtual hours.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::kauth::command::Media;
use wyze_session::kauth::models::Quality;
use wyze_session::{
    Camera, CameraConfig, CameraEvent, CameraState, Cause, Client, ClientConfig, Cx, Datagram, Enr,
    Event, Generation, Instant, Mac, OutFrame, Outgoing, Reconnect, StallConfig, Stream, Transmit,
};

use crate::common::{APP, DEVICE, Room, addr, enr, info, mac, uid};

const BROADCAST: &str = "255.255.255.255:32761";
const SECOND: Duration = Duration::from_secs(1);
const SILENCE: Faults = Faults {
    loss: 100,
    ..Faults::NONE
};

/// What a viewer was told, over all its sessions.
#[derive(Default)]
struct Told {
    /// What frames say is in them, in the order of their arrival, and when they came.
    frames: Vec<(u64, Instant)>,
    audio: usize,
    let_in: usize,
    stalls: Vec<(Stream, Duration)>,
    /// Replies, missing replies and messages that the application has seen.
    answers: usize,
    ends: Vec<Cause>,
}

impl Told {
    fn note(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Authenticated(_) => self.let_in += 1,
            Event::Video(frame) => self.frames.push((content(frame.data), now)),
            Event::Audio(_) => self.audio += 1,
            Event::Stalled { stream, silence } => self.stalls.push((stream, silence)),
            Event::Reply { .. } | Event::NoReply { .. } | Event::Message { .. } => {
                self.answers += 1;
            }
            Event::Closed(cause) => self.ends.push(cause),
            _ => {}
        }
    }
}

/// A viewer that goes on after the end of a session.
struct Viewer<'m> {
    client: Client<'m>,
    config: ClientConfig<'m>,
    addr: SocketAddr,
    reconnect: Reconnect,
    /// When the next session begins, between two.
    wake: Option<Instant>,
    told: Told,
    /// How long each wait between two sessions was.
    waits: Vec<Duration>,
    wakeups: usize,
}

impl<'m> Viewer<'m> {
    fn new(config: ClientConfig<'m>, room: &'m mut Room, cx: &mut Cx<'_>) -> Self {
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

    fn last_frame(&self) -> Instant {
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
enum Mute {
    No,
    /// K10010 helps.
    UntilAsked,
    /// Only a new session helps.
    UntilClosed,
}

/// A camera with one slot and an endless film. A frame says which it is.
struct Film<'m> {
    camera: Camera<'m>,
    addr: SocketAddr,
    every: Duration,
    /// The frame that comes next, seen or not.
    next: u64,
    next_at: Instant,
    mute: Mute,
    /// It is off until then.
    booting: Option<Instant>,
    state: CameraState,
    queue: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What was sent, and when.
    sent: Vec<(u64, Instant)>,
    /// K-commands that came, K10010 aside, and what that left switched on.
    commands: Vec<u16>,
    wanted: Vec<(bool, bool)>,
    ends: Vec<Cause>,
}

fn content(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[..8].try_into().unwrap())
}

impl<'m> Film<'m> {
    fn new(enr: &Enr, mac: &Mac, room: &'m mut Room, every: Duration, cx: &mut Cx<'_>) -> Self {
        Self {
            camera: Camera::new(&CameraConfig::new(uid(), enr, mac), room.storage(), cx),
            addr: addr(DEVICE),
            every,
            next: 0,
            next_at: Instant::ZERO,
            mute: Mute::No,
            booting: None,
            state: CameraState::new(),
            queue: VecDeque::new(),
            sent: Vec::new(),
            commands: Vec::new(),
            wanted: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Loses power, comes back at `at`, where it finds itself at another address.
    fn reboot(&mut self, at: Instant, address: SocketAddr, cx: &mut Cx<'_>) {
        self.camera.reset(cx);
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
        let mut data = [0x5a; 60];
        data[..8].copy_from_slice(&index.to_le_bytes());
        let frame = OutFrame {
            stream,
            key: true,
            info: info(stream, cx.now),
            data: &data,
        };
        let Ok(mut out): Result<Outgoing<'_>, _> = self.camera.start_frame(&frame) else {
            return;
        };
        let mut buf = [0u8; 1500];
        while let Some(t) = self.camera.poll_frame(cx, &mut out, &mut buf) {
            self.queue.push_back((t.to, t.datagram.to_vec()));
        }
        if stream == Stream::Video {
            self.sent.push((index, cx.now));
        }
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        let mut closed = false;
        while let Some(event) = self.camera.poll_event(cx) {
            if let CameraEvent::Closed(cause) = event {
                self.ends.push(cause);
                closed = true;
            }
        }
        if closed {
            self.mute = Mute::No;
            self.camera.reset(cx);
        }
    }
}

impl Node for Film<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
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
                _ => {}
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
            let room = &mut buf[..datagram.len()];
            room.copy_from_slice(&datagram);
            return Some((to, room));
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
struct Stage<'m> {
    world: World,
    viewer: Viewer<'m>,
    film: Film<'m>,
    /// When frames may get lost.
    excused: Vec<(Instant, Instant)>,
}

struct Rooms {
    enr: Enr,
    mac: Mac,
    targets: [SocketAddr; 2],
    rooms: [Room; 2],
}

impl Rooms {
    fn new() -> Self {
        Self {
            enr: enr("sim-enr-16byte!!"),
            mac: mac(),
            targets: [addr(DEVICE), addr(BROADCAST)],
            rooms: [Room::new(1 << 14, 1 << 12), Room::new(0, 0)],
        }
    }

    fn stage(
        &mut self,
        seed: u64,
        every: Duration,
        change: impl FnOnce(&mut ClientConfig<'_>),
    ) -> Stage<'_> {
        let mut world = World::new(seed, Net::new(seed, Faults::NONE));
        let [room1, room2] = &mut self.rooms;
        let mut config = ClientConfig::new(uid(), &self.enr, &self.mac, &self.targets);
        config.audio = false;
        config.resend = false;
        change(&mut config);
        let cx = &mut Cx::new(world.now, &mut world.rng);
        let viewer = Viewer::new(config, room1, cx);
        let film = Film::new(&self.enr, &self.mac, room2, every, cx);
        Stage {
            world,
            viewer,
            film,
            excused: Vec::new(),
        }
    }
}

impl Stage<'_> {
    fn run(&mut self, time: Duration) {
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

    fn run_until_let_in(&mut self, times: usize) {
        while self.viewer.told.let_in < times {
            assert!(self.world.step(&mut [&mut self.viewer, &mut self.film]));
        }
    }

    /// Frames may be lost from now for `time`.
    fn excuse(&mut self, time: Duration) {
        // One that is under way at this moment belongs to it.
        let start = Instant::from_micros(self.world.now.as_micros().saturating_sub(1000));
        self.excused.push((start, self.world.now + time));
    }

    fn outage(&mut self, time: Duration) {
        self.excuse(time);
        self.world.net.set_faults(SILENCE);
        self.run(time);
        self.world.net.set_faults(Faults::NONE);
    }

    /// Every frame came once and in order, or was sent while frames may get lost.
    fn assert_every_frame_is_accounted_for(&self) {
        let mut came = self
            .viewer
            .told
            .frames
            .iter()
            .map(|(index, _)| *index)
            .peekable();
        for (index, at) in &self.film.sent {
            if came.next_if_eq(index).is_none() {
                let under_way = self.world.now - *at <= Duration::from_millis(1);
                let mut excused = self.excused.iter();
                let excused = under_way || excused.any(|(from, to)| from <= at && at <= to);
                assert!(excused, "frame {index}, sent at {at:?}, is lost");
            }
        }
        assert_eq!(came.next(), None, "repeated, invented or out of order");
    }
}

#[test]
fn a_day_with_every_trouble_in_every_hour_loses_only_what_was_sent_into_the_void() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(24, 2 * SECOND, |_| {});
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for hour in 0..24u8 {
        let (from, sent, ends) = (
            stage.world.now,
            stage.film.sent.len(),
            stage.viewer.told.ends.len(),
        );
        stage.viewer.wakeups = 0;
        stage.run(minutes(10));
        let sent = stage.film.sent.len() - sent;
        assert!((299..=301).contains(&sent), "{sent} in hour {hour}");
        // Media stop, and alives go on.
        let asked = stage.viewer.told.stalls.len();
        stage.film.mute = if hour % 2 == 0 {
            Mute::UntilAsked
        } else {
            Mute::UntilClosed
        };
        stage.run(minutes(10));
        assert_eq!(stage.viewer.told.stalls.len() - asked, 1);
        // The camera has another port from one datagram to the next.
        stage.film.addr.set_port(32_762);
        stage.run(minutes(10));
        assert_eq!(stage.viewer.client.peer(), Some(stage.film.addr));
        // So has the viewer, as behind a router that has forgotten it.
        stage.viewer.addr.set_port(50_000 + u16::from(hour) + 1);
        stage.excuse(SECOND);
        stage.run(minutes(10));
        assert_eq!(stage.film.camera.peer(), Some(stage.viewer.addr));
        stage.outage(Duration::from_secs(30));
        stage.run(minutes(10));
        // It loses power, boots for 40 s, and gets another address.
        let address = SocketAddr::from(([192, 0, 2, 10 + hour], 32761));
        let back = stage.world.now + Duration::from_secs(40);
        stage.film.reboot(
            back,
            address,
            &mut Cx::new(stage.world.now, &mut stage.world.rng),
        );
        stage.excuse(Duration::ZERO);
        stage.run(minutes(60).saturating_sub(stage.world.now - from));
        assert_eq!(stage.viewer.client.peer(), Some(address));
        assert!(
            stage.world.now - stage.viewer.last_frame() <= 2 * SECOND,
            "{hour}"
        );
        let ends: Vec<_> = stage.viewer.told.ends.drain(ends..).collect();
        let stalled = ends.iter().filter(|c| **c == Cause::Stalled).count();
        let lost = ends.iter().filter(|c| **c == Cause::Lost).count();
        assert_eq!((stalled, lost), (usize::from(hour % 2), 2), "{ends:?}");
        // An acknowledgement every 100 ms is 36 000, and little else.
        assert!(stage.viewer.wakeups < 40_000, "{}", stage.viewer.wakeups);
    }
    stage.assert_every_frame_is_accounted_for();
    let (came, sent) = (stage.viewer.told.frames.len(), stage.film.sent.len());
    assert!(sent > 40_000 && sent - came < 24 * 8, "{came} of {sent}");
    assert_eq!(
        stage.viewer.told.answers, 0,
        "requests of its own are its own"
    );
}

#[test]
fn a_night_without_the_camera_costs_little_and_ends_when_it_is_back() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(1, SECOND, |_| {});
    stage.run(60 * SECOND);
    let night = 8 * 3600 * SECOND;
    let (back, address) = (stage.world.now + night, addr("192.0.2.77:32761"));
    stage.film.reboot(
        back,
        address,
        &mut Cx::new(stage.world.now, &mut stage.world.rng),
    );
    stage.excuse(Duration::ZERO);
    stage.viewer.wakeups = 0;
    let sent = stage.world.net.counts().sent;
    stage.run(night);
    let per_hour = stage.viewer.wakeups / 8;
    assert!(per_hour < 1200, "{per_hour} wake-ups an hour");
    let per_hour = (stage.world.net.counts().sent - sent) / 8;
    assert!(per_hour < 60 * 20 * 6, "{per_hour} datagrams an hour");
    let bounds = [1, 2, 4, 8, 16, 32]
        .into_iter()
        .chain(std::iter::repeat(60));
    for (wait, base) in stage.viewer.waits.iter().zip(bounds) {
        let base = base * SECOND;
        assert!(
            *wait >= base && *wait <= base + base / 8,
            "{wait:?} for {base:?}"
        );
    }
    assert!(
        stage.viewer.waits.len() > 400,
        "{}",
        stage.viewer.waits.len()
    );
    stage.run(80 * SECOND);
    assert_eq!(stage.viewer.client.peer(), Some(address));
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn media_that_stop_are_asked_for_once_more_with_their_quality_and_come() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(2, SECOND, |config| config.audio = true);
    stage.run_until_let_in(1);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    let client = &mut stage.viewer.client;
    client.set_quality(cx, Quality::Sd, None).unwrap();
    stage.run(20 * SECOND);
    assert_eq!(stage.film.commands, [10056]);
    stage.film.mute = Mute::UntilAsked;
    stage.run(60 * SECOND);
    let [(Stream::Video, silence)] = stage.viewer.told.stalls[..] else {
        panic!("{:?}", stage.viewer.told.stalls);
    };
    assert_eq!(silence, StallConfig::DEFAULT.ask);
    assert_eq!(stage.film.wanted, [(true, true)]);
    assert_eq!(stage.film.commands, [10056, 10056]);
    assert_eq!(stage.viewer.told.answers, 1, "the application's own");
    assert!(stage.viewer.told.ends.is_empty());
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn a_camera_that_answers_but_sends_no_media_is_left_after_eight_seconds_and_found_again() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(3, SECOND, |_| {});
    stage.run(20 * SECOND);
    stage.film.mute = Mute::UntilClosed;
    while stage.viewer.told.ends.is_empty() {
        assert!(stage.world.step(&mut [&mut stage.viewer, &mut stage.film]));
    }
    assert_eq!(stage.viewer.told.ends, [Cause::Stalled]);
    let silence = stage.world.now - stage.viewer.last_frame();
    assert_eq!(silence, StallConfig::DEFAULT.limit);
    stage.run(5 * SECOND);
    assert_eq!(stage.film.ends, [Cause::Peer], "it was told goodbye");
    assert_eq!(stage.viewer.told.let_in, 2);
    assert!(stage.world.now - stage.viewer.last_frame() <= SECOND);
}

#[test]
fn silence_is_lost_and_no_stall() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(4, SECOND, |_| {});
    stage.run(20 * SECOND);
    let before = stage.world.now;
    stage.outage(15 * SECOND);
    assert_eq!(stage.viewer.told.ends[0], Cause::Lost);
    assert_eq!(stage.film.ends, [Cause::Lost], "it has freed the slot");
    assert!(
        stage
            .viewer
            .wake
            .is_some_and(|at| at > before + 10 * SECOND)
            || stage.viewer.told.ends.len() == 1
    );
    // A shorter one ends nothing, though no media come for longer than a stall takes.
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(4, SECOND, |_| {});
    stage.run(20 * SECOND);
    stage.outage(Duration::from_millis(9_500));
    stage.run(20 * SECOND);
    assert!(
        stage.viewer.told.ends.is_empty(),
        "{:?}",
        stage.viewer.told.ends
    );
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn sound_counts_only_where_no_picture_is_wanted() {
    for video in [true, false] {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(5, SECOND, |config| {
            config.audio = true;
            config.video = video;
        });
        stage.run(20 * SECOND);
        assert!(stage.viewer.told.audio >= 18 && stage.viewer.told.stalls.is_empty());
        stage.film.mute = Mute::UntilAsked;
        stage.run(4 * SECOND);
        let stream = if video { Stream::Video } else { Stream::Audio };
        assert_eq!(stage.viewer.told.stalls, [(stream, 3 * SECOND)]);
    }
}

#[test]
fn a_day_without_media_is_kept_up_by_alives_of_both_sides() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(6, SECOND, |_| {});
    stage.run(20 * SECOND);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.viewer.client.enable(cx, Media::Video, false).unwrap();
    stage.run(24 * 3600 * SECOND);
    assert!(stage.viewer.told.ends.is_empty() && stage.film.ends.is_empty());
    assert!(stage.viewer.told.stalls.is_empty());
    assert!(stage.viewer.client.healthy(stage.world.now) > 24 * 3600 * SECOND);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.viewer.client.enable(cx, Media::Video, true).unwrap();
    stage.run(5 * SECOND);
    assert!(stage.world.now - stage.viewer.last_frame() <= SECOND);
}

#[test]
fn what_was_switched_on_and_asked_for_is_so_again_after_a_reboot() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(7, SECOND, |config| {
        config.video = false;
        config.resend = true;
    });
    stage.run_until_let_in(1);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    let client = &mut stage.viewer.client;
    client.enable(cx, Media::Video, true).unwrap();
    client.enable(cx, Media::Audio, true).unwrap();
    client.set_quality(cx, Quality::P360, None).unwrap();
    stage.run(20 * SECOND);
    let (back, place) = (stage.world.now + 15 * SECOND, stage.film.addr);
    stage.film.reboot(
        back,
        place,
        &mut Cx::new(stage.world.now, &mut stage.world.rng),
    );
    stage.excuse(Duration::ZERO);
    assert!(stage.viewer.client.is_lossless());
    stage.film.commands.clear();
    let audio = stage.viewer.told.audio;
    stage.run(60 * SECOND);
    assert_eq!(stage.viewer.told.let_in, 2);
    assert_eq!(stage.film.commands, [10056]);
    assert!(stage.viewer.client.is_lossless());
    stage.world.net.set_faults(Faults {
        loss: 5,
        ..Faults::NONE
    });
    stage.run(300 * SECOND);
    assert!(stage.viewer.client.stats().av.rx_repaired > 10);
    assert!(stage.film.camera.wants(Stream::Video) && stage.viewer.told.audio > audio + 20);
    assert_eq!(stage.viewer.told.answers, 3, "the application's own");
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn a_goodbye_frees_the_only_slot_at_once_and_a_vanished_viewer_frees_it_after_ten_seconds() {
    for goodbye in [true, false] {
        let mut rooms = Rooms::new();
        let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
        let mut room = Room::new(1 << 14, 1 << 12);
        let mut stage = rooms.stage(8, SECOND, |_| {});
        stage.run(20 * SECOND);
        let left = stage.world.now;
        if goodbye {
            stage.viewer.client.close();
            stage.run(Duration::from_millis(5));
            assert_eq!(stage.viewer.told.ends, [Cause::Local]);
            assert_eq!((stage.viewer.wake, stage.viewer.deadline()), (None, None));
        } else {
            stage.film.camera.peer().unwrap();
        }
        let config = ClientConfig::new(uid(), &enr, &mac, &targets);
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        let mut second = Viewer::new(config, &mut room, cx);
        second.addr = addr("192.0.2.3:40000");
        while second.told.let_in == 0 {
            assert!(stage.world.step(&mut [&mut second, &mut stage.film]));
        }
        let waited = stage.world.now - left;
        if goodbye {
            assert!(waited < Duration::from_millis(100), "{waited:?}");
        } else {
            assert!(waited > 9 * SECOND && waited < 20 * SECOND, "{waited:?}");
            assert_eq!(second.told.ends, [Cause::NoAnswer]);
        }
    }
}

#[test]
fn a_viewer_without_a_camera_that_takes_its_key_gives_up() {
    let mut rooms = Rooms::new();
    let other = enr("another-enr-16b!");
    let mut stage = rooms.stage(9, SECOND, |_| {});
    stage.viewer.config.enr = &other;
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    let mut room = Room::new(1 << 14, 1 << 12);
    stage.viewer = Viewer::new(stage.viewer.config, &mut room, cx);
    stage.run(300 * SECOND);
    assert_eq!(stage.viewer.told.ends, [Cause::WrongKey; 3]);
    assert_eq!(stage.viewer.deadline(), None);
}

#[test]
fn asking_again_waits_for_room_among_the_applications_requests() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(10, SECOND, |config| {
        config.stall = Some(StallConfig {
            ask: 3 * SECOND,
            limit: 60 * SECOND,
        });
    });
    stage.run(20 * SECOND);
    stage.film.mute = Mute::UntilAsked;
    stage.run(Duration::from_millis(2_500));
    // Four that are under way when the time comes, and a network that lets none of them be answered.
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    for _ in 0..4 {
        stage.viewer.client.enable(cx, Media::Rdt, true).unwrap();
    }
    stage.outage(Duration::from_millis(1_500));
    assert!(stage.viewer.told.stalls.is_empty());
    stage.run(10 * SECOND);
    assert_eq!(stage.viewer.told.stalls.len(), 1);
    assert!(stage.viewer.told.ends.is_empty());
}

#[test]
fn a_camera_that_spoke_dtls_is_not_spoken_to_without_it_after_a_reboot() {
    let mut rooms = Rooms::new();
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let mut stage = rooms.stage(11, SECOND, |_| {});
    stage.run(20 * SECOND);
    // Somebody with its UID and an older firmware is at its place.
    let config = CameraConfig {
        generation: Generation::Session25,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.film.camera = Camera::new(&config, room.storage(), cx);
    stage.run(600 * SECOND);
    assert_eq!(stage.viewer.told.let_in, 1);
    let others = stage.viewer.told.ends.split_off(1);
    assert!(
        others.len() >= 3 && !others.contains(&Cause::Local),
        "{others:?}"
    );
}
