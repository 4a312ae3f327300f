//! What a camera is told and tells.

use core::fmt;
use core::net::SocketAddr;

use tutk_av::{Frame, Generation};
use tutk_dtls::{CipherSuite, Suites};
use tutk_iotc::{Framings, Uid};
use wyze_kauth::{CameraDescription, Code, Enr, Mac, Status};

#[cfg(doc)]
use super::Camera;
#[cfg(doc)]
use crate::Storage;
use crate::event::{Cause, TalkEnd};

/// What a [`Camera`] is.
#[derive(Debug, Clone, Copy)]
pub struct CameraConfig<'a> {
    /// Its identity.
    pub uid: Uid,
    /// Its secret.
    pub enr: &'a Enr,
    /// Its MAC address.
    pub mac: &'a Mac,
    /// ENR and MAC of its base station, for an outdoor camera behind one; as
    /// [`ClientConfig::parent`](crate::ClientConfig::parent).
    pub parent: Option<(&'a Enr, &'a Mac)>,
    /// Whether the base station's credentials make its keys, and the password of its talks; as
    /// [`ClientConfig::parent_dtls`](crate::ClientConfig::parent_dtls).
    pub parent_dtls: bool,
    /// Which generation its firmware is of. Without DTLS it speaks TransCode only, whatever `framings` says.
    pub generation: Generation,
    /// Framings it answers; a real camera speaks one.
    pub framings: Framings,
    /// Cipher suites it accepts. For a talk it offers 0x00AE alone, as real cameras do, unless it is not among them.
    pub suites: Suites,
    /// Whether the DTLS handshake begins with a cookie exchange (cameras do without).
    pub cookie: bool,
    /// Which K-auth challenge it sets.
    pub status: Status,
    /// `false`: it answers the search but opens no session, as a camera does whose viewer slots are all taken.
    pub accept: bool,
    /// Whether it offers a return audio channel at login.
    pub two_way: bool,
    /// Whether it grants lossless mode to viewers that ask for it; what it can send again lies in
    /// [`Storage::resend`].
    pub resend: bool,
    /// What K10003 tells about it.
    pub info: CameraDescription<'a>,
}

impl<'a> CameraConfig<'a> {
    /// A Cam v3 Pro with TransCode framing, both cipher suites, and the challenge that its ENR is long enough for:
    /// status 6 or 3.
    pub fn new(uid: Uid, enr: &'a Enr, mac: &'a Mac) -> Self {
        Self {
            uid,
            enr,
            mac,
            parent: None,
            parent_dtls: true,
            generation: Generation::Dtls,
            framings: Framings::TRANSCODE,
            suites: Suites::ALL,
            cookie: false,
            status: if Status::Enr32.check(enr, None).is_ok() {
                Status::Enr32
            } else {
                Status::Enr16
            },
            accept: true,
            two_way: false,
            resend: true,
            info: CameraDescription::new("HL_CAM3P", "4.58.11.8391", mac),
        }
    }

    /// ENR and MAC that make its keys: its own, or its base station's.
    pub(crate) fn credentials(&self) -> (&'a Enr, &'a Mac) {
        self.parent
            .filter(|_| self.parent_dtls)
            .unwrap_or((self.enr, self.mac))
    }
}

/// What happened to a [`Camera`].
#[derive(Debug)]
#[non_exhaustive]
pub enum CameraEvent<'e> {
    /// A viewer opened an IOTC session.
    Opened {
        /// The viewer's address.
        from: SocketAddr,
    },
    /// The DTLS handshake is complete: the viewer knows the ENR.
    Secured {
        /// The suite both sides agreed on.
        suite: CipherSuite,
    },
    /// The viewer sent its AV login.
    LoggedIn,
    /// The viewer answered the challenge.
    Authenticated,
    /// Which media the viewer wants from now on (K10002, K10010).
    Wanted {
        /// Video frames.
        video: bool,
        /// Audio frames.
        audio: bool,
    },
    /// A K-command that asks or sets something. Answer it with [`Camera::answer`], which keeps the camera's state, or
    /// with [`Camera::reply`]; one that is not answered is repeated for five seconds.
    Command {
        /// Its code.
        code: Code,
        /// Its body.
        payload: &'e [u8],
    },
    /// The viewer opened the talk channel: audio to be played follows.
    TalkReady,
    /// A frame of audio to be played, in order.
    Audio(Frame<'e>),
    /// The talk is over, or never began. Not told when the session itself is over.
    TalkClosed(TalkEnd),
    /// The session is over; the last event. [`Camera::reset`] makes it ready for the next viewer.
    Closed(Cause),
}

/// Why a frame is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MediaError {
    /// The viewer has not asked for this stream; see [`Camera::wants`].
    NotWanted,
    /// The frame is longer than what the generation carries: 1024 bytes of audio in Session16.
    TooLong {
        /// The longest frame in bytes.
        max: usize,
    },
}

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted => f.write_str("the viewer has not asked for this stream"),
            Self::TooLong { max } => {
                write!(
                    f,
                    "this viewer takes frames of at most {max} bytes; send shorter ones"
                )
            }
        }
    }
}

impl core::error::Error for MediaError {}
