//! NAL units: finding them in Annex B, telling the kinds apart that matter here, and the parameter sets.

use shiguredo_mp4::bitstream::{h264, h265};

use crate::VideoCodec;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The NAL units of an Annex B stream (ITU-T H.264 Annex B), without start codes and padding.
///
/// What stands before the first start code is not returned; see [`starts_with_start_code`].
pub(crate) fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = find_start_code(stream).map(|at| &stream[at + 3..]);
    std::iter::from_fn(move || {
        loop {
            let current = rest?;
            let end = match find_start_code(current) {
                Some(at) => {
                    rest = Some(&current[at + 3..]);
                    at
                }
                None => {
                    rest = None;
                    current.len()
                }
            };
            // A NAL unit never ends in a zero byte: these belong to the next start code or are padding.
            let len = current[..end].iter().rposition(|&byte| byte != 0);
            if let Some(last) = len {
                return Some(&current[..=last]);
            }
        }
    })
}

/// Is there nothing but zero bytes in front of the first start code?
pub(crate) fn starts_with_start_code(stream: &[u8]) -> bool {
    find_start_code(stream).is_some_and(|at| stream[..at].iter().all(|&byte| byte == 0))
}

fn find_start_code(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(window) = data.get(at..at + 3) {
        match window {
            [0, 0, 1] => return Some(at),
            [_, _, 0] => at += 1,
            [_, _, 1] => at += 1,
            _ => at += 3,
        }
    }
    None
}

/// Appends `nal` with a four-byte start code.
pub(crate) fn push_annex_b(out: &mut Vec<u8>, nal: &[u8]) {
    out.extend_from_slice(&START_CODE);
    out.extend_from_slice(nal);
}

/// What a NAL unit is for, as far as this crate cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NalKind {
    /// Access unit delimiter
    Delimiter,
    /// Video parameter set (H.265 only)
    Vps,
    Sps,
    Pps,
    /// Anything else that opens an access unit, such as an SEI message
    Prefix,
    /// A slice. `first`: the first one of its picture. `key`: decoding can start here.
    Slice {
        first: bool,
        key: bool,
    },
    /// Anything that follows slices or has no say
    Other,
}

/// The kind of a NAL unit (H.264 Table 7-1, H.265 Table 7-1).
pub(crate) fn kind(codec: VideoCodec, nal: &[u8]) -> NalKind {
    match codec {
        VideoCodec::H264 => {
            // first_mb_in_slice is Exp-Golomb coded: a leading one bit is the value 0.
            let first = nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
            match nal.first().map(|byte| byte & 0x1f) {
                Some(1 | 2) => NalKind::Slice { first, key: false },
                Some(5) => NalKind::Slice { first, key: true },
                Some(7) => NalKind::Sps,
                Some(8) => NalKind::Pps,
                Some(9) => NalKind::Delimiter,
                Some(6 | 14..=18) => NalKind::Prefix,
                _ => NalKind::Other,
            }
        }
        VideoCodec::H265 => {
            let first = nal.get(2).is_some_and(|byte| byte & 0x80 != 0);
            match nal.first().map(|byte| byte >> 1 & 0x3f) {
                Some(0..=15) => NalKind::Slice { first, key: false },
                Some(16..=23) => NalKind::Slice { first, key: true },
                Some(32) => NalKind::Vps,
                Some(33) => NalKind::Sps,
                Some(34) => NalKind::Pps,
                Some(35) => NalKind::Delimiter,
                Some(39 | 41..=44 | 48..=55) => NalKind::Prefix,
                _ => NalKind::Other,
            }
        }
    }
}

/// The parameter sets most recently seen in a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    pub(crate) vps: Vec<Vec<u8>>,
    pub(crate) sps: Vec<Vec<u8>>,
    pub(crate) pps: Vec<Vec<u8>>,
}

impl ParameterSets {
    /// Those that occur in the access unit `nals`.
    pub(crate) fn collect<'a>(codec: VideoCodec, nals: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut sets = Self::default();
        for nal in nals {
            match kind(codec, nal) {
                NalKind::Vps => sets.vps.push(nal.to_vec()),
                NalKind::Sps => sets.sps.push(nal.to_vec()),
                NalKind::Pps => sets.pps.push(nal.to_vec()),
                _ => {}
            }
        }
        sets
    }

    /// Replaces every kind of set of which `newer` has any.
    pub(crate) fn update(&mut self, newer: Self) {
        for (mine, theirs) in [
            (&mut self.vps, newer.vps),
            (&mut self.sps, newer.sps),
            (&mut self.pps, newer.pps),
        ] {
            if !theirs.is_empty() {
                *mine = theirs;
            }
        }
    }

    /// Are these enough to start decoding?
    pub(crate) fn complete(&self, codec: VideoCodec) -> bool {
        !self.sps.is_empty()
            && !self.pps.is_empty()
            && (codec == VideoCodec::H264 || !self.vps.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.vps
            .iter()
            .chain(&self.sps)
            .chain(&self.pps)
            .map(Vec::as_slice)
    }

    /// Width and height in pixels, after cropping.
    pub(crate) fn dimensions(&self, codec: VideoCodec) -> Option<(u16, u16)> {
        let sps = self.sps.first()?;
        match codec {
            VideoCodec::H264 => h264::parse_sps(sps).ok().map(|s| (s.width, s.height)),
            VideoCodec::H265 => h265::parse_sps(sps).ok().map(|s| (s.width, s.height)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(stream: &[u8]) -> Vec<&[u8]> {
        nal_units(stream).collect()
    }

    #[test]
    fn both_start_codes_and_padding_are_recognised() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 0, 1, 0x65, 9, 0, 0,
        ];
        assert_eq!(units(&stream), [&[0x67, 1][..], &[0x68, 2], &[0x65, 9]]);
        assert!(starts_with_start_code(&stream));
    }

    #[test]
    fn nonsense_yields_no_unit() {
        assert!(units(&[]).is_empty());
        assert!(units(&[1, 2, 3, 4]).is_empty());
        assert!(units(&[0, 0, 1]).is_empty());
        assert!(units(&[0, 0, 1, 0, 0, 1, 0, 0, 0]).is_empty());
        assert!(!starts_with_start_code(&[7, 0, 0, 1, 0x65]));
    }

    #[test]
    fn start_code_search_equals_the_plain_one() {
        // Every string of seven bytes out of {0, 1, 2}.
        for n in 0..3u32.pow(7) {
            let bytes: Vec<u8> = (0..7).map(|i| (n / 3u32.pow(i) % 3) as u8).collect();
            let plain = bytes.windows(3).position(|w| w == [0, 0, 1]);
            assert_eq!(find_start_code(&bytes), plain, "{bytes:?}");
        }
    }

    #[test]
    fn kinds_of_both_codecs() {
        let h264 = |b: &[u8]| kind(VideoCodec::H264, b);
        let h265 = |b: &[u8]| kind(VideoCodec::H265, b);
        let slice = |first, key| NalKind::Slice { first, key };
        assert_eq!(h264(&[0x65, 0x88]), slice(true, true));
        assert_eq!(h264(&[0x41, 0x40]), slice(false, false));
        assert_eq!(h264(&[0x67]), NalKind::Sps);
        assert_eq!(h265(&[0x26, 1, 0xaf]), slice(true, true));
        assert_eq!(h265(&[0x02, 1, 0x00]), slice(false, false));
        assert_eq!(h265(&[0x40, 1]), NalKind::Vps);
        assert_eq!(h264(&[]), NalKind::Other);
    }
}
