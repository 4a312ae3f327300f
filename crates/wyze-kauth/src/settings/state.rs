//! The settings of a virtual camera: what was set is what is read.

use core::fmt;

use heapless::Vec;
use tutk_core::wire::{Malformed, Writer};

use super::{MAX_BODY, SETTINGS, lookup};
use crate::command::{
    CheckCameraParams, CruisePoints, Encode, GetCruisePoints, GetPtzPosition, GetRtsp, Pan,
    PtzPosition, Request, ResetRotation, RotateByAction, RotateByDegree, SetCruisePoints,
    SetPtzPosition, SetResolvingBit, SetVideoParams, Switch, Tilt,
};
use crate::hl::{self, Code, Message};
use crate::json;

/// The highest vertical and horizontal position.
const MAX_VERTICAL: i32 = 40;
const MAX_HORIZONTAL: i32 = 350;

/// Requests that are answered "1" and leave nothing behind that could be read.
const DONE: &[Code] = &[Code::K10058, Code::K10148, Code::K10242, Code::K11635];
/// Requests of whose replies no source tells what is in them, or no more than the keys of their JSON; and what a camera out
/// of the box says.
const UNDESCRIBED: [(Code, &[u8]); 6] = [
    (Code::K10446, b"{}"),
    (Code::K10448, br#"{"0":0,"1":0,"2":0,"3":0,"4":0}"#),
    (Code::K10620, b""),
    (Code::K10720, b"{}"),
    (Code::K10788, b""),
    (Code::K10820, b""),
];
/// Longest RTSP address and longest body of an [`UNDESCRIBED`] reply that a camera keeps, bytes.
const MAX_TEXT: usize = 64;

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
    rtsp_url: Text,
    /// The bodies of the [`UNDESCRIBED`] replies.
    undescribed: [Text; UNDESCRIBED.len()],
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
            rtsp_url: Text::default(),
            undescribed: <[Text; UNDESCRIBED.len()]>::default(),
        };
        for (code, body) in UNDESCRIBED {
            state.set_reply(code, body);
        }
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

    /// Where it says in K10605 that it serves RTSP; nowhere at the start. Whether the address fits: 64 bytes at most.
    pub fn set_rtsp_url(&mut self, url: &str) -> bool {
        self.rtsp_url.put(url.as_bytes())
    }

    /// Gives the reply to `request` another body, where no source tells what is in it: K10446, K10448, K10620, K10720,
    /// K10788, K10820. Whether it is one of these and the body fits: 64 bytes at most.
    pub fn set_reply(&mut self, request: Code, body: &[u8]) -> bool {
        let mut bodies = UNDESCRIBED.iter().zip(&mut self.undescribed);
        let slot = bodies.find(|((code, _), _)| *code == request);
        slot.is_some_and(|(_, slot)| slot.put(body))
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
            Answer::Fixed(body, len) => w.bytes(body.get(..len).unwrap_or_default()),
            Answer::Position(position) => position.encode(w),
            Answer::CruisePoints => self.cruise_points.encode(w),
            Answer::Parameters(ids) => self.write_parameters(ids, w),
            Answer::Rtsp => {
                let on = self.value("rtsp") == Some(1);
                Switch { on }.encode(w);
                w.bytes(&self.rtsp_url.0);
            }
            Answer::Undescribed => w.bytes(self.undescribed(request.code).unwrap_or_default()),
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
            GetRtsp::CODE => Answer::Rtsp,
            code if is_ptz(code) => return self.turn(m),
            code if DONE.contains(&code) => Answer::Done,
            code if self.undescribed(code).is_some() => Answer::Undescribed,
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

    /// The body of an [`UNDESCRIBED`] reply.
    fn undescribed(&self, request: Code) -> Option<&[u8]> {
        let mut bodies = UNDESCRIBED.iter().zip(&self.undescribed);
        let (_, body) = bodies.find(|((code, _), _)| *code == request)?;
        Some(&body.0)
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

/// What is told as it was given. `Debug` tells its length only: it may name the MAC, the network, or a password.
#[derive(Clone, Default, PartialEq, Eq)]
struct Text(Vec<u8, MAX_TEXT>);

impl Text {
    /// Whether the bytes fit; if not, nothing changes.
    fn put(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= MAX_TEXT;
        if fits {
            self.0.clear();
            // There is room.
            let _ = self.0.extend_from_slice(bytes);
        }
        fits
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// What a request is answered.
enum Answer<'p> {
    Done,
    Rtsp,
    Undescribed,
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
