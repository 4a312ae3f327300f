//! Days and nights: every trouble in every hour, a camera that is away, a session that nobody says anything in.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::pump::Node;
use wyze_session::kauth::command::Media;
use wyze_session::{Cause, Cx, Instant};

use crate::common::{addr, put};
use crate::film::{Mute, Rooms, SECOND};
use crate::over::Over;

#[test]
fn a_day_with_every_trouble_in_every_hour_loses_only_what_was_sent_into_the_void() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 24, 2 * SECOND, |_| {});
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
            stage.excuse(over.until_heard());
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
    });
}

#[test]
fn a_night_without_the_camera_costs_little_and_ends_when_it_is_back() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 1, SECOND, |_| {});
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
    });
}

#[test]
fn a_day_without_media_is_kept_up_by_alives_of_both_sides() {
    Over::each(|over| {
        let mut rooms = Rooms::new();
        let mut stage = rooms.stage(over, 6, SECOND, |_| {});
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
    });
}

/// ACKs, and answers to the camera's alives, would keep the camera up as well: Session16 has no ACKs, and this camera's
/// alives get lost.
#[test]
fn a_viewer_who_only_watches_keeps_the_camera_up_for_a_day_by_alives_of_its_own() {
    const ALIVE: u16 = 0x0427;
    const DEVICE_ALIVE: u16 = 0x0428;
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(Over::Session16, 14, SECOND, |_| {});
    stage.run(20 * SECOND);
    let (begin, day) = (stage.world.now, 24 * 3600 * SECOND);
    let (mut alives, mut others) = (0, 0);
    let mut viewer = Sieve(&mut stage.viewer, |command| {
        match command {
            ALIVE => alives += 1,
            _ => others += 1,
        }
        true
    });
    let mut film = Sieve(&mut stage.film, |command| command != DEVICE_ALIVE);
    stage
        .world
        .run_until(begin + day, &mut [&mut viewer, &mut film]);
    assert_eq!(others, 0);
    assert!((43_199..=43_201).contains(&alives), "{alives}");
    assert!(stage.viewer.told.ends.is_empty() && stage.film.ends.is_empty());
    assert!(stage.viewer.told.stalls.is_empty());
    stage.assert_every_frame_is_accounted_for();
    assert!(stage.viewer.told.frames.len() > 86_400);
}

/// A node of which only some of what it sends gets through. The older framing only.
struct Sieve<'a, N, F>(&'a mut N, F);

impl<N: Node, F: FnMut(u16) -> bool> Node for Sieve<'_, N, F> {
    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn hears(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.0.hears(from, to)
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        self.0.receive(cx, from, bytes);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.0.timeout(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        loop {
            let (to, datagram) = self.0.transmit(cx, buf)?;
            let datagram = datagram.to_vec();
            let mut plain = datagram.clone();
            tutk_transcode::decode(&mut plain);
            if self.1(u16::from_le_bytes([plain[8], plain[9]])) {
                return Some((to, put(buf, &datagram)));
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}
