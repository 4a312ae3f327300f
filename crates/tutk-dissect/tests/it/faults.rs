//! What is planted is found, at the byte where it was planted; what is hostile does no harm.

use tutk_dissect::{Dissector, Expert, Options, Packet, Severity};

use crate::common::{Sent, datagrams, dissect, keys, pcap_of};

fn broken(name: &str, number: usize, damage: impl FnOnce(&mut Vec<u8>)) -> Vec<Packet> {
    let mut all = datagrams(name);
    damage(&mut all[number - 1].bytes);
    dissect(&pcap_of(&all), keys(name))
}

/// Nothing is worse than a note.
#[track_caller]
fn assert_none(packets: &[Packet]) {
    let worst = packets
        .iter()
        .flat_map(Packet::experts)
        .max_by_key(|e| e.severity);
    assert!(
        worst.is_none_or(|e| e.severity == Severity::Note),
        "{worst:?}"
    );
}

/// The findings of a packet; all others have none worse than a note.
#[track_caller]
fn only(packets: &[Packet], number: u64) -> Vec<&Expert> {
    let bad = |p: &'_ Packet| p.experts().filter(|e| e.severity > Severity::Note).count();
    for packet in packets {
        assert!(packet.number == number || bad(packet) == 0, "{packet:?}");
    }
    let packet = packets.iter().find(|p| p.number == number).unwrap();
    packet
        .experts()
        .filter(|e| e.severity > Severity::Note)
        .collect()
}

#[track_caller]
fn assert_finding(experts: &[&Expert], offset: usize, length: usize, reason: &str) {
    let found = experts.iter().any(|e| {
        (e.offset, e.length) == (offset, length)
            && e.severity == Severity::Error
            && e.reason.contains(reason)
    });
    assert!(found, "{experts:?}");
}

#[test]
fn a_wrong_hmac_is_pointed_at() {
    let packets = broken("cc51", 3, |bytes| bytes[40] ^= 1);
    assert_finding(&only(&packets, 3), 32, 20, "HMAC of bytes 0 to 31");
}

#[test]
fn a_changed_signed_byte_is_a_wrong_hmac() {
    let packets = broken("cc51", 3, |bytes| bytes[14] ^= 1);
    assert_finding(&only(&packets, 3), 32, 20, "HMAC of bytes 0 to 31");
}

#[test]
fn a_truncated_record_is_pointed_at_by_its_length_field() {
    // Header of 28, record header of 13: the length stands at 28 + 11.
    let packets = broken("iotc", 13, |bytes| bytes.truncate(bytes.len() - 5));
    let experts = only(&packets, 13);
    assert_finding(&experts, 39, 2, "truncated");
    assert_finding(&experts, 4, 2, "bytes of body");
}

#[test]
fn a_wrong_length_is_pointed_at() {
    let packets = broken("iotc", 5, |bytes| {
        tutk_transcode_pair(bytes, |plain| plain[4] ^= 1);
    });
    assert_finding(&only(&packets, 5), 4, 2, "37 bytes of body, 36 are there");
    let packets = broken("cc51", 4, |bytes| bytes[6] ^= 1);
    let experts = only(&packets, 4);
    assert_finding(&experts, 6, 2, "41 bytes from byte 12 on, 40 are there");
}

#[test]
fn a_record_that_was_tampered_with_does_not_authenticate() {
    let packets = broken("iotc", 17, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_finding(&only(&packets, 17), 41, 89, "does not authenticate");
}

#[test]
fn a_missing_packet_of_a_frame_is_no_wrong_length() {
    let mut all = datagrams("iotc");
    all.remove(38);
    let packets = dissect(&pcap_of(&all), keys("iotc"));
    assert_none(&packets);
}

#[test]
fn a_new_address_in_mid_session_changes_nothing() {
    let mut all = datagrams("iotc");
    for sent in &mut all[40..] {
        let port = |a: &mut std::net::SocketAddr| {
            if a.port() == 32761 {
                a.set_port(50_000);
            }
        };
        port(&mut sent.from);
        port(&mut sent.to);
    }
    let packets = dissect(&pcap_of(&all), keys("iotc"));
    assert_none(&packets);
}

#[test]
fn two_sessions_at_a_time_are_told_apart() {
    let mut all: Vec<Sent> = datagrams("iotc")
        .into_iter()
        .chain(datagrams("cc51"))
        .collect();
    all.sort_by_key(|sent| sent.at);
    let mut text = std::fs::read(tutk_testkit::data::path("sessions/iotc.keylog")).unwrap();
    text.extend(std::fs::read(tutk_testkit::data::path("sessions/cc51.keylog")).unwrap());
    let packets = dissect(
        &pcap_of(&all),
        tutk_dissect::KeyLog::read(&text[..]).unwrap(),
    );
    assert_none(&packets);
}

#[test]
fn every_prefix_and_every_flipped_byte_is_survived() {
    for name in ["iotc", "cc51"] {
        let all = datagrams(name);
        let mut dissector = Dissector::new(Options {
            keys: keys(name),
            ..Options::default()
        });
        for sent in &all[..50.min(all.len())] {
            dissector.datagram(sent.from, sent.to, &sent.bytes);
            for n in (0..sent.bytes.len()).step_by(7) {
                dissector.datagram(sent.from, sent.to, &sent.bytes[..n]);
                let mut flipped = sent.bytes.clone();
                flipped[n] ^= 0x55;
                dissector.datagram(sent.from, sent.to, &flipped);
            }
        }
    }
}

fn tutk_transcode_pair(bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
    tutk_transcode::decode(bytes);
    change(bytes);
    tutk_transcode::encode(bytes);
}
