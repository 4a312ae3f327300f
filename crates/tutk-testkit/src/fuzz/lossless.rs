//! Frames of known content through the packetizer, a link that the fuzzer steers, and the assembler; alone, and between
//! both sides of lossless mode.

use std::collections::VecDeque;
use std::time::Duration;

use tutk_av::{
    Assembler, AssemblerConfig, Codec, Event, FrameInfo, Initiator, LoginConfig, MAX_IN_FLIGHT,
    MediaPacket, Message, OutFrame, Output, Packetizer, ParityGroup, RESEND_SLOT, RepairConfig,
    RepairMemory, Responder, ResponderConfig, Stream,
};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use super::feed::MOST_OUTPUTS;
use crate::reassembly::Model;

/// Further than that the assembler may think that the sender counts anew.
const MAX_FRAMES: u32 = 250;
/// Memory for as many frames of [`content`] as an assembler holds.
const ENOUGH: usize = MAX_IN_FLIGHT * 4 * 1026;

/// The content of frame `number`, of at most four packets.
fn content(number: u32) -> Vec<u8> {
    let len = 1 + number as usize * 379 % 4000;
    (0..len).map(|i| (i as u32 ^ number) as u8).collect()
}

/// How far what comes out can be foretold.
enum Expected {
    /// Exactly.
    Model(Model),
    /// Memory is short: whole frames, each the one it says, in order and once.
    Sound,
    /// The peer lies: in order and once.
    Anything,
}

/// Compares what comes out with what must.
struct Judge<'m> {
    assembler: Assembler<'m>,
    expected: Expected,
    /// Once all places for frames were taken.
    crowded: bool,
    last: u32,
    whole: u32,
}

impl<'m> Judge<'m> {
    fn new(memory: &'m mut [u8], config: AssemblerConfig) -> Self {
        Self {
            expected: if memory.len() < ENOUGH {
                Expected::Sound
            } else {
                Expected::Model(Model::new(config))
            },
            assembler: Assembler::new(Stream::Video, memory, config),
            crowded: false,
            last: 0,
            whole: 0,
        }
    }

    fn push(&mut self, now: Instant, packet: &MediaPacket<'_>, sent: u32) {
        self.assembler.push(now, packet);
        if let Expected::Model(model) = &mut self.expected {
            model.push(now, packet);
            self.crowded |= model.in_flight() == MAX_IN_FLIGHT;
        }
        self.poll(now, sent);
    }

    fn poll(&mut self, now: Instant, sent: u32) {
        self.assembler.check_invariants().expect("invariants");
        for _ in 0..=MOST_OUTPUTS {
            let said = self.assembler.poll(now).map(|output| match output {
                Output::Frame(frame) => {
                    let frame = self.assembler.frame(frame);
                    (frame.number, Ok(frame.data.to_vec()))
                }
                Output::Dropped(dropped) => (dropped.number, Err(dropped.reason)),
            });
            if let Expected::Model(model) = &mut self.expected {
                assert_eq!(said, model.poll(now));
            }
            match said {
                None => return,
                Some((number, Ok(data))) => self.delivered(number, &data, sent),
                Some(_) => {}
            }
        }
        panic!("poll has no end");
    }

    fn delivered(&mut self, number: u32, data: &[u8], sent: u32) {
        if matches!(self.expected, Expected::Anything) {
            return;
        }
        assert!(
            number > self.last && number <= sent,
            "{number} after {}",
            self.last
        );
        assert!(data == content(number), "frame {number} is another");
        self.last = number;
        self.whole += 1;
    }
}

/// Packets of real frames, in an order that the fuzzer chooses, some of them lost, doubled or late: what comes out is what
/// a naive model says, word for word; and where nothing was lost, late or too much at once, it is all of it.
///
/// The first byte chooses memory, which may be too small for anything but soundness, lossless mode, and the gate; each
/// further one sends a frame, lets time pass, or does something to the next packet.
pub fn frames(data: &[u8]) {
    run_frames(data);
}

fn run_frames(data: &[u8]) -> u32 {
    let Some((&choice, ops)) = data.split_first() else {
        return 0;
    };
    let mut memory = vec![0; if choice & 1 == 0 { ENOUGH } else { 5000 }];
    let config = AssemblerConfig {
        gate: choice & 4 == 0,
        ..AssemblerConfig::VIDEO
    };
    let mut judge = Judge::new(&mut memory, config);
    let mut packetizer = Packetizer::new();
    packetizer.set_lossless(choice & 2 == 2);
    let (mut now, mut sent) = (Instant::ZERO, 0);
    // Nothing that could make the assembler give anything up.
    let mut calm = choice & 1 == 0;
    let mut turned = false;
    let mut queue: VecDeque<Vec<u8>> = VecDeque::new();
    for op in ops {
        match op % 8 {
            0 if queue.len() < 64 && sent < MAX_FRAMES => {
                sent += 1;
                queue.extend(packets(&mut packetizer, sent));
            }
            1 => {
                now += Duration::from_millis(u64::from(op >> 3) * 10);
                calm &= op >> 3 == 0;
            }
            2 => {
                queue.rotate_left(usize::from(op >> 3) % queue.len().max(1));
                turned = true;
            }
            3 => calm &= queue.pop_front().is_none(),
            4 => {
                if let Some(head) = queue.front().cloned() {
                    queue.push_back(head);
                }
            }
            _ => arrive(&mut queue, &mut judge, now, sent),
        }
        judge.poll(now, sent);
    }
    while !queue.is_empty() {
        arrive(&mut queue, &mut judge, now, sent);
    }
    if calm && !judge.crowded && !(turned && config.gate) {
        assert_eq!(judge.whole, sent, "nothing was lost");
    }
    judge.whole
}

/// The packets of frame `number`.
fn packets(packetizer: &mut Packetizer, number: u32) -> Vec<Vec<u8>> {
    let data = content(number);
    let mut out = packetizer.start(&frame(number, &data));
    std::iter::from_fn(|| {
        let mut buf = [0; 1500];
        let mut tx = TxBuf::new(&mut buf);
        let more = packetizer.next(&mut out, &mut tx).expect("room");
        more.then(|| tx.finish().to_vec())
    })
    .collect()
}

/// The next packet reaches the assembler.
fn arrive(queue: &mut VecDeque<Vec<u8>>, judge: &mut Judge<'_>, now: Instant, sent: u32) {
    if let Some(bytes) = queue.pop_front() {
        let Ok(Message::Media(packet)) = Message::parse(&bytes) else {
            panic!("it is a media packet");
        };
        judge.push(now, &packet, sent);
    }
}

fn frame(number: u32, data: &[u8]) -> OutFrame<'_> {
    OutFrame {
        stream: Stream::Video,
        key: number % 5 == 1,
        info: FrameInfo::video(Codec::H264, 20, 1_767_239_680_000_000),
        data,
    }
}

/// Both sides of lossless mode, with memory for repairs, copies and parity, over a link that loses, turns, doubles and
/// garbles; laws as of [`frames`]. What goes down is garbled by a camera that lies, as nobody else has the keys: then frames
/// may be anything, and parity is of other packets than it says.
pub fn resend(data: &[u8]) {
    run_resend(data);
}

fn run_resend(data: &[u8]) -> u32 {
    let Some((&choice, ops)) = data.split_first() else {
        return 0;
    };
    let mut rng = crate::rng(11);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut repair, mut copies) = (RepairMemory::new(), vec![0; 16 * RESEND_SLOT]);
    let (mut groups, mut own) = ([const { ParityGroup::new() }; 2], ParityGroup::new());
    let mut memory = vec![0; ENOUGH];
    let login = LoginConfig {
        user: b"admin",
        password: b"password",
        resend: true,
    };
    let config = ResponderConfig {
        resend: true,
        ..ResponderConfig::default()
    };
    let mut app = Initiator::new(&login, &mut [], &mut cx);
    app.lend_repair(&mut repair, RepairConfig::DEFAULT);
    let mut camera = Responder::new(&config, &mut [], &mut cx);
    camera.lend_resend(&mut copies);
    if choice & 1 == 1 {
        app.lend_parity(&mut groups);
        camera.lend_parity(&mut own);
    }
    let mut judge = Judge::new(&mut memory, AssemblerConfig::VIDEO_LOSSLESS);
    let mut packetizer = Packetizer::new();
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut sent = 0;
    let mut ops = ops.iter().copied();
    drain(&mut app, &mut cx, &mut up);
    while let Some(op) = ops.next() {
        let downwards = op & 8 == 8;
        let busy = down.len() > 100;
        let queue = if downwards { &mut down } else { &mut up };
        match op % 8 {
            0 if op >= 0x80 => {
                cx.now += Duration::from_millis(u64::from(op >> 3 & 15) * 10);
                let alive = app.handle_timeout(&mut cx).is_ok();
                if !alive || camera.handle_timeout(&mut cx).is_err() {
                    return judge.whole;
                }
            }
            1 if !busy => {
                if camera.is_logged_in() && sent < MAX_FRAMES {
                    sent += 1;
                    let data = content(sent);
                    let mut out = packetizer.start(&frame(sent, &data));
                    let mut buf = [0; 1500];
                    loop {
                        let mut tx = TxBuf::new(&mut buf);
                        match camera.write_media(&mut packetizer, &mut out, &mut tx) {
                            Ok(true) => down.push_back(tx.finish().to_vec()),
                            _ => break,
                        }
                    }
                }
            }
            2 => queue.rotate_left(usize::from(op >> 4) % queue.len().max(1)),
            3 => drop(queue.pop_front()),
            4 => {
                if let Some(head) = queue.front().cloned() {
                    queue.push_back(head);
                }
            }
            5 if !downwards || op >= 0x80 => {
                let (at, with) = (ops.next().unwrap_or(0), ops.next().unwrap_or(0));
                if let Some(byte) = queue.front_mut().and_then(|m| m.get_mut(usize::from(at))) {
                    *byte ^= with;
                    if downwards && with != 0 {
                        judge.expected = Expected::Anything;
                    }
                }
            }
            _ => {
                if let Some(mut bytes) = queue.pop_front() {
                    let mut input = Datagram::new(super::endpoint::app(), &mut bytes);
                    if downwards {
                        while let Ok(Some(event)) = app.handle_datagram(&mut cx, &mut input) {
                            if let Event::Media(packet) = event {
                                judge.push(cx.now, &packet, sent);
                            }
                        }
                    } else {
                        while let Ok(Some(_)) = camera.handle_datagram(&mut cx, &mut input) {}
                    }
                }
            }
        }
        judge.poll(cx.now, sent);
        drain(&mut app, &mut cx, &mut up);
        drain(&mut camera, &mut cx, &mut down);
        up.truncate(200);
        down.truncate(200);
    }
    judge.whole
}

/// Everything `from` wants to send.
fn drain(from: &mut impl Layer, cx: &mut Cx<'_>, queue: &mut VecDeque<Vec<u8>>) {
    let mut memory = [0; 1500];
    for _ in 0..200 {
        let mut tx = TxBuf::new(&mut memory);
        match from.poll_transmit(cx, &mut tx) {
            Ok(true) => queue.push_back(tx.finish().to_vec()),
            _ => return,
        }
    }
    panic!("200 messages between two inputs");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undisturbed_link_delivers_every_frame() {
        for choice in [0, 2] {
            let mut script = vec![choice];
            for _ in 0..20 {
                script.extend([0, 7, 7, 7, 7, 7]);
            }
            assert_eq!(run_frames(&script), 20, "choice {choice}");
        }
        for choice in [0, 1] {
            let mut script = vec![choice, 0x80 | 5 << 3];
            script.extend([6, 6, 0x80 | 6 << 3, 14, 14, 14, 6, 6, 6]);
            for _ in 0..20 {
                script.extend([1, 14, 14, 14, 14, 14, 14, 6, 6, 0x80 | 2 << 3]);
            }
            assert_eq!(run_resend(&script), 20, "choice {choice}");
        }
    }
}
