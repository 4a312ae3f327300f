//! The firmware as a viewer.
//!
//! ```text
//!   an address ─► search ─► … ─► let in ─► K10042 night vision on ─► K10040 says so ─► talk: a tone ─► talk over
//!                                              └──────── video and audio, chunk by chunk, until the camera hangs up ──┘
//! ```

use core::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use smoltcp::time::{Duration, Instant};
use wyze_smoltcp::session::kauth::command::{
    GetNightVision, NightVision, NightVisionState, SetNightVision,
};
use wyze_smoltcp::session::kauth::{Code, Message};
use wyze_smoltcp::session::{
    AudioFormat, Cause, Client, ClientConfig, Codec, Cx, Event, LAN_PORT, Memory, RequestId,
    Storage, Stream, TalkFrame,
};
use wyze_smoltcp::{Connection, Status, broadcast, session_time};

use crate::ledger::{self, Column};
use crate::network::{self, Network};
use crate::{Arguments, Board, Failure};

/// A minute is ample for a clip of seconds.
const LIMIT: Duration = Duration::from_secs(60);
const TONE_FRAME: Duration = Duration::from_millis(20);
/// 20 ms of 16-bit samples at 8 kHz.
const TONE_BYTES: usize = 320;

/// What is done beside watching, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    SetNight,
    AwaitSet(RequestId),
    GetNight,
    AwaitGet(RequestId),
    StartTalk,
    AwaitTalk,
    Talk { next: Instant },
    Hush,
    Done,
}

/// What has been seen.
struct Seen {
    video: Column,
    audio: Column,
    step: Step,
    night_vision: Option<NightVision>,
    /// Frames of the tone that were sent.
    said: u32,
}

impl Seen {
    fn note(&mut self, board: &mut impl Board, event: &Event<'_>) {
        // The console takes everything.
        let _ = match event {
            Event::Phase(phase) => writeln!(board, "# {phase:?}"),
            Event::Chunk(chunk) => match chunk.stream {
                Stream::Video => self.video.chunk(board, "video", chunk),
                Stream::Audio => self.audio.chunk(board, "audio", chunk),
            },
            Event::Dropped { stream, frame } => {
                match stream {
                    Stream::Video => self.video.dropped += 1,
                    Stream::Audio => self.audio.dropped += 1,
                }
                writeln!(board, "# {stream:?} {frame:?}")
            }
            Event::Reply { id, code, payload } => {
                self.reply(*id, *code, payload);
                Ok(())
            }
            Event::NoReply { code, .. } => writeln!(board, "# no reply to K{}", code.0),
            Event::Authenticated(_) => {
                self.step = Step::SetNight;
                writeln!(board, "# let in")
            }
            Event::TalkReady => {
                if self.step == Step::AwaitTalk {
                    let next = board.now();
                    self.step = Step::Talk { next };
                }
                writeln!(board, "# talk")
            }
            Event::TalkClosed(end) => {
                self.step = Step::Done;
                writeln!(board, "# {end}")
            }
            Event::Closed(cause) => writeln!(board, "# {cause}"),
            _ => Ok(()),
        };
    }

    fn reply(&mut self, id: RequestId, code: Code, payload: &[u8]) {
        match self.step {
            Step::AwaitSet(set) if set == id => self.step = Step::GetNight,
            Step::AwaitGet(get) if get == id => {
                let message = Message {
                    version: 0,
                    code,
                    payload,
                };
                let state = message.reply_to::<GetNightVision>().ok();
                self.night_vision = state.map(|NightVisionState { mode }| mode);
                self.step = Step::StartTalk;
            }
            _ => {}
        }
    }
}

/// Watches until the camera hangs up.
pub(crate) fn run<B: Board>(board: &mut B, arguments: &Arguments<'_>) -> Result<(), Failure> {
    let mut rng = ChaCha20Rng::from_seed(arguments.seed);
    let mut network_memory = network::Memory::new();
    let port = 0xc000 | rng.next_u32() as u16;
    let mut network = Network::new(board, &mut network_memory, port, rng.next_u64())?;
    let _ = writeln!(board, "# {}", arguments.name);
    let address = network.configure(board, &arguments.address)?;
    let targets = [arguments
        .camera
        .map_or_else(|| broadcast(address, LAN_PORT), SocketAddr::V4)];
    let config = ClientConfig {
        framings: arguments.framings,
        ..ClientConfig::new(arguments.uid, &arguments.enr, &arguments.mac, &targets)
    };
    let (mut memory, mut talk_handshake) = (Memory::<0, 0>::new(), [0; 512]);
    let storage = Storage {
        talk_handshake: &mut talk_handshake,
        ..memory.split()
    };
    let begun = board.now();
    let client = Client::new(
        &config,
        storage,
        &mut Cx::new(session_time(begun), &mut rng),
    );
    let mut datagram = [0; 1500];
    let mut connection = Connection::new(client, &mut datagram);
    let mut seen = Seen {
        video: Column::default(),
        audio: Column::default(),
        step: Step::Connect,
        night_vision: None,
        said: 0,
    };

    loop {
        let received = network.receive(board);
        let now = board.now();
        let mut cx = Cx::new(session_time(now), &mut rng);
        let status = connection.poll(network.socket(), &mut cx, |event| seen.note(board, &event));
        if let Status::Closed(cause) = status {
            network.transmit(board);
            return report(board, &seen, cause, arguments.tone);
        }
        let again = act(
            board,
            &mut network,
            &mut connection,
            &mut seen,
            arguments.tone,
            &mut cx,
        )?;
        network.transmit(board);
        if now > begun + LIMIT {
            return Err(Failure::Timeout("the camera does not hang up"));
        }
        if received {
            continue;
        }
        let delay = network.poll_delay(board);
        let delay = connection.poll_delay(session_time(now), delay);
        board.sleep(delay.into_iter().chain(again).min());
    }
}

/// Does what comes next beside watching. How long until there is more to do.
fn act<B: Board>(
    board: &mut B,
    network: &mut Network<'_>,
    connection: &mut Connection<'_, '_>,
    seen: &mut Seen,
    tone_frames: u32,
    cx: &mut Cx<'_>,
) -> Result<Option<Duration>, Failure> {
    let client = connection.client();
    seen.step = match seen.step {
        Step::SetNight => {
            let mode = NightVision::On;
            let id = client.request(cx, &SetNightVision { mode });
            Step::AwaitSet(id.map_err(|_| Failure::Step("K10042"))?)
        }
        Step::GetNight => {
            let id = client.request(cx, &GetNightVision {});
            Step::AwaitGet(id.map_err(|_| Failure::Step("K10040"))?)
        }
        Step::StartTalk => {
            let started = client.start_talk(cx);
            started.map_err(|_| Failure::Step("the talk does not begin"))?;
            Step::AwaitTalk
        }
        Step::Talk { .. } if seen.said == tone_frames => {
            let stopped = client.stop_talk(cx);
            stopped.map_err(|_| Failure::Step("the talk does not end"))?;
            Step::Hush
        }
        Step::Talk { next } => {
            let now = board.now();
            if now < next {
                return Ok(Some(next - now));
            }
            let data = tone(seen.said);
            let frame = TalkFrame {
                codec: Codec::Pcm16,
                format: AudioFormat {
                    sample_rate: 8000,
                    bits: 16,
                    channels: 1,
                },
                micros: session_time(now).as_micros() as u32,
                data: &data,
            };
            if connection.send_audio(network.socket(), cx, &frame).is_ok() {
                let _ = ledger::enter(board, "talk", &data);
                seen.said += 1;
            }
            Step::Talk {
                next: next + TONE_FRAME,
            }
        }
        waiting => {
            seen.step = waiting;
            return Ok(None);
        }
    };
    Ok(Some(Duration::ZERO))
}

/// 20 ms of a triangle of 400 Hz, which rises a little from frame to frame so that no two are alike.
fn tone(number: u32) -> [u8; TONE_BYTES] {
    let mut data = [0; TONE_BYTES];
    let height = 400 + 10 * number as i16;
    for (i, sample) in data.chunks_exact_mut(2).enumerate() {
        let phase = (i % 20) as i16;
        let triangle = if phase < 10 { phase - 5 } else { 15 - phase };
        sample.copy_from_slice(&(triangle * height).to_le_bytes());
    }
    data
}

/// Says what was seen, and whether that is a success: the camera hung up, after everything was done.
fn report(
    board: &mut impl Board,
    seen: &Seen,
    cause: Cause,
    tone_frames: u32,
) -> Result<(), Failure> {
    let _ = writeln!(
        board,
        "# {} video frames, {} dropped; {} audio frames, {} dropped; night vision {:?}; {} frames said",
        seen.video.frames,
        seen.video.dropped,
        seen.audio.frames,
        seen.audio.dropped,
        seen.night_vision,
        seen.said
    );
    // Of a goodbye that was lost nothing is heard but the silence after it.
    if !matches!(cause, Cause::Peer | Cause::Lost) {
        return Err(Failure::Closed(cause));
    }
    if seen.night_vision != Some(NightVision::On) {
        return Err(Failure::Step("night vision is not on"));
    }
    if seen.said != tone_frames {
        return Err(Failure::Step("the tone was not said"));
    }
    Ok(())
}
