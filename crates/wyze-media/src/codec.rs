//! The codecs that a Wyze camera sends, and the numbers FRAMEINFO gives them.

use std::fmt;

/// A video codec. Frames are Annex B byte streams, one access unit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264 (AVC)
    H264,
    /// H.265 (HEVC)
    H265,
}

impl VideoCodec {
    /// The codec that FRAMEINFO names in its first field, if it is one that cameras send as Annex B
    /// (`docs/protocol.md` §2.8).
    pub fn from_frame_info(code: u16) -> Option<Self> {
        match code {
            0x4e => Some(Self::H264),
            0x50 => Some(Self::H265),
            _ => None,
        }
    }

    /// The FRAMEINFO number of this codec.
    pub fn frame_info(self) -> u16 {
        match self {
            Self::H264 => 0x4e,
            Self::H265 => 0x50,
        }
    }

    /// The usual name, as in `H.264`.
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        }
    }
}

/// An audio codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC, one or more ADTS frames per camera frame (raw access units are accepted by the writers)
    Aac,
    /// Opus, one packet per camera frame
    Opus,
    /// G.711 µ-law, one byte per sample
    Pcmu,
    /// G.711 A-law, one byte per sample
    Pcma,
    /// Linear PCM, 16 bit signed, little-endian
    Pcm16,
}

impl AudioCodec {
    /// The codec that FRAMEINFO names in its first field, if this crate can store it (`docs/protocol.md` §2.8).
    pub fn from_frame_info(code: u16) -> Option<Self> {
        match code {
            0x86 | 0x87 | 0x90 => Some(Self::Aac),
            0x89 => Some(Self::Pcmu),
            0x8a => Some(Self::Pcma),
            0x8c => Some(Self::Pcm16),
            0x92 => Some(Self::Opus),
            _ => None,
        }
    }

    /// The FRAMEINFO number of this codec; for AAC the one Wyze cameras use.
    pub fn frame_info(self) -> u16 {
        match self {
            Self::Aac => 0x90,
            Self::Opus => 0x92,
            Self::Pcmu => 0x89,
            Self::Pcma => 0x8a,
            Self::Pcm16 => 0x8c,
        }
    }

    /// The usual name, as in `PCM µ-law`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aac => "AAC",
            Self::Opus => "Opus",
            Self::Pcmu => "PCM µ-law",
            Self::Pcma => "PCM A-law",
            Self::Pcm16 => "PCM 16 bit",
        }
    }

    /// Bytes of one sample of one channel, for the uncompressed codecs.
    pub(crate) fn bytes_per_sample(self) -> Option<usize> {
        match self {
            Self::Pcmu | Self::Pcma => Some(1),
            Self::Pcm16 => Some(2),
            Self::Aac | Self::Opus => None,
        }
    }
}

/// What one must know to play an audio stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// The codec.
    pub codec: AudioCodec,
    /// Samples per second and channel. For AAC the writers prefer what the ADTS header says.
    pub sample_rate: u32,
    /// 1 = mono, 2 = stereo.
    pub channels: u8,
}

impl AudioFormat {
    /// The format that the ADTS header in front of an AAC frame names; `None` if there is no whole frame.
    pub fn from_adts(frame: &[u8]) -> Option<Self> {
        let config = crate::adts::split_first(frame)?.config;
        Some(Self {
            codec: AudioCodec::Aac,
            sample_rate: config.sample_rate(),
            channels: config.channels(),
        })
    }
}

/// For people: `AAC, 16000 Hz, mono`.
impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} Hz, ", self.codec.name(), self.sample_rate)?;
        match self.channels {
            1 => f.write_str("mono"),
            2 => f.write_str("stereo"),
            n => write!(f, "{n} channels"),
        }
    }
}

/// Samples at 48 kHz that an Opus packet decodes to (RFC 6716 §3.1), or `None` if it is not an Opus packet.
pub(crate) fn opus_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    // A packet holds at most 120 ms.
    let samples = frame * frames;
    (1..=5760).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_info_numbers_map_both_ways() {
        for codec in [VideoCodec::H264, VideoCodec::H265] {
            assert_eq!(VideoCodec::from_frame_info(codec.frame_info()), Some(codec));
        }
        for codec in [
            AudioCodec::Aac,
            AudioCodec::Opus,
            AudioCodec::Pcmu,
            AudioCodec::Pcma,
            AudioCodec::Pcm16,
        ] {
            assert_eq!(AudioCodec::from_frame_info(codec.frame_info()), Some(codec));
        }
        assert_eq!(VideoCodec::from_frame_info(0x4f), None);
        assert_eq!(AudioCodec::from_frame_info(0x8f), None);
    }

    #[test]
    fn opus_packet_length_follows_the_toc_byte() {
        assert_eq!(opus_samples(&[0x78]), Some(960)); // hybrid, 20 ms, one frame
        assert_eq!(opus_samples(&[0xfc]), Some(960)); // CELT 20 ms
        assert_eq!(opus_samples(&[0xfd]), Some(1920)); // two frames
        assert_eq!(opus_samples(&[0xff, 3]), Some(2880));
        assert_eq!(opus_samples(&[0xff, 0]), None);
        assert_eq!(opus_samples(&[0xff, 63]), None);
        assert_eq!(opus_samples(&[]), None);
    }
}
