//! What a camera tells about itself when it lets us in (K10003's JSON, `docs/protocol.md` §3.1).

use core::fmt;

use crate::authenticator::AuthError;
use crate::command::{Decode, LoginReply, Verdict};
use crate::json::Members;

/// A camera's description of itself. Borrows from the message.
///
/// Firmware differs in what it says and how it writes it, so every field may be absent; one that cannot be read is
/// absent too and never spoils the rest. Strings with JSON escapes count as unreadable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct CameraInfo<'p> {
    /// Firmware version, such as "4.52.9.4188".
    pub firmware: Option<&'p str>,
    /// Hardware version.
    pub hardware: Option<&'p str>,
    /// Model code, such as "HL_CAM4"; see [`models`](crate::models).
    pub model: Option<&'p str>,
    /// Kind of device, such as "camera".
    pub kind: Option<&'p str>,
    /// MAC address, hidden from logs.
    pub mac: Option<Private<'p>>,
    /// Quality of the Wi-Fi reception as the camera rates it, usually 0 to 100.
    pub wifi: Option<i16>,
    /// Whether it grants video.
    pub video: Option<bool>,
    /// Whether it grants audio.
    pub audio: Option<bool>,
    /// Its video settings.
    pub video_settings: VideoSettings,
    /// Its SD card.
    pub sd_card: SdCard,
    /// What it records to the SD card, by the camera's own number.
    pub recording: Option<u8>,
    /// Which part of the picture raises the motion alarm, by the camera's own number.
    pub motion_zone: Option<u8>,
}

/// A camera's SD card, in numbers of the camera's own. No source tells their meaning or unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SdCard {
    /// Its state.
    pub status: Option<u8>,
    /// Its size.
    pub capacity: Option<u32>,
    /// What of it is free.
    pub free: Option<u32>,
}

/// A camera's video settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct VideoSettings {
    /// Bit rate in the unit of the Wyze app, "KB/s". Some firmware reports a wrong one.
    pub bit_rate: Option<u16>,
    /// Frames a second.
    pub fps: Option<u16>,
    /// Resolution, by the camera's own number.
    pub resolving: Option<u8>,
    /// Mirrored left to right: 1 on, 2 off.
    pub horizontal_flip: Option<u8>,
    /// Upside down: 1 on, 2 off.
    pub vertical_flip: Option<u8>,
    /// Logo in the picture: 1 on, 2 off.
    pub logo: Option<u8>,
    /// Time in the picture: 1 on, 2 off.
    pub time: Option<u8>,
}

/// Text that identifies a household's device: `Debug` and `defmt` print `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Private<'p>(&'p str);

impl<'p> Private<'p> {
    /// The text itself. Never log it.
    pub const fn expose(self) -> &'p str {
        self.0
    }
}

impl fmt::Debug for Private<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Private<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "***");
    }
}

impl<'p> CameraInfo<'p> {
    /// Reads the body of K10003, K10007 or K10009.
    ///
    /// # Errors
    /// The camera did not let us in, or its reply holds no verdict.
    pub fn parse(payload: &'p [u8]) -> Result<Self, AuthError> {
        let reply = LoginReply::decode(payload).map_err(|_| AuthError::UnreadableReply)?;
        match reply.verdict {
            Verdict::Accepted => Ok(reply.info),
            Verdict::EnrRejected => Err(AuthError::EnrRejected),
            Verdict::Rejected => Err(AuthError::Rejected),
        }
    }

    /// A description of a camera that streams with these settings, for the camera's side.
    pub(crate) fn describe(model: &'p str, firmware: &'p str, mac: &'p str) -> Self {
        Self {
            firmware: Some(firmware),
            hardware: Some("0.0.0.0"),
            model: Some(model),
            kind: Some("camera"),
            mac: Some(Private(mac)),
            wifi: Some(80),
            ..Self::default()
        }
    }

    /// Takes in one field of the JSON: the name of the object around it, its key, its value.
    pub(crate) fn set(&mut self, parent: &str, key: &str, value: &'p str) {
        match self.slot(parent, key) {
            Some(Slot::Text(slot)) => *slot = Some(value),
            Some(Slot::Private(slot)) => *slot = Some(Private(value)),
            Some(Slot::Flag(slot)) => *slot = granted(value),
            Some(Slot::Signed(slot)) => *slot = number(value),
            Some(Slot::Byte(slot)) => *slot = number(value),
            Some(Slot::Short(slot)) => *slot = number(value),
            Some(Slot::Long(slot)) => *slot = number(value),
            None => {}
        }
    }

    /// Where a field of the JSON goes.
    fn slot(&mut self, parent: &str, key: &str) -> Option<Slot<'_, 'p>> {
        let settings = &mut self.video_settings;
        let sd_card = &mut self.sd_card;
        Some(match parent {
            "basicInfo" => match key {
                "firmware" => Slot::Text(&mut self.firmware),
                "hardware" => Slot::Text(&mut self.hardware),
                "model" => Slot::Text(&mut self.model),
                "type" => Slot::Text(&mut self.kind),
                "mac" => Slot::Private(&mut self.mac),
                "wifidb" => Slot::Signed(&mut self.wifi),
                _ => return None,
            },
            // Cameras write the first, misspelt; some clients and emulations the second.
            "channelResquestResult" | "channelRequestResult" => match key {
                "video" => Slot::Flag(&mut self.video),
                "audio" => Slot::Flag(&mut self.audio),
                _ => return None,
            },
            "videoParm" => match key {
                "bitRate" => Slot::Short(&mut settings.bit_rate),
                "fps" => Slot::Short(&mut settings.fps),
                "resolving" => Slot::Byte(&mut settings.resolving),
                "horizontalFlip" => Slot::Byte(&mut settings.horizontal_flip),
                "verticalFlip" => Slot::Byte(&mut settings.vertical_flip),
                "logo" => Slot::Byte(&mut settings.logo),
                "time" => Slot::Byte(&mut settings.time),
                _ => return None,
            },
            "sdParm" => match key {
                "status" => Slot::Byte(&mut sd_card.status),
                "capacity" => Slot::Long(&mut sd_card.capacity),
                "free" => Slot::Long(&mut sd_card.free),
                _ => return None,
            },
            "recordType" if key == "type" => Slot::Byte(&mut self.recording),
            "apartalarmParm" if key == "type" => Slot::Byte(&mut self.motion_zone),
            _ => return None,
        })
    }

    /// Writes the members of `cameraInfo`, the ones that are known.
    pub(crate) fn write(&self, o: &mut Members<'_, '_>) {
        fn text(o: &mut Members<'_, '_>, key: &str, value: Option<&str>) {
            if let Some(value) = value {
                o.text(key, value);
            }
        }
        fn number(o: &mut Members<'_, '_>, key: &str, value: Option<impl Into<i64>>) {
            if let Some(value) = value {
                o.number(key, value.into());
            }
        }
        o.object("basicInfo", |o| {
            text(o, "firmware", self.firmware);
            text(o, "hardware", self.hardware);
            text(o, "mac", self.mac.map(Private::expose));
            text(o, "model", self.model);
            text(o, "type", self.kind);
            number(o, "wifidb", self.wifi);
        });
        o.object("channelResquestResult", |o| {
            number(o, "audio", self.audio);
            number(o, "video", self.video);
        });
        let settings = &self.video_settings;
        if *settings != VideoSettings::default() {
            o.object("videoParm", |o| {
                number(o, "bitRate", settings.bit_rate);
                number(o, "fps", settings.fps);
                number(o, "horizontalFlip", settings.horizontal_flip);
                number(o, "logo", settings.logo);
                number(o, "resolving", settings.resolving);
                number(o, "time", settings.time);
                number(o, "verticalFlip", settings.vertical_flip);
            });
        }
        let sd_card = &self.sd_card;
        if *sd_card != SdCard::default() {
            o.object("sdParm", |o| {
                number(o, "capacity", sd_card.capacity);
                number(o, "free", sd_card.free);
                number(o, "status", sd_card.status);
            });
        }
    }
}

/// A field, by its type: each type is read in one place, however many fields have it.
enum Slot<'a, 'p> {
    Text(&'a mut Option<&'p str>),
    Private(&'a mut Option<Private<'p>>),
    Flag(&'a mut Option<bool>),
    Signed(&'a mut Option<i16>),
    Byte(&'a mut Option<u8>),
    Short(&'a mut Option<u16>),
    Long(&'a mut Option<u32>),
}

/// A decimal number of at most 32 bits and a sign.
fn number<T: TryFrom<i64>>(value: &str) -> Option<T> {
    T::try_from(integer(value)?).ok()
}

/// Not `parse`, whose arithmetic of 64 bits is half a kilobyte on a microcontroller.
#[inline(never)]
fn integer(value: &str) -> Option<i64> {
    let (sign, digits) = match value.as_bytes() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let mut magnitude = (!digits.is_empty()).then_some(0u32);
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        magnitude = magnitude?.checked_mul(10)?.checked_add(digit.into());
        if digit > 9 {
            return None;
        }
    }
    magnitude.map(|n| sign * i64::from(n))
}

fn granted(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "2" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use tutk_core::wire::Writer;

    const JSON: &str = r#"{"connectionRes":"1","cameraInfo":{"basicInfo":{"firmware":"4.36.11","hardware":"0.0.0.0","mac":"AABBCCDDEEFF","model":"WYZE_CAKP2JFUS","type":"camera","wifidb":"72"},"channelResquestResult":{"audio":"1","video":"2"},"videoParm":{"bitRate":"120","fps":20,"horizontalFlip":"1","resolving":"1","type":"H264","time":1},"recordType":{"type":"2"},"apartalarmParm":{"type":"0","startX":"0"},"sdParm":{"status":"1","capacity":"30416","free":"1024","detail":[0,1]}}}"#;

    #[test]
    fn strings_and_numbers_are_read_alike_and_the_rest_ignored() {
        let info = CameraInfo::parse(JSON.as_bytes()).unwrap();
        assert_eq!(info.firmware, Some("4.36.11"));
        assert_eq!(info.model, Some("WYZE_CAKP2JFUS"));
        assert_eq!(info.kind, Some("camera"));
        assert_eq!(info.mac.unwrap().expose(), "AABBCCDDEEFF");
        assert_eq!(
            (info.wifi, info.video, info.audio),
            (Some(72), Some(false), Some(true))
        );
        let v = info.video_settings;
        assert_eq!(
            (v.bit_rate, v.fps, v.resolving, v.time, v.logo),
            (Some(120), Some(20), Some(1), Some(1), None)
        );
        assert_eq!((info.recording, info.motion_zone), (Some(2), Some(0)));
        let sd = info.sd_card;
        assert_eq!(
            (sd.status, sd.capacity, sd.free),
            (Some(1), Some(30416), Some(1024))
        );
    }

    #[test]
    fn every_field_has_its_own_place() {
        let json = r#"{"connectionRes":"1","cameraInfo":{"basicInfo":{"hardware":"2.1","type":"camera"},"videoParm":{"horizontalFlip":"1","verticalFlip":"2","logo":"3"},"recordType":{"type":"4","other":"5"},"apartalarmParm":{"type":"6","startX":"7"}}}"#;
        let expected = CameraInfo {
            hardware: Some("2.1"),
            kind: Some("camera"),
            video_settings: VideoSettings {
                horizontal_flip: Some(1),
                vertical_flip: Some(2),
                logo: Some(3),
                ..VideoSettings::default()
            },
            recording: Some(4),
            motion_zone: Some(6),
            ..CameraInfo::default()
        };
        assert_eq!(CameraInfo::parse(json.as_bytes()), Ok(expected));
    }

    #[test]
    fn what_is_known_is_written_and_read_back_and_what_is_not_is_left_out() {
        fn written(info: &CameraInfo<'_>) -> String {
            let mut memory = [0; 512];
            let mut w = Writer::new(&mut memory);
            json::object(&mut w, |o| {
                o.number("connectionRes", 1);
                o.object("cameraInfo", |o| info.write(o));
            });
            String::from_utf8(w.finish().unwrap().to_vec()).unwrap()
        }
        let plain = CameraInfo::describe("M", "1.2", "AABBCCDDEEFF");
        let expected = CameraInfo {
            firmware: Some("1.2"),
            hardware: Some("0.0.0.0"),
            model: Some("M"),
            kind: Some("camera"),
            mac: Some(Private("AABBCCDDEEFF")),
            wifi: Some(80),
            ..CameraInfo::default()
        };
        assert_eq!(plain, expected);
        let shown = written(&plain);
        assert!(
            !shown.contains("videoParm") && !shown.contains("sdParm"),
            "{shown}"
        );
        let full = CameraInfo {
            video_settings: VideoSettings {
                bit_rate: Some(120),
                vertical_flip: Some(2),
                ..VideoSettings::default()
            },
            sd_card: SdCard {
                capacity: Some(30416),
                ..SdCard::default()
            },
            ..plain
        };
        for info in [plain, full] {
            assert_eq!(CameraInfo::parse(written(&info).as_bytes()), Ok(info));
        }
    }

    #[test]
    fn both_spellings_of_the_channel_result_are_read() {
        let corrected = JSON.replace("channelResquestResult", "channelRequestResult");
        assert_eq!(
            CameraInfo::parse(corrected.as_bytes()),
            CameraInfo::parse(JSON.as_bytes())
        );
    }

    #[test]
    fn bytes_around_the_json_are_skipped() {
        let junk = [b"\x01\x00\xff junk", JSON.as_bytes(), b"\0\0\0"].concat();
        assert_eq!(CameraInfo::parse(&junk), CameraInfo::parse(JSON.as_bytes()));
    }

    #[test]
    fn odd_cosmetic_fields_are_absent_and_spoil_nothing() {
        let odd = JSON
            .replace("\"4.36.11\"", "\"4.\\u0033\"")
            .replace("\"72\"", "{\"db\":72}")
            .replace("\"120\"", "99999999999999999999")
            .replace("\"WYZE_CAKP2JFUS\"", "null")
            .replace("20,", "[20],");
        let info = CameraInfo::parse(odd.as_bytes()).unwrap();
        assert_eq!((info.firmware, info.wifi, info.model), (None, None, None));
        assert_eq!(
            (info.video_settings.bit_rate, info.video_settings.fps),
            (None, None)
        );
        assert_eq!((info.video, info.audio), (Some(false), Some(true)));
    }

    #[test]
    fn a_login_survives_text_that_is_not_utf8_and_json_that_is_cut() {
        let at = JSON.find("4.36").unwrap();
        let mut bad = JSON.as_bytes().to_vec();
        bad[at] = 0xff;
        assert!(CameraInfo::parse(&bad).is_ok());
        assert!(CameraInfo::parse(&JSON.as_bytes()[..120]).is_ok());
        // The verdict behind the damage counts as well.
        let last = br#"{"cameraInfo":{"ssid":"XX"},"connectionRes":"2"}"#;
        let mut last = last.to_vec();
        last[23] = 0xc3;
        assert_eq!(CameraInfo::parse(&last), Err(AuthError::EnrRejected));
    }

    #[test]
    fn verdicts_other_than_1_are_distinct_errors() {
        let with = |res: &str| JSON.replace("\"connectionRes\":\"1\"", res);
        for (res, error) in [
            ("\"connectionRes\":\"2\"", AuthError::EnrRejected),
            ("\"connectionRes\":2", AuthError::EnrRejected),
            ("\"connectionRes\":\"7\"", AuthError::Rejected),
            ("\"other\":\"1\"", AuthError::UnreadableReply),
        ] {
            assert_eq!(CameraInfo::parse(with(res).as_bytes()), Err(error), "{res}");
        }
        assert!(CameraInfo::parse(with("\"connectionRes\":1").as_bytes()).is_ok());
        assert_eq!(CameraInfo::parse(b""), Err(AuthError::UnreadableReply));
    }

    #[test]
    fn numbers_are_what_parse_makes_of_them() {
        for text in [
            "0",
            "7",
            "007",
            "-5",
            "+5",
            "",
            "-",
            "+",
            "--1",
            "1a",
            " 1",
            "1.5",
            "255",
            "256",
            "32767",
            "32768",
            "-32768",
            "-32769",
            "4294967295",
            "4294967296",
            "99999999999999999999",
        ] {
            assert_eq!(number::<u8>(text), text.parse().ok(), "{text}");
            assert_eq!(number::<i16>(text), text.parse().ok(), "{text}");
            assert_eq!(number::<u32>(text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_mac() {
        let shown = format!("{:?}", CameraInfo::parse(JSON.as_bytes()).unwrap());
        assert!(
            !shown.contains("AABBCC") && shown.contains("mac: Some(***)"),
            "{shown}"
        );
    }
}
