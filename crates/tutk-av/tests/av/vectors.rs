//! Captured and derived bytes, read and written. Provenance: `testdata/vectors.json` (`_about`) and
//! `testdata/sessions/README.md`.

use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use tutk_av::*;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::common::*;

#[test]
fn derived_frames_come_out_as_expected() {
    for case in vectors()["derived_frames"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let expect = &case["expect"][0];
        let number = expect["frame_no"].as_u64().unwrap() as u32;
        let stream = match expect["ch"].as_u64() {
            Some(3) => Stream::Audio,
            _ => Stream::Video,
        };
        let config = AssemblerConfig {
            gate: false,
            ..AssemblerConfig::VIDEO
        };
        let mut memory = vec![0xee; 64 * 1026];
        let mut assembler = Assembler::new(stream, &mut memory, config);
        let packets: Vec<_> = case["packets"]
            .as_array()
            .unwrap()
            .iter()
            .map(bytes_of)
            .collect();
        for packet in &packets {
            let packet = media(packet);
            assert_eq!(packet.frame, number, "{name}");
            assembler.push(Instant::ZERO, &packet);
            assert_eq!(
                assembler.poll(Instant::ZERO),
                None,
                "{name}: not the first frame"
            );
        }
        let due = assembler.poll_timeout().unwrap();
        let Some(Output::Frame(r)) = assembler.poll(due) else {
            panic!("{name}")
        };
        let frame = assembler.frame(r);
        assert_eq!(frame.number, number, "{name}");
        assert_eq!(
            u64::from(u16::from(frame.info.codec)),
            expect["codec"].as_u64().unwrap(),
            "{name}"
        );
        if stream == Stream::Video {
            assert_eq!(frame.key, expect["key"].as_bool().unwrap(), "{name}");
        }
        match expect.get("payload") {
            Some(payload) => {
                assert_eq!(hex::encode(frame.data), payload.as_str().unwrap(), "{name}")
            }
            None => {
                let sha = hex::encode(Sha256::digest(frame.data));
                assert_eq!(sha, expect["payload_sha256"].as_str().unwrap(), "{name}");
            }
        }
        if let (Some(micros), Some(unix)) = (expect["ts_us"].as_u64(), expect["unix"].as_u64()) {
            assert_eq!(frame.timestamp, unix * 1_000_000 + micros, "{name}");
        }
        if let (Some(rate), Some(channels)) = (expect["rate"].as_u64(), expect["channels"].as_u64())
        {
            let format = frame.info.audio_format().unwrap();
            assert_eq!(u64::from(format.sample_rate), rate, "{name}");
            assert_eq!(u64::from(format.channels), channels, "{name}");
        }
    }
}

#[test]
fn wrapper_and_extension_of_the_derived_frames_are_read() {
    let vectors = vectors();
    let cases = vectors["derived_frames"].as_array().unwrap();
    let packet_of = |name: &str| {
        let found = cases
            .iter()
            .find(|case| case["name"].as_str().unwrap().contains(name));
        bytes_of(&found.unwrap()["packets"][0])
    };
    let wrapped = packet_of("36-byte header");
    let wrapped = media(&wrapped);
    let place = FecPlace {
        group: 10,
        index: 0,
        size: 20,
    };
    assert_eq!(
        (wrapped.fec, wrapped.stats, wrapped.resent),
        (Some(place), None, false)
    );
    assert_eq!(wrapped.protected.len(), 20 + 110);
    let both = packet_of("44-byte header");
    let both = media(&both);
    let block = StatsBlock {
        clock: 0x965c,
        timeout_ms: 85,
        highest: 0xffff,
    };
    assert_eq!((both.fec, both.stats), (Some(place), Some(block)));
    let resent = packet_of("resent copy");
    let resent = media(&resent);
    assert!(resent.resent && resent.last && !resent.key);
    assert_eq!(resent.stream, Stream::Video);
}

/// Captured heads, completed with a payload of the length that they declare.
#[test]
fn captured_heads_are_read() {
    let vectors = vectors();
    let real = |name: &str| {
        let found = vectors["real"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == name);
        bytes_of(&found.unwrap()["bytes"])
    };

    let mut wrapped = real("resend_wrapped_head");
    wrapped.extend(hex::decode("6e00000000000000000000000000").unwrap()); // length, 0, previous, current
    wrapped.resize(36 + 0x6e, 0);
    let packet = media(&wrapped);
    assert_eq!((packet.counter, packet.total, packet.index), (200, 1, 0));
    assert_eq!(
        packet.fec,
        Some(FecPlace {
            group: 10,
            index: 0,
            size: 20
        })
    );

    let mut direct = real("direct_head");
    direct.extend(hex::decode("000400000000000000000000").unwrap());
    direct.resize(28 + 0x400, 0);
    let packet = media(&direct);
    assert!(packet.key && !packet.last);
    assert_eq!((packet.counter, packet.total, packet.index), (0x63, 134, 0));

    let mut extended = real("session25_ext_head");
    extended.resize(36 + 0x2a8, 0);
    let packet = media(&extended);
    assert_eq!((packet.frame, packet.previous), (7, 6));
    assert_eq!(packet.info.unwrap().size, 32);
    assert_eq!(packet.stats.unwrap().timeout_ms, 85);
    assert_eq!(packet.payload.len(), 0x2a8 - 32);
}

#[test]
fn ioctls_match_the_vectors() {
    let vectors = vectors();
    let (derived, go2rtc) = (&vectors["derived_av"], &vectors["derived_packets_go2rtc"]);
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let config = LoginConfig {
        user: b"admin",
        password: b"x",
        resend: false,
    };
    let mut app = Initiator::new(&config, &mut [], &mut cx);
    let first = app.ioctl_ticket();
    let second = app.ioctl_ticket();
    for (ticket, case, is_wrapped) in [
        (first, &derived["ioctl_K10000_wrapped"], true),
        (
            first.form(IoctlForm::Direct),
            &derived["ioctl_K10000_direct"],
            false,
        ),
        (first, &go2rtc["go2rtc_ioctl_0_K10000_empty"], true),
        (second, &go2rtc["go2rtc_ioctl_1_K10010_video"], true),
    ] {
        let expected = bytes_of(case);
        let hl = &expected[if is_wrapped { 40 } else { 32 }..];
        for _ in 0..2 {
            let mut memory = [0; 200];
            let mut tx = TxBuf::new(&mut memory);
            app.write_ioctl(ticket, hl, &mut tx).unwrap();
            assert_eq!(hex::encode(tx.payload()), hex::encode(&expected));
        }
        let Ok(Message::Ioctl(part)) = Message::parse(&expected) else {
            panic!("{case}")
        };
        assert_eq!(part.whole(), Some((IO_TYPE, hl)));
    }
}

struct Recorded {
    dir: String,
    bytes: Vec<u8>,
}

fn events(name: &str) -> Vec<serde_json::Value> {
    let lines = testdata(&format!("sessions/{name}.camera.jsonl"));
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn recorded(name: &str) -> Vec<Recorded> {
    let av = events(name).into_iter().filter(|event| event["ev"] == "av");
    av.map(|event| Recorded {
        dir: event["dir"].as_str().unwrap().to_owned(),
        bytes: bytes_of(&event["hex"]),
    })
    .collect()
}

/// SHA-256 of frames by (audio?, number), from events of one kind.
fn hashes(name: &str, kind: &str) -> Vec<(bool, u64, String)> {
    let events = events(name);
    let found = events.iter().filter(|event| event["ev"] == kind);
    found
        .map(|event| {
            let sha = event["sha256"].as_str().unwrap().to_owned();
            let is_audio = event["ch"].as_u64().is_none_or(|ch| ch == 3);
            (is_audio, event["no"].as_u64().unwrap(), sha)
        })
        .collect()
}

#[test]
fn every_recorded_message_is_known() {
    for name in ["iotc", "cc51"] {
        let messages = recorded(name);
        assert!(messages.len() > 50, "{name}");
        for Recorded { dir, bytes } in &messages {
            match Message::parse(bytes) {
                Ok(Message::Unknown(_) | Message::Channel) | Err(_) => {
                    panic!("{name} {dir} {}", hex::encode(bytes))
                }
                Ok(_) => {}
            }
        }
    }
}

#[test]
fn recorded_frames_are_rebuilt() {
    for name in ["iotc", "cc51"] {
        for (dir, kind) in [("s2c", "tx_frame"), ("c2s-ch1", "audio_rx")] {
            let (mut video, mut audio) = (vec![0; 40 * 1026], vec![0; 8 * 1026]);
            let mut assemblers = [
                Assembler::new(Stream::Video, &mut video, AssemblerConfig::VIDEO),
                Assembler::new(Stream::Audio, &mut audio, AssemblerConfig::AUDIO),
            ];
            let mut chunks = [
                ChunkStream::new(Stream::Video, true),
                ChunkStream::new(Stream::Audio, false),
            ];
            let mut partial = [Vec::new(), Vec::new()];
            let (mut whole, mut pieced) = (Vec::new(), Vec::new());
            for message in recorded(name).iter().filter(|message| message.dir == dir) {
                let Ok(Message::Media(packet)) = Message::parse(&message.bytes) else {
                    continue;
                };
                let which = usize::from(packet.stream == Stream::Audio);
                let assembler = &mut assemblers[which];
                assembler.push(Instant::ZERO, &packet);
                while let Some(output) = assembler.poll(Instant::ZERO) {
                    let Output::Frame(r) = output else {
                        panic!("{output:?}")
                    };
                    let frame = assembler.frame(r);
                    let sha = hex::encode(Sha256::digest(frame.data));
                    whole.push((which == 1, u64::from(frame.number), sha));
                }
                let outcome = chunks[which].push(&packet);
                assert_eq!(outcome.dropped, None);
                let chunk = outcome.chunk.unwrap();
                partial[which].extend(chunk.bytes);
                if chunk.last {
                    let data = std::mem::take(&mut partial[which]);
                    pieced.push((
                        which == 1,
                        u64::from(chunk.frame),
                        hex::encode(Sha256::digest(data)),
                    ));
                }
            }
            let expected = hashes(name, kind);
            assert_eq!(expected.len(), if dir == "s2c" { 8 } else { 5 });
            assert_eq!(whole, expected, "{name} {dir}");
            assert_eq!(pieced, expected, "{name} {dir}");
        }
    }
}

/// Our camera's side of AV understands all that the recorded client sent.
#[test]
fn responder_accepts_the_recorded_client() {
    for name in ["iotc", "cc51"] {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let config = ResponderConfig {
            two_way: true,
            ..Default::default()
        };
        let mut camera = Responder::new(&config, &mut [], &mut cx);
        let (mut logins, mut ioctls) = (0, 0);
        let messages = recorded(name);
        for message in messages.iter().filter(|message| message.dir == "c2s") {
            let mut bytes = message.bytes.clone();
            let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), &mut bytes);
            match camera.handle_datagram(&mut cx, &mut input).unwrap() {
                Some(Event::LoggedIn {
                    resend: false,
                    two_way: true,
                }) => logins += 1,
                Some(Event::Ioctl(ioctl)) => {
                    assert!(!ioctl.repeat && ioctl.kind == IO_TYPE);
                    assert!(ioctl.payload.starts_with(b"HL"));
                    ioctls += 1;
                }
                None => {}
                other => panic!("{other:?}"),
            }
            let mut memory = [0; 600];
            let mut tx = TxBuf::new(&mut memory);
            while camera.poll_transmit(&mut cx, &mut tx).unwrap() {
                if let Ok(Message::LoginReply(_)) = Message::parse(tx.payload()) {
                    // What the recorded camera answered, byte for byte.
                    let reply = messages.iter().find(|m| m.dir == "s2c").unwrap();
                    assert_eq!(tx.payload(), reply.bytes);
                }
                tx.truncate(0);
            }
        }
        assert_eq!((logins, ioctls), (1, 4), "{name}");
        let stats = camera.stats();
        assert_eq!(
            (stats.rx_malformed, stats.rx_unknown, stats.rx_unexpected),
            (0, 0, 0)
        );
        assert_eq!((stats.tx_login, stats.tx_ack), (1, 4));
    }
}
