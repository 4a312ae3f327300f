//! What a camera tells on request and nothing sets (`docs/protocol.md` §3.2).

use tutk_core::wire::Malformed;

use super::{MAX_BODY, SettingRequest};
use crate::hl::{Code, Message};

/// Something that can be read, and is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Reading {
    /// The name a user gives, such as "battery".
    pub name: &'static str,
    /// What it is, for the user.
    pub help: &'static str,
    /// The request that reads it, whose body is empty.
    pub code: Code,
    /// What the camera answers.
    pub shape: Shape,
    /// Keys of the JSON and what they mean.
    pub keys: &'static [(&'static str, &'static str)],
    /// Whether it may name addresses, a network or a password, so that it is shown only to who asks for just this.
    pub private: bool,
}

/// What the reply to a [`Reading`] consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Shape {
    /// JSON.
    Json,
    /// Text behind a switch of one byte.
    Text,
    /// No source tells.
    Unknown,
}

const fn reading(name: &'static str, help: &'static str, code: Code, shape: Shape) -> Reading {
    Reading {
        name,
        help,
        code,
        shape,
        keys: &[],
        private: false,
    }
}

/// All that can be read beside the [settings](super::SETTINGS) and the position of a camera that turns.
#[rustfmt::skip] // one a line
pub const READINGS: &[Reading] = &[
    reading("night", "whether it is night, in bytes that no source explains", Code::K10620, Shape::Unknown),
    reading("battery", "what the battery was used for", Code::K10448, Shape::Json).keys(
        &[("0", "since-charge"), ("1", "live"), ("2", "events-sent"), ("3", "events-filtered"), ("4", "sd-card")]),
    reading("connection", "how an outdoor camera is connected", Code::K10446, Shape::Json).private(),
    reading("accessories", "what is plugged into the camera", Code::K10720, Shape::Json).private(),
    reading("floodlight-info", "the built-in floodlight, in bytes that no source explains", Code::K10788, Shape::Unknown),
    reading("white-light", "the white light, in bytes that no source explains", Code::K10820, Shape::Unknown),
    reading("rtsp-url", "where RTSP is served, with RTSP firmware only", Code::K10604, Shape::Text).private(),
];

impl Reading {
    const fn keys(mut self, keys: &'static [(&'static str, &'static str)]) -> Self {
        self.keys = keys;
        self
    }

    const fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// The request that reads it.
    pub const fn request(&self) -> SettingRequest {
        SettingRequest {
            code: self.code,
            body: [0; MAX_BODY],
            len: 0,
        }
    }

    /// What the camera says, as its [`shape`](Self::shape) tells.
    ///
    /// # Errors
    /// The message answers something else, or is too short.
    pub fn read_reply<'p>(&self, reply: &Message<'p>) -> Result<&'p [u8], Malformed> {
        if reply.code != self.code.reply() {
            return Err(Malformed::BadMagic);
        }
        let before = usize::from(self.shape == Shape::Text);
        reply.payload.get(before..).ok_or(Malformed::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SETTINGS;

    fn find(name: &str) -> &'static Reading {
        READINGS.iter().find(|r| r.name == name).unwrap()
    }

    #[test]
    fn a_reading_is_what_stands_in_the_reply_to_its_request() {
        let read = |name, code, payload| {
            let version = 36;
            find(name).read_reply(&Message {
                version,
                code: Code(code),
                payload,
            })
        };
        assert_eq!(find("battery").request().code(), Code::K10448);
        let usage = br#"{"0":5,"1":2}"#;
        assert_eq!(read("battery", 10449, usage), Ok(&usage[..]));
        let url = read("rtsp-url", 10605, b"\x01rtsp://192.0.2.1/live");
        assert_eq!(url, Ok(&b"rtsp://192.0.2.1/live"[..]));
        assert_eq!(read("rtsp-url", 10605, &[]), Err(Malformed::Truncated));
        assert_eq!(read("night", 10621, &[1]), Ok(&[1][..]));
        assert_eq!(read("night", 10625, &[1]), Err(Malformed::BadMagic));
    }

    #[test]
    fn no_reading_has_the_name_of_a_setting() {
        for reading in READINGS {
            assert!(SETTINGS.iter().all(|s| s.name != reading.name));
            assert_eq!(find(reading.name), reading);
        }
    }
}
