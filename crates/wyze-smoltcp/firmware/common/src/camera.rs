//! The firmware as a camera: it shows the clip in its flash to the first viewer, once.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use smoltcp::time::{Duration, Instant};
use wyze_smoltcp::session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, Codec, Cx, FrameInfo, LAN_PORT, Memory,
    OutFrame, Outgoing, Storage, Stream,
};
use wyze_smoltcp::{Progress, Server, session_time};

use crate::network::{self, Network};
use crate::{Arguments, Board, Failure, ledger};

/// How long it stays after its last frame: a viewer that has seen enough leaves first.
const LINGER: Duration = Duration::from_millis(1500);
const LIMIT: Duration = Duration::from_secs(60);

/// A frame of the clip, and where its bytes lie.
struct Sample {
    video: bool,
    key: bool,
    /// Microseconds after the first frame.
    at: u64,
    start: usize,
    end: usize,
}

static CLIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/clip.bin"));
include!(concat!(env!("OUT_DIR"), "/clip.rs"));

impl Sample {
    fn frame(&self, now: Instant) -> OutFrame<'static> {
        let micros = session_time(now).as_micros();
        let (stream, info) = if self.video {
            (Stream::Video, FrameInfo::video(Codec::H264, FPS, micros))
        } else {
            let format = AudioFormat {
                sample_rate: SAMPLE_RATE,
                bits: 16,
                channels: CHANNELS,
            };
            let info = FrameInfo::audio(Codec::AacWyze, format, micros);
            (Stream::Audio, info)
        };
        OutFrame {
            stream,
            key: self.key,
            info,
            data: &CLIP[self.start..self.end],
        }
    }
}

/// What the viewer does.
#[derive(Default)]
struct Viewer {
    wants_any: bool,
    let_in: bool,
    gone: bool,
}

/// Serves one viewer.
pub(crate) fn run<B: Board>(board: &mut B, arguments: &Arguments<'_>) -> Result<(), Failure> {
    let mut rng = ChaCha20Rng::from_seed(arguments.seed);
    let mut network_memory = network::Memory::new();
    let mut network = Network::new(board, &mut network_memory, LAN_PORT, rng.next_u64())?;
    network.configure(board, &arguments.address)?;

    let config = CameraConfig {
        framings: arguments.framings,
        two_way: true,
        ..CameraConfig::new(arguments.uid, &arguments.enr, &arguments.mac)
    };
    // Room for what a viewer says; nothing else comes that is put together.
    let (mut memory, mut talk_handshake) = (Memory::<0, 4096>::new(), [0; 512]);
    let storage = Storage {
        talk_handshake: &mut talk_handshake,
        ..memory.split()
    };
    let begun = board.now();
    let mut cx = Cx::new(session_time(begun), &mut rng);
    let camera = Camera::new(&config, storage, &mut cx);
    let mut datagram = [0; 1500];
    let mut server = Server::new(camera, &mut datagram);
    let frames = SAMPLES.iter().filter(|sample| sample.video).count();
    let _ = writeln!(board, "# {} waits for a viewer", arguments.name);
    let _ = writeln!(board, "# a clip of {frames} frames");

    let mut viewer = Viewer::default();
    let (mut start, mut next, mut done) = (None, 0, begun);
    // One step a round, so that acknowledgements and a goodbye are heard between the packets of a frame.
    let mut sending: Option<(Outgoing<'static>, &Sample)> = None;
    loop {
        let received = network.receive(board);
        let now = board.now();
        let mut cx = Cx::new(session_time(now), &mut rng);
        server.poll(network.socket(), &mut cx, |event| {
            note(board, &mut viewer, &event);
        });
        network.transmit(board);
        if viewer.gone {
            let _ = writeln!(board, "# {next} frames of {} sent", SAMPLES.len());
            return Ok(());
        }
        if now > begun + LIMIT {
            return Err(Failure::Timeout("no viewer, or one that does not leave"));
        }
        let mut wait = None;
        if let Some((outgoing, sample)) = &mut sending {
            let progress = server.send_frame(network.socket(), &mut cx, outgoing);
            network.transmit(board);
            if progress == Progress::Done {
                enter(board, sample);
                sending = None;
                done = now;
                continue;
            }
        } else if viewer.wants_any {
            let start = *start.get_or_insert(now);
            match SAMPLES.get(next) {
                Some(sample) if now >= start + Duration::from_micros(sample.at) => {
                    // What the viewer does not want is left out.
                    let outgoing = server.camera().start_frame(&sample.frame(now));
                    sending = outgoing.ok().map(|outgoing| (outgoing, sample));
                    next += 1;
                    done = now;
                    continue;
                }
                Some(sample) => wait = Some(start + Duration::from_micros(sample.at) - now),
                None if now >= done + LINGER => server.camera().close(),
                None => wait = Some(done + LINGER - now),
            }
        }
        if received {
            continue;
        }
        let delay = network.poll_delay(board);
        let delay = server.poll_delay(session_time(now), delay);
        board.sleep(delay.into_iter().chain(wait).min());
    }
}

fn note(board: &mut impl Board, viewer: &mut Viewer, event: &CameraEvent<'_>) {
    match event {
        CameraEvent::Authenticated => viewer.let_in = true,
        CameraEvent::Wanted { video, audio } => viewer.wants_any = *video || *audio,
        // A search that led to nothing is none.
        CameraEvent::Closed(_) => viewer.gone = viewer.let_in,
        _ => {}
    }
    let _ = match event {
        CameraEvent::Audio(frame) => ledger::enter(board, "talk", frame.data),
        CameraEvent::Command { code, .. } => writeln!(board, "# command K{}", code.0),
        event => writeln!(board, "# {event:?}"),
    };
}

/// A frame was sent.
fn enter(board: &mut impl Board, sample: &Sample) {
    let stream = if sample.video { "video" } else { "audio" };
    let _ = ledger::enter(board, stream, &CLIP[sample.start..sample.end]);
}
