//! What a session tells its owner.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use tutk_av::{Chunk, Dropped, Frame, Generation, Stream};
use tutk_dtls::CipherSuite;
use tutk_iotc::Framing;
use wyze_kauth::{AuthError, CameraInfo, Code};

use crate::request::RequestId;

/// How far a connection has come, in this order. `Found` comes once for each framing that answers, the others once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Phase {
    /// A device with the right UID answered from `from`.
    Found {
        /// Where it answered from; everything after goes there.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        from: SocketAddr,
        /// Which of the two framings it speaks.
        framing: Framing,
    },
    /// The IOTC session is open, or the camera did not confirm it within two seconds; the DTLS handshake begins.
    Open,
    /// The DTLS handshake is complete: the peer knows the ENR.
    Secured {
        /// The suite both sides agreed on.
        suite: CipherSuite,
    },
    /// In place of `Secured`: the camera's firmware speaks no DTLS. Nothing is encrypted, and nothing proves that it is the
    /// camera.
    Plain {
        /// Which of the two generations without DTLS.
        generation: Generation,
    },
    /// The AV login was answered.
    LoggedIn {
        /// Whether the camera offers a channel for return audio.
        two_way: bool,
    },
}

/// What happened. Borrows from the datagram or from the session's storage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A phase of the connection was reached.
    Phase(Phase),
    /// K10003: the camera let us in and described itself. Media follow.
    Authenticated(CameraInfo<'e>),
    /// A whole video frame, in order.
    Video(Frame<'e>),
    /// A whole audio frame, in order.
    Audio(Frame<'e>),
    /// The next chunk of a frame, in chunk mode. One at offset 0 begins a frame; what came of the frame before it, if
    /// that did not end with `last`, is worthless.
    Chunk(Chunk<'e>),
    /// A frame was given up.
    Dropped {
        /// Of which stream.
        stream: Stream,
        /// Which frame, and why.
        frame: Dropped,
    },
    /// Media that are wanted have not come for a while, and were asked for once more. If none come now, the session ends
    /// with [`Cause::Stalled`] or [`Cause::Lost`].
    Stalled {
        /// Which stream is watched: video, or audio where no video is wanted.
        stream: Stream,
        /// For how long nothing of it has come.
        silence: Duration,
    },
    /// A request was answered.
    Reply {
        /// What `request` returned.
        id: RequestId,
        /// Code of the reply: the request's plus one.
        code: Code,
        /// Its body; decode it with the request's `Reply` type.
        payload: &'e [u8],
    },
    /// A request was repeated for five seconds and never answered.
    NoReply {
        /// What `request` returned.
        id: RequestId,
        /// Code of the request.
        code: Code,
    },
    /// A K-command that nobody asked for.
    Message {
        /// Its code.
        code: Code,
        /// Its body.
        payload: &'e [u8],
    },
    /// The camera plays what `send_audio` sends.
    TalkReady,
    /// The talk is over, or never began; another one may start. Not told when the session itself is over.
    TalkClosed(TalkEnd),
    /// The session is over; the last event.
    Closed(Cause),
}

/// Why a talk (audio to the camera) ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TalkEnd {
    /// We ended it.
    Local,
    /// The peer ended it.
    Peer,
    /// The camera never answered that it shall play audio.
    NoReply,
    /// The peer did not open the talk channel within five seconds, or did not log in there.
    Timeout,
    /// The talk channel failed.
    Failed(Cause),
}

impl fmt::Display for TalkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the talk was ended by us"),
            Self::Peer => f.write_str("the talk was ended by the other side"),
            Self::NoReply => f.write_str(
                "the camera did not answer the request to play audio; it may have no speaker",
            ),
            Self::Timeout => f.write_str(
                "the talk channel was not opened within five seconds; the camera may have no speaker, \
                 or another viewer may be talking",
            ),
            Self::Failed(cause) => write!(f, "the talk channel failed: {cause}"),
        }
    }
}

impl core::error::Error for TalkEnd {}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// `close` was called.
    Local,
    /// The peer closed it.
    Peer,
    /// No device answered the search on any address or framing.
    NoAnswer,
    /// Devices answered, but none with this UID.
    OtherDevice,
    /// The device answered the search but nothing after it: its viewer slots are taken, or it is restarting.
    Refused,
    /// The handshake was answered until both sides had to prove the key, then there was silence: the ENR is wrong.
    WrongKey,
    /// The DTLS association failed for another reason.
    Secure(tutk_dtls::Error),
    /// A record sequence number came to its end (after 2^48 records).
    Exhausted,
    /// The secure channel is up, or the camera knows none, but the AV login was never answered.
    LoginTimeout,
    /// The camera's firmware speaks no DTLS, and [`PlainPolicy::Refused`](crate::PlainPolicy::Refused) says that it must.
    Unencrypted,
    /// The K-command challenge failed.
    Auth(AuthError),
    /// The K-command challenge was never answered.
    AuthTimeout,
    /// Nothing was heard from the peer for ten seconds.
    Lost,
    /// The camera answers, but sent no media for eight seconds, though they were asked for once more.
    Stalled,
    /// The lent transmit buffer is too small for a datagram of this session; lend 1500 bytes.
    BufferTooSmall,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by us"),
            Self::Peer => f.write_str("closed by the camera"),
            Self::NoAnswer => f.write_str(
                "no camera answered: check that it is powered and on this network, and the address and UID in the URL \
                 (a camera with new firmware also stays silent when ENR or MAC are wrong)",
            ),
            Self::OtherDevice => f.write_str(
                "another camera answered at this address: the UID in the URL is not this camera's; \
                 its address may have changed",
            ),
            Self::Refused => f.write_str(
                "the camera answered the search but did not open a session: all its viewer slots may be taken \
                 (close other viewers or wait a minute), it is restarting, or encryption is required and its firmware \
                 is too old for it",
            ),
            Self::WrongKey => f.write_str(
                "the camera did not accept the key: the ENR in the URL is wrong or has changed \
                 (fetch the camera's credentials from the account again)",
            ),
            Self::Exhausted => f.write_str("the session's record numbers are used up; connect again"),
            Self::Secure(e) => write!(f, "the secure channel failed: {e}"),
            Self::LoginTimeout => {
                f.write_str("the camera did not answer the AV login; restart the camera")
            }
            Self::Unencrypted => f.write_str(
                "the camera's firmware is too old for encryption, and encryption is required: update its firmware, or \
                 allow unencrypted sessions (without --dtls-only)",
            ),
            Self::Auth(e) => fmt::Display::fmt(e, f),
            Self::AuthTimeout => f.write_str(
                "the camera did not answer the K-command challenge; restart the camera",
            ),
            Self::Lost => f.write_str(
                "nothing was heard from the camera for ten seconds: it lost power or network",
            ),
            Self::Stalled => f.write_str(
                "the camera answers but has stopped sending pictures and sound; restart the camera",
            ),
            Self::BufferTooSmall => {
                f.write_str("the transmit buffer is too small; lend at least 1500 bytes")
            }
        }
    }
}

impl core::error::Error for Cause {}
