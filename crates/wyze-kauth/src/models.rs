//! What is known about each camera model (`docs/protocol.md` §5), and which command sets a [`Quality`] on it.
//!
//! [`MODELS`] is the one table of it: client, command line and documentation take theirs from here. A row says what is
//! documented; what is not stays at the usual.

use crate::command::FrameSize;
use crate::hl::Code;

mod quality;

pub(crate) use quality::SIZES;
pub use quality::{Quality, ResolutionRequest, sizes};

/// A model. What no source tells is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Model {
    /// The code in device list and K10003.
    pub code: &'static str,
    /// The name it is sold under.
    pub name: &'static str,
    /// What kind of camera it is.
    pub kind: Kind,
    /// How it is reached.
    pub reach: Reach,
    /// Which command sets its resolution.
    pub resolution: ResolutionCommand,
    /// Its best resolution.
    pub best: FrameSize,
    /// The best picture's width and height, pixels. Doorbells turn theirs to stand upright.
    pub best_pixels: Option<(u16, u16)>,
    /// Which command switches its motion alarm: K10206, or K10202 on the oldest models.
    pub motion_alarm: Code,
    /// Audio as seen so far. What comes is told by FRAMEINFO.
    pub audio: Option<&'static str>,
    /// Whether it has a motor for pan and tilt.
    pub pan_tilt: bool,
    /// Whether it is built with a floodlight. Accessories add one to other models.
    pub floodlight: bool,
    /// Bytes of FRAMEINFO behind each frame, where other than 40.
    pub frame_info_len: Option<u8>,
    /// The first firmware that speaks 0xCC51 framing only.
    pub cc51_only_from: Option<&'static str>,
    /// Whether its DTLS knows the cipher suite 0x00AE only.
    pub only_suite_00ae: bool,
    /// Whether the AV login may ask for repairs (`resend` 1).
    pub resend: bool,
    /// Why it cannot be watched over TUTK.
    not_tutk: Option<&'static str>,
}

/// What kind of camera a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Kind {
    /// A camera with a cable.
    Camera,
    /// A doorbell.
    Doorbell,
    /// A camera with a battery, which sleeps until woken.
    Outdoor,
}

/// How a model is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reach {
    /// TUTK on the LAN.
    Tutk,
    /// TUTK through a base station, whose ENR and MAC make the keys; K10000 must wake the camera.
    TutkThroughBase,
    /// Not at all: it speaks Gwell's protocol or the cloud's WebRTC.
    OtherProtocol,
}

/// Which command sets a model's resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResolutionCommand {
    /// K10056.
    ResolvingBit,
    /// K10052.
    VideoParams,
}

use ResolutionCommand::{ResolvingBit, VideoParams};

impl Model {
    /// A camera with K10056 and 1080p.
    const fn hd(code: &'static str, name: &'static str) -> Self {
        Self {
            code,
            name,
            kind: Kind::Camera,
            reach: Reach::Tutk,
            resolution: ResolvingBit,
            best: FrameSize::P1080,
            best_pixels: Some((1920, 1080)),
            motion_alarm: Code::K10206,
            audio: None,
            pan_tilt: false,
            floodlight: false,
            frame_info_len: None,
            cc51_only_from: None,
            only_suite_00ae: false,
            resend: true,
            not_tutk: None,
        }
    }

    /// A camera with K10056 and 2560×1440.
    const fn qhd(code: &'static str, name: &'static str) -> Self {
        Self::hd(code, name).best(FrameSize::P1440, Some((2560, 1440)))
    }

    /// A camera with K10056 and 2304×1296, which is wire value 5.
    const fn wide(code: &'static str, name: &'static str) -> Self {
        Self::hd(code, name).best(FrameSize::P1296, Some((2304, 1296)))
    }

    const fn doorbell(code: &'static str, name: &'static str) -> Self {
        let mut model = Self::hd(code, name).best(FrameSize::P1440, None);
        model.kind = Kind::Doorbell;
        model
    }

    /// One behind a base station, whose ENR and MAC make the keys.
    const fn outdoor(code: &'static str, name: &'static str) -> Self {
        let mut model = Self::hd(code, name).early();
        model.kind = Kind::Outdoor;
        model.reach = Reach::TutkThroughBase;
        model.resend = false;
        model
    }

    /// One that does not speak TUTK.
    const fn other(code: &'static str, name: &'static str, why: &'static str) -> Self {
        let mut model = Self::hd(code, name);
        model.reach = Reach::OtherProtocol;
        model.best_pixels = None;
        model.not_tutk = Some(why);
        model
    }

    const fn best(mut self, size: FrameSize, pixels: Option<(u16, u16)>) -> Self {
        self.best = size;
        self.best_pixels = pixels;
        self
    }

    /// K10052 and K10202 in place of K10056 and K10206.
    const fn early(mut self) -> Self {
        self.resolution = VideoParams;
        self.motion_alarm = Code::K10202;
        self
    }

    const fn audio(mut self, audio: &'static str) -> Self {
        self.audio = Some(audio);
        self
    }

    const fn pan_tilt(mut self) -> Self {
        self.pan_tilt = true;
        self
    }

    const fn floodlight(mut self) -> Self {
        self.floodlight = true;
        self
    }

    const fn frame_info_len(mut self, len: u8) -> Self {
        self.frame_info_len = Some(len);
        self
    }

    const fn cc51_only_from(mut self, firmware: &'static str) -> Self {
        self.cc51_only_from = Some(firmware);
        self
    }

    const fn only_suite_00ae(mut self) -> Self {
        self.only_suite_00ae = true;
        self
    }

    /// Why this model cannot be watched over TUTK, for the user; `None` when it can.
    pub fn unsupported(&self) -> Option<&'static str> {
        self.not_tutk
    }

    /// Whether K10000 must wake it: [`Hello::WakeUp`](crate::Hello::WakeUp).
    pub fn wants_wake_up(&self) -> bool {
        self.reach == Reach::TutkThroughBase
    }
}

/// The reason to refuse the models of the GW family.
const GWELL: &str = "this model does not speak TUTK but Gwell's protocol or the cloud's WebRTC, so it cannot be watched directly";
/// The reason to refuse the models of the AN and LD families.
const CLOUD: &str = "this model does not speak TUTK and is watched through the cloud's WebRTC if at all, so it cannot be watched directly";

/// All models that are known.
#[rustfmt::skip] // one row a model
pub const MODELS: &[Model] = &[
    Model::hd("WYZEC1", "Cam v1").early(),
    Model::hd("WYZEC1-JZ", "Cam v2"),
    Model::hd("WYZE_CAKP2JFUS", "Cam v3").audio("AAC or PCMA, 16 kHz"), // Floodlight v1 too
    Model::qhd("HL_CAM3P", "Cam v3 Pro").audio("16 kHz"),
    Model::qhd("HL_CAM4", "Cam v4").cc51_only_from("4.52.9.5332"),
    Model::hd("WYZECP1_JEF", "Cam Pan v1").pan_tilt(),
    Model::hd("HL_PAN2", "Cam Pan v2").pan_tilt(),
    Model::hd("HL_PAN3", "Cam Pan v3").pan_tilt(),
    Model::qhd("HL_PANP", "Cam Pan Pro").pan_tilt(),
    Model::wide("HL_CFL2", "Floodlight v2").floodlight(),
    Model::wide("HL_BC", "Bulb Cam"),
    Model::doorbell(DOORBELL_V1, "Video Doorbell v1").early().frame_info_len(48).only_suite_00ae(),
    Model::doorbell("HL_DB2", "Video Doorbell v2"),
    Model::outdoor("WVOD1", "Cam Outdoor v1"),
    Model::outdoor("HL_WCO2", "Cam Outdoor v2"),
    Model::other("GW_GC1", "Cam OG", GWELL),
    Model::other("GW_GC2", "Cam OG Telephoto 3x", GWELL),
    Model::other("GW_BE1", "Doorbell Pro", GWELL),
    Model::other("GW_DBD", "Doorbell Duo", GWELL),
    Model::other("GW_DUO", "Duo Cam", GWELL),
    Model::other("GW_WC", "Window Cam", GWELL),
    Model::other("AN_RDB1", "Doorbell Pro 2", CLOUD),
    Model::other("LD_CFP", "Floodlight Pro", CLOUD),
    Model::other("AN_RSCW", "Battery Cam Pro", CLOUD),
];

/// The one model whose lesser resolution is not 360p.
const DOORBELL_V1: &str = "WYZEDB3";

/// The model with this code, letter for letter; `None` for one that is not known, which is no reason not to try.
pub fn lookup(model: &str) -> Option<&'static Model> {
    MODELS.iter().find(|m| m.code == model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_about_a_model_stands_in_its_row() {
        let db = lookup("WYZEDB3").unwrap();
        assert_eq!(
            (db.kind, db.frame_info_len, db.only_suite_00ae),
            (Kind::Doorbell, Some(48), true)
        );
        assert!(!lookup("WVOD1").unwrap().resend);
        let v4 = lookup("HL_CAM4").unwrap();
        assert_eq!(v4.cc51_only_from, Some("4.52.9.5332"));
        assert_eq!(v4.best_pixels, Some((2560, 1440)));
        assert_ne!(
            lookup("GW_GC1").unwrap().unsupported(),
            lookup("LD_CFP").unwrap().unsupported()
        );
    }

    #[test]
    fn models_are_told_apart() {
        assert!(lookup("GW_GC1").unwrap().unsupported().is_some());
        assert_eq!(lookup("HL_CAM4").unwrap().unsupported(), None);
        assert!(lookup("HL_WCO2").unwrap().wants_wake_up());
        assert!(!lookup("HL_BC").unwrap().wants_wake_up());
        assert_eq!(lookup("hl_cam4"), None);
        for (i, model) in MODELS.iter().enumerate() {
            assert!(
                MODELS[..i].iter().all(|m| m.code != model.code),
                "{} twice",
                model.code
            );
        }
    }
}
