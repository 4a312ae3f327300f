//! Parameters by number.

use tutk_core::wire::{Malformed, Reader, Writer};

use super::{Decode, Encode, Json, Request};
use crate::hl::Code;
use crate::json;

/// Reads parameters by number (K10020), at most 255 of them. `docs/protocol.md` §3.2 lists the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CheckCameraParams<'p> {
    /// Which parameters.
    pub ids: &'p [u8],
}

impl Request for CheckCameraParams<'_> {
    const CODE: Code = Code::K10020;
    type Reply<'p> = CameraParams<'p>;
}

impl Encode for CheckCameraParams<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.ids));
    }
}

impl<'p> Decode<'p> for CheckCameraParams<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        let ids = Reader::new(payload).vec8()?.rest();
        Ok(Self { ids })
    }
}

/// The reply to [`CheckCameraParams`]: a JSON object of numbers by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CameraParams<'p> {
    /// The JSON as it came.
    pub json: &'p [u8],
}

impl CameraParams<'_> {
    /// The value of a parameter; `None` when the camera left it out or it is no whole number.
    pub fn get(&self, id: u8) -> Option<i32> {
        Json { json: self.json }
            .get(&json::decimal(id.into()))?
            .parse()
            .ok()
    }
}

impl Encode for CameraParams<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.json);
    }
}

impl<'p> Decode<'p> for CameraParams<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        Ok(Self { json: payload })
    }
}
