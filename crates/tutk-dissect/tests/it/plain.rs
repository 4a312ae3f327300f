//! Firmware without DTLS, and what is cut into several packets. The bytes are made by hand, after `docs/protocol.md` §2.12.

use std::time::Duration;

use tutk_dissect::{Layer, Packet, Redactor, Severity, Value};
use tutk_iotc::AuthKey;
use wyze_kauth::keys::{Enr, Mac, auth_key};

use crate::common::{ENR, MAC, Sent, UID, app, camera, dissect, pcap_of};

/// A packet of the camera's with one AV message in clear.
fn packet(sequence: u16, channel: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x04, 0x02, 0x12, 0x0a];
    bytes.extend((12 + message.len() as u16).to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend([0x08, 0x04, 0x12, 0x00, 0x1c, 0x24, channel, 0]);
    bytes.extend([
        0x0c, 0, 0, 0, 0x1c, 0x24, 0x76, 0x0a, 0x9d, 0x24, 0x88, 0xba,
    ]);
    bytes.extend(message);
    tutk_transcode::encode(&mut bytes);
    bytes
}

/// A message of Session16.
fn oldest(code: u16, sequence: u16, data: u32, index: u16, info: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = code.to_le_bytes().to_vec();
    bytes.extend([0x0b, 0]);
    bytes.extend(sequence.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(data.to_le_bytes());
    bytes.extend(index.to_le_bytes());
    bytes.extend(info.to_le_bytes());
    bytes.extend((payload.len() as u16).to_le_bytes());
    bytes.extend([0, 0, 1, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// FRAMEINFO of 32 bytes.
fn info(codec: u16, length: u32) -> Vec<u8> {
    let mut bytes = codec.to_le_bytes().to_vec();
    bytes.extend([1, 0, 1, 20, 0, 0]);
    bytes.extend(500_000u32.to_le_bytes());
    bytes.extend(1_767_225_600u32.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend([9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn hl(code: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"HL\x05\0".to_vec();
    bytes.extend(code.to_le_bytes());
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    bytes
}

const H264: u16 = 0x4e;
const PCM: u16 = 0x8c;

/// A frame in two packets with FRAMEINFO across them, one in one packet, one with FRAMEINFO in front, a frame of talk, a
/// K-command and its acknowledgement.
pub(crate) fn session16() -> Vec<u8> {
    let joined = [vec![0x65; 1010], info(H264, 1010)].concat();
    let talk = [&[7; 160][..], b"ODUA\x20\0\0\0", &info(PCM, 160)].concat();
    let command = [&[0, 1, 0, 0][..], &hl(10_010, &[1, 1])].concat();
    let messages = [
        (0, oldest(0x0301, 0, 1010, 0, 32, &joined[..1024])),
        (0, oldest(0x0301, 0, 1010, 1, 32, &joined[1024..])),
        (
            0,
            oldest(
                0x0301,
                1,
                700,
                0,
                32,
                &[vec![0x41; 700], info(H264, 700)].concat(),
            ),
        ),
        (
            0,
            oldest(
                0x0401,
                0,
                320,
                0,
                32,
                &[info(PCM, 320), vec![3; 320]].concat(),
            ),
        ),
        (1, oldest(0x0301, 0, 160, 0, 40, &talk)),
        (0, oldest(0x7000, 1, 0, 0, 0, &command)),
        (0, oldest(0x7100, 1, 0, 0, 0, &[])),
        (0, oldest(0x1400, 0, 0, 0, 0, &[0; 32])),
    ];
    let sent: Vec<Sent> = messages
        .iter()
        .enumerate()
        .map(|(n, (channel, message))| sent(n, &packet(n as u16, *channel, message)))
        .collect();
    pcap_of(&sent)
}

fn sent(n: usize, bytes: &[u8]) -> Sent {
    Sent {
        at: Duration::from_millis(1_767_225_600_000 + n as u64),
        from: camera(),
        to: app(),
        bytes: bytes.to_vec(),
    }
}

fn layer<'a>(packet: &'a Packet, name: &str) -> &'a Layer {
    packet
        .layer(name)
        .unwrap_or_else(|| panic!("no {name}: {packet:?}"))
}

#[track_caller]
fn assert_number(layer: &Layer, field: &str, wanted: u64) {
    let value = &layer.field(field).unwrap().value;
    assert!(
        matches!(value, Value::Number(n) | Value::Code(n) if *n == wanted),
        "{field}: {value:?}"
    );
}

#[test]
fn the_oldest_firmware_is_read_down_to_frame_info_and_k_commands() {
    let packets = dissect(&session16(), Default::default());
    for packet in &packets {
        for expert in packet.experts() {
            assert_eq!(expert.severity, Severity::Note, "{packet:?}");
        }
        for layer in &packet.layers {
            assert!(layer.field("unexplained").is_none(), "{layer:?}");
        }
    }
    assert!(packets[0].layer("frameinfo").is_none());
    let across = layer(&packets[1], "frameinfo");
    assert!(
        across.summary.contains("put together from two packets"),
        "{across:?}"
    );
    for (n, codec, length) in [
        (1, H264, 1010),
        (2, H264, 700),
        (3, PCM, 320),
        (4, PCM, 160),
    ] {
        let info = layer(&packets[n], "frameinfo");
        assert_number(info, "codec", codec.into());
        assert_number(info, "length", length);
    }
    // Offsets of what lies in one packet are those in the datagram: IOTC 28, header 24, FRAMEINFO in front.
    assert_eq!(layer(&packets[3], "frameinfo").offset, 52);
    let command = layer(&packets[5], "hl");
    assert_eq!(
        (command.offset, &*command.summary),
        (56, "K10010, switch a media stream")
    );
    assert!(layer(&packets[7], "av").summary.contains("login response"));
}

#[test]
fn a_frame_info_that_contradicts_its_frame_is_pointed_at_in_the_oldest_form_too() {
    let lie = [vec![0x41; 700], info(H264, 701)].concat();
    let bytes = packet(0, 0, &oldest(0x0301, 1, 700, 0, 32, &lie));
    let packets = dissect(&pcap_of(&[sent(0, &bytes)]), Default::default());
    let errors: Vec<_> = packets[0].experts().map(|e| e.reason.clone()).collect();
    assert_eq!(errors, ["the frame is said to have 701 bytes, 700 came"]);
    // And a length that is not there.
    let mut message = oldest(0x0301, 1, 700, 0, 32, &lie);
    message.truncate(600);
    let packets = dissect(
        &pcap_of(&[sent(0, &packet(0, 0, &message))]),
        Default::default(),
    );
    assert!(
        packets[0]
            .experts()
            .any(|e| e.reason.contains("732 bytes of payload, 576 are left"))
    );
}

/// The IOCTRL of the later form, cut at `at`.
fn in_parts(message: &[u8], at: usize) -> Vec<Vec<u8>> {
    let body = [&[0, 1, 0, 0][..], message].concat();
    let parts = [&body[..at], &body[at..]];
    let packets = parts.iter().enumerate().map(|(index, part)| {
        let mut bytes = vec![0, 0x70, 0x0c, 0];
        bytes.extend([4 + index as u8, 0, 0, 0]);
        bytes.extend([0, 0x70, 3 + index as u8, 0, 2, 0, index as u8, 0]);
        bytes.extend((part.len() as u16).to_le_bytes());
        bytes.extend([0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
        bytes.extend(*part);
        packet(index as u16, 0, &bytes)
    });
    packets.collect()
}

/// A K-command in one packet, dissected.
fn dissected(code: u16, body: &[u8]) -> Layer {
    let command = [&[0, 1, 0, 0][..], &hl(code, body)].concat();
    let sent = sent(0, &packet(0, 0, &oldest(0x7000, 0, 0, 0, 0, &command)));
    let packets = dissect(&pcap_of(&[sent]), Default::default());
    let layer = packets[0].layers.last().unwrap();
    assert_eq!(layer.name, "hl", "{packets:?}");
    layer.clone()
}

#[test]
fn a_challenge_and_its_answer_are_no_json_whatever_bytes_they_have() {
    let random = *br#"{"a":"b","c":12}"#;
    let challenge = [&[6][..], &random].concat();
    let answer = [&random[..], b"AABB\x01\x00"].concat();
    let answer_and_id = [&answer[..], b"\x06{\"user"].concat();
    for (code, body, name) in [
        (10_001, &challenge, "challenge"),
        (10_002, &answer, "response"),
        (10_006, &answer_and_id, "response"),
        (10_008, &answer_and_id, "response"),
    ] {
        let layer = dissected(code, body);
        let field = layer.field(name).unwrap_or_else(|| panic!("{layer:?}"));
        assert_eq!(field.value, Value::Bytes(random.to_vec()), "K{code}");
        assert!(layer.field("json").is_none(), "K{code}");
        assert_eq!(layer.experts.len(), 0, "{layer:?}");
    }
    let said = format!("{:?}", dissected(10_006, &answer_and_id));
    assert!(
        !said.contains("user\\\"") && !said.contains("7b2275736572"),
        "{said}"
    );
}

#[test]
fn a_number_is_no_json_for_being_a_brace() {
    assert!(dissected(10_050, b"{").field("payload").is_some());
    assert!(dissected(10_021, b"{\"21\":\"1\"}").field("json").is_some());
    assert!(dissected(10_021, b"{}").field("json").is_some());
}

#[test]
fn a_command_in_two_packets_is_put_together_and_its_identities_stay_hidden() {
    let body = format!(
        r#"{{"basicInfo":{{"model":"HL_CAM3P","x":"{}","mac":"AABBCCDDEEFF","firmware":"4.58.11"}}}}"#,
        "y".repeat(960)
    );
    // The cut goes through the MAC.
    let cut = 4 + 16 + body.find("CCDD").unwrap();
    let parts = in_parts(&hl(10_003, body.as_bytes()), cut);
    for order in [[0, 1], [1, 0]] {
        let sent: Vec<Sent> = order.iter().map(|n| sent(*n, &parts[*n])).collect();
        let packets = dissect(&pcap_of(&sent), Default::default());
        let whole = packets[1].layers.last().unwrap();
        assert_eq!(
            whole.summary,
            "K10003, reply: answer to the challenge, put together from 2 packets; offsets count from its own first byte"
        );
        assert_eq!((whole.offset, whole.length), (0, 16 + body.len()));
        assert!(whole.experts.is_empty(), "{whole:?}");
        let Value::Text(json) = &whole.field("json").unwrap().value else {
            panic!("{whole:?}");
        };
        assert!(
            json.contains("4.58.11") && json.contains("************"),
            "{json}"
        );
        let all = format!("{packets:?}");
        for piece in ["AABB", "CCDDEEFF", "434344"] {
            assert!(!all.contains(piece), "{piece}: {all}");
        }
        for packet in &packets {
            for expert in packet.experts() {
                assert_eq!(expert.severity, Severity::Note, "{packet:?}");
            }
        }
    }
}

#[test]
fn a_redacted_recording_shows_no_half_of_an_identity_and_nothing_of_the_oldest_firmwares_pictures()
{
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    let key = AuthKey::new(auth_key(&enr, &mac));
    let mut redactor = Redactor::new(&UID.parse().unwrap(), &key, &enr, &mac);
    let body = r#"{"basicInfo":{"mac":"AABBCCDDEEFF"}}"#;
    let cut = 4 + 16 + body.find("CCDD").unwrap();
    let mut all = in_parts(&hl(10_003, body.as_bytes()), cut);
    let picture = [vec![0x65; 1010], info(H264, 1010)].concat();
    for (index, part) in picture.chunks(1024).enumerate() {
        let message = oldest(0x0301, 0, 1010, index as u16, 32, part);
        all.push(packet(9, 0, &message));
    }
    let challenge = b"\x06{\"x\":aabbaabba}";
    let answer = b"{\"x\":aabbaabba}cccc\x01\x00\x04abcd";
    for (code, body) in [
        (10_003, body.as_bytes()),
        (10_001, challenge),
        // One byte too many.
        (10_001, &[&challenge[..], b"}"].concat()),
        (10_008, answer),
    ] {
        let command = [&[0, 1, 0, 0][..], &hl(code, body)].concat();
        all.push(packet(9, 0, &oldest(0x7000, 1, 0, 0, 0, &command)));
    }
    for bytes in all {
        let mut shown = redactor.datagram(camera(), app(), &bytes).unwrap();
        assert_eq!(shown.len(), bytes.len());
        tutk_transcode::decode(&mut shown);
        for piece in [&b"AABB"[..], b"CCDDEEFF", &[0x65; 4], b"aabb", b"abcd"] {
            assert!(
                !shown.windows(piece.len()).any(|w| w == piece),
                "{shown:02x?}"
            );
        }
    }
}
