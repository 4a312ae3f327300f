//! Frames piece by piece, without memory for one.

use core::fmt;

use crate::assembler::{DropReason, Dropped};
use crate::redact::Len;
use crate::{FrameInfo, MediaPacket, Stream};

/// A piece of a frame, the next in order.
///
/// `Debug` tells how many bytes there are, and none of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'p> {
    /// Video or audio.
    pub stream: Stream,
    /// Number of the frame in its stream.
    pub frame: u32,
    /// Part of a key frame (video).
    pub key: bool,
    /// Where in the frame these bytes belong.
    pub offset: u32,
    /// The frame ends here.
    pub last: bool,
    /// The bytes.
    pub bytes: &'p [u8],
    /// What the camera says about the frame; with the last chunk.
    pub info: Option<FrameInfo>,
}

impl fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("stream", &self.stream)
            .field("frame", &self.frame)
            .field("key", &self.key)
            .field("offset", &self.offset)
            .field("last", &self.last)
            .field("bytes", &Len(self.bytes))
            .finish_non_exhaustive()
    }
}

/// What came of a packet. Both may be set: the packet begins a frame, and so ends another that was not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkOutcome<'p> {
    /// A frame was given up; chunks of it that came before are worthless.
    pub dropped: Option<Dropped>,
    /// The next chunk.
    pub chunk: Option<Chunk<'p>>,
}

/// A frame of which some chunks have come.
#[derive(Debug, Clone, Copy)]
struct Current {
    number: u32,
    /// Fragment expected next.
    next: u16,
    total: u16,
    offset: u32,
}

/// Passes the packets of one stream on as chunks, in order.
///
/// It holds nothing back, so a packet that comes before its turn ends the frame: this suits networks that seldom
/// reorder. A gated video stream begins at a key frame, and after a loss goes on at the next one.
#[derive(Debug)]
pub struct ChunkStream {
    stream: Stream,
    gate: bool,
    current: Option<Current>,
    /// Number of the last frame delivered whole or given up.
    edge: Option<u32>,
    /// Number of the last frame delivered whole.
    last: Option<u32>,
    /// FRAMEINFO so far, of a frame that is joined with it.
    info: Part,
}

/// The first bytes of a FRAMEINFO: codec, flags and time. `Debug` tells how many.
#[derive(Clone, Copy)]
struct Part {
    bytes: [u8; FrameInfo::TALK],
    len: u8,
}

impl Part {
    const EMPTY: Self = Self {
        bytes: [0; FrameInfo::TALK],
        len: 0,
    };

    fn extend(&mut self, more: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.len.into());
        for (to, from) in room.zip(more) {
            *to = *from;
            self.len += 1;
        }
    }

    fn parse(&self) -> Option<FrameInfo> {
        FrameInfo::parse(self.bytes.get(..self.len.into())?).ok()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.len.fmt(f)
    }
}

/// A frame number this far behind, at the beginning of a frame, means that the sender counts anew.
const RESTART_DISTANCE: u32 = 256;

impl ChunkStream {
    /// Chunks of `stream`. `gate`: deliver only what a decoder can use (video).
    pub const fn new(stream: Stream, gate: bool) -> Self {
        Self {
            stream,
            gate,
            current: None,
            edge: None,
            last: None,
            info: Part::EMPTY,
        }
    }

    /// Forgets everything, as at the start of a stream.
    pub const fn reset(&mut self) {
        *self = Self::new(self.stream, self.gate);
    }

    /// Takes a packet. Packets of the other stream, repeated and late ones bring nothing about.
    pub fn push<'p>(&mut self, packet: &MediaPacket<'p>) -> ChunkOutcome<'p> {
        if packet.stream != self.stream {
            return ChunkOutcome::default();
        }
        match self.current {
            Some(current) if current.number == packet.frame => self.go_on(current, packet),
            _ => self.begin(packet),
        }
    }

    fn go_on<'p>(&mut self, current: Current, packet: &MediaPacket<'p>) -> ChunkOutcome<'p> {
        if packet.index < current.next {
            return ChunkOutcome::default();
        }
        if packet.index > current.next || packet.total != current.total {
            return self.give_up(
                current.number,
                DropReason::Incomplete {
                    have: current.next,
                    total: current.total,
                },
            );
        }
        self.deliver(current, packet)
    }

    fn begin<'p>(&mut self, packet: &MediaPacket<'p>) -> ChunkOutcome<'p> {
        let mut restarted = false;
        // While a frame is under way, the edge is just behind it.
        let edge = self.current.map(|current| current.number).or(self.edge);
        if let Some(behind) = edge.map(|edge| edge.wrapping_sub(packet.frame))
            && behind < 1 << 31
        {
            if behind <= RESTART_DISTANCE || packet.index != 0 {
                return ChunkOutcome::default();
            }
            restarted = true;
        }
        let current = self.current.take();
        if restarted {
            self.reset();
        }
        let mut dropped = current.map(|unfinished| Dropped {
            number: unfinished.number,
            reason: DropReason::Incomplete {
                have: unfinished.next,
                total: unfinished.total,
            },
        });
        if dropped.is_none() {
            dropped = self.missing_before(packet);
        }
        if packet.index != 0 {
            let total = packet.total;
            let lost = self.give_up(packet.frame, DropReason::Incomplete { have: 0, total });
            return ChunkOutcome {
                dropped: dropped.or(lost.dropped),
                chunk: None,
            };
        }
        if !self.is_decodable(packet) {
            let lost = self.give_up(packet.frame, DropReason::Undecodable);
            return ChunkOutcome {
                dropped: dropped.or(lost.dropped),
                chunk: None,
            };
        }
        let outcome = self.deliver(
            Current {
                number: packet.frame,
                next: 0,
                total: packet.total,
                offset: 0,
            },
            packet,
        );
        ChunkOutcome {
            dropped: dropped.or(outcome.dropped),
            chunk: outcome.chunk,
        }
    }

    /// The first of the frames between the last one and this, of which nothing came.
    fn missing_before(&self, packet: &MediaPacket<'_>) -> Option<Dropped> {
        let edge = self.edge?;
        let next = edge.wrapping_add(1);
        let follows = packet.frame == next || (packet.previous == edge && edge != 0);
        (!follows).then_some(Dropped {
            number: next,
            reason: DropReason::Incomplete { have: 0, total: 0 },
        })
    }

    fn is_decodable(&self, packet: &MediaPacket<'_>) -> bool {
        let chained = self.last.is_some_and(|last| {
            last == packet.frame.wrapping_sub(1) || (last == packet.previous && last != 0)
        });
        // What is joined with FRAMEINFO tells at its end only whether it is a key frame.
        !self.gate || packet.key || chained || packet.joined.is_some()
    }

    fn deliver<'p>(&mut self, current: Current, packet: &MediaPacket<'p>) -> ChunkOutcome<'p> {
        let (bytes, info) = self.part(current, packet);
        if packet.last && info.is_none() {
            return self.give_up(current.number, DropReason::LengthMismatch);
        }
        let end = current.offset.saturating_add(bytes.len() as u32);
        let declared = info.and_then(|info| info.declared_length());
        if declared.is_some_and(|declared| declared != end) {
            return self.give_up(current.number, DropReason::LengthMismatch);
        }
        self.current = (!packet.last).then_some(Current {
            next: current.next + 1,
            offset: end,
            ..current
        });
        if packet.last {
            self.edge = Some(current.number);
            self.last = Some(current.number);
        }
        ChunkOutcome {
            dropped: None,
            chunk: Some(Chunk {
                stream: packet.stream,
                frame: packet.frame,
                key: packet.key,
                offset: current.offset,
                last: packet.last,
                bytes,
                info,
            }),
        }
    }

    /// What of a packet belongs to the frame, and FRAMEINFO once it is there.
    fn part<'p>(
        &mut self,
        current: Current,
        packet: &MediaPacket<'p>,
    ) -> (&'p [u8], Option<FrameInfo>) {
        // Only the oldest generation joins them: the rest is left out where that is.
        let Some(joined) = packet.joined.filter(|_| cfg!(feature = "plain")) else {
            return (packet.payload, packet.info);
        };
        if current.offset == 0 {
            self.info = Part::EMPTY;
        }
        let left = joined.data.saturating_sub(current.offset);
        let at = packet.payload.len().min(left as usize);
        let (data, info) = packet.payload.split_at_checked(at).unwrap_or_default();
        self.info.extend(info);
        (data, packet.last.then(|| self.info.parse()).flatten())
    }

    fn give_up<'p>(&mut self, number: u32, reason: DropReason) -> ChunkOutcome<'p> {
        self.current = None;
        self.edge = Some(number);
        ChunkOutcome {
            dropped: Some(Dropped { number, reason }),
            chunk: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{frame_packets, media};

    fn push_all(stream: &mut ChunkStream, packets: &[Vec<u8>]) -> (Vec<u8>, Vec<Dropped>, u32) {
        let (mut bytes, mut dropped, mut whole) = (Vec::new(), Vec::new(), 0);
        for packet in packets {
            let outcome = stream.push(&media(packet));
            dropped.extend(outcome.dropped);
            if let Some(chunk) = outcome.chunk {
                if chunk.offset == 0 {
                    bytes.clear();
                }
                assert_eq!(chunk.offset as usize, bytes.len());
                assert_eq!(chunk.last, chunk.info.is_some());
                bytes.extend(chunk.bytes);
                whole += u32::from(chunk.last);
            }
        }
        (bytes, dropped, whole)
    }

    #[test]
    fn packets_in_order_become_all_of_the_frame() {
        let data: Vec<u8> = (0..5000u32).map(|i| i as u8).collect();
        let mut stream = ChunkStream::new(Stream::Video, true);
        let (bytes, dropped, whole) = push_all(&mut stream, &frame_packets(1, true, &data));
        assert_eq!((bytes, dropped, whole), (data, vec![], 1));
    }

    #[test]
    fn duplicates_bring_nothing_about() {
        let packets = frame_packets(1, true, &[7; 3000]);
        let twice: Vec<_> = packets
            .iter()
            .flat_map(|p| [p.clone(), p.clone()])
            .collect();
        let mut stream = ChunkStream::new(Stream::Video, true);
        let (bytes, dropped, whole) = push_all(&mut stream, &twice);
        assert_eq!((bytes.len(), dropped.len(), whole), (3000, 0, 1));
        let (_, dropped, whole) = push_all(&mut stream, &twice);
        assert_eq!((dropped.len(), whole), (0, 0), "the same frame again");
    }

    #[test]
    fn a_gap_gives_the_frame_up_and_gates_until_the_next_key_frame() {
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(1, true, &[1; 100]));
        let mut second = frame_packets(2, false, &[2; 3000]);
        second.remove(1);
        let incomplete = DropReason::Incomplete { have: 1, total: 3 };
        let (_, dropped, whole) = push_all(&mut stream, &second);
        let expected = Dropped {
            number: 2,
            reason: incomplete,
        };
        assert_eq!((dropped, whole), (vec![expected], 0));
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(3, false, &[3; 2000]));
        assert_eq!(dropped.len(), 1);
        assert_eq!((dropped[0].reason, whole), (DropReason::Undecodable, 0));
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(4, true, &[4; 2000]));
        assert_eq!((dropped.len(), whole), (0, 1));
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(5, false, &[5; 10]));
        assert_eq!((dropped.len(), whole), (0, 1));
    }

    #[test]
    fn a_frame_cut_short_is_reported_with_the_first_chunk_of_the_next() {
        let mut stream = ChunkStream::new(Stream::Video, true);
        let first = frame_packets(1, true, &[1; 3000]);
        push_all(&mut stream, &first[..2]);
        let second = frame_packets(2, true, &[2; 10]);
        let outcome = stream.push(&media(&second[0]));
        assert_eq!(outcome.dropped.unwrap().number, 1);
        assert_eq!(outcome.chunk.unwrap().frame, 2);
    }

    #[test]
    fn a_frame_that_never_came_is_reported_and_breaks_the_chain() {
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(1, true, &[1; 10]));
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(3, false, &[3; 10]));
        assert_eq!((dropped[0].number, whole), (2, 0));
    }

    #[test]
    fn previous_tells_that_skipped_numbers_are_no_loss() {
        let skipping = |number, previous: u32| {
            let mut packets = frame_packets(number, false, &[7; 10]);
            packets[0][20..24].copy_from_slice(&previous.to_le_bytes());
            packets
        };
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(7, true, &[1; 10]));
        let (_, dropped, whole) = push_all(&mut stream, &skipping(11, 7));
        assert_eq!((dropped, whole), (vec![], 1));
        // 0 as the previous one says nothing.
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(0, true, &[1; 10]));
        let (_, dropped, whole) = push_all(&mut stream, &skipping(5, 0));
        assert_eq!((dropped[0].number, whole), (1, 0));
    }

    #[test]
    fn a_wrong_declared_length_is_no_last_chunk() {
        let mut packets = frame_packets(1, true, &[1; 2000]);
        let end = packets[1].len();
        packets[1][end - 24] ^= 1;
        let mut stream = ChunkStream::new(Stream::Video, true);
        let (_, dropped, whole) = push_all(&mut stream, &packets);
        assert_eq!((dropped[0].reason, whole), (DropReason::LengthMismatch, 0));
    }

    #[test]
    fn numbers_that_begin_anew_are_followed() {
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(5000, true, &[1; 10]));
        let (_, _, whole) = push_all(&mut stream, &frame_packets(4900, true, &[1; 10]));
        assert_eq!(whole, 0, "late");
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(1, true, &[1; 3000]));
        assert_eq!((dropped.len(), whole), (0, 1));
    }

    #[test]
    fn a_frame_cut_short_by_numbers_that_begin_anew_is_reported() {
        let mut stream = ChunkStream::new(Stream::Video, true);
        push_all(&mut stream, &frame_packets(5000, true, &[1; 10]));
        push_all(&mut stream, &frame_packets(5001, false, &[1; 3000])[..2]);
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(1, true, &[1; 3000]));
        let (have, total) = (2, 3);
        let cut = Dropped {
            number: 5001,
            reason: DropReason::Incomplete { have, total },
        };
        assert_eq!((dropped, whole), (vec![cut], 1));
        let (_, dropped, whole) = push_all(&mut stream, &frame_packets(2, false, &[1; 10]));
        assert_eq!((dropped.len(), whole), (0, 1));
    }
}
