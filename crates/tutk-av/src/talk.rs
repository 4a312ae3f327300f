//! Audio towards the camera: one packet a frame, in a layout of its own.
//!
//! Source: `docs/protocol.md` §2.10, step 4.

use tutk_core::{Full, TxBuf};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::session16;
use crate::wire::{FLAG_EXT, FLAG_LAST, FRAGMENT, Inner, VERSION};
use crate::{AudioFormat, Codec, FrameInfo};

/// A frame of audio to be played by the camera.
#[derive(Debug, Clone, Copy)]
pub struct TalkFrame<'f> {
    /// The codec of the camera's own audio.
    pub codec: Codec,
    /// Its format, likewise.
    pub format: AudioFormat,
    /// Microseconds on the sender's clock; wraps.
    pub micros: u32,
    /// The coded frame, at most 1024 bytes.
    pub data: &'f [u8],
}

/// Numbers and writes the frames of one talk.
#[derive(Debug, Clone, Default)]
pub struct TalkPacketizer {
    /// Number of the last frame; 0 before the first.
    last: u32,
    first_micros: u32,
}

impl TalkPacketizer {
    /// Begins a talk.
    pub const fn new() -> Self {
        Self {
            last: 0,
            first_micros: 0,
        }
    }

    /// Writes one frame into `tx` as one message of 36 bytes, the frame, and 16 bytes of FRAMEINFO.
    ///
    /// # Errors
    /// [`Full`], with nothing written or counted: `tx` is too small, or the frame is longer than 1024 bytes.
    pub fn write(&mut self, frame: &TalkFrame<'_>, tx: &mut TxBuf<'_>) -> Result<(), Full> {
        let len = frame.data.len() + FrameInfo::TALK;
        if frame.data.len() > FRAGMENT || tx.room() < 36 + len {
            return Err(Full);
        }
        let (previous, number) = (self.last, self.last.wrapping_add(1));
        let first = previous == 0;
        let info = self.info(frame);
        tx.append(&[3, FLAG_LAST | FLAG_EXT])?;
        tx.append(&VERSION.to_le_bytes())?;
        tx.append(&number.to_le_bytes())?;
        tx.append(&frame.micros.to_le_bytes())?;
        tx.append(if first { &[1, 0, 0, 0] } else { &[1, 0, 16, 0] })?;
        let inner = Inner {
            kind: 3,
            sub: FLAG_LAST,
            counter: U16::new(previous as u16),
            total: U16::new(1),
            index_or_info_len: U16::new(FrameInfo::TALK as u16),
            payload_len: U16::new(len as u16),
            zero: U16::ZERO,
            previous: U32::new(previous),
            current: U32::new(number),
        };
        tx.append(inner.as_bytes())?;
        tx.append(frame.data)?;
        tx.append(&info.to_bytes16())?;
        self.last = number;
        Ok(())
    }

    /// Writes one frame in the form of Session16.
    pub(crate) fn write16(
        &mut self,
        frame: &TalkFrame<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let info = self.info(frame).to_bytes32();
        session16::write_talk(self.last as u16, frame.data, &info, tx)?;
        self.last = self.last.wrapping_add(1);
        Ok(())
    }

    fn info(&mut self, frame: &TalkFrame<'_>) -> FrameInfo {
        if self.last == 0 {
            self.first_micros = frame.micros;
        }
        FrameInfo {
            unix_seconds: frame.micros.wrapping_sub(self.first_micros) / 1000,
            micros: 0,
            size: FrameInfo::TALK as u8,
            ..FrameInfo::audio(frame.codec, frame.format, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes_of, media, vectors};

    #[test]
    fn frames_match_the_vectors() {
        let vectors = vectors();
        let go2rtc = &vectors["derived_packets_go2rtc"];
        for (name, number, codec, sample_rate, micros) in [
            (
                "go2rtc_audio_frame1_pcmu_160B_8000",
                1,
                Codec::Pcmu,
                8000,
                123_456,
            ),
            (
                "go2rtc_audio_frame2_aac_10B_16000",
                2,
                Codec::AacWyze,
                16000,
                187_456,
            ),
        ] {
            let expected = bytes_of(&go2rtc[name]);
            let mut packetizer = TalkPacketizer {
                last: number - 1,
                first_micros: 123_456,
            };
            let format = AudioFormat {
                sample_rate,
                bits: 16,
                channels: 1,
            };
            let frame = TalkFrame {
                codec,
                format,
                micros,
                data: &expected[36..expected.len() - 16],
            };
            let mut memory = [0; 300];
            let mut tx = TxBuf::new(&mut memory);
            packetizer.write(&frame, &mut tx).unwrap();
            assert_eq!(hex::encode(tx.payload()), hex::encode(&expected), "{name}");

            let packet = media(&expected);
            assert_eq!((packet.frame, packet.previous), (number, number - 1));
            assert_eq!((packet.payload, packet.last), (frame.data, true));
            let info = packet.info.unwrap();
            assert_eq!((info.codec, info.size), (codec, 16));
            assert_eq!(info.audio_format(), Some(format));
        }
    }

    #[test]
    fn too_much_is_refused_and_not_counted() {
        let mut packetizer = TalkPacketizer::new();
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        let mut frame = TalkFrame {
            codec: Codec::Pcma,
            format: AudioFormat {
                sample_rate: 8000,
                bits: 16,
                channels: 1,
            },
            micros: 0,
            data: &[0; 1025],
        };
        assert_eq!(packetizer.write(&frame, &mut tx), Err(Full));
        frame.data = &[0; 1024];
        let needed = 36 + 1024 + FrameInfo::TALK;
        let mut small = [0; 36 + 1024 + FrameInfo::TALK];
        let mut full = TxBuf::new(&mut small[..needed - 1]);
        assert_eq!(packetizer.write(&frame, &mut full), Err(Full));
        assert!(full.is_empty());
        let mut just = TxBuf::new(&mut small);
        assert_eq!(packetizer.clone().write(&frame, &mut just), Ok(()));
        packetizer.write(&frame, &mut tx).unwrap();
        assert_eq!(media(tx.payload()).frame, 1);
    }
}
