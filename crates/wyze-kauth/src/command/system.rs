//! The device itself: clock, SD card, RTSP, sleep, battery, accessories.

use tutk_core::wire::{Malformed, Reader, Writer};

use super::{Decode, Encode, Field, Json, Raw, body, command};

command! {
    /// Reads the clock (K10090).
    GetTime {} = K10090 -> CameraTime
}

body! {
    /// The reply to [`GetTime`].
    CameraTime {
        /// Seconds since 1970, UTC.
        unix: u32,
    }
}

command! {
    /// Sets the clock (K10092).
    SetTime {
        /// Seconds since 1970, UTC.
        unix: u32,
    } = K10092 -> Raw<'p>
}

command! {
    /// Sets the time zone (K10302).
    SetTimeZone {
        /// Hours east of Greenwich, -11 to 13.
        hours: i8,
    } = K10302 -> Raw<'p>
}

command! {
    /// Takes a photo to the SD card (K10058), below `/media/mmc/photo`.
    TakePhoto {} [1] = K10058 -> Raw<'p>
}

command! {
    /// Starts the camera's HTTP server for a while, which shows the SD card's pictures (K10148).
    StartBoa {} [0, 1, 0, 0, 0] = K10148 -> Raw<'p>
}

command! {
    /// Formats the SD card (K10242): all recordings are lost.
    FormatSdCard {} = K10242 -> Raw<'p>
}

command! {
    /// Wakes an outdoor camera or lets it sleep (K10444).
    SetDeviceState {
        /// Whether it shall be awake.
        awake: bool,
    } = K10444 -> Raw<'p>
}

command! {
    /// Reads how an outdoor camera is connected (K10446).
    GetConnectionState {} = K10446 -> Json<'p>
}

command! {
    /// Reads what the battery was used for (K10448). Keys of the reply: "0" since the last charge, "1" live, "2" events
    /// sent, "3" events filtered, "4" SD card.
    GetBatteryUsage {} = K10448 -> Json<'p>
}

command! {
    /// Lists the accessories (K10720).
    GetAccessories {} = K10720 -> Json<'p>
}

command! {
    /// Switches RTSP (K10600), with RTSP firmware only.
    SetRtsp {
        /// Whether it is served.
        on: bool,
    } = K10600 -> Raw<'p>
}

command! {
    /// Reads the RTSP parameters (K10604), with RTSP firmware only.
    GetRtsp {} = K10604 -> RtspParams<'p>
}

/// The reply to [`GetRtsp`]. `Debug` leaves the address out: it can name user and password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RtspParams<'p> {
    /// Whether RTSP is served.
    pub on: bool,
    /// Where, such as `rtsp://192.168.1.2/live`.
    pub url: &'p str,
}

impl core::fmt::Debug for RtspParams<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RtspParams")
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for RtspParams<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "RtspParams {{ on: {} }}", self.on);
    }
}

impl Encode for RtspParams<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        self.on.write(w);
        w.bytes(self.url.as_bytes());
    }
}

impl<'p> Decode<'p> for RtspParams<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        let on = bool::read(&mut r)?;
        let url = core::str::from_utf8(r.rest()).map_err(|_| Malformed::BadValue)?;
        Ok(Self {
            on,
            url: url.trim_end_matches('\0'),
        })
    }
}
