//! Someone on path wants 0x00AE, which has no forward secrecy, where both sides could do better.

use std::time::Duration;

use tutk_dtls::Error;
use tutk_iotc::wire::{self, Direction};
use wyze_session::{Cause, Phase, Suites};

use crate::common::DEVICE;
use crate::scene::{Scene, Setup, Side, handshake, overheard, packet, with_scene};

const CCAC: [u8; 2] = [0xcc, 0xac];
const CLIENT_HELLO: u8 = 1;

/// Puts 0xFFFF, which nobody speaks, where `what` stands in a ClientHello.
fn blot_out(datagram: &mut [u8], what: &[u8]) {
    if !handshake(datagram).iter().any(|m| m.kind == CLIENT_HELLO) {
        return;
    }
    tutk_transcode::decode(datagram);
    // Behind IOTC header, record header, handshake header, version and random.
    let start = wire::DATA_HEADER_LEN + 13 + 12 + 34;
    let at = datagram[start..]
        .windows(what.len())
        .position(|w| w == what)
        .expect("the hello has it");
    datagram[start + at..][..2].fill(0xff);
    tutk_transcode::encode(datagram);
}

fn is_secured(phases: &[Phase]) -> bool {
    phases.iter().any(|p| matches!(p, Phase::Secured { .. }))
}

#[test]
fn a_hello_edited_to_offer_only_00ae_is_detected_by_finished() {
    for seed in 1..5 {
        let setup = Setup {
            seed,
            ..Setup::default()
        };
        with_scene([setup], |scene, _| {
            scene.camera.edit = Some(Box::new(|bytes| {
                blot_out(bytes, &CCAC);
                true
            }));
            let answered_with_00ae = |scene: &Scene<'_>| {
                scene.camera.sent.iter().any(|(_, d)| {
                    let hello = handshake(d).into_iter().find(|m| m.kind == 2);
                    hello.is_some_and(|m| m.message[12 + 35..][..2] == [0x00, 0xae])
                })
            };
            scene.run(Duration::from_secs(20));
            assert!(answered_with_00ae(scene), "the camera took the bait");
            assert!(!is_secured(&scene.client.node.phases));
            assert!(!scene.client.node.authenticated);
            assert!(scene.client.node.closed.is_some(), "and says why");
            assert!(!scene.camera.node.camera.is_authenticated());
        });
    }
}

#[test]
fn a_forged_handshake_failure_is_never_followed_by_a_hello_with_00ae_alone() {
    with_scene([Setup::default()], |scene, _| {
        while !scene
            .client
            .sent
            .iter()
            .any(|(_, d)| overheard(d).is_some())
        {
            scene.step();
        }
        let session = scene.client.sent.iter().find_map(|(_, d)| overheard(d));
        let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
        let bytes = packet(Direction::ToClient, 7, session.unwrap(), &alert);
        scene.inject(Side::App, DEVICE, &bytes);
        scene.run(Duration::from_secs(20));
        let cause = Cause::Secure(Error::PeerAlert(40));
        assert_eq!(scene.client.node.closed, Some(cause));
        let hellos: Vec<_> = scene
            .client
            .sent
            .iter()
            .flat_map(|(_, d)| handshake(d))
            .filter(|m| m.kind == CLIENT_HELLO)
            .collect();
        assert!(!hellos.is_empty());
        for hello in hellos {
            assert!(hello.message.windows(2).any(|w| w == CCAC));
        }
    });
}

#[test]
fn who_offers_ccac_alone_never_gets_00ae() {
    let setup = Setup {
        suites: Suites::CHACHA,
        ..Setup::default()
    };
    with_scene([setup], |scene, _| {
        // A camera's ServerHello changed to 0x00AE on its way.
        scene.client.edit = Some(Box::new(|bytes| {
            if handshake(bytes).iter().any(|m| m.kind == 2) {
                tutk_transcode::decode(bytes);
                let at = wire::DATA_HEADER_LEN + 13 + 12 + 35;
                assert_eq!(bytes[at..at + 2], CCAC);
                bytes[at..at + 2].copy_from_slice(&[0x00, 0xae]);
                tutk_transcode::encode(bytes);
            }
            true
        }));
        scene.run(Duration::from_secs(20));
        let cause = Cause::Secure(Error::NoCommonSuite);
        assert_eq!(scene.client.node.closed, Some(cause));
    });
}
