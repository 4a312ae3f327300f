//! The commands that read and set something, as named settings for a user.
//!
//! One row for each setting: its name, the codes that read and set it, where its value stands in their bodies, and which
//! values there are. The command line reads and sets by this table, and the virtual camera's [`CameraState`] keeps and
//! answers by it.
//!
//! ```
//! use tutk_core::wire::Writer;
//! use wyze_kauth::{Code, settings};
//!
//! let night_vision = settings::lookup("night-vision").expect("it is in the table");
//! let auto = night_vision.parse("auto")?;
//! let request = night_vision.set_request(auto, None)?;
//! let mut memory = [0u8; 32];
//! let mut w = Writer::new(&mut memory);
//! assert_eq!(request.write(&mut w), Code::K10042);
//! assert_eq!(w.finish()?[16..], [3]);
//!
//! let mistake = night_vision.parse("dusk").unwrap_err();
//! assert_eq!(mistake.to_string(), "that is none of the values it takes: on, off, auto");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt;

use tutk_core::wire::{Malformed, Writer};

use crate::command::{CheckCameraParams, Encode};
use crate::hl::{self, CLIENT_VERSION, Code, Message};
use crate::models::Model;

mod ptz;
mod state;
mod table;

pub use ptz::{PTZ_VERBS, PtzError, PtzRequest, PtzVerb};
pub use state::CameraState;
pub use table::SETTINGS;

/// Longest body of fixed layout, bytes: the video parameters.
const MAX_BODY: usize = 6;

/// A setting of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Setting {
    /// The name a user gives, such as "night-vision".
    pub name: &'static str,
    /// What it is, for the user.
    pub help: &'static str,
    /// The request that reads it.
    pub get: Option<Code>,
    /// The request that sets it.
    pub set: Option<Code>,
    /// The request that sets it on the oldest models, where that is another one.
    set_early: Option<Code>,
    /// Its number among the parameters of K10020.
    pub parameter: Option<u8>,
    /// Which values it takes.
    pub values: Values,
    place: Place,
}

/// The values that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Values {
    /// These words, each with the number that commands carry.
    Words(&'static [(&'static str, u8)]),
    /// A number from the first to the last, both included.
    Range(i64, i64),
}

impl Values {
    /// Whether commands may carry this number.
    pub fn allow(&self, value: i64) -> bool {
        match self {
            Self::Words(words) => words.iter().any(|&(_, byte)| i64::from(byte) == value),
            Self::Range(min, max) => (*min..=*max).contains(&value),
        }
    }
}

/// The list as a user wants to read it: "on, off, auto" or "30 to 240".
impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => {
                for (i, (word, _)) in words.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    f.write_str(word)?;
                }
                Ok(())
            }
            Self::Range(min, max) => write!(f, "{min} to {max}"),
        }
    }
}

/// Where a value stands in the bodies that carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Place {
    kind: Kind,
    /// Bytes before it.
    at: usize,
    /// Bytes of the request that sets it; what is not the value is 0.
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Kind {
    U8,
    /// Two bytes that say the same.
    Twice,
    I8,
    U16,
    U32,
}

impl Place {
    /// The value in a body.
    fn read(self, body: &[u8]) -> Result<i64, Malformed> {
        let field = body.get(self.at..).ok_or(Malformed::Truncated)?;
        let value = match self.kind {
            Kind::U8 => field.first_chunk().map(|&b| u8::from_le_bytes(b).into()),
            Kind::I8 => field.first_chunk().map(|&b| i8::from_le_bytes(b).into()),
            Kind::U16 => field.first_chunk().map(|&b| u16::from_le_bytes(b).into()),
            Kind::U32 => field.first_chunk().map(|&b| u32::from_le_bytes(b).into()),
            Kind::Twice => field.first_chunk().map(|&[first, _]| first.into()),
        };
        value.ok_or(Malformed::Truncated)
    }

    /// Puts the value into a body. What does not fit the field loses its upper bytes; settings check beforehand.
    fn put(self, value: i64, body: &mut [u8; MAX_BODY]) {
        let [low, high, b2, b3, ..] = value.to_le_bytes();
        let bytes = match self.kind {
            Kind::U8 | Kind::I8 => &[low][..],
            Kind::Twice => &[low, low],
            Kind::U16 => &[low, high],
            Kind::U32 => &[low, high, b2, b3],
        };
        for (slot, byte) in body.iter_mut().skip(self.at).zip(bytes) {
            *slot = *byte;
        }
    }
}

/// Why a setting cannot be read or set as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SettingError {
    /// It takes these values only.
    NotAllowed(Values),
    /// No command is known that sets it.
    ReadOnly,
    /// No command is known that reads it.
    WriteOnly,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(values) => {
                write!(f, "that is none of the values it takes: {values}")
            }
            Self::ReadOnly => f.write_str("it can only be read: no command is known that sets it"),
            Self::WriteOnly => f.write_str("it can only be set: no command is known that reads it"),
        }
    }
}

impl core::error::Error for SettingError {}

/// A request that reads or sets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SettingRequest {
    code: Code,
    body: [u8; MAX_BODY],
    len: usize,
}

impl SettingRequest {
    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Writes it as a whole HL message, and says its code. `out` fails to finish if it did not fit.
    pub fn write(&self, out: &mut Writer<'_>) -> Code {
        let body = self.body.get(..self.len).unwrap_or_default();
        hl::write(out, CLIENT_VERSION, self.code, |w| w.bytes(body));
        self.code
    }
}

/// All settings that are known.
pub const fn settings_table() -> &'static [Setting] {
    SETTINGS
}

/// The setting of this name; `None` when there is none.
pub fn lookup(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == name)
}

impl Setting {
    /// The value that a user means: one of the words, or a number within the range.
    ///
    /// # Errors
    /// [`SettingError::NotAllowed`], which lists what is allowed.
    pub fn parse(&self, text: &str) -> Result<i64, SettingError> {
        let value = match self.values {
            Values::Words(words) => words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|&(_, byte)| byte.into()),
            Values::Range(..) => text.parse().ok(),
        };
        value
            .filter(|&value| self.values.allow(value))
            .ok_or(SettingError::NotAllowed(self.values))
    }

    /// A value as a user would write it. One that is not known is a number too.
    pub fn show(&self, value: i64) -> impl fmt::Display + use<> {
        Shown(self.values, value)
    }

    /// The request that reads it.
    ///
    /// # Errors
    /// [`SettingError::WriteOnly`].
    pub fn get_request(&self) -> Result<SettingRequest, SettingError> {
        if let Some(code) = self.get {
            return Ok(SettingRequest {
                code,
                body: [0; MAX_BODY],
                len: 0,
            });
        }
        let id = self.parameter.ok_or(SettingError::WriteOnly)?;
        let mut body = [0; MAX_BODY];
        let mut w = Writer::new(&mut body);
        CheckCameraParams { ids: &[id] }.encode(&mut w);
        let len = w.len();
        Ok(SettingRequest {
            code: Code::K10020,
            body,
            len,
        })
    }

    /// The request that sets it to `value` on `model`; `None` for a model that is not known.
    ///
    /// # Errors
    /// [`SettingError::NotAllowed`] or [`SettingError::ReadOnly`].
    pub fn set_request(
        &self,
        value: i64,
        model: Option<&Model>,
    ) -> Result<SettingRequest, SettingError> {
        let is_early = self.set_early.is_some() && self.set_early == model.map(|m| m.motion_alarm);
        let code = if is_early { self.set_early } else { self.set };
        let code = code.ok_or(SettingError::ReadOnly)?;
        if !self.values.allow(value) {
            return Err(SettingError::NotAllowed(self.values));
        }
        let mut body = [0; MAX_BODY];
        self.place.put(value, &mut body);
        Ok(SettingRequest {
            code,
            body,
            len: self.place.len,
        })
    }

    /// The value in a camera's reply: to [`get_request`](Self::get_request), or to K10020 with more parameters.
    ///
    /// # Errors
    /// The message answers something else, or the value is not in it.
    pub fn read_reply(&self, reply: &Message<'_>) -> Result<i64, Malformed> {
        if self.get.map(Code::reply) == Some(reply.code) {
            return self.place.read(reply.payload);
        }
        let id = self.parameter.ok_or(Malformed::BadMagic)?;
        let params = reply.reply_to::<CheckCameraParams<'_>>()?;
        params.get(id).map(i64::from).ok_or(Malformed::BadValue)
    }
}

/// Whether a camera's reply to a request that sets something says that it is done.
///
/// It says 1, or nothing where no source tells what it says. A camera also says 1 when it does not honour a value, so
/// read the setting back where that matters.
pub fn is_done(reply: &Message<'_>) -> bool {
    matches!(reply.payload.first(), None | Some(1))
}

struct Shown(Values, i64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(values, value) = self;
        let word = match values {
            Values::Words(words) => words.iter().find(|&&(_, byte)| i64::from(byte) == *value),
            Values::Range(..) => None,
        };
        match word {
            Some((word, _)) => f.write_str(word),
            None => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    fn written(request: SettingRequest) -> (u16, Vec<u8>) {
        let mut memory = [0u8; 64];
        let mut w = Writer::new(&mut memory);
        assert_eq!(request.write(&mut w), request.code());
        let m = Message::parse(w.finish().unwrap()).unwrap();
        (m.code.0, m.payload.to_vec())
    }

    fn set(name: &str, value: &str, model: &str) -> (u16, Vec<u8>) {
        let setting = lookup(name).unwrap();
        let value = setting.parse(value).unwrap();
        written(setting.set_request(value, models::lookup(model)).unwrap())
    }

    #[test]
    fn settings_are_set_with_the_documented_bytes() {
        for (name, value, code, body) in [
            ("status-light", "on", 10032, &[1][..]),
            ("night-vision", "auto", 10042, &[3]),
            ("ir-led", "940nm", 10046, &[2]),
            ("horizontal-flip", "on", 10052, &[0, 0, 0, 0, 1, 0]),
            ("vertical-flip", "off", 10052, &[0, 0, 0, 0, 0, 2]),
            ("fps", "20", 10052, &[0, 0, 0, 20, 0, 0]),
            ("bit-rate", "180", 10052, &[180, 0, 0, 0, 0, 0]),
            ("osd-time", "off", 10072, &[2]),
            ("osd-logo", "on", 10076, &[1]),
            ("clock", "1700000000", 10092, &[0x00, 0xf1, 0x53, 0x65]),
            ("motion-alarm", "on", 10206, &[1, 0]),
            ("motion-tagging", "off", 10292, &[2]),
            ("time-zone", "-4", 10302, &[0xfc]),
            ("awake", "on", 10444, &[1]),
            ("rtsp", "on", 10600, &[1]),
            ("night-switch", "dark", 10626, &[2]),
            ("siren", "on", 10630, &[1, 1]),
            ("spotlight", "off", 10646, &[2]),
            ("pan-scan", "on", 11016, &[1]),
            ("motion-tracking", "on", 11022, &[1]),
            ("floodlight", "off", 12060, &[2]),
        ] {
            assert_eq!(set(name, value, "HL_CAM4"), (code, body.to_vec()), "{name}");
        }
        for model in ["WYZEC1", "WYZEDB3", "WVOD1", "HL_WCO2"] {
            assert_eq!(set("motion-alarm", "off", model), (10202, vec![2, 0]));
        }
        assert_eq!(set("motion-alarm", "off", "tomorrow"), (10206, vec![2, 0]));
    }

    #[test]
    fn settings_are_read_by_their_code_or_their_parameter() {
        let get = |name| written(lookup(name).unwrap().get_request().unwrap());
        assert_eq!(get("night-vision"), (10040, vec![]));
        assert_eq!(get("siren"), (10632, vec![]));
        assert_eq!(get("time-zone"), (10020, vec![1, 22]));

        let read = |name, code, payload: &[u8]| {
            let reply = Message {
                version: 36,
                code: Code(code),
                payload,
            };
            let setting = lookup(name).unwrap();
            setting
                .read_reply(&reply)
                .map(|v| setting.show(v).to_string())
        };
        assert_eq!(read("night-vision", 10041, &[3]), Ok("auto".into()));
        assert_eq!(read("night-vision", 10041, &[9]), Ok("9".into()));
        assert_eq!(read("night-vision", 10041, &[]), Err(Malformed::Truncated));
        assert_eq!(read("night-vision", 10043, &[1]), Err(Malformed::BadMagic));
        // testdata/vectors.json, K10056_HL_BC and K10020_roundtrip_HL_DB2
        let video = [0xf0, 0, 5, 20, 1, 1];
        assert_eq!(read("bit-rate", 10051, &video), Ok("240".into()));
        assert_eq!(read("resolution", 10051, &video), Ok("1296p".into()));
        assert_eq!(read("fps", 10051, &video), Ok("20".into()));
        assert_eq!(read("vertical-flip", 10051, &video), Ok("on".into()));
        let json = br#"{"1":1,"2":3,"3":192,"4":1,"5":20,"22":-4,"27":2}"#;
        assert_eq!(read("night-vision", 10021, json), Ok("auto".into()));
        assert_eq!(read("time-zone", 10021, json), Ok("-4".into()));
        assert_eq!(read("motion-tracking", 10021, json), Ok("off".into()));
        assert_eq!(read("ir-led", 10021, json), Err(Malformed::BadValue));
        assert_eq!(read("siren", 10021, json), Err(Malformed::BadMagic));
        assert_eq!(read("motion-sensitivity", 10201, &[1, 77]), Ok("77".into()));
    }

    #[test]
    fn a_wrong_value_is_told_the_right_ones() {
        for (name, value, allowed) in [
            ("night-vision", "dusk", "on, off, auto"),
            ("night-vision", "1", "on, off, auto"),
            ("status-light", "ON", "on, off"),
            ("time-zone", "14", "-11 to 13"),
            ("bit-rate", "fast", "30 to 240"),
        ] {
            let error = lookup(name).unwrap().parse(value).unwrap_err();
            assert!(error.to_string().ends_with(allowed), "{error}");
        }
        let resolution = lookup("resolution").unwrap();
        assert_eq!(resolution.set_request(1, None), Err(SettingError::ReadOnly));
        let floodlight = lookup("floodlight").unwrap();
        assert_eq!(floodlight.get_request(), Err(SettingError::WriteOnly));
        let zone = lookup("time-zone").unwrap();
        assert!(matches!(
            zone.set_request(i64::MAX, None),
            Err(SettingError::NotAllowed(_))
        ));
        assert_eq!(lookup("colour"), None);
    }

    #[test]
    fn a_missing_or_affirmative_answer_is_done() {
        let done = |payload| {
            is_done(&Message {
                version: 36,
                code: Code(10033),
                payload,
            })
        };
        assert!(done(&[1]) && done(&[]) && done(&[1, 0]));
        assert!(!done(&[0]) && !done(&[2]));
    }
}
