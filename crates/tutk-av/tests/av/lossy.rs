//! A 2K stream from a camera to an app through a network that loses and reorders, on a virtual clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tutk_av::*;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

/// 2304×1296 at 20 frames a second, 4 Mbit/s, a key frame every 2 s; beside it 25 audio frames a second.
const FRAME_MICROS: u64 = 50_000;
const AUDIO_MICROS: u64 = 40_000;
const GOP: u64 = 40;
const KEY_LEN: usize = 150_000;
const OTHER_LEN: usize = (1_000_000 - KEY_LEN) / (GOP as usize - 1);
/// One way.
const DELAY_MICROS: u64 = 20_000;
/// Reordered packets take up to this much longer.
const REORDER_MICROS: u64 = 30_000;
/// Between the packets of a frame.
const PACKET_MICROS: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Off,
    Resend,
    ResendAndParity,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Network {
    /// Per mille, both ways.
    pub(crate) loss: u64,
    /// Per mille, both ways.
    pub(crate) reorder: u64,
    /// Per mille, both ways.
    pub(crate) duplicate: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) video_sent: u64,
    pub(crate) video_delivered: u64,
    pub(crate) audio_sent: u64,
    pub(crate) audio_delivered: u64,
    /// Bytes of media packets that the network lost, copies not counted.
    pub(crate) lost_bytes: u64,
    /// Bytes of copies, and of the ACKs that asked for them.
    pub(crate) extra_bytes: u64,
    pub(crate) app: LinkStats,
    pub(crate) camera: LinkStats,
}

impl Outcome {
    pub(crate) fn extra_per_lost(&self) -> f64 {
        self.extra_bytes as f64 / self.lost_bytes as f64
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum To {
    App,
    Camera,
}

/// A packet under way; compared by when it is due, then by when it was sent.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    due: u64,
    order: u64,
    to: To,
    bytes: Vec<u8>,
}

struct Wire {
    network: Network,
    rng: ChaCha8Rng,
    queue: BinaryHeap<Reverse<Flying>>,
    order: u64,
}

impl Wire {
    fn chance(&mut self, per_mille: u64) -> bool {
        self.rng.next_u64() % 1000 < per_mille
    }

    /// Sends; `false` when it was lost.
    fn send(&mut self, at: u64, to_app: bool, bytes: &[u8]) -> bool {
        let copies = 1 + u64::from(self.chance(self.network.duplicate));
        let mut arrives = false;
        for _ in 0..copies {
            if self.chance(self.network.loss) {
                continue;
            }
            let late = self.chance(self.network.reorder);
            let extra = u64::from(late) * (self.rng.next_u64() % REORDER_MICROS);
            self.order += 1;
            self.queue.push(Reverse(Flying {
                due: at + DELAY_MICROS + extra,
                order: self.order,
                to: if to_app { To::App } else { To::Camera },
                bytes: bytes.to_vec(),
            }));
            arrives = true;
        }
        arrives
    }

    fn due(&mut self, now: u64) -> Option<Flying> {
        if self.queue.peek()?.0.due > now {
            return None;
        }
        self.queue.pop().map(|Reverse(flying)| flying)
    }
}

fn drain<L: Layer>(layer: &mut L, cx: &mut Cx<'_>, mut each: impl FnMut(&[u8])) {
    let mut count = 0;
    loop {
        let mut memory = [0; 1200];
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx).unwrap() {
            return;
        }
        each(tx.payload());
        count += 1;
        assert!(count < 1000, "poll_transmit has no end");
    }
}

fn frame_of(stream: Stream, ordinal: u64, filler: &[u8]) -> OutFrame<'_> {
    let format = AudioFormat {
        sample_rate: 8000,
        bits: 16,
        channels: 1,
    };
    let micros = 1_767_239_680_000_000 + ordinal * FRAME_MICROS;
    // The first byte differs from frame to frame.
    let from = (ordinal % 251) as usize;
    let key = ordinal.is_multiple_of(GOP);
    let (info, len) = match stream {
        Stream::Audio => (FrameInfo::audio(Codec::Pcmu, format, micros), 320),
        Stream::Video if key => (FrameInfo::video(Codec::H264, 20, micros), KEY_LEN),
        Stream::Video => (FrameInfo::video(Codec::H264, 20, micros), OTHER_LEN),
    };
    OutFrame {
        stream,
        key,
        info,
        data: &filler[from..from + len],
    }
}

/// The camera, and what it sends.
struct Source<'m> {
    camera: Responder<'m>,
    packetizer: Packetizer,
    video: u64,
    audio: u64,
}

impl Source<'_> {
    /// The frame that is due `micros` after the stream began.
    fn due_frame<'f>(&mut self, micros: u64, filler: &'f [u8]) -> Option<OutFrame<'f>> {
        if self.video * FRAME_MICROS <= micros {
            self.video += 1;
            Some(frame_of(Stream::Video, self.video - 1, filler))
        } else if self.audio * AUDIO_MICROS <= micros {
            self.audio += 1;
            Some(frame_of(Stream::Audio, self.audio - 1, filler))
        } else {
            None
        }
    }

    /// Sends the frames that are due; answers with the bytes that the network lost.
    fn send_frames(&mut self, now: u64, begin: u64, filler: &[u8], wire: &mut Wire) -> u64 {
        let (mut at, mut lost) = (now, 0);
        while let Some(frame) = self.due_frame(now - begin, filler) {
            let mut out = self.packetizer.start(&frame);
            loop {
                let mut memory = [0; 1200];
                let mut tx = TxBuf::new(&mut memory);
                let written = self
                    .camera
                    .write_media(&mut self.packetizer, &mut out, &mut tx);
                if !written.unwrap() {
                    break;
                }
                if !wire.send(at, true, tx.payload()) {
                    lost += tx.len() as u64;
                }
                at += PACKET_MICROS;
            }
        }
        lost
    }
}

/// The app, and what has come out.
struct Sink<'m> {
    app: Initiator<'m>,
    video: Assembler<'m>,
    audio: Assembler<'m>,
}

impl Sink<'_> {
    fn receive(&mut self, cx: &mut Cx<'_>, bytes: &mut [u8]) {
        let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), bytes);
        if let Some(Event::Media(packet)) = self.app.handle_datagram(cx, &mut input).unwrap() {
            match packet.stream {
                Stream::Video => self.video.push(cx.now, &packet),
                Stream::Audio => self.audio.push(cx.now, &packet),
            }
        }
    }

    fn deliver(&mut self, now: Instant, filler: &[u8], outcome: &mut Outcome) {
        outcome.video_delivered += deliver(&mut self.video, now, filler, outcome.video_sent);
        outcome.audio_delivered += deliver(&mut self.audio, now, filler, outcome.audio_sent);
    }
}

/// Streams for `seconds`, and a second more that is not counted.
pub(crate) fn run(mode: Mode, network: Network, seconds: u64, seed: u64) -> Outcome {
    let lossless = mode != Mode::Off;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut repair = RepairMemory::new();
    let mut groups = [const { ParityGroup::new() }; 3];
    let mut own_group = ParityGroup::new();
    let mut copies = vec![0; 512 * RESEND_SLOT];
    let (mut video_memory, mut audio_memory) = (vec![0; 1 << 20], vec![0; 64 << 10]);
    let login = LoginConfig {
        user: b"admin",
        password: b"sim-enr-16byte!!",
        resend: lossless,
    };
    let config = ResponderConfig {
        resend: true,
        ..ResponderConfig::default()
    };
    let mut app = Initiator::new(&login, &mut [], &mut cx);
    app.lend_repair(&mut repair, RepairConfig::DEFAULT);
    let mut camera = Responder::new(&config, &mut [], &mut cx);
    camera.lend_resend(&mut copies);
    if mode == Mode::ResendAndParity {
        app.lend_parity(&mut groups);
        camera.lend_parity(&mut own_group);
    }
    let (video, audio) = if lossless {
        (
            AssemblerConfig::VIDEO_LOSSLESS,
            AssemblerConfig::AUDIO_LOSSLESS,
        )
    } else {
        (AssemblerConfig::VIDEO, AssemblerConfig::AUDIO)
    };
    let sink = Sink {
        app,
        video: Assembler::new(Stream::Video, &mut video_memory, video),
        audio: Assembler::new(Stream::Audio, &mut audio_memory, audio),
    };
    let source = Source {
        camera,
        packetizer: Packetizer::new(),
        video: 0,
        audio: 0,
    };
    let wire = Wire {
        network: Network::default(),
        rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5eed),
        queue: BinaryHeap::new(),
        order: 0,
    };
    stream(sink, source, wire, network, seconds, &mut cx)
}

fn stream(
    mut sink: Sink<'_>,
    mut source: Source<'_>,
    mut wire: Wire,
    network: Network,
    seconds: u64,
    cx: &mut Cx<'_>,
) -> Outcome {
    let filler: Vec<u8> = (0..KEY_LEN + 251).map(|i| (i % 251) as u8).collect();
    let mut outcome = Outcome {
        video_sent: seconds * 1_000_000 / FRAME_MICROS,
        audio_sent: seconds * 1_000_000 / AUDIO_MICROS,
        ..Outcome::default()
    };
    // The login has a good network to itself; the stream begins a second later.
    let begin = 1_000_000;
    for now in (0..begin + (seconds + 1) * 1_000_000).step_by(1000) {
        cx.now = Instant::from_micros(now);
        while let Some(Flying { to, mut bytes, .. }) = wire.due(now) {
            if to == To::App {
                sink.receive(cx, &mut bytes);
                sink.deliver(cx.now, &filler, &mut outcome);
            } else {
                let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), &mut bytes);
                source.camera.handle_datagram(cx, &mut input).unwrap();
            }
        }
        sink.app.handle_timeout(cx).unwrap();
        source.camera.handle_timeout(cx).unwrap();
        sink.deliver(cx.now, &filler, &mut outcome);
        if now >= begin {
            assert!(sink.app.is_logged_in() && source.camera.is_logged_in());
            assert_eq!(sink.app.is_lossless(), source.camera.is_lossless());
            wire.network = network;
            outcome.lost_bytes += source.send_frames(now, begin, &filler, &mut wire);
        }
        drain(&mut source.camera, cx, |bytes| {
            if matches!(Message::parse(bytes), Ok(Message::Media(packet)) if packet.resent) {
                outcome.extra_bytes += bytes.len() as u64;
            }
            wire.send(now, true, bytes);
        });
        drain(&mut sink.app, cx, |bytes| {
            if matches!(Message::parse(bytes), Ok(Message::Ack(ack)) if ack.missing().count() > 0) {
                outcome.extra_bytes += bytes.len() as u64;
            }
            wire.send(now, false, bytes);
        });
    }
    outcome.app = sink.app.stats();
    outcome.camera = source.camera.stats();
    outcome
}

/// Frames that come out now, of those numbered up to `last`.
fn deliver(assembler: &mut Assembler<'_>, now: Instant, filler: &[u8], last: u64) -> u64 {
    let mut count = 0;
    while let Some(output) = assembler.poll(now) {
        if let Output::Frame(r) = output {
            let frame = assembler.frame(r);
            let ordinal = u64::from(frame.number) - 1;
            let sent = frame_of(frame.stream, ordinal, filler);
            assert_eq!(frame.data.len(), sent.data.len());
            assert!(frame.data == sent.data, "frame {} is corrupt", frame.number);
            count += u64::from(ordinal < last);
        }
    }
    count
}
