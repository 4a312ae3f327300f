//! Packets out of frames: what a camera sends.
//!
//! Source: `docs/protocol.md` §2.8, §2.15.

use tutk_core::{Full, TxBuf};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::parity::ParityGroup;
use crate::session16;
use crate::wire::{FLAG_LAST, FRAGMENT, FecBlock, Inner, Outer, VERSION, WRAPPED};
use crate::{FrameInfo, Stream};

/// Flag bit that cameras set on the last of several packets; its meaning is not known.
const FLAG_MULTIPLE: u8 = 0x04;

/// Bytes of the longest frame whose packets can be counted.
pub(crate) const MAX_FRAME: usize = 65_535 * FRAGMENT;

/// Data packets in a FEC group.
const GROUP_SIZE: u8 = 20;

/// A frame to be sent.
#[derive(Debug, Clone, Copy)]
pub struct OutFrame<'f> {
    /// Video or audio.
    pub stream: Stream,
    /// A key frame (video).
    pub key: bool,
    /// What to say about it. Size, length, number and, for video, flags are filled in.
    pub info: FrameInfo,
    /// The coded frame, at most 65 535 × 1024 bytes.
    pub data: &'f [u8],
}

/// A frame of which some packets have been written.
#[derive(Debug)]
pub struct Outgoing<'f> {
    stream: Stream,
    key: bool,
    info: FrameInfo,
    data: &'f [u8],
    previous: u32,
    total: u16,
    index: u16,
}

impl Outgoing<'_> {
    /// Number of the frame in its stream.
    pub fn number(&self) -> u32 {
        self.info.number
    }

    /// Packets of the frame.
    pub fn packets(&self) -> u16 {
        self.total
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    /// Number of the frame started last; 0 before the first.
    last: u32,
}

/// Where in its FEC group the next packet belongs.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    group: u16,
    index: u8,
}

/// Cuts the frames of both streams into packets of at most 28 + 1024 + 40 bytes, counted together; 8 bytes more in
/// lossless mode.
///
/// Frame numbers begin at 1, sequence numbers and media counters at 0 and 1, as cameras do. In lossless mode counters
/// begin at 0: in the one capture the counter is group × 20 + index.
#[derive(Debug, Clone)]
pub struct Packetizer {
    seq: u16,
    counter: u16,
    video: Numbers,
    audio: Numbers,
    mac: [u8; 12],
    /// Lossless mode.
    place: Option<Place>,
}

impl Default for Packetizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Packetizer {
    /// Begins to count, and says nothing about the MAC address.
    pub const fn new() -> Self {
        Self::with_mac([0; 12])
    }

    /// Begins to count; `mac` is the camera's MAC address in ASCII, for FRAMEINFO.
    pub const fn with_mac(mac: [u8; 12]) -> Self {
        Self {
            seq: 0,
            counter: 1,
            video: Numbers { last: 0 },
            audio: Numbers { last: 0 },
            mac,
            place: None,
        }
    }

    /// Switches the FEC wrapper of lossless mode on or off; [`Responder::write_media`](crate::Responder::write_media)
    /// does so by itself.
    pub fn set_lossless(&mut self, on: bool) {
        if on && self.place.is_none() {
            self.place = Some(Place::default());
            if self.seq == 0 {
                self.counter = 0;
            }
        } else if !on {
            self.place = None;
        }
    }

    /// Numbers a frame; [`next`](Self::next) writes its packets. A frame above 65 535 × 1024 bytes has none.
    pub fn start<'f>(&mut self, frame: &OutFrame<'f>) -> Outgoing<'f> {
        let numbers = match frame.stream {
            Stream::Video => &mut self.video,
            Stream::Audio => &mut self.audio,
        };
        let previous = numbers.last;
        numbers.last = previous.wrapping_add(1);
        let total = frame.data.len().div_ceil(FRAGMENT).max(1);
        let key = frame.key && frame.stream == Stream::Video;
        Outgoing {
            stream: frame.stream,
            key,
            info: FrameInfo {
                size: FrameInfo::CAMERA as u8,
                flags: match frame.stream {
                    Stream::Video => key.into(),
                    Stream::Audio => frame.info.flags,
                },
                length: frame.data.len() as u32,
                number: numbers.last,
                ..frame.info
            },
            data: frame.data,
            previous,
            total: u16::try_from(total).unwrap_or(0),
            index: 0,
        }
    }

    /// Writes the next packet of a frame into `tx`; `false`, and nothing written, when the frame is finished.
    ///
    /// # Errors
    /// [`Full`], with nothing written: lend at least 1092 bytes beside the room of the outer layers, and try again.
    pub fn next(&mut self, out: &mut Outgoing<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        if out.index >= out.total {
            return Ok(false);
        }
        let from = usize::from(out.index) * FRAGMENT;
        let to = (from + FRAGMENT).min(out.data.len());
        let part = out.data.get(from..to).ok_or(Full)?;
        let last = out.index + 1 == out.total;
        let info = last.then(|| out.info.to_bytes40(self.mac));
        let info = info.as_ref().map_or(&[][..], |bytes| bytes.as_slice());
        let kind = match (out.stream, out.key) {
            (Stream::Audio, _) => 3,
            (Stream::Video, true) => 5,
            (Stream::Video, false) => 7,
        };
        let fec = self.place.map(|place| fec_block(place.group, place.index));
        let fec = fec.as_ref().map_or(&[][..], |block| block.as_bytes());
        let outer = Outer {
            kind: if self.place.is_some() { WRAPPED } else { kind },
            flags: match (last, out.total) {
                (false, _) => 0,
                (true, 1) => FLAG_LAST,
                (true, _) => FLAG_LAST | FLAG_MULTIPLE,
            },
            version: U16::new(VERSION),
            seq: U16::new(self.seq),
            extra: U16::ZERO,
        };
        let len = (part.len() + info.len()) as u16;
        let inner = Inner {
            kind,
            sub: last.into(),
            counter: U16::new(self.counter),
            total: U16::new(out.total),
            index_or_info_len: U16::new(if last { info.len() as u16 } else { out.index }),
            payload_len: U16::new(len),
            zero: U16::ZERO,
            previous: U32::new(out.previous),
            current: U32::new(out.info.number),
        };
        if tx.room() < size_of::<Outer>() + fec.len() + size_of::<Inner>() + usize::from(len) {
            return Err(Full);
        }
        for bytes in [outer.as_bytes(), fec, inner.as_bytes(), part, info] {
            tx.append(bytes)?;
        }
        self.seq = self.seq.wrapping_add(1);
        self.counter = self.counter.wrapping_add(1);
        out.index += 1;
        if let Some(place) = &mut self.place {
            place.index += 1;
            if place.index == GROUP_SIZE {
                place.index = 0;
                place.group = place.group.wrapping_add(1);
            }
        }
        Ok(true)
    }

    /// Writes the next packet of a frame in the form of Session16. An audio frame is one packet, so one of more than
    /// 1024 bytes is left out.
    pub(crate) fn next16(
        &mut self,
        out: &mut Outgoing<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<bool, Full> {
        let number = out.info.number.wrapping_sub(1) as u16;
        let info = out.info.to_bytes32();
        let written = match out.stream {
            Stream::Video => session16::write_chunk(number, out.index, out.data, &info, tx)?,
            Stream::Audio if out.index == 0 && out.data.len() <= FRAGMENT => {
                session16::write_whole(number, out.data, &info, tx)?;
                true
            }
            Stream::Audio => false,
        };
        out.index = out.index.saturating_add(written.into());
        Ok(written)
    }

    /// Writes the parity packet of a complete group. It has no counter of its own and bears the last one.
    pub(crate) fn write_parity(
        &mut self,
        group: &ParityGroup,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let (place, parity) = group.parity();
        let outer = Outer {
            kind: WRAPPED,
            flags: 0,
            version: U16::new(VERSION),
            seq: U16::new(self.seq),
            extra: U16::ZERO,
        };
        let fec = fec_block(place.group, place.index);
        let inner = Inner {
            kind: WRAPPED,
            sub: 0,
            counter: U16::new(self.counter.wrapping_sub(1)),
            total: U16::new(1),
            index_or_info_len: U16::ZERO,
            payload_len: U16::new(parity.len() as u16),
            zero: U16::ZERO,
            previous: U32::ZERO,
            current: U32::ZERO,
        };
        let heads = size_of::<Outer>() + size_of::<FecBlock>() + size_of::<Inner>();
        if tx.room() < heads + parity.len() {
            return Err(Full);
        }
        for bytes in [outer.as_bytes(), fec.as_bytes(), inner.as_bytes(), parity] {
            tx.append(bytes)?;
        }
        self.seq = self.seq.wrapping_add(1);
        Ok(())
    }
}

fn fec_block(group: u16, index: u8) -> FecBlock {
    FecBlock {
        group: U16::new(group),
        index,
        size: GROUP_SIZE,
        parity: U32::new(1),
    }
}
