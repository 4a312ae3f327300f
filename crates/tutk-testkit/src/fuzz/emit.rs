//! Parse, emit, parse of the AV layer: what was read is said again by our own side, and read as the same.

mod answers;

use std::time::Duration;

use tutk_av::{
    Adts, FrameInfo, Initiator, Ioctl, IoctlForm, IoctlPart, IoctlTicket, Login, LoginConfig,
    MediaPacket, Message, OutFrame, Packetizer, Responder, ResponderConfig, Stream, TalkFrame,
    TalkPacketizer,
};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

/// FRAMEINFO in both lengths that we write: every field, and the bytes as they came.
pub(super) fn frame_info(info: &FrameInfo, data: &[u8]) {
    let short = info.to_bytes16();
    let mut head: [u8; 16] = *data.first_chunk().expect("it was read");
    // Xiaomi's cameras have milliseconds behind the seconds instead (`docs/protocol.md` §2.12).
    if data.len() == 32 && u32::from_le_bytes([8, 9, 10, 11].map(|at| head[at])) >= 1_000_000 {
        let millis = u32::from(u16::from_le_bytes([data[16], data[17]]));
        head[8..12].copy_from_slice(&(millis * 1000).to_le_bytes());
    }
    assert_eq!(short, head);
    let expected = FrameInfo {
        size: 16,
        length: 0,
        number: 0,
        ..*info
    };
    assert_eq!(FrameInfo::parse(&short), Ok(expected));
    let mac = data.get(24..36).and_then(<[u8]>::first_chunk);
    let long = info.to_bytes40(mac.copied().unwrap_or_default());
    assert_eq!(FrameInfo::parse(&long), Ok(FrameInfo { size: 40, ..*info }));
    if data.len() >= 40 {
        // The last four are a token that we do not keep.
        assert_eq!(long[..36], data[..36]);
    }
}

/// An ADTS header of seven bytes made of what was read of one.
pub(super) fn adts(read: &Adts) {
    const RATES: [u32; 13] = [
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
    ];
    let rate = RATES.iter().position(|&rate| rate == read.sample_rate);
    let rate = rate.expect("one of the rates") as u64;
    let channels = u64::from(if read.channels == 8 { 7 } else { read.channels });
    let object = u64::from(read.object_type);
    let unchecked = u64::from(read.header_len == 7);
    let header = 0xfff << 44
        | unchecked << 40
        | (object - 1) << 38
        | rate << 34
        | channels << 30
        | u64::from(read.frame_len) << 13;
    assert_eq!(Adts::parse(&header.to_be_bytes()[1..]), Ok(*read));
    let config = (object << 11 | rate << 7 | channels << 3) as u16;
    assert_eq!(read.audio_specific_config(), config.to_be_bytes());
}

/// What `layer` says now.
fn said(layer: &mut impl Layer, cx: &mut Cx<'_>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut memory = [0; 2048];
    for _ in 0..16 {
        let mut tx = TxBuf::new(&mut memory);
        if !matches!(layer.poll_transmit(cx, &mut tx), Ok(true)) {
            return all;
        }
        all.push(tx.finish().to_vec());
    }
    panic!("16 messages at one moment");
}

/// Gives `bytes` to `layer`.
fn hear(layer: &mut impl Layer, cx: &mut Cx<'_>, bytes: &[u8]) {
    let from = "192.0.2.7:32761".parse().expect("an address");
    let mut bytes = bytes.to_vec();
    let mut input = Datagram::new(from, &mut bytes);
    assert!(layer.handle_datagram(cx, &mut input).is_ok());
}

fn one_of_ours(bytes: &[u8]) -> Message<'_> {
    match Message::parse(bytes) {
        Ok(Message::Unknown(code)) => panic!("we said the unknown {code:#06x}"),
        Ok(message) => message,
        Err(why) => panic!("we said what nobody reads: {why}"),
    }
}

/// The message that `data` holds, or the answer to it, from our side.
pub(super) fn av(message: &Message<'_>, data: &[u8]) {
    match message {
        Message::Login(login) => {
            pair(login);
            reply(login, data);
        }
        Message::Ioctl(part) => ioctl(part),
        Message::Media(packet) => {
            frame(packet, data);
            talk(packet);
            acknowledgement(data, |ack| assert_eq!(ack.highest, packet.counter));
        }
        Message::StatsRequest(request) => {
            let mut rng = crate::rng(21);
            let cx = &mut Cx::new(Instant::ZERO, &mut rng);
            let mut app = logged_in(cx);
            hear(&mut app, cx, data);
            let said = said(&mut app, cx);
            let clock = request.clock;
            assert!(
                said.iter()
                    .any(|m| one_of_ours(m) == Message::StatsReply { clock }),
                "the clock is not echoed"
            );
        }
        Message::Channel => acknowledgement(data, |_| {}),
        Message::LoginReply(reply) => answers::login_reply(reply),
        Message::Ack(ack) => answers::ack(ack),
        Message::StatsReply { clock } => answers::stats_reply(*clock),
        Message::Parity(parity) => answers::parity(parity),
        // We say none of those.
        Message::Unknown(_) => {}
    }
}

/// A login of ours with the same words: both packets.
fn pair(login: &Login<'_>) {
    let mut rng = crate::rng(22);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let config = LoginConfig {
        user: login.user,
        password: login.password,
        resend: login.resend,
    };
    let mut app = Initiator::new(&config, &mut [], cx);
    let mut packets = said(&mut app, cx);
    cx.now += Duration::from_millis(10);
    app.handle_timeout(cx).expect("time for a login");
    packets.extend(said(&mut app, cx));
    let serials: Vec<_> = packets
        .iter()
        .enumerate()
        .map(|(at, bytes)| {
            let Message::Login(again) = one_of_ours(bytes) else {
                panic!("no login");
            };
            assert_eq!(again.second, at == 1);
            assert_eq!(again.user, &login.user[..login.user.len().min(16)]);
            let password = &login.password[..login.password.len().min(64)];
            assert_eq!(again.password, password);
            assert_eq!(again.resend, login.resend);
            again.serial
        })
        .collect();
    assert_eq!(serials.len(), 2);
    assert_eq!(serials[1], serials[0].wrapping_add(1));
}

/// The answer to the login.
fn reply(login: &Login<'_>, data: &[u8]) {
    let mut rng = crate::rng(23);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let config = ResponderConfig::default();
    let mut camera = Responder::new(&config, &mut [], cx);
    hear(&mut camera, cx, data);
    cx.now += Duration::from_secs(1);
    camera.handle_timeout(cx).expect("it waits");
    let answer = said(&mut camera, cx);
    let Message::LoginReply(reply) = one_of_ours(&answer[0]) else {
        panic!("no answer to a login");
    };
    assert_eq!(reply.serial, login.serial);
    assert_eq!(reply.two_way, config.two_way);
    assert_eq!(reply.enable, config.resend || !login.resend);
}

/// One that watches, over a session that works.
fn logged_in(cx: &mut Cx<'_>) -> Initiator<'static> {
    let login = LoginConfig {
        user: b"admin",
        password: b"",
        resend: false,
    };
    let mut app = Initiator::new(&login, &mut [], cx);
    let mut camera = Responder::new(&ResponderConfig::default(), &mut [], cx);
    log_in(&mut app, &mut camera, cx);
    app
}

/// Lets `app` log in.
fn log_in(app: &mut Initiator<'_>, camera: &mut Responder<'_>, cx: &mut Cx<'_>) {
    for _ in 0..2 {
        for bytes in said(app, cx) {
            hear(camera, cx, &bytes);
        }
        cx.now += Duration::from_millis(10);
        app.handle_timeout(cx).expect("time for a login");
    }
    for bytes in said(camera, cx) {
        hear(app, cx, &bytes);
    }
    assert!(app.is_logged_in());
    // The first acknowledgement is of nothing.
    said(app, cx);
}

/// The acknowledgement that follows `data`.
fn acknowledgement(data: &[u8], check: impl Fn(&tutk_av::Ack<'_>)) {
    let mut rng = crate::rng(24);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut app = logged_in(cx);
    hear(&mut app, cx, data);
    cx.now += Duration::from_millis(150);
    app.handle_timeout(cx).expect("it is logged in");
    let said = said(&mut app, cx);
    let mut acks = 0;
    for bytes in &said {
        if let Message::Ack(ack) = one_of_ours(bytes) {
            assert_eq!(ack.missing().count(), 0, "it is not in lossless mode");
            check(&ack);
            acks += 1;
        }
    }
    assert_eq!(acks, 1, "of {} messages", said.len());
}

/// An IOCTRL of ours with the same body, in both forms and as many packets as it takes, put together again.
fn ioctl(part: &IoctlPart<'_>) {
    let mut rng = crate::rng(25);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut app = logged_in(cx);
    let long: Vec<u8> = part.body.iter().copied().cycle().take(2500).collect();
    for (form, payload) in [
        (IoctlForm::Wrapped, part.body),
        (IoctlForm::Direct, part.body),
        (IoctlForm::Wrapped, &long),
        (IoctlForm::Direct, &long),
    ] {
        let total = IoctlTicket::fragments(payload.len());
        if total > 32 {
            continue;
        }
        let ticket = app.ioctl_ticket().form(form);
        let mut memory = vec![0; total * 1024];
        let mut camera = Responder::new(&ResponderConfig::default(), &mut memory, cx);
        let login = LoginConfig {
            user: b"",
            password: b"",
            resend: false,
        };
        for bytes in said(&mut Initiator::new(&login, &mut [], cx), cx) {
            hear(&mut camera, cx, &bytes);
        }
        let mut body: Vec<u8> = Vec::new();
        let mut counters = Vec::new();
        for index in 0..total as u16 {
            let mut memory = [0; 2048];
            let mut tx = TxBuf::new(&mut memory);
            app.write_ioctl(ticket.fragment(index), payload, &mut tx)
                .expect("there is room");
            let bytes = tx.finish().to_vec();
            let Message::Ioctl(again) = one_of_ours(&bytes) else {
                panic!("no IOCTRL");
            };
            assert_eq!((again.index, usize::from(again.total)), (index, total));
            body.extend(again.body);
            counters.push((again.seq, again.counter, again.message));
            hear(&mut camera, cx, &bytes);
        }
        counters.dedup();
        assert_eq!(counters.len(), 1, "one message, one number");
        assert_eq!(body, [&0x0100u32.to_le_bytes()[..], payload].concat());
        if total > 1 {
            let assembled = Ioctl {
                kind: 0x0100,
                payload,
                repeat: false,
            };
            assert_eq!(camera.assembled(), Some(assembled));
        }
    }
}

/// A frame of ours with these bytes.
fn frame(packet: &MediaPacket<'_>, data: &[u8]) {
    let mut packetizer = Packetizer::with_mac(*b"00AA11BB22CC");
    packetizer.set_lossless(packet.fec.is_some());
    let info = packet
        .info
        .unwrap_or_else(|| FrameInfo::video(tutk_av::Codec::H264, 20, 0));
    for data in [data, packet.payload] {
        let mut out = packetizer.start(&OutFrame {
            stream: packet.stream,
            key: packet.key,
            info,
            data,
        });
        let (number, total) = (out.number(), out.packets());
        let mut whole: Vec<u8> = Vec::new();
        let mut memory = [0; 2048];
        for index in 0.. {
            let mut tx = TxBuf::new(&mut memory);
            if !packetizer.next(&mut out, &mut tx).expect("there is room") {
                assert_eq!(index, total);
                break;
            }
            let Message::Media(again) = one_of_ours(tx.finish()) else {
                panic!("no media");
            };
            let key = packet.key && packet.stream == Stream::Video;
            assert_eq!((again.stream, again.key), (packet.stream, key));
            assert_eq!((again.frame, again.index), (number, index));
            assert_eq!(again.fec.is_some(), packet.fec.is_some());
            whole.extend(again.payload);
            assert_eq!(again.info.is_some(), index + 1 == total);
            if let Some(read) = again.info {
                let flags = match packet.stream {
                    Stream::Video => key.into(),
                    Stream::Audio => info.flags,
                };
                let expected = FrameInfo {
                    size: 40,
                    flags,
                    length: data.len() as u32,
                    number,
                    ..info
                };
                assert_eq!(read, expected);
            }
        }
        assert_eq!(whole, data);
    }
}

/// The sound as we would say it to a camera.
fn talk(packet: &MediaPacket<'_>) {
    let format = packet.info.and_then(|info| info.audio_format());
    let (Some(info), Some(format), Stream::Audio) = (packet.info, format, packet.stream) else {
        return;
    };
    let mut memory = [0; 2048];
    let mut tx = TxBuf::new(&mut memory);
    let frame = TalkFrame {
        codec: info.codec,
        format,
        micros: info.micros,
        data: packet.payload,
    };
    let written = TalkPacketizer::new().write(&frame, &mut tx);
    written.expect("there is room");
    let Message::Media(again) = one_of_ours(tx.finish()) else {
        panic!("no media");
    };
    assert_eq!(again.stream, Stream::Audio);
    assert_eq!(again.payload, packet.payload);
    let read = again.info.expect("one packet is all of it");
    assert_eq!(
        (read.codec, read.audio_format()),
        (info.codec, Some(format))
    );
}
