//! Either end of a session with the laws that it must hold, whoever its peer is.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::{Cx, Datagram, Instant};
use wyze_session::kauth::command::{GetVideoParams, Media};
use wyze_session::kauth::models::Quality;
use wyze_session::kauth::{Code, hl};
use wyze_session::{
    AudioFormat, Camera, CameraEvent, Client, ClientConfig, Codec, Enr, Event, FrameInfo, Framings,
    Generation, Mac, OutFrame, PlainPolicy, RESEND_SLOT, RepairMemory, RequestId, Storage, Stream,
    Suites, TalkFrame, Transmit, Uid,
};

/// Most that an endpoint may send between two inputs, whoever those came from.
pub(super) const MAX_BURST: usize = 80;
/// Most events of one input: two streams, each of which holds 16 frames and gives up as many as 256 numbers.
const MAX_EVENTS: usize = 600;
/// close_notify on both channels, three times IOTC close: what may follow, once, when a session ends.
pub(super) const GOODBYE: usize = 5;
/// Further than that an assembler may think that the sender counts anew.
const MAX_FRAMES: u32 = 250;

pub(super) fn app() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 50000))
}

pub(super) fn device() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 32761))
}

pub(super) fn identity() -> (Uid, Enr, Mac) {
    (
        "SIMCAMSIMCAMSIMCAM11".parse().expect("a UID"),
        Enr::new("sim-enr-16byte!!").expect("an ENR"),
        Mac::new("00AA11BB22CC").expect("a MAC"),
    )
}

/// What the first byte of an input chooses.
#[derive(Clone, Copy)]
pub(super) struct Choice(pub(super) u8);

impl Choice {
    /// Bits 0 and 1.
    pub(super) fn suites(self) -> Suites {
        match self.0 & 3 {
            0 => Suites::CHACHA,
            1 => Suites::ALL,
            _ => Suites::CBC,
        }
    }

    /// Bit 2. Without DTLS there is no CC51, but a viewer may look for it.
    pub(super) fn framings(self) -> Framings {
        match (self.0 & 4, self.generation().is_plain()) {
            (0, _) => Framings::TRANSCODE,
            (_, false) => Framings::CC51,
            (_, true) => Framings::BOTH,
        }
    }

    /// Bit 3: a cookie before the handshake.
    pub(super) fn cookie(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bit 4: chunks, not frames.
    pub(super) fn chunks(self) -> bool {
        self.0 & 16 != 0
    }

    /// Bit 5: not in lossless mode.
    pub(super) fn resend(self) -> bool {
        self.0 & 32 == 0
    }

    /// Bits 6 and 7.
    pub(super) fn generation(self) -> Generation {
        match self.0 >> 6 {
            0 => Generation::Dtls,
            2 => Generation::Session16,
            _ => Generation::Session25,
        }
    }

    /// The last value of bits 6 and 7: nothing but DTLS, with a camera that speaks none.
    pub(super) fn plain(self) -> PlainPolicy {
        if self.0 >> 6 == 3 {
            PlainPolicy::Refused
        } else {
            PlainPolicy::Allowed
        }
    }
}

/// Memory of one endpoint, small enough to run out of.
pub(super) struct Room {
    video: Vec<u8>,
    audio: Vec<u8>,
    handshake: [u8; 512],
    control: [u8; 1024],
    repair: RepairMemory,
    resend: Vec<u8>,
    talk: [u8; 512],
}

impl Room {
    pub(super) fn new(video: usize) -> Self {
        Self {
            video: vec![0; video],
            audio: vec![0; 2048],
            handshake: [0; 512],
            control: [0; 1024],
            repair: RepairMemory::new(),
            resend: vec![0; 8 * RESEND_SLOT],
            talk: [0; 512],
        }
    }

    pub(super) fn storage(&mut self) -> Storage<'_> {
        Storage {
            video: &mut self.video,
            audio: &mut self.audio,
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: Some(&mut self.repair),
            resend: &mut self.resend,
            talk_handshake: &mut self.talk,
        }
    }
}

/// Either endpoint, as far as a fuzzer cares. Every method checks the laws.
pub(super) trait Endpoint {
    /// Most datagrams in answer to one that nobody authenticated (`docs/decisions/0024`).
    const ANSWERS: usize;

    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]);
    fn timeout(&mut self, cx: &mut Cx<'_>);
    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>);
    /// One of the calls that an application makes.
    fn call(&mut self, cx: &mut Cx<'_>, which: u8, out: &mut VecDeque<Vec<u8>>);
    fn deadline(&self) -> Option<Instant>;
    fn is_closed(&self) -> bool;

    /// After a timeout and all that it brought about.
    ///
    /// # Panics
    /// The deadline is in the past still, or far off.
    fn assert_served(&self, now: Instant) {
        if let Some(at) = self.deadline() {
            assert!(at > now, "a timer that was served stays at {at:?}");
            assert!(at <= now + Duration::from_secs(60), "{at:?} is far off");
        }
    }
}

/// The content of frame `number` of a stream, so that who gets it can tell whether it is whole.
fn content(stream: Stream, number: u32) -> Vec<u8> {
    let len = match stream {
        Stream::Video => 300 + number as usize % 5 * 900,
        Stream::Audio => 200,
    };
    vec![number as u8 ^ (stream == Stream::Audio) as u8; len]
}

/// What a viewer says in a talk.
fn talk(ordinal: u32) -> Vec<u8> {
    vec![ordinal as u8; 20 + ordinal as usize % 7 * 100]
}

fn push(out: &mut VecDeque<Vec<u8>>, t: &Transmit<'_>) {
    out.push_back(t.datagram.to_vec());
}

/// What an application has been told.
#[derive(Default)]
struct Seen {
    honest: bool,
    /// Number of the last frame of each stream.
    last: [u32; 2],
    frames: usize,
    /// Requests that are still to be answered.
    requests: Vec<RequestId>,
    closed: bool,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        assert!(!self.closed, "nothing comes after Closed");
        match event {
            Event::Video(frame) | Event::Audio(frame) => {
                self.frames += 1;
                if self.honest {
                    let seen = &mut self.last[usize::from(frame.stream == Stream::Audio)];
                    assert!(frame.number > *seen, "{} after {seen}", frame.number);
                    *seen = frame.number;
                    assert_eq!(frame.data, content(frame.stream, frame.number));
                }
            }
            Event::Chunk(chunk) if self.honest => {
                let whole = content(chunk.stream, chunk.frame);
                let at = chunk.offset as usize..chunk.offset as usize + chunk.bytes.len();
                assert_eq!(whole.get(at.clone()), Some(chunk.bytes));
                assert_eq!(chunk.last, at.end == whole.len());
            }
            Event::Reply { id, .. } | Event::NoReply { id, .. } => {
                let asked = self.requests.iter().position(|asked| asked == id);
                let at = asked.unwrap_or_else(|| panic!("{id:?} has been answered"));
                self.requests.swap_remove(at);
            }
            Event::Closed(_) => self.closed = true,
            _ => {}
        }
    }
}

pub(super) struct App<'m, 'c> {
    pub(super) client: Client<'m>,
    config: ClientConfig<'c>,
    seen: Seen,
    /// Frames of this talk.
    said: u32,
}

impl<'m, 'c> App<'m, 'c> {
    /// `honest`: frames are what the camera of this harness sent.
    pub(super) fn new(
        config: ClientConfig<'c>,
        storage: Storage<'m>,
        honest: bool,
        cx: &mut Cx<'_>,
    ) -> Self {
        Self {
            client: Client::new(&config, storage, cx),
            config,
            seen: Seen {
                honest,
                ..Seen::default()
            },
            said: 0,
        }
    }

    /// Whole frames that came out.
    pub(super) fn frames(&self) -> usize {
        self.seen.frames
    }

    /// From now on frames may be anything.
    pub(super) fn distrust(&mut self) {
        self.seen.honest = false;
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_EVENTS {
            let Some(event) = self.client.poll_event(cx) else {
                return;
            };
            self.seen.note(&event);
        }
        panic!("{MAX_EVENTS} events and no end");
    }

    fn say(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let data = talk(self.said + 1);
        let frame = TalkFrame {
            codec: Codec::Pcmu,
            format: AudioFormat {
                sample_rate: 8000,
                bits: 16,
                channels: 1,
            },
            micros: self.said * 20_000,
            data: &data,
        };
        let mut buf = [0; 1500];
        if self.said < MAX_FRAMES
            && let Ok(t) = self.client.send_audio(cx, &frame, &mut buf)
        {
            push(out, &t);
            self.said += 1;
        }
    }

    fn restart(&mut self, cx: &mut Cx<'_>) {
        self.client.restart(&self.config, cx);
        self.seen.closed = false;
        self.seen.last = [0; 2];
        self.seen.requests.clear();
    }
}

impl Endpoint for App<'_, '_> {
    const ANSWERS: usize = 2;

    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.client.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            self.seen.note(&event);
        }
        panic!("more events than bytes");
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.client.handle_timeout(cx);
        self.events(cx);
    }

    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let mut buf = [0; 1500];
        for _ in 0..MAX_BURST {
            match self.client.poll_transmit(cx, &mut buf) {
                Some(t) => push(out, &t),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8, out: &mut VecDeque<Vec<u8>>) {
        let on = which & 16 == 0;
        let asked = match which % 16 {
            0 => self.client.enable(cx, Media::Video, on),
            1 => self.client.enable(cx, Media::Audio, on),
            2 => self.client.request(cx, &GetVideoParams {}),
            3 => self.client.request_with(cx, on, |w| {
                let code = Code(10_000 + u16::from(which >> 5) * 100);
                // The longest is too long.
                hl::write(w, 36, code, |w| {
                    w.bytes(&vec![which; usize::from(which) * 5])
                });
                code
            }),
            4 => self.client.set_quality(cx, Quality::Sd, None),
            5 => {
                if self.client.start_talk(cx).is_ok() {
                    self.said = 0;
                }
                return;
            }
            6 => {
                let _ = self.client.stop_talk(cx);
                return;
            }
            7 if self.seen.closed => return self.restart(cx),
            8 if which >= 0xf0 => return self.client.close(),
            9 => {
                let _ = (self.client.stats(), self.client.peer());
                let _ = (self.client.healthy(cx.now), self.client.protocol());
                return;
            }
            _ => return self.say(cx, out),
        };
        // Of what no camera answers nothing more is heard.
        if let Ok(id) = asked
            && (which % 16 != 3 || on)
        {
            self.seen.requests.push(id);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    fn is_closed(&self) -> bool {
        self.seen.closed
    }
}

/// What a camera has been told.
#[derive(Default)]
struct Heard {
    honest: bool,
    let_in: bool,
    /// The last of this talk.
    said: u32,
    talks: usize,
    closed: bool,
}

impl Heard {
    fn note(&mut self, event: &CameraEvent<'_>) {
        assert!(!self.closed, "nothing comes after Closed");
        match event {
            CameraEvent::Closed(_) => self.closed = true,
            CameraEvent::Authenticated => self.let_in = true,
            CameraEvent::TalkReady => self.said = 0,
            CameraEvent::Audio(frame) => {
                self.talks += 1;
                if self.honest {
                    let ordinal = frame.data.first().copied().map_or(0, u32::from);
                    assert!(ordinal > self.said, "{ordinal} after {}", self.said);
                    self.said = ordinal;
                    assert_eq!(frame.data, talk(ordinal));
                }
            }
            _ => {}
        }
    }
}

pub(super) struct Cam<'m> {
    pub(super) camera: Camera<'m>,
    heard: Heard,
    numbers: [u32; 2],
}

impl<'m> Cam<'m> {
    /// `honest`: what it hears is what the viewer of this harness said.
    pub(super) fn new(camera: Camera<'m>, honest: bool) -> Self {
        Self {
            camera,
            heard: Heard {
                honest,
                ..Heard::default()
            },
            numbers: [0; 2],
        }
    }

    /// Whether it has ever let a viewer in.
    pub(super) fn let_in(&self) -> bool {
        self.heard.let_in
    }

    /// Frames of talks that came out.
    pub(super) fn talks(&self) -> usize {
        self.heard.talks
    }

    /// From now on a talk may be anything.
    pub(super) fn distrust(&mut self) {
        self.heard.honest = false;
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_EVENTS {
            let Some(event) = self.camera.poll_event(cx) else {
                return;
            };
            self.heard.note(&event);
        }
        panic!("{MAX_EVENTS} events and no end");
    }

    /// Sends the next frame.
    pub(super) fn show(&mut self, cx: &mut Cx<'_>, stream: Stream, out: &mut VecDeque<Vec<u8>>) {
        let number = &mut self.numbers[usize::from(stream == Stream::Audio)];
        if !self.camera.wants(stream) || *number == MAX_FRAMES {
            return;
        }
        *number += 1;
        let data = content(stream, *number);
        let frame = OutFrame {
            stream,
            key: *number % 4 == 1,
            info: FrameInfo::video(Codec::H264, 20, 0),
            data: &data,
        };
        let Ok(mut outgoing) = self.camera.start_frame(&frame) else {
            panic!("it is wanted");
        };
        let mut buf = [0; 1500];
        while let Some(t) = self.camera.poll_frame(cx, &mut outgoing, &mut buf) {
            push(out, &t);
        }
    }
}

impl Endpoint for Cam<'_> {
    const ANSWERS: usize = 1;

    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.camera.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            self.heard.note(&event);
            if let CameraEvent::Command { code, .. } = event {
                self.camera.reply(code.reply(), &[1]);
            }
        }
        panic!("more events than bytes");
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.handle_timeout(cx);
        self.events(cx);
    }

    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let mut buf = [0; 1500];
        for _ in 0..MAX_BURST {
            match self.camera.poll_transmit(cx, &mut buf) {
                Some(t) => push(out, &t),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8, _: &mut VecDeque<Vec<u8>>) {
        match which {
            0xfe => self.camera.close(),
            0xff if self.heard.closed => {
                self.camera.reset(cx);
                (self.heard.closed, self.numbers) = (false, [0; 2]);
            }
            _ => drop(self.camera.reply(Code(u16::from(which)), &[which; 4])),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.camera.poll_timeout()
    }

    fn is_closed(&self) -> bool {
        self.heard.closed
    }
}
