//! Every session ends with one `Closed` that names the cause, wherever the other side vanishes.

use std::time::Duration;

use tutk_iotc::AuthKey;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{LayerNode, World};
use wyze_session::kauth;
use wyze_session::{CameraConfig, CameraEvent, Cause, Cx, Datagram, Event, Framings, Instant};

use crate::common::{
    APP, CameraNode, ClientNode, DEVICE, Room, Show, addr, enr, mac, uid, with_pair,
};

const SILENCE: Faults = Faults {
    loss: 100,
    ..Faults::NONE
};

/// Cuts the network once `when` holds, and waits until both sides have noticed.
fn vanish(when: impl Fn(&ClientNode<'_>, usize) -> bool) -> (Option<Cause>, Option<Cause>) {
    let show = Show::new(200, 20, 20_000, 900);
    with_pair(3, Framings::TRANSCODE, show, |world, client, camera| {
        let mut steps = 0;
        while !when(client, steps) {
            assert!(world.step(&mut [client, camera]));
            steps += 1;
        }
        world.net.set_faults(SILENCE);
        let end = world.now + Duration::from_secs(60);
        world.run_until(end, &mut [client, camera]);
        // Whatever is called after the end changes nothing and tells nothing.
        let cx = &mut Cx::new(world.now, &mut world.rng);
        client.client.handle_timeout(cx);
        client.client.close();
        let mut bytes = [0u8; 100];
        let mut input = Datagram::new(addr(DEVICE), &mut bytes);
        assert!(client.client.handle_datagram(cx, &mut input).is_none());
        assert!(client.client.poll_event(cx).is_none());
        assert!(client.client.poll_transmit(cx, &mut [0; 1500]).is_none());
        assert_eq!(client.client.poll_timeout(), None);
        (client.told.closed, camera.closed)
    })
}

#[test]
fn wherever_the_other_side_vanishes_the_session_ends_and_says_why() {
    let mut causes = Vec::new();
    // After every single step of a connection, and then in the middle of the stream.
    for step in 0..60 {
        let (client, _) = vanish(|_, steps| steps == step);
        causes.push(client.unwrap_or_else(|| panic!("no end after step {step}")));
    }
    for cause in [
        Cause::NoAnswer,
        Cause::WrongKey,
        Cause::LoginTimeout,
        Cause::AuthTimeout,
        Cause::Lost,
    ] {
        assert!(causes.contains(&cause), "{cause:?} not among {causes:?}");
    }
    let (client, camera) = vanish(|client, _| client.video.len() == 10);
    assert_eq!(client, Some(Cause::Lost));
    assert_eq!(camera, Some(Cause::Lost));
}

#[test]
fn one_datagram_of_a_goodbye_frees_the_place_whichever_arrives() {
    // close_notify and three times 0x0417, or three times close_notify.
    for (framings, datagrams) in [(Framings::TRANSCODE, 4), (Framings::CC51, 3)] {
        for arrives in 0..datagrams {
            let show = Show::new(9, 1, 10, 10);
            with_pair(3, framings, show, |world, client, camera| {
                while !client.authenticated {
                    assert!(world.step(&mut [client, camera]));
                }
                client.client.close();
                let mut goodbye = Vec::new();
                let cx = &mut Cx::new(world.now, &mut world.rng);
                let mut buf = [0; 1500];
                while let Some(t) = client.client.poll_transmit(cx, &mut buf) {
                    goodbye.push(t.datagram.to_vec());
                }
                assert_eq!(goodbye.len(), datagrams, "{framings:?}");
                let told = client.client.poll_event(cx);
                assert!(matches!(told, Some(Event::Closed(Cause::Local))));
                let mut input = Datagram::new(addr(APP), &mut goodbye[arrives]);
                assert!(camera.camera.handle_datagram(cx, &mut input).is_none());
                while camera.camera.poll_transmit(cx, &mut buf).is_some() {}
                let told = camera.camera.poll_event(cx);
                assert!(
                    matches!(told, Some(CameraEvent::Closed(Cause::Peer))),
                    "{framings:?}, datagram {arrives}: {told:?}"
                );
            });
        }
    }
}

#[test]
fn a_viewer_that_never_proves_the_key_frees_its_place() {
    let mut world = World::new(5, Net::new(5, Faults::NONE));
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = CameraConfig::new(uid(), &enr, &mac);
    let mut camera = CameraNode::new(&config, &mut room, Show::new(1, 1, 10, 10), cx);
    // It opens an IOTC session, answers every alive, and that is all.
    let targets = [addr(DEVICE)];
    let key = AuthKey::new(kauth::auth_key(&enr, &mac));
    let config = tutk_iotc::ClientConfig::new(uid(), key, &targets);
    let client = tutk_iotc::Client::new(&config, cx);
    let mut idler = LayerNode::new(client, addr(APP), addr(DEVICE), |_, _, _| {});
    let end = Instant::from_millis(15_000);
    world.run_until(end, &mut [&mut camera, &mut idler]);
    assert!(camera.camera.peer().is_some() && camera.closed.is_none());
    let end = Instant::from_millis(25_000);
    world.run_until(end, &mut [&mut camera, &mut idler]);
    assert_eq!(camera.closed, Some(Cause::AuthTimeout));
}

#[test]
fn a_connection_that_takes_longer_than_a_login_may_take_still_logs_in() {
    let show = Show::new(1, 1, 10, 10);
    with_pair(7, Framings::TRANSCODE, show, |world, client, camera| {
        // Found late, and then silent for most of what the handshake may take.
        world.net.set_faults(SILENCE);
        world.run_until(Instant::from_millis(4_000), &mut [client, camera]);
        world.net.set_faults(Faults::NONE);
        while client.phases.len() < 2 {
            assert!(world.step(&mut [client, camera]));
        }
        world.net.set_faults(SILENCE);
        let late = world.now + Duration::from_secs(6);
        world.run_until(late, &mut [client, camera]);
        world.net.set_faults(Faults::NONE);
        let end = world.now + Duration::from_secs(10);
        world.run_until(end, &mut [client, camera]);
        assert!(client.authenticated, "{:?}", client.closed);
    });
}

#[test]
fn a_transmit_buffer_that_is_too_small_ends_a_session_and_says_so() {
    // For the search, and for a record in the middle of a session.
    for connected in [false, true] {
        let show = Show::new(2, 2, 100, 100);
        with_pair(3, Framings::TRANSCODE, show, |world, client, camera| {
            while connected && !client.authenticated {
                assert!(world.step(&mut [client, camera]));
            }
            let cx = &mut Cx::new(world.now, &mut world.rng);
            let asked = client.client.request_with(cx, true, |w| {
                let code = kauth::Code(10_620);
                kauth::hl::write(w, 36, code, |_| {});
                code
            });
            assert_eq!(asked.is_ok(), connected);
            assert!(client.client.poll_transmit(cx, &mut [0; 20]).is_none());
            let told = client.client.poll_event(cx);
            assert!(
                matches!(told, Some(Event::Closed(Cause::BufferTooSmall))),
                "{told:?}"
            );
        });
    }
}

#[test]
fn a_camera_that_ends_for_want_of_room_says_goodbye_in_the_same_call() {
    let show = Show::new(2, 2, 100, 100);
    with_pair(3, Framings::TRANSCODE, show, |world, client, camera| {
        while !client.authenticated {
            assert!(world.step(&mut [client, camera]));
        }
        let cx = &mut Cx::new(world.now, &mut world.rng);
        while camera.camera.poll_transmit(cx, &mut [0; 1500]).is_some() {}
        assert!(camera.camera.reply(kauth::Code(11_001), &[7; 600]));
        // Room for a goodbye, and none for the reply.
        let mut buf = [0; 200];
        assert!(camera.camera.poll_transmit(cx, &mut buf).is_some());
        while camera.camera.poll_transmit(cx, &mut buf).is_some() {}
        let told = camera.camera.poll_event(cx);
        assert!(
            matches!(told, Some(CameraEvent::Closed(Cause::BufferTooSmall))),
            "{told:?}"
        );
    });
}
