//! What we send comes back to us.

use std::time::Duration;

use tutk_iotc::wire::Direction;

use crate::common::{APP, DEVICE};
use crate::scene::{Side, Taped, combinations, overheard, packet, records, with_scene};

#[test]
fn our_own_datagrams_reflected_to_us_change_nothing() {
    with_scene(combinations(), |scene, setup| {
        let (mut app, mut camera) = (0, 0);
        let end = scene.world.now + Duration::from_secs(2);
        while scene.world.now < end {
            scene.step();
            for i in app..scene.client.sent.len() {
                let bytes = scene.client.sent[i].1.clone();
                scene.inject(Side::App, DEVICE, &bytes);
            }
            for i in camera..scene.camera.sent.len() {
                let bytes = scene.camera.sent[i].1.clone();
                scene.inject(Side::Camera, APP, &bytes);
            }
            (app, camera) = (scene.client.sent.len(), scene.camera.sent.len());
        }
        assert!(scene.client.node.authenticated, "{setup:?}");
        // No echo that feeds itself: as many datagrams as without a mirror, give or take a few acknowledgements.
        assert!(app < 100, "{setup:?}: the client sent {app}");
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

#[test]
fn our_own_records_relabelled_as_the_peers_do_not_open() {
    // As above, but at once, and in a packet of the other direction with a number of its own: it is the keys that differ.
    with_scene(combinations(), |scene, setup| {
        scene.open();
        let (mut app, mut camera, mut relabelled) = (0, 0, [0, 0]);
        let end = scene.world.now + Duration::from_secs(2);
        while scene.world.now < end {
            scene.step();
            let to_app = relabel(&scene.client.sent[app..], Direction::ToClient);
            let to_camera = relabel(&scene.camera.sent[camera..], Direction::ToDevice);
            (app, camera) = (scene.client.sent.len(), scene.camera.sent.len());
            relabelled[0] += to_app.len();
            relabelled[1] += to_camera.len();
            for bytes in to_app {
                scene.hand(Side::App, DEVICE, &bytes);
            }
            for bytes in to_camera {
                scene.hand(Side::Camera, APP, &bytes);
            }
        }
        let client = scene.client.node.client.stats().dtls;
        let camera = scene.camera.node.camera.stats().dtls;
        let refused = [client, camera].map(|s| (s.rx_bad_record + s.rx_replayed) as usize);
        assert_eq!(refused, relabelled, "{setup:?}");
        // Many have numbers that were new where they came: those are refused by the cipher alone.
        assert!(client.rx_bad_record > 5, "{setup:?}: {client:?}");
        assert!(camera.rx_bad_record > 100, "{setup:?}: {camera:?}");
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

/// The encrypted records of the main channel in `sent`, each as a packet of `direction`.
fn relabel(sent: &[Taped], direction: Direction) -> Vec<Vec<u8>> {
    let mut relabelled = Vec::new();
    for (_, datagram) in sent {
        for record in records(datagram).iter().filter(|r| r[3..5] == [0, 1]) {
            let session = overheard(datagram).unwrap();
            let number = 1000 + relabelled.len() as u16;
            relabelled.push(packet(direction, number, session, record));
        }
    }
    relabelled
}
