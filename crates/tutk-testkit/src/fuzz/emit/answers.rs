//! What one side says because of the other: the answer to a login, acknowledgements, statistics, parity.

use std::collections::BTreeSet;
use std::time::Duration;

use tutk_av::{
    Ack, Codec, FrameInfo, Initiator, LoginConfig, LoginReply, Message, OutFrame, Packetizer,
    Parity, ParityGroup, RepairConfig, RepairMemory, Responder, ResponderConfig, Stream,
};
use tutk_core::{Cx, Instant, Layer, TxBuf};

use super::{hear, log_in, logged_in, one_of_ours, said};

const LOGIN: LoginConfig<'_> = LoginConfig {
    user: b"admin",
    password: b"",
    resend: true,
};

/// Where a login and its answer have their serial (`docs/protocol.md` §2.7).
const SERIAL: std::ops::Range<usize> = 20..24;
/// Where a media packet outside of lossless mode has its counter (§2.8).
const COUNTER: std::ops::Range<usize> = 10..12;
/// Media packets of a FEC group.
const GROUP: usize = 20;
/// How many packets may lie between the two ends of an acknowledgement that is said again.
const SPAN: u16 = 256;
/// Below it a stream counts as begun with 0, and all before as missing.
const FRESH: u16 = 64;

/// The answer of a camera of ours to the login that was answered.
pub(super) fn login_reply(reply: &LoginReply) {
    let mut rng = crate::rng(26);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut login = said(&mut Initiator::new(&LOGIN, &mut [], cx), cx).remove(0);
    login[SERIAL].copy_from_slice(&reply.serial.to_le_bytes());
    let config = ResponderConfig {
        two_way: reply.two_way,
        resend: reply.enable,
        password: None,
    };
    let mut camera = Responder::new(&config, &mut [], cx);
    hear(&mut camera, cx, &login);
    cx.now += Duration::from_secs(1);
    camera.handle_timeout(cx).expect("it waits");
    let said = said(&mut camera, cx);
    assert_eq!(one_of_ours(&said[0]), Message::LoginReply(*reply));
}

/// An acknowledgement of ours after the same packets have come: all up to the highest, but those that are missing.
pub(super) fn ack(ack: &Ack<'_>) {
    let span = ack.highest.wrapping_sub(ack.from);
    let offset = |counter: &u16| counter.wrapping_sub(ack.from);
    let missing: BTreeSet<u16> = ack
        .missing()
        .filter(|counter| (1..span).contains(&offset(counter)))
        .take(100)
        .collect();
    if span > SPAN || ack.from < FRESH {
        return;
    }
    let mut rng = crate::rng(27);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut memory = RepairMemory::new();
    let mut app = Initiator::new(&LOGIN, &mut [], cx);
    app.lend_repair(&mut memory, RepairConfig::DEFAULT);
    let config = ResponderConfig {
        resend: true,
        ..ResponderConfig::default()
    };
    log_in(&mut app, &mut Responder::new(&config, &mut [], cx), cx);
    let mut packet = media(&mut Packetizer::new(), &[0; 10]).remove(0);
    for at in 0..=span {
        let counter = ack.from.wrapping_add(at);
        if !missing.contains(&counter) {
            packet[COUNTER].copy_from_slice(&counter.to_le_bytes());
            hear(&mut app, cx, &packet);
        }
    }
    // Longer than reordering may take, and than an acknowledgement is awaited.
    cx.now += Duration::from_millis(150);
    app.handle_timeout(cx).expect("it is logged in");
    let said = said(&mut app, cx);
    let mut acks = said.iter().filter_map(|bytes| match one_of_ours(bytes) {
        Message::Ack(again) => Some(again),
        _ => None,
    });
    let again = acks.next().expect("an acknowledgement");
    assert_eq!(acks.next(), None);
    assert_eq!(again.highest, ack.highest);
    // A list of one is said twice.
    assert_eq!(again.missing().collect::<BTreeSet<_>>(), missing);
}

/// The packets of a frame of ours.
fn media(packetizer: &mut Packetizer, data: &[u8]) -> Vec<Vec<u8>> {
    let mut out = packetizer.start(&frame(data));
    std::iter::from_fn(|| {
        let mut memory = [0; 2048];
        let mut tx = TxBuf::new(&mut memory);
        let more = packetizer.next(&mut out, &mut tx).expect("there is room");
        more.then(|| tx.finish().to_vec())
    })
    .collect()
}

fn frame(data: &[u8]) -> OutFrame<'_> {
    OutFrame {
        stream: Stream::Video,
        key: true,
        info: FrameInfo::video(Codec::H264, 20, 0),
        data,
    }
}

/// The echo of the same clock.
pub(super) fn stats_reply(clock: u16) {
    let mut rng = crate::rng(28);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut app = logged_in(cx);
    let mut request = vec![0x0a, 0x08, 0x0c, 0, 0, 0, 0, 0];
    request.extend(clock.to_le_bytes());
    request.extend([0; 6]);
    hear(&mut app, cx, &request);
    let said = said(&mut app, cx);
    let mut replies = said
        .iter()
        .filter(|bytes| one_of_ours(bytes) == Message::StatsReply { clock });
    assert!(replies.next().is_some(), "the clock is not echoed");
}

/// Groups of ours that hold the same bytes: each parity packet is the XOR of all that it protects, in its place.
pub(super) fn parity(parity: &Parity<'_>) {
    let mut rng = crate::rng(29);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut memory = ParityGroup::new();
    let config = ResponderConfig {
        resend: true,
        ..ResponderConfig::default()
    };
    let mut camera = Responder::new(&config, &mut [], cx);
    camera.lend_parity(&mut memory);
    log_in(&mut Initiator::new(&LOGIN, &mut [], cx), &mut camera, cx);
    assert!(camera.is_lossless());
    let bytes = parity.bytes.iter().copied().chain([parity.fec.index]);
    let data: Vec<u8> = bytes.cycle().take(GROUP * 1024).collect();
    let mut packetizer = Packetizer::new();
    let mut xor: Vec<u8> = Vec::new();
    let (mut protected, mut groups) = (0, 0);
    for data in [&data[..], &data[..1]] {
        let mut out = packetizer.start(&frame(data));
        loop {
            let mut memory = [0; 2048];
            let mut tx = TxBuf::new(&mut memory);
            let more = camera.write_media(&mut packetizer, &mut out, &mut tx);
            if !more.expect("there is room") {
                break;
            }
            match one_of_ours(tx.finish()) {
                Message::Media(packet) => {
                    let place = packet.fec.expect("a place");
                    assert_eq!((place.group, usize::from(place.index)), (groups, protected));
                    xor.resize(xor.len().max(packet.protected.len()), 0);
                    for (x, byte) in xor.iter_mut().zip(packet.protected) {
                        *x ^= byte;
                    }
                    protected += 1;
                }
                Message::Parity(again) => {
                    assert_eq!(protected, GROUP);
                    let place = (again.fec.group, usize::from(again.fec.index));
                    assert_eq!((place, again.fec.size), ((groups, GROUP), GROUP as u8));
                    assert_eq!(again.bytes, xor);
                    (protected, groups) = (0, groups + 1);
                    xor.clear();
                }
                other => panic!("no media: {other:?}"),
            }
        }
    }
    assert_eq!((groups, protected), (1, 1));
}
