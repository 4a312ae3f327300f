//! Client against Camera over a seeded network that loses, reorders and duplicates.

use std::time::Duration;

use crate::common::*;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::World;
use wyze_session::{
    AssemblerStats, CameraConfig, Cause, ClientConfig, Cx, Framings, Instant, Phase, Status,
    Stream, Suites, kauth,
};

struct Outcome {
    phases: Vec<Phase>,
    authenticated: bool,
    video: Vec<Seen>,
    audio: Vec<Seen>,
    sent_video: Vec<Seen>,
    sent_audio: Vec<Seen>,
    client_closed: Option<Cause>,
    camera_closed: Option<Cause>,
    /// Media packets that the client received, and what became of them, video first.
    rx_media: u32,
    frames: [AssemblerStats; 2],
    /// Of client and camera.
    kauth: [kauth::Stats; 2],
}

#[derive(Clone, Copy)]
struct Setup {
    faults: Faults,
    /// Faults once the camera has let us in, if others.
    later: Option<Faults>,
    framings: Framings,
    suites: Suites,
    status: Status,
    enr: &'static str,
    client_enr: &'static str,
    accept: bool,
    resend: bool,
    frames: usize,
}

const ENR32: &str = "0123456789abcdef0123456789abcdef";

impl Default for Setup {
    fn default() -> Self {
        Self {
            faults: Faults::NONE,
            later: None,
            framings: Framings::TRANSCODE,
            suites: Suites::ALL,
            status: Status::Enr16,
            enr: "sim-enr-16byte!!",
            client_enr: "sim-enr-16byte!!",
            accept: true,
            resend: false,
            frames: 40,
        }
    }
}

/// Connects, watches the whole show, closes; virtual time.
fn watch(seed: u64, setup: Setup) -> Outcome {
    let mut world = World::new(seed, Net::new(seed, setup.faults));
    let (camera_enr, client_enr, mac) = (enr(setup.enr), enr(setup.client_enr), mac());
    let targets = [addr(DEVICE)];
    let (mut room1, mut room2) = (Room::new(256 << 10, 16 << 10), Room::new(0, 0));
    let client_config = ClientConfig {
        resend: setup.resend,
        ..ClientConfig::new(uid(), &client_enr, &mac, &targets)
    };
    let camera_config = CameraConfig {
        framings: setup.framings,
        suites: setup.suites,
        status: setup.status,
        accept: setup.accept,
        ..CameraConfig::new(uid(), &camera_enr, &mac)
    };
    let mut client = ClientNode::new(
        &client_config,
        &mut room1,
        &mut Cx::new(world.now, &mut world.rng),
    );
    let mut camera = CameraNode::new(
        &camera_config,
        &mut room2,
        Show::new(setup.frames, 20, 20_000, 900),
        &mut Cx::new(world.now, &mut world.rng),
    );
    let end = Instant::ZERO + Duration::from_secs(60);
    while world.now < end
        && !(camera.finished() && client.authenticated)
        && client.closed.is_none()
        && world.step(&mut [&mut client, &mut camera])
    {
        if client.authenticated {
            world.net.set_faults(setup.later.unwrap_or(setup.faults));
        }
    }
    // Everything in flight arrives and everything that waits is given up.
    let settle = world.now + Duration::from_secs(1);
    world.run_until(settle, &mut [&mut client, &mut camera]);
    client.client.close();
    let settle = world.now + Duration::from_secs(12);
    world.run_until(settle, &mut [&mut client, &mut camera]);
    let stats = client.client.stats();
    let frames = [Stream::Video, Stream::Audio].map(|s| client.client.frame_stats(s).unwrap());
    Outcome {
        rx_media: stats.av.rx_media,
        frames,
        kauth: [stats.kauth, camera.camera.stats().kauth],
        phases: client.told.phases,
        authenticated: client.told.authenticated,
        video: client.told.video,
        audio: client.told.audio,
        sent_video: camera.sent_video,
        sent_audio: camera.sent_audio,
        client_closed: client.told.closed,
        camera_closed: camera.closed,
    }
}

/// The same over a network with these `faults`: whether the camera let the client in.
#[cfg(all(feature = "log", feature = "keylog"))]
pub(crate) fn is_let_in(seed: u64, faults: Faults) -> bool {
    let setup = Setup {
        faults,
        ..Setup::default()
    };
    watch(seed, setup).authenticated
}

/// Every delivered frame was sent, in order, once, unchanged.
fn assert_honest(seed: u64, delivered: &[Seen], sent: &[Seen]) {
    let mut sent = sent.iter();
    for frame in delivered {
        assert!(
            sent.any(|s| s == frame),
            "seed {seed}: frame {} is corrupt, repeated or out of order",
            frame.number
        );
    }
}

#[test]
fn a_perfect_network_delivers_every_frame_in_every_combination() {
    for framings in [Framings::TRANSCODE, Framings::CC51] {
        for suites in [Suites::ALL, Suites::CHACHA, Suites::CBC] {
            for (status, enr) in [
                (Status::Default, "sim-enr-16byte!!"),
                (Status::Enr16, "sim-enr-16byte!!"),
                (Status::Enr32, ENR32),
                (Status::Enr16, "EnrNul0000001156"), // a zero byte in its SHA-256
            ] {
                let o = watch(
                    1,
                    Setup {
                        framings,
                        suites,
                        status,
                        enr,
                        client_enr: enr,
                        ..Setup::default()
                    },
                );
                assert!(o.authenticated);
                assert_eq!(o.video, o.sent_video);
                assert_eq!(o.audio, o.sent_audio);
                assert_eq!(o.video.len(), 40);
                assert_eq!(o.audio.len(), 50);
                assert_eq!(o.client_closed, Some(Cause::Local));
                assert_eq!(o.camera_closed, Some(Cause::Peer));
                assert_eq!(o.phases.len(), 4, "{:?}", o.phases);
                let [video, audio] = o.frames;
                assert_eq!((video.frames, audio.frames), (40, 50));
                assert_eq!(video.packets + audio.packets, o.rx_media);
                assert_eq!((video.duplicates, video.dropped), (0, 0));
                assert_eq!(o.kauth, [kauth::Stats::default(); 2]);
            }
        }
    }
}

#[test]
fn reordering_and_duplication_alone_lose_nothing_at_all() {
    for seed in 0..1000 {
        let faults = Faults {
            reorder: 10,
            duplicate: 5,
            hold: Duration::from_millis(60),
            ..Faults::NONE
        };
        let o = watch(
            seed,
            Setup {
                faults,
                ..Setup::default()
            },
        );
        assert_eq!(o.video, o.sent_video, "seed {seed}");
        assert_eq!(o.audio, o.sent_audio, "seed {seed}");
        assert_eq!(o.video.len(), 40, "seed {seed}");
    }
}

#[test]
fn a_bad_network_connects_every_time_and_delivers_only_what_was_sent() {
    let mut delivered = 0;
    for seed in 0..1000 {
        let framings = if seed % 2 == 0 {
            Framings::TRANSCODE
        } else {
            Framings::CC51
        };
        let o = watch(
            seed,
            Setup {
                faults: Faults::BAD_WIFI,
                framings,
                ..Setup::default()
            },
        );
        assert!(o.authenticated, "seed {seed}: {:?}", o.client_closed);
        assert_honest(seed, &o.video, &o.sent_video);
        assert_honest(seed, &o.audio, &o.sent_audio);
        assert_eq!(o.client_closed, Some(Cause::Local), "seed {seed}");
        delivered += o.video.len();
    }
    assert!(
        delivered > 1000,
        "{delivered} of 40 000 frames: nothing gets through"
    );
}

#[test]
fn lossless_mode_delivers_every_frame_of_a_network_that_loses_and_reorders() {
    for seed in 0..200 {
        let later = Faults {
            loss: 2,
            reorder: 20,
            duplicate: 5,
            latency: Duration::from_millis(20),
            ..Faults::NONE
        };
        let o = watch(
            seed,
            Setup {
                later: Some(later),
                resend: true,
                framings: if seed % 2 == 0 {
                    Framings::TRANSCODE
                } else {
                    Framings::CC51
                },
                ..Setup::default()
            },
        );
        assert_honest(seed, &o.video, &o.sent_video);
        assert_honest(seed, &o.audio, &o.sent_audio);
        // What is lost behind the last packet of the show has nothing behind it that tells.
        assert!(
            o.video.len() + 1 >= o.sent_video.len(),
            "seed {seed}: {}",
            o.video.len()
        );
        assert!(
            o.audio.len() + 1 >= o.sent_audio.len(),
            "seed {seed}: {}",
            o.audio.len()
        );
    }
}

#[test]
fn a_corrupting_network_never_delivers_a_corrupt_frame() {
    for seed in 0..100 {
        // A bit flipped in the plaintext part of a handshake fails it, as it must; UDP's checksum prevents that.
        let later = Faults {
            corrupt: 10,
            ..Faults::NONE
        };
        let o = watch(
            seed,
            Setup {
                later: Some(later),
                ..Setup::default()
            },
        );
        assert!(o.authenticated, "seed {seed}: {:?}", o.client_closed);
        assert_honest(seed, &o.video, &o.sent_video);
        assert_honest(seed, &o.audio, &o.sent_audio);
    }
}

#[test]
fn a_wrong_enr_ends_with_the_wrong_key_on_transcode() {
    for suites in [Suites::CHACHA, Suites::CBC] {
        let o = watch(
            1,
            Setup {
                client_enr: "another-enr-16b!",
                suites,
                ..Setup::default()
            },
        );
        assert_eq!(o.client_closed, Some(Cause::WrongKey));
        assert!(!o.authenticated);
    }
}

#[test]
fn a_wrong_enr_is_silence_on_cc51() {
    let o = watch(
        1,
        Setup {
            client_enr: "another-enr-16b!",
            framings: Framings::CC51,
            ..Setup::default()
        },
    );
    assert_eq!(o.client_closed, Some(Cause::NoAnswer));
}

#[test]
fn taken_slots_are_a_refusal() {
    let o = watch(
        1,
        Setup {
            accept: false,
            ..Setup::default()
        },
    );
    assert_eq!(o.client_closed, Some(Cause::Refused));
}

#[test]
fn a_camera_that_is_updating_off_or_checking_says_so() {
    use wyze_session::kauth::AuthError;
    for (status, error) in [
        (Status::Updating, AuthError::CameraUpdating),
        (Status::CheckingEnr, AuthError::CheckingEnr),
        (Status::Off, AuthError::CameraOff),
    ] {
        let o = watch(
            1,
            Setup {
                status,
                ..Setup::default()
            },
        );
        assert_eq!(o.client_closed, Some(Cause::Auth(error)));
    }
}
