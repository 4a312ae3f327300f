//! The bodies of the authentication, K10000 to K10009 (`docs/protocol.md` §3.1).

use tutk_core::wire::{Malformed, Reader, Writer};

use super::{Decode, Encode, Request};
use crate::challenge::{CHALLENGE_LEN, Status};
use crate::hl::Code;
use crate::info::CameraInfo;
use crate::json;

/// Hello (K10000): empty, or JSON that wakes an outdoor camera or asks for audio formats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'p> {
    /// The JSON, or nothing.
    pub json: &'p [u8],
}

/// Status and challenge (K10001).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Which key the answer takes, or why there is none.
    pub status: Status,
    /// What to decrypt.
    pub challenge: [u8; CHALLENGE_LEN],
}

/// Answer to the challenge (K10002).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectAuth {
    /// The decrypted challenge.
    pub response: [u8; CHALLENGE_LEN],
    /// Four bytes that no camera checks; applications put the start of the MAC, of the UID or random bytes there.
    pub tag: [u8; 4],
    /// Whether video shall start at once.
    pub video: bool,
    /// Whether audio shall start at once.
    pub audio: bool,
}

/// Answer to the challenge with the user's id (K10006), for doorbells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectUserAuth<'p> {
    /// As in K10002.
    pub auth: ConnectAuth,
    /// The account's open user id, at most 255 bytes; may be empty.
    pub open_user_id: &'p [u8],
}

/// Answer to the challenge with the user's id (K10008), protocol version 25 and up (outdoor cameras 29).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectUserAuth2<'p> {
    /// As in K10002.
    pub auth: ConnectAuth,
    /// The account's open user id, at most 255 bytes; may be empty.
    pub open_user_id: &'p [u8],
}

macro_rules! opaque_debug {
    ($($name:ident $(<$lt:lifetime>)?),*) => {$(
        /// Shows no content: it may hold a MAC, a user's id or the material of the challenge.
        impl $(<$lt>)? core::fmt::Debug for $name $(<$lt>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    )*};
}
opaque_debug!(
    Connect<'p>,
    Challenge,
    ConnectAuth,
    ConnectUserAuth<'p>,
    ConnectUserAuth2<'p>
);

impl Request for Connect<'_> {
    const CODE: Code = Code::K10000;
    type Reply<'p> = Challenge;
}

impl Encode for Connect<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.json);
    }
}

impl<'p> Decode<'p> for Connect<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        Ok(Self { json: payload })
    }
}

impl Encode for Challenge {
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(self.status.to_wire());
        w.bytes(&self.challenge);
    }
}

impl Decode<'_> for Challenge {
    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        let status = Status::from_wire(r.u8()?);
        // A camera that cannot be entered need not have a challenge.
        let challenge = match status {
            Status::Default | Status::Enr16 | Status::Enr32 => *r.array()?,
            _ => r.array().copied().unwrap_or_default(),
        };
        Ok(Self { status, challenge })
    }
}

impl Request for ConnectAuth {
    const CODE: Code = Code::K10002;
    type Reply<'p> = LoginReply<'p>;
}

impl Encode for ConnectAuth {
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(&self.response);
        w.bytes(&self.tag);
        w.u8(self.video.into());
        w.u8(self.audio.into());
    }
}

impl ConnectAuth {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            response: *r.array()?,
            tag: *r.array()?,
            video: r.u8()? == 1,
            audio: r.u8()? == 1,
        })
    }
}

impl Decode<'_> for ConnectAuth {
    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(payload))
    }
}

macro_rules! user_auth {
    ($($name:ident = $code:ident),*) => {$(
        impl Request for $name<'_> {
            const CODE: Code = Code::$code;
            type Reply<'p> = LoginReply<'p>;
        }

        impl Encode for $name<'_> {
            fn encode(&self, w: &mut Writer<'_>) {
                self.auth.encode(w);
                w.vec8(|w| w.bytes(self.open_user_id));
            }
        }

        impl<'p> Decode<'p> for $name<'p> {
            fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
                let mut r = Reader::new(payload);
                Ok(Self {
                    auth: ConnectAuth::read(&mut r)?,
                    open_user_id: r.vec8()?.rest(),
                })
            }
        }
    )*};
}
user_auth!(ConnectUserAuth = K10006, ConnectUserAuth2 = K10008);

/// What the camera thinks of our answer: `connectionRes` in its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Verdict {
    /// "1": we are in.
    Accepted,
    /// "2": the ENR is wrong.
    EnrRejected,
    /// Anything else.
    Rejected,
}

/// Verdict and description of the camera, in JSON (K10003, K10007, K10009).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LoginReply<'p> {
    /// Whether we are in.
    pub verdict: Verdict,
    /// The camera's description of itself; mostly empty when we are not in.
    pub info: CameraInfo<'p>,
}

const VERDICT_KEY: &str = "connectionRes";

impl Encode for LoginReply<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        json::object(w, |o| {
            if self.verdict == Verdict::Accepted {
                o.object("cameraInfo", |o| self.info.write(o));
            }
            let verdict = match self.verdict {
                Verdict::Accepted => "1",
                Verdict::EnrRejected => "2",
                Verdict::Rejected => "0",
            };
            o.text(VERDICT_KEY, verdict);
        });
    }
}

impl<'p> Decode<'p> for LoginReply<'p> {
    fn decode(payload: &'p [u8]) -> Result<Self, Malformed> {
        let mut verdict = None;
        let mut info = CameraInfo::default();
        let read = json::for_each_scalar(payload, &mut |parent, key, value| {
            if key == VERDICT_KEY {
                verdict.get_or_insert(value);
            } else {
                info.set(parent, key, value);
            }
        });
        if let Err(why) = read {
            tutk_core::debug!("K10003 is damaged JSON ({}), its rest is ignored", why);
            // The verdict must not depend on an odd Wi-Fi name that precedes it.
            verdict = verdict.or_else(|| json::find_scalar(payload, VERDICT_KEY));
        }
        let verdict = match verdict.ok_or(Malformed::BadValue)? {
            "1" => Verdict::Accepted,
            "2" => Verdict::EnrRejected,
            _ => Verdict::Rejected,
        };
        Ok(Self { verdict, info })
    }
}
