//! The commands that read and set something, as named settings for a user.
//!
//! One row for each setting: its name, the codes that read and set it, where its value stands in their bodies, and which
//! values there are. The command line reads and sets by this table, and the virtual camera's [`CameraState`] keeps and
//! answers by it. Beside it stand what can only be read ([`READINGS`]), what is done once ([`ACTIONS`]), and what turns a
//! camera ([`PTZ_VERBS`]).
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
use crate::models::{self, Model, ResolutionRequest};

mod actions;
mod ptz;
mod readings;
mod state;
mod table;

pub use actions::{ACTIONS, Action, ActionError};
pub use ptz::{PTZ_VERBS, PtzError, PtzRequest, PtzVerb};
pub use readings::{READINGS, Reading, Shape};
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
    /// A size of the picture: which there are, and which command sets it, depends on the model.
    Size,
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
            Kind::U8 | Kind::Size => field.first_chunk().map(|&b| u8::from_le_bytes(b).into()),
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
            Kind::U8 | Kind::Size | Kind::I8 => &[low][..],
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

/// A request that reads or sets a [`Setting`], reads a [`Reading`] or is an [`Action`].
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
    /// The setting as `model` has it: sizes of the picture have other names on each. `None` for a model that is not known.
    #[must_use]
    pub fn on(mut self, model: Option<&Model>) -> Self {
        if self.place.kind == Kind::Size {
            self.values = Values::Words(models::sizes(model));
        }
        self
    }

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
        let values = self.on(model).values;
        if !values.allow(value) {
            return Err(SettingError::NotAllowed(values));
        }
        let mut body = [0; MAX_BODY];
        if self.place.kind == Kind::Size {
            // Allowed, so it is one of the words' bytes.
            let size = u8::try_from(value).unwrap_or_default();
            let mut w = Writer::new(&mut body);
            let code = ResolutionRequest::of_size(size, model).encode(&mut w);
            let len = w.len();
            return Ok(SettingRequest { code, body, len });
        }
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
mod tests;
