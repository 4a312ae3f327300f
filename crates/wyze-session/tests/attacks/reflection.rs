//! What we send comes back to us.

use std::time::Duration;

use crate::common::{APP, DEVICE};
use crate::scene::{Side, combinations, with_scene};

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
