//! Outdoor cameras behind a base station: whose credentials make the keys, and whose ENR the challenge takes
//! (`docs/protocol.md` §3.1, §5).

use std::time::Duration;

use crate::common::*;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::World;
use wyze_session::kauth::AuthError;
use wyze_session::{
    AudioFormat, CameraConfig, Cause, ClientConfig, Codec, Cx, Framings, Instant, Status, TalkFrame,
};

const OWN: &str = "sim-enr-16byte!!";
const BASE: &str = "base-enr-16byte!";
const FRAMES: usize = 20;

/// What one side knows of the base station: its ENR, and whether it lends its keys.
type Parent = Option<(&'static str, bool)>;

#[derive(Default)]
struct Outcome {
    /// Video frames that came as they were sent.
    video: usize,
    /// What the camera heard of a talk.
    heard: Vec<Vec<u8>>,
    closed: Option<Cause>,
}

/// Watches a camera behind a base station, says a word to it, closes.
fn watch(framings: Framings, status: Status, camera: Parent, app: Parent) -> Outcome {
    let mut world = World::new(1, Net::new(1, Faults::NONE));
    let (own, own_mac, base_mac, targets) =
        (enr(OWN), mac(), mac_of("00AA11BB22DD"), [addr(DEVICE)]);
    let (at_camera, at_app) = [camera, app].map(|p| p.map(|(text, _)| enr(text))).into();
    let lent = |parent: Parent| parent.is_none_or(|(_, lent)| lent);
    let (mut room1, mut room2) = (Room::new(256 << 10, 16 << 10), Room::new(0, 16 << 10));
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig {
        parent: at_app.as_ref().map(|enr| (enr, &base_mac)),
        parent_dtls: lent(app),
        // The picture ends before the talk does.
        stall: None,
        ..ClientConfig::new(uid(), &own, &own_mac, &targets)
    };
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        framings,
        status,
        parent: at_camera.as_ref().map(|enr| (enr, &base_mac)),
        parent_dtls: lent(camera),
        ..CameraConfig::new(uid(), &own, &own_mac)
    };
    let show = Show::new(FRAMES, 20, 20_000, 900);
    let mut camera = CameraNode::new(&config, &mut room2, show, cx);
    let end = Instant::ZERO + Duration::from_secs(30);
    let mut said = false;
    while world.now < end && client.closed.is_none() && camera.heard.frames.is_empty() {
        world.step(&mut [&mut client, &mut camera]);
        let cx = &mut Cx::new(world.now, &mut world.rng);
        if camera.finished() && client.talks == 0 {
            // Refused while one is being opened.
            let _ = client.client.start_talk(cx);
        }
        if client.talks > 0 && !std::mem::replace(&mut said, true) {
            say(&mut client, &mut world);
        }
    }
    if client.closed.is_none() {
        client.client.close();
        world.run_until(
            world.now + Duration::from_secs(1),
            &mut [&mut client, &mut camera],
        );
    }
    let intact = client.video.iter().zip(&camera.sent_video);
    Outcome {
        video: intact.filter(|(got, sent)| got == sent).count(),
        heard: camera.heard.frames.into_iter().map(|(_, b)| b).collect(),
        closed: client.told.closed,
    }
}

fn say(client: &mut ClientNode<'_>, world: &mut World) {
    let frame = TalkFrame {
        codec: Codec::Pcmu,
        format: AudioFormat {
            sample_rate: 8000,
            bits: 16,
            channels: 1,
        },
        micros: 0,
        data: b"a word",
    };
    let (now, from, mut buf) = (world.now, client.addr, [0; 1500]);
    let cx = &mut Cx::new(now, &mut world.rng);
    let t = client.client.send_audio(cx, &frame, &mut buf).unwrap();
    world.net.send(now, from, t.to, t.datagram);
}

#[test]
fn an_outdoor_camera_is_watched_and_talked_to_with_its_base_stations_credentials() {
    for framings in [Framings::TRANSCODE, Framings::CC51] {
        for status in [Status::Enr16, Status::Enr32] {
            for lent in [true, false] {
                let base = Some((BASE, lent));
                let o = watch(framings, status, base, base);
                let case = format!("{framings:?} {status:?} {lent}");
                assert_eq!((o.video, o.closed), (FRAMES, Some(Cause::Local)), "{case}");
                assert_eq!(o.heard, [b"a word"], "{case}");
            }
        }
    }
}

#[test]
fn without_what_the_base_station_lends_an_outdoor_camera_cannot_be_entered() {
    let framings = Framings::TRANSCODE;
    for status in [Status::Enr16, Status::Enr32] {
        // The keys are the base station's: its ENR must be known, be the right one, and be believed to make them.
        let lent = Some((BASE, true));
        for app in [None, Some(("other-enr-16byte", true)), Some((BASE, false))] {
            let o = watch(framings, status, lent, app);
            assert_eq!(o.closed, Some(Cause::WrongKey), "{status:?} {app:?}");
        }
        assert_eq!(
            watch(Framings::CC51, status, lent, None).closed,
            Some(Cause::NoAnswer)
        );
        // The keys are the camera's own, and it knows better than to take others.
        let o = watch(framings, status, Some((BASE, false)), lent);
        assert_eq!(o.closed, Some(Cause::WrongKey), "{status:?}");
    }
    // The second half of a challenge of status 6 is for the base station's ENR, whoever makes the keys.
    let kept = Some((BASE, false));
    let o = watch(framings, Status::Enr32, kept, None);
    assert_eq!(o.closed, Some(Cause::Auth(AuthError::EnrTooShort)));
    let o = watch(
        framings,
        Status::Enr32,
        kept,
        Some(("other-enr-16byte", false)),
    );
    assert_eq!(o.closed, Some(Cause::Auth(AuthError::EnrRejected)));
}
