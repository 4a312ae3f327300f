//! Why a sound cannot be talked, and what helps.

use std::fmt;
use std::io;
use std::path::Path;

use crate::{AudioCodec, AudioFormat};

/// Where the sound comes from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    File(String),
    Stdin,
}

impl Name {
    pub(super) fn of(path: &Path) -> Self {
        // A message is one line.
        let text = path.to_string_lossy().replace(char::is_control, "?");
        Self::File(text)
    }

    /// The FFmpeg command that makes another format of it. `input` is what FFmpeg cannot see for itself.
    fn ffmpeg(&self, input: &str, options: &str, extension: &str) -> String {
        match self {
            Self::File(path) => format!(
                "ffmpeg {input}-i {} {options}{}",
                quoted(path),
                quoted(&format!("{}.{extension}", stem(path)))
            ),
            Self::Stdin => {
                let format = match extension {
                    "aac" => "adts",
                    other => other,
                };
                format!("… | ffmpeg {input}-i - {options}-f {format} - | wyze talk CAMERA -")
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// The path without its extension; what FFmpeg writes must not be what it reads.
fn stem(path: &str) -> String {
    let stem = Path::new(path).with_extension("");
    format!("{}-talk", stem.display())
}

/// As a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+,:@%".contains(c);
    if path.chars().all(plain) && !path.starts_with('-') {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// Why a sound cannot be talked. Displays as `cause; remedy`, in one line.
#[derive(Debug)]
pub struct AudioInputError {
    name: Name,
    problem: Problem,
}

#[derive(Debug)]
pub(super) enum Problem {
    Io(io::Error),
    Empty,
    /// It is something else, which FFmpeg can convert.
    Other(&'static str),
    /// It is nothing known.
    Unknown,
    /// Nothing says how raw samples are to be read.
    RawWithoutRate,
    /// It is what it should be, and broken or unusual.
    Unreadable(String),
    /// A frame is longer than a packet to the camera.
    FrameTooLong {
        len: usize,
    },
    /// The camera plays something else.
    Mismatch {
        has: AudioFormat,
        /// It has no header that tells so.
        raw: bool,
        wants: AudioFormat,
    },
}

impl AudioInputError {
    pub(super) fn new(name: &Name, problem: Problem) -> Self {
        Self {
            name: name.clone(),
            problem,
        }
    }

    /// Whether the sound is fine, but not for this camera.
    pub fn is_mismatch(&self) -> bool {
        matches!(self.problem, Problem::Mismatch { .. })
    }
}

impl fmt::Display for AudioInputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        let to_wav = || name.ffmpeg("", "", "wav");
        match &self.problem {
            Problem::Io(e) => write!(f, "cannot read {name}: {e}; check its name and permissions"),
            Problem::Empty => write!(f, "there is no sound in {name}; record it again"),
            Problem::Other(what) => {
                write!(f, "{name} is {what}; convert it with: {}", to_wav())
            }
            Problem::Unknown => write!(
                f,
                "{name} is in no known format (WAV, ADTS AAC, Ogg Opus); if it is raw PCM (16 bit, little-endian) add \
                 --rate HZ, else convert it with: {}",
                to_wav()
            ),
            Problem::RawWithoutRate => write!(
                f,
                "{name} looks like raw PCM, which does not tell its rate; add --rate HZ (and --channels 2 for stereo)"
            ),
            Problem::Unreadable(what) => {
                write!(f, "{name} {what}; convert it with: {}", to_wav())
            }
            Problem::FrameTooLong { len } => write!(
                f,
                "{name} has a frame of {len} bytes, and one to the camera has at most {}; lower its bit rate with: {}",
                super::MAX_FRAME,
                name.ffmpeg("", "-b:a 32k ", "aac")
            ),
            Problem::Mismatch { has, raw, wants } => {
                write!(
                    f,
                    "{name} is {has}, but the camera plays {wants}; convert it with: {}",
                    remedy(name, raw.then_some(*has), *wants)
                )
            }
        }
    }
}

impl std::error::Error for AudioInputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(source) => Some(source),
            _ => None,
        }
    }
}

/// What turns anything into what the camera plays, or into what this crate turns into that. `raw` is what it is, where it
/// has no header.
fn remedy(name: &Name, raw: Option<AudioFormat>, wants: AudioFormat) -> String {
    let rate = |format: AudioFormat| format!("-ar {} -ac {} ", format.sample_rate, format.channels);
    let input = raw.map_or_else(String::new, |has| format!("-f s16le {}", rate(has)));
    match wants.codec {
        AudioCodec::Aac => name.ffmpeg(&input, &rate(wants), "aac"),
        AudioCodec::Opus => name.ffmpeg(&input, "-c:a libopus -ac 1 ", "opus"),
        AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::Pcm16 => name.ffmpeg(&input, "", "wav"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_can_be_pasted() {
        let name = Name::of(Path::new("door bell's.mp3"));
        let error = AudioInputError::new(&name, Problem::Other("an MP3 file"));
        assert_eq!(
            error.to_string(),
            r"door bell's.mp3 is an MP3 file; convert it with: ffmpeg -i 'door bell'\''s.mp3' 'door bell'\''s-talk.wav'"
        );
        let error = AudioInputError::new(&Name::Stdin, Problem::Other("an MP3 file"));
        assert_eq!(
            error.to_string(),
            "standard input is an MP3 file; convert it with: … | ffmpeg -i - -f wav - | wyze talk CAMERA -"
        );
    }

    #[test]
    fn what_the_camera_plays_decides_the_remedy() {
        let format = |codec, sample_rate| AudioFormat {
            codec,
            sample_rate,
            channels: 1,
        };
        let name = Name::of(Path::new("a.wav"));
        let mismatch = |has, wants| {
            let raw = false;
            AudioInputError::new(&name, Problem::Mismatch { has, raw, wants }).to_string()
        };
        assert_eq!(
            mismatch(
                format(AudioCodec::Pcm16, 44_100),
                format(AudioCodec::Aac, 16_000)
            ),
            "a.wav is PCM 16 bit, 44100 Hz, mono, but the camera plays AAC, 16000 Hz, mono; convert it with: ffmpeg -i \
             a.wav -ar 16000 -ac 1 a-talk.aac"
        );
        let text = mismatch(
            format(AudioCodec::Opus, 48_000),
            format(AudioCodec::Pcma, 8_000),
        );
        assert!(text.ends_with("ffmpeg -i a.wav a-talk.wav"), "{text}");
    }

    #[test]
    fn the_remedy_for_raw_samples_tells_what_they_are() {
        let has = AudioFormat {
            codec: AudioCodec::Pcm16,
            sample_rate: 8_000,
            channels: 2,
        };
        let wants = AudioFormat {
            codec: AudioCodec::Aac,
            sample_rate: 16_000,
            channels: 1,
        };
        let remedy = |name: &Name| {
            let raw = true;
            let error = AudioInputError::new(name, Problem::Mismatch { has, raw, wants });
            error.to_string().split_once("with: ").unwrap().1.to_owned()
        };
        assert_eq!(
            remedy(&Name::of(Path::new("a.s16le"))),
            "ffmpeg -f s16le -ar 8000 -ac 2 -i a.s16le -ar 16000 -ac 1 a-talk.aac"
        );
        assert_eq!(
            remedy(&Name::Stdin),
            "… | ffmpeg -f s16le -ar 8000 -ac 2 -i - -ar 16000 -ac 1 -f adts - | wyze talk CAMERA -"
        );
    }

    #[test]
    fn a_message_is_one_line_whatever_the_name() {
        let name = Name::of(Path::new("a\nb\u{1b}[2J.mp3"));
        let text = AudioInputError::new(&name, Problem::Unknown).to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
