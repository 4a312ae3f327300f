//! ADTS: the header of an AAC frame, and the only reliable source of its format.
//!
//! Source: ISO/IEC 14496-3, 1.A.2.2 (adts_fixed_header, adts_variable_header) and 1.6.2.1 (AudioSpecificConfig).

use tutk_core::wire::{Malformed, Reader};

const RATES: [u32; 13] = [
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];

/// The header of one ADTS frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adts {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels, 1 to 8; 0 when the stream describes them inband.
    pub channels: u8,
    /// MPEG-4 audio object type: 2 for AAC-LC.
    pub object_type: u8,
    /// Bytes of this header: 7, or 9 with a checksum.
    pub header_len: u8,
    /// Bytes of the frame, this header included.
    pub frame_len: u16,
    rate_index: u8,
    channel_config: u8,
}

impl Adts {
    /// Reads the header at the front of `frame`.
    ///
    /// # Errors
    /// [`Malformed`]: truncated, no sync word, a reserved rate, or a length below that of the header.
    pub fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(frame);
        let fixed = r.u32_be()?;
        let variable = r.u24_be()?;
        if fixed >> 20 != 0xfff || fixed >> 17 & 0b11 != 0 {
            return Err(Malformed::BadMagic);
        }
        let rate_index = (fixed >> 10 & 0xf) as u8;
        let channel_config = (fixed >> 6 & 0x7) as u8;
        let header_len = if fixed >> 16 & 1 == 1 { 7 } else { 9 };
        let frame_len = ((fixed & 0b11) << 11 | variable >> 13) as u16;
        if frame_len < u16::from(header_len) {
            return Err(Malformed::BadLength);
        }
        Ok(Self {
            sample_rate: *RATES
                .get(usize::from(rate_index))
                .ok_or(Malformed::BadValue)?,
            channels: if channel_config == 7 {
                8
            } else {
                channel_config
            },
            object_type: (fixed >> 14 & 0b11) as u8 + 1,
            header_len,
            frame_len,
            rate_index,
            channel_config,
        })
    }

    /// The AudioSpecificConfig that MP4 and RTP want in place of this header.
    pub const fn audio_specific_config(&self) -> [u8; 2] {
        [
            self.object_type << 3 | self.rate_index >> 1,
            (self.rate_index & 1) << 7 | self.channel_config << 3,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aac_lc_16_khz_mono() {
        // object type 2, rate index 8, 1 channel, no checksum, 371 bytes
        let header = [0xff, 0xf1, 0x60, 0x40, 0x2e, 0x7f, 0xfc];
        let adts = Adts::parse(&header).unwrap();
        assert_eq!((adts.sample_rate, adts.channels), (16000, 1));
        assert_eq!((adts.object_type, adts.header_len), (2, 7));
        assert_eq!(adts.frame_len, 371);
        assert_eq!(adts.audio_specific_config(), [0x14, 0x08]);
    }

    #[test]
    fn aac_lc_44_khz_stereo_with_checksum() {
        let header = [0xff, 0xf0, 0x50, 0x80, 0x01, 0x3f, 0xfc];
        let adts = Adts::parse(&header).unwrap();
        assert_eq!((adts.sample_rate, adts.channels), (44100, 2));
        assert_eq!((adts.header_len, adts.frame_len), (9, 9));
        assert_eq!(adts.audio_specific_config(), [0x12, 0x10]);
    }

    #[test]
    fn an_odd_rate_index_reaches_into_the_second_byte_of_the_configuration() {
        // object type 2, rate index 3, 2 channels
        let header = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x1f, 0xfc];
        let adts = Adts::parse(&header).unwrap();
        assert_eq!((adts.sample_rate, adts.channels), (48000, 2));
        assert_eq!(adts.audio_specific_config(), [0x11, 0x90]);
    }

    #[test]
    fn the_length_of_a_frame_has_13_bits() {
        for len in [7u32, 0x7ff, 0x800, 0x1000, 0x1fff] {
            let [_, high, middle, low] = (len << 5).to_be_bytes();
            let header = [0xff, 0xf1, 0x60, 0x40 | high, middle, low | 0x1f, 0xfc];
            let read = Adts::parse(&header).unwrap();
            assert_eq!((u32::from(read.frame_len), read.channels), (len, 1));
        }
    }

    #[test]
    fn refuses_what_is_no_adts() {
        assert_eq!(Adts::parse(&[0xff, 0xf1, 0x60]), Err(Malformed::Truncated));
        assert_eq!(Adts::parse(&[0xfe; 7]), Err(Malformed::BadMagic));
        // layer bits of an MP3 header
        let mp3 = [0xff, 0xfb, 0x60, 0x40, 0x2e, 0x7f, 0xfc];
        assert_eq!(Adts::parse(&mp3), Err(Malformed::BadMagic));
        let reserved_rate = [0xff, 0xf1, 0x7c, 0x40, 0x2e, 0x7f, 0xfc];
        assert_eq!(Adts::parse(&reserved_rate), Err(Malformed::BadValue));
        let short = [0xff, 0xf1, 0x60, 0x40, 0x00, 0xdf, 0xfc];
        assert_eq!(Adts::parse(&short), Err(Malformed::BadLength));
    }
}
