//! What the unit tests share.

use std::sync::LazyLock;

use tutk_core::TxBuf;

use crate::{Codec, FrameInfo, MediaPacket, Message, OutFrame, Packetizer, Stream};

/// The file of vectors, read once: interpreted by Miri that takes a minute.
pub(crate) fn vectors() -> &'static serde_json::Value {
    static VECTORS: LazyLock<serde_json::Value> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    });
    &VECTORS
}

pub(crate) fn bytes_of(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn media(bytes: &[u8]) -> MediaPacket<'_> {
    match Message::parse(bytes) {
        Ok(Message::Media(packet)) => packet,
        other => panic!("{other:?}"),
    }
}

/// All packets of a frame.
pub(crate) fn packets_of(packetizer: &mut Packetizer, frame: &OutFrame<'_>) -> Vec<Vec<u8>> {
    let mut out = packetizer.start(frame);
    let mut packets = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if !packetizer.next(&mut out, &mut tx).unwrap() {
            return packets;
        }
        packets.push(tx.finish().to_vec());
    }
}

/// The packets of video frame `number`, made without a packetizer's history.
pub(crate) fn frame_packets(number: u32, key: bool, data: &[u8]) -> Vec<Vec<u8>> {
    let frame = OutFrame {
        stream: Stream::Video,
        key,
        info: FrameInfo::video(Codec::H264, 20, u64::from(number) * 50_000),
        data,
    };
    let mut packets = packets_of(&mut Packetizer::new(), &frame);
    for packet in &mut packets {
        packet[20..24].copy_from_slice(&number.wrapping_sub(1).to_le_bytes());
        packet[24..28].copy_from_slice(&number.to_le_bytes());
    }
    packets
}
