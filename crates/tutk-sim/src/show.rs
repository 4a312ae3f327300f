//! What is shown: frames whose every byte follows from who they are, so that a receiver can tell whether one was sent.

use wyze_session::{AudioFormat, Codec, FrameInfo, OutFrame, Stream};

/// Bytes at the beginning of a frame that say which it is.
const TAG: usize = 12;

/// What kind of frame, and therefore who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Video of the camera.
    Video,
    /// Audio of the camera.
    Audio,
    /// Audio of the viewer, to be played by the camera.
    Talk,
}

/// Which frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    /// Of which kind.
    pub kind: Kind,
    /// Which session of the camera, or which talk, it belongs to.
    pub session: u32,
    /// Its place in that session, from 0.
    pub ordinal: u32,
}

/// What a camera shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    /// Microseconds from one video frame to the next; 0: no video.
    pub video_every: u64,
    /// Video frames from one key frame to the next.
    pub group: u32,
    /// Bytes of a key frame, and of another one in the mean; they vary by a quarter.
    pub key_len: usize,
    /// See [`key_len`](Self::key_len).
    pub other_len: usize,
    /// Microseconds from one audio frame to the next; 0: no audio.
    pub audio_every: u64,
    /// Bytes of an audio frame.
    pub audio_len: usize,
    /// Microseconds between two packets of one frame.
    pub pace: u64,
}

impl Show {
    /// 2304×1296 at 20 frames and 4 Mbit a second, a key frame every 2 s, eight times as large as the others; PCM of
    /// 16 kHz in frames of 20 ms.
    pub const TWO_K: Self = Self {
        video_every: 50_000,
        group: 40,
        key_len: 170_212,
        other_len: 21_276,
        audio_every: 20_000,
        audio_len: 640,
        pace: 100,
    };

    /// Whether the frame is a key frame.
    pub fn is_key(&self, id: Id) -> bool {
        id.kind == Kind::Video && id.ordinal.is_multiple_of(self.group)
    }

    fn len(&self, id: Id) -> usize {
        if id.kind != Kind::Video {
            return self.audio_len;
        }
        if self.is_key(id) {
            return self.key_len;
        }
        // A quarter more or less; over a group the mean is kept well enough.
        let step = id.ordinal.wrapping_mul(0x9e37_79b1) >> 24;
        self.other_len * 3 / 4 + self.other_len * step as usize / 512
    }

    /// The bytes of a frame.
    pub fn data(&self, id: Id) -> Vec<u8> {
        let len = self.len(id).max(TAG);
        let mut data = Vec::with_capacity(len + 8);
        data.push(id.kind as u8);
        data.extend_from_slice(&[0x5a; 3]);
        data.extend_from_slice(&id.session.to_le_bytes());
        data.extend_from_slice(&id.ordinal.to_le_bytes());
        let mut word = u64::from(id.ordinal) << 20 | u64::from(id.session) << 4 | id.kind as u64;
        while data.len() < len {
            word = word
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            data.extend_from_slice(&word.to_le_bytes());
        }
        data.truncate(len);
        data
    }

    /// Which frame `data` is; `None` when not every byte is as it was made.
    pub fn identify(&self, data: &[u8]) -> Option<Id> {
        let tag = data.first_chunk::<TAG>()?;
        let id = Id {
            kind: match tag[0] {
                0 => Kind::Video,
                1 => Kind::Audio,
                2 => Kind::Talk,
                _ => return None,
            },
            session: u32::from_le_bytes([tag[4], tag[5], tag[6], tag[7]]),
            ordinal: u32::from_le_bytes([tag[8], tag[9], tag[10], tag[11]]),
        };
        (self.data(id) == data).then_some(id)
    }

    /// The frame as a camera sends it, `micros` after the epoch.
    pub fn frame<'f>(&self, id: Id, micros: u64, data: &'f [u8]) -> OutFrame<'f> {
        let micros = 1_767_239_680_000_000 + micros;
        let (stream, info) = match id.kind {
            Kind::Video => (Stream::Video, FrameInfo::video(Codec::H264, 20, micros)),
            _ => (
                Stream::Audio,
                FrameInfo::audio(Codec::Pcm16, SPEECH, micros),
            ),
        };
        OutFrame {
            stream,
            key: self.is_key(id),
            info,
            data,
        }
    }
}

/// 16 kHz, 16 bits, mono.
pub const SPEECH: AudioFormat = AudioFormat {
    sample_rate: 16_000,
    bits: 16,
    channels: 1,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_known_by_its_bytes_and_by_every_one_of_them() {
        let show = Show::TWO_K;
        for (kind, ordinal) in [
            (Kind::Video, 0),
            (Kind::Video, 7),
            (Kind::Audio, 3),
            (Kind::Talk, 9),
        ] {
            let id = Id {
                kind,
                session: 2,
                ordinal,
            };
            let mut data = show.data(id);
            assert_eq!(show.identify(&data), Some(id));
            let last = data.len() - 1;
            data[last] ^= 1;
            assert_eq!(show.identify(&data), None);
            assert_eq!(show.identify(&data[..last]), None);
        }
    }

    #[test]
    fn the_2k_stream_has_four_megabits_a_second() {
        let show = Show::TWO_K;
        let frames = (0..400).map(|ordinal| Id {
            kind: Kind::Video,
            session: 0,
            ordinal,
        });
        let bytes: usize = frames.map(|id| show.len(id)).sum();
        let megabits = bytes as f64 * 8.0 / 20.0 / 1e6;
        assert!((3.9..4.1).contains(&megabits), "{megabits}");
    }
}
