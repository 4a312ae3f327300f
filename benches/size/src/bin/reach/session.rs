//! What a program does with a session between two rounds, whatever network carries it.

use core::hint::black_box;

use wyze_smoltcp::session::kauth::command::Media;
use wyze_smoltcp::session::kauth::{OpenUserId, Quality, lookup};
use wyze_smoltcp::session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, CameraState, Cause, Client, ClientConfig,
    Codec, Cx, Enr, Event, FrameInfo, Generation, Mac, Memory, OutFrame, Reconnect, RepairMemory,
    ResponseCommand, Storage, Stream, TalkFrame, Uid,
};

use crate::commands;
use crate::hardware::{chance, peer, read, register, show, text};
use crate::writers::Writers;

/// Memory for whole frames, lossless mode and talk.
pub(crate) struct Lent {
    memory: Memory<16384, 4096, 256, 1024>,
    repair: RepairMemory,
    resend: [u8; 8192],
    talk_handshake: [u8; 512],
}

impl Lent {
    pub(crate) fn new() -> Self {
        Self {
            memory: Memory::new(),
            repair: RepairMemory::new(),
            resend: [0; 8192],
            talk_handshake: [0; 512],
        }
    }

    /// All of it, or as little as there may be.
    pub(crate) fn split(&mut self) -> Storage<'_> {
        let storage = self.memory.split();
        match register(2) & 3 {
            0 => Storage {
                repair: Some(&mut self.repair),
                resend: &mut self.resend,
                talk_handshake: &mut self.talk_handshake,
                ..storage
            },
            1 => Storage {
                handshake: storage.handshake,
                ..Storage::default()
            },
            _ => storage,
        }
    }
}

pub(crate) fn viewer<'a>(
    (uid, enr, mac, user): &'a (Uid, Enr, Mac, OpenUserId),
    targets: &'a [core::net::SocketAddr],
) -> ClientConfig<'a> {
    ClientConfig {
        video: chance(),
        audio: chance(),
        parent: if chance() { Some((enr, mac)) } else { None },
        resend: chance(),
        command: if chance() {
            ResponseCommand::K10002
        } else {
            ResponseCommand::K10008
        },
        open_user_id: chance().then_some(user),
        ..ClientConfig::new(*uid, enr, mac, targets)
    }
}

pub(crate) fn device((uid, enr, mac, _): &(Uid, Enr, Mac, OpenUserId)) -> CameraConfig<'_> {
    CameraConfig {
        cookie: chance(),
        accept: chance(),
        two_way: chance(),
        resend: chance(),
        generation: match register(1) & 3 {
            0 => Generation::Session16,
            1 => Generation::Session25,
            _ => Generation::Dtls,
        },
        ..CameraConfig::new(*uid, enr, mac)
    }
}

/// Asks a client all that can be asked, and begins anew when it is over.
pub(crate) fn ask(
    client: &mut Client<'_>,
    config: &ClientConfig<'_>,
    reconnect: &mut Reconnect,
    cx: &mut Cx<'_>,
) {
    commands::all(client, cx);
    for media in [Media::Video, Media::Audio] {
        let _ = black_box(client.enable(cx, media, chance()));
    }
    let mut model = [0; 20];
    let model = lookup(text(&mut model));
    for quality in [
        Quality::Hd,
        Quality::Sd,
        Quality::P360,
        Quality::P720,
        Quality::TwoK,
    ] {
        let _ = black_box(client.set_quality(cx, quality, model));
    }
    if chance() {
        let _ = black_box(client.start_talk(cx));
    }
    if chance() {
        let _ = black_box(client.stop_talk(cx));
    }
    black_box((
        client.peer(),
        client.is_authenticated(),
        client.is_talking(),
    ));
    black_box((client.is_lossless(), client.plain(), client.protocol()));
    black_box(client.stats());
    if chance() {
        client.close();
    }
    if let Some(cause) = client.closed() {
        show(&cause);
        if let Some(at) = reconnect.after(cause, client.healthy(cx.now), cx) {
            black_box(at);
            client.restart(config, cx);
        }
    }
}

pub(crate) fn note(writers: &mut Writers, event: &Event<'_>) {
    match event {
        Event::Video(frame) | Event::Audio(frame) => writers.frame(frame),
        Event::Chunk(chunk) => writers.chunk(chunk),
        Event::TalkClosed(end) => show(end),
        Event::Closed(cause) => show(cause),
        other => _ = black_box(other),
    }
}

/// A frame of sound for the camera.
pub(crate) struct Sound {
    data: [u8; 320],
    len: usize,
}

impl Sound {
    pub(crate) fn take() -> Self {
        let mut data = [0; 320];
        let len = read(&mut data);
        Self { data, len }
    }

    pub(crate) fn frame(&self) -> TalkFrame<'_> {
        TalkFrame {
            format: format(),
            codec: codec(),
            data: self.data.get(..self.len).unwrap_or_default(),
            micros: register(1),
        }
    }
}

fn codec() -> Codec {
    Codec::from(register(3) as u16)
}

fn format() -> AudioFormat {
    AudioFormat {
        sample_rate: register(0),
        bits: register(1) as u8,
        channels: register(2) as u8,
    }
}

/// Asks a camera all that can be asked.
pub(crate) fn look_at(camera: &mut Camera<'_>, state: &mut CameraState, cx: &mut Cx<'_>) {
    commands::remember(state);
    let mut body = [0; 1024];
    let len = read(&mut body);
    let body = body.get(..len).unwrap_or_default();
    let code = wyze_smoltcp::session::kauth::Code(register(0) as u16);
    black_box(camera.reply(code.reply(), body));
    black_box(camera.answer(state, code, body));
    black_box((camera.claims(body), camera.framing(), camera.is_idle()));
    black_box((camera.is_authenticated(), camera.peer(), camera.stats()));
    if chance() {
        camera.close();
    }
    if chance() {
        camera.reset(cx);
    }
}

pub(crate) fn hear(event: &CameraEvent<'_>) {
    match event {
        CameraEvent::Closed(cause) => show(cause),
        other => _ = black_box(other),
    }
}

/// A frame of the camera's.
pub(crate) struct Picture {
    data: [u8; 4096],
    len: usize,
}

impl Picture {
    pub(crate) fn take() -> Self {
        let mut data = [0; 4096];
        let len = read(&mut data);
        Self { data, len }
    }

    pub(crate) fn frame(&self) -> OutFrame<'_> {
        let (codec, micros) = (codec(), u64::from(register(1)));
        let (stream, info) = if chance() {
            (Stream::Video, FrameInfo::video(codec, 20, micros))
        } else {
            (Stream::Audio, FrameInfo::audio(codec, format(), micros))
        };
        OutFrame {
            stream,
            key: chance(),
            info,
            data: self.data.get(..self.len).unwrap_or_default(),
        }
    }
}

/// Where to search.
pub(crate) fn targets() -> [core::net::SocketAddr; 2] {
    [peer().into(), peer().into()]
}

/// What a session's end is worth.
pub(crate) fn is_final(cause: Cause) -> bool {
    cause == Cause::Local
}
