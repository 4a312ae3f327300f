//! What the integration tests share.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tutk_av::*;
use tutk_core::TxBuf;

pub(crate) fn testdata(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/");
    std::fs::read_to_string(format!("{root}{path}")).unwrap()
}

pub(crate) fn vectors() -> serde_json::Value {
    serde_json::from_str(&testdata("vectors.json")).unwrap()
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

pub(crate) fn video_frame(key: bool, data: &[u8]) -> OutFrame<'_> {
    OutFrame {
        stream: Stream::Video,
        key,
        info: FrameInfo::video(Codec::H264, 20, 1_767_239_680_000_000),
        data,
    }
}

pub(crate) fn audio_frame(data: &[u8]) -> OutFrame<'_> {
    let format = AudioFormat {
        sample_rate: 8000,
        bits: 16,
        channels: 1,
    };
    OutFrame {
        stream: Stream::Audio,
        key: false,
        info: FrameInfo::audio(Codec::Pcmu, format, 1_767_239_680_000_000),
        data,
    }
}

/// Gives packets another frame number.
pub(crate) fn renumber(packets: &mut [Vec<u8>], number: u32) {
    for packet in packets {
        packet[20..24].copy_from_slice(&number.wrapping_sub(1).to_le_bytes());
        packet[24..28].copy_from_slice(&number.to_le_bytes());
    }
}

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    pub(crate) fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
