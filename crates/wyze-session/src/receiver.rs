//! One media stream of a client: whole frames where there is memory for them, chunks as they come where there is none.

use core::marker::PhantomData;
use core::time::Duration;

#[cfg(feature = "frames")]
use tutk_av::Assembler;
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
