//! Writing fragmented MP4.
//!
//! ```text
//! Gathering ── first key frame with its parameter sets, and audio known or given up ──▶ Writing ── finish, error ──▶ Finished
//! ```

mod boxes;
mod stored;
mod timeline;
mod writing;

use std::io::Write;

use crate::nal::ParameterSets;
use crate::{AudioFrame, Sink, SinkError, SinkStats, VideoCodec, VideoFrame};
use boxes::TrackHeader;
use stored::{AudioTrack, Queued, Unit, store_audio};
use timeline::Stream;
use writing::{Writing, emit, unencodable};

const VIDEO_TIMESCALE: u32 = 90_000;
/// How much video is held back until the first audio frame, in camera time, frames and bytes.
const GATHER_US: u64 = 1_000_000;
const GATHER_FRAMES: usize = 256;
const GATHER_BYTES: usize = 8 << 20;
/// Audio frames that are kept while no key frame has come.
const EARLY_AUDIO_FRAMES: usize = 64;
/// What may be held of NAL units that came without a picture.
const PREFIX_BYTES: usize = 1 << 20;

/// When a fragment is closed and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fragments {
    /// Before every key frame, and after one second at the latest: right for files. A process that is killed loses
    /// that second.
    #[default]
    KeyFrame,
    /// After every frame: right for pipes into a player, which shows the frame at once.
    EveryFrame,
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fmp4Options {
    /// When to write.
    pub fragments: Fragments,
    /// Whether to store audio. If not, the first key frame is written without waiting for audio.
    pub audio: bool,
}

impl Default for Fmp4Options {
    fn default() -> Self {
        Self {
            fragments: Fragments::default(),
            audio: true,
        }
    }
}

/// Writes fragmented MP4 (ISO/IEC 14496-12) with one video and at most one audio track. What is written is playable at
/// any moment, up to the last whole fragment: a killed process leaves a valid file.
///
/// - **Start.** Nothing is written before the first key frame with its parameter sets, and then not before the first
///   audio frame, since the tracks stand at the start of the file. If there is no audio within one second of video (or
///   256 frames, or 8 MiB), the file gets none; audio that comes later is counted as left out. Audio that ends before
///   the first key frame is dropped.
/// - **Video is bit-exact.** Every NAL unit is stored as it came, parameter sets and delimiters included; only start
///   codes become lengths. The parameter sets of the first key frame are in the header as well.
/// - **Parameter sets that change** on the way, for instance with the resolution, stay in the stream in front of their
///   key frame, where decoders find them; the header keeps the first ones, since a file has one header. A change of
///   codec is an error: [`SinkError::CodecChanged`].
/// - **NAL units that come without a picture** are stored together with the next picture.
/// - **Time** is the camera's, from the first frame on. Gaps survive. Frames never go back in time; if the camera's
///   clock is set, time goes on without a gap. Audio is laid end to end as long as its stamps agree within 40 ms.
/// - **AAC** loses its ADTS headers; these are made into the track's configuration. G.711 and PCM are stored under
///   their QuickTime codes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wyze_media::{Clip, Fmp4Options, Fmp4Writer, Sink, Track, VideoFrame};
///
/// let clip = Clip::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo.mp4"))?;
/// let codec = clip.video().ok_or("no video")?.codec;
/// let mut writer = Fmp4Writer::new(Vec::new(), Fmp4Options { audio: false, ..Default::default() });
/// for sample in clip.samples().iter().filter(|s| s.track == Track::Video) {
///     let time_us = sample.time.as_micros() as u64;
///     writer.write_video(VideoFrame { codec, time_us, key: sample.key, data: &sample.data })?;
/// }
/// writer.finish()?;
/// assert_eq!(writer.stats().video_frames, 100);
/// let again = Clip::from_bytes(&writer.into_inner())?;
/// assert_eq!(again.video(), clip.video());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Fmp4Writer<W> {
    out: W,
    options: Fmp4Options,
    stats: SinkStats,
    /// NAL units that wait for their picture, with lengths.
    prefix: Vec<u8>,
    /// From how many frames.
    prefix_frames: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Gathering(Gathering),
    Writing(Box<Writing>),
    Finished,
}

/// Frames that wait until it is known which tracks there are.
#[derive(Debug, Default)]
struct Gathering {
    /// Those in force.
    sets: ParameterSets,
    /// The first key frame.
    video: Option<Start>,
    audio: Option<AudioTrack>,
    queue: Vec<Queued>,
    bytes: usize,
}

/// What the first key frame settles.
#[derive(Debug)]
struct Start {
    codec: VideoCodec,
    time_us: u64,
    /// Those of the header.
    sets: ParameterSets,
}

impl<W: Write> Fmp4Writer<W> {
    /// Writes to `out`: one `write_all` and one `flush` for the header and each fragment.
    pub fn new(out: W, options: Fmp4Options) -> Self {
        Self {
            out,
            options,
            stats: SinkStats::default(),
            prefix: Vec::new(),
            prefix_frames: 0,
            stage: Stage::Gathering(Gathering::default()),
        }
    }

    /// Gives the writer back. What was not written before [`Sink::finish`] is lost.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn take_video(&mut self, frame: VideoFrame<'_>) -> Result<(), SinkError> {
        let codec = frame.codec;
        if let Some(from) = self.stage.codec()
            && from != codec
        {
            return Err(SinkError::CodecChanged { from, to: codec });
        }
        let Some(unit) = Unit::read(&frame) else {
            self.stats.malformed += 1;
            return Ok(());
        };
        let changed = match &mut self.stage {
            Stage::Gathering(gathering) => {
                let known = gathering.sets.clone();
                gathering.sets.update(unit.sets);
                gathering.video.is_some() && known != gathering.sets
            }
            Stage::Writing(writing) => {
                let known = writing.sets.clone();
                writing.sets.update(unit.sets);
                known != writing.sets
            }
            Stage::Finished => return Err(SinkError::Finished),
        };
        self.stats.parameter_changes += u64::from(changed);
        if !unit.has_picture {
            if self.prefix.len() + unit.data.len() > PREFIX_BYTES {
                self.stats.malformed += 1;
            } else {
                self.prefix.extend_from_slice(&unit.data);
                self.prefix_frames += 1;
            }
            return Ok(());
        }
        let mut data = std::mem::take(&mut self.prefix);
        data.extend_from_slice(&unit.data);
        let frames = 1 + std::mem::take(&mut self.prefix_frames);
        if let Stage::Gathering(gathering) = &mut self.stage
            && gathering.video.is_none()
        {
            if !(unit.key && gathering.sets.complete(codec)) {
                self.stats.before_key += frames;
                return Ok(());
            }
            gathering.video = Some(Start {
                codec,
                time_us: frame.time_us,
                sets: gathering.sets.clone(),
            });
        }
        self.stats.video_frames += frames;
        self.push(Queued {
            stream: Stream::Video,
            time_us: frame.time_us,
            key: unit.key,
            duration: 0,
            data,
        })
    }

    fn take_audio(&mut self, frame: AudioFrame<'_>) -> Result<(), SinkError> {
        if !self.options.audio {
            self.stats.audio_left_out += 1;
            return Ok(());
        }
        let Some((track, frames)) = store_audio(&frame) else {
            self.stats.malformed += 1;
            return Ok(());
        };
        let fits = match &mut self.stage {
            Stage::Gathering(gathering) => *gathering.audio.get_or_insert(track) == track,
            Stage::Writing(writing) => writing.holds(track),
            Stage::Finished => return Err(SinkError::Finished),
        };
        if !fits {
            self.stats.audio_left_out += 1;
            return Ok(());
        }
        self.stats.audio_frames += frames.len() as u64;
        frames.into_iter().try_for_each(|queued| self.push(queued))
    }

    fn push(&mut self, queued: Queued) -> Result<(), SinkError> {
        match &mut self.stage {
            Stage::Gathering(gathering) => {
                let dropped = gathering.push(queued);
                self.stats.before_key += dropped;
                self.stats.audio_frames -= dropped;
                if gathering.ready(self.options.audio) {
                    self.start()?;
                }
                Ok(())
            }
            Stage::Writing(writing) => writing.push(
                queued,
                self.options.fragments,
                &mut self.out,
                &mut self.stats,
            ),
            Stage::Finished => Err(SinkError::Finished),
        }
    }

    /// Writes the header and what was gathered.
    fn start(&mut self) -> Result<(), SinkError> {
        let Stage::Gathering(gathering) = std::mem::replace(&mut self.stage, Stage::Finished)
        else {
            return Err(SinkError::Finished);
        };
        let Some(first) = gathering.video else {
            return Err(SinkError::NothingWritten);
        };
        let timescale = gathering.audio.map_or(1, |audio| audio.timescale());
        let (queue, early): (Vec<_>, Vec<_>) = gathering.queue.into_iter().partition(|queued| {
            let lasts_us = u64::from(queued.duration) * 1_000_000 / u64::from(timescale);
            queued.stream == Stream::Video
                || queued.time_us.saturating_add(lasts_us) > first.time_us
        });
        self.stats.before_key += early.len() as u64;
        self.stats.audio_frames -= early.len() as u64;
        // The clocks of both streams are one, so the earlier one of them is the start of the file.
        let origin_us = queue
            .iter()
            .filter(|queued| queued.stream == Stream::Audio)
            .map(|queued| queued.time_us)
            .fold(first.time_us, u64::min);
        let mut headers = vec![TrackHeader {
            entry: boxes::video_entry(first.codec, &first.sets).map_err(parameter_sets)?,
            timescale: VIDEO_TIMESCALE,
        }];
        if let Some(audio) = gathering.audio {
            headers.push(TrackHeader {
                entry: boxes::audio_entry(audio.format, audio.aac).map_err(unencodable)?,
                timescale,
            });
        }
        let header = boxes::header(&headers).map_err(parameter_sets)?;
        let mut writing = Writing::new(
            first.codec,
            gathering.sets,
            origin_us,
            VIDEO_TIMESCALE,
            gathering.audio,
        );
        emit(&mut self.out, &header, &mut self.stats)?;
        for queued in queue {
            writing.push(
                queued,
                self.options.fragments,
                &mut self.out,
                &mut self.stats,
            )?;
        }
        self.stage = Stage::Writing(Box::new(writing));
        Ok(())
    }

    fn close(&mut self) -> Result<(), SinkError> {
        if matches!(self.stage, Stage::Gathering(_)) {
            self.start()?;
        }
        match &mut self.stage {
            Stage::Writing(writing) => writing.cut(None, &mut self.out, &mut self.stats),
            _ => Err(SinkError::Finished),
        }
    }

    /// An error ends the writer.
    fn end_on_error(&mut self, result: Result<(), SinkError>) -> Result<(), SinkError> {
        if result.is_err() {
            self.stage = Stage::Finished;
        }
        result
    }
}

impl<W: Write> Sink for Fmp4Writer<W> {
    fn write_video(&mut self, frame: VideoFrame<'_>) -> Result<(), SinkError> {
        let result = self.take_video(frame);
        self.end_on_error(result)
    }

    fn write_audio(&mut self, frame: AudioFrame<'_>) -> Result<(), SinkError> {
        let result = self.take_audio(frame);
        self.end_on_error(result)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let result = self.close();
        self.stage = Stage::Finished;
        result
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}

impl Stage {
    fn codec(&self) -> Option<VideoCodec> {
        match self {
            Self::Gathering(gathering) => gathering.video.as_ref().map(|first| first.codec),
            Self::Writing(writing) => Some(writing.codec),
            Self::Finished => None,
        }
    }
}

impl Gathering {
    /// Returns how many frames had to go because no key frame comes.
    fn push(&mut self, queued: Queued) -> u64 {
        self.bytes += queued.data.len();
        self.queue.push(queued);
        if self.video.is_none() && self.queue.len() > EARLY_AUDIO_FRAMES {
            self.bytes -= self.queue.remove(0).data.len();
            return 1;
        }
        0
    }

    fn ready(&self, audio_wanted: bool) -> bool {
        let Some(first) = &self.video else {
            return false;
        };
        let waited_us = self
            .queue
            .last()
            .map_or(0, |last| last.time_us.abs_diff(first.time_us));
        self.audio.is_some()
            || !audio_wanted
            || waited_us >= GATHER_US
            || self.queue.len() >= GATHER_FRAMES
            || self.bytes >= GATHER_BYTES
    }
}

fn parameter_sets(error: shiguredo_mp4::Error) -> SinkError {
    SinkError::ParameterSets(error.reason)
}
