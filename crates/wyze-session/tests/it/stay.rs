//! Staying connected: alives, media that stall, reboots, changed addresses and ports, outages, over virtual hours.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::net::Faults;
use tutk_testkit::pump::Node;
use wyze_session::kauth::command::Media;
use wyze_session::kauth::models::Quality;
use wyze_session::{
    Camera, CameraConfig, Cause, ClientConfig, Cx, Generation, StallConfig, Stream,
};

use crate::common::{DEVICE, Room, addr, enr, mac, uid};
use crate::film::{Mute, Rooms, SECOND, Viewer};

#[test]
fn a_day_with_every_trouble_in_every_hour_loses_only_what_was_sent_into_the_void() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(24, 2 * SECOND, |_| {});
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for hour in 0..24u8 {
        let (from, sent, ends) = (
            stage.world.now,
            stage.film.sent.len(),
            stage.viewer.told.ends.len(),
        );
        stage.viewer.wakeups = 0;
        stage.run(minutes(10));
        let sent = stage.film.sent.len() - sent;
        assert!((299..=301).contains(&sent), "{sent} in hour {hour}");
        // Media stop, and alives go on.
        let asked = stage.viewer.told.stalls.len();
        stage.film.mute = if hour % 2 == 0 {
            Mute::UntilAsked
        } else {
            Mute::UntilClosed
        };
        stage.run(minutes(10));
        assert_eq!(stage.viewer.told.stalls.len() - asked, 1);
        // The camera has another port from one datagram to the next.
        stage.film.addr.set_port(32_762);
        stage.run(minutes(10));
        assert_eq!(stage.viewer.client.peer(), Some(stage.film.addr));
        // So has the viewer, as behind a router that has forgotten it.
        stage.viewer.addr.set_port(50_000 + u16::from(hour) + 1);
        stage.excuse(SECOND);
        stage.run(minutes(10));
        assert_eq!(stage.film.camera.peer(), Some(stage.viewer.addr));
        stage.outage(Duration::from_secs(30));
        stage.run(minutes(10));
        // It loses power, boots for 40 s, and gets another address.
        let address = SocketAddr::from(([192, 0, 2, 10 + hour], 32761));
        let back = stage.world.now + Duration::from_secs(40);
        stage.film.reboot(
            back,
            address,
            &mut Cx::new(stage.world.now, &mut stage.world.rng),
        );
        stage.excuse(Duration::ZERO);
        stage.run(minutes(60).saturating_sub(stage.world.now - from));
        assert_eq!(stage.viewer.client.peer(), Some(address));
        assert!(
            stage.world.now - stage.viewer.last_frame() <= 2 * SECOND,
            "{hour}"
        );
        let ends: Vec<_> = stage.viewer.told.ends.drain(ends..).collect();
        let stalled = ends.iter().filter(|c| **c == Cause::Stalled).count();
        let lost = ends.iter().filter(|c| **c == Cause::Lost).count();
        assert_eq!((stalled, lost), (usize::from(hour % 2), 2), "{ends:?}");
        // An acknowledgement every 100 ms is 36 000, and little else.
        assert!(stage.viewer.wakeups < 40_000, "{}", stage.viewer.wakeups);
    }
    stage.assert_every_frame_is_accounted_for();
    let (came, sent) = (stage.viewer.told.frames.len(), stage.film.sent.len());
    assert!(sent > 40_000 && sent - came < 24 * 8, "{came} of {sent}");
    assert_eq!(
        stage.viewer.told.answers, 0,
        "requests of its own are its own"
    );
}

#[test]
fn a_night_without_the_camera_costs_little_and_ends_when_it_is_back() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(1, SECOND, |_| {});
    stage.run(60 * SECOND);
    let night = 8 * 3600 * SECOND;
    let (back, address) = (stage.world.now + night, addr("192.0.2.77:32761"));
    stage.film.reboot(
        back,
        address,
        &mut Cx::new(stage.world.now, &mut stage.world.rng),
    );
    stage.excuse(Duration::ZERO);
    stage.viewer.wakeups = 0;
    let sent = stage.world.net.counts().sent;
    stage.run(night);
    let per_hour = stage.viewer.wakeups / 8;
    assert!(per_hour < 1200, "{per_hour} wake-ups an hour");
    let per_hour = (stage.world.net.counts().sent - sent) / 8;
    assert!(per_hour < 60 * 20 * 6, "{per_hour} datagrams an hour");
    let bounds = [1, 2, 4, 8, 16, 32]
        .into_iter()
        .chain(std::iter::repeat(60));
    for (wait, base) in stage.viewer.waits.iter().zip(bounds) {
        let base = base * SECOND;
        assert!(
            *wait >= base && *wait <= base + base / 8,
            "{wait:?} for {base:?}"
        );
    }
    assert!(
        stage.viewer.waits.len() > 400,
        "{}",
        stage.viewer.waits.len()
    );
    stage.run(80 * SECOND);
    assert_eq!(stage.viewer.client.peer(), Some(address));
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn media_that_stop_are_asked_for_once_more_with_their_quality_and_come() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(2, SECOND, |config| config.audio = true);
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
}

#[test]
fn a_camera_that_answers_but_sends_no_media_is_left_after_eight_seconds_and_found_again() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(3, SECOND, |_| {});
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
}

#[test]
fn silence_is_lost_and_no_stall() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(4, SECOND, |_| {});
    stage.run(20 * SECOND);
    stage.outage(15 * SECOND);
    assert_eq!(stage.viewer.told.ends, [Cause::Lost]);
    let asked = (Stream::Video, StallConfig::DEFAULT.ask);
    assert_eq!(stage.viewer.told.stalls, [asked], "asked for, but no cause");
    assert_eq!(stage.film.ends, [Cause::Lost], "it has freed the slot");
    // A shorter one ends nothing, though no media come for longer than a stall takes.
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(4, SECOND, |_| {});
    stage.run(20 * SECOND);
    stage.outage(Duration::from_millis(9_500));
    stage.run(20 * SECOND);
    assert!(
        stage.viewer.told.ends.is_empty(),
        "{:?}",
        stage.viewer.told.ends
    );
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn sound_counts_only_where_no_picture_is_wanted() {
    for video in [true, false] {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(5, SECOND, |config| {
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
}

#[test]
fn a_day_without_media_is_kept_up_by_alives_of_both_sides() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(6, SECOND, |_| {});
    stage.run(20 * SECOND);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.viewer.client.enable(cx, Media::Video, false).unwrap();
    stage.run(24 * 3600 * SECOND);
    assert!(stage.viewer.told.ends.is_empty() && stage.film.ends.is_empty());
    assert!(stage.viewer.told.stalls.is_empty());
    assert!(stage.viewer.client.healthy(stage.world.now) > 24 * 3600 * SECOND);
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.viewer.client.enable(cx, Media::Video, true).unwrap();
    stage.run(5 * SECOND);
    assert!(stage.world.now - stage.viewer.last_frame() <= SECOND);
}

#[test]
fn what_was_switched_on_and_asked_for_is_so_again_after_a_reboot() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(7, SECOND, |config| {
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
    assert!(stage.viewer.client.is_lossless());
    stage.film.commands.clear();
    let audio = stage.viewer.told.audio.len();
    stage.run(60 * SECOND);
    assert_eq!(stage.viewer.told.let_in, 2);
    assert_eq!(stage.film.commands, [10056]);
    assert!(stage.viewer.client.is_lossless());
    stage.world.net.set_faults(Faults {
        loss: 5,
        ..Faults::NONE
    });
    stage.run(300 * SECOND);
    assert!(stage.viewer.client.stats().av.rx_repaired > 10);
    assert!(stage.film.camera.wants(Stream::Video) && stage.viewer.told.audio.len() > audio + 20);
    assert_eq!(stage.viewer.told.answers, 3, "the application's own");
    stage.assert_every_frame_is_accounted_for();
}

#[test]
fn a_goodbye_frees_the_only_slot_at_once_and_a_vanished_viewer_frees_it_after_ten_seconds() {
    for goodbye in [true, false] {
        let mut rooms = Rooms::new();
        let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
        let mut room = Room::new(1 << 14, 1 << 12);
        let mut stage = rooms.stage(8, SECOND, |_| {});
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
            assert!(waited < Duration::from_millis(100), "{waited:?}");
        } else {
            assert!(waited > 9 * SECOND && waited < 20 * SECOND, "{waited:?}");
            assert_eq!(second.told.ends, [Cause::NoAnswer]);
        }
    }
}

#[test]
fn a_viewer_without_a_camera_that_takes_its_key_gives_up() {
    let mut rooms = Rooms::new();
    let other = enr("another-enr-16b!");
    let mut stage = rooms.stage(9, SECOND, |_| {});
    stage.viewer.config.enr = &other;
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    let mut room = Room::new(1 << 14, 1 << 12);
    stage.viewer = Viewer::new(stage.viewer.config, &mut room, cx);
    stage.run(300 * SECOND);
    assert_eq!(stage.viewer.told.ends, [Cause::WrongKey; 3]);
    assert_eq!(stage.viewer.deadline(), None);
}

#[test]
fn asking_again_waits_for_room_among_the_applications_requests() {
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(10, SECOND, |config| {
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
}

#[test]
fn a_camera_that_spoke_dtls_is_not_spoken_to_without_it_after_a_reboot() {
    let mut rooms = Rooms::new();
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let mut stage = rooms.stage(11, SECOND, |_| {});
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

#[test]
fn a_camera_that_spoke_dtls_but_let_nobody_in_is_not_spoken_to_without_it_either() {
    let mut rooms = Rooms::new();
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let mut stage = rooms.stage(12, SECOND, |_| {});
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

#[test]
fn frames_wait_for_a_repair_only_where_the_camera_repairs() {
    for (generation, resend) in [
        (Generation::Dtls, true),
        (Generation::Dtls, false),
        (Generation::Session25, true),
        (Generation::Session16, true),
    ] {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage_with(
            13,
            SECOND / 20,
            |config| config.resend = true,
            |camera| {
                camera.generation = generation;
                camera.resend = resend;
            },
        );
        // Between two frames.
        stage.run(10 * SECOND + Duration::from_millis(5));
        let lossless = generation == Generation::Dtls && resend;
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
        assert_eq!(
            repaired, lossless,
            "{generation:?}: frame {first} after {wait:?}"
        );
        assert!(
            wait < Duration::from_millis(400),
            "{generation:?}: {wait:?}"
        );
    }
}
