//! Packets that a stranger on the LAN makes up. He has heard UID, AuthKey, session id and ticket, and lacks the ENR.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tutk_iotc::wire::{self, Control, Direction, SearchReply, Session, cc51};
use wyze_session::{Cause, Framings, Generation, Phase, kauth};
use zerocopy::IntoBytes;

use crate::common::{APP, DEVICE, addr, enr, mac, uid};
use crate::scene::{
    ENR, MALLORY, Scene, Setup, Side, Taped, combinations, overheard, packet, scrambled, with_scene,
};

/// Whether he writes the right HMAC into CC51 packets: who has heard our 0x0601 knows its key (`docs/security.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hmacs {
    Wrong,
    Right,
}

/// A CC51 packet whose HMAC covers `signed`.
fn cc51_packet(signed: &[u8], payload: &[u8], hmacs: Hmacs) -> Vec<u8> {
    let mut hmac = [0; cc51::MAC_LEN];
    if hmacs == Hmacs::Right {
        let auth_key = kauth::auth_key(&enr(ENR), &mac());
        let key = [&uid().as_bytes()[..], &auth_key].concat();
        let mut right = Hmac::<Sha1>::new_from_slice(&key).unwrap();
        right.update(signed);
        hmac = right.finalize().into_bytes().into();
    }
    [signed, payload, &hmac].concat()
}

/// A record with the first number of `epoch` that nobody has used.
fn record(kind: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xfe, 0xfd];
    record.extend(epoch.to_be_bytes());
    record.extend([0, 0, 0, 1, 0, 9]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

/// One of each packet that a device sends, 0x0418 and the CC51 ones included.
fn answers_of_a_device(
    sid: [u8; 8],
    ticket: [u8; 2],
    hmacs: Hmacs,
) -> Vec<(&'static str, Vec<u8>)> {
    let uid = *uid().as_bytes();
    let search = |step| {
        let body = cc51::SearchBody::new(step, ticket, sid);
        cc51_packet(body.as_bytes(), &[], hmacs)
    };
    let data = |ticket| {
        let header = cc51::DataHeader::new(0, ticket, sid, 4).unwrap();
        cc51_packet(header.as_bytes(), b"evil", hmacs)
    };
    let alive = cc51::AliveBody::new(3, sid);
    vec![
        ("0x0602", scrambled(SearchReply::new(uid, sid).as_bytes())),
        (
            "0x0404",
            scrambled(Session::new(Direction::ToClient, uid, sid).as_bytes()),
        ),
        (
            "0x0428",
            scrambled(Control::alive(Direction::ToClient, sid).as_bytes()),
        ),
        (
            "0x0418",
            scrambled(Control::close(Direction::ToClient, sid).as_bytes()),
        ),
        (
            "0x0408",
            packet(Direction::ToClient, 7, (sid, [0; 2]), b"evil"),
        ),
        ("CC51 step 1", search(1)),
        ("CC51 step 3", search(3)),
        ("CC51 alive", cc51_packet(alive.as_bytes(), &[], hmacs)),
        ("CC51 data", data(ticket)),
        ("CC51 data, another ticket", data(ticket.map(|b| !b))),
    ]
}

/// Session id and ticket, once a data packet has told them.
fn listen(scene: &Scene<'_>) -> Option<([u8; 8], [u8; 2])> {
    scene.client.sent.iter().find_map(|(_, d)| overheard(d))
}

/// 0x0418 or 0x0417 with the id of the session.
fn close(scene: &Scene<'_>, direction: Direction) -> Vec<u8> {
    let (sid, _) = listen(scene).unwrap();
    scrambled(Control::close(direction, sid).as_bytes())
}

/// TransCode with DTLS, and both generations without.
fn generations() -> impl Iterator<Item = Setup> {
    [
        Generation::Dtls,
        Generation::Session25,
        Generation::Session16,
    ]
    .into_iter()
    .map(|generation| Setup {
        generation,
        ..Setup::default()
    })
}

#[test]
fn answers_forged_from_another_host_after_the_handshake_change_nothing() {
    with_scene(combinations(), |scene, setup| {
        scene.connect();
        let (sid, ticket) = listen(scene).unwrap();
        for hmacs in [Hmacs::Wrong, Hmacs::Right] {
            let before = scene.client.node.client.stats();
            let (bad_mac, unread) = (before.iotc.rx_bad_mac, before.dtls.rx_malformed);
            for (name, bytes) in answers_of_a_device(sid, ticket, hmacs) {
                for _ in 0..20 {
                    scene.inject(Side::App, MALLORY, &bytes);
                }
                scene.run(Duration::from_millis(5));
                let client = &scene.client.node;
                assert_eq!(client.closed, None, "{name}");
                assert_eq!(client.client.peer(), Some(addr(DEVICE)), "{name}");
            }
            let stats = scene.client.node.client.stats();
            // What is refused for its HMAC, and what DTLS gets to see.
            let found = [
                stats.iotc.rx_bad_mac - bad_mac,
                stats.dtls.rx_malformed - unread,
            ];
            let expected = match (setup.framings, hmacs) {
                (Framings::CC51, Hmacs::Wrong) => [20, 20],
                (Framings::CC51, Hmacs::Right) => [0, 40],
                _ => [0, 20],
            };
            assert_eq!(found, expected, "{setup:?}, {hmacs:?}");
        }
        assert_eq!(scene.client.node.client.stats().iotc.peer_moved, 0);
        assert_eq!(scene.client.sent_to(MALLORY), 0);
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

#[test]
fn answers_forged_from_another_host_before_the_handshake_make_no_session_with_him() {
    // At every step of the way to DTLS: the worst that may come of it is a connection that fails and says why.
    // He answers with everything, or with what needs the AuthKey alone.
    let mut hellos_to_him = [0, 0];
    for (step, hmacs) in (0..14).flat_map(|s| [(s, Hmacs::Wrong), (s, Hmacs::Right)]) {
        with_scene(combinations(), |scene, setup| {
            for _ in 0..step {
                scene.step();
            }
            // Before the first data packet the session id is in the search, in the clear as well.
            let sid = scene.client.sent.iter().find_map(|(_, d)| {
                match wire::open(&mut d.clone()).ok()? {
                    wire::Packet::Search(search) => Some(search.sid),
                    _ => None,
                }
            });
            let Some(sid) = sid else { return };
            for (name, bytes) in answers_of_a_device(sid, [0; 2], hmacs) {
                if hmacs == Hmacs::Wrong || name.starts_with("CC51") {
                    scene.inject(Side::App, MALLORY, &bytes);
                }
            }
            scene.run(Duration::from_secs(15));
            let client = &scene.client.node;
            assert!(
                client.authenticated || client.closed.is_some(),
                "{setup:?}, step {step}: neither in nor told why"
            );
            if client.authenticated {
                assert_eq!(client.client.peer(), Some(addr(DEVICE)), "step {step}");
                let arrived = client.video.len();
                assert_eq!(client.video[..], scene.camera.node.sent_video[..arrived]);
            }
            let answered = scene.client.sent_to(MALLORY);
            assert!(answered <= 40, "step {step}: {answered} datagrams to him");
            let hello = |(to, d): &Taped| *to == addr(MALLORY) && overheard(d).is_some();
            hellos_to_him[hmacs as usize] += usize::from(scene.client.sent.iter().any(hello));
        });
    }
    assert!(hellos_to_him.iter().all(|n| *n > 0), "{hellos_to_him:?}");
}

#[test]
fn a_close_forged_with_the_cameras_address_ends_one_session_and_says_so() {
    // Not prevented (the close is unauthenticated): what is promised is a named cause, and that the camera's place is free
    // again after the idle limit. Without DTLS it is no close while the camera goes on, for another reason: what 0x0418 means
    // is inferred.
    with_scene(generations(), |scene, setup| {
        scene.connect();
        let close = close(scene, Direction::ToClient);
        scene.inject(Side::App, MALLORY, &close);
        scene.run(Duration::from_millis(50));
        assert_eq!(scene.client.node.closed, None, "{setup:?}");
        scene.inject(Side::App, DEVICE, &close);
        scene.run(Duration::from_millis(50));
        if setup.generation != Generation::Dtls {
            scene.run(Duration::from_secs(3));
            return scene.assert_untouched(&format!("{setup:?}"));
        }
        assert_eq!(scene.client.node.closed, Some(Cause::Peer), "{setup:?}");
        scene.run(Duration::from_secs(11));
        assert_eq!(scene.camera.node.closed, Some(Cause::Lost), "{setup:?}");
    });
}

#[test]
fn a_close_forged_with_the_viewers_address_frees_the_place_and_the_viewer_is_told() {
    with_scene(generations(), |scene, setup| {
        scene.connect();
        let close = close(scene, Direction::ToDevice);
        scene.inject(Side::Camera, MALLORY, &close);
        scene.run(Duration::from_millis(50));
        assert_eq!(scene.camera.node.closed, None, "{setup:?}");
        scene.inject(Side::Camera, APP, &close);
        scene.run(Duration::from_millis(50));
        assert_eq!(scene.camera.node.closed, Some(Cause::Peer), "{setup:?}");
        scene.run(Duration::from_secs(11));
        let told = scene.client.node.closed;
        assert!(
            matches!(told, Some(Cause::Lost | Cause::Stalled | Cause::Peer)),
            "{setup:?}: {told:?}"
        );
    });
}

#[test]
fn no_forged_close_ends_a_session_over_cc51() {
    // The framing has none; those of the other framing, with the session's own id and from the right address, are no packets.
    let setup = Setup {
        framings: Framings::CC51,
        ..Setup::default()
    };
    with_scene([setup], |scene, setup| {
        scene.connect();
        for _ in 0..20 {
            let (to_client, to_device) = (
                close(scene, Direction::ToClient),
                close(scene, Direction::ToDevice),
            );
            scene.inject(Side::App, DEVICE, &to_client);
            scene.inject(Side::Camera, APP, &to_device);
        }
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

#[test]
fn a_hijacked_port_gets_traffic_only_until_the_next_genuine_packet() {
    with_scene(combinations(), |scene, setup| {
        scene.connect();
        scene.run(Duration::from_millis(500));
        // An old packet from elsewhere moves nobody.
        let old = scene.client.heard.last().unwrap().1.clone();
        scene.inject(Side::App, MALLORY, &old);
        scene.run(Duration::from_millis(1));
        assert_eq!(scene.client.node.client.peer(), Some(addr(DEVICE)));
        // Someone on path takes genuine packets away and sends them from his own address.
        let stolen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let keep = stolen.clone();
        scene.client.edit = Some(Box::new(move |bytes| {
            let mut kept = keep.borrow_mut();
            let take = kept.len() < 2;
            if take {
                kept.push(bytes.clone());
            }
            !take
        }));
        while stolen.borrow().len() < 2 {
            scene.step();
        }
        let first = stolen.borrow()[0].clone();
        scene.inject(Side::App, MALLORY, &first);
        while scene.client.node.client.peer() != Some(addr(MALLORY)) {
            scene.step();
            assert!(scene.client.heard.len() < 10_000, "it is not believed");
        }
        while scene.client.node.client.peer() == Some(addr(MALLORY)) {
            scene.step();
        }
        assert!(scene.client.sent_to(MALLORY) <= 1, "{setup:?}");
        scene.run(Duration::from_secs(1));
        let arrived = scene.client.node.video.len();
        assert_eq!(scene.client.node.closed, None);
        assert_eq!(scene.client.node.client.peer(), Some(addr(DEVICE)));
        assert!(arrived > 20);
    });
}

#[test]
fn plaintext_data_and_strange_epochs_from_the_cameras_own_address_are_not_read() {
    with_scene(combinations(), |scene, setup| {
        scene.connect();
        let session = listen(scene).unwrap();
        let before = *scene.client.node.client.stats().dtls;
        let sent = scene.client.sent.len();
        let plain = (20..=26).map(|kind| record(kind, 0, &[1; 60]));
        let strange = [2, 3, 0x7fff, 0xffff].map(|epoch| record(23, epoch, &[0x5a; 40]));
        for record in plain.chain(strange) {
            scene.inject(
                Side::App,
                DEVICE,
                &packet(Direction::ToClient, 7, session, &record),
            );
        }
        // Only what arrives within this step: the camera's own frames come later.
        scene.run(Duration::from_millis(1));
        let stats = scene.client.node.client.stats().dtls;
        assert!(stats.rx_data - before.rx_data <= 2, "{setup:?}");
        // All eleven got as far as DTLS, and all but the ChangeCipherSpec are counted.
        let early = stats.rx_early - before.rx_early;
        let alerts = stats.rx_alert_ignored - before.rx_alert_ignored;
        let malformed = stats.rx_malformed - before.rx_malformed;
        let handshake = stats.rx_bad_handshake - before.rx_bad_handshake;
        let counted = [early, alerts, malformed, handshake];
        assert_eq!(counted, [5, 1, 3, 1], "{setup:?}");
        assert!(scene.client.sent.len() - sent <= 2, "{setup:?}");
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

/// Records of application data that were believed.
fn seen(scene: &Scene<'_>) -> u32 {
    scene.client.node.client.stats().dtls.rx_data
}

#[test]
fn truncated_and_overlong_copies_of_a_packet_change_nothing() {
    with_scene(combinations(), |scene, setup| {
        scene.connect();
        scene.run(Duration::from_millis(300));
        // Copies of a packet that has not arrived yet: he is faster than the camera.
        let next = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let keep = next.clone();
        scene.client.edit = Some(Box::new(move |bytes| {
            let first = keep.borrow().is_empty();
            if first {
                keep.borrow_mut().clone_from(bytes);
            }
            !first
        }));
        while next.borrow().is_empty() {
            scene.step();
        }
        let whole = next.borrow().clone();
        let (frames, before) = (scene.client.node.video.len(), seen(scene));
        for len in 0..whole.len() {
            scene.hand(Side::App, DEVICE, &whole[..len]);
        }
        for more in [1, 2, 13, 16, 100] {
            let mut longer = whole.clone();
            longer.resize(whole.len() + more, 0);
            if longer.len() <= 1400 {
                scene.hand(Side::App, DEVICE, &longer);
            }
        }
        // Nothing has come of them, and the packet itself is as good as ever.
        assert_eq!(scene.client.node.video.len(), frames, "{setup:?}");
        assert_eq!(seen(scene), before, "{setup:?}");
        scene.hand(Side::App, DEVICE, &whole);
        assert_eq!(seen(scene), before + 1, "{setup:?}");
        scene.assert_untouched(&format!("{setup:?}"));
    });
}

/// The first handshake message of a server.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [.., l0, l1] = (body.len() as u32).to_be_bytes();
    let header = [kind, 0, l0, l1, 0, 0, 0, 0, 0, 0, l0, l1];
    [&header[..], body].concat()
}

fn hello_verify_request() -> Vec<u8> {
    handshake(3, &[0xfe, 0xff, 4, 1, 2, 3, 4])
}

fn server_hello(suite: u16, random: [u8; 32]) -> Vec<u8> {
    let [s0, s1] = suite.to_be_bytes();
    handshake(2, &[&[0xfe, 0xfd], &random[..], &[0, s0, s1, 0]].concat())
}

#[test]
fn a_forged_hello_or_alert_in_the_handshake_can_end_that_attempt_and_nothing_else() {
    // He knows the session id and writes from the camera's address, before the camera does.
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let forged = [
        ("handshake_failure", ALERT, vec![2, 40]),
        ("internal_error", ALERT, vec![2, 80]),
        ("close_notify", ALERT, vec![1, 0]),
        ("fatal close_notify", ALERT, vec![2, 0]),
        ("HelloVerifyRequest", HANDSHAKE, hello_verify_request()),
        (
            "ServerHello, 0x00AE",
            HANDSHAKE,
            server_hello(0x00ae, [9; 32]),
        ),
        (
            "ServerHello, a random of his",
            HANDSHAKE,
            server_hello(0xccac, [9; 32]),
        ),
    ];
    for (name, kind, body) in forged {
        with_scene([Setup::default()], |scene, _| {
            scene.open();
            while listen(scene).is_none() {
                scene.step();
            }
            let session = listen(scene).unwrap();
            let record = record(kind, 0, &body);
            scene.inject(
                Side::App,
                DEVICE,
                &packet(Direction::ToClient, 7, session, &record),
            );
            scene.run(Duration::from_secs(15));
            let client = &scene.client.node;
            assert!(client.authenticated || client.closed.is_some(), "{name}");
            let secured = |p: &Phase| matches!(p, Phase::Secured { .. });
            assert_eq!(
                client.authenticated,
                client.phases.iter().any(secured),
                "{name}"
            );
        });
    }
}
