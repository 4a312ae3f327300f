//! What was recorded is sent again.

use std::time::Duration;

use tutk_testkit::data;
use tutk_testkit::pump::Node;
use wyze_session::{Cause, Cx, Framings};

use crate::common::{APP, DEVICE, Room, addr};
use crate::scene::{MALLORY, Scene, Setup, Side, combinations, with_scene};

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
    for (name, framings) in [("iotc", Framings::TRANSCODE), ("cc51", Framings::CC51)] {
        with_scene(
            [Setup {
                framings,
                ..Setup::default()
            }],
            |scene, _| {
                let camera = &mut scene.camera;
                let (mut replayed, mut answers) = (0, 0);
                for line in data::session(&format!("sessions/{name}.wire.jsonl")) {
                    let mut bytes = data::bytes(&line, "raw");
                    let cx = &mut Cx::new(scene.world.now, &mut scene.world.rng);
                    camera.receive(cx, addr(APP), &mut bytes);
                    while camera.transmit(cx, &mut [0; 1500]).is_some() {
                        answers += 1;
                    }
                    replayed += 1;
                }
                assert!(
                    replayed > 60 && answers <= replayed,
                    "{answers} of {replayed}"
                );
                assert!(!camera.node.camera.is_authenticated());
                assert!(camera.node.camera.is_idle(), "its UID is another");
            },
        );
    }
}
