//! What was recorded is sent again.

use std::time::Duration;

use tutk_core::rand_core::CryptoRng;
use wyze_session::{Camera, CameraEvent, Cause, Cx, Datagram, Instant};

use crate::common::{APP, DEVICE, Room, addr};
use crate::recorded::{self, SESSIONS};
use crate::scene::{MALLORY, Scene, Setup, Side, combinations, records, with_scene};

const NOW: Instant = Instant::ZERO;

#[test]
fn every_datagram_of_a_session_replayed_in_it_changes_nothing() {
    with_scene(combinations(), |scene, setup| {
        scene.connect();
        scene.run(Duration::from_millis(800));
        for from_mallory in [false, true] {
            let tapes = [
                (Side::App, scene.client.heard.clone(), DEVICE),
                (Side::Camera, scene.camera.heard.clone(), APP),
            ];
            let sent = (scene.client.sent.len(), scene.camera.sent.len());
            let mut replayed = 0;
            for (to, tape, peer) in tapes {
                for (_, bytes) in tape {
                    let from = if from_mallory { MALLORY } else { peer };
                    scene.inject(to, from, &bytes);
                    replayed += 1;
                }
            }
            assert!(replayed > 60, "{replayed}");
            scene.run(Duration::from_millis(2));
            let answers = scene.client.sent.len() - sent.0 + scene.camera.sent.len() - sent.1;
            assert!(answers <= replayed, "{answers} answers to {replayed}");
            assert_eq!(scene.client.sent_to(MALLORY), 0);
            assert_eq!(scene.camera.sent_to(MALLORY), 0);
            scene.assert_untouched(&format!("{setup:?}, {from_mallory}"));
        }
    });
}

#[test]
fn every_datagram_of_a_session_replayed_into_the_next_changes_nothing() {
    with_scene(combinations(), |first, setup| {
        first.connect();
        first.run(Duration::from_secs(1));
        first.client.node.client.close();
        first.run(Duration::from_secs(1));
        assert_eq!(first.camera.node.closed, Some(Cause::Peer));
        let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14));
        let again = Setup { seed: 2, ..setup };
        let mut next = Scene::new(again, &mut room1, &mut room2);
        // Before, a replayed request can take the place of a camera for some seconds, as any stranger's can.
        next.open();
        let (to_app, to_camera) = (&first.client.heard, &first.camera.heard);
        for i in 0..to_app.len().max(to_camera.len()) {
            if let Some((_, bytes)) = to_app.get(i) {
                next.inject(Side::App, DEVICE, bytes);
            }
            if let Some((_, bytes)) = to_camera.get(i) {
                next.inject(Side::Camera, APP, bytes);
            }
            next.step();
        }
        next.connect();
        next.assert_untouched(&format!("{setup:?}"));
        let stats = next.client.node.client.stats();
        assert_eq!(stats.dtls.rx_bad_record, 0, "none of them got that far");
    });
}

#[test]
fn a_recorded_session_replayed_to_a_camera_lets_nobody_in() {
    // The camera has the keys of the recording, and draws the ticket that it drew: all that differs are its random and its
    // X25519 secret.
    for (name, framings) in SESSIONS {
        let (enr, mac) = recorded::keys();
        let config = recorded::config(framings, &enr, &mac);
        let mut room = Room::new(0, 0);
        let mut rng = tutk_testkit::rng(1);
        let mut camera = Camera::new(&config, room.storage(), &mut Cx::new(NOW, &mut rng));
        let mut answers = Vec::new();
        for (packet, mut bytes) in recorded::by_app(name) {
            let mut draw: Box<dyn CryptoRng> = if packet == "cc51_disco_0" {
                Box::new(recorded::ticket(name))
            } else {
                Box::new(&mut rng)
            };
            let cx = &mut Cx::new(NOW, &mut *draw);
            let mut input = Datagram::new(addr(APP), &mut bytes);
            while let Some(event) = camera.handle_datagram(cx, &mut input) {
                let let_in = matches!(event, CameraEvent::Authenticated { .. });
                assert!(!let_in, "{name}: {packet}");
            }
            while let Some(t) = camera.poll_transmit(cx, &mut [0; 1500]) {
                answers.push(records(t.datagram).len());
            }
        }
        let (iotc, dtls) = (camera.stats().iotc, camera.stats().dtls);
        // The search, the session, and the three messages of one flight.
        assert_eq!(answers, [0, 0, 3], "{name}: {iotc:?}");
        // Finished, and every record of the app behind it, opens with no key of this camera.
        assert_eq!(
            (dtls.rx_bad_record, dtls.rx_data),
            (38, 0),
            "{name}: {dtls:?}"
        );
        assert!(!camera.is_authenticated());
    }
}
