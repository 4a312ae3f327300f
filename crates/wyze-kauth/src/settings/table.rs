//! The table of settings (`docs/protocol.md` §3.2).

use super::{Kind, Place, Setting, Values};
use crate::hl::Code;
use crate::models;

const SWITCH: Values = Values::Words(&[("on", 1), ("off", 2)]);
/// One byte, and nothing else in the body.
const BYTE: Place = place(Kind::U8, 0, 1);

const fn place(kind: Kind, at: usize, len: usize) -> Place {
    Place { kind, at, len }
}

/// A setting of one byte.
const fn byte(name: &'static str, help: &'static str, values: Values) -> Setting {
    Setting {
        name,
        help,
        get: None,
        set: None,
        set_early: None,
        parameter: None,
        values,
        place: BYTE,
    }
}

/// One of the video parameters, in the body that K10051 and K10052 have in common.
const fn video(name: &'static str, help: &'static str, values: Values) -> Setting {
    byte(name, help, values).get(Code::K10050).set(Code::K10052)
}

impl Setting {
    const fn get(mut self, code: Code) -> Self {
        self.get = Some(code);
        self
    }

    const fn set(mut self, code: Code) -> Self {
        self.set = Some(code);
        self
    }

    const fn parameter(mut self, id: u8) -> Self {
        self.parameter = Some(id);
        self
    }

    const fn place(mut self, kind: Kind, at: usize, len: usize) -> Self {
        self.place = place(kind, at, len);
        self
    }

    const fn set_early(mut self, code: Code) -> Self {
        self.set_early = Some(code);
        self
    }
}

/// All settings that are known.
#[rustfmt::skip] // one setting a paragraph
pub const SETTINGS: &[Setting] = &[
    byte("status-light", "the status light", SWITCH)
        .get(Code::K10030).set(Code::K10032).parameter(1),
    byte("night-vision", "when the camera sees by infrared", Values::Words(&[("on", 1), ("off", 2), ("auto", 3)]))
        .get(Code::K10040).set(Code::K10042).parameter(2),
    byte("night-switch", "how dark it must be for night vision", Values::Words(&[("dusk", 1), ("dark", 2)]))
        .get(Code::K10624).set(Code::K10626),
    byte("ir-led", "the infrared light: 850nm reaches far, 940nm is invisible", Values::Words(&[("850nm", 1), ("940nm", 2)]))
        .get(Code::K10044).set(Code::K10046).parameter(50),
    video("bit-rate", "the picture's bit rate in KB/s", Values::Range(30, 240))
        .place(Kind::U16, 0, 6).parameter(3),
    // The model decides which of these it has, and whether it is K10056 or K10052.
    video("resolution", "the picture's size, set together with its usual bit rate", Values::Words(models::SIZES))
        .place(Kind::Size, 2, 6).set(Code::K10056).parameter(4),
    video("fps", "frames a second", Values::Range(1, 255))
        .place(Kind::U8, 3, 6).parameter(5),
    video("horizontal-flip", "the picture mirrored left to right", SWITCH)
        .place(Kind::U8, 4, 6).parameter(6),
    video("vertical-flip", "the picture upside down", SWITCH)
        .place(Kind::U8, 5, 6).parameter(7),
    byte("osd-time", "the time in the picture", SWITCH)
        .get(Code::K10070).set(Code::K10072),
    byte("osd-logo", "the logo in the picture", SWITCH)
        .get(Code::K10074).set(Code::K10076),
    byte("clock", "the camera's clock, seconds since 1970", Values::Range(0, u32::MAX as i64))
        .place(Kind::U32, 0, 4).get(Code::K10090).set(Code::K10092),
    byte("time-zone", "hours east of Greenwich", Values::Range(-11, 13))
        .place(Kind::I8, 0, 1).set(Code::K10302).parameter(22),
    byte("motion-alarm", "whether motion raises an alarm", SWITCH)
        .place(Kind::U8, 0, 2).get(Code::K10200).set(Code::K10206).set_early(Code::K10202).parameter(13),
    byte("motion-sensitivity", "how little motion raises an alarm", Values::Range(0, 255))
        .place(Kind::U8, 1, 2).get(Code::K10200),
    byte("motion-tagging", "a green frame around what moves", SWITCH)
        .get(Code::K10290).set(Code::K10292).parameter(21),
    byte("motion-tracking", "whether the camera turns after what moves", SWITCH)
        .get(Code::K11020).set(Code::K11022).parameter(27),
    byte("pan-scan", "whether the camera sweeps to and fro", SWITCH)
        .get(Code::K11014).set(Code::K11016),
    byte("siren", "siren and flash light", SWITCH)
        .place(Kind::Twice, 0, 2).get(Code::K10632).set(Code::K10630),
    byte("spotlight", "the spotlight", SWITCH)
        .get(Code::K10640).set(Code::K10646),
    byte("floodlight", "the floodlight", SWITCH)
        .set(Code::K12060),
    byte("awake", "whether an outdoor camera is awake", SWITCH)
        .set(Code::K10444),
    byte("rtsp", "RTSP, with RTSP firmware only", SWITCH)
        .get(Code::K10604).set(Code::K10600),
];
