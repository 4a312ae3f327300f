//! Every command of the table, typed, from a client to a virtual camera and its reply back, over all that carries a session.

use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::World;
use wyze_session::kauth::command::*;
use wyze_session::kauth::support::COMMANDS;
use wyze_session::kauth::{Code, Decode, Message, OpenUserId, Request, hl};
use wyze_session::{CameraConfig, ClientConfig, Cx, Framings, Generation, ResponseCommand, Stream};

use crate::commands::StateNode;
use crate::common::{ClientNode, DEVICE, Room, addr, enr, mac, uid};
use crate::plain::Tap;

/// What carries a session.
const CARRIERS: [(Framings, Generation); 4] = [
    (Framings::TRANSCODE, Generation::Dtls),
    (Framings::CC51, Generation::Dtls),
    (Framings::TRANSCODE, Generation::Session25),
    (Framings::TRANSCODE, Generation::Session16),
];
const LOGINS: [(ResponseCommand, Code); 3] = [
    (ResponseCommand::K10002, Code::K10002),
    (ResponseCommand::K10006, Code::K10006),
    (ResponseCommand::K10008, Code::K10008),
];
const USER: &str = "0a1b2c3d-open-user";
/// "1", where no source tells what a camera says.
const ONE: Raw<'static> = Raw(b"\x01");
/// Whatever was before, two of these change it.
const SWITCHES: [bool; 3] = [true, false, true];

/// A client that a camera has let in.
struct Wire<'a, 'm> {
    world: World,
    client: &'a mut ClientNode<'m>,
    camera: &'a mut StateNode<'m>,
    /// What the client sent.
    sent: Vec<Vec<u8>>,
    /// The requests that arrived and came to what they should.
    done: Vec<Code>,
}

fn with_wire(
    (framings, generation): (Framings, Generation),
    command: ResponseCommand,
    then: impl FnOnce(&mut Wire<'_, '_>),
) {
    let mut world = World::new(11, Net::new(11, Faults::NONE));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let user = OpenUserId::new(USER).unwrap();
    let (mut room1, mut room2) = (Room::new(1 << 16, 1 << 13), Room::new(0, 0));
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig {
        command,
        open_user_id: Some(&user),
        // This camera has no media.
        stall: None,
        ..ClientConfig::new(uid(), &enr, &mac, &targets)
    };
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        framings,
        generation,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let mut camera = StateNode::new(&config, &mut room2, cx);
    let mut wire = Wire {
        world,
        client: &mut client,
        camera: &mut camera,
        sent: Vec::new(),
        done: Vec::new(),
    };
    wire.run_until(|wire| wire.client.authenticated);
    assert!(wire.camera.camera.is_authenticated());
    let told = [config.info.model, config.info.firmware].map(|t| Some(t.to_owned()));
    assert_eq!(wire.client.camera, told);
    let plain = Some(generation).filter(|g| *g != Generation::Dtls);
    assert_eq!(wire.client.client.plain(), plain);
    then(&mut wire);
}

impl Wire<'_, '_> {
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.world.now + Duration::from_secs(6);
        while !done(self) {
            assert!(self.world.now < end, "not within six seconds");
            let client = &mut Tap(&mut *self.client, &mut self.sent);
            assert!(self.world.step(&mut [client, &mut *self.camera]));
        }
    }

    /// Sends a request; the body that arrived, and the body of the reply.
    fn exchange<R: Request>(&mut self, request: &R) -> (Vec<u8>, Vec<u8>) {
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.client.client.request(cx, request).unwrap();
        self.run_until(|wire| match R::AWAITS_REPLY {
            true => !wire.client.replies.is_empty(),
            false => !wire.camera.commands.is_empty(),
        });
        self.done.push(R::CODE);
        // K10010 is the session's own affair.
        let arrived = self.camera.commands.pop().unwrap_or_default();
        assert!(self.camera.commands.is_empty(), "{} went out once", R::CODE);
        let (code, reply) = self.client.replies.pop().unwrap_or_default();
        if R::AWAITS_REPLY {
            assert_eq!(Code(code), R::CODE.reply());
        }
        (arrived.1, reply)
    }

    /// The K-commands that went out unencrypted: code and body.
    fn in_the_clear(&self) -> Vec<(Code, Vec<u8>)> {
        const BEGIN: [u8; 4] = [b'H', b'L', hl::CLIENT_VERSION, 0];
        let messages = self.sent.iter().filter_map(|datagram| {
            let mut bytes = datagram.clone();
            tutk_transcode::decode(&mut bytes);
            let at = bytes.windows(4).position(|w| w == BEGIN)?;
            let message = Message::parse(&bytes[at..]).unwrap();
            Some((message.code, message.payload.to_vec()))
        });
        messages.collect()
    }
}

/// Reads `body` as the reply to `_request`.
fn reply_to<'p, R: Request>(_request: &R, body: &'p [u8]) -> R::Reply<'p> {
    R::Reply::decode(body).unwrap()
}

/// Reads `body` as a request of the type of `_request`.
fn request_as<'p, R: Request + Decode<'p>>(_request: &R, body: &'p [u8]) -> R {
    R::decode(body).unwrap()
}

/// Sends a request: what arrives is the request, and what comes back is the reply.
macro_rules! row {
    ($wire:expr, $request:expr => $reply:expr) => {{
        let request = $request;
        let (arrived, answer) = $wire.exchange(&request);
        assert_eq!(request_as(&request, &arrived), request);
        assert_eq!(reply_to(&request, &answer), $reply, "{request:?}");
    }};
    ($wire:expr, $request:expr => no reply) => {{
        let request = $request;
        let (arrived, answer) = $wire.exchange(&request);
        assert_eq!(request_as(&request, &arrived), request);
        assert_eq!(answer, b"", "{request:?}");
    }};
}

/// Sets a switch to and fro, and reads it each time.
macro_rules! switch {
    ($wire:expr, $get:ident, $set:ident => $set_reply:expr) => {
        for on in SWITCHES {
            row!($wire, $set { on } => $set_reply);
            row!($wire, $get {} => Switch { on });
        }
    };
}

fn media(wire: &mut Wire<'_, '_>) {
    for (media, stream) in [(Media::Video, Stream::Video), (Media::Audio, Stream::Audio)] {
        for on in [false, true] {
            let (_, reply) = wire.exchange(&ControlChannel { media, on });
            assert_eq!(reply_to(&ControlChannel { media, on }, &reply), ONE);
            assert_eq!(wire.camera.camera.wants(stream), on);
        }
    }
}

fn parameters(wire: &mut Wire<'_, '_>) {
    for (hours, light, json) in [
        (-11, 1, &br#"{"1":1,"22":-11}"#[..]),
        (13, 2, br#"{"1":2,"22":13}"#),
    ] {
        assert!(wire.camera.state.set("status-light", light));
        row!(wire, SetTimeZone { hours } => ONE);
        row!(wire, CheckCameraParams { ids: &[22, 1] } => CameraParams { json });
    }
}

fn lights(wire: &mut Wire<'_, '_>) {
    switch!(wire, GetStatusLight, SetStatusLight => Done::OK);
    switch!(wire, GetSpotlight, SetSpotlight => ONE);
    for mode in [NightVision::On, NightVision::Off, NightVision::Auto] {
        row!(wire, SetNightVision { mode } => Done::OK);
        row!(wire, GetNightVision {} => NightVisionState { mode });
    }
    for led in [IrLed::Nm850, IrLed::Nm940] {
        row!(wire, SetIrLed { led } => Done::OK);
        row!(wire, GetIrLed {} => IrLight { led });
    }
    for condition in [NightSwitch::Dusk, NightSwitch::Dark] {
        row!(wire, SetNightSwitch { condition } => ONE);
        row!(wire, GetNightSwitch {} => NightSwitchState { condition });
    }
    for siren in SWITCHES {
        row!(wire, SetSiren { siren, flash: siren } => ONE);
        row!(wire, GetSiren {} => SirenState { siren, flash: siren });
    }
    for (on, value) in [(true, 1), (false, 2)] {
        row!(wire, SetFloodlight { on } => ONE);
        assert_eq!(wire.camera.state.value("floodlight"), Some(value));
    }
}

fn picture(wire: &mut Wire<'_, '_>) {
    let mut want = VideoParams {
        bitrate: 180,
        size: FrameSize::P1440,
        fps: 20,
        horizontal_flip: 2,
        vertical_flip: 2,
    };
    row!(wire, SetVideoParams::resolution(FrameSize::P1440, 180) => Done::OK);
    row!(wire, GetVideoParams {} => want);
    let turned = SetVideoParams {
        fps: 15,
        vertical_flip: 1,
        ..SetVideoParams::resolution(FrameSize::UNCHANGED, 0)
    };
    (want.fps, want.vertical_flip) = (15, 1);
    row!(wire, turned => Done::OK);
    row!(wire, GetVideoParams {} => want);
    let (size, bitrate) = (FrameSize::P360, 30);
    (want.size, want.bitrate, want.fps) = (size, bitrate, 10);
    row!(wire, SetResolvingBit { size, bitrate, fps: 10 } => Done::OK);
    row!(wire, GetVideoParams {} => want);
    switch!(wire, GetOsdTime, SetOsdTime => ONE);
    switch!(wire, GetOsdLogo, SetOsdLogo => ONE);
}

fn motion(wire: &mut Wire<'_, '_>) {
    for (on, sensitivity) in [(true, 1), (false, 255), (true, 7)] {
        assert!(
            wire.camera
                .state
                .set("motion-sensitivity", sensitivity.into())
        );
        row!(wire, SetMotionAlarm { on } => ONE);
        row!(wire, GetMotionAlarm {} => MotionAlarm { on, sensitivity });
        row!(wire, SetEarlyMotionAlarm { on: !on } => ONE);
        row!(wire, GetMotionAlarm {} => MotionAlarm { on: !on, sensitivity });
    }
    switch!(wire, GetMotionTagging, SetMotionTagging => ONE);
    switch!(wire, GetMotionTracking, SetMotionTracking => ONE);
}

fn system(wire: &mut Wire<'_, '_>) {
    for unix in [1_700_000_000, u32::MAX] {
        row!(wire, SetTime { unix } => ONE);
        row!(wire, GetTime {} => CameraTime { unix });
    }
    row!(wire, TakePhoto {} => ONE);
    row!(wire, StartBoa {} => ONE);
    row!(wire, FormatSdCard {} => ONE);
    for (awake, value) in [(false, 2), (true, 1)] {
        row!(wire, SetDeviceState { awake } => ONE);
        assert_eq!(wire.camera.state.value("awake"), Some(value));
    }
    for url in ["", "rtsp://192.0.2.2/live", "rtsp://user:word@192.0.2.2/"] {
        assert!(wire.camera.state.set_rtsp_url(url));
        for on in SWITCHES {
            row!(wire, SetRtsp { on } => ONE);
            row!(wire, GetRtsp {} => RtspParams { on, url });
        }
    }
    for reply in [
        QuickReply::CanIHelpYou,
        QuickReply::BeThereShortly,
        QuickReply::LeavePackage,
    ] {
        row!(wire, SayQuickReply { reply } => ONE);
    }
}

/// Commands of whose replies no source tells what is in them.
fn open(wire: &mut Wire<'_, '_>) {
    for json in [&br#"{"1":12,"4":3}"#[..], br#"{"1":13,"4":0}"#] {
        for code in [Code::K10446, Code::K10448, Code::K10720] {
            assert!(wire.camera.state.set_reply(code, json));
        }
        row!(wire, GetConnectionState {} => Json { json });
        row!(wire, GetBatteryUsage {} => Json { json });
        row!(wire, GetAccessories {} => Json { json });
    }
    for body in [1, 2] {
        for (code, kind) in [(Code::K10620, 3), (Code::K10788, 4), (Code::K10820, 5)] {
            assert!(wire.camera.state.set_reply(code, &[kind, body]));
        }
        row!(wire, CheckNight {} => Raw(&[3, body]));
        row!(wire, GetFloodlightInfo {} => Raw(&[4, body]));
        row!(wire, GetWhiteLightInfo {} => Raw(&[5, body]));
    }
}

fn ptz(wire: &mut Wire<'_, '_>) {
    let time = 1_700_000_000;
    let at = |vertical, horizontal| PtzPosition {
        time,
        vertical,
        horizontal,
    };
    let to = SetPtzPosition {
        time: 999_999_999,
        vertical: 10,
        horizontal: 300,
    };
    row!(wire, to => ONE);
    row!(wire, GetPtzPosition { time } => at(10, 300));
    let step = RotateByAction {
        pan: Pan::Left,
        tilt: Tilt::Up,
        speed: 9,
    };
    row!(wire, step => ONE);
    row!(wire, GetPtzPosition { time } => at(19, 291));
    let turn = RotateByDegree {
        horizontal: -90,
        vertical: 10,
        speed: 5,
    };
    row!(wire, turn => no reply);
    row!(wire, GetPtzPosition { time } => at(29, 201));
    row!(wire, ResetRotation::START => no reply);
    row!(wire, GetPtzPosition { time } => at(20, 175));
    let point = |vertical, horizontal, seconds| CruisePoint {
        vertical,
        horizontal,
        seconds,
    };
    for points in [
        &[point(5, 300, 10), point(40, 350, 255)][..],
        &[point(7, 257, 11); MAX_CRUISE_POINTS],
        &[],
    ] {
        let points = CruisePoints::new(points).unwrap();
        row!(wire, SetCruisePoints { points: points.clone() } => ONE);
        row!(wire, GetCruisePoints {} => points);
    }
    switch!(wire, GetPanScan, SetPanScan => ONE);
}

#[test]
fn every_command_arrives_and_its_reply_comes_back() {
    for carrier in CARRIERS {
        let mut done = Vec::new();
        for (command, code) in LOGINS {
            with_wire(carrier, command, |_| done.extend([Code::K10000, code]));
        }
        with_wire(carrier, ResponseCommand::K10002, |wire| {
            for part in [
                media, parameters, lights, picture, motion, system, open, ptz,
            ] {
                part(wire);
            }
            assert_eq!((wire.client.messages, wire.client.unanswered), (0, 0));
            done.append(&mut wire.done);
        });
        done.sort();
        done.dedup();
        let all: Vec<Code> = COMMANDS.iter().map(|c| c.code).collect();
        assert_eq!(done, all, "{carrier:?}");
    }
}

#[test]
fn the_login_goes_by_the_command_that_it_is_told_to() {
    for carrier in &CARRIERS[2..] {
        for (command, code) in LOGINS {
            with_wire(*carrier, command, |wire| {
                let mut said = wire.in_the_clear();
                said.dedup();
                let [(hello, _), (login, body)] = &said[..] else {
                    panic!("{said:?}");
                };
                assert_eq!((*hello, *login), (Code::K10000, code));
                let user = match command {
                    ResponseCommand::K10002 => Vec::new(),
                    _ => [&[USER.len() as u8][..], USER.as_bytes()].concat(),
                };
                assert_eq!(body[22..], user);
            });
        }
    }
}
