//! A camera on a UDP socket: several viewers, each with its own session, all of them watching the same source.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wyze_session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, CameraState, Codec, Datagram, FrameInfo,
    Instant, MediaError, Memory, OutFrame, Outgoing, ParityGroup, RESEND_SLOT, Storage, Stream,
};

use crate::Clock;
use crate::socket::Socket;

/// Datagrams of one frame that go out before the viewer gets a moment to empty its socket.
const BURST: usize = 16;
/// That moment.
const BURST_GAP: Duration = Duration::from_millis(1);
/// Packets kept for viewers in lossless mode: 600 ms of 6 Mbit/s.
const RESEND_PACKETS: usize = 512;
/// Bytes for a viewer's audio while it is put in order.
const AUDIO_ROOM: usize = 16 << 10;
/// Largest datagram of the protocol, bytes (`docs/protocol.md` §2.15).
const MAX_DATAGRAM: usize = 2048;
/// The longest sleep: how soon `stop` is noticed.
const MAX_WAIT: Duration = Duration::from_millis(50);

/// One frame of a [`Source`].
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Video or audio.
    pub stream: Stream,
    /// Whether decoding can begin here (video).
    pub key: bool,
    /// What `data` is: H.264 and H.265 as Annex B with parameter sets before key frames, AAC with ADTS headers.
    pub codec: Codec,
    /// When it is due after the start.
    pub at: Duration,
    /// The frame's bytes.
    pub data: &'a [u8],
    /// Frames a second (video), 0 when unknown.
    pub fps: u8,
    /// Samples a second (audio), 0 when unknown.
    pub sample_rate: u32,
    /// Channels (audio).
    pub channels: u8,
}

/// What a camera shows: frames in order of time, beginning with a key frame.
pub trait Source {
    /// Frame `index`, or `None` behind the last one.
    fn sample(&self, index: usize) -> Option<Sample<'_>>;

    /// How long it lasts, for those who repeat it.
    fn duration(&self) -> Duration;
}

/// How [`serve`] behaves.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions<'a> {
    /// The camera.
    pub camera: CameraConfig<'a>,
    /// How many viewers it has room for. One more gets an answer to its search and no session, as from a real camera.
    pub slots: usize,
    /// Begin again at the end of the source; otherwise the session is closed there.
    pub repeat: bool,
    /// Return after the first viewer that was let in has gone.
    pub once: bool,
    /// Send a parity packet behind every 20 packets to viewers in lossless mode. That it is their XOR is inferred
    /// (`docs/protocol.md` §2.8).
    pub parity: bool,
}

/// What happens to a served camera.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'e> {
    /// Something happened in a viewer's session.
    Viewer {
        /// Which slot.
        slot: usize,
        /// What.
        event: CameraEvent<'e>,
    },
    /// A frame went out whole.
    Sent {
        /// Which slot.
        slot: usize,
        /// Which stream.
        stream: Stream,
        /// The frame's bytes.
        data: &'e [u8],
    },
    /// A frame that the viewer wants was not sent.
    Unsent {
        /// Which slot.
        slot: usize,
        /// Which stream.
        stream: Stream,
        /// Why.
        error: MediaError,
    },
}

/// What a camera has sent to all viewers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions of viewers that were let in, and have ended.
    pub sessions: u64,
    /// Video frames.
    pub video_frames: u64,
    /// Audio frames.
    pub audio_frames: u64,
    /// Bytes of both, without headers.
    pub bytes: u64,
}

/// Memory of one viewer's place.
struct SlotMemory {
    session: Memory<0, AUDIO_ROOM>,
    resend: Vec<u8>,
    talk_handshake: [u8; 512],
    parity: [ParityGroup; 1],
}

impl SlotMemory {
    fn new() -> Self {
        Self {
            session: Memory::new(),
            resend: vec![0; RESEND_PACKETS * RESEND_SLOT],
            talk_handshake: [0; 512],
            parity: [ParityGroup::new()],
        }
    }
}

/// One viewer's place.
struct Slot<'m, 's> {
    camera: Camera<'m>,
    playback: Playback<'s>,
}

/// Source time zero on both clocks.
#[derive(Clone, Copy)]
struct Origin {
    monotonic: Instant,
    /// Since the Unix epoch; what FRAMEINFO counts from.
    wall: Duration,
}

/// Where one viewer is in the source.
#[derive(Default)]
struct Playback<'s> {
    /// When the present round began, once the viewer wants media.
    start: Option<Origin>,
    /// Next sample.
    next: usize,
    /// A frame that is going out.
    current: Option<(Outgoing<'s>, Sample<'s>)>,
    /// The rest of it waits until then.
    resume: Option<Instant>,
    /// Video waits for a key frame: it has been off.
    gated: bool,
}

/// Serves `source` to viewers until `stop` is set, or the first viewer has gone and `once` is set.
///
/// `report` hears of every session and every frame. `socket` does not block any more afterwards.
///
/// # Errors
/// The socket failed. What viewers do is no error.
pub fn serve<S: Source>(
    socket: &UdpSocket,
    options: &ServeOptions<'_>,
    source: &S,
    stop: &AtomicBool,
    mut report: impl FnMut(Report<'_>),
) -> io::Result<Totals> {
    let mut clock = Clock::new();
    let mut memory: Vec<SlotMemory> = Vec::new();
    memory.resize_with(options.slots + 1, SlotMemory::new);
    let mut slots: Vec<Slot<'_, '_>> = memory
        .iter_mut()
        .enumerate()
        .map(|(i, memory)| {
            // The last one only answers searches while all the others are taken.
            let config = CameraConfig {
                accept: i < options.slots && options.camera.accept,
                ..options.camera
            };
            let storage = Storage {
                resend: &mut memory.resend,
                talk_handshake: &mut memory.talk_handshake,
                parity: if options.parity {
                    &mut memory.parity
                } else {
                    &mut []
                },
                ..memory.session.split()
            };
            Slot {
                camera: Camera::new(&config, storage, &mut clock.cx()),
                playback: Playback::default(),
            }
        })
        .collect();
    let mut server = Server {
        socket: Socket::new(socket.try_clone()?)?,
        options,
        source,
        clock,
        totals: Totals::default(),
        state: CameraState::new(),
        report: &mut report,
        transmit: [0; 1500],
    };
    let mut buf = [0; MAX_DATAGRAM];
    while !stop.load(Ordering::Relaxed) {
        for (i, slot) in slots.iter_mut().enumerate() {
            server.run_slot(i, slot);
        }
        if options.once && server.totals.sessions > 0 {
            break;
        }
        let now = server.clock.now();
        let wake = slots.iter().filter_map(|slot| server.wake(slot)).min();
        let wait = wake.map_or(MAX_WAIT, |at| at.since(now).min(MAX_WAIT));
        server.socket.wait(now, wait)?;
        while let Some((from, bytes)) = server.next_datagram(&mut buf) {
            let i = route(&slots, from, bytes);
            if let Some(slot) = slots.get_mut(i) {
                server.read(i, slot, from, bytes);
                // A camera keeps one answer: it goes out before the next question is read.
                server.send_control(slot);
            }
        }
        // Also behind a datagram: where they never cease to come, time would stand still otherwise.
        server.handle_timeouts(&mut slots);
    }
    for (i, slot) in slots.iter_mut().enumerate() {
        if slot.camera.peer().is_some() {
            slot.camera.close();
            server.run_slot(i, slot);
        }
    }
    Ok(server.totals)
}

/// The slot for a datagram from `from`: that of the viewer there, else that of the viewer who has moved there, else the
/// first idle one, else the one that only answers searches.
fn route(slots: &[Slot<'_, '_>], from: SocketAddr, datagram: &[u8]) -> usize {
    let own = slots.iter().position(|s| s.camera.peer() == Some(from));
    own.or_else(|| slots.iter().position(|s| s.camera.claims(datagram)))
        .or_else(|| slots.iter().position(|s| s.camera.is_idle()))
        .unwrap_or(slots.len() - 1)
}

struct Server<'a, S, R> {
    socket: Socket,
    options: &'a ServeOptions<'a>,
    source: &'a S,
    clock: Clock,
    totals: Totals,
    /// What viewers have set; all see the same.
    state: CameraState,
    report: &'a mut R,
    transmit: [u8; 1500],
}

impl<'a, S: Source, R: FnMut(Report<'_>)> Server<'a, S, R> {
    /// Copies the next datagram out of the socket, so that it can be answered while it is read.
    fn next_datagram<'b>(&mut self, buf: &'b mut [u8]) -> Option<(SocketAddr, &'b mut [u8])> {
        let (from, bytes) = self.socket.next()?;
        let copy = buf.get_mut(..bytes.len().min(MAX_DATAGRAM))?;
        copy.copy_from_slice(bytes.get(..copy.len())?);
        Some((from, copy))
    }

    fn read(&mut self, i: usize, slot: &mut Slot<'_, 'a>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = slot
            .camera
            .handle_datagram(&mut self.clock.cx(), &mut input)
        {
            if let CameraEvent::Command { code, payload } = &event {
                slot.camera.answer(&mut self.state, *code, payload);
            }
            (self.report)(Report::Viewer { slot: i, event });
        }
    }

    fn handle_timeouts(&mut self, slots: &mut [Slot<'_, 'a>]) {
        for slot in slots {
            slot.camera.handle_timeout(&mut self.clock.cx());
        }
    }

    /// Sends what is due to one viewer: control first, then frames.
    fn run_slot(&mut self, i: usize, slot: &mut Slot<'_, 'a>) {
        self.send_control(slot);
        self.play(i, slot);
        self.send_control(slot);
        let mut closed = false;
        while let Some(event) = slot.camera.poll_event(&mut self.clock.cx()) {
            closed |= matches!(event, CameraEvent::Closed(_));
            (self.report)(Report::Viewer { slot: i, event });
        }
        if closed {
            self.totals.sessions += u64::from(slot.camera.is_authenticated());
            slot.camera.reset(&mut self.clock.cx());
            slot.playback = Playback::default();
        }
    }

    fn send_control(&mut self, slot: &mut Slot<'_, 'a>) {
        while let Some(t) = slot
            .camera
            .poll_transmit(&mut self.clock.cx(), &mut self.transmit)
        {
            self.socket.send(t.datagram, t.to);
        }
    }

    /// When a slot next has something to do.
    fn wake(&self, slot: &Slot<'_, 'a>) -> Option<Instant> {
        let frame = self.next_frame_at(slot);
        [slot.camera.poll_timeout(), frame]
            .into_iter()
            .flatten()
            .min()
    }

    fn next_frame_at(&self, slot: &Slot<'_, 'a>) -> Option<Instant> {
        let playback = &slot.playback;
        if playback.resume.is_some() {
            return playback.resume;
        }
        let sample = self.source.sample(playback.next)?;
        Some(playback.start?.monotonic + sample.at)
    }

    /// Sends frames that are due.
    fn play(&mut self, i: usize, slot: &mut Slot<'_, 'a>) {
        let wants_any = slot.camera.wants(Stream::Video) || slot.camera.wants(Stream::Audio);
        if slot.playback.start.is_none() {
            if !wants_any {
                return;
            }
            slot.playback.start = Some(Origin {
                monotonic: self.clock.now(),
                wall: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            });
        }
        loop {
            if slot.playback.current.is_some() && !self.send_burst(i, slot) {
                return;
            }
            let (now, Some(start)) = (self.clock.now(), slot.playback.start) else {
                return;
            };
            let Some(sample) = self.source.sample(slot.playback.next) else {
                let round = self.source.duration();
                if !self.options.repeat || round.is_zero() {
                    slot.camera.close();
                    return;
                }
                slot.playback.next = 0;
                slot.playback.start = Some(Origin {
                    monotonic: start.monotonic + round,
                    wall: start.wall + round,
                });
                continue;
            };
            if start.monotonic + sample.at > now {
                return;
            }
            slot.playback.next += 1;
            self.start(i, slot, sample, start.wall + sample.at);
        }
    }

    /// Begins to send a sample, unless the viewer does not want it or could not decode it.
    fn start(&mut self, i: usize, slot: &mut Slot<'_, 'a>, sample: Sample<'a>, wall: Duration) {
        let wanted = slot.camera.wants(sample.stream);
        if sample.stream == Stream::Video {
            slot.playback.gated = !wanted || (slot.playback.gated && !sample.key);
            if slot.playback.gated {
                return;
            }
        }
        let frame = out_frame(&sample, wall);
        match slot.camera.start_frame(&frame) {
            Ok(outgoing) => {
                slot.playback.current = Some((outgoing, sample));
                slot.playback.resume = None;
            }
            Err(MediaError::NotWanted) => {}
            Err(error) => {
                // What refers to a picture that was left out can't be decoded.
                slot.playback.gated |= sample.stream == Stream::Video;
                (self.report)(Report::Unsent {
                    slot: i,
                    stream: sample.stream,
                    error,
                });
            }
        }
    }

    /// Sends the next datagrams of the current frame; `true` when it is finished.
    fn send_burst(&mut self, i: usize, slot: &mut Slot<'_, 'a>) -> bool {
        let now = self.clock.now();
        if slot.playback.resume.is_some_and(|at| at > now) {
            return false;
        }
        let Some((mut outgoing, sample)) = slot.playback.current.take() else {
            return true;
        };
        for _ in 0..BURST {
            let Some(t) =
                slot.camera
                    .poll_frame(&mut self.clock.cx(), &mut outgoing, &mut self.transmit)
            else {
                slot.playback.resume = None;
                // A viewer that has left in the middle of a frame has not got it.
                if slot.camera.wants(sample.stream) {
                    self.count(i, &sample);
                }
                return true;
            };
            self.socket.send(t.datagram, t.to);
        }
        slot.playback.current = Some((outgoing, sample));
        slot.playback.resume = Some(now + BURST_GAP);
        false
    }

    fn count(&mut self, slot: usize, sample: &Sample<'a>) {
        match sample.stream {
            Stream::Video => self.totals.video_frames += 1,
            Stream::Audio => self.totals.audio_frames += 1,
        }
        self.totals.bytes += sample.data.len() as u64;
        (self.report)(Report::Sent {
            slot,
            stream: sample.stream,
            data: sample.data,
        });
    }
}

/// A sample as the packetizer wants it, stamped with the wall clock as cameras do.
fn out_frame<'s>(sample: &Sample<'s>, clock: Duration) -> OutFrame<'s> {
    let micros = u64::try_from(clock.as_micros()).unwrap_or(u64::MAX);
    let info = match sample.stream {
        Stream::Video => FrameInfo::video(sample.codec, sample.fps, micros),
        Stream::Audio => {
            let format = AudioFormat {
                sample_rate: sample.sample_rate,
                bits: if matches!(sample.codec, Codec::Pcmu | Codec::Pcma) {
                    8
                } else {
                    16
                },
                channels: sample.channels,
            };
            FrameInfo::audio(sample.codec, format, micros)
        }
    };
    OutFrame {
        stream: sample.stream,
        key: sample.key,
        info,
        data: sample.data,
    }
}
