//! One media stream of a client: whole frames where there is memory for them, chunks as they come where there is none.

use core::marker::PhantomData;
use core::time::Duration;

#[cfg(feature = "frames")]
use tutk_av::{Assembler, AssemblerStats};
use tutk_av::{AssemblerConfig, ChunkStream, Dropped, MediaPacket, Output, Stream};
use tutk_core::Instant;

use crate::event::Event;

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // without a heap there is no box to put the larger one into
pub(crate) enum Receiver<'m> {
    #[cfg(feature = "frames")]
    Frames {
        stream: Stream,
        assembler: Assembler<'m>,
    },
    Chunks {
        stream: Stream,
        chunks: ChunkStream,
        /// Told after the chunk that the same packet held.
        dropped: Option<Dropped>,
        _memory: PhantomData<&'m mut [u8]>,
    },
}

impl<'m> Receiver<'m> {
    pub(crate) fn new(stream: Stream, memory: &'m mut [u8], config: AssemblerConfig) -> Self {
        #[cfg(feature = "frames")]
        if !memory.is_empty() {
            return Self::Frames {
                stream,
                assembler: Assembler::new(stream, memory, config),
            };
        }
        let _ = memory;
        Self::Chunks {
            stream,
            chunks: ChunkStream::new(stream, config.gate),
            dropped: None,
            _memory: PhantomData,
        }
    }

    /// How long a complete frame waits for earlier ones.
    pub(crate) fn set_reorder(&mut self, _reorder: Duration) {
        #[cfg(feature = "frames")]
        if let Self::Frames { assembler, .. } = self {
            assembler.set_reorder(_reorder);
        }
    }

    /// Forgets all frames: a new stream begins.
    pub(crate) fn reset(&mut self) {
        match self {
            #[cfg(feature = "frames")]
            Self::Frames { assembler, .. } => assembler.reset(),
            Self::Chunks {
                chunks, dropped, ..
            } => {
                chunks.reset();
                *dropped = None;
            }
        }
    }

    /// Takes in a packet. In chunk mode it is told at once; [`poll`](Self::poll) may have something now.
    pub(crate) fn push<'p>(
        &mut self,
        _now: Instant,
        packet: &MediaPacket<'p>,
    ) -> Option<Event<'p>> {
        match self {
            #[cfg(feature = "frames")]
            Self::Frames { assembler, .. } => {
                assembler.push(_now, packet);
                None
            }
            Self::Chunks {
                chunks, dropped, ..
            } => {
                let outcome = chunks.push(packet);
                *dropped = outcome.dropped;
                outcome.chunk.map(Event::Chunk)
            }
        }
    }

    pub(crate) fn poll(&mut self, _now: Instant) -> Option<Output> {
        match self {
            #[cfg(feature = "frames")]
            Self::Frames { assembler, .. } => assembler.poll(_now),
            Self::Chunks { dropped, .. } => dropped.take().map(Output::Dropped),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            #[cfg(feature = "frames")]
            Self::Frames { assembler, .. } => assembler.poll_timeout(),
            Self::Chunks { .. } => None,
        }
    }

    #[cfg(feature = "frames")]
    pub(crate) fn stats(&self) -> Option<AssemblerStats> {
        match self {
            Self::Frames { assembler, .. } => Some(assembler.stats()),
            Self::Chunks { .. } => None,
        }
    }

    /// The event for what [`poll`](Self::poll) answered.
    pub(crate) fn event(&self, output: Output) -> Option<Event<'_>> {
        let stream = match self {
            #[cfg(feature = "frames")]
            Self::Frames { stream, assembler } => {
                if let Output::Frame(r) = output {
                    let frame = assembler.frame(r);
                    return Some(match stream {
                        Stream::Video => Event::Video(frame),
                        Stream::Audio => Event::Audio(frame),
                    });
                }
                *stream
            }
            Self::Chunks { stream, .. } => *stream,
        };
        match output {
            Output::Dropped(frame) => Some(Event::Dropped { stream, frame }),
            Output::Frame(_) => None,
        }
    }
}

#[cfg(all(test, feature = "frames"))]
mod tests {
    use tutk_av::{Codec, FrameInfo, Message, OutFrame, Packetizer};
    use tutk_core::TxBuf;

    use super::*;

    #[test]
    fn a_frame_behind_a_gap_is_waited_for_and_a_chunk_is_not() {
        let mut packetizer = Packetizer::new();
        let packets = [0; 3].map(|_| {
            let mut out = packetizer.start(&OutFrame {
                stream: Stream::Video,
                key: true,
                info: FrameInfo::video(Codec::H264, 20, 0),
                data: b"a frame",
            });
            let mut memory = [0; 200];
            let mut tx = TxBuf::new(&mut memory);
            packetizer.next(&mut out, &mut tx).unwrap();
            tx.finish().to_vec()
        });
        let mut memory = [0; 4000];
        let now = Instant::from_millis(1000);
        for (memory, waits) in [(&mut memory[..], true), (&mut [], false)] {
            let mut receiver = Receiver::new(Stream::Video, memory, AssemblerConfig::VIDEO);
            for i in [0, 2] {
                let Ok(Message::Media(packet)) = Message::parse(&packets[i]) else {
                    panic!()
                };
                receiver.push(now, &packet);
                while receiver.poll(now).is_some() {}
            }
            let due = waits.then_some(now + AssemblerConfig::VIDEO.reorder);
            assert_eq!(receiver.poll_timeout(), due);
            let packets = receiver.stats().map(|stats| stats.packets);
            assert_eq!(packets, waits.then_some(2));
        }
    }
}
