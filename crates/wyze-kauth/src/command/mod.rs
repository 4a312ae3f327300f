//! Typed bodies of K-commands, requests and replies, both directions (`docs/protocol.md` §3.2).
//!
//! A command is one declaration: its fields in wire order, its code, the type of its reply.
//!
//! ```text
//! command! {
//!     /// Switches a media stream (K10010).
//!     ControlChannel { media: Media, on: bool } = K10010 -> Raw<'p>
//! }
//! ```
//!
//! Integers are little-endian. Bytes behind the last known field are ignored when reading, since newer firmware appends
//! fields.

use tutk_core::wire::{Malformed, Reader, Writer};

use crate::hl::{self, CLIENT_VERSION, Code, Message};
use crate::json;

mod auth;
mod channel;
mod doorbell;
mod light;
mod motion;
mod osd;
mod params;
mod ptz;
mod system;
mod video;

pub use auth::{
    Challenge, Connect, ConnectAuth, ConnectUserAuth, ConnectUserAuth2, LoginReply, Verdict,
};
pub use channel::{ControlChannel, Media};
pub use doorbell::{QuickReply, SayQuickReply};
pub use light::{
    CheckNight, GetFloodlightInfo, GetIrLed, GetNightSwitch, GetNightVision, GetSiren,
    GetSpotlight, GetStatusLight, GetWhiteLightInfo, IrLed, IrLight, NightSwitch, NightSwitchState,
    NightVision, NightVisionState, SetFloodlight, SetIrLed, SetNightSwitch, SetNightVision,
    SetSiren, SetSpotlight, SetStatusLight, SirenState,
};
pub use motion::{
    GetMotionAlarm, GetMotionTagging, GetMotionTracking, MotionAlarm, SetEarlyMotionAlarm,
    SetMotionAlarm, SetMotionTagging, SetMotionTracking,
};
pub use osd::{GetOsdLogo, GetOsdTime, SetOsdLogo, SetOsdTime};
pub use params::{CameraParams, CheckCameraParams};
pub use ptz::{
    CruisePoint, CruisePoints, GetCruisePoints, GetPanScan, GetPtzPosition, MAX_CRUISE_POINTS, Pan,
    PtzPosition, ResetRotation, RotateByAction, RotateByDegree, SetCruisePoints, SetPanScan,
    SetPtzPosition, Tilt, TooManyPoints,
};
pub use system::{
    CameraTime, FormatSdCard, GetAccessories, GetBatteryUsage, GetConnectionState, GetRtsp,
    GetTime, RtspParams, SetDeviceState, SetRtsp, SetTime, SetTimeZone, StartBoa, TakePhoto,
};
pub use video::{FrameSize, GetVideoParams, SetResolvingBit, SetVideoParams, VideoParams};

/// A body that can be written.
pub trait Encode {
    /// Writes the body, without the HL header.
    fn encode(&self, w: &mut Writer<'_>);
}

/// A body that can be read. It may borrow from the message.
pub trait Decode<'p>: Sized {
    /// Reads the body, without the HL header.
    ///
    /// # Errors
    /// Too few bytes, or a field whose value means nothing.
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed>;
}

/// A request: what the application sends and the camera reads.
pub trait Request: Encode {
    /// Its code. The reply's is [`Code::reply`].
    const CODE: Code;
    /// Whether the camera answers at all. If not, nothing tells that the request arrived.
    const AWAITS_REPLY: bool = true;
    /// What the camera answers. [`Raw`] where no source tells what is in it: that it comes is what counts.
    type Reply<'p>: Encode + Decode<'p>;
}

/// Writes `request` as a whole HL message, and says its code. `out` fails to finish if it did not fit.
pub fn write_request<R: Request + ?Sized>(request: &R, out: &mut Writer<'_>) -> Code {
    hl::write(out, CLIENT_VERSION, R::CODE, |w| request.encode(w));
    R::CODE
}

/// Writes `reply`, which answers a request of type `R`, as a whole HL message from a camera of protocol `version`, and
/// says its code. `out` fails to finish if it did not fit.
pub fn write_reply<R: Request + ?Sized>(
    version: u8,
    reply: &R::Reply<'_>,
    out: &mut Writer<'_>,
) -> Code {
    let code = R::CODE.reply();
    hl::write(out, version, code, |w| reply.encode(w));
    code
}

impl<'p> Message<'p> {
    /// Reads the body as a request of type `R`.
    ///
    /// # Errors
    /// [`Malformed::BadMagic`] for a message of another code, or why the body can't be read.
    pub fn request<R: Request + Decode<'p>>(&self) -> Result<R, Malformed> {
        if self.code == R::CODE {
            R::decode(self.payload)
        } else {
            Err(Malformed::BadMagic)
        }
    }

    /// Reads the body as the reply to a request of type `R`.
    ///
    /// # Errors
    /// [`Malformed::BadMagic`] for a message of another code, or why the body can't be read.
    pub fn reply_to<R: Request>(&self) -> Result<R::Reply<'p>, Malformed> {
        if self.code == R::CODE.reply() {
            <R::Reply<'p> as Decode<'p>>::decode(self.payload)
        } else {
            Err(Malformed::BadMagic)
        }
    }
}

/// A field of fixed size.
trait Field: Sized {
    fn write(self, w: &mut Writer<'_>);
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed>;
}

macro_rules! int_fields {
    ($($ty:ty: $method:ident),*) => {$(
        impl Field for $ty {
            fn write(self, w: &mut Writer<'_>) {
                w.bytes(&self.to_le_bytes());
            }
            fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
                r.$method()
            }
        }
    )*};
}
int_fields!(u8: u8, u16: u16_le, u32: u32_le, i16: i16_le);

impl Field for i8 {
    fn write(self, w: &mut Writer<'_>) {
        w.bytes(&self.to_le_bytes());
    }
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.array().copied().map(Self::from_le_bytes)
    }
}

/// A switch: 1 is on, 2 is off. The media flags of the login, 1 and 0, are not of this kind.
impl Field for bool {
    fn write(self, w: &mut Writer<'_>) {
        w.u8(if self { 1 } else { 2 });
    }
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.u8()? {
            1 => Ok(true),
            2 => Ok(false),
            _ => Err(Malformed::BadValue),
        }
    }
}

/// Declares a field of one byte whose values have names.
macro_rules! byte_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $byte:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
            /// Anything else.
            Unknown(u8),
        }

        impl $crate::command::Field for $name {
            fn write(self, w: &mut tutk_core::wire::Writer<'_>) {
                w.u8(match self {
                    $(Self::$value => $byte,)*
                    Self::Unknown(other) => other,
                });
            }

            fn read(r: &mut tutk_core::wire::Reader<'_>) -> Result<Self, tutk_core::wire::Malformed> {
                Ok(match r.u8()? {
                    $($byte => Self::$value,)*
                    other => Self::Unknown(other),
                })
            }
        }
    };
}
use byte_enum;

/// Declares a body with fields of fixed size in wire order, and fixed bytes behind them.
macro_rules! body {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),* $(,)? } $($tail:expr)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl $crate::command::Encode for $name {
            fn encode(&self, _w: &mut tutk_core::wire::Writer<'_>) {
                $($crate::command::Field::write(self.$field, _w);)*
                $(_w.bytes(&$tail);)?
            }
        }

        impl<'p> $crate::command::Decode<'p> for $name {
            fn decode(payload: &'p [u8]) -> Result<Self, tutk_core::wire::Malformed> {
                let mut _r = tutk_core::wire::Reader::new(payload);
                Ok(Self { $($field: $crate::command::Field::read(&mut _r)?,)* })
            }
        }
    };
}
use body;

/// Declares a request: fields of fixed size in wire order, fixed bytes behind them, its code, the type of its reply or
/// that none comes.
macro_rules! command {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* } $([$($tail:literal),*])? = $code:ident -> no reply) => {
        $crate::command::body! { $(#[$doc])* $name { $($fields)* } $([$($tail),*])? }

        impl $crate::command::Request for $name {
            const CODE: $crate::hl::Code = $crate::hl::Code::$code;
            const AWAITS_REPLY: bool = false;
            type Reply<'p> = $crate::command::Raw<'p>;
        }
    };
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* } $([$($tail:literal),*])? = $code:ident -> $reply:ty) => {
        $crate::command::body! { $(#[$doc])* $name { $($fields)* } $([$($tail),*])? }

        impl $crate::command::Request for $name {
            const CODE: $crate::hl::Code = $crate::hl::Code::$code;
            type Reply<'p> = $reply;
        }
    };
}
use command;

body! {
    /// The reply of most commands that set something: 1 for done.
    ///
    /// A camera also says 1 when it does not honour a value, so read the setting back where that matters.
    Done {
        /// 1 for done.
        result: u8,
    }
}

impl Done {
    /// Done.
    pub const OK: Self = Self { result: 1 };

    /// Whether the camera says that it is done.
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }
}

body! {
    /// The reply that reads a switch.
    Switch {
        /// Whether it is on.
        on: bool,
    }
}

/// `Debug` and `defmt::Format` that tell how many bytes there are, and none of them.
macro_rules! redacted {
    ($name:ident, |$body:ident| $bytes:expr) => {
        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let $body = self;
                write!(f, "{}({} bytes)", stringify!($name), $bytes.len())
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for $name<'_> {
            fn format(&self, f: defmt::Formatter<'_>) {
                let $body = self;
                defmt::write!(f, "{=str}({=usize} bytes)", stringify!($name), $bytes.len());
            }
        }
    };
}

/// A JSON object with numbers and texts, of which no more than that is known.
///
/// `Debug` tells its length only: some name the MAC, the network, or a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'p> {
    /// The JSON as it came.
    pub json: &'p [u8],
}

redacted!(Json, |body| body.json);

impl<'p> Json<'p> {
    /// The text or number under `key`, at any depth, the last of several; `None` when there is none.
    pub fn get(&self, key: &str) -> Option<&'p str> {
        let mut found = None;
        // What precedes damaged JSON is as good as ever.
        let _ = json::for_each_scalar(self.json, &mut |_, k, value| {
            if k == key {
                found = Some(value);
            }
        });
        found
    }
}

impl Encode for Json<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.json);
    }
}

impl<'p> Decode<'p> for Json<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        Ok(Self { json: payload })
    }
}

/// A body whose meaning is not known, as it stands.
///
/// `Debug` tells its length only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'p>(pub &'p [u8]);

redacted!(Raw, |body| body.0);

impl Encode for Raw<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.0);
    }
}

impl<'p> Decode<'p> for Raw<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        Ok(Self(payload))
    }
}
