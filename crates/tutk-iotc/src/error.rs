//! Why a session can't go on, and why a packet can't be sent.

use core::fmt;

/// Why a [`Client`](crate::Client) or [`Device`](crate::Device) is finished. Network noise is never an error.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// No device answered the search.
    NoAnswer,
    /// Devices answered the search, but only ones with another UID.
    OtherDevice,
    /// The camera answered the search and then did not confirm the session.
    NotConfirmed,
    /// The peer has said nothing for [`IDLE_LIMIT`](crate::IDLE_LIMIT).
    AliveTimeout,
    /// A camera without DTLS has said what may be a goodbye, and nothing for [`GOODBYE_DOUBT`](crate::GOODBYE_DOUBT).
    #[cfg(feature = "plain")]
    PeerClosed,
    /// The transmit buffer can't hold a control packet (at most 200 bytes).
    BufferTooSmall,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => {
                "no camera answered; check that it is on and in this network, that UDP reaches it, and its UID, ENR and MAC"
            }
            Self::OtherDevice => {
                "only cameras with another UID answered; check the UID and the address"
            }
            Self::NotConfirmed => {
                "the camera answered the search but did not confirm the session; all its viewer slots may be taken, try again in a minute"
            }
            Self::AliveTimeout => "the peer fell silent; it may have been switched off or left the network",
            #[cfg(feature = "plain")]
            Self::PeerClosed => "the camera ended the session; it may be restarting, try again in a minute",
            Self::BufferTooSmall => {
                "the transmit buffer is too small for a control packet; lend at least 1500 bytes"
            }
        })
    }
}

impl core::error::Error for Error {}

impl From<tutk_core::Full> for Error {
    fn from(_: tutk_core::Full) -> Self {
        Self::BufferTooSmall
    }
}

/// Why a payload was not wrapped.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WrapError {
    /// No session is open.
    NotOpen,
    /// The payload is longer than a packet can say.
    TooLong {
        /// The longest payload in bytes.
        max: usize,
    },
    /// `HEADROOM` and `TAILROOM` were not reserved in the transmit buffer.
    NoRoom,
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("no IOTC session is open"),
            Self::TooLong { max } => write!(f, "an IOTC packet carries at most {max} bytes"),
            Self::NoRoom => f.write_str(
                "reserve HEADROOM and TAILROOM in the transmit buffer before the payload",
            ),
        }
    }
}

impl core::error::Error for WrapError {}

impl From<tutk_core::Full> for WrapError {
    fn from(_: tutk_core::Full) -> Self {
        Self::NoRoom
    }
}
