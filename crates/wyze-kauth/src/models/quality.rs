//! What picture a user asks for, and the command that sets it.

use tutk_core::wire::Writer;

use super::ResolutionCommand::{ResolvingBit, VideoParams};
use super::{DOORBELL_V1, Kind, Model};
use crate::command::{Encode, FrameSize, SetResolvingBit, SetVideoParams, write_request};
use crate::hl::Code;

/// What picture a user asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Quality {
    /// The model's best, at the highest bit rate.
    #[default]
    Hd,
    /// The small picture at the bit rate the app gives it.
    Sd,
    /// 640×360 at the lowest bit rate.
    P360,
    /// 1280×720, where the camera has it.
    P720,
    /// 2560×1440 or 2304×1296, or the model's best where it has neither.
    TwoK,
}

/// The command that sets a quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResolutionRequest {
    /// K10056.
    ResolvingBit(SetResolvingBit),
    /// K10052.
    VideoParams(SetVideoParams),
}

impl ResolutionRequest {
    /// The command that sets the size with this number on `model`, at the bit rate of the quality that has this size, or at
    /// the highest.
    pub fn of_size(size: u8, model: Option<&Model>) -> Self {
        [Quality::Hd, Quality::Sd, Quality::P720]
            .map(|quality| quality.request(model))
            .into_iter()
            .find(|request| request.size() == size)
            .unwrap_or_else(|| Self::new(FrameSize::from_wire(size), 240, model))
    }

    fn new(size: FrameSize, bitrate: u16, model: Option<&Model>) -> Self {
        match model.map_or(ResolvingBit, |m| m.resolution) {
            ResolvingBit => Self::ResolvingBit(SetResolvingBit {
                size,
                bitrate,
                fps: 0,
            }),
            VideoParams => Self::VideoParams(SetVideoParams::resolution(size, bitrate)),
        }
    }

    /// The number of the size that it sets.
    fn size(&self) -> u8 {
        match self {
            Self::ResolvingBit(request) => request.size.wire(),
            Self::VideoParams(request) => request.size.wire(),
        }
    }

    /// Writes its body, and says its code.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Code {
        match self {
            Self::ResolvingBit(request) => {
                request.encode(w);
                Code::K10056
            }
            Self::VideoParams(request) => {
                request.encode(w);
                Code::K10052
            }
        }
    }

    /// Writes it as a whole HL message, and says its code.
    pub fn write(&self, out: &mut Writer<'_>) -> Code {
        match self {
            Self::ResolvingBit(request) => write_request(request, out),
            Self::VideoParams(request) => write_request(request, out),
        }
    }
}

impl Quality {
    /// The command that sets it on `model`; a model that is not known gets K10056.
    pub fn request(self, model: Option<&Model>) -> ResolutionRequest {
        let best = model.map_or(FrameSize::P1080, |m| m.best);
        let is_doorbell_v1 = model.is_some_and(|m| m.code == DOORBELL_V1);
        let small = if is_doorbell_v1 {
            FrameSize::P1296
        } else {
            FrameSize::P360
        };
        let (size, bitrate) = match self {
            // 180 is the most this doorbell was seen to take.
            Self::Hd | Self::TwoK if is_doorbell_v1 => (best, 180),
            Self::Hd => (best, 240),
            Self::Sd => (small, 60),
            Self::P360 => (small, 30),
            Self::P720 if is_doorbell_v1 => (best, 120),
            Self::P720 => (FrameSize::P720, 120),
            Self::TwoK => (model.map_or(FrameSize::P1440, |m| m.best), 240),
        };
        ResolutionRequest::new(size, bitrate, model)
    }
}

/// The sizes of a picture by name, on a model that is not known.
pub(crate) const SIZES: &[(&str, u8)] = &[
    ("1080p", 1),
    ("360p", 2),
    ("720p", 3),
    ("1440p", 4),
    ("1296p", 5),
    ("hd", 1),
    ("sd", 2),
];

/// The sizes of a picture by name, each with the number that commands carry: those of `model`, or of any model where it is
/// not known. "hd" and "sd" are the sizes of [`Quality::Hd`] and [`Quality::Sd`]; a doorbell's have no other name, because
/// its numbers are not those of the cameras.
pub fn sizes(model: Option<&Model>) -> &'static [(&'static str, u8)] {
    match model {
        None => SIZES,
        Some(m) if m.code == DOORBELL_V1 => &[("hd", 4), ("sd", 5)],
        Some(m) if m.kind == Kind::Doorbell => &[("hd", 4), ("sd", 2)],
        Some(m) if m.best == FrameSize::P1440 => &[
            ("1440p", 4),
            ("1080p", 1),
            ("720p", 3),
            ("360p", 2),
            ("hd", 4),
            ("sd", 2),
        ],
        Some(m) if m.best == FrameSize::P1296 => {
            &[("1296p", 5), ("720p", 3), ("360p", 2), ("hd", 5), ("sd", 2)]
        }
        Some(_) => &[("1080p", 1), ("720p", 3), ("360p", 2), ("hd", 1), ("sd", 2)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl::Message;
    use crate::models::{MODELS, lookup};

    fn wire(model: &str, quality: Quality) -> (u16, Vec<u8>) {
        let mut memory = [0u8; 64];
        let mut w = Writer::new(&mut memory);
        let code = quality.request(lookup(model)).write(&mut w);
        let m = Message::parse(w.finish().unwrap()).unwrap();
        assert_eq!(m.code, code);
        (code.0, m.payload.to_vec())
    }

    #[test]
    fn best_quality_is_what_working_clients_send() {
        for (model, code, payload) in [
            ("HL_CAM4", 10056, &[4, 240, 0, 0, 0][..]), // testdata/sessions
            ("HL_BC", 10056, &[5, 240, 0, 0, 0]),       // docs/protocol.md §7.1
            ("HL_CFL2", 10056, &[5, 240, 0, 0, 0]),
            ("WYZE_CAKP2JFUS", 10056, &[1, 240, 0, 0, 0]),
            ("WYZEDB3", 10052, &[180, 0, 4, 0, 0, 0]), // vectors.json, K10052_fs3_br_b4
            ("WVOD1", 10052, &[240, 0, 1, 0, 0, 0]),
            ("a camera of tomorrow", 10056, &[1, 240, 0, 0, 0]),
        ] {
            assert_eq!(
                wire(model, Quality::Hd),
                (code, payload.to_vec()),
                "{model}"
            );
        }
    }

    #[test]
    fn other_qualities_pick_their_size() {
        assert_eq!(wire("HL_CAM4", Quality::Sd).1[..3], [2, 60, 0]);
        assert_eq!(wire("HL_CAM4", Quality::P360).1[..3], [2, 30, 0]);
        assert_eq!(wire("HL_CAM4", Quality::P720).1[..3], [3, 120, 0]);
        assert_eq!(wire("HL_CAM4", Quality::TwoK).1[0], 4);
        assert_eq!(
            wire("WYZEC1-JZ", Quality::TwoK).1[0],
            1,
            "it has no more than 1080p"
        );
        assert_eq!(wire("unknown", Quality::TwoK).1[0], 4);
        assert_eq!(
            wire("WYZEDB3", Quality::Sd),
            (10052, vec![60, 0, 5, 0, 0, 0])
        );
        assert_eq!(
            wire("WYZEDB3", Quality::P720),
            (10052, vec![120, 0, 4, 0, 0, 0]),
            "it has but two sizes"
        );
    }

    #[test]
    fn hd_and_sd_are_the_sizes_of_these_qualities_on_every_model() {
        let models = MODELS.iter().filter(|m| m.unsupported().is_none());
        for model in models.map(Some).chain([None]) {
            for (word, quality) in [("hd", Quality::Hd), ("sd", Quality::Sd)] {
                let size = sizes(model).iter().find(|(name, _)| *name == word);
                let request = quality.request(model);
                assert_eq!(Some(&(word, request.size())), size, "{model:?}");
                assert_eq!(ResolutionRequest::of_size(request.size(), model), request);
            }
        }
    }
}
