//! Every command of `docs/protocol.md` §3.2, as its table spells it: requests and replies are written to these bytes and
//! read from them, cut ones never panic, and the virtual camera answers all of them.

use std::collections::HashSet;

use proptest::prelude::*;
use tutk_core::wire::Writer;
use wyze_kauth::command::*;
use wyze_kauth::settings::{self, SETTINGS};
use wyze_kauth::support::COMMANDS;
use wyze_kauth::{
    CameraState, Code, Decode, Encode, MAX_MESSAGE, Message, Request, models, write_request,
};

const VERSION: u8 = 36;

fn body(value: &impl Encode) -> Vec<u8> {
    let mut memory = [0u8; 512];
    let mut w = Writer::new(&mut memory);
    value.encode(&mut w);
    w.finish().unwrap().to_vec()
}

fn message(request: &impl Request) -> Vec<u8> {
    let mut memory = [0u8; MAX_MESSAGE];
    let mut w = Writer::new(&mut memory);
    write_request(request, &mut w);
    w.finish().unwrap().to_vec()
}

/// What a camera answers.
fn answer(state: &mut CameraState, request: &[u8]) -> Option<Vec<u8>> {
    let mut memory = [0u8; MAX_MESSAGE];
    let mut w = Writer::new(&mut memory);
    let request = Message::parse(request).unwrap();
    let code = state.handle(&request, &mut w, VERSION)?;
    let reply = w.finish().unwrap().to_vec();
    assert_eq!(code, request.code.reply());
    let m = Message::parse(&reply).unwrap();
    assert_eq!((m.version, m.code), (VERSION, code));
    Some(reply)
}

/// A request, its code and body as documented, and for replies that are documented, a body and what it says.
///
/// Checks both directions, all cuts, and that a virtual camera's answer is of the reply's type; gives the code.
macro_rules! check {
    ($request:expr => $code:literal, $body:literal $(; $reply:expr => $reply_body:literal)?) => {{
        fn check<R>(request: R, code: u16, hex: &str) -> u16
        where
            R: Request + for<'p> Decode<'p> + PartialEq + core::fmt::Debug,
        {
            let bytes = hex::decode(hex).unwrap();
            assert_eq!(R::CODE, Code(code));
            assert_eq!(body(&request), bytes, "{request:?}");
            assert_eq!(R::decode(&bytes).as_ref(), Ok(&request), "{code}");
            let more = [&bytes[..], &[0xee; 3]].concat();
            if code != 11012 && code != 10000 {
                assert_eq!(R::decode(&more).as_ref(), Ok(&request), "{code}: bytes behind");
            }
            for cut in 0..bytes.len() {
                let _ = R::decode(&bytes[..cut]);
            }
            let reply = answer(&mut CameraState::new(), &message(&request));
            assert_eq!(reply.is_some(), R::AWAITS_REPLY && code != 10010, "{code}");
            if let Some(reply) = reply {
                let m = Message::parse(&reply).unwrap();
                assert!(m.reply_to::<R>().is_ok(), "{code}");
            }
            code
        }
        $(
            let bytes = hex::decode($reply_body).unwrap();
            let m = Message { version: VERSION, code: Code($code + 1), payload: &bytes };
            assert_eq!(body(&$reply), bytes, "{}", $code + 1);
            let read = read_as(&$request, m);
            assert_eq!(read, Ok($reply), "{}", $code + 1);
            for cut in 0..bytes.len() {
                let payload = &bytes[..cut];
                let _ = read_as(&$request, Message { payload, ..m });
            }
        )?
        check($request, $code, $body)
    }};
}

/// The message as the reply to `_request`.
fn read_as<'p, R: Request>(
    _request: &R,
    m: Message<'p>,
) -> Result<R::Reply<'p>, tutk_core::wire::Malformed> {
    m.reply_to::<R>()
}

const ON: Switch = Switch { on: true };

fn points() -> CruisePoints {
    CruisePoints::new(&[
        CruisePoint {
            vertical: 5,
            horizontal: 300,
            seconds: 10,
        },
        CruisePoint {
            vertical: 40,
            horizontal: 350,
            seconds: 255,
        },
    ])
    .unwrap()
}

#[test]
fn requests_and_replies_have_the_documented_bytes() {
    let video = VideoParams {
        bitrate: 240,
        size: FrameSize::P1296,
        fps: 20,
        horizontal_flip: 1,
        vertical_flip: 1,
    };
    let flip = SetVideoParams {
        vertical_flip: 1,
        ..SetVideoParams::resolution(FrameSize::UNCHANGED, 0)
    };
    let talk = ControlChannel {
        media: Media::ReturnAudio,
        on: false,
    };
    let big = SetResolvingBit {
        size: FrameSize::P1296,
        bitrate: 240,
        fps: 0,
    };
    let photo = Raw(b"\x01");
    let codes = [
        check!(talk => 10010, "0302"),
        check!(GetStatusLight {} => 10030, ""; ON => "01"),
        check!(SetStatusLight { on: false } => 10032, "02"; Done::OK => "01"),
        check!(GetNightVision {} => 10040, ""; NightVisionState { mode: NightVision::Auto } => "03"),
        check!(SetNightVision { mode: NightVision::Off } => 10042, "02"; Done::OK => "01"),
        check!(GetIrLed {} => 10044, ""; IrLight { led: IrLed::Nm850 } => "01"),
        check!(SetIrLed { led: IrLed::Nm940 } => 10046, "02"; Done::OK => "01"),
        check!(GetVideoParams {} => 10050, ""; video => "f00005140101"),
        check!(flip => 10052, "000000000001"; Done::OK => "01"),
        check!(big => 10056, "05f0000000"; Done::OK => "01"),
        check!(TakePhoto {} => 10058, "01"; photo => "01"),
        check!(GetOsdTime {} => 10070, ""; ON => "01"),
        check!(SetOsdTime { on: true } => 10072, "01"),
        check!(GetOsdLogo {} => 10074, ""; ON => "01"),
        check!(SetOsdLogo { on: false } => 10076, "02"),
        check!(GetTime {} => 10090, ""; CameraTime { unix: 1_700_000_000 } => "00f15365"),
        check!(SetTime { unix: 1_700_000_000 } => 10092, "00f15365"),
        check!(StartBoa {} => 10148, "0001000000"),
        check!(GetMotionAlarm {} => 10200, ""; MotionAlarm { on: true, sensitivity: 128 } => "0180"),
        check!(SetEarlyMotionAlarm { on: true } => 10202, "0100"),
        check!(SetMotionAlarm { on: false } => 10206, "0200"),
        check!(FormatSdCard {} => 10242, ""),
        check!(GetMotionTagging {} => 10290, ""; ON => "01"),
        check!(SetMotionTagging { on: true } => 10292, "01"),
        check!(SetTimeZone { hours: -11 } => 10302, "f5"),
        check!(SetDeviceState { awake: true } => 10444, "01"),
        check!(GetConnectionState {} => 10446, ""; Json { json: b"{}" } => "7b7d"),
        check!(GetBatteryUsage {} => 10448, ""; Json { json: b"{}" } => "7b7d"),
        check!(SetRtsp { on: true } => 10600, "01"),
        check!(GetRtsp {} => 10604, ""; RtspParams { on: true, url: "rtsp://c/l" } => "01727473703a2f2f632f6c"),
        check!(CheckNight {} => 10620, ""),
        check!(GetNightSwitch {} => 10624, ""; NightSwitchState { condition: NightSwitch::Dusk } => "01"),
        check!(SetNightSwitch { condition: NightSwitch::Dark } => 10626, "02"),
        check!(SetSiren { siren: true, flash: true } => 10630, "0101"),
        check!(GetSiren {} => 10632, ""; SirenState { siren: false, flash: false } => "0202"),
        check!(GetSpotlight {} => 10640, ""; ON => "01"),
        check!(SetSpotlight { on: false } => 10646, "02"),
        check!(GetAccessories {} => 10720, ""; Json { json: b"{}" } => "7b7d"),
        check!(GetFloodlightInfo {} => 10788, ""),
        check!(GetWhiteLightInfo {} => 10820, ""),
        check!(RotateByDegree { horizontal: -90, vertical: 10, speed: 5 } => 11000, "a6ff0a0005"),
        check!(RotateByAction { pan: Pan::Left, tilt: Tilt::Down, speed: 9 } => 11002, "010209"),
        check!(ResetRotation::START => 11004, "03"),
        check!(GetPtzPosition { time: 1_700_000_000 } => 11006, "00f15365";
            PtzPosition { time: 1_700_000_000, vertical: 20, horizontal: 300 } => "00f15365142c01"),
        check!(GetCruisePoints {} => 11010, ""; points() => "02052c010a285e01ff"),
        check!(SetCruisePoints { points: points() } => 11012, "02052c010a00285e01ff00"),
        check!(GetPanScan {} => 11014, ""; ON => "01"),
        check!(SetPanScan { on: true } => 11016, "01"),
        check!(SetPtzPosition { time: 123, vertical: 20, horizontal: 300 } => 11018, "7b000000142c01"),
        check!(GetMotionTracking {} => 11020, ""; ON => "01"),
        check!(SetMotionTracking { on: false } => 11022, "02"),
        check!(SayQuickReply { reply: QuickReply::LeavePackage } => 11635, "03"),
        check!(SetFloodlight { on: true } => 12060, "01"),
    ];
    // 10020 borrows and stands in vectors.rs; the rest of the table is the authentication's.
    let known = COMMANDS.iter().map(|c| c.code.0);
    let wanted: Vec<u16> = known.filter(|&c| c >= 10010 && c != 10020).collect();
    assert_eq!(codes.to_vec(), wanted);
    let all: HashSet<u16> = codes.iter().flat_map(|&c| [c, Code(c).reply().0]).collect();
    assert_eq!(all.len(), 2 * codes.len(), "no two codes are the same");
    assert_eq!(SayQuickReply::CODE.reply(), Code(11636));
}

#[test]
fn only_two_commands_are_not_answered() {
    let silent = [
        RotateByDegree::AWAITS_REPLY,
        ResetRotation::AWAITS_REPLY,
        RotateByAction::AWAITS_REPLY,
        SetPtzPosition::AWAITS_REPLY,
    ];
    assert_eq!(silent, [false, false, true, true]);
}

#[test]
fn only_1_means_done() {
    let done = |result| Done::decode(&[result]).unwrap().is_ok();
    assert!(done(1));
    assert!(![0, 2, 255].into_iter().any(done));
}

#[test]
fn camera_parameters_are_written_as_they_were_read() {
    let json = br#"{"1":"120","5":"-3"}"#;
    let params = CameraParams::decode(json).unwrap();
    assert_eq!((params.get(1), params.get(5)), (Some(120), Some(-3)));
    assert_eq!(body(&params), json);
}

#[test]
fn a_step_turns_the_way_it_says() {
    let position = |state: &mut CameraState| {
        let reply = answer(state, &message(&GetPtzPosition { time: 1 })).unwrap();
        let reply = Message::parse(&reply).unwrap();
        let at = reply.reply_to::<GetPtzPosition>().unwrap();
        (i32::from(at.vertical), i32::from(at.horizontal))
    };
    let (pans, tilts) = ([Pan::Left, Pan::Right], [Tilt::Up, Tilt::Down]);
    for (pan, tilt, by) in [
        (pans[0], tilts[0], (3, -3)),
        (pans[1], tilts[0], (3, 3)),
        (pans[0], tilts[1], (-3, -3)),
        (pans[1], tilts[1], (-3, 3)),
    ] {
        let mut state = CameraState::new();
        answer(&mut state, &message(&ResetRotation::START));
        let before = position(&mut state);
        let speed = 3;
        answer(&mut state, &message(&RotateByAction { pan, tilt, speed })).unwrap();
        let after = position(&mut state);
        assert_eq!((after.0 - before.0, after.1 - before.1), by);
    }
}

#[test]
fn cruise_points_are_read_with_and_without_their_blank_byte() {
    let short = hex::decode("02052c010a285e01ff").unwrap();
    let long = hex::decode("02052c010a00285e01ff00").unwrap();
    for bytes in [&short, &long] {
        assert_eq!(CruisePoints::decode(bytes), Ok(points()));
        assert_eq!(SetCruisePoints::decode(bytes).unwrap().points, points());
    }
    assert_eq!(CruisePoints::decode(&[0]), Ok(CruisePoints::default()));
    assert!(CruisePoints::decode(&[17; 100]).is_err(), "too many");
    let all = CruisePoints::new(&[points().as_slice()[0]; MAX_CRUISE_POINTS]).unwrap();
    assert_eq!(CruisePoints::decode(&body(&all)), Ok(all), "as many as go");
    assert!(CruisePoints::new(&[points().as_slice()[0]; 17]).is_err());
}

#[test]
fn values_without_a_name_are_kept_or_refused() {
    assert_eq!(
        SetNightVision::decode(&[9]).unwrap().mode,
        NightVision::Unknown(9)
    );
    assert!(SetStatusLight::decode(&[3]).is_err());
    assert!(RtspParams::decode(b"\x01\xff").is_err());
    let url = "rtsp://user:secret@c/";
    let shown = format!("{:?}", RtspParams { on: true, url });
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn battery_usage_is_read_by_key() {
    let json = Json {
        json: br#"{"0":{"1":12},"2":"7"}"#,
    };
    assert_eq!((json.get("1"), json.get("2")), (Some("12"), Some("7")));
    assert_eq!(json.get("3"), None);
}

/// Values to try: all words, or both ends of the range.
fn values(values: settings::Values) -> Vec<i64> {
    match values {
        settings::Values::Words(words) => words.iter().map(|&(_, byte)| byte.into()).collect(),
        settings::Values::Range(min, max) => vec![max, min],
        _ => unreachable!(),
    }
}

fn sent(request: settings::SettingRequest) -> Vec<u8> {
    let mut memory = [0u8; MAX_MESSAGE];
    let mut w = Writer::new(&mut memory);
    request.write(&mut w);
    w.finish().unwrap().to_vec()
}

#[test]
fn what_was_set_is_what_is_read() {
    let models = ["HL_CAM4", "WYZEDB3"].map(|m| models::lookup(m).unwrap());
    for model in models {
        for setting in SETTINGS.iter().filter(|s| s.set.is_some()) {
            let mut state = CameraState::new();
            let setting = setting.on(Some(model));
            for value in values(setting.values) {
                let others: Vec<_> = SETTINGS.iter().map(|s| state.value(s.name)).collect();
                let request = setting.set_request(value, Some(model)).unwrap();
                let reply = answer(&mut state, &sent(request)).unwrap();
                assert!(settings::is_done(&Message::parse(&reply).unwrap()));
                assert_eq!(state.value(setting.name), Some(value), "{}", setting.name);
                if let Ok(request) = setting.get_request() {
                    let reply = answer(&mut state, &sent(request)).unwrap();
                    let read = setting.read_reply(&Message::parse(&reply).unwrap());
                    assert_eq!(read, Ok(value), "{}", setting.name);
                }
                if let Some(id) = setting.parameter {
                    let all = CheckCameraParams { ids: &[id, 1, id] };
                    let reply = answer(&mut state, &message(&all)).unwrap();
                    let read = setting.read_reply(&Message::parse(&reply).unwrap());
                    assert_eq!(read, Ok(value), "{}", setting.name);
                }
                for (other, before) in SETTINGS.iter().zip(others) {
                    // A size brings its bit rate along.
                    let with_it = (setting.name, other.name) == ("resolution", "bit-rate");
                    if other.name != setting.name && !with_it {
                        assert_eq!(state.value(other.name), before, "{}", other.name);
                    }
                }
            }
        }
    }
}

#[test]
fn a_resolution_is_read_back_with_its_bit_rate() {
    let mut state = CameraState::new();
    let request = SetResolvingBit {
        size: FrameSize::P1440,
        bitrate: 180,
        fps: 15,
    };
    answer(&mut state, &message(&request)).unwrap();
    let reply = answer(&mut state, &message(&GetVideoParams {})).unwrap();
    let read = Message::parse(&reply).unwrap().reply_to::<GetVideoParams>();
    let want = VideoParams {
        bitrate: 180,
        size: FrameSize::P1440,
        fps: 15,
        horizontal_flip: 2,
        vertical_flip: 2,
    };
    assert_eq!(read, Ok(want));
}

#[test]
fn a_camera_looks_where_it_was_turned() {
    let mut state = CameraState::new();
    let start = state.position();
    let look = |state: &mut CameraState| {
        let reply = answer(state, &message(&GetPtzPosition { time: 7 })).unwrap();
        let read = Message::parse(&reply).unwrap();
        let read = read.reply_to::<GetPtzPosition>().unwrap();
        assert_eq!(read.time, 7);
        (read.vertical, read.horizontal)
    };
    let to = SetPtzPosition {
        time: 1,
        vertical: 10,
        horizontal: 100,
    };
    answer(&mut state, &message(&to)).unwrap();
    assert_eq!(look(&mut state), (10, 100));
    let step = RotateByAction {
        pan: Pan::Right,
        tilt: Tilt::Up,
        speed: 3,
    };
    answer(&mut state, &message(&step)).unwrap();
    assert_eq!(look(&mut state), (13, 103));
    for (horizontal, vertical, end) in [(30, -3, (10, 133)), (i16::MIN, i16::MAX, (40, 0))] {
        let turn = RotateByDegree {
            horizontal,
            vertical,
            speed: 5,
        };
        assert_eq!(answer(&mut state, &message(&turn)), None);
        assert_eq!(look(&mut state), end);
    }
    assert_eq!(answer(&mut state, &message(&ResetRotation::START)), None);
    assert_eq!(look(&mut state), start);
}

#[test]
fn cruise_points_are_kept() {
    let mut state = CameraState::new();
    answer(&mut state, &message(&SetCruisePoints { points: points() })).unwrap();
    assert_eq!(state.cruise_points(), &points());
    let reply = answer(&mut state, &message(&GetCruisePoints {})).unwrap();
    let read = Message::parse(&reply).unwrap();
    assert_eq!(read.reply_to::<GetCruisePoints>(), Ok(points()));
}

/// The body of what a camera answers.
fn said(state: &mut CameraState, request: &impl Request) -> Vec<u8> {
    let reply = answer(state, &message(request)).unwrap();
    Message::parse(&reply).unwrap().payload.to_vec()
}

#[test]
fn replies_that_no_source_describes_are_as_their_owner_wants_them() {
    let mut state = CameraState::new();
    assert_eq!(said(&mut state, &GetAccessories {}), b"{}");
    let usage = said(&mut state, &GetBatteryUsage {});
    let usage = Json { json: &usage };
    assert!(
        ["0", "1", "2", "3", "4"]
            .iter()
            .all(|key| usage.get(key) == Some("0"))
    );
    let before = state.clone();
    let long = [b'x'; 65];
    assert!(!state.set_reply(Code::K10446, &long) && !state.set_reply(Code::K10030, b"\x01"));
    assert_eq!(state, before);
    assert!(state.set_reply(Code::K10446, &long[1..]) && state.set_reply(Code::K10820, b"\x07"));
    assert_eq!(said(&mut state, &GetConnectionState {}), long[1..]);
    assert_eq!(said(&mut state, &GetWhiteLightInfo {}), b"\x07");
    assert_eq!(said(&mut state, &GetFloodlightInfo {}), b"");
    assert!(!format!("{state:?}").contains("120, 120, 120"), "{state:?}");
}

#[test]
fn a_camera_tells_where_it_serves_rtsp() {
    let url = format!("rtsp://user:secret@192.0.2.2/{}", "x".repeat(35));
    let mut state = CameraState::new();
    assert_eq!(said(&mut state, &GetRtsp {}), b"\x02");
    assert!(!state.set_rtsp_url(&format!("{url}x")), "65 bytes");
    assert!(state.set_rtsp_url(&url) && state.set("rtsp", 1));
    let told = said(&mut state, &GetRtsp {});
    assert_eq!(
        RtspParams::decode(&told),
        Ok(RtspParams {
            on: true,
            url: &url
        })
    );
    assert!(!format!("{state:?}").contains("secret"), "{state:?}");
}

#[test]
fn unknown_commands_and_forbidden_values_change_nothing() {
    let mut state = CameraState::new();
    let before = state.clone();
    for (code, payload) in [
        (10042, &[9][..]),
        (10042, &[]),
        (10302, &[100]),
        (10052, &[180, 0, 1, 0, 1, 7]),
        (10052, &[180, 0, 1]),
        (10056, &[1, 180, 0, 0x2c, 1]),
        (11012, &[3, 1]),
        (10002, &[0; 22]),
        (10031, &[1]),
        (10010, &[1, 1]),
        (10060, &[]),
        (65535, &[]),
    ] {
        let request = Message {
            version: 5,
            code: Code(code),
            payload,
        };
        let mut memory = [0u8; 64];
        let mut w = Writer::new(&mut memory);
        assert_eq!(state.handle(&request, &mut w, VERSION), None, "{code}");
        assert!(w.is_empty());
        assert_eq!(state, before, "{code}");
    }
    assert!(!state.set("night-vision", 9) && !state.set("colour", 1));
}

proptest! {
    #[test]
    fn no_body_makes_a_camera_panic(code in 10010u16..12062, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut state = CameraState::new();
        let mut memory = [0u8; MAX_MESSAGE];
        let mut w = Writer::new(&mut memory);
        let request = Message { version: 5, code: Code(code), payload: &payload };
        let reply = state.handle(&request, &mut w, VERSION);
        prop_assert_eq!(reply.is_none(), w.is_empty());
        prop_assert!(w.finish().is_ok());
        let (vertical, horizontal) = state.position();
        prop_assert!(vertical <= 40 && horizontal <= 350);
    }

    #[test]
    fn no_body_makes_a_known_command_panic(which in 0..COMMANDS.len(), payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        let code = COMMANDS[which].code;
        let mut state = CameraState::new();
        let mut memory = [0u8; MAX_MESSAGE];
        for setting in SETTINGS {
            let reply = Message { version: VERSION, code: code.reply(), payload: &payload };
            let _ = setting.read_reply(&reply);
        }
        let request = Message { version: 5, code, payload: &payload };
        let _ = state.handle(&request, &mut Writer::new(&mut memory), VERSION);
        for (setting, value) in SETTINGS.iter().map(|s| (s, state.value(s.name).unwrap())) {
            prop_assert!(setting.values.allow(value), "{} is {value}", setting.name);
        }
    }
}

#[test]
fn debug_of_a_body_tells_its_length_only() {
    use wyze_kauth::command::{Json, Raw};
    let json = Json {
        json: br#"{"mac":"SECRET"}"#,
    };
    let text = format!("{json:?} {:?}", Raw(b"SECRET"));
    assert_eq!(text, "Json(16 bytes) Raw(6 bytes)");
}
