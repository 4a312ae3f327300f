//! Reassembly alone: media packets, parsed already, put together to frames.

use std::hint::black_box;

use tutk_av::{
    Assembler, AssemblerConfig, Codec, FrameInfo, MediaPacket, Message, OutFrame, Output,
    Packetizer, Stream,
};
use tutk_core::{Instant, TxBuf};

use crate::leak;
use crate::scenario::{FRAME, PACKETS, Round};

/// One packet in, frames out as they become complete.
pub(crate) fn reassembly(rounds: usize) -> Round {
    let packets = packets(rounds);
    let mut assembler = Assembler::new(Stream::Video, leak(1 << 20), AssemblerConfig::VIDEO);
    let mut frames = 0;
    Box::new(move |n| {
        assembler.push(Instant::ZERO, black_box(&packets[n]));
        while let Some(output) = assembler.poll(Instant::ZERO) {
            let Output::Frame(frame) = output else {
                panic!("nothing is lost: {output:?}");
            };
            frames += 1;
            assert_eq!(black_box(assembler.frame(frame)).data.len(), FRAME);
        }
        if n + 1 == packets.len() {
            assert_eq!(frames, packets.len() / PACKETS, "every frame arrives");
        }
    })
}

fn packets(count: usize) -> Vec<MediaPacket<'static>> {
    let data = leak(FRAME);
    let mut packetizer = Packetizer::new();
    let mut packets = Vec::with_capacity(count);
    while packets.len() < count {
        let frame = OutFrame {
            stream: Stream::Video,
            key: packets.is_empty(),
            info: FrameInfo::video(Codec::H264, 20, 1_767_239_680_000_000),
            data,
        };
        let mut out = packetizer.start(&frame);
        loop {
            let mut tx = TxBuf::new(leak(1500));
            if !packetizer
                .next(&mut out, &mut tx)
                .expect("1500 bytes are enough")
            {
                break;
            }
            match Message::parse(tx.finish()) {
                Ok(Message::Media(packet)) => packets.push(packet),
                other => panic!("the packetizer writes media: {other:?}"),
            }
        }
    }
    packets.truncate(count);
    packets
}
