//! What both ends say of themselves when they are asked, and what they do about messages that nobody asked for.

use std::time::Duration;

use tutk_av::{Initiator, LoginConfig, Responder, ResponderConfig};
use tutk_core::wire::Writer;
use tutk_core::{Layer, TxBuf};
use tutk_iotc::wire::{self, DataHeader, Direction, Packet};
use tutk_testkit::net::Faults;
use tutk_testkit::pump::Node;
use wyze_session::kauth::command::Media;
use wyze_session::kauth::{Code, hl};
use wyze_session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, Cause, Client, ClientConfig, Codec, Cx,
    Framing, Framings, Generation, Instant, Phase, Stream, TalkEnd, TalkError, TalkFrame,
};
use zerocopy::IntoBytes;

use crate::commands;
use crate::common::*;
use crate::plain::{Pair, SILENCE, Setup, with_pair};

const SECOND: Duration = Duration::from_secs(1);
const ANY: LoginConfig<'static> = LoginConfig {
    user: b"admin",
    password: b"",
    resend: false,
};

#[test]
fn both_ends_say_how_far_they_are() {
    let mut rng = tutk_testkit::rng(1);
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let (mut room1, mut room2) = (Room::new(0, 0), Room::new(0, 0));
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let client = Client::new(
        &ClientConfig::new(uid(), &enr, &mac, &[]),
        room1.storage(),
        cx,
    );
    assert!(!client.is_authenticated());
    assert_eq!((client.protocol(), client.closed()), (0, None));
    let camera = Camera::new(&CameraConfig::new(uid(), &enr, &mac), room2.storage(), cx);
    assert!(camera.is_idle() && !camera.is_authenticated() && !camera.wants(Stream::Video));
    assert_eq!(camera.framing(), None);

    commands::with_pair(Faults::NONE, |world, client, camera| {
        assert!(client.client.is_authenticated() && camera.camera.is_authenticated());
        assert_eq!(
            client.client.protocol(),
            CameraConfig::new(uid(), &enr, &mac).info.protocol
        );
        assert_eq!(client.client.closed(), None);
        assert!(!camera.camera.is_idle());
        assert_eq!(camera.camera.framing(), Some(Framing::TransCode));
        assert_eq!(camera.logins, 1);
        // No media are wanted, so time alone makes the session one of use.
        for media in [Media::Video, Media::Audio] {
            let cx = &mut Cx::new(world.now, &mut world.rng);
            client.client.enable(cx, media, false).unwrap();
        }
        let later = world.now + 3 * SECOND;
        world.run_until(later, &mut [client, camera]);
        assert!(client.client.healthy(world.now) >= 3 * SECOND);
        client.client.close();
        assert_eq!(client.client.closed(), None, "the goodbye has not gone out");
        let cx = &mut Cx::new(world.now, &mut world.rng);
        let mut buf = [0; 1500];
        while let Some((_, datagram)) = client.transmit(cx, &mut buf) {
            camera.receive(cx, addr(APP), &mut datagram.to_vec());
        }
        assert_eq!(client.client.closed(), Some(Cause::Local));
        assert!(!camera.camera.wants(Stream::Video) && !camera.camera.wants(Stream::Audio));
        assert!(!camera.camera.is_idle(), "its end has not been fetched");
    });
}

#[test]
fn a_camera_claims_what_bears_the_session_id_of_its_viewer() {
    commands::with_pair(Faults::NONE, |world, client, camera| {
        let cx = &mut Cx::new(world.now, &mut world.rng);
        client.client.enable(cx, Media::Audio, true).unwrap();
        let mut buf = [0; 1500];
        let (_, datagram) = client.transmit(cx, &mut buf).unwrap();
        assert!(camera.camera.claims(datagram));
        let mut other = datagram.to_vec();
        tutk_transcode::decode(&mut other);
        other[20] ^= 1; // its session id
        tutk_transcode::encode(&mut other);
        assert!(!camera.camera.claims(&other));
        assert!(!camera.camera.claims(b"something else"));
    });
}

#[test]
fn the_end_of_a_camera_is_told_after_its_goodbye() {
    commands::with_pair(Faults::NONE, |world, _, camera| {
        let cx = &mut Cx::new(world.now, &mut world.rng);
        camera.camera.close();
        assert!(camera.camera.poll_event(cx).is_none());
        assert!(!camera.camera.wants(Stream::Video));
        let mut goodbyes = 0;
        while camera.camera.poll_transmit(cx, &mut [0; 1500]).is_some() {
            assert!(camera.camera.poll_event(cx).is_none());
            goodbyes += 1;
        }
        assert!(goodbyes >= 2, "close_notify and IOTC close");
        let told = camera.camera.poll_event(cx);
        assert!(matches!(told, Some(CameraEvent::Closed(Cause::Local))));
        assert!(camera.camera.poll_event(cx).is_none(), "once");
    });
}

#[test]
fn requests_of_different_codes_do_not_wait_for_each_other() {
    commands::with_pair(Faults::NONE, |world, client, camera| {
        let before = camera.commands.len();
        world.net.set_faults(Faults {
            latency: Duration::from_millis(200),
            ..Faults::NONE
        });
        for code in [10_620, 10_640, 10_660].map(Code) {
            let write = |w: &mut Writer<'_>| {
                hl::write(w, hl::CLIENT_VERSION, code, |_| {});
                code
            };
            let cx = &mut Cx::new(world.now, &mut world.rng);
            client.client.request_with(cx, true, write).unwrap();
        }
        let later = world.now + Duration::from_millis(300);
        world.run_until(later, &mut [client, camera]);
        assert_eq!(
            camera.commands.len() - before,
            3,
            "all before the first answer"
        );
    });
}

#[test]
fn a_viewer_searches_in_the_framings_it_is_told_to() {
    for (framings, old, new) in [
        (Framings::TRANSCODE, true, false),
        (Framings::CC51, false, true),
        (Framings::BOTH, true, true),
    ] {
        let mut rng = tutk_testkit::rng(1);
        let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
        let mut room = Room::new(0, 0);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let config = ClientConfig {
            framings,
            ..ClientConfig::new(uid(), &enr, &mac, &targets)
        };
        let mut client = Client::new(&config, room.storage(), cx);
        let (mut seen, mut buf) = ((false, false), [0; 1500]);
        for _ in 0..100 {
            while let Some(t) = client.poll_transmit(cx, &mut buf) {
                match wire::open(&mut t.datagram.to_vec()) {
                    Ok(Packet::Cc51(_)) => seen.1 = true,
                    _ => seen.0 = true,
                }
            }
            cx.now += Duration::from_millis(50);
            client.handle_timeout(cx);
        }
        assert_eq!(seen, (old, new));
    }
}

/// A message of the camera's on the main channel, without DTLS.
fn from_camera(pair: &mut Pair<'_, '_>, message: &[u8]) {
    let sid = pair
        .sent
        .iter()
        .rev()
        .find_map(|d| match wire::open(&mut d.clone()) {
            Ok(Packet::Data { header, .. }) => Some(header.sid),
            _ => None,
        });
    let sid = sid.expect("the session is open");
    let header = DataHeader::new(Direction::ToClient, false, 7, 0, sid, message.len()).unwrap();
    let mut bytes = [header.as_bytes(), message].concat();
    tutk_transcode::encode(&mut bytes);
    let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
    pair.client.receive(cx, addr(DEVICE), &mut bytes);
}

/// Puts IOCTRLs of a camera's into messages.
struct Sender(Responder<'static>);

impl Sender {
    fn new(generation: Generation) -> Self {
        let mut rng = tutk_testkit::rng(9);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut av = Responder::new(&ResponderConfig::default(), &mut [], cx);
        av.set_generation(generation);
        // Beyond the numbers of the camera's own.
        for _ in 0..1000 {
            av.ioctl_ticket();
        }
        Self(av)
    }

    /// The messages of one K-command; and again with `ticket`.
    fn command(&mut self, code: u16, body: &[u8], times: usize) -> Vec<Vec<u8>> {
        // Longer than what we write ourselves.
        let mut payload = vec![b'H', b'L', 36, 0];
        payload.extend(code.to_le_bytes());
        payload.extend((body.len() as u32).to_le_bytes());
        payload.extend([0; 6]);
        payload.extend(body);
        let ticket = self.0.ioctl_ticket();
        let parts = tutk_av::IoctlTicket::fragments(payload.len()) as u16;
        let one = |index: u16| {
            let mut memory = [0; 1500];
            let mut tx = TxBuf::new(&mut memory);
            self.0
                .write_ioctl(ticket.fragment(index), &payload, &mut tx)
                .unwrap();
            tx.finish().to_vec()
        };
        let all: Vec<_> = (0..parts).map(one).collect();
        (0..times).flat_map(|_| all.clone()).collect()
    }
}

/// A session without DTLS, let in, and who speaks for its camera.
fn with_forger(then: impl FnOnce(&mut Pair<'_, '_>, &mut Sender)) {
    with_pair(5, &Setup::new(Generation::Session25), |pair| {
        pair.run_until(|pair| pair.client.authenticated);
        pair.run_for(SECOND);
        then(pair, &mut Sender::new(Generation::Session25));
    });
}

#[test]
fn a_k_command_that_nobody_asked_for_is_told_once_unless_it_answers_the_session_itself() {
    with_forger(|pair, sender| {
        for (code, told) in [
            (10_057, 1),
            (10_021, 1),
            (10_001, 0), // the challenge is over
            (10_003, 0),
            (10_011, 0), // media are switched by request only
        ] {
            let before = pair.client.messages;
            for message in sender.command(code, b"{}", 2) {
                from_camera(pair, &message);
            }
            assert_eq!(pair.client.messages - before, told, "{code}");
        }
        assert_eq!(pair.client.closed, None);
    });
}

#[test]
fn a_reply_of_several_packets_is_told_once_it_is_whole() {
    with_forger(|pair, sender| {
        let body: Vec<u8> = (0..1800u32).map(|i| i as u8).collect();
        let ask = |pair: &mut Pair<'_, '_>| {
            pair.cx(|client, cx| {
                let write = |w: &mut Writer<'_>| {
                    hl::write(w, hl::CLIENT_VERSION, Code(10_620), |w| w.bytes(b"?"));
                    Code(10_620)
                };
                client.client.request_with(cx, true, write).unwrap();
                let mut buf = [0; 1500];
                while client.transmit(cx, &mut buf).is_some() {}
            });
        };
        for _ in 0..2 {
            ask(pair);
            let before = pair.client.replies.len();
            let mut messages = sender.command(10_621, &body, 1);
            let last = messages.pop().unwrap();
            for message in messages {
                from_camera(pair, &message);
            }
            assert_eq!(pair.client.replies.len(), before);
            from_camera(pair, &last);
            assert_eq!(pair.client.replies.len(), before + 1);
            assert_eq!(pair.client.replies[before], (10_621, body.clone()));
        }
        // Nobody asks for a third.
        for message in sender.command(10_621, &body, 1) {
            from_camera(pair, &message);
        }
        assert_eq!((pair.client.replies.len(), pair.client.messages), (2, 1));
        assert_eq!(pair.client.client.protocol(), 36);
    });
}

/// An AV message that is no answer to a login, and one of an unknown type.
fn no_answers() -> [Vec<u8>; 2] {
    [
        hex::decode("0010000000000000").unwrap(),
        hex::decode("0014000000000000").unwrap(),
    ]
}

#[test]
fn only_an_answer_to_our_login_makes_a_session_one_without_dtls() {
    for generation in [Generation::Session25, Generation::Session16] {
        with_pair(3, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
            pair.world.net.set_faults(SILENCE);
            pair.run_for(2 * SECOND);
            assert!(pair.plain_payloads() > 0, "the login is out");
            assert_eq!(pair.client.client.plain(), None);
            let reply = {
                let mut rng = tutk_testkit::rng(77);
                let cx = &mut Cx::new(Instant::ZERO, &mut rng);
                let mut app = Initiator::new(&ANY, &mut [], cx);
                let mut memory = [0; 1500];
                let mut tx = TxBuf::new(&mut memory);
                app.poll_transmit(cx, &mut tx).unwrap();
                tx.finish().to_vec()
            };
            for message in no_answers().into_iter().chain([reply]) {
                from_camera(pair, &message);
            }
            assert!(
                !pair
                    .client
                    .phases
                    .iter()
                    .any(|p| matches!(p, Phase::Plain { .. }))
            );
            assert_eq!(pair.client.client.plain(), None);
            pair.world.net.set_faults(Faults::NONE);
            pair.run_until(|pair| pair.client.authenticated);
            assert_eq!(pair.client.client.plain(), Some(generation));
        });
    }
}

#[test]
fn a_camera_that_speaks_av_messages_is_asked_without_dtls_at_once_and_else_after_1500_ms() {
    let [known, unknown] = no_answers();
    for (message, at_once) in [(known, true), (unknown, false), (vec![1, 2, 3], false)] {
        with_pair(3, &Setup::new(Generation::Dtls), |pair| {
            pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
            pair.world.net.set_faults(SILENCE);
            let open = pair.world.now;
            pair.run_for(Duration::from_millis(100));
            assert_eq!(pair.plain_payloads(), 0);
            from_camera(pair, &message);
            pair.run_for(Duration::from_millis(10));
            assert_eq!(pair.plain_payloads() > 0, at_once);
            let limit = open + Duration::from_millis(1499);
            pair.run_for(limit - pair.world.now);
            assert_eq!(pair.plain_payloads() > 0, at_once);
            pair.run_for(Duration::from_millis(1));
            assert!(pair.plain_payloads() > 0);
        });
    }
}

#[test]
fn a_camera_that_closes_before_the_handshake_was_not_of_another_key() {
    with_pair(3, &Setup::new(Generation::Dtls), |pair| {
        pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
        pair.camera.camera.close();
        pair.run_for(3 * SECOND);
        assert_eq!(pair.client.closed, Some(Cause::Peer));
    });
}

#[test]
fn a_viewer_comes_back_to_where_it_was_let_in() {
    with_pair(3, &Setup::new(Generation::Dtls), |pair| {
        pair.run_until(|pair| pair.client.authenticated);
        pair.client.client.close();
        pair.run_for(12 * SECOND);
        assert_eq!(pair.client.closed, Some(Cause::Local));
        let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
        let config = ClientConfig::new(uid(), &enr, &mac, &[]);
        pair.cx(|client, cx| client.client.restart(&config, cx));
        let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
        pair.camera.camera.reset(cx);
        pair.client.told = Told::default();
        pair.run_until(|pair| pair.client.phases.len() == 1);
        let found = pair.client.phases[0];
        assert!(matches!(found, Phase::Found { from, .. } if from == addr(DEVICE)));
    });
}

#[test]
fn a_frame_of_talk_has_at_most_984_bytes_in_session16() {
    with_pair(3, &Setup::new(Generation::Session16), |pair| {
        pair.run_until(|pair| pair.client.authenticated);
        pair.cx(|node, cx| node.client.start_talk(cx)).unwrap();
        pair.run_until(|pair| pair.client.talks == 1);
        let data = [7; 985];
        for (len, result) in [(985, Err(TalkError::TooLarge { max: 984 })), (984, Ok(()))] {
            let frame = TalkFrame {
                codec: Codec::Pcmu,
                format: AudioFormat {
                    sample_rate: 8000,
                    bits: 16,
                    channels: 1,
                },
                micros: 0,
                data: &data[..len],
            };
            let sent = pair.cx(|node, cx| {
                let mut buf = [0; 1500];
                node.client.send_audio(cx, &frame, &mut buf).map(|_| ())
            });
            assert_eq!(sent, result);
        }
    });
}

#[test]
fn a_switch_of_talk_that_nobody_answers_ends_it_after_five_seconds() {
    with_pair(3, &Setup::new(Generation::Dtls), |pair| {
        pair.run_until(|pair| pair.client.authenticated);
        pair.world.net.set_faults(SILENCE);
        pair.cx(|node, cx| node.client.start_talk(cx)).unwrap();
        pair.run_for(Duration::from_millis(4900));
        assert_eq!(pair.client.talk_ends, []);
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.client.talk_ends, [TalkEnd::NoReply]);
    });
}

#[test]
fn a_talk_that_a_session_ended_with_is_forgotten_by_the_next() {
    for goodbye in [true, false] {
        with_pair(3, &Setup::new(Generation::Dtls), |pair| {
            pair.run_until(|pair| pair.client.authenticated);
            pair.cx(|node, cx| node.client.start_talk(cx)).unwrap();
            pair.run_until(|pair| pair.client.talks == 1);
            if goodbye {
                pair.client.client.close();
                pair.run_for(2 * SECOND);
                assert_eq!(pair.client.closed, Some(Cause::Local));
            }
            let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
            let config = ClientConfig::new(uid(), &enr, &mac, &targets);
            pair.cx(|client, cx| client.client.restart(&config, cx));
            let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
            pair.camera.camera.reset(cx);
            pair.camera.heard = Heard::default();
            pair.client.told = Told::default();
            pair.run_until(|pair| pair.client.authenticated);
            pair.cx(|node, cx| node.client.start_talk(cx)).unwrap();
            pair.run_until(|pair| pair.client.talks == 1);
            let ends = (pair.client.talk_ends.len(), pair.camera.heard.ends.len());
            assert_eq!(ends, (0, 0), "goodbye: {goodbye}");
        });
    }
}

#[test]
fn a_session_whose_last_confirmation_is_lost_opens_and_says_so() {
    with_pair(3, &Setup::new(Generation::Dtls), |pair| {
        pair.run_until(|pair| !pair.client.phases.is_empty());
        pair.world.net.set_faults(SILENCE);
        pair.run_for(3 * SECOND);
        let told = (&pair.client.phases[..], pair.client.closed);
        assert!(
            matches!(told, ([Phase::Found { .. }, Phase::Open], None)),
            "{told:?}"
        );
    });
}
