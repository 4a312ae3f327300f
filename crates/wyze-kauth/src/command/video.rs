//! Resolution, bit rate, frame rate, orientation.

use tutk_core::wire::{Malformed, Reader, Writer};

use super::{Decode, Done, Encode, Field, Request, body, command};
use crate::hl::Code;

/// A resolution as commands write it: the number that FRAMEINFO would show, plus one; 0 leaves it as it is.
///
/// The same number means different sizes on different models, see [`models`](crate::models).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameSize(u8);

impl FrameSize {
    /// As it is.
    pub const UNCHANGED: Self = Self(0);
    /// 1920×1080.
    pub const P1080: Self = Self::new(0);
    /// 640×360.
    pub const P360: Self = Self::new(1);
    /// 1280×720 (sources disagree on which cameras know it).
    pub const P720: Self = Self::new(2);
    /// 2560×1440 on cameras; the better one on doorbells.
    pub const P1440: Self = Self::new(3);
    /// 2304×1296 on bulb and floodlight cameras; the lesser one on doorbells.
    pub const P1296: Self = Self::new(4);

    /// From the number that FRAMEINFO shows, 0 to 254.
    pub const fn new(frame_size: u8) -> Self {
        Self(frame_size.saturating_add(1))
    }

    /// From the number that commands carry.
    pub(crate) const fn from_wire(number: u8) -> Self {
        Self(number)
    }

    /// The number that commands carry.
    pub(crate) const fn wire(self) -> u8 {
        self.0
    }

    /// The number that FRAMEINFO shows; `None` for [`UNCHANGED`](Self::UNCHANGED).
    pub const fn frame_size(self) -> Option<u8> {
        self.0.checked_sub(1)
    }
}

impl Field for FrameSize {
    fn write(self, w: &mut Writer<'_>) {
        w.u8(self.0);
    }
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.u8().map(Self)
    }
}

/// Sets resolution and bit rate (K10056), on all models but the oldest and some doorbells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SetResolvingBit {
    /// Resolution.
    pub size: FrameSize,
    /// Bit rate in the unit of the Wyze app, "KB/s": 30 to 240.
    pub bitrate: u16,
    /// Frames a second; 0 lets the camera choose.
    pub fps: u16,
}

impl Request for SetResolvingBit {
    const CODE: Code = Code::K10056;
    type Reply<'p> = Done;
}

impl Encode for SetResolvingBit {
    fn encode(&self, w: &mut Writer<'_>) {
        self.size.write(w);
        w.u16_le(self.bitrate);
        w.u16_le(self.fps);
    }
}

impl Decode<'_> for SetResolvingBit {
    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        Ok(Self {
            size: FrameSize::read(&mut r)?,
            bitrate: r.u16_le()?,
            // Older applications send three bytes.
            fps: r.u16_le().unwrap_or(0),
        })
    }
}

command! {
    /// Sets video parameters (K10052): the resolution of doorbells and of the oldest models, and frame rate, bit rate
    /// and orientation of any. 0 leaves a field as it is.
    SetVideoParams {
        /// Bit rate in the unit of the Wyze app, "KB/s".
        bitrate: u16,
        /// Resolution.
        size: FrameSize,
        /// Frames a second.
        fps: u8,
        /// Mirrored left to right: 1 on, 2 off.
        horizontal_flip: u8,
        /// Upside down: 1 on, 2 off.
        vertical_flip: u8,
    } = K10052 -> Done
}

impl SetVideoParams {
    /// Changes resolution and bit rate, and nothing else.
    pub const fn resolution(size: FrameSize, bitrate: u16) -> Self {
        Self {
            bitrate,
            size,
            fps: 0,
            horizontal_flip: 0,
            vertical_flip: 0,
        }
    }
}

command! {
    /// Reads the video parameters (K10050), firmware 4.50.4 and later.
    GetVideoParams {} = K10050 -> VideoParams
}

body! {
    /// The reply to [`GetVideoParams`]. Some firmware reports a wrong bit rate.
    VideoParams {
        /// Bit rate in the unit of the Wyze app, "KB/s".
        bitrate: u16,
        /// Resolution.
        size: FrameSize,
        /// Frames a second.
        fps: u8,
        /// Mirrored left to right: 1 on, 2 off.
        horizontal_flip: u8,
        /// Upside down: 1 on, 2 off.
        vertical_flip: u8,
    }
}
