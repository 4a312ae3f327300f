//! Pan and tilt: turning, positions, cruise points.
//!
//! A position is two numbers of the camera's own: vertical 0 to 40, horizontal 0 to 350.

use heapless::Vec;
use tutk_core::wire::{Malformed, Reader, Writer};

use super::{Decode, Encode, Raw, Request, Switch, body, byte_enum, command};
use crate::hl::Code;

command! {
    /// Turns by an angle (K11000).
    RotateByDegree {
        /// Degrees to the side. No source tells which side is positive.
        horizontal: i16,
        /// Degrees up or down. No source tells which is positive.
        vertical: i16,
        /// How fast; applications send 5.
        speed: u8,
    } = K11000 -> no reply
}

byte_enum! {
    /// A turn to the side.
    Pan {
        /// 0: none.
        Stay = 0,
        /// 1: left.
        Left = 1,
        /// 2: right.
        Right = 2,
    }
}

byte_enum! {
    /// A turn up or down.
    Tilt {
        /// 0: none.
        Stay = 0,
        /// 1: up.
        Up = 1,
        /// 2: down.
        Down = 2,
    }
}

command! {
    /// Turns a step in a direction (K11002).
    RotateByAction {
        /// To the side.
        pan: Pan,
        /// Up or down.
        tilt: Tilt,
        /// How far and fast, 1 to 9.
        speed: u8,
    } = K11002 -> Raw<'p>
}

command! {
    /// Turns to a fixed position (K11004).
    ResetRotation {
        /// Which; applications send 3, the start position.
        position: u8,
    } = K11004 -> no reply
}

impl ResetRotation {
    /// The start position.
    pub const START: Self = Self { position: 3 };
}

command! {
    /// Reads the position (K11006).
    GetPtzPosition {
        /// Seconds since 1970, UTC, which the camera sends back.
        time: u32,
    } = K11006 -> PtzPosition
}

body! {
    /// The reply to [`GetPtzPosition`].
    PtzPosition {
        /// The time in the request.
        time: u32,
        /// Vertical position.
        vertical: u8,
        /// Horizontal position.
        horizontal: u16,
    }
}

command! {
    /// Turns to a position (K11018).
    SetPtzPosition {
        /// Milliseconds since 1970, modulo 1 000 000 000.
        time: u32,
        /// Vertical position, 0 to 40.
        vertical: u8,
        /// Horizontal position, 0 to 350.
        horizontal: u16,
    } = K11018 -> Raw<'p>
}

command! {
    /// Reads whether the camera sweeps to and fro (K11014).
    GetPanScan {} = K11014 -> Switch
}

command! {
    /// Sets whether the camera sweeps to and fro (K11016).
    SetPanScan {
        /// Whether it does.
        on: bool,
    } = K11016 -> Raw<'p>
}

/// Most cruise points that are taken.
pub const MAX_CRUISE_POINTS: usize = 16;

/// A position at which the camera rests while it cruises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CruisePoint {
    /// Vertical position, 0 to 40.
    pub vertical: u8,
    /// Horizontal position, 0 to 350.
    pub horizontal: u16,
    /// How long it rests there, seconds, 10 to 255.
    pub seconds: u8,
}

/// More than [`MAX_CRUISE_POINTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooManyPoints;

impl core::fmt::Display for TooManyPoints {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "a camera takes at most {MAX_CRUISE_POINTS} cruise points"
        )
    }
}

impl core::error::Error for TooManyPoints {}

/// The positions between which the camera cruises, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CruisePoints(Vec<CruisePoint, MAX_CRUISE_POINTS>);

#[cfg(feature = "defmt")]
impl defmt::Format for CruisePoints {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "CruisePoints({})", self.as_slice());
    }
}

impl CruisePoints {
    /// These points.
    ///
    /// # Errors
    /// More than [`MAX_CRUISE_POINTS`].
    pub fn new(points: &[CruisePoint]) -> Result<Self, TooManyPoints> {
        Vec::from_slice(points).map(Self).map_err(|_| TooManyPoints)
    }

    /// The points.
    pub fn as_slice(&self) -> &[CruisePoint] {
        &self.0
    }

    /// Bytes of a record in the reply, which has no blank byte.
    const READ_LEN: usize = 4;
    /// Bytes of a record in the request, which ends with a blank byte.
    const SET_LEN: usize = 5;

    fn write(&self, w: &mut Writer<'_>, record_len: usize) {
        // At most MAX_CRUISE_POINTS.
        w.u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for point in &self.0 {
            w.u8(point.vertical);
            w.u16_le(point.horizontal);
            w.u8(point.seconds);
            w.zeros(record_len.saturating_sub(Self::READ_LEN));
        }
    }

    /// Reads a count and so many records. Sources disagree whether a record has four bytes or five, so the length of the
    /// whole decides, and `usual` where it does not.
    fn read(payload: &[u8], usual: usize) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        let count = usize::from(r.u8()?);
        if count > MAX_CRUISE_POINTS {
            return Err(Malformed::BadLength);
        }
        let record_len = [Self::READ_LEN, Self::SET_LEN]
            .into_iter()
            .find(|len| len * count == r.rest().len())
            .unwrap_or(usual);
        let mut points = Vec::new();
        for _ in 0..count {
            let mut record = Reader::new(r.take(record_len)?);
            let point = CruisePoint {
                vertical: record.u8()?,
                horizontal: record.u16_le()?,
                seconds: record.u8()?,
            };
            points.push(point).map_err(|_| Malformed::BadLength)?;
        }
        Ok(Self(points))
    }
}

command! {
    /// Reads the cruise points (K11010).
    GetCruisePoints {} = K11010 -> CruisePoints
}

impl Encode for CruisePoints {
    fn encode(&self, w: &mut Writer<'_>) {
        self.write(w, Self::READ_LEN);
    }
}

impl Decode<'_> for CruisePoints {
    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        Self::read(payload, Self::READ_LEN)
    }
}

/// Sets the cruise points (K11012).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SetCruisePoints {
    /// The points.
    pub points: CruisePoints,
}

impl Request for SetCruisePoints {
    const CODE: Code = Code::K11012;
    type Reply<'p> = Raw<'p>;
}

impl Encode for SetCruisePoints {
    fn encode(&self, w: &mut Writer<'_>) {
        self.points.write(w, CruisePoints::SET_LEN);
    }
}

impl Decode<'_> for SetCruisePoints {
    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let points = CruisePoints::read(payload, CruisePoints::SET_LEN)?;
        Ok(Self { points })
    }
}
