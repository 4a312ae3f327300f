//! FRAMEINFO: what a camera says about a frame, behind its last byte.

use tutk_core::wire::Malformed;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

use crate::wire::{InfoHead, InfoTail};

macro_rules! codecs {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// How the bytes of a frame are coded. Source: `docs/protocol.md` §2.8.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum Codec {
            $($(#[$doc])* $name,)*
            /// A code that no public source names.
            Unknown(u16),
        }

        impl From<u16> for Codec {
            fn from(code: u16) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl From<Codec> for u16 {
            fn from(codec: Codec) -> Self {
                match codec {
                    $(Codec::$name => $code,)*
                    Codec::Unknown(other) => other,
                }
            }
        }
    };
}

codecs! {
    /// MPEG-4 part 2 video.
    Mpeg4 = 0x4c,
    /// H.263 video.
    H263 = 0x4d,
    /// H.264 video, Annex B.
    H264 = 0x4e,
    /// Motion JPEG.
    Mjpeg = 0x4f,
    /// H.265 video, Annex B.
    H265 = 0x50,
    /// AAC without a container.
    AacRaw = 0x86,
    /// AAC in ADTS frames.
    AacAdts = 0x87,
    /// AAC in LATM.
    AacLatm = 0x88,
    /// G.711 µ-law.
    Pcmu = 0x89,
    /// G.711 A-law.
    Pcma = 0x8a,
    /// IMA ADPCM.
    Adpcm = 0x8b,
    /// Signed 16-bit little-endian samples.
    Pcm16 = 0x8c,
    /// Speex.
    Speex = 0x8d,
    /// MPEG audio layer 3.
    Mp3 = 0x8e,
    /// G.726.
    G726 = 0x8f,
    /// AAC in ADTS frames under the number that Wyze uses.
    AacWyze = 0x90,
    /// Opus.
    Opus = 0x92,
}

impl Codec {
    /// Whether this is one of the video codes.
    pub const fn is_video(self) -> bool {
        matches!(
            self,
            Self::Mpeg4 | Self::H263 | Self::H264 | Self::Mjpeg | Self::H265
        )
    }

    /// Whether this is AAC in ADTS frames, whose header is the only reliable source of its format ([`crate::Adts`]).
    pub const fn is_adts(self) -> bool {
        matches!(self, Self::AacAdts | Self::AacWyze)
    }
}

/// Sample rates by the index that the audio flags carry.
const RATES: [u32; 9] = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];

/// Rate, width and channels of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AudioFormat {
    /// Samples a second.
    pub sample_rate: u32,
    /// Bits a sample: 8 or 16.
    pub bits: u8,
    /// 1 or 2.
    pub channels: u8,
}

impl AudioFormat {
    /// The flag byte of FRAMEINFO that says so; `None` when the rate has no index.
    pub fn flags(self) -> Option<u8> {
        let index = RATES.iter().position(|&rate| rate == self.sample_rate)?;
        let index = u8::try_from(index).ok()?;
        Some(index << 2 | u8::from(self.bits == 16) << 1 | u8::from(self.channels == 2))
    }
}

/// FRAMEINFO, parsed. Layout: `docs/protocol.md` §2.8.
///
/// Sizes seen in the field: 16 (sent by clients when talking), 24, 32, 40 (Wyze) and 48 (Wyze with a face box, which is
/// not kept). Only 40 bytes and more are known to hold [`length`](Self::length) and [`number`](Self::number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameInfo {
    /// How the frame is coded.
    pub codec: Codec,
    /// Video: 1 for a key frame. Audio: see [`audio_format`](Self::audio_format).
    pub flags: u8,
    /// Which lens.
    pub camera: u8,
    /// How many clients watch.
    pub viewers: u8,
    /// Frames a second (video).
    pub fps: u8,
    /// Tier of the resolution; models disagree about its meaning.
    pub frame_size: u8,
    /// The bitrate setting, in kilobytes a second.
    pub bitrate_kbps: u8,
    /// Bytes that this FRAMEINFO occupied.
    pub size: u8,
    /// Microseconds within the second; wraps at 1 000 000.
    pub micros: u32,
    /// Unix seconds, nonsense on a camera that never learnt the time. In the 16-byte form: milliseconds since the
    /// sender began.
    pub unix_seconds: u32,
    /// Bytes of the frame without FRAMEINFO; 0 when [`size`](Self::size) is below 40.
    pub length: u32,
    /// Number of the frame in its stream; 0 when [`size`](Self::size) is below 40.
    pub number: u32,
}

impl FrameInfo {
    /// Size of the form a camera sends.
    pub const CAMERA: usize = 40;
    /// Size of the form a client sends when talking.
    pub const TALK: usize = 16;
    /// Largest form accepted.
    pub const MAX: usize = 64;
    /// Size of the form that cameras without DTLS send.
    pub(crate) const PLAIN: usize = 32;

    /// Stands for what is not known yet.
    pub(crate) const UNKNOWN: Self = Self {
        codec: Codec::Unknown(0),
        flags: 0,
        camera: 0,
        viewers: 0,
        fps: 0,
        frame_size: 0,
        bitrate_kbps: 0,
        size: 0,
        micros: 0,
        unix_seconds: 0,
        length: 0,
        number: 0,
    };

    /// What a camera says about a video frame taken `micros_since_epoch` microseconds after 1970.
    pub fn video(codec: Codec, fps: u8, micros_since_epoch: u64) -> Self {
        Self::camera(codec, fps, micros_since_epoch)
    }

    /// What a camera says about an audio frame; a rate that has no index is written as 8 kHz.
    pub fn audio(codec: Codec, format: AudioFormat, micros_since_epoch: u64) -> Self {
        Self {
            flags: format.flags().unwrap_or(0b10),
            ..Self::camera(codec, 0, micros_since_epoch)
        }
    }

    fn camera(codec: Codec, fps: u8, micros_since_epoch: u64) -> Self {
        Self {
            codec,
            viewers: 1,
            fps,
            size: Self::CAMERA as u8,
            // The remainder is below a million; seconds saturate in 2106.
            micros: (micros_since_epoch % 1_000_000) as u32,
            unix_seconds: u32::try_from(micros_since_epoch / 1_000_000).unwrap_or(u32::MAX),
            ..Self::UNKNOWN
        }
    }

    /// Reads a FRAMEINFO that fills `bytes`.
    ///
    /// # Errors
    /// [`Malformed::BadLength`] outside of 16 to 64 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let size = match bytes.len() {
            n @ Self::TALK..=Self::MAX => n as u8,
            _ => return Err(Malformed::BadLength),
        };
        let (head, rest) = InfoHead::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let tail = InfoTail::ref_from_prefix(rest).ok();
        Ok(Self {
            codec: head.codec.get().into(),
            flags: head.flags,
            camera: head.camera,
            viewers: head.viewers,
            fps: head.fps,
            frame_size: head.frame_size,
            bitrate_kbps: head.bitrate,
            size,
            micros: micros(head, rest),
            unix_seconds: head.seconds.get(),
            length: tail.map_or(0, |(tail, _)| tail.length.get()),
            number: tail.map_or(0, |(tail, _)| tail.number.get()),
        })
    }

    /// The 16-byte form, and the first 16 bytes of every other.
    pub fn to_bytes16(&self) -> [u8; 16] {
        let head = InfoHead {
            codec: U16::new(self.codec.into()),
            flags: self.flags,
            camera: self.camera,
            viewers: self.viewers,
            fps: self.fps,
            frame_size: self.frame_size,
            bitrate: self.bitrate_kbps,
            micros: U32::new(self.micros),
            seconds: U32::new(self.unix_seconds),
        };
        zerocopy::transmute!(head)
    }

    /// The first 32 bytes of the form that cameras send, without a MAC address.
    pub(crate) fn to_bytes32(self) -> [u8; Self::PLAIN] {
        let whole = self.to_bytes40([0; 12]);
        let mut bytes = [0; Self::PLAIN];
        for (to, from) in bytes.iter_mut().zip(whole) {
            *to = from;
        }
        bytes
    }

    /// The 40-byte form with the camera's MAC address in ASCII (zeros do) and a play token of 0.
    pub fn to_bytes40(&self, mac: [u8; 12]) -> [u8; 40] {
        let tail = InfoTail {
            length: U32::new(self.length),
            number: U32::new(self.number),
            mac,
            token: U32::ZERO,
        };
        let mut bytes = [0; 40];
        let (head_room, tail_room) = bytes.split_at_mut(16);
        head_room.copy_from_slice(&self.to_bytes16());
        tail_room.copy_from_slice(tail.as_bytes());
        bytes
    }

    /// The length that the sender declared, when this form has one.
    pub fn declared_length(&self) -> Option<u32> {
        (usize::from(self.size) >= Self::CAMERA).then_some(self.length)
    }

    /// Whether the flags call this video frame a key frame.
    pub fn is_key(&self) -> bool {
        self.codec.is_video() && self.flags & 1 == 1
    }

    /// What the flags say about audio; `None` for video and for an unknown rate.
    ///
    /// For AAC ask the ADTS header instead ([`crate::Adts`]): these flags are known to be wrong there.
    pub fn audio_format(&self) -> Option<AudioFormat> {
        if self.codec.is_video() {
            return None;
        }
        Some(AudioFormat {
            sample_rate: *RATES.get(usize::from(self.flags >> 2))?,
            bits: if self.flags & 0b10 != 0 { 16 } else { 8 },
            channels: 1 + (self.flags & 1),
        })
    }
}

/// Microseconds within the second. Where Xiaomi's cameras write something that can't be those, they have milliseconds
/// behind the seconds (`docs/protocol.md` §2.12).
fn micros(head: &InfoHead, rest: &[u8]) -> u32 {
    let micros = head.micros.get();
    if cfg!(feature = "plain")
        && rest.len() == FrameInfo::PLAIN - size_of::<InfoHead>()
        && micros >= 1_000_000
        && let Ok((millis, _)) = U16::ref_from_prefix(rest)
    {
        return u32::from(millis.get()) * 1000;
    }
    micros
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> FrameInfo {
        FrameInfo {
            codec: Codec::H265,
            flags: 1,
            camera: 2,
            viewers: 3,
            fps: 20,
            frame_size: 4,
            bitrate_kbps: 200,
            size: 40,
            micros: 950_000,
            unix_seconds: 1_767_239_680,
            length: 77_777,
            number: 43,
        }
    }

    #[test]
    fn forty_bytes_round_trip() {
        let info = sample();
        let bytes = info.to_bytes40(*b"AABBCCDDEEFF");
        assert_eq!(&bytes[24..36], b"AABBCCDDEEFF");
        assert_eq!(FrameInfo::parse(&bytes), Ok(info));
    }

    #[test]
    fn a_moment_is_written_as_seconds_and_microseconds() {
        let info = FrameInfo::video(Codec::H264, 20, 1_767_239_680_123_456);
        assert_eq!((info.unix_seconds, info.micros), (1_767_239_680, 123_456));
        assert_eq!((info.codec, info.fps, info.viewers), (Codec::H264, 20, 1));
        assert_eq!(usize::from(info.size), FrameInfo::CAMERA);
        let late = FrameInfo::video(Codec::H264, 20, u64::MAX);
        assert_eq!(late.unix_seconds, u32::MAX, "no moment after 2106");
    }

    #[test]
    fn every_size_keeps_what_it_has() {
        let bytes = [sample().to_bytes40([b'0'; 12]).as_slice(), &[9; 24]].concat();
        for size in 0..=bytes.len() {
            let parsed = FrameInfo::parse(&bytes[..size]);
            if size < 16 {
                assert_eq!(parsed, Err(Malformed::BadLength));
                continue;
            }
            let parsed = parsed.unwrap();
            assert_eq!(parsed.codec, Codec::H265);
            assert_eq!(parsed.micros, 950_000);
            assert_eq!(
                parsed.declared_length(),
                (size >= 40).then_some(77_777),
                "{size}"
            );
        }
        assert!(FrameInfo::parse(&[0; 65]).is_err());
    }

    #[test]
    fn aac_comes_with_its_own_headers_under_two_of_its_codes() {
        let all = (0..=u16::MAX).map(Codec::from);
        let adts: Vec<_> = all.filter(|codec| codec.is_adts()).collect();
        assert_eq!(adts, [Codec::AacAdts, Codec::AacWyze]);
    }

    #[test]
    fn codes_survive_both_ways() {
        for code in 0..=u16::MAX {
            assert_eq!(u16::from(Codec::from(code)), code);
        }
    }

    #[test]
    fn audio_flags_round_trip() {
        for (index, sample_rate) in RATES.into_iter().enumerate() {
            for (bits, channels) in [(8, 1), (8, 2), (16, 1), (16, 2)] {
                let format = AudioFormat {
                    sample_rate,
                    bits,
                    channels,
                };
                let info = FrameInfo::audio(Codec::Pcmu, format, 0);
                assert_eq!(usize::from(info.flags >> 2), index);
                assert_eq!(info.audio_format(), Some(format));
            }
        }
        let mut odd = FrameInfo::video(Codec::Pcma, 0, 0);
        odd.flags = 9 << 2;
        assert_eq!(odd.audio_format(), None, "no tenth rate");
        odd.codec = Codec::H264;
        odd.flags = 1;
        assert_eq!(odd.audio_format(), None, "video has none");
    }
}
