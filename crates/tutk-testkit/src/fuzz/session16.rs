//! Body of the target for the oldest generation of the AV layer.

use std::time::Duration;

use tutk_av::{
    Assembler, AssemblerConfig, ChunkStream, Codec, Event, FrameInfo, Generation, Initiator, Ioctl,
    IoctlForm, LoginConfig, OutFrame, Output, Packetizer, Responder, ResponderConfig, Stream,
};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use super::feed::{MOST_OUTPUTS, datagrams, feed};

/// Both sides, logged in.
fn connected(cx: &mut Cx<'_>) -> (Initiator<'static>, Responder<'static>) {
    let login = LoginConfig {
        user: b"admin",
        password: b"",
        resend: false,
    };
    let mut app = Initiator::new(&login, &mut [], cx);
    let mut camera = Responder::new(&ResponderConfig::default(), &mut [], cx);
    app.set_generation(Generation::Session16);
    camera.set_generation(Generation::Session16);
    pass(&mut app, &mut camera, cx);
    cx.now += Duration::from_millis(10);
    app.handle_timeout(cx).expect("time for a login");
    pass(&mut app, &mut camera, cx);
    pass(&mut camera, &mut app, cx);
    assert!(app.is_logged_in() && camera.is_logged_in());
    (app, camera)
}

/// Everything that `from` has to say reaches `to`.
fn pass(from: &mut impl Layer, to: &mut impl Layer, cx: &mut Cx<'_>) {
    let address = "192.0.2.7:32761".parse().expect("an address");
    let mut memory = [0; 2048];
    loop {
        let mut tx = TxBuf::new(&mut memory);
        if !matches!(from.poll_transmit(cx, &mut tx), Ok(true)) {
            return;
        }
        let mut input = Datagram::new(address, tx.finish());
        assert!(to.handle_datagram(cx, &mut input).is_ok());
    }
}

/// `data` as an IOCTRL of the app's and as a frame of the camera's, read by the other.
fn round_trip(data: &[u8]) {
    let mut rng = crate::rng(17);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera) = connected(cx);
    let address = "192.0.2.7:32761".parse().expect("an address");
    let mut memory = [0; 2048];
    // All of an IOCTRL is one packet.
    let payload = &data[..data.len().min(1000)];
    let mut tx = TxBuf::new(&mut memory);
    let ticket = app.ioctl_ticket().form(IoctlForm::Session16);
    app.write_ioctl(ticket, payload, &mut tx)
        .expect("there is room");
    let mut input = Datagram::new(address, tx.finish());
    let read = camera.handle_datagram(cx, &mut input);
    let expected = Ioctl {
        kind: 0x0100,
        payload,
        repeat: false,
    };
    assert_eq!(read, Ok(Some(Event::Ioctl(expected))));

    let info = FrameInfo::video(Codec::H265, 20, 0);
    let frame = OutFrame {
        stream: Stream::Video,
        key: true,
        info,
        data,
    };
    let mut packetizer = Packetizer::new();
    let mut out = packetizer.start(&frame);
    let mut memory = vec![0; 2 * data.len() + 4096];
    let mut whole = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    loop {
        let mut memory = [0; 2048];
        let mut tx = TxBuf::new(&mut memory);
        let written = camera.write_media(&mut packetizer, &mut out, &mut tx);
        if !written.expect("there is room") {
            break;
        }
        let mut input = Datagram::new(address, tx.finish());
        let Ok(Some(Event::Media(packet))) = app.handle_datagram(cx, &mut input) else {
            panic!("no media");
        };
        whole.push(cx.now, &packet);
    }
    let Some(Output::Frame(frame)) = whole.poll(cx.now) else {
        panic!("no frame of {} bytes", data.len());
    };
    let frame = whole.frame(frame);
    assert_eq!((frame.data, frame.info.codec), (data, info.codec));
}

/// Session16, logged in, fed by a stranger; the first byte says which side. The app's media go into the assembler and into
/// the stream of chunks: what comes out fits together, and time never runs away. The first datagram's bytes are said by our own
/// side as well, and read as the same.
pub fn av_session16(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    if let Some(first) = datagrams(data).next().filter(|first| !first.is_empty()) {
        round_trip(&first);
    }
    let mut rng = crate::rng(16);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, camera) = connected(cx);
    if choice & 1 == 1 {
        // To a login: its answer, and the question for terms (0x0012).
        feed(camera, 2, data);
        return;
    }
    let mut memory = [0; 8192];
    let mut whole = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut pieces = ChunkStream::new(Stream::Video, true);
    let mut offset = 0;
    for mut bytes in datagrams(data) {
        let len = bytes.len();
        let address = "192.0.2.7:32761".parse().expect("an address");
        let mut input = Datagram::new(address, &mut bytes);
        if let Ok(Some(Event::Media(packet))) = app.handle_datagram(cx, &mut input) {
            assert!(packet.index < packet.total && packet.payload.len() <= len);
            if let Some(chunk) = pieces.push(&packet).chunk {
                assert!(chunk.offset == 0 || chunk.offset == offset, "a gap");
                assert_eq!(chunk.last, chunk.info.is_some());
                offset = chunk.offset.saturating_add(chunk.bytes.len() as u32);
            }
            whole.push(cx.now, &packet);
            whole.check_invariants().expect("after push");
        }
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = whole.poll(cx.now) else {
                break;
            };
            whole.check_invariants().expect("after poll");
            if let Output::Frame(frame) = output {
                assert!(whole.frame(frame).data.len() <= 8192);
            }
        }
        assert!(whole.poll(cx.now).is_none(), "poll has an end");
        let mut memory = [0; 2048];
        let mut answers = 0;
        while matches!(
            app.poll_transmit(cx, &mut TxBuf::new(&mut memory)),
            Ok(true)
        ) {
            answers += 1;
            assert!(answers <= 2, "an amplifier");
        }
        cx.now += Duration::from_millis(20);
    }
}
