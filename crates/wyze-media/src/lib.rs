//! Between the frames of a Wyze camera and files.
//!
//! | type | from | to |
//! |---|---|---|
//! | [`Clip`] | MP4 or raw H.264/H.265 | timed frames as a camera sends them |
//! | [`Fmp4Writer`] | frames | fragmented MP4, video bit by bit as it came |
//! | [`AnnexBWriter`], [`AudioWriter`] | frames | raw streams |
//! | [`OggOpusWriter`] | Opus packets | Ogg Opus |
//! | [`Output`] | frames | a file, pipe or standard output, by name |
//! | [`AudioInput`] | WAV, raw PCM, ADTS, Ogg Opus | frames for a camera's speaker |
//!
//! All writers are [`Sink`]s. The crate knows nothing of the protocol; [`VideoCodec::from_frame_info`] and
//! [`AudioCodec::from_frame_info`] translate the numbers that a camera puts behind every frame.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use wyze_media::{AudioFrame, Clip, Output, Sink, Track, VideoFrame};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("copy.mp4");
//! let clip = Clip::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo.mp4"))?;
//! let mut output = Output::open(&path, None, true)?;
//! for sample in clip.samples() {
//!     let time_us = sample.time.as_micros() as u64;
//!     match sample.track {
//!         Track::Video => output.write_video(VideoFrame {
//!             codec: clip.video().ok_or("no video")?.codec,
//!             time_us,
//!             key: sample.key,
//!             data: &sample.data,
//!         })?,
//!         Track::Audio => output.write_audio(AudioFrame {
//!             format: *clip.audio().ok_or("no audio")?,
//!             time_us,
//!             data: &sample.data,
//!         })?,
//!     }
//! }
//! output.finish()?;
//! assert_eq!(Clip::open(&path)?.samples(), clip.samples());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod adts;
mod audio_input;
mod clip;
mod codec;
mod elementary;
mod fmp4;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(feature = "fuzz"), allow(unreachable_pub))]
mod fuzz;
mod nal;
mod ogg_opus;
mod output;
mod sink;

pub use audio_input::{AudioInput, AudioInputError, RawPcm, SoundFrame, SoundFrames, SoundTarget};
pub use clip::{Clip, ClipError, ClipOptions, Sample, Track, VideoTrack};
pub use codec::{AudioCodec, AudioFormat, VideoCodec};
pub use elementary::{AnnexBWriter, AudioWriter};
pub use fmp4::{Fmp4Options, Fmp4Writer, Fragments};
#[cfg(feature = "fuzz")]
pub use fuzz::media;
pub use ogg_opus::OggOpusWriter;
pub use output::{Format, Output};
pub use sink::{AudioFrame, Sink, SinkError, SinkStats, VideoFrame};
