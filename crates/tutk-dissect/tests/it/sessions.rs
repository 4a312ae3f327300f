//! The two recorded sessions of an independent client dissect completely.

use tutk_dissect::{Packet, Severity, Value, text};
use tutk_testkit::data;

use crate::common::{datagrams, dissect, keys, pcap_of};

fn packets(name: &str) -> Vec<Packet> {
    dissect(&pcap_of(&datagrams(name)), keys(name))
}

fn layers<'a>(packets: &'a [Packet], name: &'a str) -> Vec<&'a tutk_dissect::Layer> {
    let all = packets.iter().flat_map(|p| &p.layers);
    all.filter(|layer| layer.name == name).collect()
}

#[test]
fn the_committed_captures_are_the_recorded_sessions() {
    for name in ["iotc", "cc51"] {
        let path = data::path(&format!("sessions/{name}.pcap"));
        let pcap = pcap_of(&datagrams(name));
        if std::env::var_os("UPDATE_CAPTURES").is_some() {
            std::fs::write(&path, &pcap).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap_or_default() == pcap,
            "{}: run this test with UPDATE_CAPTURES=1",
            path.display()
        );
    }
}

#[test]
fn no_packet_of_the_recorded_sessions_is_unexplained() {
    for (name, count) in [("iotc", 83), ("cc51", 82)] {
        let packets = packets(name);
        assert_eq!(packets.len(), count);
        for packet in &packets {
            assert!(packet.layer("other").is_none(), "{packet:?}");
            for expert in packet.experts() {
                assert!(
                    expert.severity == Severity::Note,
                    "{name} {}: {expert:?}",
                    packet.number
                );
            }
            for layer in &packet.layers {
                assert!(layer.field("unexplained").is_none(), "{layer:?}");
                for field in &layer.fields {
                    let end = field.offset + field.length;
                    assert!(end <= packet.length, "{} {field:?}", packet.number);
                }
            }
        }
        let sealed = layers(&packets, "dtls").into_iter();
        let sealed = sealed.filter(|layer| layer.field("epoch").unwrap().value != Value::Number(0));
        assert!(sealed.clone().count() > 60);
        for record in sealed {
            assert!(record.summary.ends_with("decrypted"), "{record:?}");
        }
    }
}

#[test]
fn every_k_command_is_named() {
    for name in ["iotc", "cc51"] {
        let packets = packets(name);
        let said: Vec<_> = layers(&packets, "hl")
            .iter()
            .map(|l| l.summary.clone())
            .collect();
        assert_eq!(
            said,
            [
                "K10000, hello",
                "K10001, reply: hello",
                "K10002, answer to the challenge",
                "K10003, reply: answer to the challenge",
                "K10056, set resolution and bit rate",
                "K10057, reply: set resolution and bit rate",
                "K10010, switch a media stream",
                "K10011, reply: switch a media stream",
            ],
            "{name}"
        );
    }
}

#[test]
fn every_media_frame_shows_its_frame_info() {
    for name in ["iotc", "cc51"] {
        let packets = packets(name);
        let sent = data::session(&format!("sessions/{name}.camera.jsonl"));
        let frames = sent
            .iter()
            .filter(|line| line.get("sha256").is_some())
            .count();
        let talk = sent
            .iter()
            .filter(|line| line["event"] == "talk_frame")
            .count();
        let infos = layers(&packets, "frameinfo");
        assert!(
            infos.len() >= 12,
            "{name}: {} of {frames} and {talk}",
            infos.len()
        );
        let last: Vec<_> = layers(&packets, "av")
            .into_iter()
            .filter(|av| av.field("info_length").is_some())
            .collect();
        assert_eq!(last.len(), infos.len());
        for info in infos {
            assert!(!info.summary.contains("Unknown"), "{info:?}");
        }
    }
}

#[test]
fn the_hmac_of_every_cc51_packet_is_checked_with_what_the_search_showed() {
    let packets = packets("cc51");
    for layer in layers(&packets, "cc51") {
        assert_eq!(layer.field("hmac").unwrap().note, "right", "{layer:?}");
    }
}

#[test]
fn secrets_and_identities_are_hidden() {
    use crate::common::{ENR, MAC, UID};
    for name in ["iotc", "cc51"] {
        let packets = packets(name);
        let mut all = serde_json::to_string(&packets).unwrap();
        for packet in &packets {
            let (start, brief) = (packets[0].time, false);
            all += &text::Shown {
                packet,
                start,
                brief,
            }
            .to_string();
        }
        let master =
            std::fs::read_to_string(data::path(&format!("sessions/{name}.keylog"))).unwrap();
        let master = master.split_whitespace().nth(2).unwrap().to_owned();
        for secret in [
            ENR,
            MAC,
            UID,
            &hex::encode(ENR),
            &hex::encode(UID),
            &hex::encode(MAC),
            &master,
        ] {
            assert!(!all.contains(secret), "{name}: {secret}");
        }
        assert!(all.contains("***"));
    }
}

#[test]
fn a_packet_as_people_see_it() {
    let packets = packets("iotc");
    let show = |number: usize| {
        let packet = &packets[number - 1];
        let (start, brief) = (packets[0].time, false);
        text::Shown {
            packet,
            start,
            brief,
        }
        .to_string()
    };
    let shown = [5, 17, 43].map(show).join("\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshot.txt");
    if std::env::var_os("UPDATE_CAPTURES").is_some() {
        std::fs::write(path, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(path).unwrap());
}

#[test]
fn every_packet_is_json_that_tells_name_place_and_value() {
    let packets = packets("iotc");
    for packet in &packets {
        let line = serde_json::to_string(packet).unwrap();
        assert!(!line.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        for layer in json["layers"].as_array().unwrap() {
            for field in layer["fields"].as_array().unwrap() {
                assert!(field["name"].is_string() && field["offset"].is_u64());
                assert!(
                    field["length"].is_u64() && !field["value"].is_null(),
                    "{field}"
                );
            }
        }
    }
    let search = serde_json::to_value(&packets[0]).unwrap();
    assert_eq!(search["time"], "1767225600.000534000");
    assert_eq!(search["layers"][0]["fields"][6]["name"], "flags");
    assert_eq!(search["layers"][0]["fields"][6]["value"], 0x21);
}

#[test]
fn without_a_key_log_it_says_which_line_is_missing() {
    let packets = dissect(&pcap_of(&datagrams("iotc")), Default::default());
    let reasons: Vec<_> = packets.iter().flat_map(Packet::experts).collect();
    assert!(reasons.len() > 60);
    for expert in reasons {
        assert_eq!(expert.severity, Severity::Warning);
        assert!(expert.reason.contains("key log has no line"), "{expert:?}");
    }
}

#[test]
fn captures_of_other_dtls_libraries_open() {
    for (name, records) in [
        ("ccac_ems", 3),
        ("ccac_noems", 3),
        ("ccac_frag_mtu256", 3),
        ("cbc_noems_noetm", 3),
    ] {
        let keys = std::fs::read(data::path(&format!("dtls/{name}.keys"))).unwrap();
        let keys = tutk_dissect::KeyLog::read(&keys[..]).unwrap();
        let pcap = std::fs::read(data::path(&format!("dtls/{name}.pcap"))).unwrap();
        let packets = dissect(&pcap, keys);
        let opened = layers(&packets, "dtls");
        let opened = opened
            .iter()
            .filter(|l| l.summary.ends_with("decrypted"))
            .count();
        assert!(opened >= records, "{name}: {opened}");
        let wrong: Vec<_> = packets
            .iter()
            .flat_map(Packet::experts)
            .filter(|e| e.severity > Severity::Note)
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

/// The PSK of `testdata/dtls/README.md`.
#[test]
fn a_capture_of_openssl_opens_with_the_psk_alone_unless_the_master_secret_is_extended() {
    let dissect = |name: &str, psk: &str| {
        let mut keys = tutk_dissect::KeyLog::new();
        keys.set_psk(&hex::decode(psk).unwrap().try_into().unwrap());
        let pcap = std::fs::read(data::path(&format!("dtls/{name}.pcap"))).unwrap();
        let packets = dissect(&pcap, keys);
        let opened = layers(&packets, "dtls").into_iter();
        let opened = opened.filter(|l| l.summary.ends_with("decrypted")).count();
        let experts = packets.iter().flat_map(Packet::experts);
        let said: Vec<_> = experts
            .filter(|e| e.severity > Severity::Note)
            .map(|e| (e.severity, e.reason.to_string()))
            .collect();
        (opened, said)
    };
    let psk = "688831da27f81097acb2c659ab51ba2893a8d64a4b542fab81e1d4865cb0676d";
    let (opened, said) = dissect("cbc_noems_noetm", psk);
    assert!(opened >= 6 && said.is_empty(), "{opened} {said:?}");
    for (name, psk) in [("cbc_ems_etm", psk), ("cbc_noems_noetm", &"00".repeat(32))] {
        let (opened, said) = dissect(name, psk);
        assert!(opened == 0 && said.len() >= 6, "{name}: {opened} {said:?}");
        for (severity, reason) in said {
            assert_eq!(severity, Severity::Warning, "{name}: {reason}");
            assert!(
                reason.contains("extended master secret"),
                "{name}: {reason}"
            );
        }
    }
}
