//! Bodies that feed a stranger's datagrams to one object.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_av::{Adts, Assembler, AssemblerConfig, ChunkStream, FrameInfo, Message, Output, Stream};
use tutk_core::wire::Reader;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{Client, ClientConfig, Psk, RECOMMENDED_REASSEMBLY, Server, ServerConfig};
use tutk_iotc::{AuthKey, ClientConfig as IotcClientConfig, Device, DeviceConfig, Uid};

use super::{emit, packet};

/// Most that a layer sends when a timer is served, and that an initiator sends to begin with: a probe in each framing.
const MOST_UNASKED: usize = 2;

/// Most that an assembler may say at one moment: a frame may be numbered 256 beyond the last one handled, then each number
/// between them is given up by itself; and no more than so many frames are held.
pub(super) const MOST_OUTPUTS: usize = 256 + tutk_av::MAX_IN_FLIGHT;

/// The datagrams in `data`: each begins with its length in two big-endian bytes, the last may be cut short.
pub(super) fn datagrams(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut r = Reader::new(data);
    std::iter::from_fn(move || {
        let len = usize::from(r.u16_be().ok()?).min(r.rest().len());
        Some(r.take(len).ok()?.to_vec())
    })
}

/// Gives a layer every datagram in `data`, 50 ms apart, with timers and answers in between, until it dies. One datagram,
/// which nobody authenticated, brings about `answers` at most.
pub(super) fn feed<L: Layer>(mut layer: L, answers: usize, data: &[u8]) {
    let mut rng = crate::rng(1);
    let mut now = Instant::ZERO;
    if !drain(&mut layer, &mut Cx::new(now, &mut rng), MOST_UNASKED) {
        return;
    }
    let from: SocketAddr = "192.0.2.7:32761".parse().expect("an address");
    for mut bytes in datagrams(data) {
        let cx = &mut Cx::new(now, &mut rng);
        let most = bytes.len() + 1;
        let mut input = Datagram::new(from, &mut bytes);
        let mut events = 0;
        loop {
            match layer.handle_datagram(cx, &mut input) {
                Ok(Some(_)) => events += 1,
                Ok(None) => break,
                Err(_) => return,
            }
            assert!(events <= most, "more events than bytes");
        }
        if !drain(&mut layer, cx, answers)
            || layer.handle_timeout(cx).is_err()
            || !drain(&mut layer, cx, MOST_UNASKED)
        {
            return;
        }
        if let Some(at) = layer.poll_timeout() {
            assert!(at > now, "a timer that was served stays at {at:?}");
        }
        now += Duration::from_millis(50);
    }
}

/// Whether the layer is still alive after all it has to send: at most `most` datagrams, or it were an amplifier.
fn drain(layer: &mut impl Layer, cx: &mut Cx<'_>, most: usize) -> bool {
    let mut memory = [0; 2048];
    for _ in 0..=most {
        match layer.poll_transmit(cx, &mut TxBuf::new(&mut memory)) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
    }
    panic!("more than {most} datagrams");
}

fn identity() -> (Uid, AuthKey) {
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().expect("a UID");
    (uid, AuthKey::new(*b"vW28cYGv"))
}

/// An IOTC client that searches, both framings. What is a packet is written again, and read as the same.
pub fn iotc_client(data: &[u8]) {
    datagrams(data).for_each(|bytes| packet::round_trip(&bytes));
    let (uid, key) = identity();
    let targets = ["192.0.2.7:32761".parse().expect("an address")];
    let mut rng = crate::rng(2);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let config = IotcClientConfig::new(uid, key, &targets);
    feed(tutk_iotc::Client::new(&config, cx), 1, data);
}

/// An IOTC device, both framings. What is a packet is written again, and read as the same.
pub fn iotc_device(data: &[u8]) {
    datagrams(data).for_each(|bytes| packet::round_trip(&bytes));
    let (uid, key) = identity();
    let mut rng = crate::rng(3);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    feed(Device::new(&DeviceConfig::new(uid, key), cx), 1, data);
}

/// A DTLS client that has sent its hello.
pub fn dtls_client(data: &[u8]) {
    let mut memory = [0; RECOMMENDED_REASSEMBLY];
    let mut rng = crate::rng(4);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let config = ClientConfig::new(Psk::new([7; 32]), b"AUTHPWD_admin");
    feed(Client::new(&config, &mut memory, cx), 1, data);
}

/// A DTLS server; the first byte says whether it asks for a cookie.
pub fn dtls_server(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let mut memory = [0; RECOMMENDED_REASSEMBLY];
    let mut rng = crate::rng(5);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut config = ServerConfig::new(Psk::new([7; 32]));
    config.cookie = choice & 1 == 1;
    feed(Server::new(&config, &mut memory, cx), 1, data);
}

/// AV messages, FRAMEINFO and ADTS headers: any bytes are read or refused, what was read lies within the input, and what our
/// side can say of it is read again as the same.
pub fn av_message(data: &[u8]) {
    let message = Message::parse(data);
    if let Ok(message) = &message {
        emit::av(message, data);
    }
    if let Ok(Message::Media(packet)) = message {
        assert!(
            packet.index < packet.total,
            "packet {} of {}",
            packet.index,
            packet.total
        );
        assert!(packet.payload.len() <= data.len());
        assert_eq!(packet.last, packet.info.is_some());
    }
    if let Ok(info) = FrameInfo::parse(data) {
        emit::frame_info(&info, data);
    }
    if let Ok(header) = Adts::parse(data) {
        emit::adts(&header);
    }
}

/// Media packets of any shape into the assembler, in 8 KiB, and into the stream of chunks: invariants hold after each, a
/// frame named is a frame there, and time never runs away.
pub fn assembler(data: &[u8]) {
    let mut memory = [0; 8192];
    let mut whole = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut pieces = ChunkStream::new(Stream::Video, true);
    let mut now = Instant::ZERO;
    for bytes in datagrams(data) {
        let Ok(Message::Media(packet)) = Message::parse(&bytes) else {
            continue;
        };
        let _ = pieces.push(&packet);
        whole.push(now, &packet);
        whole.check_invariants().expect("after push");
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = whole.poll(now) else {
                break;
            };
            whole.check_invariants().expect("after poll");
            if let Output::Frame(frame) = output {
                assert!(whole.frame(frame).data.len() <= 8192);
            }
        }
        assert!(whole.poll(now).is_none(), "poll has an end");
        now += Duration::from_millis(20);
    }
}
