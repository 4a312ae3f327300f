//! A redacted recording shows how the camera speaks, and nothing of whose it is.

use tutk_dissect::{Packet, REDACTED_UID, Redactor, Severity};
use tutk_iotc::AuthKey;
use tutk_testkit::data;
use wyze_kauth::keys::{Enr, Mac, auth_key};

use crate::common::{ENR, MAC, Sent, UID, datagrams, dissect, pcap_of};

pub(crate) fn redacted(name: &str) -> Vec<u8> {
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    let key = AuthKey::new(auth_key(&enr, &mac));
    let mut redactor = Redactor::new(&UID.parse().unwrap(), &key, &enr, &mac);
    let mut out = Vec::new();
    for (n, sent) in datagrams(name).into_iter().enumerate() {
        // A recorder hears of the keys behind the ServerHello.
        if n == 8 - usize::from(name == "cc51") {
            for (random, master) in data::key_log(&format!("sessions/{name}.keylog")) {
                redactor.add_key(random, &master);
            }
        }
        let bytes = redactor
            .datagram(sent.from, sent.to, &sent.bytes)
            .expect("all are of this protocol");
        out.push(Sent {
            at: sent.at,
            from: redactor.address("198.51.100.7:40000".parse().unwrap()),
            to: redactor.address(sent.to),
            bytes,
        });
    }
    pcap_of(&out)
}

#[test]
fn a_redacted_session_dissects_without_a_key_log() {
    for name in ["iotc", "cc51"] {
        let original = dissect(&pcap_of(&datagrams(name)), crate::common::keys(name));
        let packets = dissect(&redacted(name), Default::default());
        let outline = |packets: &[Packet]| -> Vec<Vec<String>> {
            let of = |p: &Packet| {
                let inner = p
                    .layers
                    .iter()
                    .filter(|l| ["av", "hl", "frameinfo", "alert"].contains(&l.name));
                inner.map(|l| l.summary.clone()).collect()
            };
            packets.iter().map(of).collect()
        };
        assert_eq!(outline(&packets), outline(&original), "{name}");
        for packet in &packets {
            let worst = packet.experts().map(|e| e.severity).max();
            assert!(worst <= Some(Severity::Note), "{name}: {packet:?}");
        }
    }
}

#[test]
fn a_redacted_session_holds_no_secret_and_no_identity_in_any_form() {
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    let key = auth_key(&enr, &mac);
    for name in ["iotc", "cc51"] {
        let pcap = redacted(name);
        let mut clear = pcap.clone();
        // As the frames are, and with TransCode undone.
        for packet in dissect_starts(&pcap) {
            let mut bytes = packet.clone();
            tutk_transcode::decode(&mut bytes);
            clear.extend(bytes);
        }
        let mut secrets: Vec<Vec<u8>> = vec![
            UID.into(),
            ENR.into(),
            MAC.into(),
            MAC.to_lowercase().into(),
            hex::decode(MAC).unwrap(),
            key.to_vec(),
            vec![198, 51, 100, 7],
        ];
        for master in data::key_log(&format!("sessions/{name}.keylog")).values() {
            secrets.push(master.to_vec());
        }
        for secret in secrets {
            let found = clear.windows(secret.len()).position(|w| w == secret);
            assert_eq!(found, None, "{name}: {}", String::from_utf8_lossy(&secret));
        }
        let media: Vec<_> = dissect(&pcap, Default::default())
            .iter()
            .flat_map(|p| p.layers.clone())
            .filter(|l| l.name == "av")
            .filter_map(|l| l.field("media").cloned())
            .collect();
        assert!(media.len() > 10);
        for field in media {
            let tutk_dissect::Value::Bytes(bytes) = &field.value else {
                panic!()
            };
            assert!(bytes.iter().all(|b| *b == 0), "{field:?}");
        }
        assert!(clear.windows(20).any(|w| w == REDACTED_UID));
    }
}

fn dissect_starts(pcap: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    tutk_dissect::read_capture(pcap, |frame| {
        all.push(frame.udp().unwrap().payload.to_vec());
        true
    })
    .unwrap();
    all
}

#[test]
fn damaged_and_strange_datagrams_are_redacted_without_harm() {
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    let key = AuthKey::new(auth_key(&enr, &mac));
    for name in ["iotc", "cc51"] {
        let mut redactor = Redactor::new(&UID.parse().unwrap(), &key, &enr, &mac);
        for (random, master) in data::key_log(&format!("sessions/{name}.keylog")) {
            redactor.add_key(random, &master);
        }
        for sent in datagrams(name) {
            let _ = redactor.datagram(sent.from, sent.to, &sent.bytes);
            for n in (0..sent.bytes.len()).step_by(11) {
                let _ = redactor.datagram(sent.from, sent.to, &sent.bytes[..n]);
                let mut flipped = sent.bytes.clone();
                flipped[n] ^= 0x21;
                if let Some(out) = redactor.datagram(sent.from, sent.to, &flipped) {
                    let mut clear = out.clone();
                    tutk_transcode::decode(&mut clear);
                    for bytes in [out, clear] {
                        assert!(!bytes.windows(32).any(|w| w == ENR.as_bytes()), "{n}");
                    }
                }
            }
        }
    }
}
