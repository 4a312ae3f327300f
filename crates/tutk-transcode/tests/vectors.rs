//! TransCode against captures and against another implementation's output (`testdata/vectors.json`).

use proptest::prelude::*;
use serde_json::Value;
use tutk_transcode::{PARTIAL, decode, decode_flat, encode, encode_flat};

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn encoded(plain: &[u8], encode: fn(&mut [u8])) -> Vec<u8> {
    let mut out = plain.to_vec();
    encode(&mut out);
    out
}

/// What `encode` makes of `plain` is `wire`, and `decode` takes it back.
fn assert_both_ways(
    name: &str,
    plain: &[u8],
    wire: &[u8],
    encode: fn(&mut [u8]),
    decode: fn(&mut [u8]),
) {
    assert_eq!(
        hex::encode(encoded(plain, encode)),
        hex::encode(wire),
        "{name}"
    );
    assert_eq!(
        hex::encode(encoded(wire, decode)),
        hex::encode(plain),
        "{name}, back"
    );
}

#[test]
fn captured_blocks_and_tails() {
    let all = vectors();
    let mut seen = 0;
    for v in all["real"].as_array().unwrap() {
        let name = v["name"].as_str().unwrap();
        let (plain, wire) = match name {
            "transcode_zero16" => (&v["in"], &v["out"]),
            _ if v["plain"].is_string() && v["wire"].is_string() => (&v["plain"], &v["wire"]),
            _ => continue,
        };
        assert_both_ways(name, &bytes(plain), &bytes(wire), encode_flat, decode_flat);
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn captured_packets() {
    let all = vectors();
    let of = |name: &str| {
        let list = all["real"].as_array().unwrap();
        list.iter().find(|v| v["name"] == name).unwrap().clone()
    };
    for name in ["close_frame", "keepalive_probe_header"] {
        let v = of(name);
        assert_both_ways(
            name,
            &bytes(&v["plain"]),
            &bytes(&v["wire"]),
            encode,
            decode,
        );
    }
}

#[test]
fn every_length_of_the_derived_vectors_in_three_forms() {
    let all = vectors();
    let cases = all["derived_transcode"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 102);
    let mut packets = 0;
    for v in cases {
        let name = v["len"].to_string();
        assert_both_ways(
            &name,
            &bytes(&v["plain"]),
            &bytes(&v["flat"]),
            encode_flat,
            decode_flat,
        );
        for (plain, wire) in [("plain_0a", "packet_0a"), ("plain_0b", "packet_0b")] {
            if v[plain].is_string() {
                let name = format!("{wire} of {name}");
                assert_both_ways(&name, &bytes(&v[plain]), &bytes(&v[wire]), encode, decode);
                packets += 1;
            }
        }
    }
    assert_eq!(packets, 2 * 98, "lengths 4 to 100 and 1000");
}

#[test]
fn packets_of_another_implementation() {
    let all = vectors();
    let mut seen = 0;
    for (name, v) in all["derived_packets_go2rtc"].as_object().unwrap() {
        if v.is_object() {
            assert_both_ways(
                name,
                &bytes(&v["plain"]),
                &bytes(&v["wire"]),
                encode,
                decode,
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

#[test]
fn decode_undoes_encode_at_every_length() {
    for len in 0..=2048 {
        for mode in [0x02, 0x0a, 0x0b] {
            let mut plain: Vec<u8> = (0..len).map(|i: usize| (i * 31 + len) as u8).collect();
            if let Some(byte) = plain.get_mut(3) {
                *byte = mode;
            }
            let mut packet = plain.clone();
            encode(&mut packet);
            if mode == 0x0b && len > PARTIAL {
                assert_eq!(packet[PARTIAL..], plain[PARTIAL..], "length {len}");
            }
            decode(&mut packet);
            assert_eq!(packet, plain, "length {len}, mode {mode:#x}");

            encode_flat(&mut packet);
            decode_flat(&mut packet);
            assert_eq!(packet, plain, "flat, length {len}");
        }
    }
}

#[test]
fn a_long_partial_packet_is_changed_in_its_first_64_bytes_only() {
    let mut packet = vec![0u8; 1400];
    packet[3] = 0x0b;
    encode(&mut packet);
    assert!(packet[..PARTIAL].chunks(16).all(|block| block != [0; 16]));
    assert!(packet[PARTIAL..].iter().all(|byte| *byte == 0));

    packet[PARTIAL..].fill(0xa5);
    decode(&mut packet);
    assert_eq!(packet[3], 0x0b);
    assert!(packet[PARTIAL..].iter().all(|byte| *byte == 0xa5));
}

proptest! {
    #[test]
    fn any_bytes_come_back(plain in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut packet = plain.clone();
        encode(&mut packet);
        decode(&mut packet);
        prop_assert_eq!(&packet, &plain);
        decode(&mut packet);
        encode(&mut packet);
        prop_assert_eq!(&packet, &plain);
    }
}
