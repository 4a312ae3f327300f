//! The settings of a virtual camera: what was set is what is read.

use tutk_core::wire::{Malformed, Writer};

use super::{MAX_BODY, SETTINGS, lookup};
use crate::command::{
    CheckCameraParams, CruisePoints, Encode, GetCruisePoints, GetPtzPosition, Pan, PtzPosition,
    Request, ResetRotation, RotateByAction, RotateByDegree, SetCruisePoints, SetPtzPosition,
    SetResolvingBit, SetVideoParams, Tilt,
};
use crate::hl::{self, Code, Message};
use crate::json;

/// The highest vertical and horizontal position.
const MAX_VERTICAL: i32 = 40;
const MAX_HORIZONTAL: i32 = 350;

/// Requests that are answered "1" and leave nothing behind that could be read.
const DONE: &[Code] = &[Code::K10058, Code::K10148, Code::K10242, Code::K11635];
/// Requests whose replies are JSON of which no more is known.
const EMPTY_JSON: &[Code] = &[Code::K10446, Code::K10448, Code::K10720];
/// Requests of whose replies nothing is known.
const EMPTY: &[Code] = &[Code::K10620, Code::K10788, Code::K10820];

/// The settings of a virtual camera, and the answers to every command of `docs/protocol.md` §3.2 that reads or sets
/// them. The authentication, K10010 and the streams are others' business.
///
/// It takes values that the table of settings allows and nothing else. Its position, which no source defines, is the
/// middle of both ranges at the start; a step of K11002 moves it by the request's speed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraState {
    values: [i64; SETTINGS.len()],
    cruise_points: CruisePoints,
    vertical: i32,
    horizontal: i32,
}

impl Default for CameraState {
    fn default() -> Self {
        Self::new()
    }
}

impl CameraState {
    /// A camera out of the box: everything off, but the status light on, night vision by itself, 1080p at 120 KB/s and
    /// 20 frames a second.
    pub fn new() -> Self {
        let mut state = Self {
            // 2 is the switches' off; the others follow.
            values: [2; SETTINGS.len()],
            cruise_points: CruisePoints::default(),
            vertical: MAX_VERTICAL / 2,
            horizontal: MAX_HORIZONTAL / 2,
        };
        for (name, value) in [
            ("status-light", 1),
            ("night-vision", 3),
            ("bit-rate", 120),
            ("resolution", 1),
            ("fps", 20),
            ("clock", 0),
            ("time-zone", 0),
            ("motion-sensitivity", 50),
            ("awake", 1),
        ] {
            state.set(name, value);
        }
        state
    }

    /// The value of a setting by its name in the [table](super::settings_table).
    pub fn value(&self, name: &str) -> Option<i64> {
        let at = SETTINGS.iter().position(|s| s.name == name)?;
        self.values.get(at).copied()
    }

    /// Gives a setting a value, as a hand at the camera would. Whether there is such a setting and it takes the value.
    pub fn set(&mut self, name: &str, value: i64) -> bool {
        let at = SETTINGS.iter().position(|s| s.name == name);
        let allowed = lookup(name).is_some_and(|s| s.values.allow(value));
        match at.and_then(|at| self.values.get_mut(at)) {
            Some(slot) if allowed => {
                *slot = value;
                true
            }
            _ => false,
        }
    }

    /// Where it looks: vertical 0 to 40, horizontal 0 to 350.
    pub fn position(&self) -> (u8, u16) {
        (
            u8::try_from(self.vertical).unwrap_or(0),
            u16::try_from(self.horizontal).unwrap_or(0),
        )
    }

    /// The positions between which it cruises.
    pub fn cruise_points(&self) -> &CruisePoints {
        &self.cruise_points
    }

    /// Does what a request asks for and writes the reply as a whole message of protocol `version`. Says the reply's
    /// code; `None`, and nothing written, when there is none: for commands that are not known or not answered, and for
    /// bodies that cannot be read or hold a value that is not allowed, which change nothing.
    pub fn handle(
        &mut self,
        request: &Message<'_>,
        out: &mut Writer<'_>,
        version: u8,
    ) -> Option<Code> {
        let answer = match self.apply(request) {
            Ok(answer) => answer?,
            Err(why) => {
                tutk_core::debug!("dropped: {}: {}", request.code, why);
                return None;
            }
        };
        let code = request.code.reply();
        hl::write(out, version, code, |w| match answer {
            Answer::Done => w.u8(1),
            Answer::Empty => {}
            Answer::EmptyJson => w.bytes(b"{}"),
            Answer::Fixed(body, len) => w.bytes(body.get(..len).unwrap_or_default()),
            Answer::Position(position) => position.encode(w),
            Answer::CruisePoints => self.cruise_points.encode(w),
            Answer::Parameters(ids) => self.write_parameters(ids, w),
        });
        Some(code)
    }

    /// Does what a request asks for, and says what to answer.
    fn apply<'p>(&mut self, m: &Message<'p>) -> Result<Option<Answer<'p>>, Malformed> {
        Ok(Some(match m.code {
            CheckCameraParams::CODE => {
                Answer::Parameters(m.request::<CheckCameraParams<'_>>()?.ids)
            }
            SetResolvingBit::CODE => {
                self.set_resolution(m.request::<SetResolvingBit>()?)?;
                Answer::Done
            }
            GetCruisePoints::CODE => Answer::CruisePoints,
            SetCruisePoints::CODE => {
                self.cruise_points = m.request::<SetCruisePoints>()?.points;
                Answer::Done
            }
            code if is_ptz(code) => return self.turn(m),
            code if DONE.contains(&code) => Answer::Done,
            code if EMPTY_JSON.contains(&code) => Answer::EmptyJson,
            code if EMPTY.contains(&code) => Answer::Empty,
            code if self.read(code).is_some() => return Ok(self.read(code)),
            _ => return self.write(m),
        }))
    }

    /// The settings that a request reads.
    fn read<'p>(&self, code: Code) -> Option<Answer<'p>> {
        let (mut body, mut len) = ([0; MAX_BODY], 0);
        for (setting, value) in SETTINGS.iter().zip(self.values) {
            if setting.get == Some(code) {
                setting.place.put(value, &mut body);
                len = len.max(setting.place.len);
            }
        }
        (len > 0).then_some(Answer::Fixed(body, len))
    }

    /// Sets what a request sets, all of it or nothing.
    fn write<'p>(&mut self, m: &Message<'_>) -> Result<Option<Answer<'p>>, Malformed> {
        let mut values = self.values;
        let mut known = false;
        for (setting, slot) in SETTINGS.iter().zip(&mut values) {
            // K10052 sets the video parameters, and 0 in it leaves one as it is.
            let is_video = m.code == Code::K10052 && setting.get == Some(Code::K10050);
            if !is_video && setting.set != Some(m.code) && setting.set_early != Some(m.code) {
                continue;
            }
            known = true;
            let value = setting.place.read(m.payload)?;
            if is_video && value == 0 {
                continue;
            }
            if !setting.values.allow(value) {
                return Err(Malformed::BadValue);
            }
            *slot = value;
        }
        self.values = values;
        Ok(known.then_some(Answer::Done))
    }

    fn set_resolution(&mut self, request: SetResolvingBit) -> Result<(), Malformed> {
        let mut body = [0; MAX_BODY];
        let mut w = Writer::new(&mut body);
        let fps = u8::try_from(request.fps).map_err(|_| Malformed::BadValue)?;
        SetVideoParams {
            fps,
            ..SetVideoParams::resolution(request.size, request.bitrate)
        }
        .encode(&mut w);
        self.write(&Message {
            version: 0,
            code: Code::K10052,
            payload: &body,
        })
        .map(drop)
    }

    fn turn<'p>(&mut self, m: &Message<'_>) -> Result<Option<Answer<'p>>, Malformed> {
        match m.code {
            RotateByDegree::CODE => {
                let by = m.request::<RotateByDegree>()?;
                self.turn_by(by.vertical.into(), by.horizontal.into());
                Ok(None)
            }
            ResetRotation::CODE => {
                m.request::<ResetRotation>()?;
                self.turn_to(MAX_VERTICAL / 2, MAX_HORIZONTAL / 2);
                Ok(None)
            }
            RotateByAction::CODE => {
                let step = m.request::<RotateByAction>()?;
                let by = i32::from(step.speed);
                let vertical = match step.tilt {
                    Tilt::Up => by,
                    Tilt::Down => -by,
                    _ => 0,
                };
                let horizontal = match step.pan {
                    Pan::Left => -by,
                    Pan::Right => by,
                    _ => 0,
                };
                self.turn_by(vertical, horizontal);
                Ok(Some(Answer::Done))
            }
            SetPtzPosition::CODE => {
                let to = m.request::<SetPtzPosition>()?;
                self.turn_to(to.vertical.into(), to.horizontal.into());
                Ok(Some(Answer::Done))
            }
            _ => {
                let time = m.request::<GetPtzPosition>()?.time;
                let (vertical, horizontal) = self.position();
                Ok(Some(Answer::Position(PtzPosition {
                    time,
                    vertical,
                    horizontal,
                })))
            }
        }
    }

    fn turn_by(&mut self, vertical: i32, horizontal: i32) {
        self.turn_to(
            self.vertical.saturating_add(vertical),
            self.horizontal.saturating_add(horizontal),
        );
    }

    /// Turns as far towards there as it can.
    fn turn_to(&mut self, vertical: i32, horizontal: i32) {
        self.vertical = vertical.clamp(0, MAX_VERTICAL);
        self.horizontal = horizontal.clamp(0, MAX_HORIZONTAL);
    }

    /// The parameters among `ids` that there are, each once.
    fn write_parameters(&self, ids: &[u8], w: &mut Writer<'_>) {
        json::object(w, |o| {
            for (setting, value) in SETTINGS.iter().zip(self.values) {
                if let Some(id) = setting.parameter.filter(|id| ids.contains(id)) {
                    o.literal(&json::decimal(id.into()), &json::decimal(value));
                }
            }
        });
    }
}

/// What a request is answered.
enum Answer<'p> {
    Done,
    Empty,
    EmptyJson,
    Fixed([u8; MAX_BODY], usize),
    Position(PtzPosition),
    CruisePoints,
    Parameters(&'p [u8]),
}

fn is_ptz(code: Code) -> bool {
    matches!(
        code,
        RotateByDegree::CODE
            | RotateByAction::CODE
            | ResetRotation::CODE
            | GetPtzPosition::CODE
            | SetPtzPosition::CODE
    )
}
