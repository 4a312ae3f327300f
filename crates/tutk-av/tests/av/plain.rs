//! Generations without DTLS: against captured messages, and both roles against each other.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_av::*;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::common::*;

fn real(name: &str) -> serde_json::Value {
    let all = vectors();
    let list = all["real"].as_array().unwrap();
    list.iter().find(|v| v["name"] == name).unwrap().clone()
}

pub(crate) fn give<'p, L: Layer>(
    layer: &mut L,
    cx: &mut Cx<'_>,
    bytes: &'p mut [u8],
) -> Option<L::Event<'p>> {
    let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), bytes);
    layer.handle_datagram(cx, &mut input).ok().unwrap()
}

pub(crate) fn take<L: Layer>(layer: &mut L, cx: &mut Cx<'_>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx).ok().unwrap() {
            return all;
        }
        all.push(tx.finish().to_vec());
        assert!(all.len() < 100, "poll_transmit has no end");
    }
}

pub(crate) fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(16)
}

/// Both sides, logged in, in a generation; what passed between them.
pub(crate) fn connected(
    generation: Generation,
    cx: &mut Cx<'_>,
) -> (Initiator<'static>, Responder<'static>, Vec<Vec<u8>>) {
    connected_as(generation, PlainAccount::WYZE, b"888888", cx)
}

/// The same with an account of its own, whose password the camera knows.
pub(crate) fn connected_as<'a>(
    generation: Generation,
    account: PlainAccount<'a>,
    password: &[u8],
    cx: &mut Cx<'_>,
) -> (Initiator<'a>, Responder<'static>, Vec<Vec<u8>>) {
    let login = LoginConfig {
        user: b"admin",
        password: b"sim-enr-16byte!!",
        resend: true,
    };
    let answer = ResponderConfig {
        password: Some(password),
        resend: true,
        two_way: true,
    };
    let mut app = Initiator::new(&login, &mut [], cx);
    let mut camera = Responder::new(&answer, &mut [], cx);
    app.set_plain_account(account);
    app.set_generation(generation);
    camera.set_generation(generation);
    let mut wire = Vec::new();
    for _ in 0..2 {
        for bytes in take(&mut app, cx) {
            wire.push(bytes.clone());
            give(&mut camera, cx, &mut bytes.clone());
        }
        cx.now += Duration::from_millis(10);
        app.handle_timeout(cx).unwrap();
    }
    for bytes in take(&mut camera, cx) {
        wire.push(bytes.clone());
        let told = app.is_answer(&bytes);
        let mut copy = bytes.clone();
        let event = give(&mut app, cx, &mut copy);
        assert_eq!(
            told,
            matches!(event, Some(Event::LoggedIn { resend: false, .. }))
        );
    }
    assert!(app.is_logged_in() && camera.is_logged_in());
    (app, camera, wire)
}

#[test]
fn the_secret_never_leaves_without_dtls() {
    for generation in [Generation::Session25, Generation::Session16] {
        let mut rng = rng();
        let (_, _, wire) = connected(generation, &mut Cx::new(Instant::ZERO, &mut rng));
        let logins: Vec<_> = wire.iter().filter(|m| m.len() >= 570).collect();
        assert_eq!(logins.len(), 2);
        for login in logins {
            let Ok(Message::Login(login)) = Message::parse(login) else {
                panic!()
            };
            assert_eq!(
                (login.user, login.password),
                (&b"admin"[..], &b"888888"[..])
            );
            assert!(!login.resend);
        }
        for message in wire {
            assert_eq!(message[2..4], [0x0b, 0], "{}", hex::encode(&message));
            assert!(!message.windows(7).any(|w| w == b"sim-enr"));
        }
    }
}

#[test]
fn an_answer_must_bear_our_serial() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    for generation in [Generation::Session25, Generation::Session16] {
        let (_, _, wire) = connected(generation, cx);
        let reply = wire.iter().find(|m| (32..100).contains(&m.len())).unwrap();
        let (mut other, _, _) = connected(generation, cx);
        other = {
            let login = LoginConfig {
                user: b"admin",
                password: b"",
                resend: false,
            };
            let mut fresh = Initiator::new(&login, &mut [], cx);
            fresh.set_generation(generation);
            let _ = other;
            fresh
        };
        assert!(!other.is_answer(reply), "nothing was asked yet");
        take(&mut other, cx);
        assert!(!other.is_answer(reply), "the serial of another login");
        assert_eq!(give(&mut other, cx, &mut reply.clone()), None);
        assert!(!other.is_logged_in());
    }
}

#[test]
fn the_oldest_login_is_answered_with_its_own_end() {
    // `session16.go`: login of 562 bytes, and the answer to it.
    let end = "00000000000000000100000004000000fb071f00000000000000000000000300";
    let mut login = vec![0; 562];
    login[2] = 8;
    login[16..18].copy_from_slice(&0x021au16.to_le_bytes());
    login[20..24].copy_from_slice(&hex::decode("4f47c714").unwrap());
    login[24..29].copy_from_slice(b"admin");
    login[281..287].copy_from_slice(b"888888");
    login[530..].copy_from_slice(&hex::decode(end).unwrap());
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut app = Responder::new(&ResponderConfig::default(), &mut [], &mut cx);
    app.set_generation(Generation::Session16);
    let event = give(&mut app, &mut cx, &mut login);
    assert!(matches!(event, Some(Event::LoggedIn { .. })));
    cx.now += Duration::from_millis(50);
    app.handle_timeout(&mut cx).unwrap();
    let sent = take(&mut app, &mut cx);
    let expected = format!("00140b00000000000000000000000000200000004f47c714{end}");
    assert_eq!(hex::encode(&sent[0]), expected);
    let mut terms = bytes_of(&real("cmd_0012")["rx"]);
    terms[2] = 0x0b;
    assert_eq!(sent[1..], [terms]);
}

#[test]
fn captured_questions_are_answered_as_captured() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, _, _) = connected(Generation::Session16, cx);
    for name in ["timesync_0008", "timesync_0007", "cmd_0012"] {
        let case = real(name);
        assert_eq!(give(&mut app, cx, &mut bytes_of(&case["rx"])), None);
        assert_eq!(take(&mut app, cx), [bytes_of(&case["tx"])], "{name}");
        assert_eq!(give(&mut app, cx, &mut bytes_of(&case["tx"])), None);
        assert_eq!(
            take(&mut app, cx).len(),
            0,
            "an answer to {name} needs none"
        );
    }
    let case = real("ioctl_ack_session16");
    let mut ioctl = bytes_of(&case["rx_head"]);
    ioctl.extend([0, 1, 0, 0]);
    ioctl.extend([7; 48]);
    let mut bytes = ioctl.clone();
    let Some(Event::Ioctl(got)) = give(&mut app, cx, &mut bytes) else {
        panic!()
    };
    assert_eq!(
        (got.kind, got.payload, got.repeat),
        (0x100, &[7; 48][..], false)
    );
    assert_eq!(take(&mut app, cx), [bytes_of(&case["tx"])]);
    let again = give(&mut app, cx, &mut ioctl);
    assert!(matches!(again, Some(Event::Ioctl(got)) if got.repeat));
}

#[test]
fn ioctls_have_the_form_of_their_generation() {
    let derived = &vectors()["derived_av"]["ioctl_K10000_direct"];
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let hl = hex::decode("484c0500102700000000000000000000").unwrap();
    for generation in [Generation::Session25, Generation::Session16] {
        let (mut app, mut camera, _) = connected(generation, cx);
        let ticket = app.ioctl_ticket();
        let mut memory = [0; 200];
        let mut tx = TxBuf::new(&mut memory);
        app.write_ioctl(ticket, &hl, &mut tx).unwrap();
        let mut expected = bytes_of(derived);
        if generation == Generation::Session25 {
            expected[2] = 0x0b;
        } else {
            let head = "00700b0001000000000000000000000014000000";
            expected = hex::decode(format!("{head}0100000000010000{}", hex::encode(&hl))).unwrap();
        }
        assert_eq!(hex::encode(tx.payload()), hex::encode(&expected));
        let Some(Event::Ioctl(ioctl)) = give(&mut camera, cx, tx.payload_mut()) else {
            panic!()
        };
        assert_eq!((ioctl.kind, ioctl.payload), (0x100, &hl[..]));
    }
}

#[test]
fn session25_acknowledges_every_frame() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera, _) = connected(Generation::Session25, cx);
    take(&mut app, cx);
    let mut packetizer = Packetizer::new();
    for (frame, len) in [(1, 10), (2, 3000)] {
        let data = vec![frame; len];
        for mut bytes in sent_by(&mut camera, &mut packetizer, &video_frame(true, &data)) {
            let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
                panic!()
            };
            let acks = take(&mut app, cx);
            assert_eq!(acks.len(), usize::from(packet.last));
            for ack in acks {
                assert!(
                    matches!(Message::parse(&ack), Ok(Message::Ack(a)) if a.highest == packet.counter)
                );
            }
        }
    }
}

#[test]
fn frames_of_both_generations_come_with_the_short_frameinfo_of_others() {
    // `session25.go`: 0x20 where the FRAMEINFO length stands.
    let mut bytes = bytes_of(&real("session25_ext_head")["bytes"]);
    bytes.extend([9; 0x2a8 - 32]);
    bytes.extend(&FrameInfo::video(Codec::H265, 20, 0).to_bytes40([0; 12])[..32]);
    let packet = media(&bytes);
    assert_eq!(
        (packet.last, packet.total, packet.payload.len()),
        (true, 1, 0x2a8 - 32)
    );
    let info = packet.info.unwrap();
    assert_eq!((info.codec, info.size), (Codec::H265, 32));
}

/// All packets of a frame, as a camera sends them.
pub(crate) fn sent_by(
    camera: &mut Responder<'_>,
    packetizer: &mut Packetizer,
    frame: &OutFrame<'_>,
) -> Vec<Vec<u8>> {
    let mut out = packetizer.start(frame);
    let mut packets = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if !camera.write_media(packetizer, &mut out, &mut tx).unwrap() {
            return packets;
        }
        packets.push(tx.finish().to_vec());
    }
}

/// Lengths around every border: of packets, and of FRAMEINFO across two of them.
fn lengths() -> impl Iterator<Item = usize> {
    (0..6)
        .map(|n| n * 1024)
        .flat_map(|border| (border.max(40) - 40)..border + 8)
        .chain([1, 100_524])
}

#[test]
fn session16_packets_look_like_the_captured_one() {
    // `session16.go`: a frame of 100524 bytes, 98th packet: `01030800 00000000 ac880100 6200 2000 cc00 0000 01000000`.
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (_, mut camera, _) = connected(Generation::Session16, cx);
    let data = vec![1; 100_524];
    let packets = sent_by(
        &mut camera,
        &mut Packetizer::new(),
        &video_frame(true, &data),
    );
    assert_eq!(packets.len(), 99);
    let last = hex::encode(&packets[98][..24]);
    assert_eq!(last, "01030b0000000000ac88010062002000cc00000001000000");
    assert_eq!(packets[98].len(), 24 + 0xcc);
}

#[test]
fn session16_frames_of_every_length_arrive_in_any_order_whole_and_in_chunks() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera, _) = connected(Generation::Session16, cx);
    let mut packetizer = Packetizer::new();
    let mut memory = vec![0; 400 << 10];
    let mut whole = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut pieces = ChunkStream::new(Stream::Video, true);
    for (n, len) in lengths().enumerate() {
        let data: Vec<u8> = (0..len).map(|i| (i * 7 + n) as u8).collect();
        let packets = sent_by(&mut camera, &mut packetizer, &video_frame(true, &data));
        let mut chunks: Vec<u8> = Vec::new();
        for packet in &packets {
            let mut bytes = packet.clone();
            let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
                panic!()
            };
            let chunk = pieces.push(&packet).chunk.unwrap();
            chunks.extend(chunk.bytes);
            assert_eq!(chunk.last, chunk.info.is_some());
            if let Some(info) = chunk.info {
                assert_eq!((info.codec, info.is_key()), (Codec::H264, true));
            }
        }
        assert_eq!(chunks, data, "{len} bytes in chunks");
        for mut bytes in packets.into_iter().rev() {
            let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
                panic!()
            };
            whole.push(cx.now, &packet);
            whole.check_invariants().unwrap();
        }
        let Some(Output::Frame(frame)) = whole.poll(cx.now) else {
            panic!("{len} bytes")
        };
        let frame = whole.frame(frame);
        assert!(frame.data == data && frame.key, "{len} bytes");
        assert_eq!((frame.number, frame.info.size), (n as u32 + 1, 32));
    }
}

#[test]
fn session16_numbers_do_not_wrap_and_audio_keeps_its_own() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera, _) = connected(Generation::Session16, cx);
    let mut packetizer = Packetizer::new();
    for n in 1..70_000u32 {
        let frame = video_frame(false, &[1]);
        let mut bytes = sent_by(&mut camera, &mut packetizer, &frame).remove(0);
        let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
            panic!()
        };
        assert_eq!((packet.frame, packet.previous), (n, n - 1));
        assert_eq!(packet.stream, Stream::Video);
    }
    let frame = audio_frame(&[5; 320]);
    let mut bytes = sent_by(&mut camera, &mut packetizer, &frame).remove(0);
    assert_eq!(bytes[..2], [1, 4]);
    let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
        panic!()
    };
    assert_eq!((packet.frame, packet.stream), (1, Stream::Audio));
    assert_eq!(packet.payload, [5; 320]);
    assert_eq!(camera.max_frame(Stream::Audio), 1024);
    assert!(camera.max_frame(Stream::Video) > 60_000 * 1024);
    let (longest, too_long) = ([0; 1024], [0; 1025]);
    let mut sent = |frame| sent_by(&mut camera, &mut packetizer, &audio_frame(frame)).len();
    assert_eq!((sent(&longest[..]), sent(&too_long[..])), (1, 0));
}

#[test]
fn the_longest_frame_is_sent_whole() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    // Where FRAMEINFO does not fit into the last packet, it takes the last number that packets can have.
    let session25 = (Generation::Session25, 65_534);
    for (generation, wanted) in [session25, (Generation::Session16, 65_535)] {
        let (_, mut camera, _) = connected(generation, cx);
        let max = camera.max_frame(Stream::Video);
        if generation == Generation::Session25 {
            assert_eq!(camera.max_frame(Stream::Audio), max);
        }
        let data = vec![1; max];
        let frame = video_frame(true, &data);
        let mut packetizer = Packetizer::new();
        let mut out = packetizer.start(&frame);
        let mut memory = [0; 1500];
        let packets = (0..).take_while(|_| {
            let tx = &mut TxBuf::new(&mut memory);
            camera.write_media(&mut packetizer, &mut out, tx).unwrap()
        });
        assert_eq!(packets.count(), wanted, "{generation:?}");
    }
}

#[test]
fn talk_arrives_in_both_generations() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    for (generation, max) in [(Generation::Session25, 1024), (Generation::Session16, 984)] {
        // On the talk channel the camera logs in.
        let (mut camera, mut app, _) = connected(generation, cx);
        let mut packetizer = TalkPacketizer::new();
        let format = AudioFormat {
            sample_rate: 8000,
            bits: 16,
            channels: 1,
        };
        let data = vec![3; max + 1];
        let mut frame = TalkFrame {
            codec: Codec::Pcma,
            format,
            micros: 5,
            data: &data,
        };
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        assert!(app.write_talk(&mut packetizer, &frame, &mut tx).is_err());
        frame.data = &data[..max];
        app.write_talk(&mut packetizer, &frame, &mut tx).unwrap();
        assert_eq!(tx.payload()[2..4], [0x0b, 0]);
        if generation == Generation::Session16 {
            assert_eq!(tx.payload()[24 + max..][..8], *b"ODUA\x20\0\0\0");
            assert_eq!(tx.payload()[14..16], [0x28, 0]);
        }
        let Some(Event::Media(packet)) = give(&mut camera, cx, tx.payload_mut()) else {
            panic!()
        };
        assert_eq!((packet.frame, packet.payload), (1, frame.data));
        let info = packet.info.unwrap();
        assert_eq!(
            (info.codec, info.audio_format()),
            (Codec::Pcma, Some(format))
        );
    }
}

#[test]
fn hostile_headers_of_session16_are_counted_and_dropped() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, _, _) = connected(Generation::Session16, cx);
    // kind, bytes of the frame, packet, bytes of FRAMEINFO, bytes here, bytes that follow.
    let cases: [([u8; 2], u32, u16, u16, u16, usize); 10] = [
        ([1, 3], 0xffff_ffff, 0, 40, 1024, 1024),
        ([1, 3], 1024 * 0xffff, 0, 32, 1024, 1024), // one packet more than can be counted
        ([1, 3], 2000, 2, 32, 100, 100),            // no such packet
        ([1, 3], 2000, 0, 32, 1023, 1023),
        ([1, 3], 2000, 0, 32, 1024, 1023),
        ([1, 3], 2000, 0, 65, 1024, 1024),
        ([1, 3], 10, 0, 15, 25, 25),
        ([1, 4], 10, 0, 32, 31, 31),
        ([1, 4], 10, 0, 32, 1057, 1057),
        ([0, 0x70], 0, 0, 0, 3, 3),
    ];
    for (n, (kind, data, chunk, info, size, follow)) in cases.into_iter().enumerate() {
        let mut bytes = vec![0; 24 + follow];
        bytes[..2].copy_from_slice(&kind);
        bytes[8..12].copy_from_slice(&data.to_le_bytes());
        bytes[12..14].copy_from_slice(&chunk.to_le_bytes());
        bytes[14..16].copy_from_slice(&info.to_le_bytes());
        bytes[16..18].copy_from_slice(&size.to_le_bytes());
        assert_eq!(give(&mut app, cx, &mut bytes), None, "case {n}");
        assert_eq!(app.stats().rx_malformed, n as u32 + 1, "case {n}");
    }
}
