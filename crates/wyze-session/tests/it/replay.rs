//! The two recorded sessions of an independent client (`testdata/sessions/README.md`): our parsers read every datagram and
//! every decrypted message, our Assembler rebuilds every recorded frame, our Camera goes along with the recorded client
//! up to the randomness of the handshake.

use std::collections::HashMap;

use crate::common::addr;
use crate::recorded::{self, SESSIONS};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tutk_av::{Assembler, AssemblerConfig, Message, Output, Stream};
use tutk_core::rand_core::CryptoRng;
use tutk_dtls::{CipherSuite, Wiretap};
use tutk_iotc::wire::{self, Packet};
use tutk_testkit::data;
use wyze_session::{Camera, CameraEvent, Cx, Datagram, Instant, Storage};

/// One DTLS association of the recording: channel 0 the app's, channel 1 the camera's.
#[derive(Default)]
struct Association {
    client_is_app: bool,
    client_random: Option<[u8; 32]>,
    tap: Option<Wiretap>,
}

/// Channel and payload of an IOTC data packet.
pub(crate) fn data_payload(datagram: &mut [u8]) -> Option<(u8, Vec<u8>)> {
    match wire::open(datagram).expect("every recorded datagram is a packet") {
        Packet::Data {
            header, payload, ..
        } => Some((header.header.channel, payload.to_vec())),
        Packet::Cc51(wire::cc51::Packet::Data {
            header, payload, ..
        }) => Some((header.channel, payload.to_vec())),
        Packet::Unknown { command, .. } => panic!("unknown command {command:#06x}"),
        _ => None,
    }
}

/// The plaintexts of all application data records: (from the app, channel, bytes), in order.
pub(crate) fn plaintexts(name: &str) -> Vec<(bool, u8, Vec<u8>)> {
    let masters: HashMap<_, _> = data::key_log(&format!("sessions/{name}.keylog"));
    let mut associations: HashMap<u8, Association> = HashMap::new();
    let mut out = Vec::new();
    for line in data::session(&format!("sessions/{name}.wire.jsonl")) {
        let by_app = line["dir"] == "c2s";
        let mut raw = data::bytes(&line, "raw");
        if let Some(plain) = line.get("plain").and_then(Value::as_str) {
            let mut decoded = raw.clone();
            tutk_transcode::decode(&mut decoded);
            assert_eq!(hex::encode(&decoded), plain);
        }
        let Some((channel, payload)) = data_payload(&mut raw) else {
            continue;
        };
        let association = associations.entry(channel).or_default();
        let mut rest = &payload[..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            let (record, tail) = rest.split_at(13 + len);
            rest = tail;
            let epoch = u16::from_be_bytes([record[3], record[4]]);
            match (record[0], epoch) {
                (22, 0) => note_hello(association, by_app, &record[13..], &masters),
                (_, 0) => {}
                (kind, _) => {
                    let tap = association.tap.as_ref().expect("keys are known by now");
                    let mut record = record.to_vec();
                    let plaintext = tap
                        .open(by_app == association.client_is_app, &mut record)
                        .expect("every protected record opens");
                    if kind == 23 {
                        out.push((by_app, channel, plaintext.to_vec()));
                    }
                }
            }
        }
    }
    out
}

/// Takes the randoms from the hellos; the ServerHello makes the keys.
fn note_hello(
    association: &mut Association,
    by_app: bool,
    message: &[u8],
    masters: &HashMap<[u8; 32], [u8; 48]>,
) {
    let random = || message[14..46].try_into().unwrap();
    match message[0] {
        1 => {
            association.client_is_app = by_app;
            association.client_random = Some(random());
        }
        2 => {
            let client = association.client_random.unwrap();
            let after_session_id = 47 + usize::from(message[46]);
            let suite =
                u16::from_be_bytes([message[after_session_id], message[after_session_id + 1]]);
            let suite = CipherSuite::from_code(suite).unwrap();
            association.tap = Wiretap::new(suite, &masters[&client], &client, &random());
        }
        _ => {}
    }
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// (stream, number, SHA-256) of what the Assembler makes of the camera's media.
fn rebuild(messages: &[(bool, u8, Vec<u8>)]) -> Vec<(Stream, u32, String)> {
    let (mut m1, mut m2) = (vec![0; 1 << 18], vec![0; 1 << 16]);
    let mut video = Assembler::new(Stream::Video, &mut m1, AssemblerConfig::VIDEO);
    let mut audio = Assembler::new(Stream::Audio, &mut m2, AssemblerConfig::AUDIO);
    let mut frames = Vec::new();
    for (i, (by_app, channel, bytes)) in messages.iter().enumerate() {
        let message = Message::parse(bytes).expect("every recorded message parses");
        assert!(
            !matches!(message, Message::Unknown(_)),
            "unknown type {:02x?}",
            &bytes[..2]
        );
        let Message::Media(packet) = message else {
            continue;
        };
        if *by_app || *channel != 0 {
            continue;
        }
        let now = Instant::from_millis(i as u64);
        for assembler in [&mut video, &mut audio] {
            assembler.push(now, &packet);
            while let Some(output) = assembler.poll(now) {
                let Output::Frame(r) = output else {
                    panic!("nothing was lost: {output:?}")
                };
                let frame = assembler.frame(r);
                frames.push((frame.stream, frame.number, sha(frame.data)));
            }
        }
    }
    frames
}

/// What the recorded client says that it received.
fn recorded_frames(name: &str) -> Vec<(Stream, u32, String)> {
    data::session(&format!("sessions/{name}.client.jsonl"))
        .iter()
        .filter(|line| line["ev"] == "frame")
        .map(|line| {
            let stream = if line["ch"] == 3 {
                Stream::Audio
            } else {
                Stream::Video
            };
            let number = line["no"].as_u64().unwrap() as u32;
            let hash = line["sha256"].as_str().unwrap().to_owned();
            (stream, number, hash)
        })
        .collect()
}

#[test]
fn every_recorded_message_is_read_and_every_frame_rebuilt() {
    for name in ["iotc", "cc51"] {
        let messages = plaintexts(name);
        assert!(messages.len() > 60, "{name}: {} messages", messages.len());
        let mut rebuilt = rebuild(&messages);
        let mut recorded = recorded_frames(name);
        assert_eq!(recorded.len(), 8, "{name}");
        let order = |f: &(Stream, u32, String)| (f.0 == Stream::Audio, f.1);
        rebuilt.sort_by_key(order);
        recorded.sort_by_key(order);
        assert_eq!(rebuilt, recorded, "{name}");
    }
}

#[test]
fn our_camera_goes_along_with_the_recorded_client() {
    for (name, framings) in SESSIONS {
        let (enr, mac) = recorded::keys();
        let mut rng = tutk_testkit::rng(1);
        let mut handshake = [0; 512];
        let storage = Storage {
            handshake: &mut handshake,
            ..Storage::default()
        };
        let config = recorded::config(framings, &enr, &mac);
        let now = Instant::ZERO;
        let mut camera = Camera::new(&config, storage, &mut Cx::new(now, &mut rng));
        let (mut opened, mut flights) = (false, 0);
        for (packet, mut raw) in recorded::by_app(name) {
            if opened && flights > 0 {
                continue;
            }
            let mut input = Datagram::new(addr("192.0.2.1:58022"), &mut raw);
            let mut draw: Box<dyn CryptoRng> = if packet == "cc51_disco_0" {
                Box::new(recorded::ticket(name))
            } else {
                Box::new(&mut rng)
            };
            while let Some(event) =
                camera.handle_datagram(&mut Cx::new(now, &mut *draw), &mut input)
            {
                opened |= matches!(event, CameraEvent::Opened { .. });
            }
            drop(draw);
            let mut buf = [0; 1500];
            while let Some(t) = camera.poll_transmit(&mut Cx::new(now, &mut rng), &mut buf) {
                if let Some((0, records)) = data_payload(t.datagram) {
                    assert_eq!(
                        records[0], 22,
                        "{name}: a handshake record answers the hello"
                    );
                    assert_eq!(records[13], 2, "{name}: a ServerHello");
                    flights += 1;
                }
            }
        }
        assert!(opened && flights == 1, "{name}: {flights} flights");
        let stats = camera.stats();
        assert_eq!(stats.iotc.rx_malformed, 0, "{name}: {:?}", stats.iotc);
        assert_eq!(stats.dtls.rx_malformed, 0, "{name}: {:?}", stats.dtls);
    }
}
