//! Sound to be played by a camera: read, converted to what the camera plays, cut into frames.
//!
//! ```text
//!   WAV, raw PCM ─ linear ─► mono ─ resample ─► rate of the camera ─ G.711 or 16 bit ─► frames
//!   ADTS AAC, Ogg Opus ─ coded ─────────────────────────────────────────────────────────► frames
//! ```

mod coded;
mod detect;
mod error;
mod linear;
mod peek;
mod resample;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use audio_codec_algorithms::{encode_alaw, encode_ulaw};

use self::coded::{Adts, Opus};
use self::detect::Kind;
pub use self::error::AudioInputError;
use self::error::{Name, Problem};
use self::linear::Linear;
use self::peek::Peek;
use self::resample::Resampler;
use crate::{AudioCodec, AudioFormat};

/// Longest frame, bytes: what fits into one packet to a camera (`docs/protocol.md` §2.8).
pub(crate) const MAX_FRAME: usize = 1024;
/// Samples of a G.711 frame, whatever the rate (`docs/protocol.md` §2.10).
const G711_FRAME: usize = 160;

/// How to read samples that have no header: 16 bit, signed, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPcm {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels, interleaved.
    pub channels: u8,
}

/// What the frames shall be: what the camera's own audio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundTarget {
    /// Codec, rate and channels.
    pub format: AudioFormat,
    /// Samples in a frame of PCM; `None` stands for 20 ms. More than fits into 1024 bytes is cut.
    pub pcm_frame: Option<u32>,
}

/// A frame for a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundFrame {
    /// The coded frame, at most 1024 bytes; AAC with its ADTS header.
    pub data: Vec<u8>,
    /// How long it plays, in samples of [`SoundFrames::clock_rate`].
    pub samples: u32,
}

/// A sound that is open for reading.
///
/// ```
/// use wyze_media::{AudioCodec, AudioFormat, AudioInput, SoundTarget};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk/pcm24.wav");
/// let input = AudioInput::open(path, None)?;
/// let target = SoundTarget {
///     format: AudioFormat { codec: AudioCodec::Pcma, sample_rate: 8_000, channels: 1 },
///     pcm_frame: None,
/// };
/// for frame in input.into_frames(target)? {
///     assert_eq!(frame?.data.len(), 160);
/// }
/// # Ok::<(), wyze_media::AudioInputError>(())
/// ```
pub struct AudioInput {
    name: Name,
    source: Source,
}

enum Source {
    Linear(Linear),
    Adts(Adts),
    Opus(Box<Opus>),
}

impl AudioInput {
    /// Opens a file: WAV, ADTS AAC or Ogg Opus by its content; with `raw` also samples without a header.
    ///
    /// # Errors
    /// It cannot be read or is something else; the message names the remedy.
    pub fn open(path: impl AsRef<Path>, raw: Option<RawPcm>) -> Result<Self, AudioInputError> {
        let path = path.as_ref();
        let name = Name::of(path);
        let looks_raw = path.extension().is_some_and(|e| {
            let e = e.to_ascii_lowercase();
            ["pcm", "raw", "s16le", "s16"].iter().any(|raw| e == *raw)
        });
        let file = File::open(path).map_err(|e| AudioInputError::new(&name, Problem::Io(e)))?;
        Self::new(name, Box::new(file), raw, looks_raw)
    }

    /// Reads standard input, or what takes its place. No more is waited for than is needed to tell what it is.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn from_stdin(
        stdin: impl Read + Send + 'static,
        raw: Option<RawPcm>,
    ) -> Result<Self, AudioInputError> {
        Self::new(Name::Stdin, Box::new(stdin), raw, false)
    }

    fn new(
        name: Name,
        bytes: peek::Bytes,
        raw: Option<RawPcm>,
        looks_raw: bool,
    ) -> Result<Self, AudioInputError> {
        let mut bytes = Peek::new(bytes);
        let piped = name == Name::Stdin;
        let source = Kind::detect(&mut bytes, raw.is_some() || looks_raw)
            .map_err(Problem::Io)
            .and_then(|kind| match (kind, raw) {
                (Kind::Empty, _) => Err(Problem::Empty),
                (Kind::Wav, _) => Linear::wav(bytes, piped).map(Source::Linear),
                (Kind::Adts, _) => Adts::new(bytes).map(Source::Adts),
                (Kind::Ogg, _) => Opus::new(bytes).map(|opus| Source::Opus(Box::new(opus))),
                (Kind::Other(what), _) => Err(Problem::Other(what)),
                (Kind::Unknown, Some(raw)) => Linear::raw(bytes, raw).map(Source::Linear),
                (Kind::Unknown, None) if looks_raw => Err(Problem::RawWithoutRate),
                (Kind::Unknown, None) => Err(Problem::Unknown),
            });
        match source {
            Ok(source) => Ok(Self { name, source }),
            Err(problem) => Err(AudioInputError::new(&name, problem)),
        }
    }

    /// What is in it; linear samples of any width count as [`AudioCodec::Pcm16`].
    pub fn format(&self) -> AudioFormat {
        match &self.source {
            Source::Linear(linear) => AudioFormat {
                codec: AudioCodec::Pcm16,
                sample_rate: linear.sample_rate,
                // At most 32: checked when it was opened.
                channels: linear.channels as u8,
            },
            Source::Adts(adts) => adts.format(),
            Source::Opus(opus) => opus.format(),
        }
    }

    /// The sound as frames of what the camera plays. Linear samples become G.711 or PCM of any rate; AAC and Opus are passed
    /// through.
    ///
    /// # Errors
    /// The camera plays something else; the message names the remedy.
    pub fn into_frames(self, target: SoundTarget) -> Result<SoundFrames, AudioInputError> {
        let (has, wants) = (self.format(), target.format);
        let raw = matches!(&self.source, Source::Linear(linear) if linear.is_raw());
        let maker = match self.source {
            Source::Linear(linear) => Maker::linear(linear, target),
            Source::Adts(adts) => (has == wants).then_some(Maker::Adts(adts)),
            Source::Opus(opus) => (wants.codec == has.codec).then_some(Maker::Opus(opus)),
        };
        match maker {
            Some(maker) => Ok(SoundFrames {
                name: self.name,
                maker,
                begun: false,
            }),
            None => Err(AudioInputError::new(
                &self.name,
                Problem::Mismatch { has, raw, wants },
            )),
        }
    }
}

impl fmt::Debug for AudioInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioInput")
            .field("name", &self.name)
            .field("format", &self.format())
            .finish_non_exhaustive()
    }
}

/// The frames of a sound, in order. After an error nothing follows.
pub struct SoundFrames {
    name: Name,
    maker: Maker,
    /// Somebody has asked for a frame.
    begun: bool,
}

enum Maker {
    Linear(Box<Encoder>),
    Adts(Adts),
    Opus(Box<Opus>),
    Done,
}

impl Maker {
    fn linear(linear: Linear, target: SoundTarget) -> Option<Self> {
        Encoder::new(linear, target).map(|encoder| Self::Linear(Box::new(encoder)))
    }

    fn read(&mut self) -> Result<Option<SoundFrame>, Problem> {
        match self {
            Self::Linear(encoder) => encoder.read(),
            Self::Adts(adts) => adts.read(),
            Self::Opus(opus) => opus.read(),
            Self::Done => Ok(None),
        }
    }
}

impl SoundFrames {
    /// What [`SoundFrame::samples`] counts in: samples a second.
    pub fn clock_rate(&self) -> u32 {
        match &self.maker {
            Maker::Linear(encoder) => encoder.target.sample_rate,
            Maker::Adts(adts) => adts.format().sample_rate,
            Maker::Opus(_) | Maker::Done => Opus::RATE,
        }
    }
}

impl fmt::Debug for SoundFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoundFrames")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Iterator for SoundFrames {
    type Item = Result<SoundFrame, AudioInputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = match self.maker.read() {
            // What has a header and nothing else.
            Ok(None) if !self.begun => Err(Problem::Empty),
            frame => frame,
        };
        self.begun = true;
        if !matches!(frame, Ok(Some(_))) {
            self.maker = Maker::Done;
        }
        frame
            .map_err(|problem| AudioInputError::new(&self.name, problem))
            .transpose()
    }
}

/// Linear samples into frames.
struct Encoder {
    linear: Linear,
    resampler: Resampler,
    target: AudioFormat,
    /// Samples in a frame.
    frame: usize,
    /// Samples at the camera's rate.
    ready: Vec<f32>,
    ended: bool,
}

impl Encoder {
    /// `None` if the camera plays nothing that samples can be turned into here.
    fn new(linear: Linear, target: SoundTarget) -> Option<Self> {
        let SoundTarget { format, pcm_frame } = target;
        if !(1..=2).contains(&format.channels) {
            return None;
        }
        let width = format.codec.bytes_per_sample()? * usize::from(format.channels);
        let frame = match (format.codec, pcm_frame) {
            (AudioCodec::Pcm16, Some(samples)) => samples as usize,
            (AudioCodec::Pcm16, None) => (format.sample_rate / 50) as usize,
            _ => G711_FRAME,
        };
        Some(Self {
            resampler: Resampler::new(linear.sample_rate, format.sample_rate)?,
            linear,
            target: format,
            frame: frame.clamp(1, MAX_FRAME / width),
            ready: Vec::new(),
            ended: false,
        })
    }

    /// The next frame. The last one is filled up with silence.
    fn read(&mut self) -> Result<Option<SoundFrame>, Problem> {
        // 10 ms at a time.
        let count = (self.linear.sample_rate / 100) as usize;
        while self.ready.len() < self.frame && !self.ended {
            let mut samples = Vec::with_capacity(count);
            self.ended = !self.linear.read(count, &mut samples)?;
            self.resampler.push(&samples, &mut self.ready);
            if self.ended {
                self.resampler.finish(&mut self.ready);
            }
        }
        if self.ready.is_empty() {
            return Ok(None);
        }
        if self.ready.len() < self.frame {
            self.ready.resize(self.frame, 0.0);
        }
        let mut data = Vec::with_capacity(MAX_FRAME);
        for sample in self.ready.drain(..self.frame) {
            // Saturates.
            let sample = sample.round() as i16;
            for _ in 0..self.target.channels {
                match self.target.codec {
                    AudioCodec::Pcmu => data.push(encode_ulaw(sample)),
                    AudioCodec::Pcma => data.push(encode_alaw(sample)),
                    _ => data.extend(sample.to_le_bytes()),
                }
            }
        }
        Ok(Some(SoundFrame {
            data,
            // At most 1024.
            samples: self.frame as u32,
        }))
    }
}
