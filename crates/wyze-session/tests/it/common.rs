//! Client and Camera as nodes of the testkit's virtual network.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, Cause, Client, ClientConfig, Codec, Cx,
    Datagram, Enr, Event, FrameInfo, Framings, Instant, Mac, OutFrame, ParityGroup, Phase,
    RESEND_SLOT, RepairMemory, Storage, Stream, TalkEnd, Transmit, Uid,
};

pub(crate) const APP: &str = "192.0.2.1:50000";
pub(crate) const DEVICE: &str = "192.0.2.2:32761";

pub(crate) fn uid() -> Uid {
    "SIMCAMSIMCAMSIMCAM11".parse().unwrap()
}

pub(crate) fn enr(enr: &str) -> Enr {
    Enr::new(enr).unwrap()
}

pub(crate) fn mac() -> Mac {
    mac_of("00AA11BB22CC")
}

pub(crate) fn mac_of(mac: &str) -> Mac {
    Mac::new(mac).unwrap()
}

pub(crate) fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

/// Memory of one endpoint.
pub(crate) struct Room {
    video: Vec<u8>,
    audio: Vec<u8>,
    pub(crate) handshake: [u8; 512],
    pub(crate) control: [u8; 2048],
    repair: RepairMemory,
    pub(crate) resend: Vec<u8>,
    pub(crate) parity: Vec<ParityGroup>,
    pub(crate) talk_handshake: Vec<u8>,
}

impl Room {
    pub(crate) fn new(video: usize, audio: usize) -> Self {
        Self {
            video: vec![0; video],
            audio: vec![0; audio],
            handshake: [0; 512],
            control: [0; 2048],
            repair: RepairMemory::new(),
            resend: vec![0; 512 * RESEND_SLOT],
            parity: Vec::new(),
            talk_handshake: vec![0; 512],
        }
    }

    pub(crate) fn storage(&mut self) -> Storage<'_> {
        Storage {
            video: &mut self.video,
            audio: &mut self.audio,
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: Some(&mut self.repair),
            resend: &mut self.resend,
            talk_handshake: &mut self.talk_handshake,
            parity: &mut self.parity,
        }
    }
}

/// A frame as sent or received: its number and what its bytes hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u32,
    pub(crate) hash: [u8; 32],
}

pub(crate) fn seen(number: u32, data: &[u8]) -> Seen {
    Seen {
        number,
        hash: Sha256::digest(data).into(),
    }
}

/// What a client has told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) phases: Vec<Phase>,
    pub(crate) authenticated: bool,
    /// Model and firmware that the camera told.
    pub(crate) camera: [Option<String>; 2],
    pub(crate) video: Vec<Seen>,
    pub(crate) audio: Vec<Seen>,
    /// Code and body of each reply.
    pub(crate) replies: Vec<(u16, Vec<u8>)>,
    /// K-commands that nobody asked for.
    pub(crate) messages: usize,
    /// Requests without a reply.
    pub(crate) unanswered: usize,
    /// Talks that became ready, and how talks ended.
    pub(crate) talks: usize,
    pub(crate) talk_ends: Vec<TalkEnd>,
    pub(crate) closed: Option<Cause>,
}

impl Told {
    fn note(&mut self, event: Event<'_>) {
        assert!(self.closed.is_none(), "Closed is the last event");
        match event {
            Event::Phase(phase) => self.phases.push(phase),
            Event::Authenticated(info) => {
                self.authenticated = true;
                self.camera = [info.model, info.firmware].map(|text| text.map(str::to_owned));
            }
            Event::Video(f) => self.video.push(seen(f.number, f.data)),
            Event::Audio(f) => self.audio.push(seen(f.number, f.data)),
            Event::Reply { code, payload, .. } => self.replies.push((code.0, payload.to_vec())),
            Event::Message { .. } => self.messages += 1,
            Event::NoReply { .. } => self.unanswered += 1,
            Event::TalkReady => self.talks += 1,
            Event::TalkClosed(end) => self.talk_ends.push(end),
            Event::Closed(cause) => self.closed = Some(cause),
            _ => {}
        }
    }
}

pub(crate) struct ClientNode<'m> {
    pub(crate) client: Client<'m>,
    pub(crate) addr: SocketAddr,
    pub(crate) told: Told,
}

impl<'m> ClientNode<'m> {
    pub(crate) fn new(config: &ClientConfig<'_>, room: &'m mut Room, cx: &mut Cx<'_>) -> Self {
        Self {
            client: Client::new(config, room.storage(), cx),
            addr: addr(APP),
            told: Told::default(),
        }
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        while let Some(event) = self.client.poll_event(cx) {
            self.told.note(event);
        }
    }
}

impl Deref for ClientNode<'_> {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.told
    }
}

impl DerefMut for ClientNode<'_> {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.told
    }
}

impl Node for ClientNode<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.client.handle_datagram(cx, &mut input) {
            self.told.note(event);
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
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
        self.client.poll_timeout()
    }
}

/// What the camera shows: every 50 ms a video frame, every 40 ms an audio frame.
pub(crate) struct Show {
    pub(crate) video: Vec<Vec<u8>>,
    pub(crate) audio: Vec<Vec<u8>>,
    pub(crate) gop: usize,
}

impl Show {
    /// `frames` video frames, key frames of `key` bytes each `gop`, others of `delta` bytes, and audio beside them.
    pub(crate) fn new(frames: usize, gop: usize, key: usize, delta: usize) -> Self {
        let fill = |i: usize, len: usize| (0..len).map(|j| (i * 31 + j * 7) as u8).collect();
        Self {
            video: (0..frames)
                .map(|i| fill(i, if i % gop == 0 { key } else { delta + i % 700 }))
                .collect(),
            audio: (0..frames * 5 / 4).map(|i| fill(i + 1000, 320)).collect(),
            gop,
        }
    }
}

pub(crate) struct CameraNode<'m> {
    pub(crate) camera: Camera<'m>,
    pub(crate) addr: SocketAddr,
    show: Show,
    next_video: usize,
    next_audio: usize,
    start: Option<Instant>,
    queue: Queue,
    pub(crate) sent_video: Vec<Seen>,
    pub(crate) sent_audio: Vec<Seen>,
    pub(crate) heard: Heard,
    pub(crate) closed: Option<Cause>,
}

/// Datagrams of frames that wait to be drained.
pub(crate) type Queue = VecDeque<(SocketAddr, Vec<u8>)>;

/// A datagram in the caller's buffer.
pub(crate) fn put<'b>(buf: &'b mut [u8], datagram: &[u8]) -> &'b [u8] {
    let room = &mut buf[..datagram.len()];
    room.copy_from_slice(datagram);
    room
}

/// What a camera heard of its viewer's talks.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) ready: usize,
    pub(crate) ends: Vec<TalkEnd>,
    /// Number and bytes of each frame.
    pub(crate) frames: Vec<(u32, Vec<u8>)>,
}

impl Heard {
    pub(crate) fn note(&mut self, event: CameraEvent<'_>) {
        match event {
            CameraEvent::TalkReady => self.ready += 1,
            CameraEvent::TalkClosed(end) => self.ends.push(end),
            CameraEvent::Audio(f) => self.frames.push((f.number, f.data.to_vec())),
            _ => {}
        }
    }
}

const VIDEO_EVERY: Duration = Duration::from_millis(50);
const AUDIO_EVERY: Duration = Duration::from_millis(40);

impl<'m> CameraNode<'m> {
    pub(crate) fn new(
        config: &CameraConfig<'_>,
        room: &'m mut Room,
        show: Show,
        cx: &mut Cx<'_>,
    ) -> Self {
        Self {
            camera: Camera::new(config, room.storage(), cx),
            addr: addr(DEVICE),
            show,
            next_video: 0,
            next_audio: 0,
            start: None,
            queue: Queue::new(),
            sent_video: Vec::new(),
            sent_audio: Vec::new(),
            heard: Heard::default(),
            closed: None,
        }
    }

    pub(crate) fn finished(&self) -> bool {
        self.next_video == self.show.video.len() && self.next_audio == self.show.audio.len()
    }

    fn next_media(&self) -> Option<Instant> {
        let start = self.start?;
        let video = (self.next_video < self.show.video.len())
            .then(|| start + VIDEO_EVERY * self.next_video as u32);
        let audio = (self.next_audio < self.show.audio.len())
            .then(|| start + AUDIO_EVERY * self.next_audio as u32);
        video.into_iter().chain(audio).min()
    }

    fn send_frame(&mut self, cx: &mut Cx<'_>, stream: Stream, index: usize) {
        let at = self.start.unwrap()
            + match stream {
                Stream::Video => VIDEO_EVERY * index as u32,
                Stream::Audio => AUDIO_EVERY * index as u32,
            };
        let data = match stream {
            Stream::Video => &self.show.video[index],
            Stream::Audio => &self.show.audio[index],
        };
        let key = stream == Stream::Video && index.is_multiple_of(self.show.gop);
        let frame = OutFrame {
            stream,
            key,
            info: info(stream, at),
            data,
        };
        let mut out = self
            .camera
            .start_frame(&frame)
            .expect("the viewer wants it");
        let mut buf = [0u8; 1500];
        let mut datagrams = Vec::new();
        while let Some(t) = self.camera.poll_frame(cx, &mut out, &mut buf) {
            datagrams.push((t.to, t.datagram.to_vec()));
        }
        let number = index as u32 + 1;
        let seen = seen(number, data);
        match stream {
            Stream::Video => self.sent_video.push(seen),
            Stream::Audio => self.sent_audio.push(seen),
        }
        self.queue.extend(datagrams);
    }

    fn play(&mut self, cx: &mut Cx<'_>) {
        if self.start.is_none() && self.camera.wants(Stream::Video) {
            self.start = Some(cx.now);
        }
        while self.next_media().is_some_and(|at| at <= cx.now) && self.camera.wants(Stream::Video) {
            let start = self.start.unwrap();
            if self.next_video < self.show.video.len()
                && start + VIDEO_EVERY * self.next_video as u32 <= cx.now
            {
                self.send_frame(cx, Stream::Video, self.next_video);
                self.next_video += 1;
            }
            if self.next_audio < self.show.audio.len()
                && start + AUDIO_EVERY * self.next_audio as u32 <= cx.now
            {
                self.send_frame(cx, Stream::Audio, self.next_audio);
                self.next_audio += 1;
            }
        }
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        while let Some(event) = self.camera.poll_event(cx) {
            if let CameraEvent::Closed(cause) = event {
                self.closed = Some(cause);
            } else {
                self.heard.note(event);
            }
        }
    }
}

/// FRAMEINFO as a camera fills it.
pub(crate) fn info(stream: Stream, at: Instant) -> FrameInfo {
    let micros = 1_767_239_680_000_000 + at.as_micros();
    match stream {
        Stream::Video => FrameInfo::video(Codec::H264, 20, micros),
        Stream::Audio => FrameInfo::audio(
            Codec::Pcmu,
            AudioFormat {
                sample_rate: 8000,
                bits: 16,
                channels: 1,
            },
            micros,
        ),
    }
}

impl Node for CameraNode<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.camera.handle_datagram(cx, &mut input) {
            self.heard.note(event);
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.handle_timeout(cx);
        self.play(cx);
        self.drain_events(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        if let Some((to, datagram)) = self.queue.pop_front() {
            return Some((to, put(buf, &datagram)));
        }
        self.play(cx);
        match self.camera.poll_transmit(cx, buf) {
            Some(Transmit { to, datagram }) => Some((to, datagram)),
            None => {
                self.drain_events(cx);
                None
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let media = if self.camera.wants(Stream::Video) {
            self.next_media()
        } else {
            None
        };
        [self.camera.poll_timeout(), media]
            .into_iter()
            .flatten()
            .min()
    }
}

/// A client and a camera that have not yet met, in a network without faults.
pub(crate) fn with_pair<T>(
    seed: u64,
    framings: Framings,
    show: Show,
    then: impl FnOnce(&mut World, &mut ClientNode<'_>, &mut CameraNode<'_>) -> T,
) -> T {
    let mut world = World::new(seed, Net::new(seed, Faults::NONE));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 0));
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig::new(uid(), &enr, &mac, &targets);
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        framings,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let mut camera = CameraNode::new(&config, &mut room2, show, cx);
    then(&mut world, &mut client, &mut camera)
}
