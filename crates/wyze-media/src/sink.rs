//! What every writer has in common.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{AudioFormat, VideoCodec};

/// A video frame as the camera sent it.
#[derive(Debug, Clone, Copy)]
pub struct VideoFrame<'a> {
    /// The codec.
    pub codec: VideoCodec,
    /// Microseconds on the camera's clock.
    pub time_us: u64,
    /// The camera marked it as a key frame.
    pub key: bool,
    /// One access unit, Annex B.
    pub data: &'a [u8],
}

/// An audio frame as the camera sent it.
#[derive(Debug, Clone, Copy)]
pub struct AudioFrame<'a> {
    /// The format. For AAC the ADTS header goes before it.
    pub format: AudioFormat,
    /// Microseconds on the camera's clock: the same clock as the video's.
    pub time_us: u64,
    /// The frame, as [`AudioCodec`](crate::AudioCodec) describes.
    pub data: &'a [u8],
}

/// Where frames go.
///
/// A frame that cannot be stored is no error: it is left out and counted in [`SinkStats`], since a camera may send
/// anything. An `Err` means that the sink is finished; what it had written by then remains playable.
pub trait Sink {
    /// Takes the next video frame. Nothing is kept before the first key frame with its parameter sets.
    fn write_video(&mut self, frame: VideoFrame<'_>) -> Result<(), SinkError>;

    /// Takes the next audio frame.
    fn write_audio(&mut self, frame: AudioFrame<'_>) -> Result<(), SinkError>;

    /// Writes what is still held back. Call it once, at the end; [`SinkError::NothingWritten`] says that there is
    /// nothing to play.
    fn finish(&mut self) -> Result<(), SinkError>;

    /// What has been taken and left out so far.
    fn stats(&self) -> SinkStats;
}

/// Counters of a [`Sink`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Video frames taken.
    pub video_frames: u64,
    /// Audio frames taken. Several AAC frames that come as one count each.
    pub audio_frames: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Frames left out because they came before the first key frame with its parameter sets.
    pub before_key: u64,
    /// Frames left out because they are not what their codec says.
    pub malformed: u64,
    /// Audio frames left out because the file has no track for them: audio began too late, changed its format, or the
    /// file cannot hold any.
    pub audio_left_out: u64,
    /// How often the parameter sets changed on the way, for instance with the resolution.
    pub parameter_changes: u64,
}

/// Why a sink cannot go on, and what to do about it.
#[non_exhaustive]
#[derive(Debug)]
pub enum SinkError {
    /// Writing failed; for instance the disk is full.
    Io(io::Error),
    /// The output cannot be opened.
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name does not say which format to write.
    UnknownFormat {
        /// The name.
        name: String,
    },
    /// The file is to be a raw stream of one codec, and the camera sends another one.
    OtherCodec {
        /// What the output is for.
        wanted: &'static str,
        /// What the camera sends.
        got: &'static str,
    },
    /// The camera changed its video codec; a file holds one only.
    CodecChanged {
        /// The codec of the file.
        from: VideoCodec,
        /// The codec of the camera now.
        to: VideoCodec,
    },
    /// The format cannot hold this codec.
    Unsupported {
        /// The codec.
        codec: &'static str,
    },
    /// The parameter sets in front of the first key frame make no sense.
    ParameterSets(String),
    /// The sink was finished, by [`Sink::finish`] or by an error.
    Finished,
    /// The stream ended before its first key frame, or a file for audio got none.
    NothingWritten,
}

impl SinkError {
    /// Did the reader of a pipe go away? That is the usual way to end `wyze stream ... | ffplay -`.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => write!(
                f,
                "cannot write the output: the disk is full; what was written so far is playable"
            ),
            Self::Io(error) => write!(f, "cannot write the output: {error}"),
            Self::Open { path, source } => write!(
                f,
                "cannot open {} for writing: {source}; choose another path",
                path.display()
            ),
            Self::UnknownFormat { name } => write!(
                f,
                "`{name}` does not name an output format; use mp4, h264, h265, annexb, aac, ulaw, alaw or s16le, as \
                 file extension or by --format"
            ),
            Self::OtherCodec { wanted, got } => write!(
                f,
                "the output is for {wanted} but the camera sends {got}; use an .mp4 file, or the extension of {got}"
            ),
            Self::CodecChanged { from, to } => write!(
                f,
                "the camera changed its video from {} to {}; start another file",
                from.name(),
                to.name()
            ),
            Self::Unsupported { codec } => write!(
                f,
                "{codec} cannot be stored in this kind of file; use an .mp4 file"
            ),
            Self::ParameterSets(what) => write!(
                f,
                "the camera's parameter sets cannot be read ({what}); write a raw stream (.h264, .h265) instead"
            ),
            Self::Finished => f.write_str("the output is finished already; open another one"),
            Self::NothingWritten => f.write_str(
                "nothing arrived that the output can hold, so nothing was written; check that the camera streams, and that \
                 it sends key frames",
            ),
        }
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(source) | Self::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for SinkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
