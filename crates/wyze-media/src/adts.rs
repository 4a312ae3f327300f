//! ADTS headers (ISO/IEC 13818-7 §6.2, 14496-3 §1.A.2) and the AudioSpecificConfig of MP4 (14496-3 §1.6.2).

/// Rates by `sampling_frequency_index`.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
const HEADER_LEN: usize = 7;

/// Samples per channel in one AAC access unit.
pub(crate) const SAMPLES_PER_FRAME: u32 = 1024;

/// What both an ADTS header and an AudioSpecificConfig say about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AacConfig {
    /// 1 = Main, 2 = LC, 3 = SSR, 4 = LTP
    object_type: u8,
    rate_index: u8,
    channels: u8,
}

impl AacConfig {
    /// AAC-LC, if the rate is one that ADTS can name.
    pub(crate) fn lc(sample_rate: u32, channels: u8) -> Option<Self> {
        let rate_index = RATES.iter().position(|&rate| rate == sample_rate)? as u8;
        (1..=7).contains(&channels).then_some(Self {
            object_type: 2,
            rate_index,
            channels,
        })
    }

    pub(crate) fn sample_rate(self) -> u32 {
        // Every constructor checks the index.
        RATES
            .get(usize::from(self.rate_index))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn channels(self) -> u8 {
        // Configuration 7 is 7.1.
        if self.channels == 7 { 8 } else { self.channels }
    }

    /// Reads the config of an MP4 track. `None` if ADTS cannot carry the stream.
    pub(crate) fn from_specific_config(config: &[u8]) -> Option<Self> {
        let mut bits = Bits {
            data: config,
            at: 0,
        };
        let mut object_type = bits.take(5)?;
        let rate_index = bits.take(4)?;
        let channels = bits.take(4)?;
        if matches!(object_type, 5 | 29) {
            // Explicit SBR: the core stream is what ADTS carries, a decoder finds the extension by itself.
            let extension_rate = bits.take(4)?;
            if extension_rate == 15 {
                bits.take(24)?;
            }
            object_type = bits.take(5)?;
        }
        Self::checked(object_type, rate_index, channels)
    }

    /// The two bytes of an AudioSpecificConfig.
    pub(crate) fn specific_config(self) -> [u8; 2] {
        let bits = u16::from(self.object_type) << 11
            | u16::from(self.rate_index) << 7
            | u16::from(self.channels) << 3;
        bits.to_be_bytes()
    }

    /// The header in front of an access unit of `len` bytes. `None` if the frame would not fit into 13 bits.
    pub(crate) fn header(self, len: usize) -> Option<[u8; HEADER_LEN]> {
        let frame_len = u16::try_from(len + HEADER_LEN)
            .ok()
            .filter(|&n| n < 1 << 13)?;
        Some([
            0xff,
            0xf1, // MPEG-4, no CRC
            (self.object_type - 1) << 6 | self.rate_index << 2 | self.channels >> 2,
            (self.channels & 3) << 6 | (frame_len >> 11) as u8,
            (frame_len >> 3) as u8,
            (frame_len << 5) as u8 | 0x1f,
            0xfc, // buffer fullness unknown, one block
        ])
    }

    fn checked(object_type: u32, rate_index: u32, channels: u32) -> Option<Self> {
        ((1..=4).contains(&object_type)
            && (rate_index as usize) < RATES.len()
            && (1..=7).contains(&channels))
        .then_some(Self {
            object_type: object_type as u8,
            rate_index: rate_index as u8,
            channels: channels as u8,
        })
    }
}

/// One ADTS frame taken off the front of `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AdtsFrame<'a> {
    pub(crate) config: AacConfig,
    /// The access unit without header and CRC.
    pub(crate) payload: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// Does this look like ADTS rather than a bare access unit?
pub(crate) fn is_adts(data: &[u8]) -> bool {
    matches!(data, [0xff, second, ..] if second & 0xf6 == 0xf0)
}

/// Length of the frame, header included, whose first bytes are `data`; `None` if that is no header.
pub(crate) fn frame_len(data: &[u8]) -> Option<usize> {
    if !is_adts(data) {
        return None;
    }
    let mut bits = Bits { data, at: 30 };
    let len = bits.take(13)? as usize;
    (len > HEADER_LEN).then_some(len)
}

/// Takes one frame off `data`; `None` if there is none, it is cut short, or holds several blocks (which no camera
/// sends and MP4 could only store after decoding).
pub(crate) fn split_first(data: &[u8]) -> Option<AdtsFrame<'_>> {
    if !is_adts(data) {
        return None;
    }
    let mut bits = Bits { data, at: 15 };
    let no_crc = bits.take(1)? == 1;
    let profile = bits.take(2)?;
    let rate_index = bits.take(4)?;
    bits.take(1)?;
    let channels = bits.take(3)?;
    bits.take(4)?;
    let frame_len = bits.take(13)? as usize;
    bits.take(11)?;
    let extra_blocks = bits.take(2)?;
    let header_len = if no_crc { HEADER_LEN } else { HEADER_LEN + 2 };
    let payload = data.get(header_len..frame_len)?;
    if extra_blocks != 0 || payload.is_empty() {
        return None;
    }
    Some(AdtsFrame {
        config: AacConfig::checked(profile + 1, rate_index, channels)?,
        payload,
        rest: data.get(frame_len..)?,
    })
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.data.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_what_was_configured() {
        let config = AacConfig::lc(16_000, 1).unwrap();
        let mut frame = config.header(5).unwrap().to_vec();
        frame.extend([1, 2, 3, 4, 5, 0xaa]);
        let read = split_first(&frame).unwrap();
        assert_eq!(read.config, config);
        assert_eq!(read.payload, [1, 2, 3, 4, 5]);
        assert_eq!(read.rest, [0xaa]);
        assert_eq!((config.sample_rate(), config.channels()), (16_000, 1));
        // 0x1408 is what every encoder writes for 16 kHz mono LC.
        assert_eq!(config.specific_config(), [0x14, 0x08]);
        assert_eq!(config.header(1 << 13), None);
    }

    #[test]
    fn ffmpegs_config_with_the_sbr_tail_is_read() {
        let config = AacConfig::from_specific_config(&[0x14, 0x08, 0x56, 0xe5, 0x00]).unwrap();
        assert_eq!((config.sample_rate(), config.channels()), (16_000, 1));
        // HE-AAC, 24 kHz core, 48 kHz output, stereo
        let sbr = AacConfig::from_specific_config(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
        assert_eq!((sbr.sample_rate(), sbr.channels()), (24_000, 2));
        assert_eq!(AacConfig::from_specific_config(&[0x17]), None);
    }

    #[test]
    fn damaged_headers_are_refused() {
        let config = AacConfig::lc(8_000, 2).unwrap();
        let mut frame = config.header(20).unwrap().to_vec();
        frame.resize(27, 7);
        for len in 0..27 {
            assert_eq!(split_first(&frame[..len]), None, "cut to {len}");
        }
        frame[2] |= 0x3c; // rate index 15
        assert_eq!(split_first(&frame), None);
    }
}
