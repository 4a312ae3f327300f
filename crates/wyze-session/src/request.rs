//! What an application knows of its requests.

use core::fmt;
use core::time::Duration;

/// Requests that may wait for their replies at the same time.
pub const MAX_REQUESTS: usize = 4;
/// Longest HL message of a request, header included, bytes.
pub const MAX_REQUEST_LEN: usize = 192;
/// A request is repeated this often. Others wait 1 s (`docs/protocol.md` §2.14), which on a network that loses every tenth
/// datagram fails one connection in a thousand; repetitions carry the same counter, so a camera sees through them.
pub const REPEAT: Duration = Duration::from_millis(500);
/// A request is given up after this long (`docs/protocol.md` §2.14).
pub const LIMIT: Duration = Duration::from_secs(5);

/// Names one request until its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RequestId(pub(crate) u16);

/// Why a request was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The camera has not let us in yet; wait for `Event::Authenticated`.
    NotReady,
    /// [`MAX_REQUESTS`] requests wait for replies already.
    Busy,
    /// The request is longer than [`MAX_REQUEST_LEN`] bytes.
    TooLong,
    /// The session was not lent memory for a talk (`Storage::talk_handshake`).
    Unsupported,
    /// A talk is under way, or not quite over; wait for `Event::TalkClosed`.
    TalkActive,
    /// There is no talk to stop.
    NoTalk,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => "the camera has not let us in yet; wait for it",
            Self::Busy => "too many requests wait for replies; wait for one of them",
            Self::TooLong => "the request is too long for a K-command",
            Self::Unsupported => "this session has no memory for audio to the camera",
            Self::TalkActive => "a talk is under way or not quite over; wait for its end",
            Self::NoTalk => "there is no talk to stop",
        })
    }
}

impl core::error::Error for RequestError {}
