//! Samples between the panel, 16 bits at 16 kHz, and the camera, whatever it speaks.

use wyze_edge_nal::session::{AudioFormat, Codec};

use crate::g711;

/// Samples a second on both I2S devices.
pub const RATE: u32 = 16_000;
/// 20 ms of them.
pub const FRAME: usize = RATE as usize / 50;

/// How a camera's audio is coded, of what a panel can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What [`Codec`] and [`AudioFormat`] said.
    pub codec: Codec,
    /// 8 or 16 kHz.
    pub format: AudioFormat,
}

impl Line {
    /// `None` for what takes a decoder: AAC, Opus; for stereo and for other rates.
    pub fn new(codec: Codec, format: AudioFormat) -> Option<Self> {
        let known = matches!(codec, Codec::Pcm16 | Codec::Pcma | Codec::Pcmu)
            && format.channels == 1
            && matches!(format.sample_rate, 8000 | RATE);
        known.then_some(Self { codec, format })
    }

    fn halved(self) -> bool {
        self.format.sample_rate != RATE
    }

    /// The panel's samples of what has come.
    pub fn decode(self, bytes: &[u8], mut each: impl FnMut(i16)) {
        let mut play = |sample| {
            each(sample);
            if self.halved() {
                each(sample);
            }
        };
        match self.codec {
            Codec::Pcma => bytes.iter().for_each(|&b| play(g711::from_alaw(b))),
            Codec::Pcmu => bytes.iter().for_each(|&b| play(g711::from_ulaw(b))),
            _ => {
                for pair in bytes.chunks_exact(2) {
                    play(i16::from_le_bytes([pair[0], pair[1]]));
                }
            }
        }
    }

    /// 20 ms of the panel's samples as the camera wants them.
    pub fn encode(self, samples: &[i16; FRAME], out: &mut [u8; 2 * FRAME]) -> usize {
        let step = if self.halved() { 2 } else { 1 };
        let mut len = 0;
        for few in samples.chunks_exact(step) {
            // The mean of two keeps most of what 8 kHz can't carry out of it.
            let sum: i32 = few.iter().copied().map(i32::from).sum();
            let sample = (sum / step as i32) as i16;
            match self.codec {
                Codec::Pcma => out[len] = g711::to_alaw(sample),
                Codec::Pcmu => out[len] = g711::to_ulaw(sample),
                _ => {
                    out[len..len + 2].copy_from_slice(&sample.to_le_bytes());
                    len += 1;
                }
            }
            len += 1;
        }
        len
    }
}
