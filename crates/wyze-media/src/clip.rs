//! Reading a clip: a file becomes the timed frames that a camera would send.

mod annexb;
mod entry;
mod mp4;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::{AudioFormat, VideoCodec};

/// A clip in memory, cut into frames as a camera sends them.
///
/// - Video: one access unit a frame, Annex B with four-byte start codes, the parameter sets in front of every key
///   frame. The first frame of the track is a key frame: what precedes it cannot be decoded and is left out.
/// - AAC: one ADTS frame each. Opus: one packet each. PCM µ-law, A-law, 16 bit little-endian: 20 ms each, or the
///   packets of the file if it has any.
///
/// Frames with B pictures come in decoding order with their decoding time, which cameras never need.
///
/// The whole file is held in memory twice while it is read; clips are meant to be short.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wyze_media::{Clip, Track};
///
/// let clip = Clip::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo.mp4"))?;
/// let video = clip.video().ok_or("no video")?;
/// assert_eq!((video.width, video.height), (640, 360));
/// for sample in clip.samples().iter().filter(|s| s.track == Track::Video && s.key) {
///     println!("key frame at {:?}, {} bytes", sample.time, sample.data.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Clip {
    video: Option<VideoTrack>,
    audio: Option<AudioFormat>,
    samples: Vec<Sample>,
    duration: Duration,
    left_out: Vec<String>,
}

/// The video of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoTrack {
    /// The codec.
    pub codec: VideoCodec,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Frames per second, averaged over the clip.
    pub fps: f64,
}

/// Which stream a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Video
    Video,
    /// Audio
    Audio,
}

/// One frame of a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Which stream it belongs to.
    pub track: Track,
    /// Video: decoding can start here. Audio: always true.
    pub key: bool,
    /// When it is due, from the start of the clip.
    pub time: Duration,
    /// The frame, as [`Clip`] describes.
    pub data: Vec<u8>,
}

/// How to read a clip that does not say everything itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipOptions {
    /// Frames per second of a raw `.h264` or `.h265` stream. 20 unless said otherwise; values that are not positive
    /// and finite are taken for 20.
    pub raw_fps: f64,
}

const DEFAULT_FPS: f64 = 20.0;

impl Default for ClipOptions {
    fn default() -> Self {
        Self {
            raw_fps: DEFAULT_FPS,
        }
    }
}

impl Clip {
    /// Reads the clip in the file `path`: MP4 (plain or fragmented), or a raw Annex B stream of H.264 or H.265. The
    /// content decides, not the name.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ClipError> {
        Self::open_with(path, &ClipOptions::default())
    }

    /// Like [`Clip::open`], with options.
    pub fn open_with(path: impl AsRef<Path>, options: &ClipOptions) -> Result<Self, ClipError> {
        let bytes = std::fs::read(path).map_err(ClipError::Io)?;
        Self::from_bytes_with(&bytes, options)
    }

    /// Reads a clip that is in memory already.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClipError> {
        Self::from_bytes_with(bytes, &ClipOptions::default())
    }

    /// Like [`Clip::from_bytes`], with options.
    pub fn from_bytes_with(bytes: &[u8], options: &ClipOptions) -> Result<Self, ClipError> {
        if bytes.is_empty() {
            return Err(ClipError::Empty);
        }
        let parts = if mp4::is_mp4(bytes) {
            mp4::read(bytes)?
        } else if crate::nal::starts_with_start_code(bytes) {
            annexb::read(bytes, options)?
        } else {
            return Err(ClipError::UnknownFormat);
        };
        parts.into_clip()
    }

    /// The video track, if there is one.
    pub fn video(&self) -> Option<&VideoTrack> {
        self.video.as_ref()
    }

    /// The audio track, if there is one that a camera could send.
    pub fn audio(&self) -> Option<&AudioFormat> {
        self.audio.as_ref()
    }

    /// All frames, ordered by time; video goes first where times are equal.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// From the first frame to the end of the last one: play the clip again after this time to loop it.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// What the file holds but the clip does not, such as audio in a codec that no camera sends; for the user's eyes.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}

/// What a reader found, before times are put in order.
#[derive(Debug, Default)]
struct Parts {
    video: Option<(VideoCodec, u16, u16)>,
    audio: Option<AudioFormat>,
    samples: Vec<Timed>,
    left_out: Vec<String>,
}

/// A frame whose time may still be negative.
#[derive(Debug)]
struct Timed {
    track: Track,
    key: bool,
    start_us: i64,
    end_us: i64,
    data: Vec<u8>,
}

impl Parts {
    fn into_clip(self) -> Result<Clip, ClipError> {
        let mut timed = self.samples;
        timed.retain(|s| !s.data.is_empty());
        if self.video.is_some() {
            let first_key = timed
                .iter()
                .filter(|s| s.track == Track::Video && s.key)
                .map(|s| s.start_us)
                .min()
                .ok_or(ClipError::NoKeyFrame)?;
            timed.retain(|s| s.track == Track::Audio || s.start_us >= first_key);
        }
        timed.sort_by_key(|s| (s.start_us, s.track == Track::Audio));
        let (Some(first), Some(end)) = (timed.first(), timed.iter().map(|s| s.end_us).max()) else {
            return Err(ClipError::NoMedia {
                found: self.left_out,
            });
        };
        let origin = first.start_us;
        let since_origin = |us: i64| Duration::from_micros(us.saturating_sub(origin).max(0) as u64);
        let video = self.video.map(|(codec, width, height)| VideoTrack {
            codec,
            width,
            height,
            fps: frame_rate(&timed),
        });
        let has_audio = timed.iter().any(|s| s.track == Track::Audio);
        Ok(Clip {
            video,
            audio: self.audio.filter(|_| has_audio),
            duration: since_origin(end),
            samples: timed
                .into_iter()
                .map(|s| Sample {
                    track: s.track,
                    key: s.key,
                    time: since_origin(s.start_us),
                    data: s.data,
                })
                .collect(),
            left_out: self.left_out,
        })
    }
}

fn frame_rate(samples: &[Timed]) -> f64 {
    let mut video = samples.iter().filter(|s| s.track == Track::Video);
    let count = video.clone().count();
    let (Some(first), Some(last)) = (video.next(), video.next_back()) else {
        return DEFAULT_FPS;
    };
    let span = last.start_us.saturating_sub(first.start_us) as f64 / 1e6;
    if span > 0.0 {
        (count - 1) as f64 / span
    } else {
        DEFAULT_FPS
    }
}

/// Why a clip cannot be used, and what to do about it.
#[non_exhaustive]
#[derive(Debug)]
pub enum ClipError {
    /// The file cannot be read.
    Io(io::Error),
    /// The file is empty.
    Empty,
    /// The file is neither MP4 nor raw H.264 or H.265.
    UnknownFormat,
    /// The file is an MP4 without an index: a recording that was cut off before its end was written.
    NoIndex,
    /// The file breaks the rules of its format.
    Malformed(String),
    /// The file holds nothing that a camera sends.
    NoMedia {
        /// What it holds instead.
        found: Vec<String>,
    },
    /// No frame is a key frame with its parameter sets, so nothing can be decoded.
    NoKeyFrame,
}

const CONVERT: &str =
    "convert it with `ffmpeg -i IN -c:v libx264 -bf 0 -pix_fmt yuv420p -c:a aac OUT.mp4`";

impl fmt::Display for ClipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(
                f,
                "cannot read the clip: {error}; check the path and its permissions"
            ),
            Self::Empty => f.write_str("the clip is an empty file; choose another one"),
            Self::UnknownFormat => write!(
                f,
                "the clip is neither MP4 nor raw H.264 or H.265; {CONVERT}"
            ),
            Self::NoIndex => write!(
                f,
                "the clip is an MP4 without its index, probably a recording that was cut off; record it again"
            ),
            Self::Malformed(what) => write!(f, "the clip is damaged ({what}); {CONVERT}"),
            Self::NoMedia { found } if found.is_empty() => {
                write!(f, "the clip holds no frames; choose another one")
            }
            Self::NoMedia { found } => write!(
                f,
                "the clip holds nothing that a camera sends, only {}; {CONVERT}",
                found.join(", ")
            ),
            Self::NoKeyFrame => write!(
                f,
                "the clip has no key frame with its parameter sets, so nothing in it can be decoded; {CONVERT}"
            ),
        }
    }
}

impl std::error::Error for ClipError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<shiguredo_mp4::Error> for ClipError {
    fn from(error: shiguredo_mp4::Error) -> Self {
        Self::Malformed(if error.reason.is_empty() {
            format!("{:?}", error.kind)
        } else {
            error.reason.clone()
        })
    }
}
