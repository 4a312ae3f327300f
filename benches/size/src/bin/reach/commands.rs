//! Every K-command: written as a request, read as one, its reply written and read; and the same by the names of settings.

use core::hint::black_box;

use tutk_core::wire::Writer;
use wyze_smoltcp::session::kauth::command::*;
use wyze_smoltcp::session::kauth::settings::{self, Action, PtzRequest, is_done};
use wyze_smoltcp::session::kauth::{
    self, CameraInfo, CameraState, Code, Message, lookup, supported,
};
use wyze_smoltcp::session::{Client, Cx};

use crate::hardware::{chance, read, register, show, text};

macro_rules! each {
    ($client:expr, $cx:expr, $message:expr; $($request:ty),* $(,)?) => {
        $(exchange::<$request>($client, $cx, $message);)*
    };
}

/// Sends each command with whatever fields a message has, and reads the message as the reply to each.
pub(crate) fn all(client: &mut Client<'_>, cx: &mut Cx<'_>) {
    let mut bytes = [0; 1024];
    let len = read(&mut bytes);
    let Ok(message) = Message::parse(bytes.get(..len).unwrap_or_default()) else {
        return;
    };
    each!(client, cx, &message;
        CheckCameraParams<'_>, CheckNight, ControlChannel, FormatSdCard, GetAccessories, GetBatteryUsage,
        GetConnectionState, GetCruisePoints, GetFloodlightInfo, GetIrLed, GetMotionAlarm, GetMotionTagging,
        GetMotionTracking, GetNightSwitch, GetNightVision, GetOsdLogo, GetOsdTime, GetPanScan, GetPtzPosition, GetRtsp,
        GetSiren, GetSpotlight, GetStatusLight, GetTime, GetVideoParams, GetWhiteLightInfo, ResetRotation,
        RotateByAction, RotateByDegree, SayQuickReply, SetCruisePoints, SetDeviceState, SetEarlyMotionAlarm,
        SetFloodlight, SetIrLed, SetMotionAlarm, SetMotionTagging, SetMotionTracking, SetNightSwitch, SetNightVision,
        SetOsdLogo, SetOsdTime, SetPanScan, SetPtzPosition, SetResolvingBit, SetRtsp, SetSiren, SetSpotlight,
        SetStatusLight, SetTime, SetTimeZone, SetVideoParams, StartBoa, TakePhoto,
    );
    let mut key = [0; 16];
    let key = text(&mut key);
    black_box(
        Json {
            json: message.payload,
        }
        .get(key),
    );
    if let Ok(params) = message.reply_to::<CheckCameraParams<'_>>() {
        black_box(params.get(register(0) as u8));
    }
    match CameraInfo::parse(message.payload) {
        Ok(info) => _ = black_box(info),
        Err(error) => show(&error),
    }
    by_name(client, cx, &message);
}

fn exchange<'p, R: Request + Decode<'p>>(
    client: &mut Client<'_>,
    cx: &mut Cx<'_>,
    message: &Message<'p>,
) {
    match message.request::<R>() {
        Ok(request) => {
            if let Err(error) = client.request(cx, &request) {
                show(&error);
            }
        }
        Err(error) => show(&error),
    }
    if let Ok(reply) = message.reply_to::<R>() {
        let mut bytes = [0; 1024];
        let mut out = Writer::new(&mut bytes);
        write_reply::<R>(message.version, &reply, &mut out);
        let _ = black_box(out.finish());
        black_box(&reply);
    }
}

/// Settings, and the words that turn a camera.
fn by_name(client: &mut Client<'_>, cx: &mut Cx<'_>, message: &Message<'_>) {
    let (mut name, mut word, mut model) = ([0; 20], [0; 20], [0; 20]);
    let (name, word, model) = (text(&mut name), text(&mut word), lookup(text(&mut model)));
    if let Some(setting) = settings::lookup(name).map(|s| s.on(model)) {
        show(&setting.values);
        let wanted = match (chance(), setting.parse(word)) {
            (true, _) => setting.get_request(),
            (false, Ok(value)) => setting.set_request(value, model),
            (false, Err(error)) => Err(error),
        };
        match wanted {
            Ok(request) => _ = black_box(client.request_with(cx, true, |w| request.write(w))),
            Err(error) => show(&error),
        }
        if let Ok(value) = setting.read_reply(message) {
            show(&setting.show(value));
        }
        black_box(is_done(message));
    }
    for reading in settings::READINGS {
        let _ = black_box(client.request_with(cx, true, |w| reading.request().write(w)));
        if let Ok(bytes) = reading.read_reply(message) {
            black_box(bytes);
        }
    }
    match Action::parse(name, chance().then_some(word)) {
        Ok((_, request)) => _ = black_box(client.request_with(cx, true, |w| request.write(w))),
        Err(error) => show(&error),
    }
    match PtzRequest::parse(
        name,
        &[word, word, word][..register(1) as usize & 3],
        u64::from(register(2)),
    ) {
        Ok(turn) => _ = black_box(client.request_with(cx, turn.awaits_reply(), |w| turn.write(w))),
        Err(error) => show(&error),
    }
    black_box(supported(
        Code(register(0) as u16),
        client.protocol(),
        model,
    ));
    black_box(kauth::support::command(Code(register(0) as u16)));
}

/// What a virtual camera remembers.
pub(crate) fn remember(state: &mut CameraState) {
    let mut name = [0; 20];
    let name = text(&mut name);
    black_box(state.set(name, i64::from(register(0))));
    black_box((state.value(name), state.position()));
    black_box(state.cruise_points().as_slice());
    black_box(state.set_rtsp_url(name));
    black_box(state.set_reply(Code(register(0) as u16), name.as_bytes()));
}
