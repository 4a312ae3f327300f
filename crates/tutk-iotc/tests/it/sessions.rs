//! Two sessions of another client, recorded on loopback (`testdata/sessions`). The client's bytes are the reference;
//! what the recorded camera wrote where that client does not look is a guess (see the README there).

use crate::common::{FixedRng, Seen, addr, drain, give, plain, testdata};
use serde_json::Value;
use tutk_core::{Cx, Instant};
use tutk_iotc::wire::{self, Direction, Packet};
use tutk_iotc::{AuthKey, Client, ClientConfig, Device, DeviceConfig, Framing, Framings};

const UID: &str = "HSBJYB5HSETGCDWD111A";
const KEY: [u8; 8] = *b"lorvXE3X";
const APP: &str = "192.0.2.1:4000";
const CAMERA: &str = "192.0.2.2:39099";

struct Row {
    to_device: bool,
    name: String,
    raw: Vec<u8>,
    plain: Option<Vec<u8>>,
    channel: Option<u8>,
}

fn rows(file: &str) -> Vec<Row> {
    let hex_of = |v: &Value| hex::decode(v.as_str().unwrap()).unwrap();
    testdata(file)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|v| Row {
            to_device: v["dir"] == "c2s",
            name: v["name"].as_str().unwrap().to_owned(),
            raw: hex_of(&v["raw"]),
            plain: v.get("plain").map(hex_of),
            channel: v.get("ch").map(|ch| ch.as_u64().unwrap() as u8),
        })
        .collect()
}

fn row<'r>(rows: &'r [Row], name: &str) -> &'r Row {
    rows.iter().find(|row| row.name == name).unwrap()
}

fn device(framings: Framings) -> Device {
    let mut config = DeviceConfig::new(UID.parse().unwrap(), AuthKey::new(KEY));
    config.framings = framings;
    Device::new(
        &config,
        &mut Cx::new(Instant::ZERO, &mut FixedRng::new(&[])),
    )
}

fn client(sid: &[u8], framings: Framings) -> Client {
    let targets = [addr(CAMERA)];
    let mut config = ClientConfig::new(UID.parse().unwrap(), AuthKey::new(KEY), &targets);
    config.framings = framings;
    Client::new(
        &config,
        &mut Cx::new(Instant::ZERO, &mut FixedRng::new(sid)),
    )
}

#[test]
fn every_recorded_datagram_unscrambles_to_its_plain_form() {
    let mut seen = 0;
    for row in rows("sessions/iotc.wire.jsonl") {
        if let Some(expected) = &row.plain {
            assert_eq!(plain(&row.raw), *expected, "{}", row.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 82);
}

#[test]
fn every_recorded_datagram_parses_as_what_it_is() {
    let mut seen = 0;
    for file in ["sessions/iotc.wire.jsonl", "sessions/cc51.wire.jsonl"] {
        for mut row in rows(file) {
            let way = if row.to_device {
                Direction::ToDevice
            } else {
                Direction::ToClient
            };
            let packet = wire::open(&mut row.raw).unwrap();
            let right = match (row.name.as_str(), &packet) {
                ("disco_req_stage1", Packet::Search(s)) => s.stage == wire::STAGE_SEARCH,
                ("disco_req_stage2", Packet::Search(s)) => s.stage == wire::STAGE_CONFIRM,
                ("disco_res", Packet::SearchReply { uid, .. }) => **uid == *UID.as_bytes(),
                ("session_req", Packet::Session(s)) => s.uid == *UID.as_bytes(),
                ("session_res", Packet::SessionReply(s)) => s.uid == *UID.as_bytes(),
                (
                    "data_tx" | "data_rx",
                    Packet::Data {
                        direction, header, ..
                    },
                ) => *direction == way && Some(header.header.channel) == row.channel,
                (name, Packet::Cc51(wire::cc51::Packet::Search { body, .. })) => {
                    name == format!("cc51_disco_{}", body.step.get())
                }
                ("cc51_data", Packet::Cc51(wire::cc51::Packet::Data { header, .. })) => {
                    Some(header.channel) == row.channel
                }
                _ => false,
            };
            assert!(right, "{} is {packet:?}", row.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 83 + 82);
}

#[test]
fn our_device_serves_the_recorded_transcode_client() {
    let rows = rows("sessions/iotc.wire.jsonl");
    let mut device = device(Framings::TRANSCODE);
    let mut rng = FixedRng::new(&[]);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut delivered = 0;
    for row in rows.iter().filter(|row| row.to_device) {
        let event = give(&mut device, cx, addr(APP), &row.raw).unwrap();
        let replies = drain(&mut device, cx);
        let replies: Vec<&[u8]> = replies.iter().map(|(_, b)| b.as_slice()).collect();
        match row.name.as_str() {
            "disco_req_stage1" => assert_eq!(replies[0].len(), 200),
            "session_req" => {
                assert_eq!(event, Some(Seen::Open(Framing::TransCode)));
                assert_eq!(replies, [self::row(&rows, "session_res").raw.as_slice()]);
            }
            "data_tx" => {
                let payload = row.plain.as_ref().unwrap()[28..].to_vec();
                assert_eq!(event, Some(Seen::Data(row.channel.unwrap(), payload)));
                assert!(replies.is_empty());
                delivered += 1;
            }
            // The other framing's probe, and the stage that expects no answer.
            _ => assert!(event.is_none() && replies.is_empty(), "{}", row.name),
        }
    }
    assert_eq!(delivered, 48);
    assert_eq!(device.stats().rx_unexpected, 1, "the CC51 probe");
}

#[test]
fn our_device_serves_the_recorded_cc51_client() {
    let rows = rows("sessions/cc51.wire.jsonl");
    let mut device = device(Framings::CC51);
    let ticket = &row(&rows, "cc51_disco_1").raw[14..16];
    let mut rng = FixedRng::new(ticket);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut delivered = 0;
    for row in rows.iter().filter(|row| row.to_device) {
        let event = give(&mut device, cx, addr(APP), &row.raw).unwrap();
        let replies = drain(&mut device, cx);
        let replies: Vec<&[u8]> = replies.iter().map(|(_, b)| b.as_slice()).collect();
        match row.name.as_str() {
            "cc51_disco_0" => {
                assert_eq!(replies, [self::row(&rows, "cc51_disco_1").raw.as_slice()])
            }
            "cc51_disco_2" => {
                assert_eq!(event, Some(Seen::Open(Framing::Cc51)));
                assert_eq!(replies, [self::row(&rows, "cc51_disco_3").raw.as_slice()]);
            }
            "cc51_data" => {
                let payload = row.raw[28..row.raw.len() - 20].to_vec();
                assert_eq!(event, Some(Seen::Data(row.channel.unwrap(), payload)));
                delivered += 1;
            }
            _ => assert!(event.is_none() && replies.is_empty(), "{}", row.name),
        }
    }
    assert_eq!(delivered, 48);
}

/// Feeds the camera's packets to a client of ours that was given the recorded session id.
fn watch(client: &mut Client, rows: &[Row]) -> Vec<Seen> {
    let mut rng = FixedRng::new(&[]);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    rows.iter()
        .filter(|row| !row.to_device)
        .filter_map(|row| {
            let event = give(client, cx, addr(CAMERA), &row.raw).unwrap();
            drain(client, cx);
            event
        })
        .collect()
}

#[test]
fn our_client_watches_the_recorded_cc51_camera() {
    let rows = rows("sessions/cc51.wire.jsonl");
    let sid = &row(&rows, "cc51_disco_0").raw[16..24];
    let mut client = client(sid, Framings::BOTH);
    let seen = watch(&mut client, &rows);
    assert_eq!(seen[0], Seen::Found(addr(CAMERA), Framing::Cc51));
    assert_eq!(seen[1], Seen::Open(Framing::Cc51));
    assert_eq!(seen.len(), 2 + 29);
}

#[test]
fn our_client_watches_the_recorded_transcode_camera() {
    let rows = rows("sessions/iotc.wire.jsonl");
    let sid = &row(&rows, "session_req").plain.as_ref().unwrap()[36..44];
    let mut client = client(sid, Framings::BOTH);
    let mut rng = FixedRng::new(&[]);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    // The recorded 0x0602 does not repeat the session id, which real clients insist on, so ours comes first.
    let reply = wire::SearchReply::new(UID.as_bytes().try_into().unwrap(), sid.try_into().unwrap());
    let mut found = zerocopy::IntoBytes::as_bytes(&reply).to_vec();
    tutk_transcode::encode(&mut found);
    give(&mut client, cx, addr(CAMERA), &found).unwrap();
    let seen = watch(&mut client, &rows);
    assert_eq!(seen[0], Seen::Open(Framing::TransCode));
    assert_eq!(seen.len(), 1 + 29);
    assert_eq!(client.stats().rx_foreign_session, 1, "the recorded 0x0602");
}
