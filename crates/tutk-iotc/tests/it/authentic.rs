//! CC51 packets with a right HMAC, and what they may bring about.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tutk_core::{Cx, Instant};
use tutk_iotc::wire::{self, cc51};
use tutk_iotc::{Client, ClientConfig, Device, DeviceConfig, Framing, Framings};
use zerocopy::IntoBytes;

use crate::common::{FixedRng, KEY, Net, Seen, Side, UID, addr, drain, give, key, plain, uid};

const APP: &str = "192.0.2.1:50000";
const CAMERA: &str = "192.0.2.77:39099";
const ELSEWHERE: &str = "192.0.2.66:1";
const SID: [u8; 8] = *b"session1";

fn signed(body: &cc51::SearchBody) -> Vec<u8> {
    let key = [UID.as_bytes(), &KEY].concat();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(body.as_bytes());
    [body.as_bytes(), &mac.finalize().into_bytes()].concat()
}

fn step(step: u16, ticket: [u8; 2], sid: [u8; 8]) -> Vec<u8> {
    signed(&cc51::SearchBody::new(step, ticket, sid))
}

/// A step with the direction field of the other side.
fn reversed(step: u16, ticket: [u8; 2]) -> Vec<u8> {
    let mut body = cc51::SearchBody::new(step, ticket, SID);
    let direction = body.header.direction.get();
    body.header.direction = (direction ^ cc51::REPLY).into();
    signed(&body)
}

/// A camera and what it draws tickets from.
struct Camera {
    device: Device,
    rng: FixedRng,
}

impl Camera {
    fn new(framings: Framings, tickets: &[u8]) -> Self {
        let mut config = DeviceConfig::new(uid(), key());
        config.framings = framings;
        let mut rng = FixedRng::new(tickets);
        let device = Device::new(&config, &mut Cx::new(Instant::ZERO, &mut rng));
        Self { device, rng }
    }

    /// What it makes of a datagram, and the step and ticket of its answer.
    fn hears(&mut self, from: &str, bytes: &[u8]) -> (Option<Seen>, Option<(u8, [u8; 2])>) {
        let mut cx = Cx::new(Instant::ZERO, &mut self.rng);
        let event = give(&mut self.device, &mut cx, addr(from), bytes).unwrap();
        let answers = drain(&mut self.device, &mut cx);
        assert!(answers.len() <= 1);
        let answer = answers.first().map(|(to, b)| {
            assert_eq!(*to, addr(from));
            (b[12], [b[14], b[15]])
        });
        (event, answer)
    }
}

#[test]
fn a_ticket_is_of_one_client_and_one_session() {
    let mut camera = Camera::new(Framings::CC51, &[9, 9, 8, 8, 7, 7]);
    for (from, sid, ticket) in [
        (APP, SID, [9, 9]),
        (APP, SID, [9, 9]),
        (ELSEWHERE, SID, [8, 8]),
        (ELSEWHERE, *b"session2", [7, 7]),
        // Nothing but zeros is left, and a ticket of zeros means that there is none.
        (APP, SID, [1, 0]),
    ] {
        let answer = camera.hears(from, &step(0, [0; 2], sid)).1;
        assert_eq!(answer, Some((1, ticket)), "{from} {sid:?}");
    }
}

#[test]
fn a_session_opens_for_whom_the_ticket_was_made_and_for_nobody_else() {
    let mut camera = Camera::new(Framings::CC51, &[9, 9]);
    assert_eq!(camera.hears(APP, &step(2, [0; 2], SID)), (None, None));
    camera.hears(APP, &step(0, [0; 2], SID));
    for (from, ticket, sid) in [
        (ELSEWHERE, [9, 9], SID),
        (APP, [9, 8], SID),
        (APP, [9, 9], *b"session2"),
    ] {
        assert_eq!(camera.hears(from, &step(2, ticket, sid)), (None, None));
    }
    assert_eq!(camera.device.stats().rx_foreign_session, 4);
    let open = Some(Seen::Open(Framing::Cc51));
    let granted = Some((3, [9, 9]));
    assert_eq!(camera.hears(APP, &step(2, [9, 9], SID)), (open, granted));
    // Bound: the same again is answered again, another ticket is not.
    assert_eq!(camera.hears(APP, &step(2, [9, 9], SID)), (None, granted));
    assert_eq!(camera.hears(APP, &step(2, [9, 8], SID)), (None, None));
    assert_eq!(camera.device.stats().rx_foreign_session, 5);
}

#[test]
fn a_camera_leaves_the_steps_of_cameras_alone() {
    let mut camera = Camera::new(Framings::CC51, &[9, 9]);
    for packet in [
        step(1, [0; 2], SID),
        step(4, [0; 2], SID),
        reversed(0, [0; 2]),
        reversed(1, [0; 2]),
    ] {
        assert_eq!(camera.hears(APP, &packet), (None, None));
    }
    assert_eq!(camera.device.stats().rx_unexpected, 4);
}

#[test]
fn a_framing_that_a_camera_does_not_speak_is_silence() {
    let mut camera = Camera::new(Framings::TRANSCODE, &[9, 9]);
    assert_eq!(camera.hears(APP, &step(0, [0; 2], SID)), (None, None));
    let mut other = Camera::new(Framings::CC51, &[]);
    let uid = *uid().as_bytes();
    let way = wire::Direction::ToDevice;
    let search = wire::Search::new(uid, SID, wire::STAGE_SEARCH, KEY);
    let ask = wire::Session::new(way, uid, SID);
    for packet in [search.as_bytes(), ask.as_bytes()] {
        let mut packet = packet.to_vec();
        tutk_transcode::encode(&mut packet);
        assert_eq!(other.hears(APP, &packet), (None, None));
    }
    assert_eq!(camera.device.stats().rx_unexpected, 1);
    assert_eq!(other.device.stats().rx_unexpected, 2);

    // Nor does the session of one framing answer a request in the other.
    let mut both = Camera::new(Framings::BOTH, &[9, 9]);
    both.hears(APP, &step(0, [0; 2], SID));
    both.hears(APP, &step(2, [9, 9], SID));
    let mut packet = ask.as_bytes().to_vec();
    tutk_transcode::encode(&mut packet);
    assert_eq!(both.hears(APP, &packet), (None, None));
    assert_eq!(both.device.framing(), Some(Framing::Cc51));
    assert_eq!(both.device.stats().rx_unexpected, 1);
}

fn client(framings: Framings) -> Client {
    let targets = [addr(CAMERA)];
    let mut config = ClientConfig::new(uid(), key(), &targets);
    config.framings = framings;
    let mut rng = FixedRng::new(&SID);
    Client::new(&config, &mut Cx::new(Instant::ZERO, &mut rng))
}

fn hears(client: &mut Client, from: &str, bytes: &[u8]) -> Option<Seen> {
    let mut rng = FixedRng::new(&[]);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    give(client, cx, addr(from), bytes).unwrap()
}

#[test]
fn a_client_takes_a_grant_of_the_ticket_that_it_was_offered_last() {
    let mut client = client(Framings::BOTH);
    assert_eq!(hears(&mut client, CAMERA, &step(3, [9, 9], SID)), None);
    let found = Seen::Found(addr(CAMERA), Framing::Cc51);
    let offer = |ticket| step(1, ticket, SID);
    assert_eq!(hears(&mut client, CAMERA, &offer([8, 8])), Some(found));
    assert_eq!(hears(&mut client, CAMERA, &offer([8, 8])), None, "no news");
    assert_eq!(client.stats().rx_unexpected, 1);
    assert_eq!(hears(&mut client, CAMERA, &offer([9, 9])), None, "a ticket");
    assert_eq!(hears(&mut client, CAMERA, &step(3, [8, 8], SID)), None);
    assert_eq!(client.stats().rx_foreign_session, 2);
    let open = Some(Seen::Open(Framing::Cc51));
    assert_eq!(hears(&mut client, CAMERA, &step(3, [9, 9], SID)), open);
    assert_eq!(hears(&mut client, CAMERA, &step(3, [9, 9], SID)), None);
    assert_eq!(client.stats().rx_unexpected, 2, "open already");
    assert_eq!(client.stats().rx_foreign_session, 2);
}

#[test]
fn a_client_leaves_what_it_did_not_ask_for_alone() {
    let mut old = client(Framings::TRANSCODE);
    assert_eq!(hears(&mut old, CAMERA, &step(1, [9, 9], SID)), None);
    assert_eq!((old.stats().rx_unexpected, old.peer()), (1, None));
    let mut client = client(Framings::CC51);
    for packet in [
        reversed(1, [9, 9]),
        reversed(3, [9, 9]),
        reversed(0, [9, 9]),
    ] {
        assert_eq!(hears(&mut client, CAMERA, &packet), None);
    }
    assert_eq!((client.stats().rx_unexpected, client.peer()), (3, None));
    let mut found = wire::SearchReply::new(*uid().as_bytes(), SID)
        .as_bytes()
        .to_vec();
    tutk_transcode::encode(&mut found);
    assert_eq!(hears(&mut client, CAMERA, &found), None);
    assert_eq!((client.stats().rx_unexpected, client.peer()), (4, None));
}

#[test]
fn the_first_camera_that_answers_is_the_one_that_is_asked() {
    let mut client = client(Framings::TRANSCODE);
    let mut found = wire::SearchReply::new(*uid().as_bytes(), SID)
        .as_bytes()
        .to_vec();
    tutk_transcode::encode(&mut found);
    let first = Seen::Found(addr(CAMERA), Framing::TransCode);
    assert_eq!(hears(&mut client, CAMERA, &found), Some(first));
    assert_eq!(hears(&mut client, ELSEWHERE, &found), None);
    assert_eq!(client.stats().rx_unexpected, 1);
    assert_eq!(client.peer(), Some(addr(CAMERA)));
    // It may grant the session from another address, if it shows that it knows it.
    let way = wire::Direction::ToClient;
    let mut granted = wire::Session::new(way, *uid().as_bytes(), SID)
        .as_bytes()
        .to_vec();
    tutk_transcode::encode(&mut granted);
    let open = Some(Seen::Open(Framing::TransCode));
    assert_eq!(hears(&mut client, ELSEWHERE, &granted), open);
    assert_eq!(client.peer(), Some(addr(ELSEWHERE)));
}

#[test]
fn a_silent_session_is_not_ended_by_the_search_of_a_stranger() {
    for framing in [Framings::TRANSCODE, Framings::CC51] {
        let mut net = Net::open(23, framing);
        net.loss = 100;
        net.run(Duration::from_secs(5));
        let search = if framing == Framings::CC51 {
            step(0, [0; 2], SID)
        } else {
            let mut search = wire::Search::new(*uid().as_bytes(), SID, wire::STAGE_SEARCH, KEY)
                .as_bytes()
                .to_vec();
            tutk_transcode::encode(&mut search);
            assert_eq!(plain(&search)[64], wire::STAGE_SEARCH);
            search
        };
        net.sent.clear();
        net.deliver(Side::Device, addr(ELSEWHERE), &search);
        assert!(net.device.is_bound());
        assert_eq!(net.device.stats().rx_refused, 1);
        assert_eq!((net.seen, net.sent), (vec![], vec![]));
    }
}

#[test]
fn a_camera_that_answered_in_both_framings_has_the_whole_limit_to_confirm_over_cc51() {
    let mut config = DeviceConfig::new(uid(), key());
    config.accept = false;
    let mut net = Net::with(24, Framings::BOTH, &config);
    net.run(Duration::from_secs(4));
    let found = |framing| (Side::Client, Seen::Found(net.device_at, framing));
    let both = [found(Framing::TransCode), found(Framing::Cc51)];
    assert_eq!(net.seen, both, "and not open after two seconds");
    net.run(Duration::from_secs(6));
    assert_eq!(net.seen.len(), 2);
    let failed = net.failed.iter().map(|(_, side, e)| (*side, *e));
    let refused = (Side::Client, tutk_iotc::Error::NotConfirmed);
    assert_eq!(failed.collect::<Vec<_>>(), [refused]);
}

#[test]
fn once_secured_a_request_from_elsewhere_is_not_answered() {
    for framing in [Framings::TRANSCODE, Framings::CC51] {
        let mut net = Net::new(25, framing, framing);
        net.run(Duration::from_secs(1));
        let request = net.sent[0].1.clone();
        net.device.set_secured(true);
        let bad = |net: &Net| net.device.stats().rx_bad_source;
        for (from, strangers) in [(net.client_at, 0), (addr(ELSEWHERE), 1)] {
            net.sent.clear();
            net.deliver(Side::Device, from, &request);
            assert_eq!(bad(&net), strangers);
            assert_eq!(net.sent.len(), 1 - strangers as usize);
            assert_eq!(net.device.peer(), Some(net.client_at));
        }
    }
}
