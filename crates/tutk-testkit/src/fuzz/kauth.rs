//! K-commands: header, every body, JSON, settings.

use tutk_core::wire::Writer;
use wyze_kauth::command::*;
use wyze_kauth::settings::{PtzRequest, SETTINGS};
use wyze_kauth::{CameraInfo, CameraState, Code, Decode, Encode, MAX_MESSAGE, Message, hl};

/// What `write` writes, when it fits.
fn written(write: impl FnOnce(&mut Writer<'_>)) -> Option<Vec<u8>> {
    let mut memory = [0; MAX_MESSAGE];
    let mut w = Writer::new(&mut memory);
    write(&mut w);
    w.finish().ok().map(|bytes| bytes.to_vec())
}

fn emitted(body: &impl Encode) -> Option<Vec<u8>> {
    written(|w| body.encode(w))
}

macro_rules! round_trip {
    ($payload:ident: $($ty:ty),* $(,)?) => {$(
        if let Ok(body) = <$ty as Decode<'_>>::decode($payload)
            && let Some(bytes) = emitted(&body)
        {
            let again = <$ty as Decode<'_>>::decode(&bytes);
            let again = again.unwrap_or_else(|e| panic!("{}: what we write we read: {e}", stringify!($ty)));
            assert_eq!(emitted(&again).as_ref(), Some(&bytes), "{}", stringify!($ty));
        }
    )*};
}

/// Bodies of JSON: a value with a character that JSON must escape is written and not read again (it could not be borrowed),
/// so that it takes one round more until nothing changes.
macro_rules! settles {
    ($payload:ident: $($ty:ty),* $(,)?) => {$(
        if let Ok(body) = <$ty as Decode<'_>>::decode($payload)
            && let Some(bytes) = emitted(&body)
        {
            let again = <$ty as Decode<'_>>::decode(&bytes).expect(stringify!($ty));
            let bytes = emitted(&again).expect("it got no longer");
            let again = <$ty as Decode<'_>>::decode(&bytes).expect(stringify!($ty));
            assert_eq!(emitted(&again).as_ref(), Some(&bytes), "{}", stringify!($ty));
        }
    )*};
}

/// Objects and arrays inside each other.
fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        serde_json::Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whatever a whole parser reads, our walk over JSON reads too, as deep as it goes: the scalars of the outermost object
/// are there.
fn json(payload: &[u8]) {
    let start = payload.iter().position(|&b| b == b'{');
    let json = start.and_then(|at| payload.get(at..)).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_slice(json).into_iter();
    let Some(Ok(whole @ serde_json::Value::Object(_))) = values.next() else {
        return;
    };
    let shallow = depth(&whole) <= 8;
    for (key, value) in whole.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => "",
            _ => continue,
        };
        let plain = |text: &str| !serde_json::to_string(text).is_ok_and(|s| s.contains('\\'));
        // In the source even a character without need for it may be escaped.
        let escaped = json.contains(&b'\\');
        if shallow && !escaped && plain(key) && plain(text) {
            assert!(Json { json }.get(key).is_some(), "{key}");
        }
    }
}

/// Each body that can be read is written and read again, and comes out the same; settings and the state of a virtual camera
/// take any message.
///
/// The first two bytes are the code of the message.
pub fn kauth(data: &[u8]) {
    if let Ok(message) = Message::parse(data) {
        let bytes = written(|w| {
            hl::write(w, message.version, message.code, |w| {
                w.bytes(message.payload)
            })
        });
        if let Some(bytes) = bytes {
            assert_eq!(Message::parse(&bytes), Ok(message));
        }
    }
    let Some((code, payload)) = data.split_first_chunk::<2>() else {
        return;
    };
    bodies(payload);
    json(payload);
    if let Ok(info) = CameraInfo::parse(payload) {
        let _ = format!("{info:?}");
    }
    let message = Message {
        version: 36,
        code: Code(10000 + u16::from_le_bytes(*code) % 800),
        payload,
    };
    settings(&message);
    let mut state = CameraState::new();
    for _ in 0..2 {
        let answer = written(|w| {
            state.handle(&message, w, 36);
        });
        if let Some(answer) = answer.filter(|a| !a.is_empty()) {
            let answer = Message::parse(&answer).expect("what it writes is a message");
            assert_eq!(answer.code, message.code.reply());
        }
    }
    if let Ok(text) = std::str::from_utf8(payload) {
        let mut words = text.split(' ');
        let verb = words.next().unwrap_or_default();
        let numbers: Vec<_> = words.take(8).collect();
        if let Ok(request) = PtzRequest::parse(verb, &numbers, 1_767_239_680_000) {
            let bytes = written(|w| {
                request.write(w);
            })
            .expect("it fits");
            assert!(Message::parse(&bytes).is_ok());
        }
    }
}

fn bodies(payload: &[u8]) {
    settles!(payload: LoginReply<'_>, CameraParams<'_>, RtspParams<'_>);
    round_trip!(payload: Connect<'_>, Challenge, ConnectAuth, ConnectUserAuth<'_>, ConnectUserAuth2<'_>);
    round_trip!(payload: ControlChannel, SayQuickReply, CheckCameraParams<'_>, );
    round_trip!(payload: CheckNight, GetIrLed, NightSwitchState, NightVisionState, SetFloodlight, SetIrLed);
    round_trip!(payload: SetNightSwitch, SetNightVision, SetSiren, SetSpotlight, SetStatusLight, SirenState);
    round_trip!(payload: MotionAlarm, SetEarlyMotionAlarm, SetMotionAlarm, SetMotionTagging, SetMotionTracking);
    round_trip!(payload: SetOsdLogo, SetOsdTime, CruisePoints, SetCruisePoints, PtzPosition, ResetRotation);
    round_trip!(payload: RotateByAction, RotateByDegree, SetPanScan, SetPtzPosition, CameraTime, FormatSdCard);
    round_trip!(payload: SetDeviceState, SetTime, SetTimeZone, StartBoa, TakePhoto);
    round_trip!(payload: SetResolvingBit, SetVideoParams, VideoParams, Done, Json<'_>, Raw<'_>);
}

fn settings(message: &Message<'_>) {
    for setting in SETTINGS {
        let Ok(value) = setting.read_reply(message) else {
            continue;
        };
        let shown = setting.show(value).to_string();
        if setting.values.allow(value) {
            assert_eq!(
                setting.parse(&shown),
                Ok(value),
                "{}: {shown}",
                setting.name
            );
            if let Ok(request) = setting.set_request(value, None) {
                let bytes = written(|w| {
                    request.write(w);
                })
                .expect("it fits");
                assert!(Message::parse(&bytes).is_ok());
            }
        }
    }
}
