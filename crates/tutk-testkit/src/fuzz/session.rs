//! Whole sessions: `Client` against `Camera` over a network that the fuzzer steers, and each alone against a peer that has
//! the keys and sends what the fuzzer writes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::{Cx, Datagram, Instant};
use wyze_session::kauth::command::Media;
use wyze_session::{
    Camera, CameraConfig, CameraEvent, Client, ClientConfig, Codec, Enr, Event, FrameInfo,
    Framings, Mac, OutFrame, RESEND_SLOT, RepairMemory, Storage, Stream, Suites, Uid,
};

/// Most that an endpoint may send between two inputs.
const MAX_BURST: usize = 200;

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
            ..Storage::default()
        }
    }
}

/// Either endpoint, as far as a fuzzer cares. Every method checks the laws.
pub(super) trait Endpoint {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]);
    fn timeout(&mut self, cx: &mut Cx<'_>);
    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>);
    /// One of the calls that an application makes.
    fn call(&mut self, cx: &mut Cx<'_>, which: u8);
    fn deadline(&self) -> Option<Instant>;
}

/// The content of frame `number` of a stream, so that who gets it can tell whether it is whole.
fn content(stream: Stream, number: u32) -> Vec<u8> {
    let len = match stream {
        Stream::Video => 300 + number as usize % 5 * 900,
        Stream::Audio => 200,
    };
    vec![number as u8 ^ (stream == Stream::Audio) as u8; len]
}

pub(super) struct App<'m> {
    pub(super) client: Client<'m>,
    /// Frames are what the camera of this harness sent.
    pub(super) honest: bool,
    last: [u32; 2],
    pub(super) frames: usize,
    pub(super) closed: bool,
}

impl<'m> App<'m> {
    pub(super) fn new(client: Client<'m>, honest: bool) -> Self {
        Self {
            client,
            honest,
            last: [0; 2],
            frames: 0,
            closed: false,
        }
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_BURST {
            let Some(event) = self.client.poll_event(cx) else {
                return;
            };
            note(
                &mut self.last,
                &mut self.frames,
                &mut self.closed,
                self.honest,
                &event,
            );
        }
        panic!("{MAX_BURST} events and no end");
    }
}

fn note(
    last: &mut [u32; 2],
    frames: &mut usize,
    closed: &mut bool,
    honest: bool,
    event: &Event<'_>,
) {
    assert!(!*closed, "nothing comes after Closed");
    match event {
        Event::Video(frame) | Event::Audio(frame) => {
            *frames += 1;
            if honest {
                let seen = &mut last[usize::from(frame.stream == Stream::Audio)];
                assert!(frame.number > *seen, "{} after {seen}", frame.number);
                *seen = frame.number;
                assert_eq!(frame.data, content(frame.stream, frame.number));
            }
        }
        Event::Closed(_) => *closed = true,
        _ => {}
    }
}

impl Endpoint for App<'_> {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.client.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            note(
                &mut self.last,
                &mut self.frames,
                &mut self.closed,
                self.honest,
                &event,
            );
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
                Some(t) => out.push_back(t.datagram.to_vec()),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8) {
        match which % 8 {
            0 => drop(self.client.enable(cx, Media::Video, which & 8 == 0)),
            1 => drop(self.client.enable(cx, Media::Audio, which & 8 == 0)),
            2 => drop(
                self.client
                    .request(cx, &wyze_kauth::command::GetVideoParams {}),
            ),
            3 => drop(self.client.start_talk(cx)),
            4 => drop(self.client.stop_talk(cx)),
            5 => {
                let info = FrameInfo::video(Codec::Pcmu, 0, 0);
                let _ = self.client.stats();
                let _ = (info, self.client.peer(), self.client.protocol());
            }
            6 if which & 0xf8 == 0xf8 => self.client.close(),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }
}

pub(super) struct Cam<'m> {
    pub(super) camera: Camera<'m>,
    numbers: [u32; 2],
    pub(super) closed: bool,
    pub(super) let_in: bool,
}

impl<'m> Cam<'m> {
    pub(super) fn new(camera: Camera<'m>) -> Self {
        Self {
            camera,
            numbers: [0; 2],
            closed: false,
            let_in: false,
        }
    }

    fn note(closed: &mut bool, let_in: &mut bool, event: &CameraEvent<'_>) {
        assert!(!*closed, "nothing comes after Closed");
        *closed = matches!(event, CameraEvent::Closed(_));
        *let_in |= matches!(event, CameraEvent::Authenticated);
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_BURST {
            let Some(event) = self.camera.poll_event(cx) else {
                return;
            };
            Self::note(&mut self.closed, &mut self.let_in, &event);
        }
        panic!("{MAX_BURST} events and no end");
    }

    /// Sends the next frame.
    fn show(&mut self, cx: &mut Cx<'_>, stream: Stream, out: &mut VecDeque<Vec<u8>>) {
        if !self.camera.wants(stream) {
            return;
        }
        let number = &mut self.numbers[usize::from(stream == Stream::Audio)];
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
            out.push_back(t.datagram.to_vec());
        }
    }
}

impl Endpoint for Cam<'_> {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.camera.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            Self::note(&mut self.closed, &mut self.let_in, &event);
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
                Some(t) => out.push_back(t.datagram.to_vec()),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8) {
        match which {
            0xfe => self.camera.close(),
            0xff if self.closed => {
                self.camera.reset(cx);
                (self.closed, self.numbers) = (false, [0; 2]);
            }
            _ => drop(
                self.camera
                    .reply(wyze_kauth::Code(u16::from(which)), &[which; 4]),
            ),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.camera.poll_timeout()
    }
}

/// Suites, framing, cookie and so on, as one byte chooses.
pub(super) fn suites(choice: u8) -> Suites {
    match choice & 3 {
        0 => Suites::CHACHA,
        1 => Suites::ALL,
        _ => Suites::CBC,
    }
}

pub(super) fn framings(choice: u8) -> Framings {
    if choice & 4 == 0 {
        Framings::TRANSCODE
    } else {
        Framings::CC51
    }
}

/// A client and a camera over a mutated network: every frame that comes out was put in, whole, in order and once; `Closed`
/// is the last event; nobody talks without end; no deadline stays in the past.
///
/// The first byte chooses suites, framing, cookie and chunk mode; each further one does something to the next datagram of
/// one direction, lets time pass, sends a frame, or calls an endpoint.
pub fn session_pair(data: &[u8]) {
    run_pair(data);
}

/// Plays `data`; how many frames came out.
fn run_pair(data: &[u8]) -> usize {
    let Some((&choice, ops)) = data.split_first() else {
        return 0;
    };
    let (uid, enr, mac) = identity();
    let targets = [device()];
    let (mut room1, mut room2) = (
        Room::new(if choice & 16 == 0 { 8192 } else { 0 }),
        Room::new(0),
    );
    let mut rng = crate::rng(8);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let config = ClientConfig {
        suites: suites(choice),
        framings: framings(choice),
        resend: choice & 32 == 0,
        ..ClientConfig::new(uid, &enr, &mac, &targets)
    };
    let mut client = App::new(Client::new(&config, room1.storage(), &mut cx), true);
    let config = CameraConfig {
        suites: suites(choice),
        framings: framings(choice),
        cookie: choice & 8 == 8,
        ..CameraConfig::new(uid, &enr, &mac)
    };
    let mut camera = Cam::new(Camera::new(&config, room2.storage(), &mut cx));
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut ops = ops.iter().copied();
    client.drain(&mut cx, &mut up);
    while let Some(op) = ops.next() {
        match op {
            0xf0.. => {
                cx.now += Duration::from_millis(1 << (op & 15).min(13));
                client.timeout(&mut cx);
                camera.timeout(&mut cx);
            }
            0xe8.. => camera.show(&mut cx, Stream::Audio, &mut down),
            0xe0.. => camera.show(&mut cx, Stream::Video, &mut down),
            0xd8.. => client.call(&mut cx, ops.next().unwrap_or(0)),
            0xd0.. => camera.call(&mut cx, ops.next().unwrap_or(0)),
            _ if op & 8 == 0 => pass(op, &mut ops, &mut up, app(), &mut camera, &mut cx),
            _ => pass(op, &mut ops, &mut down, device(), &mut client, &mut cx),
        }
        client.drain(&mut cx, &mut up);
        camera.drain(&mut cx, &mut down);
        // More than a link holds is lost.
        up.truncate(100);
        down.truncate(100);
    }
    client.frames
}

/// Does to the head of `queue` what `op` says.
fn pass(
    op: u8,
    ops: &mut impl Iterator<Item = u8>,
    queue: &mut VecDeque<Vec<u8>>,
    from: SocketAddr,
    to: &mut impl Endpoint,
    cx: &mut Cx<'_>,
) {
    let Some(mut bytes) = queue.pop_front() else {
        return;
    };
    match op % 8 {
        0..=2 => {}
        3 => queue.push_front(bytes.clone()),
        4 => return,
        5 => return queue.push_back(bytes),
        6 => {
            let at = usize::from(ops.next().unwrap_or(0)) * 13 % bytes.len();
            bytes.truncate(at);
        }
        _ => {
            let bit = usize::from(ops.next().unwrap_or(0)) * 7 % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
    to.give(cx, from, &mut bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undisturbed_sessions_show_frames() {
        for choice in 0..64 {
            let mut script = vec![choice];
            for _ in 0..40 {
                script.extend([0xf6, 0, 8, 0, 8, 0, 8, 8]);
            }
            for _ in 0..12 {
                script.extend([0xe0, 0xe8]);
                script.extend([8; 8]);
                script.extend([0xf4, 0, 0]);
            }
            let frames = run_pair(&script);
            assert!(frames > 10 || choice & 16 != 0, "choice {choice}: {frames}");
        }
    }
}
