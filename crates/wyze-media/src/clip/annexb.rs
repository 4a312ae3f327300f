//! Raw Annex B: from a byte stream to access units.

use super::{ClipError, ClipOptions, DEFAULT_FPS, Parts, Timed, Track};
use crate::VideoCodec;
use crate::nal::{self, NalKind, ParameterSets};

pub(super) fn read(bytes: &[u8], options: &ClipOptions) -> Result<Parts, ClipError> {
    let codec = detect(bytes).ok_or(ClipError::NoKeyFrame)?;
    let mut sets = ParameterSets::default();
    let mut dimensions = None;
    let mut samples = Vec::new();
    let fps = if options.raw_fps.is_finite() && options.raw_fps > 0.0 {
        options.raw_fps
    } else {
        DEFAULT_FPS
    };
    let start = |frame: usize| (frame as f64 * 1e6 / fps) as i64;
    for nals in access_units(codec, bytes) {
        let (key, data) = camera_frame(codec, &nals, &mut sets, false);
        if dimensions.is_none() {
            dimensions = sets.dimensions(codec);
        }
        // Nothing can be decoded before a key frame with its parameter sets.
        if samples.is_empty() && !(key && sets.complete(codec)) {
            continue;
        }
        let frame = samples.len();
        samples.push(Timed {
            track: Track::Video,
            key,
            start_us: start(frame),
            end_us: start(frame + 1),
            data,
        });
    }
    let (width, height) = dimensions.ok_or(ClipError::NoKeyFrame)?;
    Ok(Parts {
        video: Some((codec, width, height)),
        samples,
        ..Parts::default()
    })
}

/// Puts an access unit into the shape in which cameras send it: Annex B, parameter sets in front of key frames. Says
/// whether it is a key frame. `sets` follows the stream; `marked_key` is what the container claims.
pub(super) fn camera_frame(
    codec: VideoCodec,
    nals: &[&[u8]],
    sets: &mut ParameterSets,
    marked_key: bool,
) -> (bool, Vec<u8>) {
    let own = ParameterSets::collect(codec, nals.iter().copied());
    let missing = !own.complete(codec);
    sets.update(own);
    let key = marked_key
        || nals
            .iter()
            .any(|nal| matches!(nal::kind(codec, nal), NalKind::Slice { key: true, .. }));
    let (delimiter, rest) = match nals.split_first() {
        Some((first, rest)) if nal::kind(codec, first) == NalKind::Delimiter => {
            (Some(*first), rest)
        }
        _ => (None, nals),
    };
    let mut data = Vec::with_capacity(nals.iter().map(|n| n.len() + 4).sum());
    if let Some(delimiter) = delimiter {
        nal::push_annex_b(&mut data, delimiter);
    }
    let is_set = |nal: &[u8]| {
        matches!(
            nal::kind(codec, nal),
            NalKind::Vps | NalKind::Sps | NalKind::Pps
        )
    };
    let complete_it = key && missing;
    if complete_it {
        sets.iter()
            .for_each(|set| nal::push_annex_b(&mut data, set));
    }
    rest.iter()
        .filter(|nal| !(complete_it && is_set(nal)))
        .for_each(|nal| nal::push_annex_b(&mut data, nal));
    (key, data)
}

/// H.265 and H.264 parameter sets cannot be taken for each other: the header of the one is an unused or forbidden
/// type of the other.
fn detect(bytes: &[u8]) -> Option<VideoCodec> {
    let (mut sps, mut pps) = (false, false);
    for unit in nal::nal_units(bytes) {
        match unit {
            // Layer 0, temporal sublayer 0.
            [0x40, 0x01, ..] => return Some(VideoCodec::H265),
            [first, ..] if first & 0x9f == 7 => sps = true,
            [first, ..] if first & 0x9f == 8 => pps = true,
            _ => {}
        }
        if sps && pps {
            return Some(VideoCodec::H264);
        }
    }
    None
}

/// Cuts where a NAL unit can only belong to the next picture (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4): a delimiter,
/// parameter set or other prefix after a slice, or a slice that is the first one of its picture.
fn access_units(codec: VideoCodec, bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let mut nals = nal::nal_units(bytes).peekable();
    std::iter::from_fn(move || {
        let mut unit = vec![nals.next()?];
        let is_slice = |nal: &[u8]| matches!(nal::kind(codec, nal), NalKind::Slice { .. });
        let mut has_slice = is_slice(unit[0]);
        while let Some(next) = nals.next_if(|next| {
            !(has_slice
                && match nal::kind(codec, next) {
                    NalKind::Slice { first, .. } => first,
                    NalKind::Other => false,
                    _ => true,
                })
        }) {
            has_slice |= is_slice(next);
            unit.push(next);
        }
        Some(unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(nals: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        nals.iter().for_each(|nal| nal::push_annex_b(&mut out, nal));
        out
    }

    #[test]
    fn slices_of_one_picture_stay_together() {
        let sps: &[u8] = &[0x67, 1];
        let pps: &[u8] = &[0x68, 1];
        let (idr_a, idr_b): (&[u8], &[u8]) = (&[0x65, 0x88], &[0x65, 0x40]);
        let p: &[u8] = &[0x41, 0x9a];
        let sei: &[u8] = &[0x06, 5];
        let bytes = stream(&[sps, pps, idr_a, idr_b, p, sei, p, p]);
        let units: Vec<_> = access_units(VideoCodec::H264, &bytes).collect();
        assert_eq!(
            units,
            [vec![sps, pps, idr_a, idr_b], vec![p], vec![sei, p], vec![p]]
        );
    }

    #[test]
    fn key_frames_get_the_sets_they_lack_behind_the_delimiter() {
        let codec = VideoCodec::H264;
        let (aud, sps, pps): (&[u8], &[u8], &[u8]) = (&[9, 0x10], &[0x67, 1], &[0x68, 1]);
        let idr: &[u8] = &[0x65, 0x88];
        let mut sets = ParameterSets::default();
        camera_frame(codec, &[sps, pps], &mut sets, false);
        let (key, data) = camera_frame(codec, &[aud, idr], &mut sets, false);
        assert!(key);
        assert_eq!(data, stream(&[aud, sps, pps, idr]));
        // Only half of them in band: no set twice.
        let (_, data) = camera_frame(codec, &[aud, pps, idr], &mut sets, false);
        assert_eq!(data, stream(&[aud, sps, pps, idr]));
    }

    #[test]
    fn codecs_are_told_apart() {
        assert_eq!(
            detect(&stream(&[&[0x67, 1], &[0x68, 1]])),
            Some(VideoCodec::H264)
        );
        assert_eq!(
            detect(&stream(&[&[0x46, 1, 0x50], &[0x40, 1, 0xc]])),
            Some(VideoCodec::H265)
        );
        assert_eq!(detect(&stream(&[&[0x41, 1]])), None);
    }
}
