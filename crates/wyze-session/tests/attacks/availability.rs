//! Floods, places that strangers take, and how much a camera says to whom.

use std::time::Duration;

use tutk_core::Layer;
use tutk_core::TxBuf;
use tutk_dtls::{ClientConfig as DtlsConfig, Psk, RECOMMENDED_REASSEMBLY};
use tutk_iotc::wire::{Control, Direction, STAGE_SEARCH, Search, SearchHead, Session};
use tutk_testkit::pump::Node;
use wyze_session::{Camera, CameraConfig, Cause, Cx, Instant, Suites, kauth};
use zerocopy::{FromBytes, IntoBytes};

use crate::common::{APP, CameraNode, DEVICE, Room, Show, addr, enr, mac, uid};
use crate::scene::{ENR, MALLORY, Setup, Side, Tapped, overheard, packet, scrambled, with_scene};

fn auth_key() -> [u8; 8] {
    kauth::auth_key(&enr(ENR), &mac())
}

fn search(sid: [u8; 8]) -> Search {
    Search::new(*uid().as_bytes(), sid, STAGE_SEARCH, auth_key())
}

fn session(sid: [u8; 8]) -> Vec<u8> {
    scrambled(Session::new(Direction::ToDevice, *uid().as_bytes(), sid).as_bytes())
}

/// A camera with nothing but strangers around.
fn with_camera(change: impl FnOnce(&mut CameraConfig<'_>), then: impl FnOnce(&mut Lonely<'_>)) {
    let (enr, mac) = (enr(ENR), mac());
    let mut config = CameraConfig::new(uid(), &enr, &mac);
    change(&mut config);
    let mut room = Room::new(0, 0);
    let mut rng = tutk_testkit::rng(4);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let camera = CameraNode::new(&config, &mut room, Show::new(1, 1, 10, 10), cx);
    then(&mut Lonely {
        camera: Tapped::new(camera),
        now: Instant::ZERO,
        rng: tutk_testkit::rng(5),
    });
}

struct Lonely<'m> {
    camera: Tapped<CameraNode<'m>>,
    now: Instant,
    rng: rand_chacha::ChaCha8Rng,
}

impl Lonely<'_> {
    fn camera(&self) -> &Camera<'_> {
        &self.camera.node.camera
    }

    /// What it sends in answer to one datagram.
    fn tell(&mut self, from: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
        let before = self.camera.sent.len();
        let cx = &mut Cx::new(self.now, &mut self.rng);
        self.camera.receive(cx, addr(from), &mut bytes.to_vec());
        while self.camera.transmit(cx, &mut [0; 1500]).is_some() {}
        let sent = &self.camera.sent[before..];
        sent.iter().map(|(_, bytes)| bytes.clone()).collect()
    }

    /// Lets time pass; what it sends meanwhile.
    fn wait(&mut self, span: Duration) -> Vec<Vec<u8>> {
        let (before, end) = (self.camera.sent.len(), self.now + span);
        while let Some(at) = self.camera.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let cx = &mut Cx::new(self.now, &mut self.rng);
            self.camera.timeout(cx);
            while self.camera.transmit(cx, &mut [0; 1500]).is_some() {}
        }
        self.now = end;
        let sent = &self.camera.sent[before..];
        sent.iter().map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// A ClientHello of somebody without the key, in a packet of session `sid`.
fn hello(seed: u64, sid: [u8; 8]) -> Vec<u8> {
    let mut rng = tutk_testkit::rng(seed);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut memory, mut out) = ([0; RECOMMENDED_REASSEMBLY], [0; 1500]);
    let mut config = DtlsConfig::new(Psk::new([9; 32]), kauth::PSK_IDENTITY);
    config.suites = Suites::ALL;
    let mut client = tutk_dtls::Client::new(&config, &mut memory, cx);
    let mut tx = TxBuf::new(&mut out);
    assert_eq!(client.poll_transmit(cx, &mut tx), Ok(true));
    let records = tx.finish();
    packet(Direction::ToDevice, 1, (sid, [0; 2]), records)
}

fn bytes_in(datagrams: &[Vec<u8>]) -> usize {
    datagrams.iter().map(Vec::len).sum()
}

#[test]
fn a_flood_of_searches_takes_no_place_and_is_answered_one_for_one() {
    with_camera(
        |_| {},
        |lonely| {
            for i in 0..10_000u32 {
                let from = format!("10.1.{}.{}:4000", i >> 8 & 255, i & 255);
                let mut sid = [0; 8];
                sid[..4].copy_from_slice(&i.to_le_bytes());
                let answers = lonely.tell(&from, &scrambled(search(sid).as_bytes()));
                assert_eq!(answers.len(), 1);
            }
            assert!(lonely.camera().is_idle());
            assert!(lonely.camera.drawn.is_empty(), "not even randomness");
        },
    );
}

#[test]
fn a_flood_of_hellos_without_cookies_costs_one_key_pair_each_and_ends_after_eight_seconds() {
    with_camera(
        |_| {},
        |lonely| {
            let sid = *b"stranger";
            lonely.tell(MALLORY, &session(sid));
            assert_eq!(lonely.camera().peer(), Some(addr(MALLORY)));
            for i in 0..1600 {
                let drawn = lonely.camera.drawn.len();
                let answers = lonely.tell(MALLORY, &hello(i, sid));
                assert!(answers.len() <= 1, "hello {i}");
                // A random and an X25519 secret of 32 bytes each; jitter of a timer.
                let keys = lonely.camera.drawn[drawn..]
                    .iter()
                    .filter(|d| d.len() == 32);
                assert!(keys.count() <= 2, "hello {i}");
                lonely.wait(Duration::from_millis(5));
            }
            lonely.wait(Duration::from_secs(1));
            assert!(lonely.camera.node.closed.is_some(), "9 s after the first");
        },
    );
}

#[test]
fn a_flood_of_hellos_with_cookies_leaves_no_state_and_gets_less_than_it_sends() {
    with_camera(
        |config| config.cookie = true,
        |lonely| {
            let sid = *b"stranger";
            lonely.tell(MALLORY, &session(sid));
            let secrets = |l: &Lonely<'_>| l.camera.drawn.iter().filter(|d| d.len() == 32).count();
            let before = secrets(lonely);
            for i in 0..1000 {
                let hello = hello(i, sid);
                let answers = lonely.tell(MALLORY, &hello);
                assert_eq!(answers.len(), 1, "hello {i}");
                assert!(answers[0].len() < hello.len(), "hello {i}");
            }
            assert_eq!(secrets(lonely), before, "no key pair, no random");
            assert_eq!(lonely.camera().stats().dtls.rx_hello_unverified, 1000);
        },
    );
}

#[test]
fn a_place_taken_by_a_stranger_who_keeps_talking_is_free_after_twenty_seconds() {
    with_camera(
        |_| {},
        |lonely| {
            let sid = *b"stranger";
            lonely.tell(MALLORY, &session(sid));
            for _ in 0..30 {
                if lonely.camera.node.closed.is_some() {
                    break;
                }
                let alive = Control::alive(Direction::ToDevice, sid);
                assert!(lonely.tell(MALLORY, &scrambled(alive.as_bytes())).len() <= 1);
                // Nobody else gets in meanwhile, and nobody else is told more than that it is there.
                assert!(lonely.tell(APP, &session(*b"honestly")).is_empty());
                lonely.wait(Duration::from_secs(1));
            }
            assert_eq!(lonely.camera.node.closed, Some(Cause::AuthTimeout));
            assert!(lonely.now <= Instant::from_millis(21_000));
            lonely.camera.node.closed = None;
            let cx = &mut Cx::new(lonely.now, &mut lonely.rng);
            lonely.camera.node.camera.reset(cx);
            assert_eq!(lonely.tell(APP, &session(*b"honestly")).len(), 1);
            assert_eq!(lonely.camera().peer(), Some(addr(APP)));
        },
    );
}

/// The rows of the table of amplification in `docs/security.md`, as measured.
#[test]
fn the_amplification_is_what_the_documentation_says() {
    let docs = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/security.md"
    ))
    .unwrap();
    let says = |row: &str| assert!(docs.contains(row), "docs/security.md lacks: {row}");
    let sid = *b"stranger";
    with_camera(
        |_| {},
        |lonely| {
            let whole = search(sid);
            let (old, _) = SearchHead::ref_from_prefix(whole.as_bytes()).unwrap();
            let mut old = old.as_bytes().to_vec();
            let body_len = (old.len() - 16) as u16;
            old[4..6].copy_from_slice(&body_len.to_le_bytes());
            let answers = lonely.tell(MALLORY, &scrambled(&old));
            assert_eq!((old.len(), answers.len(), bytes_in(&answers)), (68, 1, 200));
            let answers = lonely.tell(MALLORY, &scrambled(whole.as_bytes()));
            assert_eq!(bytes_in(&answers), 200);
            says("| 0x0601, 68 (older clients; no AuthKey in it) | 0x0602, 200 |");
            says("| 0x0601, 88 | 0x0602, 200 |");

            let request = session(sid);
            let mut answers = lonely.tell(MALLORY, &request);
            assert_eq!((request.len(), bytes_in(&answers)), (52, 52));
            answers.extend(lonely.wait(Duration::from_millis(9_999)));
            assert_eq!(bytes_in(&answers), 148);
            says("up to four 0x0428 of 24: 148 | 2.8 |");

            let alive = scrambled(Control::alive(Direction::ToDevice, sid).as_bytes());
            assert!(lonely.tell(MALLORY, &alive).is_empty());
        },
    );
    with_camera(
        |_| {},
        |lonely| {
            lonely.tell(MALLORY, &session(sid));
            let hello = hello(1, sid);
            let flight = lonely.tell(MALLORY, &hello);
            assert!((100..=150).contains(&hello.len()), "{}", hello.len());
            let factor = bytes_in(&flight) as f64 / hello.len() as f64;
            assert!(flight.len() == 1 && factor < 2.0, "{factor}");
            says("ClientHello, about 100 to 150 with IOTC");
        },
    );
    with_camera(
        |_| {},
        |lonely| {
            let mut other = *uid().as_bytes();
            other[0] ^= 1;
            let foreign = Search::new(other, sid, STAGE_SEARCH, auth_key());
            assert!(
                lonely
                    .tell(MALLORY, &scrambled(foreign.as_bytes()))
                    .is_empty()
            );
            says("A search without the right UID is not answered at all.");
        },
    );
}

#[test]
fn an_alive_is_answered_by_one_of_its_length() {
    with_scene([Setup::default()], |scene, _| {
        scene.connect();
        let sid = scene.client.sent.iter().find_map(|(_, d)| overheard(d));
        let alive = scrambled(Control::alive(Direction::ToClient, sid.unwrap().0).as_bytes());
        let before = scene.client.sent.len();
        scene.inject(Side::App, DEVICE, &alive);
        scene.run(Duration::from_millis(1));
        let mut answers = scene.client.sent[before..].iter();
        assert_eq!(answers.clone().count(), 1);
        assert!(answers.all(|(to, d)| *to == addr(DEVICE) && d.len() == alive.len()));
    });
}
