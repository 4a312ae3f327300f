//! What an object leaves behind in memory when it is dropped or reset.
//!
//! The object lives in a `Vec`, whose `clear` drops it where it lies and writes nothing else. The bytes are then read
//! through `/proc/self/mem`, for which no unsafe code is needed: the kernel reads.
//!
//! What is moved into an object brings along what the stack held where the moved value has unused room (the smaller variant
//! of an enum, the free part of a list): copies that belong to no field, that come and go with every build, and that nobody
//! can wipe. Of what a session is given, pieces are there, and each field is shown to be wiped. Of what it works out none is
//! in this build, and that is asserted: whoever sees one finds out which move brought it, and has what moves fill its room
//! where it lies.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tutk_dtls::{CipherSuite, Wiretap};
use wyze_session::{ClientConfig, Cx, Framings, Suites, kauth};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::common::{CameraNode, ClientNode, DEVICE, Room, addr, enr, mac, uid};
use crate::scene::{ENR, Plain, Scene, Setup, Taped, Tapped, handshake, records};

/// The memory of the first element that `of` has room for, whether it is alive or not.
fn memory<T>(of: &Vec<T>) -> Vec<u8> {
    assert!(of.capacity() > 0);
    read(of.as_ptr().addr()..of.as_ptr().addr() + size_of::<T>())
}

/// What stands at these addresses.
fn read(place: Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; place.len()];
    let mem = File::open("/proc/self/mem").unwrap();
    mem.read_exact_at(&mut bytes, place.start as u64).unwrap();
    bytes
}

/// Where the memory lies that is lent for whole messages, of the handshake and of the control channel.
fn lent(room: &Room) -> [Range<usize>; 2] {
    [&room.handshake[..], &room.control[..]].map(|memory| {
        let start = memory.as_ptr().addr();
        start..start + memory.len()
    })
}

/// How many copies of each secret `memory` holds.
fn copies(memory: &[u8], secrets: &[(&'static str, Vec<u8>)]) -> Copies {
    let mut copies = Copies::new();
    for (name, secret) in secrets {
        let found = memory.windows(secret.len()).filter(|w| w == secret).count();
        *copies.entry(name).or_default() += found;
    }
    copies
}

type Copies = BTreeMap<&'static str, usize>;

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|p| mac.update(p));
    mac.finalize().into_bytes().to_vec()
}

/// P_SHA256 (RFC 5246 §5).
fn prf(secret: &[u8], label: &str, seed: &[u8], len: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    let (mut a, mut out) = (hmac(secret, &[&seed]), Vec::new());
    while out.len() < len {
        out.extend(hmac(secret, &[&a, &seed]));
        a = hmac(secret, &[&a]);
    }
    out.truncate(len);
    out
}

/// What both sides heard and drew.
struct Tapes<'a> {
    to_camera: &'a [Taped],
    to_app: &'a [Taped],
    drawn_by_camera: &'a [Vec<u8>],
    drawn_by_app: &'a [Vec<u8>],
}

/// Overwrites what the stack holds from before: a function that moves an object would bring it along in bytes that belong
/// to no field, which is a limit that `docs/security.md` names, and comes and goes with every build.
#[inline(never)]
fn scrub_stack() {
    std::hint::black_box([0u8; 256 << 10]);
}

/// The secrets of the session that was taped, worked out from its traffic, the ENR and what both sides drew.
fn secrets(tapes: &Tapes<'_>, suite: CipherSuite) -> Vec<(&'static str, Vec<u8>)> {
    let psk = kauth::psk(&enr(ENR)).expose().to_vec();
    let up = tapes.to_camera.iter().flat_map(|(_, d)| handshake(d));
    let down = tapes.to_app.iter().flat_map(|(_, d)| handshake(d));
    let (up, down): (Vec<_>, Vec<_>) = (up.collect(), down.collect());
    let first = |of: &[Plain], kind| {
        let message = of.iter().find(|m| m.kind == kind);
        message.map(|m| m.message.clone()).unwrap_or_default()
    };
    let (client_hello, server_hello) = (first(&up, 1), first(&down, 2));
    let randoms = (&client_hello[14..46], &server_hello[14..46]);

    let mut out = Vec::new();
    let mut other = vec![0; 32];
    if suite == CipherSuite::EcdhePskChaCha20Poly1305 {
        let points = [&down, &up].map(|of| {
            let m = first(of, if std::ptr::eq(of, &down) { 12 } else { 16 });
            m[m.len() - 32..].to_vec()
        });
        let secret_of = |node: &[Vec<u8>], point: &[u8]| {
            let drawn = node
                .iter()
                .filter_map(|d| <[u8; 32]>::try_from(&d[..]).ok());
            let mut secrets = drawn.map(StaticSecret::from);
            secrets
                .find(|s| PublicKey::from(s).as_bytes() == point)
                .expect("its secret was drawn")
        };
        let theirs = secret_of(tapes.drawn_by_camera, &points[0]);
        let ours = secret_of(tapes.drawn_by_app, &points[1]);
        other = ours
            .diffie_hellman(&PublicKey::from(&theirs))
            .to_bytes()
            .to_vec();
        out.push(("X25519 secret of the client", ours.to_bytes().to_vec()));
        out.push(("X25519 secret of the camera", theirs.to_bytes().to_vec()));
        out.push(("X25519 shared secret", other.clone()));
    }
    let premaster = [&[0, 32][..], &other, &[0, 32], &psk].concat();
    let master = prf(
        &premaster,
        "master secret",
        &[randoms.0, randoms.1].concat(),
        48,
    );
    let seed = [randoms.1, randoms.0].concat();
    let block = prf(&master, "key expansion", &seed, 96);
    let key_lens: &[(&'static str, usize)] = match suite {
        CipherSuite::EcdhePskChaCha20Poly1305 => &[
            ("client write key", 32),
            ("server write key", 32),
            ("client write IV", 12),
            ("server write IV", 12),
        ],
        _ => &[
            ("client MAC key", 32),
            ("server MAC key", 32),
            ("client write key", 16),
            ("server write key", 16),
        ],
    };
    let mut rest = &block[..];
    for &(name, len) in key_lens {
        let (key, tail) = rest.split_at(len);
        rest = tail;
        out.push((name, key.to_vec()));
        if len == 32 && suite == CipherSuite::PskAes128CbcSha256 {
            // What HMAC keeps of its key: the states after one block.
            out.push(("HMAC state", keyed_state(key, 0x36)));
            out.push(("HMAC state", keyed_state(key, 0x5c)));
        }
    }
    out.push(("master secret", master.clone()));
    let tap = {
        let (client, server) = (randoms.0.try_into().unwrap(), randoms.1.try_into().unwrap());
        Wiretap::new(suite, &master[..].try_into().unwrap(), client, server).unwrap()
    };
    let mut opened = 0;
    for (by_client, tape) in [(true, tapes.to_camera), (false, tapes.to_app)] {
        for record in tape.iter().flat_map(|(_, d)| records(d)) {
            if record[0] != 23 {
                continue;
            }
            let mut record = record.clone();
            let plain = tap.open(by_client, &mut record).expect("right keys");
            opened += 1;
            if let Some(secret) = challenge_or_answer(plain) {
                out.push(secret);
            }
        }
    }
    assert!(opened > 20);
    out
}

/// What a session is made from.
fn given() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ENR", ENR.as_bytes().to_vec()),
        ("PSK", kauth::psk(&enr(ENR)).expose().to_vec()),
        ("AuthKey", kauth::auth_key(&enr(ENR), &mac()).to_vec()),
    ]
}

/// The 16 secret bytes of K10001 and K10002.
fn challenge_or_answer(plain: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    for (code, name, skip) in [(10001u16, "challenge", 1), (10002, "answer", 0)] {
        let code = code.to_le_bytes();
        let at = plain
            .windows(6)
            .position(|w| w.starts_with(b"HL") && w[4..6] == code);
        if let Some(at) = at {
            let body = at + 16 + skip;
            return Some((name, plain[body..body + 16].to_vec()));
        }
    }
    None
}

/// The words of SHA-256's state behind the padded key, as they lie in memory here.
fn keyed_state(key: &[u8], pad: u8) -> Vec<u8> {
    let mut block = [pad; 64];
    block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
    let mut state = sha2_initial();
    sha2::block_api::compress256(&mut state, &[block]);
    state.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

/// FIPS 180-4 §5.3.3.
fn sha2_initial() -> [u32; 8] {
    [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]
}

/// Secrets that live no longer than the handshake or the challenge takes.
const PASSING: [&str; 6] = [
    "X25519 secret of the client",
    "X25519 secret of the camera",
    "X25519 shared secret",
    "master secret",
    "challenge",
    "answer",
];
/// Secrets that live as long as the session, and the least number of copies in each of client and camera.
const fn lasting(suite: CipherSuite) -> &'static [(&'static str, usize)] {
    match suite {
        CipherSuite::EcdhePskChaCha20Poly1305 => &[
            ("client write key", 1),
            ("server write key", 1),
            ("client write IV", 1),
            ("server write IV", 1),
        ],
        // A key of AES is a part of its schedule; HMAC keeps two states for each direction.
        CipherSuite::PskAes128CbcSha256 => &[
            ("client write key", 1),
            ("server write key", 1),
            ("HMAC state", 4),
        ],
    }
}

/// Copies of the secrets in the memory of client and camera, and in what both were lent.
struct Inspected {
    client: Copies,
    camera: Copies,
    lent: Copies,
}

/// A session that has run for a second, in memory that outlives it: its secrets before and after `when`.
fn inspect(
    suite: CipherSuite,
    when: impl FnOnce(&mut Vec<Tapped<ClientNode<'_>>>, &mut Vec<Tapped<CameraNode<'_>>>),
) -> (Inspected, Inspected) {
    let setup = Setup {
        suites: Suites::only(suite),
        framings: Framings::TRANSCODE,
        ..Setup::default()
    };
    let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14));
    let lent = [lent(&room1), lent(&room2)].concat();
    let mut scene = Scene::new(setup, &mut room1, &mut room2);
    scene.connect();
    scene.run(Duration::from_secs(1));
    let tapes = Tapes {
        to_camera: &scene.camera.heard,
        to_app: &scene.client.heard,
        drawn_by_camera: &scene.camera.drawn,
        drawn_by_app: &scene.client.drawn,
    };
    // On a stack of its own.
    let secrets = std::thread::scope(|s| s.spawn(|| secrets(&tapes, suite)).join().unwrap());
    let (mut client, mut camera) = (vec![scene.client], vec![scene.camera]);
    let look = |client: &Vec<_>, camera: &Vec<_>| Inspected {
        client: copies(&memory(client), &secrets),
        camera: copies(&memory(camera), &secrets),
        lent: copies(
            &lent.iter().cloned().flat_map(read).collect::<Vec<_>>(),
            &secrets,
        ),
    };
    let before = look(&client, &camera);
    scrub_stack();
    when(&mut client, &mut camera);
    let after = look(&client, &camera);
    (before, after)
}

/// What lasted was there, and nothing of what was worked out is there any more.
fn assert_forgotten(suite: CipherSuite, before: &Copies, after: &Copies, context: &str) {
    for (name, least) in lasting(suite) {
        assert!(before[name] >= *least, "{context}, {suite:?}: {before:?}");
    }
    assert_none(after, &format!("{context}, {suite:?}"));
}

fn assert_none(copies: &Copies, context: &str) {
    let left: Vec<_> = copies.iter().filter(|(_, n)| **n > 0).collect();
    assert!(left.is_empty(), "{context}: {left:?}");
}

fn assert_passed(copies: &Copies, context: &str) {
    for name in PASSING {
        let left = copies.get(name).copied().unwrap_or(0);
        assert_eq!(left, 0, "{context}: {name}");
    }
}

const SUITES: [CipherSuite; 2] = [
    CipherSuite::EcdhePskChaCha20Poly1305,
    CipherSuite::PskAes128CbcSha256,
];

#[test]
fn the_inspection_finds_what_is_not_wiped() {
    let secret: Vec<u8> = (0..32).map(|i| i * 7 + 1).collect();
    let mut careless = vec![<[u8; 32]>::try_from(&secret[..]).unwrap()];
    careless.clear();
    let found = copies(&memory(&careless), &[("key", secret)]);
    assert_eq!(found["key"], 1);
}

#[test]
fn no_secret_of_a_session_remains_when_it_is_dropped() {
    for suite in SUITES {
        let (before, after) = inspect(suite, |client, camera| {
            client.clear();
            camera.clear();
        });
        assert_forgotten(suite, &before.client, &after.client, "client");
        assert_forgotten(suite, &before.camera, &after.camera, "camera");
        assert_none(&after.lent, "what both were lent");
    }
}

#[test]
fn every_field_that_holds_a_given_secret_is_wiped_when_it_is_dropped() {
    let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14));
    let scene = Scene::new(Setup::default(), &mut room1, &mut room2);
    let (mut client, mut camera) = (vec![scene.client], vec![scene.camera]);
    let secrets = given();
    let look = |client: &Vec<_>, camera: &Vec<_>| {
        [
            copies(&memory(client), &secrets),
            copies(&memory(camera), &secrets),
        ]
    };
    let before = look(&client, &camera);
    client.clear();
    camera.clear();
    let after = look(&client, &camera);
    let wiped = |i: usize| ["ENR", "PSK", "AuthKey"].map(|s| before[i][s] - after[i][s]);
    // ENR: AV password and challenge. PSK: main channel and talk. AuthKey: IOTC.
    assert_eq!(wiped(0), [2, 2, 1], "client: {before:?}, {after:?}");
    // ENR: challenge, the talk and its AV password.
    assert_eq!(wiped(1), [3, 2, 1], "camera: {before:?}, {after:?}");
}

#[test]
fn a_request_that_is_under_way_is_wiped_when_the_client_is_dropped() {
    // As the answer to the challenge is for some milliseconds.
    let secret = [("body", b"what the camera was asked".to_vec())];
    let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14));
    let mut scene = Scene::new(Setup::default(), &mut room1, &mut room2);
    scene.connect();
    let cx = &mut Cx::new(scene.world.now, &mut scene.world.rng);
    let code = kauth::Code(10_620);
    let write = |w: &mut tutk_core::wire::Writer<'_>| {
        kauth::hl::write(w, kauth::hl::CLIENT_VERSION, code, |w| {
            w.bytes(&secret[0].1)
        });
        code
    };
    let client = &mut scene.client.node.client;
    client.request_with(cx, true, write).unwrap();
    let mut client = vec![scene.client];
    assert_eq!(copies(&memory(&client), &secret)["body"], 1);
    client.clear();
    assert_eq!(copies(&memory(&client), &secret)["body"], 0);
}

#[test]
fn only_what_the_next_viewer_needs_remains_in_a_camera_that_was_reset() {
    for suite in SUITES {
        let (before, after) = inspect(suite, |_, camera| {
            let mut rng = tutk_testkit::rng(9);
            let now = tutk_core::Instant::from_millis(60_000);
            camera[0].node.camera.reset(&mut Cx::new(now, &mut rng));
        });
        assert!(before.camera["challenge"] > 0, "it is compared with");
        assert_forgotten(suite, &before.camera, &after.camera, "camera");
    }
}

#[test]
fn nothing_of_the_last_session_remains_in_a_client_that_begins_again() {
    for suite in SUITES {
        let (before, after) = inspect(suite, |client, _| {
            let mut rng = tutk_testkit::rng(9);
            let now = tutk_core::Instant::from_millis(60_000);
            let (enr, mac, targets) = (enr(ENR), mac(), [addr(DEVICE)]);
            let config = ClientConfig::new(uid(), &enr, &mac, &targets);
            client[0]
                .node
                .client
                .restart(&config, &mut Cx::new(now, &mut rng));
        });
        assert_forgotten(suite, &before.client, &after.client, "client");
    }
}

#[test]
fn a_client_forgets_challenge_and_key_exchange_once_it_is_in() {
    for suite in SUITES {
        let (live, _) = inspect(suite, |_, _| {});
        assert_passed(&live.client, &format!("{suite:?}"));
    }
}
