//! Staying connected: media that stall, silence, reboots, slots, keys. Days of it are in `day.rs`.

use std::time::Duration;

use tutk_testkit::net::Faults;
use tutk_testkit::pump::Node;
use wyze_session::kauth::AuthError;
use wyze_session::kauth::command::{FrameSize, Media};
use wyze_session::kauth::models::Quality;
use wyze_session::{
    Camera, CameraConfig, Cause, ClientConfig, Cx, Generation, StallConfig, Stream,
};

use crate::common::{DEVICE, Room, addr, enr, mac, uid};
use crate::film::{Mute, Rooms, SECOND};
use crate::over::Over;
use crate::viewer::Viewer;

#[test]
fn media_that_stop_are_asked_for_once_more_with_their_quality_and_come() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 2, SECOND, |config| config.audio = true);
        stage.run_until_let_in(1);
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        let client = &mut stage.viewer.client;
        client.set_quality(cx, Quality::Sd, None).unwrap();
        stage.run(20 * SECOND);
        assert_eq!(stage.film.commands, [10056]);
        stage.film.mute = Mute::UntilAsked;
        stage.run(60 * SECOND);
        let [(Stream::Video, silence)] = stage.viewer.told.stalls[..] else {
            panic!("{:?}", stage.viewer.told.stalls);
        };
        assert_eq!(silence, StallConfig::DEFAULT.ask);
        assert_eq!(stage.film.wanted, [(true, true)]);
        assert_eq!(stage.film.commands, [10056, 10056]);
        assert_eq!(stage.viewer.told.answers, 1, "the application's own");
        assert!(stage.viewer.told.ends.is_empty());
        stage.assert_every_frame_is_accounted_for();
    });
}

#[test]
fn a_camera_that_answers_but_sends_no_media_is_left_after_eight_seconds_and_found_again() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 3, SECOND, |_| {});
        stage.run(20 * SECOND);
        stage.film.mute = Mute::UntilClosed;
        while stage.viewer.told.ends.is_empty() {
            assert!(stage.world.step(&mut [&mut stage.viewer, &mut stage.film]));
        }
        assert_eq!(stage.viewer.told.ends, [Cause::Stalled]);
        let silence = stage.world.now - stage.viewer.last_frame();
        assert_eq!(silence, StallConfig::DEFAULT.limit);
        stage.run(5 * SECOND);
        assert_eq!(stage.film.ends, [Cause::Peer], "it was told goodbye");
        assert_eq!(stage.viewer.told.let_in, 2);
        assert!(stage.world.now - stage.viewer.last_frame() <= SECOND);
    });
}

#[test]
fn silence_is_lost_and_no_stall() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 4, SECOND, |_| {});
        stage.run(20 * SECOND);
        stage.outage(15 * SECOND);
        assert_eq!(stage.viewer.told.ends, [Cause::Lost]);
        let asked = (Stream::Video, StallConfig::DEFAULT.ask);
        assert_eq!(stage.viewer.told.stalls, [asked], "asked for, but no cause");
        assert_eq!(stage.film.ends, [Cause::Lost], "it has freed the slot");
        // A shorter one ends nothing, though no media come for longer than a stall takes.
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 4, SECOND, |_| {});
        stage.run(20 * SECOND);
        stage.outage(over.survives());
        stage.run(20 * SECOND);
        assert!(
            stage.viewer.told.ends.is_empty(),
            "{:?}",
            stage.viewer.told.ends
        );
        stage.assert_every_frame_is_accounted_for();
    });
}

#[test]
fn sound_counts_only_where_no_picture_is_wanted() {
    Over::each(|over| {
        for video in [true, false] {
            let mut rooms = Rooms::new();
            let mut stage = rooms.stage(over, 5, SECOND, |config| {
                config.audio = true;
                config.video = video;
            });
            stage.run(20 * SECOND);
            assert!(stage.viewer.told.audio.len() >= 18 && stage.viewer.told.stalls.is_empty());
            stage.film.mute = Mute::UntilAsked;
            stage.run(4 * SECOND);
            let stream = if video { Stream::Video } else { Stream::Audio };
            assert_eq!(stage.viewer.told.stalls, [(stream, 3 * SECOND)]);
        }
    });
}

#[test]
fn what_was_switched_on_and_asked_for_is_so_again_after_a_reboot() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 7, SECOND, |config| {
            config.video = false;
            config.resend = true;
        });
        stage.run_until_let_in(1);
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        let client = &mut stage.viewer.client;
        client.enable(cx, Media::Video, true).unwrap();
        client.enable(cx, Media::Audio, true).unwrap();
        client.set_quality(cx, Quality::P360, None).unwrap();
        stage.run(20 * SECOND);
        let (back, place) = (stage.world.now + 15 * SECOND, stage.film.addr);
        stage.film.reboot(
            back,
            place,
            &mut Cx::new(stage.world.now, &mut stage.world.rng),
        );
        stage.excuse(Duration::ZERO);
        assert_eq!(stage.viewer.client.is_lossless(), over.plain().is_none());
        stage.film.commands.clear();
        let audio = stage.viewer.told.audio.len();
        stage.run_until_let_in(2);
        let begin = stage.world.now;
        stage.run(40 * SECOND);
        assert_eq!(stage.film.commands, [10056]);
        stage.assert_sees(FrameSize::P360, begin);
        assert_eq!(stage.viewer.client.is_lossless(), over.plain().is_none());
        if over.plain().is_none() {
            stage.world.net.set_faults(Faults {
                loss: 5,
                ..Faults::NONE
            });
            stage.run(300 * SECOND);
            assert!(stage.viewer.client.stats().av.rx_repaired > 10);
        }
        assert!(
            stage.film.camera.wants(Stream::Video) && stage.viewer.told.audio.len() > audio + 20
        );
        assert_eq!(stage.viewer.told.answers, 3, "the application's own");
        stage.assert_every_frame_is_accounted_for();
    });
}

#[test]
fn a_goodbye_frees_the_only_slot_at_once_and_a_vanished_viewer_frees_it_after_ten_seconds_of_silence()
 {
    Over::each(|over| {
        for goodbye in [true, false] {
            let mut rooms = Rooms::new();
            let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
            let mut room = Room::new(1 << 14, 1 << 12);
            let mut stage = rooms.stage(over, 8, SECOND, |_| {});
            stage.run(20 * SECOND);
            let left = stage.world.now;
            if goodbye {
                stage.viewer.client.close();
                stage.run(Duration::from_millis(5));
                assert_eq!(stage.viewer.told.ends, [Cause::Local]);
                assert_eq!((stage.viewer.wake, stage.viewer.deadline()), (None, None));
            } else {
                stage.film.camera.peer().unwrap();
            }
            let config = ClientConfig::new(uid(), &enr, &mac, &targets);
            let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
            let mut second = Viewer::new(config, &mut room, cx);
            second.addr = addr("192.0.2.3:40000");
            while second.told.let_in == 0 {
                assert!(stage.world.step(&mut [&mut second, &mut stage.film]));
            }
            let waited = stage.world.now - left;
            if goodbye {
                let most = Duration::from_millis(100) + over.patience();
                assert!(waited < most, "{waited:?}");
            } else {
                let (least, most) = (over.survives(), 20 * SECOND + over.patience());
                assert!(waited > least && waited < most, "{waited:?}");
                assert_eq!(second.told.ends, [Cause::NoAnswer]);
            }
        }
    });
}

#[test]
fn a_viewer_without_a_camera_that_takes_its_key_gives_up_where_that_shows() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let other = enr("another-enr-16b!");
        let mut stage = rooms.stage(over, 9, SECOND, |_| {});
        stage.viewer.config.enr = &other;
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        let mut room = Room::new(1 << 14, 1 << 12);
        stage.viewer = Viewer::new(stage.viewer.config, &mut room, cx);
        stage.run(300 * SECOND);
        let (ends, again) = (&stage.viewer.told.ends, stage.viewer.deadline().is_some());
        match over {
            Over::TransCode => assert_eq!((&ends[..], again), (&[Cause::WrongKey; 3][..], false)),
            // Its search bears an HMAC of the key, and nobody answers it.
            Over::Cc51 => assert!(again && ends.iter().all(|end| *end == Cause::NoAnswer)),
            Over::Session25 | Over::Session16 => {
                let told = Cause::Auth(AuthError::EnrRejected);
                assert_eq!((&ends[..], again), (&[told][..], false));
            }
        }
    });
}

#[test]
fn asking_again_waits_for_room_among_the_applications_requests() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 10, SECOND, |config| {
            config.stall = Some(StallConfig {
                ask: 3 * SECOND,
                limit: 60 * SECOND,
            });
        });
        stage.run(20 * SECOND);
        stage.film.mute = Mute::UntilAsked;
        stage.run(Duration::from_millis(2_500));
        // Four that are under way when the time comes, and a network that lets none of them be answered.
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        for _ in 0..4 {
            stage.viewer.client.enable(cx, Media::Rdt, true).unwrap();
        }
        stage.outage(Duration::from_millis(1_500));
        assert!(stage.viewer.told.stalls.is_empty());
        stage.run(10 * SECOND);
        assert_eq!(stage.viewer.told.stalls.len(), 1);
        assert!(stage.viewer.told.ends.is_empty());
    });
}

#[test]
fn a_camera_that_spoke_dtls_is_not_spoken_to_without_it_after_a_reboot() {
    for over in [Over::TransCode, Over::Cc51] {
        let mut rooms = Rooms::new();
        let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
        let mut room = Room::new(0, 0);
        let mut stage = rooms.stage(over, 11, SECOND, |_| {});
        stage.run(20 * SECOND);
        // Somebody with its UID and an older firmware is at its place.
        let config = CameraConfig {
            generation: Generation::Session25,
            ..CameraConfig::new(uid(), &enr, &mac)
        };
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        stage.film.camera = Camera::new(&config, room.storage(), cx);
        stage.run(600 * SECOND);
        assert_eq!(stage.viewer.told.let_in, 1);
        let others = stage.viewer.told.ends.split_off(1);
        assert!(
            others.len() >= 3 && !others.contains(&Cause::Local),
            "{others:?}"
        );
    }
}

#[test]
fn a_camera_that_spoke_dtls_but_let_nobody_in_is_not_spoken_to_without_it_either() {
    for over in [Over::TransCode, Over::Cc51] {
        let mut rooms = Rooms::new();
        let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
        let mut room = Room::new(0, 0);
        let mut stage = rooms.stage(over, 12, SECOND, |_| {});
        while stage.viewer.client.stats().dtls.rx_data == 0 {
            assert!(stage.world.step(&mut [&mut stage.viewer, &mut stage.film]));
        }
        assert!(!stage.viewer.client.is_authenticated());
        let config = CameraConfig {
            generation: Generation::Session25,
            ..CameraConfig::new(uid(), &enr, &mac)
        };
        let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
        stage.film.camera = Camera::new(&config, room.storage(), cx);
        stage.run(600 * SECOND);
        assert_eq!(stage.viewer.told.let_in, 0);
        let ends = &stage.viewer.told.ends;
        assert!(ends.len() >= 3, "{ends:?}");
    }
}

#[test]
fn frames_wait_for_a_repair_only_where_the_camera_repairs() {
    for (over, resend) in [
        (Over::TransCode, true),
        (Over::TransCode, false),
        (Over::Cc51, true),
        (Over::Session25, true),
        (Over::Session16, true),
    ] {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage_with(
            over,
            13,
            SECOND / 20,
            |config| config.resend = true,
            |camera| camera.resend = resend,
        );
        // Between two frames.
        stage.run(10 * SECOND + Duration::from_millis(5));
        let lossless = over.plain().is_none() && resend;
        assert_eq!(stage.viewer.client.is_lossless(), lossless);
        // Two frames are lost: the ones behind them wait for them, or for their repair.
        stage.viewer.told.frames.clear();
        let lost = stage.world.now;
        stage.outage(SECOND / 10);
        stage.run(5 * SECOND);
        let (first, came) = stage.viewer.told.frames[0];
        let wait = came - lost;
        let repaired = stage
            .film
            .sent
            .iter()
            .any(|(i, at)| *i == first && *at <= lost + SECOND / 10);
        assert_eq!(repaired, lossless, "{over:?}: frame {first} after {wait:?}");
        assert!(wait < Duration::from_millis(400), "{over:?}: {wait:?}");
    }
}
