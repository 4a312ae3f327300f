//! What the camera plays: by its own audio, or by the user's word.

use std::str::FromStr;

use wyze_media::{AudioCodec, AudioFormat, SoundFrame, SoundTarget};
use wyze_std::session::{self, Codec, Frame, TalkFrame};

use crate::failure::{Exit, Failure};
use crate::step::codec_name;

/// Codec and format of the frames to a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) codec: Codec,
    /// As FRAMEINFO says it.
    pub(super) wire: session::AudioFormat,
    pub(super) target: SoundTarget,
}

impl Voice {
    /// As the camera's own frame is.
    pub(super) fn of_frame(frame: &Frame<'_>) -> Result<Self, Failure> {
        let codec = frame.info.codec;
        let unplayable = || {
            Failure::new(
                Exit::Unsupported,
                format!(
                    "the camera's own audio is {}, which this program cannot make; say what else it plays with --codec, such \
                     as --codec alaw:8000",
                    codec_name(codec)
                ),
            )
        };
        let media = AudioCodec::from_frame_info(codec.into()).ok_or_else(unplayable)?;
        let flags = frame.info.audio_format();
        let format = match (media, flags) {
            (AudioCodec::Aac, _) => AudioFormat::from_adts(frame.data).filter(|_| codec.is_adts()),
            (_, Some(flags)) => Some(AudioFormat {
                codec: media,
                sample_rate: flags.sample_rate,
                channels: flags.channels,
            }),
            (_, None) => None,
        };
        let format = format.ok_or_else(unplayable)?;
        let width = 2 * usize::from(format.channels.max(1));
        Ok(Self {
            codec,
            wire: session::AudioFormat {
                sample_rate: format.sample_rate,
                bits: flags.map_or(16, |f| f.bits),
                channels: format.channels,
            },
            target: SoundTarget {
                format,
                // As long as its own.
                pcm_frame: u32::try_from(frame.data.len() / width)
                    .ok()
                    .filter(|n| *n > 0),
            },
        })
    }

    /// A frame as it goes to the camera; `micros` is its time.
    pub(super) fn frame<'f>(&self, frame: &'f SoundFrame, micros: u32) -> TalkFrame<'f> {
        TalkFrame {
            codec: self.codec,
            format: self.wire,
            micros,
            data: &frame.data,
        }
    }
}

/// `alaw:8000`, `pcm:16000`, `aac:16000`, `opus`.
impl FromStr for Voice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rate) = text.split_once(':').unzip();
        let (codec, media) = match name.unwrap_or(text) {
            "ulaw" | "pcmu" => (Codec::Pcmu, AudioCodec::Pcmu),
            "alaw" | "pcma" => (Codec::Pcma, AudioCodec::Pcma),
            "pcm" | "s16le" => (Codec::Pcm16, AudioCodec::Pcm16),
            "aac" => (Codec::AacWyze, AudioCodec::Aac),
            "opus" => (Codec::Opus, AudioCodec::Opus),
            _ => return Err("none of ulaw, alaw, pcm, aac, opus".to_owned()),
        };
        let usual = match media {
            AudioCodec::Opus => "48000",
            AudioCodec::Aac => "16000",
            _ => "8000",
        };
        let wire = rate
            .unwrap_or(usual)
            .parse()
            .ok()
            .map(|sample_rate| session::AudioFormat {
                sample_rate,
                bits: 16,
                channels: 1,
            })
            .filter(|wire| wire.flags().is_some())
            .ok_or(
                "the rate is one of 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000",
            )?;
        Ok(Self {
            codec,
            wire,
            target: SoundTarget {
                format: AudioFormat {
                    codec: media,
                    sample_rate: wire.sample_rate,
                    channels: 1,
                },
                pcm_frame: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_has_its_usual_rate_unless_told() {
        let voice: Voice = "alaw".parse().unwrap();
        assert_eq!((voice.codec, voice.wire.sample_rate), (Codec::Pcma, 8_000));
        let voice: Voice = "pcm:16000".parse().unwrap();
        assert_eq!(voice.codec, Codec::Pcm16);
        assert_eq!(voice.target.format.sample_rate, 16_000);
        for bad in ["", "mp3", "pcm:", "pcm:9000", ":8000"] {
            assert!(bad.parse::<Voice>().is_err(), "{bad}");
        }
    }
}
